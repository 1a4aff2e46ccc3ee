"""The number of segments, chosen on the private summary where the plan gives a range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.boxes import Summary
from evenhand.learn.cluster import Fit, fast_fit, squared_distances
from evenhand.learn.spread import room
from evenhand.learn.spread_evenly import spread_evenly
from evenhand.plan.models import Prefer

Floats = NDArray[np.float64]
AS_GOOD = 0.02  # of the silhouette: by less, numbers of segments change places from restart to restart and from noise to noise
EVEN_RESTARTS = 4  # where there is nothing to find, one start is as good as another


@dataclass(frozen=True)
class Choice:
    """One k of the curve: the fit, the criterion, and what that comes to where customers are spread evenly."""

    fit: Fit
    silhouette: float
    evenly: float

    @property
    def k(self) -> int:
        return self.fit.k


def choose_k(summary: Summary, candidates: range, restarts: int, prefer: Prefer | None = None) -> tuple[int, list[Choice]]:
    """The k with the greatest simplified silhouette, and the curve over all candidates; no curve for a fixed k.

    Of several that are as good as each other the fewest or the most, where one of these is preferred.
    """
    if len(candidates) == 1:
        return candidates[0], []
    most = room(summary)
    even = spread_evenly(summary)
    curve = [_judged(summary, even, fast_fit(summary, k, restarts)) for k in candidates if k <= most]
    if not curve:
        return candidates[0], []
    best = max(curve, key=lambda c: c.silhouette)
    as_good = [c.k for c in curve if c.silhouette >= best.silhouette - AS_GOOD]
    return {None: best.k, "fewer": as_good[0], "more": as_good[-1]}[prefer], curve


def _judged(summary: Summary, even: Summary, fit: Fit) -> Choice:
    evenly = simplified_silhouette(even, fast_fit(even, fit.k, EVEN_RESTARTS))
    return Choice(fit, simplified_silhouette(summary, fit), evenly)


def simplified_silhouette(summary: Summary, fit: Fit) -> float:
    """Weighted mean of the points' silhouettes; from 0 to 1, greater is better apart."""
    return float(np.average(silhouettes(summary.points, fit.centers, summary.stretch), weights=summary.weights))


def silhouettes(points: Floats, centers: Floats, stretch: Floats | float) -> Floats:
    """(b - a) / max(a, b), a and b the distances to the nearest and the second nearest center, shape (points,).

    Hruschka, de Castro, Campello, "Evolutionary algorithms for clustering gene-expression data", ICDM 2004.
    """
    two = np.sqrt(np.partition(squared_distances(points, centers, stretch), 1, axis=1)[:, :2])
    a, b = two[:, 0], two[:, 1]
    return np.where(b > 0, (b - a) / np.where(b > 0, b, 1), 0.0)
