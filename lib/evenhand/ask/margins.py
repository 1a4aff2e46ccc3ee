"""What is asked about a balanced assignment: how near customers are to another segment, and whether the bounds hold.

The prices come from boxes, so among the customers themselves the bounds hold only about. One question counts, by group,
those in each segment and those for whom another is nearly as good; then, once some have moved, it is counted again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.assignment.fair_map import CELL, FIRST, GROUP, FairMap, with_margin, with_segment
from evenhand.assignment.in_numpy import assigned, choices
from evenhand.assignment.joint_groups import JointGroups
from evenhand.plan.method import MARGINS, Method, balance
from evenhand.plan.models import Plan
from evenhand.privacy.question import Integers, Part, Question
from evenhand.privacy.sample import Sample, counted

Floats = NDArray[np.float64]
SEGMENTS, NEAR = "joint groups by segment", "near another segment"
SEGMENTS_SHARE = 0.7  # of the question's ε; where the margins are is known about from the boxes
MOST_CELLS = 1 << 20
MOST_BINS, FIRST_EDGE = 10, 1 / 16  # upper edges of the margins, doubling, in mean costs of a customer


def edges_of(mean_cost: float, joint: int, k: int) -> Floats:
    """As many bins as leave the question a million cells at most."""
    bins = int(np.clip(MOST_CELLS // (joint * k * k), 1, MOST_BINS))
    edges: Floats = mean_cost * FIRST_EDGE * 2.0 ** np.arange(bins, dtype=np.float64)
    return edges


def margins(fair_map: FairMap, plan: Plan) -> Question:
    """Customers by joint group and segment, and by joint group, first and second segment, and lead of the first."""

    def in_spark(prepared: DataFrame) -> DataFrame:
        return with_margin(prepared, fair_map, plan).groupBy(GROUP, FIRST, CELL).agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        first, _, cell = choices(people, fair_map, plan)
        found = counted({GROUP: JointGroups.of(plan).of_sample(people, plan), FIRST: first, CELL: cell})
        cells = found[CELL].to_numpy()
        return found.set_column(2, CELL, pa.array(cells, mask=cells < 0))

    parts, about = _margin_parts(fair_map, plan), fair_map.fingerprint
    return Question(MARGINS, parts, in_spark, in_numpy, lambda table: _margins(table, fair_map, plan), about=about)


def _margin_parts(fair_map: FairMap, plan: Plan) -> tuple[Part, ...]:
    k, joint, cost = len(fair_map.centers), JointGroups.of(plan).count, Method.of(plan).questions[MARGINS]
    why = "a customer is in one joint group and one segment"
    near = joint * k * k * fair_map.bins
    return (
        Part(SEGMENTS, joint * k, 1, cost * SEGMENTS_SHARE, why, plan.privacy.unit),
        Part(NEAR, near, 1, cost * (1 - SEGMENTS_SHARE), "and has at most one cell of nearness", plan.privacy.unit),
    )


def _margins(table: pa.Table, fair_map: FairMap, plan: Plan) -> Mapping[str, Integers]:
    k, joint = len(fair_map.centers), JointGroups.of(plan).count
    cells = k * k * fair_map.bins
    n, group = (table[c].to_numpy().astype(np.int64) for c in ("n", GROUP))
    cell = table[CELL].fill_null(-1).to_numpy().astype(np.int64)
    by_segment, near = np.zeros(joint * k, dtype=np.int64), np.zeros(joint * cells, dtype=np.int64)
    np.add.at(by_segment, group * k + table[FIRST].to_numpy().astype(np.int64) - 1, n)
    np.add.at(near, (group * cells + cell)[cell >= 0], n[cell >= 0])
    return {SEGMENTS: by_segment, NEAR: near}


def balance_check(fair_map: FairMap, number: int, plan: Plan) -> Question:
    """Customers by joint group and segment under a map with its moves; asked several times, `number` from 1."""
    joint = JointGroups.of(plan)

    def in_spark(prepared: DataFrame) -> DataFrame:
        found = with_segment(prepared.withColumn(GROUP, joint.code), fair_map.centers, fair_map, plan)
        return found.groupBy(GROUP, "segment").agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        segment, _ = assigned(people, fair_map.centers, fair_map, plan)
        return counted({GROUP: joint.of_sample(people, plan), "segment": segment})

    parts, about = _balance_parts(fair_map, number, plan), fair_map.fingerprint
    return Question(balance(number), parts, in_spark, in_numpy, lambda table: _balance(table, fair_map, plan), about=about)


def _balance_parts(fair_map: FairMap, number: int, plan: Plan) -> tuple[Part, ...]:
    cells, cost = JointGroups.of(plan).count * len(fair_map.centers), Method.of(plan).questions[balance(number)]
    return (Part(SEGMENTS, cells, 1, cost, "a customer is in one joint group and one segment", plan.privacy.unit),)


def _balance(table: pa.Table, fair_map: FairMap, plan: Plan) -> Mapping[str, Integers]:
    k = len(fair_map.centers)
    counts = np.zeros(JointGroups.of(plan).count * k, dtype=np.int64)
    group, segment = (table[c].to_numpy().astype(np.int64) for c in (GROUP, "segment"))
    counts[group * k + segment - 1] = table["n"].to_numpy().astype(np.int64)
    return {SEGMENTS: counts}
