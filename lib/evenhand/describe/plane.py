"""The plane in which segments differ most: principal components of their centers, weighted by their sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """`axes` (2, features) have length 1. On them are the segments at `places`, and by noise no farther off than `reach`, (segments, 2)
    each. `held` is the share of the spread between segments that lies in the plane: value and ends.
    """

    axes: Floats
    places: Floats
    reach: Floats
    held: tuple[float, float, float]


def plane_of(centers: Floats, low: Floats, high: Floats, sizes: Floats) -> Plane | None:
    """Of centers and their ends, (segments, features), on the scale of distances. None where they are all in one place.

    Post-processing. The axes are chosen by noisy centers and then are what they are; places and share are on these axes. For
    the share the root of a sum of squares moves no more than the root of the errors' (triangle inequality).
    """
    weights = sizes / sizes.sum()
    apart = centers - weights @ centers
    spread = float(weights @ (apart**2).sum(axis=1))
    if spread <= 0:
        return None
    axes = np.linalg.svd(np.sqrt(weights)[:, None] * apart, full_matrices=False)[2][:2]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]  # to the right is high
    places, error = apart @ axes.T, np.maximum(high - centers, centers - low)
    inside = float(weights @ (places**2).sum(axis=1))
    moved = float(np.sqrt(weights @ (error**2).sum(axis=1)))
    within, outside = np.sqrt(inside), np.sqrt(max(spread - inside, 0.0))
    least = _share(max(within - moved, 0.0), outside + moved)
    most = _share(within + moved, max(outside - moved, 0.0))
    return Plane(axes, places, error @ np.abs(axes).T, (inside / spread, least, most))


def _share(within: float, outside: float) -> float:
    return within**2 / (within**2 + outside**2) if within > 0 else 0.0
