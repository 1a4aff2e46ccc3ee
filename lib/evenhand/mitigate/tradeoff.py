"""What fairness costs: the cost over that of the unconstrained segments, and the statistics, before, after, and by bound.

All on the cells of the private summaries, so at no further budget. The figures after the run are those of the assessment;
these say what was expected of the choice. Intervals are for the noise (mitigate/tradeoff_noise.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.assignment.joint_groups import joint_tables
from evenhand.assignment.nearest import Centers, rounded_centers
from evenhand.fairness.offers import burdens, chosen_segments
from evenhand.fairness.statistics import METRICS, SELECTION
from evenhand.mitigate.balanced import assigned, balanced
from evenhand.mitigate.bounds import Constraints, constraints_of, least_judged
from evenhand.mitigate.cells import distances
from evenhand.mitigate.noisy_table import NoisyTable
from evenhand.mitigate.tradeoff_noise import HELD, Ends, Ground, Sums, quotient, worst_quotient
from evenhand.plan.geometry import STEPS
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import Estimate

Floats = NDArray[np.float64]
BOUNDS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)  # representation ratio at least, and at most its inverse
NOTHING = Estimate(math.nan, math.nan, math.nan)
CURVE = "curve"
COST = "worst_group_cost"  # greatest mean squared distance of a group to its centers, unit cube
OF_CURVE = ("representation_ratio", "balance", "total_variation")
Numbered = Callable[[Centers], NDArray[np.int64]]  # the numbers (k,) of centers in the order of their size
ROUNDS = 3  # of assignment and centers a bound, each starting where the one before ended


@dataclass(frozen=True)
class Statistics:
    """Of one attribute or intersection, among its groups that are large enough to judge; NaN where fewer than two are.

    `figures` by statistic and offer, which is empty but for selection rates. Of an offer that no segment gets, or all do, NaN.
    """

    attribute: str
    figures: Mapping[tuple[str, str], Estimate]
    left_out: tuple[str, ...]  # the groups that are too small for it; after the run, those too small for a bound


@dataclass(frozen=True)
class Point:
    """`stage` is before, after, or curve; `bound` belongs to the curve; `price` is the cost over the unconstrained cost, which is
    at least 1: with the same centers and no bounds nobody goes farther.
    """

    stage: str
    bound: float | None
    price: Estimate
    statistics: list[Statistics]


@dataclass(frozen=True)
class Choice:
    """Some centers (k, features) in the stretched unit cube, and who goes where: `shares` (n, k) of the cells, `prices` (joint groups, k)
    of the others; to the nearest center without them."""

    centers: Floats
    shares: Floats | None = None
    prices: Floats | None = None
    published: Centers | None = None  # by which offers choose their segments, where they are others

    def better_off(self, plan: Plan, numbered: Numbered) -> dict[str, NDArray[np.bool_]]:
        """By offer of the plan the segments (k,) that get it, or that are spared where it is a burden."""
        centers = rounded_centers(self.centers / stretch(plan.features) * STEPS) if self.published is None else self.published
        numbers = numbered(centers)
        gets = {offer.name: chosen_segments(offer, centers, plan, numbers) for offer in plan.fairness.offers}
        return {offer: ~chosen if offer in burdens(plan) else chosen for offer, chosen in gets.items()}


def by_size(centers: Centers) -> NDArray[np.int64]:
    """The numbers of a first run."""
    return np.arange(1, len(centers) + 1)


def before(
    ground: Ground, centers: Floats, plan: Plan, stage: str = "before", start: Floats | None = None, numbered: Numbered = by_size
) -> Point:
    """Everybody at the nearest center; the price is over the cost at the centers `start`, or at these where that is less."""
    return point_of(ground, Choice(centers), plan, stage, None, [centers] if start is None else [start, centers], numbered)


def after(
    ground: Ground,
    constraints: Constraints,
    centers: Floats,
    duals: Floats,
    start: Floats,
    plan: Plan,
    unbounded: Mapping[str, Sequence[str]],
    published: Centers | None = None,
    numbered: Numbered = by_size,
) -> Point:
    """The cheapest assignment within the bounds, near these duals; the price is over the cost without bounds at `start`, or at
    these centers where that is less.

    A group that is lost in the noise of the boxes may have been bounded all the same, once it was counted by segment:
    `unbounded` are those, by attribute, that were not.
    """
    found = assigned(ground.cells, constraints, centers, duals)
    choice = Choice(centers, found.shares, constraints.prices(found.duals), published)
    point = point_of(ground, choice, plan, "after", None, [start, centers], numbered)
    return replace(
        point, statistics=[replace(s, left_out=tuple(unbounded.get(s.attribute, s.left_out))) for s in point.statistics]
    )


def curve(ground: Ground, plan: Plan, start: Floats) -> list[Point]:
    """From the loosest bound, where the unconstrained centers are best, to the tightest, each starting from the one before.

    All prices are over the least cost without bounds that any of the centers has: those of `start` were not moved on the boxes.
    """
    choices: list[Choice] = []
    centers, duals = start, None
    for bound in BOUNDS:
        constraints = constraints_of(plan, ground.cells.totals(), ground.reach, at_least=bound)
        found = balanced(ground.cells, constraints, centers, duals, ROUNDS)
        centers, duals = found.centers, found.duals
        choices.append(Choice(centers, found.shares, constraints.prices(duals)))
    without = [start, *(choice.centers for choice in choices)]
    return [point_of(ground, choice, plan, CURVE, bound, without) for bound, choice in zip(BOUNDS, choices, strict=True)]


def point_of(
    ground: Ground,
    choice: Choice,
    plan: Plan,
    stage: str,
    bound: float | None,
    without: Sequence[Floats],
    numbered: Numbered = by_size,
) -> Point:
    """`without`: centers, of which those that cost the least without bounds stand for the unconstrained segments."""
    cells, k = ground.cells, len(choice.centers)
    away, noisy = cells.distances(choice.centers), Sums.of(ground, choice.centers, choice.prices, choice.shares)
    shares = np.eye(k)[away.argmin(axis=1)] if choice.shares is None else choice.shares
    paid = (shares * away).sum(axis=1)
    costs_without = [float(cells.distances(centers).min(axis=1) @ cells.weights) for centers in without]
    cheapest = int(np.argmin(costs_without))
    price = float(paid @ cells.weights) / max(costs_without[cheapest], 1e-12)
    unconstrained = np.broadcast_to(distances(ground.points, without[cheapest]).min(axis=1)[:, None], noisy.paid.shape)
    counts, costs, sizes = cells.table(shares), cells.sums(paid), cells.totals()
    found = []
    offers = {} if stage == CURVE else choice.better_off(plan, numbered)
    for table in joint_tables(plan):
        large = table.members @ sizes >= least_judged(plan, ground.reach)
        left = tuple(g for g, is_large in zip(table.groups, large, strict=True) if not is_large)
        figures, judged = dict.fromkeys(_wanted(offers, stage), NOTHING), table.members[large]
        if len(judged) >= 2:
            released = NoisyTable(judged @ noisy.table, judged @ noisy.squares, ground.noise)
            figures |= _figures(judged @ counts, released, offers, stage)
            worst = float(((judged @ costs) / (judged @ sizes)).max())
            figures[COST, ""] = _around(worst, _group_cost_ends(ground, noisy, judged))
        found.append(Statistics(table.name, figures, left))
    ends = quotient(ground.counts, ground.noise, noisy.paid, unconstrained)
    # The released counts may say less than 1, of which nothing is true: what they leave of the rest is known.
    known = _around(max(price, 1.0), (max(ends[0], 1.0), max(ends[1], 1.0)))
    return Point(stage, bound, known, found)


def _wanted(offers: Mapping[str, NDArray[np.bool_]], stage: str) -> list[tuple[str, str]]:
    names = OF_CURVE if stage == CURVE else tuple(METRICS)
    return [*((name, "") for name in (*names, COST)), *((name, offer) for offer in offers for name in SELECTION)]


def _figures(
    seen: Floats, table: NoisyTable, offers: Mapping[str, NDArray[np.bool_]], stage: str
) -> dict[tuple[str, str], Estimate]:
    """All but the cost; `seen` are the plausible counts (groups, segments), `table` those released."""
    ends = {name: getattr(table, name) for name in OF_CURVE}
    if stage != CURVE:
        ends |= {name: table.length(name) for name in METRICS if name not in ends}
    found = {(name, ""): _around(float(METRICS[name](seen)), of) for name, of in ends.items()}
    for offer, chosen in offers.items():
        if chosen.any() and not chosen.all():
            outcomes = np.stack([seen[:, chosen].sum(axis=1), seen[:, ~chosen].sum(axis=1)], axis=1)
            of_offer = table.selection(chosen)
            found |= {(name, offer): _around(float(f(outcomes)), of_offer[name]) for name, f in SELECTION.items()}
    return found


def _group_cost_ends(ground: Ground, noisy: Sums, judged: Floats) -> Ends:
    """Of the costliest group's mean, each group's within its ends (Bonferroni); `judged` are their members, (groups, joint groups)."""
    level = 1 - (1 - HELD) / len(judged)
    own = [(ground.counts[:, m], noisy.paid[:, m]) for m in judged > 0]
    return worst_quotient([quotient(counts, ground.noise, paid, np.ones_like(paid), level) for counts, paid in own])


def _around(value: float, ends: Ends) -> Estimate:
    """The figure is read from counts made plausible, none of them negative, and may lie outside of what the released ones allow."""
    return Estimate(value, min(value, ends[0]), max(value, ends[1]))
