"""Runs one after another: a segment keeps its number under other noise, what is new is told from what was there, and who moved is counted."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import functions as F

from conftest import write_key
from evenhand.ask.movement import MOVES, movement_counts
from evenhand.erasure.erase import erase
from evenhand.governance.verify import verify
from evenhand.job.api import run
from evenhand.job.result import Result
from evenhand.past.compare import Comparison
from evenhand.plan.data import Key
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import Noise, SeededNoise
from evenhand.privacy.sample import Sample
from evenhand.records.last import last_published
from evenhand.report.page import render
from evenhand.rows.fairness import read_last
from evenhand.tables import catalog
from evenhand.tables.store import Store
from sample import KEY, NOW, customer, in_folder, plan_yaml, write_source, write_sources

pytestmark = pytest.mark.long  # three runs and an erasure
COUNT = 900
CHANGED, ADDED, ERASED = 60, 40, "c0899"  # who is new has become faithful, among the first 180; who was never there; who was busy
OFFER = {"name": "preview", "why": "test", "segments": [2]}
KINDS = {"new": (2.0, 1), "faithful": (18.0, 4), "busy": (9.0, 14)}  # years with the shop, and visits


@pytest.fixture(scope="module")
def plan(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Three kinds of customers, of which there are equally many: noise alone decides which is the largest."""
    folder = tmp_path_factory.mktemp("lasting")
    write_key(folder / "key", KEY)
    write_key(folder / "other-key", KEY[::-1])
    write_customers(spark, folder)
    changes = {
        "privacy.epsilon": 10.0,
        "privacy.population_total": 100.0,
        "privacy.expected_customers": COUNT,
        "fairness.offers": [OFFER],
        "segments.movement": {"share": 0.2},
    }
    return parse_plan(plan_yaml(in_folder(folder) | changes))


def write_customers(spark: Any, folder: Path, later: bool = False) -> None:
    """Sixty who were new are faithful `later`, and forty busy ones have come."""
    random, customers, purchases = np.random.default_rng(1), [], []
    for i in range(COUNT + ADDED * later):
        kind = i % 3 if i < COUNT else 2
        years, visits = list(KINDS.values())[1 if later and kind == 0 and i < 3 * CHANGED else kind]
        id = f"c{i:04d}"
        customers.append(
            customer(
                id,
                float(random.normal(years, 0.5)),
                "f" if random.random() < [0.8, 0.3, 0.5][kind] else "m",
                int(random.integers(18, 80)),
            )
        )
        purchases += [(id, NOW - timedelta(days=10), 9.0, "thing")] * visits
    write_sources(spark, folder, customers, purchases=purchases)


class NoneOnMoves(SeededNoise):
    """Noise on everything but who went from which segment to which."""

    def add(self, exact: np.ndarray, noise: Noise) -> np.ndarray:
        return exact.copy() if noise.scale == pytest.approx(0.5) else super().add(exact, noise)


@pytest.fixture(scope="module")
def runs(spark: Any, plan: Plan) -> list[Result]:
    """The third, for four segments and under another key, begins before the second is published, and learns after that. Since the
    first one customer was erased; before the second others have changed, and some have come.
    """
    folder = Path(plan.output.reports).parent
    keys = {
        "older": [Key(key_id="test-1", key_file=str(folder / "key"))],
        "key_id": "test-2",
        "key_file": str(folder / "other-key"),
    }
    other = plan.pseudonyms.model_copy(update=keys)
    four = plan.model_copy(update={"segments": plan.segments.model_copy(update={"k": 4}), "pseudonyms": other})

    def go(number: int, plan: Plan, *steps: str) -> Result:
        return run(plan, spark, as_of=NOW, run_id=f"run-{number}", steps=steps, noise=NoneOnMoves(number))

    first = go(1, plan, "prepare", "segment", "assess")
    write_source(spark, folder / "requests", [(ERASED, NOW - timedelta(days=1))], "customer_id STRING, requested_at TIMESTAMP")
    erase(plan, spark, str(folder / "requests"))
    go(3, four, "prepare")
    write_customers(spark, folder, later=True)
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
    assert sum(then[of] == now.get(of) for of in then) > 0.98 * (COUNT - CHANGED)
    typical = {
        r.segment: (r.tenure, r.visits)
        for r in second.profiles.groupBy("segment").pivot("measure").agg(F.first("value")).collect()
    }
    assert all(np.hypot(*np.subtract(typical[kinds(first)[kind]], of)) < 1 for kind, of in KINDS.items())


