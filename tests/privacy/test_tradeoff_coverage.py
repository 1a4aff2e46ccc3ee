"""Intervals of what mitigation was expected to cost and to bring hold, on exact counts, at least 19 times in 20.

Seeded. Over seeds the false alarm is below 1e-6 for the whole file: of N intervals that hold with exactly 95 %, more than
`allowed(N)` miss with 1e-9. Ratios and distances are wider than they need be.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from test_segment_coverage import MODES, World, allowed, answered

from accuracy_evenhand import box_table
from evenhand.fairness.balanced import balanced
from evenhand.fairness.bounds import constraints_of, least_judged
from evenhand.fairness.intervals import Estimate
from evenhand.fairness.statistics import balance, total_variation, worst_representation
from evenhand.fairness.tradeoff import Choice, Point, _point
from evenhand.fairness.tradeoff_noise import Ground, Sums
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from evenhand.plan.method import GROUPS, Method
from evenhand.plan.models import Plan
from evenhand.privacy.groups import COUNTS, JointGroups, read_group_counts
from evenhand.privacy.question import Part
from evenhand.privacy.spread import spread_out
from evenhand.privacy.summary import read_summary
from evenhand.segment.cluster import fast_fit
from sample import plan_yaml

K, RUNS = 4, 150
MITIGATION = {"method": "balanced", "justification": "test", "attributes": ["gender"], "bounds": {"at_least": 0.8}}
FIGURES = ("price", "representation_ratio", "balance", "total_variation", "worst_group_cost")


def plan_of(mode: str, customers: int) -> Plan:
    stated = {f"privacy.{key}": value for key, value in MODES[mode].items()}
    return parse_plan(
        plan_yaml(stated | {"privacy.expected_customers": customers, "segments.k": K, "fairness.mitigation": MITIGATION})
    )


def exact_counts(world: World, joint: int) -> np.ndarray:
    """Customers by box and joint group; the two genders live in different places."""
    random = np.random.default_rng(3)
    group = random.random(len(world.rows)) > 0.25 + 0.5 * np.minimum(world.rows[:, 0] / STEPS * 2, 1)
    of = [spread_over(box_table(world.rows[group == g], world.boxes), world.boxes.count) for g in (False, True)]
    return np.stack(of + [np.zeros(world.boxes.count)] * (joint - 2), axis=1)


def spread_over(table: pa.Table, boxes: int) -> np.ndarray:
    return np.bincount(table["box"].to_numpy(), table["n"].to_numpy(), boxes)


def truths(ground: Ground, choice: Choice, start: np.ndarray, plan: Plan) -> dict[str, float]:
    """What the choice comes to on the counts of `ground`, taken for exact."""
    joint, sums, counts = JointGroups.of(plan), Sums.of(ground, choice.centers, choice.prices, choice.shares), ground.counts
    large = joint.by_attribute(ground.cells.totals())["gender"] >= least_judged(plan, ground.reach)
    table = joint.by_attribute(sums.table)["gender"][large]
    costs = joint.by_attribute((counts * sums.paid).sum(axis=0))["gender"][large] / table.sum(axis=1)
    return {
        "price": float((counts * sums.paid).sum() / (counts * Sums.of(ground, start).paid).sum()),
        "representation_ratio": float(worst_representation(table)),
        "balance": float(balance(table)),
        "total_variation": float(total_variation(table)),
        "worst_group_cost": float(costs.max()),
    }


def figures(of: Point) -> dict[str, Estimate]:
    return {name: of.price if name == "price" else getattr(of.statistics[0], name) for name in FIGURES}


@pytest.mark.parametrize(("mode", "customers"), [("ε = 0.3", 200_000), ("ε = 2", 20_000), ("ε = 2, δ = 1e-6", 20_000)])
def test_what_mitigation_was_expected_to_cost_and_to_bring_lies_in_its_intervals(mode: str, customers: int) -> None:
    plan = plan_of(mode, customers)
    world = replace(World.of(mode, customers), plan=plan)
    joint = JointGroups.of(plan).count
    exact = exact_counts(world, joint)
    why = "a customer is in one box and one joint group"
    part = Part(COUNTS, exact.size, 1, Method.of(plan).questions[GROUPS], why, plan.privacy.unit)
    missed, judged, narrow = dict.fromkeys(FIGURES, 0), 0, []
    for answer in world.answers(RUNS)[1]:
        learned = read_summary(answer, plan, world.found)
        release = answered((part,), {COUNTS: exact.ravel().astype(np.int64)}, world.noise)
        counts = read_group_counts(release, learned, plan)
        ground = Ground.of(release, learned, counts)
        cells = ground.cells
        start = fast_fit(spread_out(learned, world.found, plan), K, 1).centers / STEPS
        constraints = constraints_of(plan, cells.totals(), ground.reach)
        if len(constraints.coefficients) < 4:
            continue  # a gender is lost in the noise
        judged += 1
        fair = balanced(cells, constraints, start, None, 3)
        choice = Choice(fair.centers, fair.shares, constraints.prices(fair.duals))
        shown = figures(_point(ground, choice, plan, "after", None, start))
        exactly = truths(replace(ground, counts=exact[learned.boxes]), choice, start, plan)
        for name, figure in shown.items():
            assert figure.low <= figure.value <= figure.high
            missed[name] += not figure.low - 1e-9 <= exactly[name] <= figure.high + 1e-9
        narrow.append(shown["price"].high - shown["price"].low)
    assert judged > RUNS / 2
    assert max(missed.values()) <= allowed(judged)
    assert np.median(narrow) < 0.5  # intervals that say nothing would hold too
