"""Fairer segments on Spark: the bounds hold on the customers, everybody stays where they were put, blind stays blind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import write_key
from evenhand.assignment.fair_map import FIRST, GROUP, SCORE_UNIT, SECOND, Moves, with_margin, with_segment
from evenhand.assignment.nearest import CENTER_BITS
from evenhand.errors import InfeasibleBounds, RunConflict
from evenhand.job.api import run
from evenhand.job.result import Result
from evenhand.mitigate.choices import Choices
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise
from evenhand.records.audit import AuditLog
from evenhand.rows.mitigation import read_map
from evenhand.rows.segments import read_centers
from evenhand.tables import catalog
from sample import KEY, NOW, in_folder, people, plan_yaml, write_sources

pytestmark = pytest.mark.long  # balanced runs

JUSTIFICATION = "The offers must reach both sexes alike (made for this test)."
BALANCED = {
    "method": "balanced",
    "attributes": ["gender"],
    "justification": JUSTIFICATION,
    "bounds": {"at_least": 0.9, "at_most": 1.1},
}


def lopsided(count: int) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Nine of ten of those who stayed long are men, seven of ten of the others women."""
    random = np.random.default_rng(8)
    customers, purchases = people(count)
    men = [random.random() < (0.9 if years > 11 else 0.3) for _, years, *_ in customers]
    return [(i, y, "m" if man else "f", a, e) for (i, y, _, a, e), man in zip(customers, men, strict=True)], purchases


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mitigation")
    write_key(folder / "key", KEY)
    customers, purchases = lopsided(3000)
    write_sources(spark, folder, customers, purchases=purchases)
    return folder


def plan_of(world: Path, mitigation: dict[str, Any], **changes: Any) -> Plan:
    budget = {"privacy.epsilon": 30.0, "privacy.population_total": 900.0}
    asked = {"fairness.mitigation": mitigation, "fairness.offers": [{"name": "gift", "why": "test", "segments": [1]}]}
    return parse_plan(plan_yaml(in_folder(world) | budget | asked | changes))


@pytest.fixture(scope="module")
def result(spark: Any, world: Path) -> Result:
    return run(plan_of(world, BALANCED), spark, as_of=NOW, run_id="balanced-1", noise=NoNoise())


def table(result: Result) -> np.ndarray:
    """Women and men by segment, exact: restricted data."""
    rows = result.store.read(catalog.PREPARED, result.run_id).join(result.segments.select("pseudonym", "segment"), "pseudonym")
    counts = np.zeros((2, 3))
    for row in rows.groupBy("gender", "segment").count().collect():
        counts[row.gender, row.segment - 1] = row["count"]
    return counts


def test_without_mitigation_the_segments_are_uneven(spark: Any, world: Path) -> None:
    plain = parse_plan(plan_yaml(in_folder(world) | {"privacy.epsilon": 30.0, "privacy.population_total": 900.0}))
    counts = table(run(plain, spark, as_of=NOW, run_id="plain-1", steps=["prepare", "segment"], noise=NoNoise()))
    assert (counts / counts.sum(axis=0) / (counts.sum(axis=1) / counts.sum())[:, None]).min() < 0.4
    assert not result_has(plain, spark, catalog.ASSIGNMENT_MAP, "plain-1")


def result_has(plan: Plan, spark: Any, spec: catalog.TableSpec, run_id: str) -> bool:
    path = Path(plan.output.open.path or "") / spec.name
    return path.exists() and not spark.read.format("delta").load(str(path)).where(f"run_id = '{run_id}'").isEmpty()


def test_balanced_segments_hold_the_bounds_among_the_customers_themselves(result: Result) -> None:
    """Without noise only the hash may miss, by a customer or two of some hundred: less than 0.01."""
    counts = table(result)
    ratio = counts / counts.sum(axis=0) / (counts.sum(axis=1) / counts.sum())[:, None]
    assert counts.sum() == 3000
    assert (counts.sum(axis=0) > 0).all()
    assert ratio.min() > 0.89
    assert ratio.max() < 1.11


