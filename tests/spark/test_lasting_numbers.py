"""Runs one after another: a segment keeps its number under other noise, and what is new is told from what was there."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import functions as F

from conftest import write_key
from evenhand.job.api import run
from evenhand.job.result import Result
from evenhand.past.compare import Comparison
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.records.last import last_published
from evenhand.report.page import render
from evenhand.tables import catalog
from evenhand.tables.store import Store
from sample import KEY, NOW, customer, in_folder, plan_yaml, write_sources

pytestmark = pytest.mark.long  # three runs
COUNT = 900
OFFER = {"name": "preview", "why": "test", "segments": [2]}
KINDS = {"new": (2.0, 1), "faithful": (18.0, 4), "busy": (9.0, 14)}  # years with the shop, and visits


@pytest.fixture(scope="module")
def plan(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Three kinds of customers, of which there are equally many: noise alone decides which is the largest."""
    folder, random = tmp_path_factory.mktemp("lasting"), np.random.default_rng(1)
    write_key(folder / "key", KEY)
    customers, purchases = [], []
    for i in range(COUNT):
        years, visits = list(KINDS.values())[i % 3]
        id = f"c{i:04d}"
        customers.append(
            customer(
                id,
                float(random.normal(years, 0.5)),
                "f" if random.random() < [0.8, 0.3, 0.5][i % 3] else "m",
                int(random.integers(18, 80)),
            )
        )
        purchases += [(id, NOW - timedelta(days=10), 9.0, "thing")] * visits
    write_sources(spark, folder, customers, purchases=purchases)
    changes = {
        "privacy.epsilon": 8.0,
        "privacy.population_total": 80.0,
        "privacy.expected_customers": COUNT,
        "fairness.offers": [OFFER],
    }
    return parse_plan(plan_yaml(in_folder(folder) | changes))


@pytest.fixture(scope="module")
def runs(spark: Any, plan: Plan) -> list[Result]:
    """The third, for four segments, begins before the second is published, and learns after that."""
    four = plan.model_copy(update={"segments": plan.segments.model_copy(update={"k": 4})})

    def go(number: int, plan: Plan, *steps: str) -> Result:
        return run(plan, spark, as_of=NOW, run_id=f"run-{number}", steps=steps, noise=SeededNoise(number))

    first = go(1, plan, "prepare", "segment", "assess")
    go(3, four, "prepare")
    second = go(2, plan, "prepare", "segment", "assess")
    go(3, four, "segment")
    return [first, second, go(3, four, "assess")]


def kinds(result: Result) -> dict[str, int]:
    """By kind of customers the segment whose center is nearest."""
    centers = {r.segment: (r.tenure, r.visits) for r in result.centers.collect()}
    return {kind: min(centers, key=lambda s: np.hypot(*np.subtract(centers[s], of))) for kind, of in KINDS.items()}


def was(result: Result) -> dict[int, tuple[int | None, str | None]]:
    return {r.segment: (r.was, r.was_in) for r in result.centers.collect()}


def test_a_rerun_with_other_noise_gives_the_same_customers_the_same_numbers(runs: list[Result]) -> None:
    first, second, _ = runs
    assert was(first) == {1: (None, None), 2: (None, None), 3: (None, None)}
    assert was(second) == {n: (n, "run-1") for n in (1, 2, 3)}
    assert kinds(second) == kinds(first)
    then, now = ({bytes(r.pseudonym): r.segment for r in of.segments.collect()} for of in (first, second))
    assert sum(then[of] == now[of] for of in then) > 0.98 * COUNT
    typical = {
        r.segment: (r.tenure, r.visits)
        for r in second.profiles.groupBy("segment").pivot("measure").agg(F.first("value")).collect()
    }
    assert all(np.hypot(*np.subtract(typical[kinds(first)[kind]], of)) < 1 for kind, of in KINDS.items())


def test_a_run_keeps_to_what_was_published_when_it_began(runs: list[Result]) -> None:
    found = was(runs[2])
    assert {run for _, run in found.values()} == {"run-1"}
    assert sum(n is None for n, _ in found.values()) in (1, 2)  # a kind is divided, and one part of it may be as before
    assert all(n in (None, segment) for segment, (n, _) in found.items())
    assert sum(kinds(runs[2])[kind] == number for kind, number in kinds(runs[0]).items()) >= 2


def test_page_and_comparison_say_which_segments_are_those_of_before(runs: list[Result]) -> None:
    first, second, third = runs
    assert "Segments keep the numbers that they had in run run-1.</p>" in render(second.facts)
    assert "run-1" not in render(first.facts).replace("Run run-1, published", "")
    page, new = render(third.facts), [segment for segment, (n, _) in was(third).items() if n is None]
    assert page.count("New since run run-1.") == len(new)
    assert Comparison(first.facts, second.facts).numbers == "in run run-2 as in run run-1"


def test_a_change_is_stated_where_all_segments_are_the_same_of_an_offer_by_numbers_too(runs: list[Result]) -> None:
    first, second, third = ({(r.attribute, r.metric, r.offer): r for r in of.fairness_summary.collect()} for of in runs)
    changes = {key for key, row in second.items() if row.change is not None}
    assert any(offer == "preview" for _, _, offer in changes)
    assert all(second[key].change == pytest.approx(second[key].value - first[key].value) for key in changes)
    assert all(row.change is None for row in third.values())


@pytest.mark.parametrize(
    ("runs_row", "expected"),
    [
        ({}, "other"),
        ({"status": "blocked"}, "run-3"),
        ({"not_private": False}, "run-3"),
        ({"centers_of": "run-1"}, "run-3"),
        ({"plan_name": "another"}, "run-3"),
        ({"plan": '{"purpose": "billing"}'}, "run-3"),
    ],
    ids=["published", "blocked", "private where this is not", "scored", "of another plan", "for another purpose"],
)
def test_which_run_is_the_last(spark: Any, runs: list[Result], tmp_path: Path, runs_row: dict[str, Any], expected: str) -> None:
    for zone in ("open", "restricted"):
        place = Path(getattr(runs[0].plan.output, zone).path)
        for table in ("runs", "audit_log"):
            if (place / table).exists():
                shutil.copytree(place / table, tmp_path / zone / table)
    plan = parse_plan(plan_yaml(in_folder(tmp_path)))
    store = Store(spark, plan.output)
    made = store.read(catalog.RUNS, "run-1").where("status = 'published'")
    for name, value in ({"run_id": "other"} | runs_row).items():
        made = made.withColumn(name, F.lit(value))
    made.write.format("delta").mode("append").save(f"{tmp_path}/open/runs")
    log = store.read(catalog.AUDIT_LOG, "run-1").withColumns({"run_id": F.lit("other"), "sequence": F.col("sequence") + 1_000})
    log.write.format("delta").mode("append").save(f"{tmp_path}/restricted/audit_log")
    found = last_published(store, plan, "next", private=False)
    assert found is not None
    assert found.run_id == expected
