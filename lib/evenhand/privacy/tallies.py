"""What is released about the segments: their sizes, the sums of the features, and the tables of groups by segment.

One pass over the people whatever the number of features, attributes and intersections: customers are counted by segment
and joint group, and what is asked about is added up from that, still exact and inside the door's question.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.accounting import Unit, row_sensitivity
from evenhand.plan.features import Attribute
from evenhand.plan.geometry import STEPS
from evenhand.plan.groups import GroupTable, batches, group_tables
from evenhand.plan.models import Plan
from evenhand.plan.privacy import COSTS_SHARE, PROXIES_SHARE, SIZE_SHARE, TABLES_SHARE
from evenhand.privacy.groups import joint_code
from evenhand.privacy.release import Integers, Part, Question, Release
from evenhand.privacy.suppression import suppressed_cells

TALLIES = "assessment"
SIZE, SUMS = "size", "sums of the features"
SQUARES = "squares of the features"
MIDDLE = STEPS // 2
COST_STEPS = 2**16  # a squared distance in fixed point
COST_BOUND = 0.25  # of the greatest squared distance in the unit cube; farther away than that counts as that far
SQUARES_SHARE = 0.2  # of the proxies' ε for the features' spread, the rest for the groups' means


def group_part(table: str) -> str:
    return f"groups of {table}"


def cost_part(table: str) -> str:
    return f"costs and squared costs by {table}"


def feature_part(attribute: str) -> str:
    return f"features by {attribute}"


def cost_unit(features: int) -> float:
    """A step of the cost in squared steps of fixed point."""
    return COST_BOUND * features * float(STEPS**2) / COST_STEPS


def segment_tallies(assigned: DataFrame, k: int, plan: Plan) -> Question:
    """`assigned` is `prepared` with `segment` and `distance`, the squared distance to the segment's center in fixed point.

    One customer is in one segment, and in one group of each table.
    """
    names = plan.feature_names
    cost = F.least((F.col("distance") / cost_unit(len(names))).cast("bigint"), F.lit(COST_STEPS - 1).cast("bigint"))
    rows = assigned.select("segment", cost.alias("cost"), _codes(plan).alias("codes"), *names)
    sums = [F.sum(F.col(n).cast("bigint")).alias(f"s{j}") for j, n in enumerate(names)]
    squares = [F.sum(F.col(n).cast("bigint") * F.col(n)).alias(f"q{j}") for j, n in enumerate(names)]
    # A cost's square in steps of 2^16, so that it is as large as the cost at most.
    costs = [F.sum("cost").alias("c"), F.sum(F.shiftright(F.col("cost") * F.col("cost"), 16)).alias("cc")]
    exploded = (
        rows.withColumn("code", F.explode("codes")) if len(batches(plan)) > 1 else rows.withColumn("code", F.col("codes")[0])
    )
    counted = exploded.groupBy("segment", "code").agg(F.count("*").alias("n"), *sums, *squares, *costs)
    return Question(TALLIES, counted, lambda table: _vectors(table, k, plan), _parts(k, plan))


def _codes(plan: Plan) -> Column:
    """The customer's joint group in each batch, the batches one after the other."""
    codes, offset = [], 0
    for batch in batches(plan):
        codes.append(joint_code([(a.name, len(a.group_names)) for a in batch]) + F.lit(offset))
        offset += GroupTable(batch).size
    return F.array(*codes)


def _vectors(table: pa.Table, k: int, plan: Plan) -> Mapping[str, Integers]:
    tables, cubes = group_tables(plan), _Cubes(table, k, plan)
    size = cubes.by_segment("n")
    d = len(plan.features)
    vectors = {SIZE: size, SUMS: np.stack([cubes.by_segment(f"s{j}") - size * MIDDLE for j in range(d)], axis=1).ravel()}
    for t in tables:
        counts = cubes.by_group(t, "n")
        vectors[group_part(t.name)] = counts.ravel()
        vectors[cost_part(t.name)] = np.stack([cubes.by_group(t, c).sum(axis=1) for c in ("c", "cc")], axis=1).ravel()
        if len(t.attributes) == 1:
            sums = [cubes.by_group(t, f"s{j}").sum(axis=1) - counts.sum(axis=1) * MIDDLE for j in range(d)]
            vectors[feature_part(t.name)] = np.stack(sums, axis=1).ravel()
    n = int(size.sum())
    totals = [(int(cubes.by_segment(f"q{j}").sum()), int(cubes.by_segment(f"s{j}").sum())) for j in range(d)]
    vectors[SQUARES] = np.array([q - 2 * MIDDLE * s + n * MIDDLE**2 for q, s in totals], dtype=np.int64)
    return vectors