def test_the_published_counts_are_those_of_the_segments_table(result: Result) -> None:
    found = result.fairness_stats.where("attribute = 'gender'").collect()
    shown = {(r.group, r.segment): r["count"] for r in found if r["count"] is not None}
    counts = table(result)
    assert len(shown) >= 6
    for (group, segment), count in shown.items():
        assert count == counts[["female", "male"].index(group), segment - 1]


def test_the_groups_are_asked_for_with_the_boxes_in_one_commit_and_each_question_is_itemized(result: Result) -> None:
    answered = {r.question: r.at for r in result.store.read(catalog.RELEASES, result.run_id).collect()}
    entries = result.store.read(catalog.BUDGET_ENTRIES, result.run_id).collect()
    assert answered["summary"] == answered["groups"]
    assert len(set(answered.values())) == len(answered) - 1
    assert sorted(e.question for e in entries) == sorted(answered)
    assert sum(e.epsilon for e in entries) == pytest.approx(30.0)


def test_a_resumed_run_puts_every_customer_where_they_were(spark: Any, world: Path, result: Result) -> None:
    before = {bytes(r.pseudonym): r.segment for r in result.segments.collect()}
    spent = result.facts.budget.spent
    again = run(plan_of(world, BALANCED), spark, run_id="balanced-1", steps=["segment"], noise=NoNoise())
    assert {bytes(r.pseudonym): r.segment for r in again.segments.collect()} == before
    assert again.facts.budget.spent == spent


def test_assessing_without_the_map_is_refused(spark: Any, world: Path, result: Result) -> None:
    learned = run(plan_of(world, BALANCED), spark, as_of=NOW, run_id="no-map", steps=["prepare", "segment"], noise=NoNoise())
    spark.sql(f"DELETE FROM {learned.store.address(catalog.ASSIGNMENT_MAP)} WHERE run_id = 'no-map'")
    with pytest.raises(RunConflict, match="no assignment_map yet; run the step segment first"):
        run(plan_of(world, BALANCED), spark, run_id="no-map", steps=["assess"], noise=NoNoise())


def test_some_customers_are_divided_by_the_hash_and_the_stored_map_says_so(result: Result) -> None:
    fair_map = read_map(result.store.read(catalog.ASSIGNMENT_MAP, "balanced-1"))
    assert fair_map.moved.any()
    centers = read_centers(result.centers)
    prepared = result.store.read(catalog.PREPARED, "balanced-1")
    again = {bytes(r.pseudonym): r.segment for r in with_segment(prepared, centers, fair_map, result.plan).collect()}
    assert again == {bytes(r.pseudonym): r.segment for r in result.segments.collect()}


def test_a_map_puts_customers_into_the_numbers_that_it_states(result: Result) -> None:
    fair_map = read_map(result.store.read(catalog.ASSIGNMENT_MAP, "balanced-1"))
    before = {bytes(r.pseudonym): r.segment for r in result.segments.collect()}
    k = len(fair_map.centers)
    renumbered = replace(fair_map, numbers=np.roll(fair_map.numbers, 1))
    prepared, centers = result.store.read(catalog.PREPARED, "balanced-1"), np.roll(read_centers(result.centers), -1, axis=0)
    found = with_segment(prepared, centers, renumbered, result.plan).collect()
    assert {bytes(r.pseudonym): r.segment % k + 1 for r in found} == before


