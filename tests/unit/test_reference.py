"""A reference from outside or from the last run is held against the same people: the groups that both sides speak of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accuracy_evenhand import StandIn
from evenhand.fairness.assess import TableFairness, assess_fairness
from evenhand.fairness.change import Last
from evenhand.fairness.intervals import Estimate
from evenhand.plan.load import parse_plan
from evenhand.privacy import tallies
from evenhand.privacy.noise import SeededNoise
from sample import plan_yaml

SEGMENTS = np.array([0.5, 0.3, 0.2])  # of each group alike: all is even


def assessed(
    customers: dict[str, int], reference: Any, last: Last | None = None, segments: np.ndarray = SEGMENTS
) -> TableFairness:
    """Gender with these customers in the groups female, male, other and unknown, at next to no noise."""
    changes = {"privacy.epsilon": 50.0, "privacy.population_total": 50.0, "protected.0.reference": reference}
    plan = parse_plan(plan_yaml(changes))
    parts = tallies._parts(3, plan)
    exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
    counts = np.array([customers.get(g, 0) for g in plan.protected[0].group_names])
    table = np.rint(counts[:, None] * segments).astype(np.int64)
    exact |= {tallies.group_part("gender"): table.ravel(), tallies.SIZE: table.sum(axis=0)}
    fairness = assess_fairness(StandIn.of(exact, parts, SeededNoise(1)), plan, np.zeros((3, 3), dtype=np.int64), last)
    return next(of for of in fairness if of.table == "gender")


def worst(of: TableFairness) -> Any:
    return next(j for j in of.judgments if j.metric == "representation_ratio")


def census(**shares: float) -> dict[str, Any]:
    return {"name": "census", "shares": shares}


@pytest.mark.parametrize(
    ("customers", "reference", "named"),
    [
        ({"female": 51_000, "male": 49_000}, census(female=0.51, male=0.49), "census"),
        ({"female": 51_000, "male": 49_000, "unknown": 33_000}, census(female=0.51, male=0.49), "census, without unknown"),
        ({"female": 51_000, "male": 49_000, "other": 20_000}, census(female=0.51, male=0.49), "census, without other"),
        ({"female": 30_000, "male": 30_000}, census(female=0.3, male=0.3, other=0.4), "census"),
        ({"female": 51_000, "male": 49_000, "unknown": 33_000}, census(female=0.51), "census, without unknown"),
        ({"female": 50_000, "male": 30_000, "other": 20_000}, census(female=0.5), "census"),
        ({"female": 40_000, "male": 40_000, "unknown": 20_000}, census(female=0.4, male=0.4, unknown=0.2), "census"),
    ],
    ids=["all", "unknown", "an unstated group of nobody", "a group too small", "one stated", "the rest in two", "unknown stated"],
)
def test_who_is_represented_as_in_the_reference_is_even(customers: dict[str, int], reference: Any, named: str) -> None:
    found = assessed(customers, reference)
    assert worst(found).verdict == "even"
    assert worst(found).estimate.value == pytest.approx(1.0, abs=0.03)
    assert found.reference == named


def test_a_group_that_is_fewer_than_in_the_reference_is_uneven_whoever_else_is_there() -> None:
    found = assessed({"female": 30_000, "male": 70_000, "unknown": 40_000}, census(female=0.5, male=0.5))
    assert worst(found).verdict == "uneven"
    assert worst(found).estimate.value == pytest.approx(0.6, abs=0.02)
    np.testing.assert_allclose(found.ratios.value[:2], [[0.6] * 3, [1.4] * 3], atol=0.02)
    assert np.isnan(found.ratios.value[3]).all()


def test_a_reference_of_one_group_alone_among_the_judged_cannot_tell() -> None:
    found = assessed({"female": 50_000, "unknown": 50_000}, census(female=0.5, male=0.5))
    assert worst(found).verdict == "cannot tell"


def test_a_group_that_was_too_small_in_the_last_run_does_not_make_the_others_uneven() -> None:
    then = {"female": 0.5, "male": 0.5}
    last = Last("before", {}, {("gender", g): Estimate(s, s - 0.01, s + 0.01) for g, s in then.items()})
    found = assessed({"female": 40_000, "male": 40_000, "unknown": 20_000}, "last_run", last)
    assert worst(found).verdict == "even"
    assert found.reference == "customers of run before, without unknown"


def test_shares_among_fewer_groups_are_not_shown_beside_a_hidden_cell() -> None:
    """The total of women and men in a segment, less that of all, would be who is unknown there."""
    few = np.array([[0.5, 0.3, 0.2]] * 3 + [[0.7, 0.2999, 0.0001]])
    found = assessed({"female": 51_000, "male": 49_000, "unknown": 33_000}, census(female=0.51, male=0.49), segments=few)
    assert found.suppressed[3, 2]
    assert np.isnan(found.ratios.value).all()
    assert worst(found).estimate is None and worst(found).verdict == "even"
