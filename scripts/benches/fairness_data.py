"""The tables of the fairness benchmark: Adult and Bank Marketing as the fair-clustering papers use them, as Delta sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CONSENT = "customer_id BIGINT, purpose STRING, state STRING, recorded_at TIMESTAMP, expires_at TIMESTAMP"
ADULT = ["age", "weight", "education", "gain", "loss", "hours"]
BANK = ["age", "balance", "day", "duration", "campaign", "pdays", "previous"]


@dataclass(frozen=True)
class Case:
    """`rows` has the features and the column of the groups; the published figures are those of shared/data/README.md.

    `minority` is the smaller group's value, `majority` the other one's. `lloyd` is its cost at k = 10 and 2.
    """

    name: str
    features: list[str]
    attribute: str
    minority: str
    majority: str
    lloyd: tuple[float, float]
    published: dict[str, tuple[float, float]]  # cost, seconds on another machine
    rows: Callable[[], pd.DataFrame | None]


def adult() -> pd.DataFrame | None:
    """Both files, 48,842 rows."""
    files = [DATA / "adult" / "adult.data", DATA / "adult" / "adult.test"]
    if not all(file.exists() for file in files):
        return None
    tables = [pd.read_csv(f, header=None, skiprows=int(f.suffix == ".test"), skipinitialspace=True) for f in files]
    found = pd.concat(tables, ignore_index=True)[[0, 2, 4, 10, 11, 12, 9, 8]]
    found.columns = pd.Index([*ADULT, "sex", "race"])
    return found.astype(dict.fromkeys(ADULT, float))


def bank() -> pd.DataFrame | None:
    """The 40,004 rows who are married or single."""
    file = DATA / "bank-marketing" / "bank-full.csv"
    if not file.exists():
        return None
    found = pd.read_csv(file, sep=";")[[*BANK, "marital"]]
    return found[found.marital.isin(["married", "single"])].astype(dict.fromkeys(BANK, float)).reset_index(drop=True)


CASES = [
    Case("adult", ADULT, "sex", "Female", "Male", (1469, 3685),
         {"SFC": (2824, 264), "MPFC": (1607, 405), "Flow": (1623, 7.6)}, adult),
    Case("bank-40k", BANK, "marital", "single", "married", (824, 2396),
         {"SFC": (1525, 96), "MPFC": (951, 363), "Flow": (980, 3.7)}, bank),
]  # fmt: skip


def write_sources(spark: SparkSession, rows: pd.DataFrame, folder: Path, generated: int | None = None) -> None:
    """The rows as customers with their position as id; or as many as wanted, drawn from them by a hash of the id."""
    table = spark.createDataFrame(pa.table({"customer_id": np.arange(len(rows))} | {c: rows[c].to_numpy() for c in rows}))
    if generated is not None:
        drawn = spark.range(0, generated, 1, 8).withColumn("row", F.pmod(F.xxhash64("id"), F.lit(len(rows))))
        table = drawn.join(F.broadcast(table.withColumnRenamed("customer_id", "row")), "row").drop("row")
        table = table.withColumnRenamed("id", "customer_id")
    _write(table, folder / "customers")
    _write(spark.createDataFrame([], CONSENT), folder / "consent")


def plan_of(
    folder: Path, rows: pd.DataFrame, features: list[str], customers: int, epsilon: float, protected: Any, mitigation: Any
) -> dict[str, Any]:
    """A plan with k = 10; the bounds, public here, are the smallest and largest values, as min-max scaling has them."""
    key = folder / "key"
    if not key.exists():
        folder.mkdir(parents=True, exist_ok=True)
        key.touch(mode=0o600)
        key.write_text("bench-key-" * 8, encoding="utf-8")
    low, high = rows[features].min(), rows[features].max()
    return {
        "name": "bench",
        "purpose": "offers",
        "description": "the fairness benchmark",
        "legal_basis": "legitimate_interest",
        "sources": {
            "customers": {"path": str(folder / "customers"), "id": "customer_id"},
            "consent": {"path": str(folder / "consent")},
        },
        "features": [
            {"name": f, "why": "bench", "column": f, "bounds": [float(low[f]), float(high[f])], "missing": float(low[f])}
            for f in features
        ],
        "protected": protected,
        "segments": {"k": 10, "mllib_seeds": 1},
        "privacy": {
            "epsilon": epsilon,
            "population": "bench",
            "population_total": 1000,
            "expected_customers": customers,
            "split": {"summary": 0.9, "profiles": 0.05, "fairness": 0.05},  # the segments are what is measured here
        },
        "pseudonyms": {"key_id": "bench", "key_file": str(key)},
        "fairness": {"mitigation": mitigation},
        "output": {
            "restricted": {"path": str(folder / "restricted")},
            "open": {"path": str(folder / "open")},
            "reports": str(folder / "reports"),
        },
    }


def _write(rows: DataFrame, path: Path) -> None:
    rows.write.format("delta").mode("overwrite").save(str(path.absolute()))