def test_a_share_of_a_segment_goes_where_the_map_sends_it_and_all_others_stay(result: Result) -> None:
    stored = read_map(result.store.read(catalog.ASSIGNMENT_MAP, "balanced-1"))
    shape, k = stored.moved.shape, stored.prices.shape[1]
    moves = Moves.none(shape)
    moves.far[:, 0, 1:3] = [0.25, 0.5]
    centers = read_centers(result.centers)
    prepared = result.store.read(catalog.PREPARED, "balanced-1")
    fewer = Moves.none(shape)
    fewer.far[:, 0, 1:3] = [0.1, 0.5]
    still, moved, fewer_moved = (
        {bytes(r.pseudonym): r.segment for r in with_segment(prepared, centers, stored.moving(m), result.plan).collect()}
        for m in (Moves.none(shape), moves, fewer)
    )
    # Another share for the larger segment leaves everybody who is bound for the smaller one where they were.
    assert all(fewer_moved[p] == 3 for p, segment in moved.items() if segment == 3)
    assert {moved[p] for p, segment in still.items() if segment == 1} == {1, 2, 3}
    assert all(moved[p] == segment for p, segment in still.items() if segment > 1)
    of_first = [moved[p] for p, segment in still.items() if segment == 1]
    shares = np.bincount(of_first, minlength=k + 1)[1:4] / len(of_first)
    # Five deviations; the key, and so the hash, is the test's own.
    assert np.abs(shares - [0.25, 0.25, 0.5]).max() < 2.5 / np.sqrt(len(of_first))


def test_a_segment_that_draws_is_second_choice_of_those_within_its_reach(result: Result) -> None:
    """The last segment draws some of every group."""
    stored = read_map(result.store.read(catalog.ASSIGNMENT_MAP, "balanced-1"))
    prepared, names = result.store.read(catalog.PREPARED, "balanced-1"), result.plan.feature_names
    rows = with_margin(prepared, stored, result.plan).orderBy("pseudonym").collect()
    points, group = np.array([[r[n] for n in names] for r in rows]), np.array([r[GROUP] for r in rows])
    paid = ((points[:, None] - stored.centers / 2**CENTER_BITS) ** 2).sum(axis=2) / STEPS**2
    paid += stored.prices[group] / SCORE_UNIT
    reach = np.zeros_like(stored.reach)
    reach[:, -1] = np.median(paid[:, -1] - paid.min(axis=1)) * SCORE_UNIT
    again = with_margin(prepared, replace(stored, reach=reach), result.plan).orderBy("pseudonym").collect()
    for found, draws in ((rows, stored.reach), (again, reach)):
        choices = Choices.of(paid, stored.edges / SCORE_UNIT, draws[group] / SCORE_UNIT)
        np.testing.assert_array_equal([r[FIRST] - 1 for r in found], choices.first)
        np.testing.assert_array_equal([r[SECOND] - 1 for r in found], choices.second)
    changed = [r[SECOND] for r, before in zip(again, rows, strict=True) if r[SECOND] != before[SECOND]]
    assert set(changed) == {len(stored.centers)}


def test_the_price_of_fairness_and_the_statistics_before_and_after_are_published(result: Result) -> None:
    points = result.store.read(catalog.FAIRNESS_TRADEOFF, "balanced-1").collect()
    stages = {(p.stage, p.metric, p.offer): p.value for p in points if p.stage != "curve"}
    assert {k[1:] for k in stages if k[0] == "before"} == {k[1:] for k in stages if k[0] == "after"}
    offers = [offer.name for offer in result.plan.fairness.offers]
    assert {offer for _, metric, offer in stages if metric == "selection_ratio"} == set(offers)
    assert stages["before", "price", None] == pytest.approx(1.0)
    assert stages["after", "price", None] > 1.001
    assert stages["after", "representation_ratio", None] > 0.89 > 0.5 > stages["before", "representation_ratio", None]
    for metric in ("jensen_shannon", "cramers_v", "mutual_information"):
        assert stages["after", metric, None] < stages["before", metric, None]
    curve = sorted((p for p in points if p.stage == "curve" and p.metric == "price"), key=lambda p: p.bound)
    assert len(curve) == 8
    prices = [p.value for p in curve]
    assert all(a <= b * 1.001 for a, b in zip(prices, prices[1:], strict=False))
    assert 1.0 <= prices[0] < prices[-1]
    for point in points:
        assert point.value is None or point.low <= point.value
        assert point.value is None or point.high is None or point.value <= point.high


