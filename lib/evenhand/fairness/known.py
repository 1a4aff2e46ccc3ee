"""Which groups are known well enough: to show their cells, to judge a whole table by, and to judge an offer by.

A group that is little known hides the others: its noise alone could make it the worst. So statistics are over the groups
that stand well out of the noise, and over those that are surely uneven; the others are named.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.rates import Interval
from evenhand.fairness.worst import near_ends
from evenhand.privacy.intervals import LEVEL, sum_half_width
from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
# Times as many as the noise reaches: the ratio of an average cell, or a rate, is then known to about a third.
WELL = 3.0


def with_cells(noisy: Floats, noise: Noise, minimum: float) -> Mask:
    """The groups whose average cell stands out of the noise and is not below the minimum, shape (groups,)."""
    return noisy.sum(axis=1) >= max(minimum, float(noise.half_width(LEVEL))) * noisy.shape[1]  # type: ignore[no-any-return]


def judged_by(noisy: Floats, noise: Noise, ratios: Interval, threshold: float) -> Mask:
    """Of the groups with cells those that a whole table is judged by, shape (groups,); all, where fewer than two are well known.

    Whoever has a cell that is surely beyond the threshold is judged too, or a table would be called even beside that cell.
    """
    well = noisy.sum(axis=1) >= WELL * float(noise.half_width(LEVEL)) * noisy.shape[1]
    beyond = (near_ends(ratios) < threshold).any(axis=1)
    return well | beyond if well.sum() >= 2 else np.ones(len(noisy), dtype=bool)


def with_rates(noisy: Floats, noise: Noise, minimum: float) -> Mask:
    """The groups that an offer is judged by, shape (groups,): their customers are known together, each cell may not be."""
    reach = sum_half_width(noise, noisy.shape[1], LEVEL)
    return noisy.sum(axis=1) >= max(WELL * reach, minimum)  # type: ignore[no-any-return]
