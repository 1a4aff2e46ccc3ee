"""Intervals of what mitigation was expected to cost and to bring hold, on exact counts, at least 19 times in 20.

Seeded. Over seeds the false alarm is below 1e-6 for the whole file: of N intervals that hold with exactly 95 %, more than
`allowed(N)` miss with 1e-9. Ratios and distances are wider than they need be.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from test_segment_coverage import MODES, World, allowed

from evenhand.ask.boxes import boxes_in, read_summary
from evenhand.ask.groups import COUNTS, read_group_counts
from evenhand.assignment.joint_groups import JointGroups, joint_tables
from evenhand.fairness.statistics import METRICS, SELECTION
from evenhand.learn.cluster import fast_fit
from evenhand.learn.spread import spread_out
from evenhand.mitigate.balanced import balanced
from evenhand.mitigate.bounds import constraints_of, least_judged
from evenhand.mitigate.noisy_table import NoisyTable
from evenhand.mitigate.tradeoff import Choice, Point, point_of
from evenhand.mitigate.tradeoff_noise import Ground, Sums
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from evenhand.plan.method import GROUPS, Method
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import Estimate
from evenhand.privacy.noise import Laplace
from evenhand.privacy.question import Part
from evenhand.privacy.release import made_up
from evenhand.privacy.sample import Sample
from sample import plan_yaml

pytestmark = pytest.mark.long  # thousands of draws

K, RUNS = 4, 150
MITIGATION = {"method": "balanced", "justification": "test", "attributes": ["gender"], "bounds": {"at_least": 0.8}}
NARROW = [("price", ""), ("jensen_shannon", ""), ("cramers_v", ""), ("mutual_information", ""), ("selection_difference", "gift")]
OFFERS = [{"name": "gift", "why": "test", "segments": [1]}]


def plan_of(mode: str, customers: int) -> Plan:
    stated = {f"privacy.{key}": value for key, value in MODES[mode].items()}
    return parse_plan(
        plan_yaml(
            stated
            | {
                "privacy.expected_customers": customers,
                "segments.k": K,
                "fairness.mitigation": MITIGATION,
                "fairness.offers": OFFERS,
            }
        )
    )


def exact_counts(world: World, joint: int) -> np.ndarray:
    """Customers by box and joint group; the two genders live in different places."""
    random = np.random.default_rng(3)
    group = random.random(len(world.rows)) > 0.25 + 0.5 * np.minimum(world.rows[:, 0] / STEPS * 2, 1)
    box, boxes = boxes_in(Sample.of(world.rows), world.boxes), world.boxes.count
    of = [np.bincount(box[group == g], minlength=boxes).astype(float) for g in (False, True)]
    return np.stack(of + [np.zeros(boxes)] * (joint - 2), axis=1)


def truths(ground: Ground, choice: Choice, start: np.ndarray, plan: Plan) -> dict[tuple[str, str], float]:
    """What the choice comes to on the counts of `ground`, taken for exact."""
    (gender,), sums, counts = joint_tables(plan), Sums.of(ground, choice.centers, choice.prices, choice.shares), ground.counts
    judged = gender.members[gender.members @ ground.cells.totals() >= least_judged(plan, ground.reach)]
    table = judged @ sums.table
    costs = (judged @ (counts * sums.paid).sum(axis=0)) / table.sum(axis=1)
    outcomes = np.stack([table[:, :1].sum(axis=1), table[:, 1:].sum(axis=1)], axis=1)
    return {
        ("price", ""): max(float((counts * sums.paid).sum() / (counts * Sums.of(ground, start).paid).sum()), 1.0),
        ("worst_group_cost", ""): float(costs.max()),
        **{(name, ""): float(statistic(table)) for name, statistic in METRICS.items()},
        **{(name, "gift"): float(statistic(outcomes)) for name, statistic in SELECTION.items()},
    }


def figures(of: Point) -> dict[tuple[str, str], Estimate]:
    return {("price", ""): of.price, **of.statistics[0].figures}


@pytest.mark.parametrize(("mode", "customers"), [("ε = 0.3", 200_000), ("ε = 2", 20_000), ("ε = 2, δ = 1e-6", 20_000)])
def test_what_mitigation_was_expected_to_cost_and_to_bring_lies_in_its_intervals(mode: str, customers: int) -> None:
    plan = plan_of(mode, customers)
    world = replace(World.of(mode, customers), plan=plan)
    joint = JointGroups.of(plan).count
    exact = exact_counts(world, joint)
    why = "a customer is in one box and one joint group"
    part = Part(COUNTS, exact.size, 1, Method.of(plan).questions[GROUPS], why, plan.privacy.unit)
    missed, judged, narrow = Counter[tuple[str, str, str]](), 0, []
    for answer in world.answers(RUNS)[1]:
        learned = read_summary(answer, plan, world.found)
        release = made_up({COUNTS: exact.ravel().astype(np.int64)}, (part,), world.noise)
        counts = read_group_counts(release, learned, plan)
        ground = Ground.of(release, learned, counts)
        cells = ground.cells
        start = fast_fit(spread_out(learned, world.found, plan), K, 1).centers / STEPS
        constraints = constraints_of(plan, cells.totals(), ground.reach)
        if len(constraints.coefficients) < 4:
            continue  # a gender is lost in the noise
        judged += 1
        fair = balanced(cells, constraints, start, None, 3)
        choices = {"before": Choice(start), "after": Choice(fair.centers, fair.shares, constraints.prices(fair.duals))}
        for stage, choice in choices.items():
            shown = figures(point_of(ground, choice, plan, stage, None, [start]))
            exactly = truths(replace(ground, counts=exact[learned.boxes]), choice, start, plan)
            assert shown.keys() == exactly.keys()
            for name, figure in shown.items():
                assert figure.low <= figure.value <= figure.high
                missed[(stage, *name)] += not figure.low - 1e-9 <= exactly[name] <= figure.high + 1e-9
        narrow.append([high - low for low, high in ((f.low, f.high) for f in map(shown.get, NARROW) if f)])
    assert judged > RUNS / 2
    assert max(missed.values()) <= allowed(judged), missed
    assert (np.median(narrow, axis=0) < 0.5).all()  # intervals that say nothing would hold too


@pytest.mark.parametrize(("groups", "segments", "customers"), [(2, 4, 5_000), (5, 8, 20_000)])
@pytest.mark.parametrize("uneven", [0.0, 0.3, 1.0])
def test_associations_and_selection_rates_of_even_and_uneven_tables_lie_in_their_ends(
    uneven: float, groups: int, segments: int, customers: int
) -> None:
    """Every cell the sum of 100 boxes, with a deviation of 60 customers: of an even table all that is seen is noise."""
    random, noise, chosen = np.random.default_rng(5), Laplace(6 / 2**0.5), np.arange(segments) < segments // 2
    missed = Counter[str]()
    for _ in range(300):
        shares = np.outer(random.dirichlet(np.full(groups, 3.0)), random.dirichlet(np.full(segments, 3.0)))
        shares *= random.uniform(1 - uneven, 1 + uneven, shares.shape)
        counts = np.round(customers * shares / shares.sum())
        noisy = NoisyTable(counts + random.normal(0, 60, counts.shape).round(), np.full(counts.shape, 100.0), noise)
        outcomes = np.stack([counts[:, chosen].sum(axis=1), counts[:, ~chosen].sum(axis=1)], axis=1)
        ends = {name: noisy.length(name) for name in ("jensen_shannon", "cramers_v", "mutual_information")}
        exactly = {name: METRICS[name](counts) for name in ends} | {name: f(outcomes) for name, f in SELECTION.items()}
        for name, (low, high) in (ends | noisy.selection(chosen)).items():
            missed[name] += not low - 1e-9 <= exactly[name] <= high + 1e-9
    assert max(missed.values()) <= allowed(300), missed
