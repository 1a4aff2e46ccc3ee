"""What is released about the segments: their sizes, the sums of the features, and the tables of groups by segment.

One pass over the people whatever the number of features, attributes and intersections: customers are counted by joint
group and segment, and what is asked about is added up from that, still exact and inside the door's question.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.ask.rows import Rows, block_parts, block_vectors, budget_of_numbers, read_rows
from evenhand.assignment.fair_map import FairMap, assignment_fingerprint, with_segment
from evenhand.assignment.in_numpy import assigned
from evenhand.assignment.joint_groups import joint_code
from evenhand.assignment.nearest import DISTANCE, Centers
from evenhand.plan.accounting import Unit, row_sensitivity
from evenhand.plan.categories import blocks, numbers
from evenhand.plan.geometry import STEPS
from evenhand.plan.groups import GroupTable, batches, group_tables
from evenhand.plan.method import ASSESSMENT
from evenhand.plan.metric import greatest
from evenhand.plan.models import Plan
from evenhand.plan.privacy import COSTS_SHARE, PROXIES_SHARE, SIZE_SHARE, TABLES_SHARE
from evenhand.privacy.question import Integers, Part, Question
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted
from evenhand.privacy.suppression import suppressed_cells
from evenhand.spark.short_code import apart, apart_if_long

SIZE, SUMS = "size", "sums of the features"
SQUARES = "squares of the features"
MIDDLE = STEPS // 2
COST_STEPS = 2**16  # a squared distance in fixed point
COST_BOUND = 0.25  # of the greatest squared distance in the unit cube; farther away than that counts as that far
COST, CELL = "_cost", "_cell"  # no feature and no attribute has such a name
SQUARED = -1  # the cell of everybody's squares
SQUARES_SHARE = (
    0.4  # of the proxies' ε for the features' spread, the rest for the groups' means; from trials at 10,000 to 50,000 customers
)


def group_part(table: str) -> str:
    return f"groups of {table}"


def cost_part(table: str) -> str:
    return f"costs and squared costs by {table}"


def feature_part(attribute: str) -> str:
    return f"features by {attribute}"


def cost_unit(greatest: float) -> float:
    """A step of the cost in squared steps of fixed point, by the greatest squared distance that there can be."""
    return COST_BOUND * greatest * float(STEPS**2) / COST_STEPS


def segment_tallies(centers: Centers, fair_map: FairMap | None, plan: Plan) -> Question:
    """About the segments that these centers and this map make. A customer is in one segment, and in one group of each table."""
    k, parts = len(centers), assessment_parts(len(centers), plan)

    def in_spark(prepared: DataFrame) -> DataFrame:
        return _counted(with_segment(prepared, centers, fair_map, plan), k, plan)

    def in_numpy(people: Sample) -> pa.Table:
        return _counted_of(people, *assigned(people, centers, fair_map, plan), k, plan)

    about = assignment_fingerprint(centers, fair_map)
    return Question(ASSESSMENT, parts, in_spark, in_numpy, lambda table: _vectors(table, k, plan), about=about)


def _counted(assigned: DataFrame, k: int, plan: Plan) -> DataFrame:
    names = plan.feature_names
    cost = F.least((F.col(DISTANCE) / cost_unit(greatest(plan.features))).cast("bigint"), F.lit(COST_STEPS - 1).cast("bigint"))
    found = assigned.select("segment", cost.alias(COST), *names, *plan.attribute_names)
    found = apart(found) if len(batches(plan)) > 1 else apart_if_long(found, len(names), k)
    rows = found.select(COST, *names, F.explode(_cells(k, plan)).alias(CELL))
    # A cost's square in steps of 2^16, so that it is as large as the cost at most.
    costs = [F.sum(COST).alias("c"), F.sum(F.shiftright(F.col(COST) * F.col(COST), 16)).alias("cc")]
    of_numbers = set(numbers(plan.features))
    values = [F.col(n).cast("bigint") for n in names]
    powers = [_power(value - MIDDLE) if j in of_numbers else value for j, value in enumerate(values)]
    sums = [F.sum(power).alias(f"s{j}") for j, power in enumerate(powers)]
    return rows.groupBy(CELL).agg(F.count("*").alias("n"), *costs, *sums)


def _counted_of(people: Sample, segment: Integers, distance: NDArray[np.float64], k: int, plan: Plan) -> pa.Table:
    """The same of a sample."""
    cost = costs(distance, greatest(plan.features))
    cells, offset = [], 0
    for batch in batches(plan):
        code = people.combination([(plan.attribute_names.index(a.name), len(a.group_names)) for a in batch])
        cells.append(code * k + segment + offset * k - 1)
        offset += GroupTable(batch).size
    cell = np.concatenate([*cells, np.full(len(people), SQUARED)])
    of_numbers = numbers(plan.features)
    powers = np.tile(people.points, (len(cells) + 1, 1))
    offsets = powers[:, of_numbers] - MIDDLE
    powers[:, of_numbers] = np.where((cell == SQUARED)[:, None], offsets**2, offsets)
    each = np.tile(cost, len(cells) + 1)
    sums = {"c": each, "cc": each**2 >> 16} | {f"s{j}": powers[:, j] for j in range(powers.shape[1])}
    return counted({CELL: cell}, sums)


def costs(distance: NDArray[np.float64], greatest: float) -> Integers:
    """Squared distances of a sample in steps, as they are counted; any shape."""
    return np.minimum((distance / cost_unit(greatest)).astype(np.int64), COST_STEPS - 1)


def _cells(k: int, plan: Plan) -> Column:
    """The customer's cells: the segment and joint group in each batch, the batches one after the other, then the squares'.

    One small number each, for which Spark's hash map has a place of its own; of two columns many would share one.
    """
    cells, offset = [], 0
    for batch in batches(plan):
        code = joint_code([(a.name, len(a.group_names)) for a in batch])
        cells.append(code * F.lit(k) + F.col("segment") + F.lit(offset * k - 1))
        offset += GroupTable(batch).size
    return F.array(*cells, F.lit(SQUARED))


def _power(offset: Column) -> Column:
    """Squares are asked for of everybody only, so they are added up in a cell of their own."""
    return F.when(F.col(CELL) == SQUARED, offset * offset).otherwise(offset)


def _vectors(table: pa.Table, k: int, plan: Plan) -> Mapping[str, Integers]:
    cubes, sums = _Cubes(table, k, plan), [f"s{j}" for j in range(len(plan.features))]
    of_numbers = numbers(plan.features)

    def summed(part: str, found: Integers) -> Mapping[str, Integers]:
        return {part: found[:, of_numbers].ravel(), **block_vectors(part, found, blocks(plan.features))}

    vectors = {SIZE: cubes.by_segment("n"), **summed(SUMS, np.stack([cubes.by_segment(s) for s in sums], axis=1))}
    for t in group_tables(plan):
        vectors[group_part(t.name)] = cubes.by_group(t, "n").ravel()
        vectors[cost_part(t.name)] = np.stack([cubes.by_group(t, c).sum(axis=1) for c in ("c", "cc")], axis=1).ravel()
        if len(t.attributes) == 1:
            vectors |= summed(feature_part(t.name), np.stack([cubes.by_group(t, s).sum(axis=1) for s in sums], axis=1))
    vectors[SQUARES] = np.array([cubes.squared(sums[j]) for j in of_numbers], dtype=np.int64)
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

    def squared(self, column: str) -> int:
        return int(self._table[column][self._table[CELL] == SQUARED].sum())

    def by_group(self, table: GroupTable, column: str) -> Integers:
        """Shape (groups, segments)."""
        number = next(i for i, batch in enumerate(self._batches) if all(a in batch for a in table.attributes))
        batch, cube = self._batches[number], self._cube(number, column)
        kept = [batch.index(a) for a in table.attributes]
        added = cube.sum(axis=tuple(i for i in range(len(batch)) if i not in kept))
        in_order = [sorted(kept).index(i) for i in kept]
        return np.transpose(added, (*in_order, len(kept))).reshape(table.size, self._k)

    def _cube(self, number: int, column: str) -> Integers:
        start, size = self._k * sum(self._sizes[:number]), self._k * self._sizes[number]
        cells = self._table[CELL] - start
        own = (cells >= 0) & (cells < size)
        full = np.zeros(size, dtype=np.int64)
        full[cells[own]] = self._table[column][own]
        return full.reshape(*(len(a.group_names) for a in self._batches[number]), self._k)


def assessment_parts(k: int, plan: Plan) -> tuple[Part, ...]:
    """Sizes and sums of k segments, then groups and costs by table, features by attribute, and everybody's squares."""
    split, budget, unit, d = plan.privacy.split, plan.shared_budget, plan.privacy.unit, len(numbers(plan.features))
    size = Part(SIZE, k, 1, budget * split.profiles * SIZE_SHARE, "a customer is in one segment", unit)
    why = "a customer is in one segment, and at most half the range from the middle of each feature"
    sums = _feature_parts(SUMS, k, budget * split.profiles * (1 - SIZE_SHARE), why, plan)
    fairness, tables = budget * split.fairness, group_tables(plan)
    by_table = [p for t in tables for p in _table_parts(t, k, fairness / len(tables), unit)]
    proxies = fairness * PROXIES_SHARE
    each = proxies * (1 - SQUARES_SHARE) / len(plan.protected)
    why = "a customer is in one group, and at most half the range from the middle of each feature"
    by_attribute = [p for a in plan.protected for p in _feature_parts(feature_part(a.name), len(a.group_names), each, why, plan)]
    why = "a customer's offset from the middle, squared, is at most half the range squared, for each of the features"
    squares = _row_part(SQUARES, 1, d, MIDDLE**2, proxies * SQUARES_SHARE, why, unit)
    return (size, *sums, *by_table, *by_attribute, squares)


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


def _feature_parts(name: str, rows: int, cost: float, why: str, plan: Plan) -> tuple[Part, ...]:
    """The sums of all features: numbers in one part, and the categories of each column in one of theirs."""
    unit, of_numbers = plan.privacy.unit, cost * budget_of_numbers(plan.features)
    whole = _row_part(name, rows, len(numbers(plan.features)), MIDDLE, of_numbers, why, unit)
    return (whole, *block_parts(name, rows, cost, plan.features, unit))


def feature_sums(release: Release, name: str, plan: Plan) -> Rows:
    """The sums of the features by segment (`SUMS`) or by a group (`feature_part`)."""
    return read_rows(release, name, blocks(plan.features), float(MIDDLE))


def small_segments(release: Release, plan: Plan) -> NDArray[np.bool_]:
    """The segments that are not shown, shape (segments,): those below the plan's minimum, and none that stands alone."""
    sizes = release[SIZE].astype(np.float64)[None, :]
    hidden: NDArray[np.bool_] = suppressed_cells(sizes < plan.privacy.minimum_cell, sizes)[0]
    return hidden
