"""Segments that noise made: asked for, and taken out of the summary before the segments are refined.

A box far from everybody that only noise fills draws a center to it: one such box costs k-means more than it is to divide a
true segment worse. Counting the customers of each segment tells those apart from small true ones, whose boxes are too
small to stand out one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.ask.boxes import Summary
from evenhand.assignment.nearest import Centers, rounded_centers, segment_number
from evenhand.learn.cluster import Fit, fast_fit, squared_distances
from evenhand.plan.method import Method, check
from evenhand.plan.models import Plan
from evenhand.privacy.question import Integers, Part, Question, fingerprint_of
from evenhand.privacy.release import Door

SIZES = "sizes"
# Scales of the noise, under which a segment counts as empty, by one count and by the mean of two. An empty one passes the first
# one time in forty, both one time in two thousand.
MADE_BELOW = (3.0, 4.0)
SURE_FROM = 6.5  # scales of the noise of a box, which one empty box in a thousand exceeds; from trials


def checked(door: Door, prepared: DataFrame, fit: Fit, points: Summary, noise: float, plan: Plan) -> tuple[Fit, Summary]:
    """The fit and the summary without segments that noise made; `noise` is the scale of that on the count of a box.

    Segments that pass are counted once more, and both counts judged together.
    """
    counted: list[Integers] = []
    for number in range(1, len(Method.of(plan).checks) + 1):
        centers = rounded_centers(fit.centers)
        release = door.release(segment_sizes(prepared, centers, number, plan))
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


def segment_sizes(prepared: DataFrame, centers: Centers, number: int, plan: Plan) -> Question:
    """Customers by nearest center."""
    rows = prepared.select(segment_number(centers, plan.feature_names).alias("segment")).groupBy("segment")
    counted, k = rows.agg(F.count("*").alias("n")), len(centers)
    return Question(
        check(number), counted, lambda table: _vectors(table, k), _parts(centers, number, plan), about=fingerprint_of(centers)
    )


def _parts(centers: Centers, number: int, plan: Plan) -> tuple[Part, ...]:
    cost = Method.of(plan).checks[number - 1]
    return (Part(SIZES, len(centers), 1, cost, "a customer is in one segment", plan.privacy.unit),)


def _vectors(table: pa.Table, k: int) -> Mapping[str, Integers]:
    sizes = np.zeros(k, dtype=np.int64)
    sizes[table["segment"].to_numpy().astype(np.int64) - 1] = table["n"].to_numpy().astype(np.int64)
    return {SIZES: sizes}


def without(points: Summary, fit: Fit, made: np.ndarray, sure: float) -> Summary:
    """The summary without the segments `made` by noise, nor the boxes below `sure` of those that larger boxes are enough for."""
    nearest = squared_distances(points.points, fit.centers).argmin(axis=1)
    _, box, shared = np.unique(points.boxes, return_inverse=True, return_counts=True)
    small = points.weights * shared[box] < sure
    counted = [np.bincount(nearest, points.weights * of, minlength=len(made)) for of in (small, ~small)]
    kept = ~made[nearest] & ~(small & (counted[1] > counted[0])[nearest])
    around = np.broadcast_to(points.around, points.points.shape)[kept]
    return replace(points, boxes=points.boxes[kept], weights=points.weights[kept], points=points.points[kept], around=around)
