"""A reference from outside or from the last run is held against the same people: the groups that both sides speak of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.ask import assessment as tallies
from evenhand.fairness.assess import TableFairness, assess_fairness
from evenhand.fairness.change import Last
from evenhand.plan.load import parse_plan
from evenhand.privacy.intervals import Estimate
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import made_up
from sample import plan_yaml

SEGMENTS = np.array([0.5, 0.3, 0.2])  # of each group alike: all is even


def assessed(
    customers: dict[str, int], reference: Any, last: Last | None = None, segments: np.ndarray = SEGMENTS
) -> TableFairness:
    """Gender with these customers in the groups female, male, other and unknown, at next to no noise."""
    changes = {"privacy.epsilon": 50.0, "privacy.population_total": 50.0, "protected.0.reference": reference}
    plan = parse_plan(plan_yaml(changes))
    parts = tallies.assessment_parts(3, plan)
    exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
    counts = np.array([customers.get(g, 0) for g in plan.protected[0].group_names])
    table = np.rint(counts[:, None] * segments).astype(np.int64)
    exact |= {tallies.group_part("gender"): table.ravel(), tallies.SIZE: table.sum(axis=0)}
    fairness = assess_fairness(made_up(exact, parts, SeededNoise(1)), plan, np.zeros((3, 3), dtype=np.int64), last)
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
        ({"female": 51_000, "male": 25_000, "other": 24_000}, census(female=0.51), "census, male and other together"),
        ({"female": 50_000, "male": 30_000, "other": 20_000}, census(female=0.5, male=0.3), "census"),
        ({"female": 40_000, "male": 40_000, "unknown": 20_000}, census(female=0.4, male=0.4, unknown=0.2), "census"),
    ],
    ids=["all", "unknown", "an unstated group of nobody", "a group too small", "one stated", "the rest of one", "unknown stated"],
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


@pytest.mark.parametrize(
    ("customers", "reference", "named"),
    [
        ({"female": 50_000, "unknown": 50_000}, census(female=0.5, male=0.5), "census, without unknown"),
        ({"female": 51_000, "male": 49_000}, census(female=0.51), "census, without male"),
    ],
    ids=["one of those judged", "a part of the rest too small"],
)
def test_a_reference_that_speaks_of_one_group_alone_cannot_tell_and_shows_no_figure(
    customers: dict[str, int], reference: Any, named: str
) -> None:
    found = assessed(customers, reference)
    assert (worst(found).verdict, worst(found).estimate, found.reference) == ("cannot tell", None, named)


def test_the_one_group_that_a_reference_leaves_out_has_what_the_others_leave() -> None:
    """Or the group that nobody thought of would be the one that is not judged."""
    found = assessed({"female": 60_000, "male": 36_000, "other": 4_000}, census(female=0.5, male=0.3))
    assert worst(found).verdict == "uneven"
    assert worst(found).estimate.value == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose(found.ratios.value[2], [0.2] * 3, atol=0.01)


def test_groups_that_the_reference_leaves_out_are_judged_together() -> None:
    found = assessed({"female": 95_000, "male": 2_000, "other": 3_000}, census(female=0.8))
    assert worst(found).verdict == "uneven"
    assert worst(found).estimate.value == pytest.approx(0.25, abs=0.01)
    assert np.isnan(found.ratios.value[1:3]).all()


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


def test_balance_is_not_asked_to_be_more_than_that_of_everybody() -> None:
    """Of 8 % women no segmentation has a balance of 0.2."""
    found = assessed({"female": 8_000, "male": 92_000}, "customers")
    balance = next(j for j in found.judgments if j.metric == "balance")
    assert balance.verdict == "even"
    assert balance.threshold == pytest.approx(0.8 * 8 / 92, abs=0.002)
    uneven = np.array([[0.5, 0.45, 0.05], [0.5, 0.3, 0.2], [1, 0, 0], [1, 0, 0]])
    found = assessed({"female": 8_000, "male": 92_000}, "customers", segments=uneven)
    assert next(j for j in found.judgments if j.metric == "balance").verdict == "uneven"
