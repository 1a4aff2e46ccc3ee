"""Balanced segments on the cells: a linear program decides who goes where, alternated with moves of the centers.

The program's duals are prices: a customer of group g pays d(x, c_j) + price[g, j] in segment j and goes where that is
least. So a price list, a few numbers, holds the whole assignment, and a customer's own position decides, not the box's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from evenhand.errors import InfeasibleBounds
from evenhand.fairness.bounds import Constraints
from evenhand.fairness.cells import Cells

Floats = NDArray[np.float64]
ITERATIONS = 40
LEAST_GAIN = 3e-5  # of the cost, by an iteration, to go on
ROUNDING = 1e-4  # of the cost: how far a program over some columns may be from the one over all
REACH = 0.01  # squared distance in the unit cube; a program over the cells so near a border is solved in hundredths of a second
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
    centers, reach, last = start, np.inf if duals is None else REACH, np.inf
    duals = np.zeros((len(constraints.coefficients), len(start))) if duals is None else duals
    while True:
        found = assigned(cells, constraints, centers, duals, reach)
        reach, duals, rounds = REACH, found.duals, rounds - 1
        if rounds <= 0 or found.cost > last * (1 - LEAST_GAIN):
            return Balanced(centers, found.shares, found.duals, found.cost)
        last, centers = found.cost, _moved(cells, found.shares, centers)


def assigned(cells: Cells, constraints: Constraints, centers: Floats, duals: Floats, reach: float = np.inf) -> Assignment:
    """The cheapest assignment of the cells to fixed centers that meets the constraints (Bera et al. 2019, the fractional LP).

    `duals` are a guess: cells whose best segment leads by more than `reach` at those prices are fixed, the others keep
    the segments within it. The answer is checked against all segments, and found again with more of them if need be.
    """
    distances = cells.distances(centers)
    while True:
        solved = _program(cells, constraints, distances, duals, reach)
        if solved is None:
            if reach > 4 * max(float(distances.max()), REACH):
                raise InfeasibleBounds("fairness.mitigation.bounds: no assignment meets them all; nothing was published")
            reach *= 4
            continue
        reduced = distances + constraints.prices(solved.duals)[cells.groups]
        behind = (solved.shares * (reduced - reduced.min(axis=1, keepdims=True))).sum(axis=1) @ cells.weights
        if not np.isfinite(reach) or behind <= ROUNDING * solved.cost:
            return solved
        reach, duals = reach * 2, solved.duals


def _program(cells: Cells, constraints: Constraints, distances: Floats, duals: Floats, reach: float) -> Assignment | None:
    """HiGHS on the cells that are not fixed; None when they cannot meet the constraints."""
    n, k = distances.shape
    prices = constraints.prices(duals)[cells.groups]
    reduced = distances + prices
    paid = np.take_along_axis(prices, reduced.argmin(axis=1)[:, None], axis=1)
    # High prices are the least certain: a segment of few customers far from all others has one of a hundred times REACH.
    live = reduced <= reduced.min(axis=1, keepdims=True) + reach * (1 + DOUBT * (np.abs(prices) + np.abs(paid)))
    fixed = live.sum(axis=1) == 1
    shares = np.zeros((n, k))
    shares[fixed, reduced[fixed].argmin(axis=1)] = 1.0
    base = constraints.surplus(cells.table(shares))  # what the fixed cells leave
    free = np.flatnonzero(~fixed)
    row, segment = np.nonzero(live[free])
    cell = free[row]
    one = sparse.csr_matrix((np.ones(len(row)), (row, np.arange(len(row)))), shape=(len(free), len(row)))
    coefficients = constraints.coefficients[:, cells.groups[cell]] * cells.weights[cell]
    place = np.arange(len(coefficients))[:, None] * k + segment
    column = np.broadcast_to(np.arange(len(row)), place.shape)
    bound = sparse.csr_matrix((-coefficients.ravel(), (place.ravel(), column.ravel())), shape=(base.size, len(row)))
    if len(row) == 0:
        return None if (base < 0).any() else Assignment(shares, np.zeros_like(duals), _cost(cells, shares, distances))
    cost = distances[cell, segment] * cells.weights[cell]
    solved = linprog(cost, A_ub=bound, b_ub=base.ravel(), A_eq=one, b_eq=np.ones(len(free)), bounds=(0, None), method="highs-ds")
    if solved.status != 0:
        return None
    shares[cell, segment] = solved.x
    return Assignment(shares, -solved.ineqlin.marginals.reshape(duals.shape), _cost(cells, shares, distances))


def _cost(cells: Cells, shares: Floats, distances: Floats) -> float:
    return float((shares * distances).sum(axis=1) @ cells.weights)


def _moved(cells: Cells, shares: Floats, centers: Floats) -> Floats:
    mass = shares * cells.weights[:, None]
    size = mass.sum(axis=0)[:, None]
    means: Floats = np.where(size > 0, mass.T @ cells.points / np.where(size > 0, size, 1.0), centers)
    return means
