"""The private summary: noisy counts and sums over all 2^H boxes of the feature space, in one pass over the people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.geometry import BITS, COUNTS_SHARE, Boxes
from evenhand.plan.models import Plan
from evenhand.privacy.release import Integers, Part, Question, Release

SUMMARY = "summary"
COUNT = "count"
KEEP_ABOVE = 3.0  # boxes whose noisy count is below that many noise scales are taken for empty


def box_key(boxes: Boxes, names: list[str]) -> Column:
    """The box of a row of `prepared`: the features' top bits, side by side."""
    pieces = [
        F.shiftleft(F.shiftright(F.col(name), BITS - cut), shift)
        for name, cut, shift in zip(names, boxes.cuts, boxes.shifts, strict=True)
        if cut > 0
    ]
    return reduce(lambda a, b: a.bitwiseOR(b), pieces)


def box_sums(prepared: DataFrame, plan: Plan) -> Question:
    """Counts, and per feature the sums of offsets from the box center, over every box, empty or not.

    One customer is in one box: counts have L1 sensitivity 1, the offset of a feature at most half the box's width.
    """
    boxes, names = Boxes.of(plan), plan.feature_names
    sums = [F.sum(F.col(n).cast("bigint")).alias(f"s{j}") for j, n in enumerate(names)]
    rows = prepared.groupBy(box_key(boxes, names).alias("box")).agg(F.count("*").alias("n"), *sums)
    return Question(SUMMARY, rows, lambda table: _vectors(table, boxes, names), _parts(plan, boxes))


def _vectors(table: pa.Table, boxes: Boxes, names: list[str]) -> Mapping[str, Integers]:
    keys = table["box"].to_numpy().astype(np.int64)
    n = table["n"].to_numpy().astype(np.int64)
    centers = boxes.centers[keys]
    vectors = {COUNT: _spread(keys, n, boxes.count)}
    for j, name in enumerate(names):
        # Summed in SQL, recentered here: the same offset computed per row costs four times as much.
        offsets = table[f"s{j}"].to_numpy().astype(np.int64) - n * centers[:, j]
        vectors[name] = _spread(keys, offsets, boxes.count)
    return vectors


def _spread(keys: Integers, values: Integers, size: int) -> Integers:
    full = np.zeros(size, dtype=np.int64)
    full[keys] = values
    return full


def _parts(plan: Plan, boxes: Boxes) -> tuple[Part, ...]:
    epsilon = plan.privacy.epsilon * plan.privacy.split.summary
    # Noise scales b_j that minimize the total variance under sum(h_j / b_j) = ε: b_j proportional to the cube root of h_j.
    weights = np.cbrt(np.array(boxes.half_widths, dtype=float)) ** 2
    for_sums = epsilon * (1 - COUNTS_SHARE) * weights / weights.sum()
    counts = Part(COUNT, boxes.count, 1, epsilon * COUNTS_SHARE, "a customer is in one box")
    sums = [
        Part(name, boxes.count, half, float(share), "a customer is at most half a box's width from the center of one box")
        for name, half, share in zip(plan.feature_names, boxes.half_widths, for_sums, strict=True)
    ]
    return (counts, *sums)


@dataclass(frozen=True)
class Summary:
    """The summary after noise, as weighted points for clustering. All of it may be looked at freely.

    `boxes` (m,) are the keys of the boxes taken for not empty, `weights` (m,) their noisy counts, `points`
    (m, features) their noisy means in fixed point.
    """

    boxes: Integers
    weights: NDArray[np.float64]
    points: NDArray[np.float64]
    private: bool

    @property
    def mean(self) -> NDArray[np.float64]:
        return np.average(self.points, axis=0, weights=self.weights)  # type: ignore[no-any-return]

    @property
    def deviation(self) -> NDArray[np.float64]:
        spread = np.average((self.points - self.mean) ** 2, axis=0, weights=self.weights)
        return np.sqrt(spread)  # type: ignore[no-any-return]


def read_summary(release: Release, plan: Plan) -> Summary:
    """Post-processing: drop boxes that are most likely empty, shrink noisy offsets towards the box center."""
    geometry = Boxes.of(plan)
    noisy = release[COUNT]
    threshold = KEEP_ABOVE * release.scale(COUNT)
    boxes = np.flatnonzero(noisy > threshold)
    weights = noisy[boxes].astype(np.float64)
    points = geometry.centers[boxes].astype(np.float64)
    for j, (name, half) in enumerate(zip(plan.feature_names, geometry.half_widths, strict=True)):
        offset = release[name][boxes] / np.maximum(weights, 1.0)
        # Wiener shrinkage: customers evenly spread in a box have variance half²/3, the noise of a mean 2 b² / n².
        noise = 2.0 * (release.scale(name) / np.maximum(weights, 1.0)) ** 2
        spread = half**2 / 3.0
        points[:, j] += np.clip(offset * spread / (spread + noise), -half, half)
    return Summary(boxes, weights, points, release.private)
