"""Intervals of what is learned from the boxes: how far their noise moves the centers, and the costs of the fits.

Centers and the places of points are taken as they are published; bounded is what the same centers and places give when
the boxes are counted without noise. Intervals are rather too wide than too narrow.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.boxes import COUNT, OFFSETS, Summary
from evenhand.learn.choose_k import silhouettes
from evenhand.learn.cluster import Fit, squared_distances
from evenhand.plan.geometry import STEPS, Boxes, offset_factors
from evenhand.privacy.intervals import EACH_OF_TWO, LEVEL, quotient_ends, sum_reach
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
Ends = tuple[float, float]


def center_ends(release: Release, boxes: Boxes, centers: Floats, kept: Summary) -> tuple[Floats, Floats]:
    """From and to, (k, features) each, of the mean of the customers in all boxes that are nearest to each center.

    All boxes, empty or not: the kept ones are those that the noise made larger, the noise of all adds up to nothing on
    average. A box is where `nearest_boxes` takes it. A mean is a sum of offsets over a count; both are taken to their ends.
    Where no box is nearest, nothing is known: the whole range. `centers` are in fixed point.
    """
    counts, of_count, excess = release[COUNT].astype(np.float64), release.noise(COUNT).deviation, _excess(release)
    factors, numbers = offset_factors(boxes.halves, release.parts[OFFSETS].unit), boxes.numbers
    sums, of_sums = np.zeros(boxes.centers.shape), np.zeros(boxes.centers.shape)  # of categories nothing is asked inside of boxes
    sums[:, numbers] = release[OFFSETS].reshape(factors.shape) / factors
    of_sums[:, numbers] = release.noise(OFFSETS).deviation / factors
    # Sums of numbers are from a box's center. Where a box holds several categories, any of them may be all of it.
    lowest, highest = (end.astype(np.float64) for end in boxes.ends)
    froms = (lowest.copy(), highest.copy())
    for start in froms:
        start[:, numbers] = boxes.centers[:, numbers]
    nearest = nearest_boxes(boxes, centers, kept)
    low, high = np.zeros_like(centers), np.full_like(centers, STEPS - 1)
    for segment in np.unique(nearest):
        own, center = nearest == segment, centers[segment]
        slack = float(sum_reach(np.full(own.sum(), of_count), excess, EACH_OF_TWO))
        totals = []
        for start, side in zip(froms, (-1, 1), strict=True):
            away = start[own] - center
            reach = sum_reach(np.concatenate([of_count * away, of_sums[own]]), excess, EACH_OF_TWO)
            totals.append(sums[own].sum(axis=0) + counts[own] @ away + side * reach)
        ends = quotient_ends(totals[0], totals[1], counts[own].sum() - slack, counts[own].sum() + slack)
        least, most = (lowest[own] - center).min(axis=0), (highest[own] - center).max(axis=0)
        low[segment] = center + np.clip(np.fmin(ends[0], 0.0), least, most)
        high[segment] = center + np.clip(np.fmax(ends[1], 0.0), least, most)
    return np.fmin(low, centers), np.fmax(high, centers)


def nearest_boxes(boxes: Boxes, centers: Floats, kept: Summary) -> NDArray[np.int64]:
    """The center nearest to each box, shape (boxes,): to its published mean where it has one, to its middle elsewhere."""
    places = boxes.centers.astype(np.float64)
    places[kept.boxes] = kept.points
    nearest: NDArray[np.int64] = squared_distances(places, centers, kept.stretch).argmin(axis=1)
    return nearest


def cost_ends(release: Release, boxes: Boxes, points: Summary, fit: Fit) -> Ends:
    """From and to of what the fit costs (unit cube, stretched) on the exact counts of the boxes of `points`."""
    costs, weights = _by_box(points, boxes, lambda places: _paid(places, fit.centers, points.stretch))
    cost, reach = float(weights @ costs), _reach_of_kept(release, costs)
    return max(cost - reach, 0.0), cost + reach


def silhouette_ends(release: Release, boxes: Boxes, points: Summary, fit: Fit) -> Ends:
    """From and to of the simplified silhouette that the fit has on the exact counts of the boxes of `points`.

    A mean silhouette v over counts n + x with x the noise is wrong by the sum of x (s - v) over that of the counts, with v
    the exact one, which is as far from the noisy one as the interval is wide: hence the divisor.
    """
    apart, weights = _by_box(points, boxes, lambda places: silhouettes(places, fit.centers, points.stretch))
    size, people = float(weights.sum()), _reach_of_kept(release, np.ones(len(apart)))
    mean = float(weights @ apart) / size
    off = _reach_of_kept(release, np.abs(apart - mean)) / (size - people) if size > people else 1.0
    return max(mean - off, 0.0), min(mean + off, 1.0)


def _reach_of_kept(release: Release, each: Floats) -> float:
    """How far the noise of counts times `each` (boxes,) adds up, over whichever boxes the noise itself has kept.

    Not more than all noise of one sign adds up to: half of its absolute value on average, which is at most the deviation.
    """
    terms = release.noise(COUNT).deviation * each
    return float(terms.sum() / 2 + sum_reach(terms, _excess(release), LEVEL))


def _excess(release: Release) -> float:
    return max(release.noise(part).excess_kurtosis for part in release.parts)


def _paid(points: Floats, centers: Floats, stretch: Floats | float) -> Floats:
    return squared_distances(points, centers, stretch).min(axis=1)  # type: ignore[no-any-return]


def _by_box(points: Summary, boxes: Boxes, of: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """Of all boxes, shape (boxes,): a figure's mean over the points of each, or that of its middle where it has none; the weights."""
    number = np.bincount(points.boxes, minlength=boxes.count)
    sums = np.bincount(points.boxes, of(points.points), boxes.count)
    means = np.where(number > 0, sums / np.maximum(number, 1), of(boxes.centers.astype(np.float64)))
    weights = np.bincount(points.boxes, points.weights, boxes.count).astype(np.float64)
    return means, weights
