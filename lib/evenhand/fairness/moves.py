"""Who moves to another segment so that the bounds hold among the customers: a small linear program over counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from evenhand.fairness.assignment import Moves
from evenhand.fairness.bounds import Constraints
from evenhand.fairness.estimate import LEAST_NEAR, Presence
from evenhand.fairness.program import solved

Floats = NDArray[np.float64]
SHORTFALL, SAFE = 1000.0, 7.0  # in mean costs: what a missing customer costs in an average segment; one above is worth
SAFETY = (1.0, 0.1)  # of that worth, for the first and second deviation of the noise above the bound
SPARE = 5.0  # customers of the first besides; nobody can be divided, and the hash divides evenly on average only
MOST_SAFE = 0.25  # of a segment: one that is nearly empty is not filled for the sake of its margin
LEAST_SIZE = 50.0  # customers of a segment, below which a missing one is no worse
CHANGE = 0.3  # in mean costs, of every move that was not there before: known moves are better known than new ones
LEAST_STAY = 1.0  # customers
ORIGINS = 10  # segments from which those who are not near may go to another one: those where it costs least


def chosen(
    presence: Presence,
    costs: Floats,
    prices: Floats,
    before: Moves,
    constraints: Constraints,
    edges: Floats,
    mean_cost: float,
    deviation: float,
    most_changed: Floats | float = np.inf,
) -> Moves:
    """The moves of least cost under which the bounds hold; what is missed counts by its share of the segment.

    `costs` (joint groups, k, k) of going from a segment to any other, `prices` (joint groups, k) at which customers choose,
    `before` the moves so far, `deviation` that of the last count's noise, `most_changed` by how much a share of those near, in
    the shape of `near`, may differ from the one before. Small segments are kept above their bound first: the same noise is more of them.
    """
    near, sizes = presence.near, presence.sizes
    joint, k = sizes.shape
    lines = len(constraints.coefficients) * k
    cells, arcs = np.argwhere(near >= LEAST_NEAR), _arcs(sizes, costs, constraints)
    if lines == 0 or len(cells) + len(arcs) == 0:
        return Moves.none(near.shape)
    at_cells, at_arcs = tuple(cells.T), tuple(arcs.T)
    group, first, second = np.concatenate([cells[:, :3], arcs]).T
    held = before.near[at_cells] * near[at_cells]
    change_near = np.broadcast_to(most_changed, near.shape)[at_cells] * near[at_cells]
    stay = np.maximum(sizes - (before.near * near).sum(axis=(2, 3)), 0.0)
    held = np.concatenate([held, before.far[at_arcs] * stay[at_arcs[:2]]])
    most = np.concatenate([near[at_cells], sizes[at_arcs[:2]]])
    # A lead is in distance and prices; what a move costs is the distance alone.
    lead, (of, here, there) = _middles(edges)[cells[:, 3]], at_cells[:3]
    price = np.concatenate([lead + prices[of, here] - prices[of, there], costs[at_arcs]])
    leaves = sparse.csr_matrix((np.ones(len(group)), (group * k + first, np.arange(len(group)))), shape=(joint * k, len(group)))
    flow = sparse.vstack([_flow(group, first, second, constraints, k), leaves]).tocsr()
    room = np.concatenate([constraints.surplus(sizes + presence.luck).ravel(), sizes.ravel()]) - flow @ held
    room[lines:] = np.maximum(room[lines:], 0.0)  # where more are near than there are, all of them may have left
    # Above and below the bounds, by segment; a customer is worth the more the smaller the segment is.
    step = np.repeat(deviation * np.linalg.norm(constraints.coefficients, axis=1), k)
    of_segment = np.maximum(sizes.sum(axis=0), 0.0)
    step = np.minimum(step, MOST_SAFE * np.tile(of_segment, lines // k))
    weight = mean_cost * np.tile(of_segment.mean() / np.maximum(of_segment, LEAST_SIZE), lines // k)
    one = sparse.vstack([sparse.eye(lines), sparse.csr_matrix((joint * k, lines))])
    system = sparse.hstack([flow, -flow, -one, *[one] * len(SAFETY)]).tocsr()
    changes = np.concatenate([change_near, np.full(len(arcs), np.inf)])
    change = CHANGE * mean_cost * held.any()
    worth = np.concatenate([SHORTFALL * weight, *(-SAFE * weight * share for share in SAFETY)])
    limits = np.concatenate(
        [
            np.minimum(np.maximum(most - held, 0.0), changes),
            np.minimum(held, changes),
            np.full(lines, np.inf),
            step + SPARE,
            *[step] * (len(SAFETY) - 1),
        ]
    )
    found = solved(
        np.concatenate([price + change, change - price, worth]),
        A_ub=system,
        b_ub=room,
        bounds=np.stack([np.zeros_like(limits), limits], axis=1),
    )
    more, less = np.split(found.x[: 2 * len(group)], 2)
    return _shares(presence, before, at_cells, at_arcs, held + more - less)


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


def _middles(edges: Floats) -> Floats:
    return (np.concatenate([[0.0], edges[:-1]]) + edges) / 2  # type: ignore[no-any-return]
