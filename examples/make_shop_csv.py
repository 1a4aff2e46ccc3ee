"""Makes the CSV files of a shop, for docs/own-tables.md: nobody in them exists. Names of columns are as such files have them.

python examples/make_shop_csv.py data/shop
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

CUSTOMERS, TODAY = 30_000, date(2026, 11, 1)
# Share, orders a year, amount of an order in EUR, days since the last one.
KINDS = ((0.55, 1.5, 35, 200), (0.30, 6, 60, 60), (0.15, 18, 140, 15))


def main() -> None:
    folder, chance = Path(sys.argv[1]), np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    kinds = chance.choice(len(KINDS), CUSTOMERS, p=[kind[0] for kind in KINDS])
    _write(folder / "customers.csv", ("Customer No.", "Gender", "Year of Birth", "Joined", "E-Mail"), _customers(kinds, chance))
    _write(folder / "orders.csv", ("Order", "Customer No.", "Ordered At", "Amount (EUR)"), _orders(kinds, chance))
    print(f"{folder}: customers.csv and orders.csv")


def _customers(kinds: Sequence[int], chance: np.random.Generator) -> Iterable[Sequence[object]]:
    for number, kind in enumerate(kinds):
        gender = chance.choice(["female", "male", ""], p=[0.6, 0.38, 0.02] if kind == 2 else [0.48, 0.5, 0.02])
        joined = TODAY - timedelta(days=int(chance.integers(30, 3000)))
        yield f"C{number:06d}", gender, int(chance.integers(1940, 2008)), joined, f"c{number}@example.org"


def _orders(kinds: Sequence[int], chance: np.random.Generator) -> Iterable[Sequence[object]]:
    order = 0
    for number, kind in enumerate(kinds):
        _, often, amount, last = KINDS[kind]
        for _ in range(1 + chance.poisson(often)):
            order += 1
            at = TODAY - timedelta(days=1 + min(float(chance.exponential(last)), 700))
            yield (
                order,
                f"C{number:06d}",
                f"{at} {chance.integers(8, 22):02d}:00:00",
                round(float(chance.gamma(2, amount / 2)), 2),
            )


def _write(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])


if __name__ == "__main__":
    main()