def test_a_segment_is_called_what_it_was_while_that_is_true(runs: list[Result]) -> None:
    first, second, _ = runs
    then, now = (
        {r.segment: r.label for r in of.profiles.select("segment", "label").distinct().collect()} for of in (first, second)
    )
    known = read_last(second.store, second.centers)
    assert known is not None and known.labels == then
    assert now == then


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


def moved(result: Result) -> dict[tuple[int | None, int], float | None]:
    return {(r.before, r.segment): r["count"] for r in result.movement.collect() if r.figure == "moved"}


def test_of_each_customer_is_counted_which_segment_it_was_in_and_which_it_is_in(runs: list[Result]) -> None:
    first, second, _ = runs
    then, now = ({bytes(r.pseudonym): r.segment for r in of.segments.collect()} for of in (first, second))
    true = Counter((then.get(of), segment) for of, segment in now.items())
    assert moved(second) == {(b, s): n if (n := true[b, s]) >= 20 else None for b in (1, 2, 3, None) for s in (1, 2, 3)}
    was, ist = kinds(first), kinds(second)
    assert true[was["new"], ist["faithful"]] == pytest.approx(CHANGED, abs=2)
    assert true[None, ist["busy"]] == ADDED
    stayed = sum(n for (before, segment), n in true.items() if before == segment)
    sums = {r.figure: r["count"] for r in second.movement.collect() if r.segment is None}
    assert sums["stayed"] == stayed
    assert "are in the segment that they were in" in render(second.facts)
    assert {r.since for r in second.movement.collect()} == {"run-1"}


def test_who_was_erased_in_between_is_in_no_cell(runs: list[Result]) -> None:
    first, second, _ = runs
    assert first.segments.count() == COUNT - 1  # gone from there, and not new in the second
    assert second.segments.count() == COUNT - 1 + ADDED


def test_the_count_goes_through_the_door_and_all_records_agree_on_it(spark: Any, plan: Plan, runs: list[Result]) -> None:
    first, second, third = runs
    for table in (catalog.RELEASES, catalog.BUDGET_ENTRIES):
        asked = {(r.run_id, r.question) for r in first.store.read(table).select("run_id", "question").collect()}
        assert [(of.run_id, "movement") in asked for of in (first, second, third)] == [False, True, False]
    entry = second.store.read(catalog.BUDGET_ENTRIES, "run-2").where("question = 'movement'").first()
    assert entry is not None and entry.epsilon == pytest.approx(2.0)
    assert "each stored as it was handed out" in verify(plan, spark)


def test_a_first_run_and_one_under_another_key_say_that_there_is_nothing_to_compare(runs: list[Result]) -> None:
    first, _, third = runs
    assert [(r.since, r.segment, r.not_compared) for r in first.movement.collect()] == [
        (None, None, "there is no earlier run to compare with")
    ]
    (row,) = third.movement.collect()
    assert (row.since, row["count"]) == ("run-1", None)
    assert row.not_compared.startswith("the pseudonyms of run run-1 are under key test-1 and those of this run under key test-2")


def test_the_page_shows_who_moved_or_why_nobody_is_compared(runs: list[Result]) -> None:
    first, second, third = runs
    was, ist = kinds(first), kinds(second)
    page = render(second.facts)
    assert f"went from segment {was['new']} to segment {ist['faithful']}." in page
    assert f"customers (39 to 41) in segment {ist['busy']} were not in run run-1." in page
    for of, why in ((first, "there is no earlier run"), (third, "the pseudonyms of run run-1 are under key test-1")):
        assert f"There is nothing to compare: {why}" in render(of.facts)


def test_spark_counts_moves_as_numpy_does(spark: Any, plan: Plan) -> None:
    random = np.random.default_rng(2)
    pairs = np.stack([random.integers(0, 5, 300), random.integers(1, 4, 300)], axis=1)
    question = movement_counts(4, 3, plan)
    rows = spark.createDataFrame(pairs.tolist(), "before INT, segment INT")
    counted = question.vectors(question.in_spark(rows).toArrow())
    assert counted[MOVES].tolist() == question.of_sample(Sample.of(np.zeros((300, 0), dtype=np.int64), pairs))[MOVES].tolist()


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
