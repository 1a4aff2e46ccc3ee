"""A small world for tests: a plan that can be changed key by key, and tiny Delta sources made from Python rows."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

KEY = b"a key of thirty-two bytes or more, for tests"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REMOVED = object()  # as the value of a change: the key is taken out

BASE: dict[str, Any] = {
    "name": "small",
    "purpose": "offers",
    "description": "Segments for tests.",
    "legal_basis": "consent",
    "sources": {
        "customers": {"path": "customers", "id": "customer_id"},
        "consent": {"path": "consent"},
        "events": {"purchases": {"path": "purchases", "id": "customer_id", "time": "purchased_at"}},
    },
    "features": [
        {"name": "tenure", "why": "test", "column": "years", "bounds": [0, 20], "missing": 0},
        {"name": "spent", "why": "test", "events": "purchases", "expression": "sum(amount)", "bounds": [0, 1000], "missing": 0,
         "scale": "log"},
        {"name": "visits", "why": "test", "events": "purchases", "expression": "count(*)", "bounds": [0, 16], "missing": 0},
    ],
    "protected": [
        {"name": "gender", "why": "test", "column": "sex", "groups": {"female": ["f"], "male": ["m"]}},
        {"name": "age_band", "why": "test", "column": "age", "bands": [30, 60]},
    ],
    # Of a few hundred people noise may make anything; whether that is published is a matter of its own tests.
    "segments": {"k": 3, "mllib_seeds": 1, "restarts": 4, "when_useless": "publish"},
    "privacy": {"epsilon": 1.0, "population": "testers", "population_total": 3.0, "expected_customers": 3000},
    "pseudonyms": {"key_id": "test-1", "key_file": "key"},
    "output": {"restricted": {"path": "restricted"}, "open": {"path": "open"}, "reports": "reports"},
}  # fmt: skip

# Changes that leave one column of one source, one attribute and two segments: for tests of what does not depend on them.
ONE_FEATURE: dict[str, Any] = {
    "features.2": REMOVED,
    "features.1": REMOVED,
    "protected.1": REMOVED,
    "segments.k": 2,
    "sources.events": {},
}


def plan_dict(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The base plan with changes by dotted path, such as {"segments.k": 1, "features.0.bounds": [1, 0]}."""
    plan = copy.deepcopy(BASE)
    for path, value in (changes or {}).items():
        *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        node: Any = plan
        for part in parents:
            node = node[part] if isinstance(part, int) else node.setdefault(part, {})
        if value is REMOVED:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(copy.deepcopy(value))
        else:
            node[last] = copy.deepcopy(value)  # a later change may reach into it, and the caller may use it again
    return plan


def plan_yaml(changes: Mapping[str, Any] | None = None) -> str:
    return as_yaml(plan_dict(changes))


def as_yaml(content: Any) -> str:
    return yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)


def in_folder(folder: Path) -> dict[str, Any]:
    """The changes that put sources, zones, reports and key of the base plan into a folder."""
    return sources_in(folder) | {
        "pseudonyms.key_file": f"{folder}/key",
        "output.restricted.path": f"{folder}/restricted",
        "output.open.path": f"{folder}/open",
        "output.reports": f"{folder}/reports",
    }


def sources_in(folder: Path) -> dict[str, Any]:
    """The changes that take the sources of the base plan from a folder."""
    return {
        "sources.customers.path": f"{folder}/customers",
        "sources.consent.path": f"{folder}/consent",
        "sources.events.purchases.path": f"{folder}/purchases",
    }


CUSTOMERS = "customer_id STRING, years DOUBLE, sex STRING, age INT, email STRING"
CONSENT = "customer_id STRING, purpose STRING, state STRING, recorded_at TIMESTAMP, expires_at TIMESTAMP, source STRING"
PURCHASES = "customer_id STRING, purchased_at TIMESTAMP, amount DOUBLE, item STRING"


def write_source(spark: Any, path: Path | str, rows: Iterable[tuple[Any, ...]], schema: str) -> None:
    spark.createDataFrame(list(rows), schema).coalesce(1).write.format("delta").mode("overwrite").save(str(path))


def write_sources(
    spark: Any,
    folder: Path,
    customers: Iterable[tuple[Any, ...]],
    consent: Iterable[tuple[Any, ...]] | None = None,
    purchases: Iterable[tuple[Any, ...]] = (),
) -> None:
    """The three sources as Delta tables; without `consent` every customer has said yes a month before NOW."""
    customers = list(customers)
    write_source(spark, folder / "customers", customers, CUSTOMERS)
    write_source(spark, folder / "consent", granted(c[0] for c in customers) if consent is None else consent, CONSENT)
    write_source(spark, folder / "purchases", purchases, PURCHASES)


def granted(ids: Iterable[Any], at: datetime = NOW - timedelta(days=30)) -> list[tuple[Any, ...]]:
    return [(i, "offers", "granted", at, None, "web") for i in ids]


def customer(id: str | None, years: float | None = 1.0, sex: str | None = "f", age: int | None = 40) -> tuple[Any, ...]:
    return (id, years, sex, age, f"{id}@example.com")


def people(count: int, seed: int = 1) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Customers and purchases of three kinds of people: new, faithful, and big spenders; kinds 5 : 3 : 2."""
    random = np.random.default_rng(seed)
    customers, purchases = [], []
    for i in range(count):
        kind = int(random.choice(3, p=[0.5, 0.3, 0.2]))
        years = float(np.clip(random.normal([2, 15, 8][kind], 1), 0, 20))
        customers.append(customer(f"cust-{i:04d}-ünï", years, str(random.choice(["f", "m"])), int(random.integers(18, 80))))
        for _ in range([1, 4, 12][kind]):
            amount = float(np.round(random.gamma(2.0, [5, 5, 30][kind]), 2))
            purchases.append((f"cust-{i:04d}-ünï", NOW - timedelta(days=float(random.uniform(1, 300))), amount, "thing"))
    return customers, purchases
