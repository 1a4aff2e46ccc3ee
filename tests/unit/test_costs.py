"""Costs of groups are never more than can be, and what noise hides has no upper end."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.ask import assessment as tallies
from evenhand.fairness.costs import cost_ratio, mean_costs
from evenhand.plan.groups import group_tables
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import NoNoise, SeededNoise
from evenhand.privacy.release import Release, made_up
from sample import plan_yaml

SEGMENTS = 3


def release(epsilon: float, customers: int, *cost: int) -> tuple[Release, int]:
    """Gender with as many customers in each group, all at one cost, in steps; or three in four groups at one and the last at another."""
    plan = parse_plan(
        plan_yaml({"privacy.epsilon": epsilon, "privacy.population_total": 50.0, "privacy.expected_customers": 10**8})
    )
    parts, table = tallies.assessment_parts(SEGMENTS, plan), group_tables(plan)[0]
    exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
    each = customers // SEGMENTS
    exact[tallies.group_part("gender")] = np.full(table.size * SEGMENTS, each, dtype=np.int64)
    costs = [cost[0]] * (table.size - 1) + [cost[-1]]
    sums = [[each * SEGMENTS * c, each * SEGMENTS * (c * c >> 16)] for c in costs]
    exact[tallies.cost_part("gender")] = np.array(sums, dtype=np.int64).ravel()
    return made_up(exact, parts, SeededNoise(1)), len(plan.features)


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 50.0])
def test_a_mean_is_not_more_than_a_customer_counts_at_most(epsilon: float) -> None:
    found, features = release(epsilon, 900, tallies.COST_STEPS - 1)
    table = group_tables(parse_plan(plan_yaml()))[0]
    costs = mean_costs(found, table, features, SEGMENTS)
    assert (costs.high <= tallies.COST_BOUND * features).all()
    value = np.where(np.isnan(costs.value), costs.low, costs.value)
    assert (costs.low <= value).all() and (value <= costs.high).all()


def test_the_ratio_is_open_where_noise_hides_the_mean_of_everybody_and_near_one_where_it_does_not() -> None:
    table, judged = group_tables(parse_plan(plan_yaml()))[0], np.ones(4, dtype=bool)
    assert cost_ratio(release(0.001, 900, 10)[0], table, SEGMENTS, judged).high == np.inf
    clear = cost_ratio(release(50.0, 30_000, 10_000)[0], table, SEGMENTS, judged)
    assert 1.0 <= clear.value <= clear.high < 1.1


def test_a_group_that_is_most_of_everybody_is_held_against_the_others() -> None:
    """Three quarters at ten times the cost of the others: over everybody's that would be 1.29, and of nine tenths 1.10."""
    table = group_tables(parse_plan(plan_yaml()))[0]
    found = release(50.0, 30_000, 10_000, 1_000)[0]
    counts, costs = tallies.group_part("gender"), tallies.cost_part("gender")
    most = [found[counts].reshape(4, -1), found[costs].reshape(4, -1)]
    merged = {  # the three alike become one
        part: np.stack([of[:3].sum(axis=0), of[3], of[3] * 0, of[3] * 0]).ravel()
        for of, part in zip(most, (counts, costs), strict=True)
    }
    alike = made_up(merged, tuple(found.parts[part] for part in merged), NoNoise())
    worst = cost_ratio(alike, table, SEGMENTS, np.array([True, True, False, False]))
    assert 9.0 < worst.low < 10.0 < worst.high < 11.0
