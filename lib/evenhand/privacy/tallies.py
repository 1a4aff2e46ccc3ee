"""What is released about the segments: per segment a count, the sums of the features, the count of every group.

One pass over the people whatever the number of features and attributes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.plan.geometry import STEPS
from evenhand.plan.models import SIZE_SHARE, Plan
from evenhand.privacy.release import Integers, Part, Question, Release
from evenhand.privacy.suppression import suppressed_cells

TALLIES = "assessment"
SIZE = "size"
MIDDLE = STEPS // 2


def sum_part(feature: str) -> str:
    return f"sum of {feature}"


def group_part(attribute: str) -> str:
    return f"groups of {attribute}"


def segment_tallies(assigned: DataFrame, k: int, plan: Plan) -> Question:
    """Sizes, sums of offsets from the middle of the bounds, and counts of group by segment, over all k segments.

    One customer is in one segment, and in one group of each attribute; `assigned` is `prepared` with a column `segment`.
    """
    sums = [F.sum(F.col(n).cast("bigint")).alias(f"s{j}") for j, n in enumerate(plan.feature_names)]
    groups = [
        F.count_if(F.col(a.name) == g).alias(f"g{i}_{g}") for i, a in enumerate(plan.protected) for g in range(len(a.group_names))
    ]
    rows = assigned.groupBy("segment").agg(F.count("*").alias("n"), *sums, *groups)
    return Question(TALLIES, rows, lambda table: _vectors(table, k, plan), _parts(k, plan))


def _vectors(table: pa.Table, k: int, plan: Plan) -> Mapping[str, Integers]:
    index = table["segment"].to_numpy().astype(np.int64) - 1

    def column(name: str) -> Integers:
        full = np.zeros(k, dtype=np.int64)
        full[index] = table[name].to_numpy().astype(np.int64)
        return full

    size = column("n")
    vectors = {SIZE: size}
    for j, name in enumerate(plan.feature_names):
        vectors[sum_part(name)] = column(f"s{j}") - size * MIDDLE
    for i, attribute in enumerate(plan.protected):
        codes = range(len(attribute.group_names))
        vectors[group_part(attribute.name)] = np.concatenate([column(f"g{i}_{g}") for g in codes])
    return vectors


def _parts(k: int, plan: Plan) -> tuple[Part, ...]:
    split, epsilon = plan.privacy.split, plan.privacy.epsilon
    each = epsilon * split.profiles * (1 - SIZE_SHARE) / len(plan.features)
    size = Part(SIZE, k, 1, epsilon * split.profiles * SIZE_SHARE, "a customer is in one segment")
    sums = [
        Part(sum_part(n), k, MIDDLE, each, "a customer is at most half the range from its middle, in one segment")
        for n in plan.feature_names
    ]
    groups = [
        Part(
            group_part(a.name),
            k * len(a.group_names),
            1,
            epsilon * split.fairness / len(plan.protected),
            "a customer is in one group and one segment",
        )
        for a in plan.protected
    ]
    return (size, *sums, *groups)


def small_segments(release: Release, plan: Plan) -> NDArray[np.bool_]:
    """The segments that are not shown, shape (segments,): those below the plan's minimum, and none that stands alone."""
    sizes = release[SIZE].astype(np.float64)[None, :]
    hidden: NDArray[np.bool_] = suppressed_cells(sizes < plan.privacy.minimum_cell, sizes, column_totals=False)[0]
    return hidden
