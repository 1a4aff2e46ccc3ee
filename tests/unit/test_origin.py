"""Whose centers may be taken: those of a run that put customers where today's plan would."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from evenhand.errors import RunConflict
from evenhand.plan.load import parse_plan
from evenhand.records.origin import Origin
from sample import NOW, REMOVED, plan_yaml

BALANCED = {"method": "balanced", "attributes": ["gender"], "justification": "For this test."}
SAME: dict[str, dict[str, Any]] = {
    "nothing": {},
    "another_key": {"pseudonyms.key_id": "test-2"},
    "moved_sources": {"sources.customers.path": "elsewhere", "sources.events.purchases.path": "there"},
    "other_words": {"features.0.why": "told otherwise", "features.0.unit": "years", "description": "Others."},
    "more_privacy_and_other_groups": {"privacy.epsilon": 0.5, "protected.1.bands": [50]},
    "another_number_of_segments_next_time": {"segments.k": 4},
}
OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "bounds": ({"features.0.bounds": [0, 30]}, "features.tenure"),
    "bounds_to_be_found": ({"features.0.bounds": REMOVED}, "features.tenure"),
    "a_weight": ({"features.1.weight": 2}, "features.spent"),
    "what_is_missing": ({"features.1.missing": 5}, "features.spent"),
    "an_expression": ({"features.2.expression": "count(distinct item)"}, "features.visits"),
    "a_feature_less": ({"features.2": REMOVED}, "features.visits"),
    "their_order": ({"features.0": {"name": "visits", "why": "t", "events": "purchases", "expression": "count(*)", "bounds": [0, 16], "missing": 0},
                     "features.2": {"name": "tenure", "why": "t", "column": "years", "bounds": [0, 20], "missing": 0}}, "features"),
    "which_events_count": ({"sources.events.purchases.where": "amount > 1"}, "sources.events.purchases"),
    "balanced_now": ({"fairness.mitigation": BALANCED}, "fairness.mitigation"),
}  # fmt: skip


def origin(changes: dict[str, Any] | None = None) -> Origin:
    return Origin("run-1", NOW - timedelta(days=30), parse_plan(plan_yaml(changes)), True)


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME.keys())
def test_what_moves_nobody_may_change(changes: dict[str, Any]) -> None:
    origin().refuse_other_meaning(parse_plan(plan_yaml(changes)))


@pytest.mark.parametrize(("changes", "place"), OTHER.values(), ids=OTHER.keys())
def test_centers_are_not_taken_for_something_else(changes: dict[str, Any], place: str) -> None:
    said = f"^--run-id: the centers of run run-1 are not for this plan, whose {place} is not what it was; put that back"
    with pytest.raises(RunConflict, match=said):
        origin().refuse_other_meaning(parse_plan(plan_yaml(changes)))


def test_groups_that_are_balanced_may_not_change() -> None:
    balanced = {"fairness.mitigation": BALANCED}
    origin(balanced).refuse_other_meaning(parse_plan(plan_yaml(balanced | {"protected.1.bands": [50]})))
    with pytest.raises(RunConflict, match="whose fairness.mitigation is not what it was"):
        origin(balanced).refuse_other_meaning(parse_plan(plan_yaml(balanced | {"protected.0.groups": {"female": ["f", "w"]}})))
    with pytest.raises(RunConflict, match="whose fairness.mitigation is not what it was"):
        origin(balanced).refuse_other_meaning(parse_plan(plan_yaml()))


def test_bounds_that_were_found_are_taken_over() -> None:
    unbounded = parse_plan(plan_yaml({"features.1.bounds": REMOVED}))
    found = Origin("run-1", NOW, unbounded.with_bounds({"spent": (0.0, 512.0)}), True)
    found.refuse_other_meaning(unbounded)
    assert [f.limits for f in found.bounded(unbounded).features] == [(0, 20), (0, 512), (0, 16)]
