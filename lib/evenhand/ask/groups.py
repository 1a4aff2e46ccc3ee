"""The group summary: how many customers of each joint group are in each box, for mitigation. Noisy, empty cells too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.ask.boxes import Summary, box_key, boxes_in
from evenhand.assignment.joint_groups import JointGroups
from evenhand.plan.geometry import Boxes
from evenhand.plan.method import GROUPS, Method
from evenhand.plan.models import Plan
from evenhand.privacy.question import Integers, Part, Question, fingerprint_of
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted

Floats = NDArray[np.float64]
COUNTS = "joint groups"
FITTING = 10  # rounds


def group_counts(boxes: Boxes, plan: Plan) -> Question:
    """Customers by box and joint group, over all cells, empty or not; a customer is in one cell, so L1 sensitivity 1."""
    joint = JointGroups.of(plan)
    about = fingerprint_of(*boxes.arrays)

    def in_spark(prepared: DataFrame) -> DataFrame:
        cell = box_key(boxes, plan.feature_names) * F.lit(joint.count) + joint.code
        return prepared.groupBy(cell.alias("cell")).agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        return counted({"cell": boxes_in(people, boxes) * joint.count + joint.of_sample(people, plan)})

    return Question(GROUPS, _parts(boxes, plan), in_spark, in_numpy, lambda table: _vectors(table, boxes, plan), about=about)


def _parts(boxes: Boxes, plan: Plan) -> tuple[Part, ...]:
    cells, cost = boxes.count * JointGroups.of(plan).count, Method.of(plan).questions[GROUPS]
    return (Part(COUNTS, cells, 1, cost, "a customer is in one box and one joint group", plan.privacy.unit),)


def _vectors(table: pa.Table, boxes: Boxes, plan: Plan) -> Mapping[str, Integers]:
    full = np.zeros(boxes.count * JointGroups.of(plan).count, dtype=np.int64)
    full[table["cell"].to_numpy().astype(np.int64)] = table["n"].to_numpy().astype(np.int64)
    return {COUNTS: full}


def read_group_counts(release: Release, summary: Summary, plan: Plan) -> Floats:
    """Post-processing: customers of each joint group in the summary's boxes, none negative, shape (boxes, joint groups).

    Each box's add up to its count in the summary, which is less noisy, and each group's to its noisy total: cutting off
    negative counts alone would make small groups larger (Deming and Stephan's iterative proportional fitting, 1940).
    """
    joint = JointGroups.of(plan).count
    noisy = release[COUNTS].reshape(-1, joint)[summary.boxes].astype(np.float64)
    totals = np.maximum(noisy.sum(axis=0), 0.0)
    totals *= summary.weights.sum() / max(totals.sum(), 1e-9)
    counts = np.maximum(noisy, 0.0)
    counts[counts.sum(axis=1) == 0] = totals
    for _ in range(FITTING):
        counts *= totals / np.maximum(counts.sum(axis=0), 1e-9)
        counts *= (summary.weights / np.maximum(counts.sum(axis=1), 1e-9))[:, None]
    return counts
