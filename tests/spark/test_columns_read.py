"""Column pruning is real: every query that a whole run sends to Spark reads from disk what its step needs, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from conftest import write_key
from evenhand.job.api import run
from evenhand.plan.load import parse_plan
from sample import KEY, NOW, REMOVED, in_folder, people, plan_yaml, write_sources

pytestmark = pytest.mark.long  # whole runs

SCAN = re.compile(r"^Location: .*?\[(\S+?)[\],].*?^ReadSchema: struct<(.*?)>$", re.MULTILINE | re.DOTALL)
FEATURES, GROUPS = "tenure spent", "gender age_band"
BALANCED = {"method": "balanced", "attributes": ["gender"], "justification": "For this test.", "bounds": {"at_least": 0.5}}
PLANS: dict[str, dict[str, Any]] = {
    "nearest-center": {},
    "balanced-bounds-to-find": {"fairness.mitigation": BALANCED, "features.1.bounds": REMOVED,
                                "features.0.column": REMOVED, "features.0.expression": "if(years > 5, years, 0)"},
}  # fmt: skip
SMALL = {
    "privacy.epsilon": 30.0,
    "privacy.population_total": 100.0,
    "privacy.expected_customers": 500,
    "features.2": REMOVED,
    "segments.k": 2,
}
SOURCES = {  # the columns of the plan; the id to count those without one, of no customer, or on two rows; what else keeps events out
    "customers": ["customer_id years sex age", "customer_id"],
    "consent": [
        "customer_id purpose state recorded_at expires_at",
        "customer_id purpose state",
        "customer_id purpose state recorded_at",
        "purpose state",
    ],
    "purchases": ["customer_id purchased_at amount", "customer_id", "customer_id purchased_at"],
}
PREPARED = {
    "the summary and its steps": FEATURES,
    "segments": f"pseudonym key_id {FEATURES}",
    "profiles and fairness": f"{FEATURES} {GROUPS}",
    "input quality": "imputed clipped",
}
BALANCED_SEGMENTS = {  # the hash of the pseudonym and the groups have a part in who goes where
    "segments": f"pseudonym key_id {FEATURES} gender",
    "profiles and fairness": f"pseudonym {FEATURES} {GROUPS}",
    "margins": f"{FEATURES} gender",
    "what the hash has moved": f"pseudonym {FEATURES} gender",
}


def executed(spark: Any) -> list[Any]:
    """Every query so far: what Spark itself shows in its UI, with the physical plan."""
    found = spark._jsparkSession.sharedState().statusStore().executionsList()
    return [found.apply(i) for i in range(found.size())]


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("columns")
    write_key(folder / "key", KEY)
    customers, purchases = people(400)
    write_sources(spark, folder, customers, purchases=purchases)
    return folder


def columns_read(spark: Any, world: Path, name: str) -> dict[str, set[frozenset[str]]]:
    """By table, the sets of columns that the queries of a whole run read from its files."""
    spark.conf.set("spark.sql.maxMetadataStringLength", "100000")  # else long paths are cut
    newest = max(e.executionId() for e in executed(spark))
    plan = parse_plan(plan_yaml(in_folder(world) | SMALL | PLANS[name]))
    try:
        run(plan, spark, as_of=NOW, run_id=name)
    finally:
        spark.conf.unset("spark.sql.maxMetadataStringLength")
    found: dict[str, set[frozenset[str]]] = {}
    for query in (e for e in executed(spark) if e.executionId() > newest):
        for path, columns in SCAN.findall(query.physicalPlanDescription()):
            found.setdefault(Path(path).name, set()).add(frozenset(re.findall(r"(?:^|,)(\w+):", columns)))
    return found


@pytest.mark.parametrize("name", PLANS)
def test_every_query_of_a_run_reads_the_columns_of_its_step_and_no_others(spark: Any, world: Path, name: str) -> None:
    found = columns_read(spark, world, name)
    for table, expected in SOURCES.items():
        assert found[table] == sets(expected), table
    expected = PREPARED | BALANCED_SEGMENTS if "balanced" in name else PREPARED
    anything = {frozenset[str]()}  # whether there are rows at all, where an earlier run has left some
    assert found["prepared"] - anything == sets(expected.values())


def sets(names: Iterable[str]) -> set[frozenset[str]]:
    return {frozenset(columns.split()) for columns in names}
