"""What has changed since the last run is said only of the same statistic of the same groups, held against the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evenhand.fairness.change import Key, Last, basis, changed
from evenhand.plan.load import canonical, parse_plan
from evenhand.privacy.intervals import Estimate
from sample import plan_yaml

THEN, NOW = Estimate(0.8, 0.7, 0.9), Estimate(0.9, 0.85, 0.95)
OFFER = {"name": "thanks", "why": "They were here first.", "where": {"tenure": [10, None]}}
MITIGATION = {"method": "balanced", "justification": "test"}
RATIO, RATE = ("gender", "representation_ratio", ""), ("gender", "selection_ratio", "thanks")


def of(
    key: Key,
    changes: dict[str, Any],
    reference: str = "all customers of this run",
    over: tuple[str, ...] = ("female", "male"),
) -> str:
    plan = parse_plan(plan_yaml({"fairness.offers": [OFFER]} | changes))
    return basis(json.loads(canonical(plan)), key, reference, over)


@pytest.mark.parametrize("key", [RATIO, RATE])
def test_the_same_statistic_is_compared(key: Key) -> None:
    same = of(key, {"protected.0.why": "Another sentence.", "features.0.why": "Another one.", "segments.restarts": 5})
    found = changed(NOW, Last("before", {key: (THEN, of(key, {}))}, {}), key, same)
    assert found is not None
    assert found.value == pytest.approx(0.1)
    assert found.low < 0.1 < found.high


@pytest.mark.parametrize(
    ("key", "now"),
    [
        (RATIO, of(RATIO, {}, reference="census")),
        (RATIO, of(RATIO, {}, over=("female", "male", "other"))),
        (RATIO, of(RATIO, {"protected.0.groups": {"female": ["f"], "male": ["m", "d"]}})),
        (RATE, of(RATE, {"fairness.offers": [OFFER | {"where": {"tenure": [20, None]}}]})),
        (RATIO, of(RATIO, {"features.0.bounds": [0, 99]})),
        (RATIO, of(RATIO, {"features.1.scale": "linear"})),
        (RATE, of(RATE, {"fairness.mitigation": MITIGATION})),
    ],
    ids=[
        "another reference",
        "other groups judged",
        "other groups",
        "another offer",
        "a feature in other bounds",
        "a feature on another scale",
        "mitigation",
    ],
)
def test_something_else_under_the_same_name_is_not(key: Key, now: str) -> None:
    assert changed(NOW, Last("before", {key: (THEN, of(key, {}))}, {}), key, now) is None


def test_what_a_ratio_is_held_against_is_nothing_to_a_rate() -> None:
    assert of(RATE, {}) == of(RATE, {}, reference="census")


def test_a_figure_without_an_upper_end_has_no_change() -> None:
    last = Last("before", {RATIO: (THEN, of(RATIO, {}))}, {})
    assert changed(Estimate(1.0, 1.0, float("inf")), last, RATIO, of(RATIO, {})) is None