def test_what_was_asked_and_whether_it_is_kept_are_published_of_each_group_that_has_a_bound(result: Result) -> None:
    asked = {r.group: r for r in result.store.read(catalog.MITIGATION_BOUNDS, result.run_id).collect()}
    kept = {r.group: r for r in result.store.read(catalog.MITIGATION_VERDICTS, result.run_id).collect()}
    assert set(asked) == set(kept) == {"female", "male"}
    for group, row in asked.items():
        assert row.feasible == "yes" and row.used_low == row.asked_low == pytest.approx(0.9 * row.share)
        assert kept[group].verdict != "missed"
    counts = table(result)
    share = counts[0, kept["female"].segment - 1] / counts[:, kept["female"].segment - 1].sum()
    assert kept["female"].of_segment == pytest.approx(share)
    assert "Bounds on the share of each segment, by gender" in result.report.read_text(encoding="utf-8")


def test_the_report_and_the_audit_log_repeat_the_justification(result: Result) -> None:
    page = result.report.read_text(encoding="utf-8")
    assert JUSTIFICATION in page
    begun = next(e for e, _ in AuditLog(result.store).entries() if (e.run_id, e.action) == (result.run_id, "start"))
    assert json.loads(begun.details)["mitigation"] == {
        "method": "balanced",
        "attributes": ["gender"],
        "justification": JUSTIFICATION,
    }
    assert "Price of fairness" in page


def test_shares_that_no_assignment_can_meet_are_refused_with_the_range_that_they_must_hold(spark: Any, world: Path) -> None:
    """Of too much; of too little the unit tests say that it is refused alike, by the same program."""
    plan = plan_of(world, BALANCED | {"bounds": {"shares": {"gender": {"female": [0.95, 1.0]}}}})
    with pytest.raises(InfeasibleBounds, match=r"female are between 0\.\d+ and 0\.\d+ of everybody") as wrong:
        run(plan, spark, as_of=NOW, run_id="infeasible-1", noise=NoNoise())
    assert "\n" not in str(wrong.value)
    assert not result_has(plan, spark, catalog.SEGMENT_PROFILES, "infeasible-1")


def test_group_blind_assigns_without_reading_a_group(spark: Any, world: Path) -> None:
    blind = plan_of(world, {"method": "group_blind"}, **{"fairness.intersections": [["gender", "age_band"]]})
    result = run(blind, spark, as_of=NOW, run_id="blind-1", noise=NoNoise())
    centers = read_centers(result.centers)
    prepared = result.store.read(catalog.PREPARED, "blind-1")
    assigned = with_segment(prepared, centers, None, blind).select("pseudonym", "segment")
    plan = assigned._jdf.queryExecution().executedPlan().toString()
    assert "tenure" in plan
    assert "gender" not in plan and "age_band" not in plan
    assert {bytes(r.pseudonym): r.segment for r in assigned.collect()} == {
        bytes(r.pseudonym): r.segment for r in result.segments.collect()
    }
    points = result.store.read(catalog.FAIRNESS_TRADEOFF, "blind-1").where("attribute = 'gender' and metric = 'worst_group_cost'")
    costs = {p.stage: p.value for p in points.collect()}
    assert costs["after"] <= costs["before"]
    crossed = result.store.read(catalog.FAIRNESS_TRADEOFF, "blind-1").where("attribute = 'gender × age_band'").collect()
    assert {(p.stage, p.value is not None) for p in crossed if p.metric == "balance"} == {("before", True), ("after", True)}
    assert "Before and after, by gender × age band" in result.report.read_text(encoding="utf-8")
