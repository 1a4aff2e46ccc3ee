"""First and second choice of segment on the cells, and from how far a segment draws that is too small for the boxes.

Who is nearest to a small segment far from everybody, the boxes cannot tell: of the few customers that a bound asks for there,
their noise is many times as many. So its prices are made to send too few rather than too many, and whoever could go there at
not too high a cost has it as second choice: the margins count those, and the moves take the nearest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from evenhand.mitigate.cells import Cells

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# All from trials. A segment is too small where a bound asks for fewer than so many deviations of the boxes' noise there ...
UNSURE = 3.0
NEAR_ENOUGH = 0.25  # ... of whom fewer than this share have it as second choice; for a group that would be
LARGE = 0.1  # of the segment.
LESS = 0.85  # of its prices
DRAWN = 1.5  # times as many as the bound asks for may go there


@dataclass(frozen=True)
class Choices:
    """Of each point the `first` and `second` segment, from 0, and the `bin` of the lead of the first, that of none from the
    last edge on.
    """

    first: Integers
    second: Integers
    bin: Integers
    bins: int

    @classmethod
    def of(cls, paid: Floats, edges: Floats, reach: Floats) -> Choices:
        """From what each point pays in each segment, and how far a segment draws it, (n, k); segments the largest first.

        Second is the smallest segment that draws the point, or else the next best.
        """
        row, first = np.arange(len(paid)), paid.argmin(axis=1)
        lead = paid - paid[row, first][:, None]
        draws = lead < reach
        lead[row, first], draws[row, first] = np.inf, False
        smallest = paid.shape[1] - 1 - draws[:, ::-1].argmax(axis=1)
        second = np.where(draws.any(axis=1), smallest, lead.argmin(axis=1))
        return cls(first, second, np.searchsorted(edges, lead[row, second], side="right"), len(edges))

    @property
    def is_near(self) -> NDArray[np.bool_]:
        return self.bin < self.bins


def drawing(cells: Cells, centers: Floats, shares: Floats, prices: Floats, edges: Floats, noise: float) -> tuple[Floats, Floats]:
    """The prices, lowered where a segment is too small, and how far such segments draw each joint group, (joint groups, k) each.

    `shares` (n, k) are the program's, `noise` the variance of a cell's weight.
    """
    distances, needed = cells.distances(centers), cells.table(shares)
    natural = Choices.of(distances + prices[cells.groups], edges, np.zeros_like(distances))
    members, near = np.zeros_like(needed), np.zeros_like(needed)
    np.add.at(members, (cells.groups, natural.first), 1.0)
    np.add.at(near, (cells.groups, natural.second), cells.weights * natural.is_near)
    unsure = (needed < UNSURE * np.sqrt(noise * members.max(axis=0))) & (near < NEAR_ENOUGH * needed)
    small = np.flatnonzero((unsure & (needed > LARGE * needed.sum(axis=0))).any(axis=0))
    prices, reach = prices.copy(), np.zeros_like(prices)
    prices[:, small] *= LESS
    paid = distances + prices[cells.groups]
    lead = paid - paid.min(axis=1, keepdims=True)
    for group, segment in product(range(cells.joint), small):
        others = np.flatnonzero((cells.groups == group) & (lead[:, segment] > 0))
        if len(others):
            nearest = others[np.argsort(lead[others, segment], kind="stable")]
            at = np.searchsorted(cells.weights[nearest].cumsum(), DRAWN * needed[group, segment])
            reach[group, segment] = min(lead[nearest[min(at, len(nearest) - 1)], segment], edges[-1])
    return prices, reach
