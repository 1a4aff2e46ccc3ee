"""Who changed segment: how it is counted, what it costs, what is shown of it, and when there is nothing to compare."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from evenhand.ask.movement import CHANGED, MOVES, STAYED, Move, Together, movement_counts, moves, together
from evenhand.errors import PlanError, RunConflict
from evenhand.job.movement import not_comparable, not_kept
from evenhand.job.result import Result
from evenhand.plan.advice import advice
from evenhand.plan.explain import explain
from evenhand.plan.load import canonical, parse_plan
from evenhand.plan.method import MOVEMENT, questions_of
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise, SeededNoise
from evenhand.privacy.release import asking, made_up
from evenhand.privacy.sample import Sample
from evenhand.records.audit import RETAIN, Entry, removed
from evenhand.records.last import LastRun
from evenhand.rows.movement import movement_rows, nothing_moved
from sample import REMOVED, plan_yaml

ASKED = {"segments.movement": {"share": 0.1}}


def plan_with(changes: dict[str, Any] | None = None) -> Plan:
    return parse_plan(plan_yaml(ASKED | (changes or {})))


def customers(*of: tuple[int, int, int]) -> Sample:
    """So many who were in a segment (0: in none) and are in another."""
    groups = np.array([pair for before, segment, n in of for pair in [(before, segment)] * n], dtype=np.int64)
    groups = groups.reshape(-1, 2)
    return Sample.of(np.zeros((len(groups), 0), dtype=np.int64), groups)


def found(people: Sample, then: int, k: int, minimum: int = 0) -> dict[tuple[int | None, int], Move]:
    (release,) = asking(people, NoNoise())(movement_counts(then, k, plan_with()))
    return {(move.before, move.segment): move for move in moves(release, k, minimum)}


def test_each_customer_is_in_the_cell_of_both_segments_and_a_new_one_in_that_of_this_run() -> None:
    moved = found(customers((1, 1, 500), (1, 2, 70), (4, 3, 60), (0, 2, 30)), then=4, k=3)
    counts = {of: move.count.value for of, move in moved.items() if move.count.value}
    assert counts == {(1, 1): 500, (1, 2): 70, (4, 3): 60, (None, 2): 30}
    assert len(moved) == 5 * 3
    assert list(moved)[-3:] == [(None, 1), (None, 2), (None, 3)]


def test_of_nobody_nothing_is_found_and_all_cells_are_asked_for() -> None:
    (release,) = asking(customers(), NoNoise())(movement_counts(2, 3, plan_with()))
    assert release[MOVES].tolist() == [0] * 9


def in_all(people: Sample, then: int, k: int, was: dict[int, int | None], minimum: int = 0) -> dict[str, Together]:
    (release,) = asking(people, NoNoise())(movement_counts(then, k, plan_with()))
    return {of.figure: of for of in together(release, k, was, minimum)}


def test_who_stayed_is_in_the_same_segment_whatever_its_number_and_who_is_new_has_neither_stayed_nor_changed() -> None:
    people = customers((1, 2, 500), (1, 1, 70), (2, 1, 300), (3, 3, 60), (4, 3, 50), (0, 2, 30))
    found = in_all(people, then=4, k=3, was={1: 2, 2: 1, 3: None})
    assert {figure: of.count.value for figure, of in found.items()} == {STAYED: 800, CHANGED: 180}
    assert in_all(people, then=4, k=3, was={1: None, 2: None, 3: None}) == {}


def test_a_sum_that_would_tell_one_hidden_count_is_hidden() -> None:
    was: dict[int, int | None] = {1: 1, 2: 2}
    one = in_all(customers((1, 1, 500), (2, 2, 10), (1, 2, 5), (2, 1, 7)), 2, 2, was, minimum=20)
    assert one[STAYED].suppressed and one[CHANGED].suppressed
    shown = in_all(customers((1, 1, 500), (2, 2, 400), (1, 2, 15), (2, 1, 15)), 2, 2, was, minimum=20)
    assert not shown[STAYED].suppressed and not shown[CHANGED].suppressed
    row = movement_rows([], one.values(), "autumn").to_pylist()[0]
    assert (row["figure"], row["count"], row["count_high"], row["sure"], row["suppressed"]) == (STAYED, None, None, None, True)


def test_how_many_stayed_and_changed_is_in_its_range_19_times_in_20() -> None:
    """1,500 draws each; missed with 5 % more than 112 times by chance less than once in 10,000."""
    question, exact = movement_counts(4, 4, plan_with()), np.full((5, 4), 60, dtype=np.int64)
    missed = dict.fromkeys((STAYED, CHANGED), 0)
    for seed in range(1500):
        release = made_up({MOVES: exact.ravel()}, question.parts, SeededNoise(seed))
        for of in together(release, 4, {1: 1, 2: 2, 3: 3, 4: 4}, 0):
            missed[of.figure] += not of.count.low <= (240 if of.figure == STAYED else 720) <= of.count.high
    assert max(missed.values()) <= 112, missed


def test_counts_below_the_minimum_keep_their_row_without_figures() -> None:
    moved = found(customers((1, 1, 500), (1, 2, 19), (2, 1, 20)), then=2, k=2, minimum=20)
    rows = {(r["before"], r["segment"]): r for r in movement_rows(moved.values(), [], "autumn").to_pylist()}
    assert {of for of, r in rows.items() if not r["suppressed"]} == {(1, 1), (2, 1)}
    hidden = rows[1, 2]
    assert (hidden["count"], hidden["count_low"], hidden["count_high"], hidden["sure"]) == (None, None, None, False)
    assert {r["since"] for r in rows.values()} == {"autumn"}


def test_an_interval_holds_a_count_19_times_in_20_and_never_begins_below_nobody() -> None:
    """3,000 cells of 40 at 95 %; fewer than 93 % by chance less than once in 100,000."""
    question = movement_counts(5, 6, plan_with())
    exact = {MOVES: np.full(36, 40, dtype=np.int64)}
    held = total = 0
    for seed in range(84):
        for move in moves(made_up(exact, question.parts, SeededNoise(seed)), 6, 0):
            held += move.count.low <= 40 <= move.count.high
            total += 1
            assert move.count.low >= 0
    assert held / total > 0.93


def test_of_a_table_of_nobody_no_move_is_sure_19_times_in_20() -> None:
    """Of 400 tables 20 at most are expected; more than 35 by chance less than once in 1,000. One cell alone would be wrong in most tables."""
    question = movement_counts(5, 6, plan_with())
    exact = {MOVES: np.zeros(36, dtype=np.int64)}
    wrong = sum(any(m.sure for m in moves(made_up(exact, question.parts, SeededNoise(seed)), 6, 0)) for seed in range(400))
    assert wrong <= 35
    assert found(customers((1, 2, 500)), then=2, k=2)[1, 2].sure


@pytest.mark.parametrize(
    "changes", [{}, {"features.1.bounds": REMOVED}, {"privacy.delta": 1e-6, "privacy.population_delta": 1e-5}]
)
def test_the_count_takes_its_share_first_and_a_run_costs_what_it_did(changes: dict[str, Any]) -> None:
    plan, without = plan_with(changes), parse_plan(plan_yaml(changes))
    asked = questions_of(plan)
    assert sum(asked.values()) == pytest.approx(plan.privacy.budget) == pytest.approx(sum(questions_of(without).values()))
    assert asked[MOVEMENT] == pytest.approx(0.1 * (plan.privacy.budget - plan.bounds_budget))
    assert plan.shared_budget == pytest.approx(0.9 * without.shared_budget)
    question = movement_counts(3, 3, plan)
    assert question.cost == asked[MOVEMENT]
    assert {part.unit for part in question.parts} == {plan.privacy.unit}


def test_a_plan_that_does_not_ask_is_not_charged() -> None:
    assert MOVEMENT not in questions_of(parse_plan(plan_yaml()))


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "segments.movement.share:"),
        (1, "segments.movement.share:"),
        (1e-6, "at epsilon 1 segments.movement.share takes ε = 1e-06"),
    ],
)
def test_a_share_that_says_nothing_is_refused(share: float, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        plan_with({"segments.movement": {"share": share}})


def test_the_check_tells_what_it_costs_and_how_uncertain_counts_will_be() -> None:
    said = " ".join(explain(plan_with()).split())
    assert "It takes ε = 0.1 of the run's; each count is within 30 customers, 19 times in 20." in said
    assert "movement ε = 0.1 (10%)" in said
    assert "counts of who changed segment: within 30% of a tenth of an evenly sized segment (100)" in said
    assert "Movement" not in explain(parse_plan(plan_yaml()))


def test_the_check_warns_where_counts_will_be_noise() -> None:
    assert any("counts of who changed segment will be uncertain" in line for line in advice(plan_with()))
    assert not any("changed segment" in line for line in advice(plan_with({"privacy.expected_customers": 90_000})))


def last(changes: dict[str, Any] | None = None) -> LastRun:
    return LastRun("autumn", json.loads(canonical(parse_plan(plan_yaml(changes or {})))))


@pytest.mark.parametrize(
    ("then", "now", "why"),
    [
        ({}, {}, None),
        ({"pseudonyms.key_id": "old"}, {}, "under key old and those of this run under key test-1"),
        ({"privacy.population": "others"}, {}, "is about population others, and this run about testers"),
        (
            {"privacy.population": "others"},
            {"privacy.population_moved": {"from": "others", "reason": "renamed"}},
            None,
        ),
        (
            {"privacy.population": "others"},
            {"privacy.population_moved": {"from": "third", "reason": "renamed"}},
            "is about population others",
        ),
        ({"sources.customers.id": "account"}, {}, "told customers apart by other ids"),
        ({"sources.customers.id": "CUSTOMER_ID"}, {}, None),
        ({"sources.ids": {"casefold": True}}, {}, "told customers apart by other ids"),
        ({"segments.k": 4, "features.0.bounds": [0, 30], "privacy.epsilon": 0.5}, {}, None),
    ],
    ids=[
        "one plan",
        "key",
        "population",
        "renamed",
        "otherwise renamed",
        "id column",
        "case of a name",
        "form of ids",
        "another k",
    ],
)
def test_runs_are_compared_where_one_pseudonym_is_one_person(then: dict[str, Any], now: dict[str, Any], why: str | None) -> None:
    said = not_comparable(plan_with(now), last(then))
    assert said is None if why is None else (said is not None and why in said and "\n" not in said)


def test_where_nothing_is_compared_one_row_says_why() -> None:
    (row,) = nothing_moved("autumn", "because").to_pylist()
    assert row == {"since": "autumn", "not_compared": "because"} | dict.fromkeys(
        ("figure", "before", "segment", "count", "count_low", "count_high", "sure", "suppressed")
    )


def test_what_was_removed_at_the_end_of_its_time_is_known_by_the_log_by_table() -> None:
    details = [{"segments": ["autumn"], "prepared": ["autumn", "winter"]}, {"segments": ["spring"]}]
    entries = [Entry(i, 0, "me", f"retain-{i}", RETAIN, json.dumps(of), "") for i, of in enumerate(details)]
    assert removed([*entries, Entry(3, 0, "me", "summer", "start", "{}", "")], "segments") == {"autumn", "spring"}


NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "table", "is_kept"),
    [(20, "prepared", True), (20, "segments", False), (40, "prepared", False)],
    ids=["kept", "removed", "due and not removed yet"],
)
def test_segments_whose_time_is_over_are_not_compared_whether_they_are_removed_or_due(
    days: int, table: str, is_kept: bool
) -> None:
    plan = plan_with({"retention.segments": "1 month"})
    entries = [Entry(1, 0, "me", "retain-1", RETAIN, json.dumps({table: ["autumn"]}), "")]
    said = not_kept(last(), NOW - timedelta(days=days), entries, plan, NOW)
    assert said == (None if is_kept else "who was in which segment of run autumn is kept no longer (retention.segments: 1 month)")


def test_a_notebook_that_asks_for_what_the_plan_does_not_is_told_so() -> None:
    with pytest.raises(RunConflict, match=r"does not state segments\.movement"):
        Result(parse_plan(plan_yaml()), None, "run-1").movement  # type: ignore[arg-type]  # noqa: B018
