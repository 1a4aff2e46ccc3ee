"""Group-blind mitigation: centers that lower the worst-off group's mean cost; who is assigned stays a matter of features.

Ghadiri, Samadi, Vempala, "Socially Fair k-Means Clustering", FAccT 2021: Fair-Lloyd. Its line search is for two groups;
for more the same minimax is solved by multiplicative weights over the groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.mitigate.cells import Cells

Floats = NDArray[np.float64]
ITERATIONS = 60
WEIGHT_STEPS = 200
RATE = 8.0


@dataclass(frozen=True)
class Blind:
    """`centers` (k, features) in the unit cube, and the mean cost of each group `costs` (groups,)."""

    centers: Floats
    costs: Floats


def group_costs(cells: Cells, members: Floats, centers: Floats) -> Floats:
    """Mean squared distance to the nearest center of each group, given its `members` (groups, joint groups)."""
    costs: Floats = members @ cells.sums(cells.distances(centers).min(axis=1)) / np.maximum(members @ cells.totals(), 1e-9)
    return costs


def fair_lloyd(cells: Cells, members: Floats, start: Floats) -> Blind:
    """The centers with the lowest worst group's mean cost that are met on the way; those of the start are among them."""
    centers, best, worst = start, start, np.inf
    for _ in range(ITERATIONS):
        now = float(group_costs(cells, members, centers).max())
        if now < worst:
            best, worst = centers, now
        moved = _minimax(cells, members, centers)
        if np.abs(moved - centers).max() < 1e-6:
            break
        centers = moved
    return Blind(best, group_costs(cells, members, best))


def _minimax(cells: Cells, members: Floats, centers: Floats) -> Floats:
    """For fixed segments the centers that minimize the greatest of the groups' mean costs (section 4.1).

    For weights w over groups the best center of a segment is the mean of its groups' means, weighted by w_g n_gj / n_g.
    """
    k, groups = len(centers), len(members)
    nearest = cells.distances(centers).argmin(axis=1)
    shape = (groups, k)
    size, squares, sums = np.zeros(shape), np.zeros(shape), np.zeros((*shape, cells.points.shape[1]))
    for g in range(groups):
        weight = cells.weights * members[g, cells.groups]
        size[g] = np.bincount(nearest, weights=weight, minlength=k)
        squares[g] = np.bincount(nearest, weights=weight * (cells.points**2).sum(axis=1), minlength=k)
        for d, column in enumerate(cells.points.T):
            sums[g, :, d] = np.bincount(nearest, weights=weight * column, minlength=k)
    total = np.maximum(size.sum(axis=1), 1e-9)
    logs, found, least = np.zeros(groups), centers, np.inf
    for step in range(1, WEIGHT_STEPS + 1):
        w = np.exp(logs - logs.max())
        shares = (w / w.sum() / total)[:, None]
        mass = (shares * size).sum(axis=0)[:, None]
        trial = np.where(mass > 0, (shares[..., None] * sums).sum(axis=0) / np.where(mass > 0, mass, 1.0), centers)
        spread = squares - 2 * (sums * trial).sum(axis=2) + size * (trial**2).sum(axis=1)
        costs = spread.sum(axis=1) / total
        if costs.max() < least:
            found, least = trial, float(costs.max())
        logs += RATE / np.sqrt(step) * costs / max(float(costs.max()), 1e-12)
    return found
