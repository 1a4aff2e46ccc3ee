"""What fairness costs: the cost over that of the unconstrained segments, and the statistics, before, after, and by bound.

All on the cells of the private summaries, so at no further budget. The figures after the run are those of the assessment;
these say what was expected of the choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.balanced import REACH, assigned, balanced
from evenhand.fairness.bounds import Constraints, constraints_of
from evenhand.fairness.cells import Cells
from evenhand.fairness.statistics import balance, total_variation, worst_representation
from evenhand.plan.models import Plan
from evenhand.privacy.groups import JointGroups

Floats = NDArray[np.float64]
BOUNDS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)  # representation ratio at least, and at most its inverse
ROUNDS = 3  # of assignment and centers a bound, each starting where the one before ended


@dataclass(frozen=True)
class Statistics:
    """Of one attribute, among its groups that are large enough to judge."""

    attribute: str
    representation_ratio: float
    balance: float
    total_variation: float
    worst_group_cost: float  # greatest mean squared distance of a group to its centers, unit cube
    left_out: tuple[str, ...]  # the groups that are too small for it


@dataclass(frozen=True)
class Point:
    """`stage` is before, after, or curve; `bound` belongs to the curve; `price` is the cost over the unconstrained cost."""

    stage: str
    bound: float | None
    price: float
    statistics: list[Statistics]


def before(cells: Cells, centers: Floats, plan: Plan, stage: str = "before", start: Floats | None = None) -> Point:
    """Everybody at the nearest center; the price is over the cost at the centers `start`."""
    distances = cells.distances(centers)
    shares = np.zeros_like(distances)
    shares[np.arange(len(shares)), distances.argmin(axis=1)] = 1.0
    return _point(cells, shares, distances, plan, stage, None, centers if start is None else start)


def after(cells: Cells, constraints: Constraints, centers: Floats, duals: Floats, start: Floats, plan: Plan) -> Point:
    """The cheapest assignment within the bounds, near these duals; the price is over the cost at the unconstrained `start`."""
    found = assigned(cells, constraints, centers, duals, REACH)
    return _point(cells, found.shares, cells.distances(centers), plan, "after", None, start, constraints.left_out)


def curve(cells: Cells, plan: Plan, start: Floats, reach: float) -> list[Point]:
    """From the loosest bound, where the unconstrained centers are best, to the tightest, each starting from the one before."""
    points, centers, duals = [], start, np.zeros((0, 0))
    for bound in BOUNDS:
        constraints = constraints_of(plan, cells.totals(), reach, at_least=bound)
        if duals.size == 0:
            duals = np.zeros((len(constraints.coefficients), len(start)))
        found = balanced(cells, constraints, centers, duals, ROUNDS)
        centers, duals = found.centers, found.duals
        points.append(_point(cells, found.shares, cells.distances(centers), plan, "curve", bound, start))
    return points


def _point(
    cells: Cells,
    shares: Floats,
    distances: Floats,
    plan: Plan,
    stage: str,
    bound: float | None,
    start: Floats,
    unbounded: Sequence[tuple[str, str]] = (),
) -> Point:
    joint, least = JointGroups.of(plan), max(plan.privacy.minimum_cell * shares.shape[1], 1)
    paid = (shares * distances).sum(axis=1)
    unconstrained = cells.distances(start).min(axis=1) @ cells.weights
    counts, costs, sizes = (joint.by_attribute(f) for f in (cells.table(shares), cells.sums(paid), cells.totals()))
    found = []
    for name, groups in joint.attributes:
        size = sizes[name]
        large = size >= least
        if large.sum() < 2:
            continue
        table, worst = counts[name][large], float((costs[name][large] / size[large]).max())
        left = tuple(g for g, is_large in zip(groups, large, strict=True) if not is_large or (name, g) in unbounded)
        found.append(Statistics(name, *_evenness(table), worst, left))
    return Point(stage, bound, float(paid @ cells.weights) / max(float(unconstrained), 1e-12), found)


def _evenness(table: Floats) -> tuple[float, float, float]:
    return float(worst_representation(table)), float(balance(table)), float(total_variation(table))
