"""Fairer segments from the private summaries: the centers, how they are assigned, and what the fairness cost.

A few questions more than without; everything between them is post-processing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from evenhand.ask.groups import read_group_counts
from evenhand.ask.margins import NEAR, SEGMENTS, balance_check, edges_of, margins
from evenhand.assignment.fair_map import FairMap, Moves
from evenhand.assignment.joint_groups import JointGroups
from evenhand.assignment.nearest import CENTER_BITS, Centers, rounded_centers
from evenhand.learn.learn import Learned
from evenhand.mitigate.balanced import ITERATIONS, Balanced, balanced
from evenhand.mitigate.blind import Blind, fair_lloyd
from evenhand.mitigate.bounds import Bound, Constraints, constraints_of, judged_members, too_small
from evenhand.mitigate.cells import Cells, fine_cells
from evenhand.mitigate.choices import Choices, drawing
from evenhand.mitigate.estimate import Counted, Prior, expected
from evenhand.mitigate.members import members_centers
from evenhand.mitigate.moves import Terms, chosen
from evenhand.mitigate.tradeoff import Numbered, Point, after, before, curve
from evenhand.mitigate.tradeoff_noise import REACH, Ground
from evenhand.plan.geometry import STEPS
from evenhand.plan.method import Method
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.privacy.release import Ask, Release

Floats = NDArray[np.float64]
STARTS = 2  # the cheapest unconstrained fits that balancing starts from; the best of them need not lead to the best
# How uncertain a correction may be, in deviations of the count before it, by each cell of those near another segment: the
# cheapest are chosen, and so those of whom too many are expected. No count comes after the last correction.
TRUST, LAST_TRUST = 0.5, 0.1


@dataclass(frozen=True)
class Mitigated:
    """`fair_map` is None when the nearest center decides; `tradeoff` is for the report, takes eight more programs, and hears which
    numbers offers go by.

    `bounds` are those of the last moves, of the groups that have one.
    """

    centers: Centers
    fair_map: FairMap | None
    tradeoff: Callable[[Numbered], list[Point]]
    bounds: tuple[Bound, ...] = ()
    ends = None  # the centers are no means of the customers nearest to them


def mitigate(ask: Ask, learned: Learned, plan: Plan) -> Mitigated:
    """The segments by the plan's mitigation, starting from the unconstrained ones, the refined first.

    Raises:
        InfeasibleBounds: no assignment meets the plan's bounds; with the range in which the group's share of everybody lies.
    """
    assert plan.fairness.mitigation is not None and learned.grouped is not None
    fits = sorted(learned.fits, key=lambda fit: fit.cost)
    axes = stretch(plan.features)
    starts = [start / STEPS * axes for start in (learned.centers / 2**CENTER_BITS, *(fit.centers for fit in fits))]
    counts = read_group_counts(learned.grouped, learned.summary, plan)
    ground = Ground.of(learned.grouped, learned.summary, counts)
    coarse, reach = ground.cells, ground.reach
    # One thread: several add up in any order, and a resumed run must find the very same centers.
    with threadpool_limits(1):
        if plan.fairness.mitigation.method == "group_blind":
            return _blind(ground, plan, starts)
        constraints = constraints_of(plan, coarse.totals(), reach)
        # Where noise rules, fits would win that only follow the boxes' noise more closely than the refined centers do.
        rounds, tried = (ITERATIONS, starts[:STARTS]) if Method.of(plan).moves_centers else (1, starts[:1])
        found = min((balanced(coarse, constraints, start, rounds=rounds) for start in tried), key=lambda b: b.cost)
        fine = fine_cells(learned.summary, counts, learned.boxes, learned.marginals)
        found = _largest_first(balanced(fine, constraints, found.centers, found.duals, rounds), fine)
        centers, fair_map, unbounded, bounds = _on_customers(ask, plan, found, fine, constraints, ground)

    def tradeoff(numbered: Numbered) -> list[Point]:
        with threadpool_limits(1):  # the cores are for the people, whom the assessment counts meanwhile
            fair = after(ground, constraints, found.centers, found.duals, starts[0], plan, unbounded, centers, numbered)
            return [before(ground, starts[0], plan, numbered=numbered), fair, *curve(ground, plan, starts[0])]

    return Mitigated(centers, fair_map, tradeoff, bounds)


def _on_customers(
    ask: Ask, plan: Plan, found: Balanced, fine: Cells, constraints: Constraints, ground: Ground
) -> tuple[Centers, FairMap, dict[str, list[str]], tuple[Bound, ...]]:
    """The assignment that meets the bounds among the customers themselves: prices, and moves after each further question.

    With the centers that describe its segments, the groups by attribute that are too small for a bound, and the bounds of the others.
    """
    joint, mean_cost = JointGroups.of(plan).count, found.cost / float(fine.weights.sum())
    edges = edges_of(mean_cost, joint, len(found.centers))
    # A box's noise is divided among its points, as if it fell on each of them alone.
    noise = ground.noise.deviation**2 * len(ground.cells.weights) / len(fine.weights)
    prices, reach = drawing(fine, found.centers, found.shares, constraints.prices(found.duals), edges, noise)
    fair_map = FairMap.of(rounded_centers(found.centers / stretch(plan.features) * STEPS), prices, edges, reach)
    (release,) = ask(margins(fair_map, plan))
    choices = Choices.of(fine.distances(found.centers) + prices[fine.groups], edges, reach[fine.groups])
    boxes = expected(fine, found.centers, choices, noise)
    prior = Prior.of(boxes, release[NEAR].reshape(boxes.mean.near.shape).astype(np.float64), release.noise(NEAR).deviation)
    terms, moves = Terms(boxes.costs, prices, edges, mean_cost), Moves.none(boxes.mean.near.shape)
    counted, counts = [_counted(release, moves)], Method.of(plan).balances
    for number in range(1, counts + 2):
        presence, deviation = prior.given(counted), counted[-1].deviation
        totals = presence.sizes.sum(axis=1)
        by_count = min(REACH * deviation * float(np.sqrt(len(found.centers))), ground.reach)
        bounds = constraints_of(plan, totals, ground.reach, counted=by_count)
        trust = np.inf if number == 1 else TRUST if number <= counts else LAST_TRUST
        most = trust * deviation / np.sqrt(prior.variance.near)
        moves = chosen(presence, terms, moves, bounds, deviation, most)
        fair_map = fair_map.moving(moves)
        if number <= counts:
            (release,) = ask(balance_check(fair_map, number, plan))
            counted.append(_counted(release, moves))
    unbounded = too_small(plan, totals, by_count)
    if Method.of(plan).moves_centers:  # on the boxes they are where balancing put them, at the means of their members
        return fair_map.centers, fair_map, unbounded, bounds.bounds
    described = members_centers(fine, found.centers, choices, boxes.mean, presence, moves, deviation)
    return rounded_centers(described / stretch(plan.features) * STEPS), fair_map, unbounded, bounds.bounds


def _counted(release: Release, moves: Moves) -> Counted:
    counts = release[SEGMENTS].reshape(len(moves.far), -1).astype(np.float64)
    return Counted(counts, release.noise(SEGMENTS).deviation, moves)


def _blind(ground: Ground, plan: Plan, starts: list[Floats]) -> Mitigated:
    cells = ground.cells
    judged = judged_members(plan, cells.totals(), ground.reach)
    found: list[Blind] = [fair_lloyd(cells, judged, start) for start in starts]
    best = min(found, key=lambda b: b.costs.max())
    sizes = np.bincount(cells.distances(best.centers).argmin(axis=1), weights=cells.weights, minlength=len(best.centers))
    centers = best.centers[np.argsort(-sizes, kind="stable")]

    def tradeoff(numbered: Numbered) -> list[Point]:
        fair = before(ground, centers, plan, "after", starts[0], numbered)
        return [before(ground, starts[0], plan, numbered=numbered), fair]

    return Mitigated(rounded_centers(centers / stretch(plan.features) * STEPS), None, tradeoff)


def _largest_first(found: Balanced, cells: Cells) -> Balanced:
    order = np.argsort(-(cells.weights @ found.shares), kind="stable")
    return Balanced(found.centers[order], found.shares[:, order], found.duals[:, order], found.cost)
