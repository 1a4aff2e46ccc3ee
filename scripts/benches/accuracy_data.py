"""The rows of the accuracy benchmark, in fixed point as `prepare` would leave them, shape (customers, features)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evenhand.plan.features import Feature
from evenhand.plan.geometry import to_fixed

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
KINDS = np.array([0.26, 0.20, 0.15, 0.12, 0.10, 0.08, 0.05, 0.04])  # shares of the eight kinds of customers


@dataclass(frozen=True)
class Case:
    """`rows(draw)` gives the rows of one draw, or None where the data is not here; real data has one draw."""

    name: str
    k: int
    features: list[Feature]
    rows: Callable[[int], np.ndarray | None]
    draws: int


def feature(name: str, low: float, high: float, scale: str = "linear", missing: float | None = None) -> Feature:
    content = {"name": name, "why": "bench", "column": name, "bounds": (low, high), "scale": scale}
    return Feature.model_validate(content | {"missing": low if missing is None else missing})


CUSTOMER = [
    feature("recency", 0, 1095),  # days; bounds as a shop would state them: round, and far beyond most customers
    feature("orders", 0, 500, "log"),
    feature("spent", 0, 50_000, "log"),
    feature("basket", 0, 2_000, "log"),
    feature("tenure", 0, 7_300),
    feature("categories", 0, 40),
]


def customers(n: int, draw: int) -> np.ndarray:
    """Eight overlapping kinds of unequal size, six skewed features, of which orders, basket and spent hang together.

    Each kind has its own typical recency (12 to 400 days, exponential), orders (1.5 to 50, gamma-Poisson), basket
    (15 to 250, log-normal), tenure (150 to 2,500 days, gamma) and number of categories (1 to 15, gamma-Poisson), drawn
    log-uniformly (categories: uniformly) once a draw. Nothing keeps two kinds apart.
    """
    random = np.random.default_rng(1000 + draw)
    kind = random.choice(len(KINDS), n, p=KINDS)

    def typical(low: float, high: float) -> np.ndarray:
        return np.exp(random.uniform(np.log(low), np.log(high), len(KINDS)))[kind]

    recency = random.exponential(typical(12, 400))
    orders = 1 + random.poisson(random.gamma(1.5, 1 / 1.5, n) * typical(1.5, 50))
    basket = typical(15, 250) * random.lognormal(0, 0.5, n)
    spent = orders * basket * random.lognormal(0, 0.25, n)
    tenure = random.gamma(2.0, typical(150, 2500) / 2) + recency
    categories = 1 + random.poisson(random.gamma(3.0, 1 / 3.0, n) * random.uniform(1, 15, len(KINDS))[kind])
    return to_fixed(np.stack([recency, orders, spent, basket, tenure, categories], axis=1), CUSTOMER)


GAUSSIAN = [feature(f"x{j}", 0, 1) for j in range(16)]


def gaussian(n: int, draw: int) -> np.ndarray:
    """16 kinds in 16 dimensions: centers uniform in [0.15, 0.85], deviations 0.08 to 0.16, shares Dirichlet(5)."""
    random = np.random.default_rng(2000 + draw)
    centers, shares = random.uniform(0.15, 0.85, (16, 16)), random.dirichlet(np.full(16, 5.0))
    kind, deviation = random.choice(16, n, p=shares), random.uniform(0.08, 0.16, 16)
    return to_fixed(centers[kind] + random.normal(size=(n, 16)) * deviation[kind][:, None], GAUSSIAN)


RETAIL = [feature("recency", 0, 365), feature("frequency", 0, 50, "log"), feature("monetary", 0, 20_000, "log")]
BANK = [
    feature("balance", -1000, 8000),
    feature("contacts", 1, 15, "log"),
    feature("last_call", 0, 1200, "log"),
    feature("earlier_contacts", 0, 10, "log"),
]
ADULT = [
    feature("age", 15, 90),
    feature("weight", 0, 1_000_000),
    feature("education", 0, 20),
    feature("gain", 0, 100_000, "log"),
    feature("loss", 0, 5_000, "log"),
    feature("hours", 0, 100),
]


def retail(_: int) -> np.ndarray | None:
    """Online Retail: recency, frequency, monetary value as in conf/online-retail.yaml."""
    file = DATA / "online-retail" / "online_retail.parquet"
    if not file.exists():
        return None
    lines = pd.read_parquet(file).dropna(subset=["CustomerID"])
    bought = lines[lines.Quantity > 0].groupby("CustomerID").agg(last=("InvoiceDate", "max"), orders=("InvoiceNo", "nunique"))
    table = (lines.Quantity * lines.UnitPrice).groupby(lines.CustomerID).sum().to_frame("spent").join(bought)
    days = (pd.Timestamp("2011-12-10") - table["last"]).dt.days.fillna(365)
    return to_fixed(np.stack([days, table.orders.fillna(0), table.spent], axis=1).astype(float), RETAIL)


def bank(_: int) -> np.ndarray | None:
    """Bank Marketing: the features of conf/bank-marketing.yaml."""
    file = DATA / "bank-marketing" / "bank-full.csv"
    if not file.exists():
        return None
    return to_fixed(pd.read_csv(file, sep=";")[["balance", "campaign", "duration", "previous"]].to_numpy(float), BANK)


def adult(_: int) -> np.ndarray | None:
    """Adult, both files: age, fnlwgt, education-num, capital-gain, capital-loss, hours-per-week."""
    files = [DATA / "adult" / "adult.data", DATA / "adult" / "adult.test"]
    if not all(file.exists() for file in files):
        return None
    tables = [pd.read_csv(f, header=None, skiprows=int(f.suffix == ".test"), skipinitialspace=True) for f in files]
    return to_fixed(pd.concat(tables)[[0, 2, 4, 10, 11, 12]].to_numpy(float), ADULT)


def cases(full: bool) -> list[Case]:
    mixes = [Case(f"customer-like {n:,}", 8, CUSTOMER, lambda draw, n=n: customers(n, draw), 5) for n in (10_000, 100_000)]
    if not full:
        return [*mixes, Case("Bank Marketing", 5, BANK, bank, 1)]
    return [
        *mixes,
        Case("customer-like 1,000,000", 8, CUSTOMER, lambda draw: customers(1_000_000, draw), 5),
        *(Case(f"Gaussian {n:,}", 16, GAUSSIAN, lambda draw, n=n: gaussian(n, draw), 5) for n in (10_000, 100_000)),
        Case("Online Retail", 4, RETAIL, retail, 1),
        Case("Bank Marketing", 5, BANK, bank, 1),
        Case("Adult", 10, ADULT, adult, 1),
    ]
