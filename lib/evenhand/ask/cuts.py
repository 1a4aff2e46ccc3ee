"""Where to cut one feature so that its intervals are as narrow as they can be, seen from a histogram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cut:
    """`edges` in bins, from 0 to the number of bins; `spread` the variance that is left inside, in squared bins."""

    edges: tuple[int, ...]
    spread: float


def best_cuts(shares: NDArray[np.float64], most: int) -> list[Cut]:
    """The cuts into 1, 2, ... intervals that leave the least variance inside, exactly; shorter when nothing is left to cut.

    k-means in one dimension by dynamic programming (Wang and Song, "Ckmeans.1d.dp", The R Journal, 2011).
    """
    bins = len(shares)
    inside = _inside(shares)
    cost = inside[0].copy()  # of bins 0 to i-1 in the intervals so far
    back: list[NDArray[np.int64]] = []
    found = [Cut((0, bins), float(cost[-1]))]
    for _ in range(2, min(most, bins) + 1):
        tried = cost[:, None] + inside
        back.append(tried.argmin(axis=0))
        cost = tried.min(axis=0)
        edges = [bins]
        for arrow in reversed(back):
            edges.append(int(arrow[edges[-1]]))
        found.append(Cut((0, *reversed(edges)), float(cost[-1])))
        if not np.isfinite(cost[-1]):
            return found[:-1]
    return found


def _inside(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of squared distances from their mean of bins a to b-1, evenly filled, shape (bins + 1, bins + 1); inf where a >= b."""
    middles = np.arange(len(shares)) + 0.5
    moments = [np.concatenate([[0.0], np.cumsum(shares * m)]) for m in (np.ones_like(middles), middles, middles**2 + 1 / 12)]
    mass, first, second = (m[None, :] - m[:, None] for m in moments)
    safe = np.where(mass > 1e-12, mass, 1.0)
    spread = np.where(mass > 1e-12, np.maximum(second - first**2 / safe, 0.0), 0.0)
    ahead = np.arange(len(shares) + 1)
    return np.where(ahead[None, :] > ahead[:, None], spread, np.inf)
