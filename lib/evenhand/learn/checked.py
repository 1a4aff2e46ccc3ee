"""Segments that noise made: asked for, and taken out of the summary before the segments are refined.

A box far from everybody that only noise fills draws a center to it: one such box costs k-means more than it is to divide a
true segment worse. Counting the customers of each segment tells those apart from small true ones, whose boxes are too
small to stand out one by one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.boxes import Summary
from evenhand.ask.sizes import SIZES, segment_sizes
from evenhand.assignment.nearest import rounded_centers
from evenhand.learn.cluster import Fit, fast_fit, squared_distances
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.privacy.question import Integers
from evenhand.privacy.release import Ask

# Scales of the noise, under which a segment counts as empty, by one count and by the mean of two. An empty one passes the first
# one time in forty, both one time in two thousand.
MADE_BELOW = (3.0, 4.0)
SURE_FROM = 6.5  # scales of the noise of a box, which one empty box in a thousand exceeds; from trials


def checked(ask: Ask, fit: Fit, points: Summary, noise: float, plan: Plan) -> tuple[Fit, Summary]:
    """The fit and the summary without segments that noise made; `noise` is the scale of that on the count of a box.

    Segments that pass are counted once more, and both counts judged together.
    """
    counted: list[Integers] = []
    for number in range(1, len(Method.of(plan).checks) + 1):
        centers = rounded_centers(fit.centers)
        (release,) = ask(segment_sizes(centers, number, plan))
        counted.append(release[SIZES])
        made = made_by_noise(counted, release.noise(SIZES).like_laplace)
        if made.any():
            points, counted = without(points, fit, made, SURE_FROM * noise), []
            fit = fast_fit(points, len(centers), plan.segments.restarts)
    return fit, points


def made_by_noise(counted: list[Integers], scale: float) -> NDArray[np.bool_]:
    """Which segments count as empty, by one or two counts of all, (k,) each, with noise of that scale."""
    made: NDArray[np.bool_] = np.mean(counted, axis=0) < MADE_BELOW[len(counted) - 1] * scale
    return made


def without(points: Summary, fit: Fit, made: np.ndarray, sure: float) -> Summary:
    """The summary without the segments `made` by noise, nor the boxes below `sure` of those that larger boxes are enough for."""
    nearest = squared_distances(points.points, fit.centers, points.stretch).argmin(axis=1)
    _, box, shared = np.unique(points.boxes, return_inverse=True, return_counts=True)
    small = points.weights * shared[box] < sure
    counted = [np.bincount(nearest, points.weights * of, minlength=len(made)) for of in (small, ~small)]
    kept = ~made[nearest] & ~(small & (counted[1] > counted[0])[nearest])
    around = np.broadcast_to(points.around, points.points.shape)[kept]
    return replace(points, boxes=points.boxes[kept], weights=points.weights[kept], points=points.points[kept], around=around)
