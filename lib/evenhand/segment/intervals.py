"""Intervals of what is learned from the boxes: how far their noise moves the centers, and the costs of the fits.

Centers and the places of points are taken as they are published; bounded is what the same centers and places give when
the boxes are counted without noise. Intervals are rather too wide than too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.plan.geometry import Boxes, offset_factors
from evenhand.privacy.intervals import LEVEL, quotient_ends, sum_reach
from evenhand.privacy.release import Release
from evenhand.privacy.summary import COUNT, OFFSETS, Summary
from evenhand.segment.choose_k import silhouettes
from evenhand.segment.cluster import Fit, squared_distances

Floats = NDArray[np.float64]
Ends = tuple[float, float]
EACH = 1 - (1 - LEVEL) / 2  # of a sum and a count, so that both hold with 95 %


@dataclass(frozen=True)
class FitInterval:
    """From and to, of the cost (unit cube) and of the simplified silhouette."""

    cost: Ends
    silhouette: Ends


def center_ends(release: Release, boxes: Boxes, centers: Floats) -> tuple[Floats, Floats]:
    """From and to, (k, features) each, of the mean of the customers in all boxes whose middle is nearest to each center.

    All boxes, empty or not: the kept ones are those that the noise made larger, the noise of all adds up to nothing on
    average. A mean is a sum of offsets over a count; both are taken to their ends. `centers` are in fixed point.
    """
    counts, of_count, excess = release[COUNT].astype(np.float64), release.noise(COUNT).deviation, _excess(release)
    factors = offset_factors(boxes.halves, release.parts[OFFSETS].unit)
    sums, of_sums = release[OFFSETS].reshape(factors.shape) / factors, release.noise(OFFSETS).deviation / factors
    nearest = squared_distances(boxes.centers.astype(np.float64), centers).argmin(axis=1)
    low, high = centers.copy(), centers.copy()
    for segment in range(len(centers)):
        own = nearest == segment
        if not own.any():
            continue
        away = boxes.centers[own] - centers[segment]
        least, most = (away - boxes.halves[own]).min(axis=0), (away + boxes.halves[own]).max(axis=0)
        total = sums[own].sum(axis=0) + counts[own] @ away
        reach = sum_reach(np.concatenate([of_count * away, of_sums[own]]), excess, EACH)
        slack = float(sum_reach(np.full(own.sum(), of_count), excess, EACH))
        ends = quotient_ends(total - reach, total + reach, counts[own].sum() - slack, counts[own].sum() + slack)
        low[segment] += np.clip(np.fmin(ends[0], 0.0), least, most)
        high[segment] += np.clip(np.fmax(ends[1], 0.0), least, most)
    return np.fmin(low, centers), np.fmax(high, centers)


def fit_interval(release: Release, boxes: Boxes, points: Summary, fit: Fit) -> FitInterval:
    """Of what the fit costs, and how far apart its segments are, on the exact counts of the boxes of `points`.

    A mean silhouette v over counts n + x with x the noise is wrong by the sum of x (s - v) over that of the counts, with v
    the exact one, which is as far from the noisy one as the interval is wide: hence the divisor.
    """
    middles = boxes.centers.astype(np.float64)
    costs = _by_box(points, _paid(points.points, fit.centers), _paid(middles, fit.centers))
    apart = _by_box(points, silhouettes(points.points, fit.centers), silhouettes(middles, fit.centers))
    weights = np.bincount(points.boxes, points.weights, len(middles))
    size, cost = float(weights.sum()), float(weights @ costs)
    mean = float(weights @ apart) / size
    reach, people = _reach_of_kept(release, costs), _reach_of_kept(release, np.ones(len(costs)))
    off = _reach_of_kept(release, np.abs(apart - mean)) / (size - people) if size > people else 1.0
    return FitInterval((max(cost - reach, 0.0), cost + reach), (max(mean - off, 0.0), min(mean + off, 1.0)))


def _reach_of_kept(release: Release, each: Floats) -> float:
    """How far the noise of counts times `each` (boxes,) adds up, over whichever boxes the noise itself has kept.

    Not more than all noise of one sign adds up to: half of its absolute value on average, which is at most the deviation.
    """
    terms = release.noise(COUNT).deviation * each
    return float(terms.sum() / 2 + sum_reach(terms, _excess(release), LEVEL))


def _excess(release: Release) -> float:
    return max(release.noise(part).excess_kurtosis for part in release.parts)


def _paid(points: Floats, centers: Floats) -> Floats:
    return squared_distances(points, centers).min(axis=1)  # type: ignore[no-any-return]


def _by_box(points: Summary, of_points: Floats, of_middles: Floats) -> Floats:
    """Means over the points of each box; of its middle where the box has none."""
    number = np.bincount(points.boxes, minlength=len(of_middles))
    sums = np.bincount(points.boxes, of_points, len(of_middles))
    return np.where(number > 0, sums / np.maximum(number, 1), of_middles)
