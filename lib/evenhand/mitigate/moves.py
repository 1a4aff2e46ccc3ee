"""Who moves to another segment so that the bounds hold among the customers: a small linear program over counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evenhand.assignment.fair_map import Moves
from evenhand.mitigate.bounds import Constraints
from evenhand.mitigate.estimate import LEAST_NEAR, Presence
from evenhand.mitigate.program import solved

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
SHORTFALL, SAFE = 1000.0, 7.0  # in mean costs: what a missing customer costs in an average segment; one above is worth
SAFETY = (1.0, 0.1)  # of that worth, for the first and second deviation of the noise above the bound
SPARE = 5.0  # customers of the first besides; nobody can be divided, and the hash divides evenly on average only
MOST_SAFE = 0.25  # of a segment: one that is nearly empty is not filled for the sake of its margin
LEAST_SIZE = 50.0  # customers of a segment, below which a missing one is no worse
CHANGE = 0.3  # in mean costs, of every move that was not there before: known moves are better known than new ones
LEAST_STAY = 1.0  # customers
ORIGINS = 10  # segments from which those who are not near may go to another one: those where it costs least


@dataclass(frozen=True)
class Terms:
    """What moves cost: `costs` (joint groups, k, k) of going from a segment to any other, for those who are not near it;
    `prices` (joint groups, k) and `edges` (bins,) by which those near their next chose; `mean_cost` of a customer.
    """

    costs: Floats
    prices: Floats
    edges: Floats
    mean_cost: float

    def near(self, group: Integers, first: Integers, second: Integers, bins: Integers) -> Floats:
        """Of going to the next segment: the lead is in distance and prices, what a move costs is the distance alone."""
        lead = (np.concatenate([[0.0], self.edges[:-1]]) + self.edges) / 2
        return lead[bins] + self.prices[group, first] - self.prices[group, second]  # type: ignore[no-any-return]


def chosen(
    presence: Presence,
    terms: Terms,
    before: Moves,
    constraints: Constraints,
    deviation: float,
    most_changed: Floats | float = np.inf,
) -> Moves:
    """The moves of least cost under which the bounds hold; what is missed counts by its share of the segment.

    `before` are the moves so far, `deviation` is that of the last count's noise, `most_changed` by how much a share of those
    near, in the shape of `near`, may differ from the one before.
    """
    near, sizes = presence.near, presence.sizes
    joint, k = sizes.shape
    lines = len(constraints.coefficients) * k
    cells, arcs = np.argwhere(near >= LEAST_NEAR), _arcs(sizes, terms.costs, constraints)
    if lines == 0 or len(cells) + len(arcs) == 0:
        return Moves.none(near.shape)
    at_cells, at_arcs = tuple(cells.T), tuple(arcs.T)
    group, first, second = np.concatenate([cells[:, :3], arcs]).T
    stay = np.maximum(sizes - (before.near * near).sum(axis=(2, 3)), 0.0)
    held = np.concatenate([before.near[at_cells] * near[at_cells], before.far[at_arcs] * stay[at_arcs[:2]]])
    most = np.concatenate([near[at_cells], sizes[at_arcs[:2]]])
    changes = np.broadcast_to(most_changed, near.shape)[at_cells] * near[at_cells]
    changes = np.concatenate([changes, np.full(len(arcs), np.inf)])
    leaves = sparse.csr_matrix((np.ones(len(group)), (group * k + first, np.arange(len(group)))), shape=(joint * k, len(group)))
    flow = sparse.vstack([_flow(group, first, second, constraints, k), leaves]).tocsr()
    room = np.concatenate([constraints.surplus(sizes + presence.luck).ravel(), sizes.ravel()]) - flow @ held
    room[lines:] = np.maximum(room[lines:], 0.0)  # where more are near than there are, all of them may have left
    worth, limits = _above_and_below(sizes.sum(axis=0), constraints, deviation, terms.mean_cost)
    one = sparse.vstack([sparse.eye(lines), sparse.csr_matrix((joint * k, lines))])
    price = np.concatenate([terms.near(*at_cells), terms.costs[at_arcs]])
    change = CHANGE * terms.mean_cost * held.any()
    limits = np.concatenate([np.minimum(np.maximum(most - held, 0.0), changes), np.minimum(held, changes), limits])
    found = solved(
        np.concatenate([price + change, change - price, worth]),
        A_ub=sparse.hstack([flow, -flow, -one, *[one] * len(SAFETY)]).tocsr(),
        b_ub=room,
        bounds=np.stack([np.zeros_like(limits), limits], axis=1),
    )
    more, less = np.split(found.x[: 2 * len(group)], 2)
    return _shares(presence, before, at_cells, at_arcs, held + more - less)


def _above_and_below(of_segment: Floats, constraints: Constraints, deviation: float, mean_cost: float) -> tuple[Floats, Floats]:
    """What customers cost who are missing, then what those are worth who are above the bounds, and how many at most.

    By constraint and segment, of `of_segment` (k,) customers: the more the smaller the segment is, since the same noise is more of it.
    """
    constraint_count = len(constraints.coefficients)
    of_segment = np.tile(np.maximum(of_segment, 0.0), constraint_count)
    step = np.repeat(deviation * np.linalg.norm(constraints.coefficients, axis=1), len(of_segment) // constraint_count)
    step = np.minimum(step, MOST_SAFE * of_segment)
    weight = mean_cost * of_segment.mean() / np.maximum(of_segment, LEAST_SIZE)
    worth = [SHORTFALL * weight, *(-SAFE * weight * share for share in SAFETY)]
    return np.concatenate(worth), np.concatenate([np.full(len(step), np.inf), step + SPARE, *[step] * (len(SAFETY) - 1)])


def _arcs(sizes: Floats, costs: Floats, constraints: Constraints) -> NDArray[np.int64]:
    """Joint group, segment and other segment, for all groups that a bound is about."""
    k = sizes.shape[1]
    known = np.flatnonzero(np.abs(constraints.coefficients).sum(axis=0) > 0)
    cheapest = np.argsort(costs + np.where(np.eye(k, dtype=bool), np.inf, 0.0), axis=1)[:, : min(ORIGINS, k - 1)]
    group, rank, second = np.meshgrid(known, np.arange(cheapest.shape[1]), np.arange(k), indexing="ij")
    first = cheapest[group, rank, second]
    arcs = np.stack([a.ravel() for a in (group, first, second)], axis=1)
    return arcs[sizes[arcs[:, 0], arcs[:, 1]] >= 1]  # type: ignore[no-any-return]


def _flow(group: Floats, first: Floats, second: Floats, constraints: Constraints, k: int) -> sparse.csr_matrix:
    """What a customer who moves takes from the surplus of every constraint and segment, shape (constraints * k, moves)."""
    coefficients = constraints.coefficients[:, group]
    place = np.arange(len(coefficients))[:, None] * k
    lines = np.concatenate([(place + first).ravel(), (place + second).ravel()])
    column = np.broadcast_to(np.arange(len(group)), coefficients.shape).ravel()
    values = np.concatenate([coefficients.ravel(), -coefficients.ravel()])
    return sparse.csr_matrix((values, (lines, np.tile(column, 2))), shape=(len(coefficients) * k, len(group)))


def _shares(
    presence: Presence,
    before: Moves,
    at_cells: tuple[NDArray[np.int64], ...],
    at_arcs: tuple[NDArray[np.int64], ...],
    moved: Floats,
) -> Moves:
    moves = Moves.none(presence.near.shape)
    to_next, anywhere = np.split(moved, [len(at_cells[0])])
    moves.near[at_cells] = np.clip(to_next / presence.near[at_cells], 0.0, 1.0)
    stay = presence.sizes - (moves.near * presence.near).sum(axis=(2, 3))
    moves.far[at_arcs] = np.clip(anywhere / np.maximum(stay[at_arcs[:2]], LEAST_STAY), 0.0, 1.0)
    # Where hardly anybody is thought to be left, whoever is goes where it went before.
    moves.far[:] = np.where(stay[:, :, None] < LEAST_STAY, before.far, moves.far)
    moves.far[:] /= np.maximum(moves.far.sum(axis=2, keepdims=True), 1.0)
    return moves