class _Cubes:
    """The counted rows as one cube a batch, and sums of it; exact, so inside a question only."""

    def __init__(self, table: pa.Table, k: int, plan: Plan) -> None:
        self._batches, self._k = batches(plan), k
        self._table = {name: table[name].to_numpy().astype(np.int64) for name in table.column_names}
        self._sizes = [GroupTable(batch).size for batch in self._batches]

    def by_segment(self, column: str) -> Integers:
        added: Integers = self._cube(0, column).reshape(-1, self._k).sum(axis=0)
        return added

    def by_group(self, table: GroupTable, column: str) -> Integers:
        """Shape (groups, segments)."""
        number = next(i for i, batch in enumerate(self._batches) if all(a in batch for a in table.attributes))
        batch, cube = self._batches[number], self._cube(number, column)
        kept = [batch.index(a) for a in table.attributes]
        added = cube.sum(axis=tuple(i for i in range(len(batch)) if i not in kept))
        in_order = [sorted(kept).index(i) for i in kept]
        return np.transpose(added, (*in_order, len(kept))).reshape(table.size, self._k)

    def _cube(self, number: int, column: str) -> Integers:
        start = sum(self._sizes[:number])
        own = (self._table["code"] >= start) & (self._table["code"] < start + self._sizes[number])
        full = np.zeros((self._sizes[number], self._k), dtype=np.int64)
        full[self._table["code"][own] - start, self._table["segment"][own] - 1] = self._table[column][own]
        return full.reshape(*(len(a.group_names) for a in self._batches[number]), self._k)


def _parts(k: int, plan: Plan) -> tuple[Part, ...]:
    split, budget, unit, d = plan.privacy.split, plan.shared_budget, plan.privacy.unit, len(plan.features)
    size = Part(SIZE, k, 1, budget * split.profiles * SIZE_SHARE, "a customer is in one segment", unit)
    why = "a customer is in one segment, and at most half the range from the middle of each feature"
    sums = _row_part(SUMS, k, d, MIDDLE, budget * split.profiles * (1 - SIZE_SHARE), why, unit)
    fairness, tables = budget * split.fairness, group_tables(plan)
    by_table = [p for t in tables for p in _table_parts(t, k, fairness / len(tables), unit)]
    proxies = fairness * PROXIES_SHARE
    by_attribute = [_feature_part(a, d, proxies * (1 - SQUARES_SHARE) / len(plan.protected), unit) for a in plan.protected]
    why = "a customer's offset from the middle, squared, is at most half the range squared, for each of the features"
    squares = _row_part(SQUARES, 1, d, MIDDLE**2, proxies * SQUARES_SHARE, why, unit)
    return (size, sums, *by_table, *by_attribute, squares)


def _row_part(name: str, rows: int, width: int, each: int, cost: float, why: str, unit: Unit) -> Part:
    """One customer changes one row, every cell of it by `each` at most."""
    return Part(name, rows * width, row_sensitivity(width, each, unit), cost, why, unit, width)


def _table_parts(table: GroupTable, k: int, cost: float, unit: Unit) -> tuple[Part, ...]:
    where, most = "a customer is in one group", COST_STEPS - 1
    far = f"{where}, its squared distance is counted as at most {most} steps, and that squared as at most {most} of 2^16"
    return (
        Part(group_part(table.name), table.size * k, 1, cost * TABLES_SHARE, f"{where} and one segment", unit),
        _row_part(cost_part(table.name), table.size, 2, most, cost * COSTS_SHARE, far, unit),
    )


def _feature_part(attribute: Attribute, features: int, cost: float, unit: Unit) -> Part:
    why = "a customer is in one group, and at most half the range from the middle of each feature"
    return _row_part(feature_part(attribute.name), len(attribute.group_names), features, MIDDLE, cost, why, unit)


def small_segments(release: Release, plan: Plan) -> NDArray[np.bool_]:
    """The segments that are not shown, shape (segments,): those below the plan's minimum, and none that stands alone."""
    sizes = release[SIZE].astype(np.float64)[None, :]
    hidden: NDArray[np.bool_] = suppressed_cells(sizes < plan.privacy.minimum_cell, sizes)[0]
    return hidden
