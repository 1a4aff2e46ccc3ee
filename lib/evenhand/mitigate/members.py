"""Centers that describe who is in a balanced segment, beside those by which customers choose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.assignment.fair_map import Moves
from evenhand.mitigate.cells import Cells
from evenhand.mitigate.choices import Choices
from evenhand.mitigate.estimate import LEAST_NEAR, Presence

Floats = NDArray[np.float64]
MOST_TIMES = 3.0  # how much larger than the boxes said a cell may turn out to be
TRUST = 0.8  # of the shift; from trials
SURELY = 2.0  # deviations of the noise of a segment's count, of all joint groups together


def members_centers(
    cells: Cells, centers: Floats, choices: Choices, boxes: Presence, presence: Presence, moves: Moves, deviation: float
) -> Floats:
    """Centers (k, features) shifted from the means of those nearest to them to those of their members, as far as known.

    Who comes from elsewhere and who leaves stands where the boxes say, as many as the counts say: `boxes` are what the boxes
    let expect, `presence` is the last estimate. A segment of which the last count, whose noise has this `deviation`, does not
    surely hold anybody keeps its center.
    """
    group, near, row = cells.groups, choices.is_near, np.arange(len(cells.weights))
    own = (group, choices.first)
    at = tuple(a[near] for a in (*own, choices.second, choices.bin))
    times, moved = (presence.rest / np.maximum(boxes.rest, LEAST_NEAR))[own], np.zeros(len(row))
    times[near], moved[near] = presence.near[at] / np.maximum(boxes.near[at], LEAST_NEAR), moves.near[at]
    weights = cells.weights * np.clip(times, 0.0, MOST_TIMES)
    goes = (1 - moved)[:, None] * moves.far[own]
    goes[row, choices.first] += (1 - moved) * (1 - moves.far[own].sum(axis=1))
    goes[row, choices.second] += moved
    nearest = np.zeros_like(goes)
    nearest[row, cells.distances(centers).argmin(axis=1)] = 1.0
    # A center is known better than the boxes know the mean of those nearest to it: what is read from them is how far those who
    # stay are from that mean. Taking off who leaves instead would divide its error by the few who stay.
    before, stay, came = (weights[:, None] * of for of in (nearest, goes * nearest, goes * (1 - nearest)))
    shift = stay.sum(axis=0)[:, None] * (_means(stay, cells) - _means(before, cells))
    shift += came.T @ cells.points - came.sum(axis=0)[:, None] * centers
    size = (weights @ goes)[:, None]
    surely = np.maximum(size, 1.0) > SURELY * deviation * np.sqrt(cells.joint)
    return centers + np.where(surely, TRUST * shift / np.maximum(size, 1.0), 0.0)  # type: ignore[no-any-return]


def _means(weights: Floats, cells: Cells) -> Floats:
    """Of the cells in shares (n, k) of customers; 0 where nobody is."""
    means: Floats = weights.T @ cells.points / np.maximum(weights.sum(axis=0), 1e-9)[:, None]
    return means
