"""Why somebody is in a segment: what speaks for its center against the next nearest."""

from __future__ import annotations

import numpy as np

from evenhand.assignment.nearest import CENTER_BITS
from evenhand.people.why import why
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from sample import plan_yaml

# tenure 0 to 20 years, spent 0 to 1000 (log), visits 0 to 16; in shares of the bounds.
CENTERS = np.rint(np.array([[0.1, 0.5, 0.1], [0.7, 0.5, 0.2], [0.4, 0.5, 0.8]]) * STEPS * 2**CENTER_BITS).astype(np.int64)
FEATURES = parse_plan(plan_yaml()).features


def at(*shares: float) -> list[int]:
    return [int(s * STEPS) for s in shares]


def test_the_feature_that_tells_the_two_nearest_apart_most_comes_first_in_its_own_unit() -> None:
    found = why(at(0.12, 0.5, 0.11), 1, CENTERS, FEATURES)
    assert (found.nearest, found.other) == (1, 2)
    assert [r.feature for r in found.reasons] == ["tenure", "visits"]  # all centers agree in what was spent: that speaks for none
    first = found.reasons[0]
    assert np.allclose([first.value, first.here, first.there], [2.4, 2, 14], atol=0.01)


def test_a_feature_that_speaks_for_the_other_segment_is_no_reason() -> None:
    found = why(at(0.12, 0.5, 0.75), 3, CENTERS, FEATURES)
    assert (found.nearest, found.other) == (3, 1)
    assert [r.feature for r in found.reasons] == ["visits"]


def test_a_balanced_segment_that_is_not_the_nearest_is_told() -> None:
    found = why(at(0.12, 0.5, 0.11), 2, CENTERS, FEATURES)
    assert (found.segment, found.nearest, found.other) == (2, 1, 1)
    assert found.reasons == []
