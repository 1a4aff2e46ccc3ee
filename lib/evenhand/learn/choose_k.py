"""The number of segments, chosen on the private summary where the plan gives a range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.boxes import Summary
from evenhand.learn.cluster import Fit, fast_fit, squared_distances
from evenhand.learn.spread import room

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """One k of the curve: the fit, and the criterion."""

    fit: Fit
    silhouette: float

    @property
    def k(self) -> int:
        return self.fit.k


def choose_k(summary: Summary, candidates: range, restarts: int) -> tuple[int, list[Choice]]:
    """The k with the greatest simplified silhouette, and the curve over all candidates; no curve for a fixed k."""
    if len(candidates) == 1:
        return candidates[0], []
    most = room(summary)
    curve = [_judged(summary, fast_fit(summary, k, restarts)) for k in candidates if k <= most]
    if not curve:
        return candidates[0], []
    return max(curve, key=lambda c: c.silhouette).k, curve


def _judged(summary: Summary, fit: Fit) -> Choice:
    return Choice(fit, simplified_silhouette(summary, fit))


def simplified_silhouette(summary: Summary, fit: Fit) -> float:
    """Weighted mean of the points' silhouettes; from 0 to 1, greater is better apart."""
    return float(np.average(silhouettes(summary.points, fit.centers), weights=summary.weights))


def silhouettes(points: Floats, centers: Floats) -> Floats:
    """(b - a) / max(a, b), a and b the distances to the nearest and the second nearest center, shape (points,).

    Hruschka, de Castro, Campello, "Evolutionary algorithms for clustering gene-expression data", ICDM 2004.
    """
    two = np.sqrt(np.partition(squared_distances(points, centers), 1, axis=1)[:, :2])
    a, b = two[:, 0], two[:, 1]
    return np.where(b > 0, (b - a) / np.where(b > 0, b, 1), 0.0)
