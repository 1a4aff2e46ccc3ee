"""Balanced segments on the cells: a linear program decides who goes where, alternated with moves of the centers.

The program's duals are prices: a customer of group g pays d(x, c_j) + price[g, j] in segment j and goes where that is
least. So a price list, a few numbers, holds the whole assignment, and a customer's own position decides, not the box's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evenhand.errors import InfeasibleBounds
from evenhand.mitigate.bounds import Constraints
from evenhand.mitigate.cells import Cells
from evenhand.mitigate.prices import MISSING, smooth_duals
from evenhand.mitigate.program import solved

Floats = NDArray[np.float64]
ITERATIONS = 40
LEAST_GAIN = 3e-5  # of the cost, by an iteration, to go on
ROUNDING = 1e-4  # of the cost: how far a program over some columns may be from the one over all
NOBODY = 1e-9  # of all customers
REACH = 0.003  # squared distance in the unit cube: how far from a border cells are decided by a program, given its prices nearly
MARGIN = 5e-4  # squared distance, for segments that would be cheaper
DOUBT = 20.0  # how much further it reaches, by price


@dataclass(frozen=True)
class Balanced:
    """`centers` (k, features) in the unit cube, `shares` (n, k) of each cell, `duals` (constraints, k), `cost` on the cells."""

    centers: Floats
    shares: Floats
    duals: Floats
    cost: float


@dataclass(frozen=True)
class Assignment:
    """`shares` (n, k) of each cell by segment, `duals` (constraints, k), `cost`."""

    shares: Floats
    duals: Floats
    cost: float


def balanced(
    cells: Cells, constraints: Constraints, start: Floats, duals: Floats | None = None, rounds: int = ITERATIONS
) -> Balanced:
    """Assignment and centers in turn from some centers, until the cost stops falling; the cost never rises."""
    centers, last = start, np.inf
    duals = smooth_duals(cells, constraints, start, duals)
    while True:
        found = assigned(cells, constraints, centers, duals)
        duals, rounds = found.duals, rounds - 1
        if rounds <= 0 or found.cost > last * (1 - LEAST_GAIN):
            return Balanced(centers, found.shares, found.duals, found.cost)
        last, centers = found.cost, _moved(cells, found.shares, centers)


def assigned(cells: Cells, constraints: Constraints, centers: Floats, duals: Floats, reach: float = REACH) -> Assignment:
    """The cheapest assignment of the cells to fixed centers that meets the constraints (Bera et al. 2019, the fractional LP).

    `duals` are a guess: a cell is let into the segments that are within `reach` of its best at those prices, and fixed where
    that is one alone. Then into those that are cheaper at the prices found, until what is left to gain is a rounding of the cost.
    """
    distances = cells.distances(centers)
    live, margin = _within(cells, constraints, distances, duals, reach), MARGIN
    while True:
        found, missing = _program(cells, constraints, distances, live)
        reduced = distances + constraints.prices(found.duals)[cells.groups]
        behind = (found.shares * (reduced - reduced.min(axis=1, keepdims=True))).sum(axis=1) @ cells.weights
        met = missing <= NOBODY * cells.weights.sum()
        if met and (live.all() or behind <= ROUNDING * found.cost):
            return found
        if live.all():
            raise InfeasibleBounds("fairness.mitigation.bounds: no assignment meets them all; nothing was published")
        live |= reduced <= reduced.min(axis=1, keepdims=True) + margin
        margin *= 2


def _within(cells: Cells, constraints: Constraints, distances: Floats, duals: Floats, reach: float) -> NDArray[np.bool_]:
    prices = constraints.prices(duals)[cells.groups]
    reduced = distances + prices
    paid = np.take_along_axis(prices, reduced.argmin(axis=1)[:, None], axis=1)
    # High prices are the least certain: a segment of few customers far from all others has a price of hundreds of times REACH.
    live: NDArray[np.bool_] = reduced <= reduced.min(axis=1, keepdims=True) + reach * (
        1 + DOUBT * (np.abs(prices) + np.abs(paid))
    )
    return live


def _program(cells: Cells, constraints: Constraints, distances: Floats, live: NDArray[np.bool_]) -> tuple[Assignment, float]:
    """HiGHS on the cells that are not fixed, and how many customers the bounds miss, at a price above any other."""
    n, k = distances.shape
    fixed = live.sum(axis=1) == 1
    shares = np.zeros((n, k))
    shares[fixed, live[fixed].argmax(axis=1)] = 1.0
    base = constraints.surplus(cells.table(shares)).ravel()  # what the fixed cells leave
    free = np.flatnonzero(~fixed)
    row, segment = np.nonzero(live[free])
    cell, count = free[row], len(row)
    coefficients = constraints.coefficients[:, cells.groups[cell]] * cells.weights[cell]
    place = np.arange(len(coefficients))[:, None] * k + segment
    column = np.broadcast_to(np.arange(count), place.shape)
    bound = sparse.csr_matrix((-coefficients.ravel(), (place.ravel(), column.ravel())), shape=(base.size, count))
    bound = sparse.hstack([bound, -sparse.eye(base.size)]).tocsr()
    one = sparse.csr_matrix((np.ones(count), (row, np.arange(count))), shape=(len(free), count + base.size))
    price = np.concatenate([distances[cell, segment] * cells.weights[cell], np.full(base.size, MISSING * distances.max())])
    if price.size == 0:
        return Assignment(shares, base.reshape(-1, k), _cost(cells, shares, distances)), 0.0
    found = solved(price, A_ub=bound, b_ub=base, A_eq=one, b_eq=np.ones(len(free)), bounds=(0, None))
    shares[cell, segment] = found.x[:count]
    duals = -found.ineqlin.marginals.reshape(-1, k)
    return Assignment(shares, duals, _cost(cells, shares, distances)), float(found.x[count:].sum())


def _cost(cells: Cells, shares: Floats, distances: Floats) -> float:
    return float((shares * distances).sum(axis=1) @ cells.weights)


def _moved(cells: Cells, shares: Floats, centers: Floats) -> Floats:
    mass = shares * cells.weights[:, None]
    size = mass.sum(axis=0)[:, None]
    means: Floats = np.where(size > 0, mass.T @ cells.points / np.where(size > 0, size, 1.0), centers)
    return means
