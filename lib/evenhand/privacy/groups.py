"""The group summary: how many customers of each joint group are in each box, for mitigation. Noisy, empty cells too.

A joint group is one combination of groups, such as female and under 30, of the attributes that mitigation is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import prod

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.geometry import Boxes
from evenhand.plan.groups import group_tables
from evenhand.plan.method import GROUPS, Method
from evenhand.plan.models import Plan
from evenhand.privacy.question import Integers, Part, Question, fingerprint_of
from evenhand.privacy.release import Release
from evenhand.privacy.summary import Summary, box_key

Floats = NDArray[np.float64]
COUNTS = "joint groups"
FITTING = 10  # rounds


@dataclass(frozen=True)
class JointGroups:
    """The combinations of groups, numbered with the last attribute's group running fastest."""

    attributes: tuple[tuple[str, tuple[str, ...]], ...]  # name, groups

    @classmethod
    def of(cls, plan: Plan) -> JointGroups:
        return cls(tuple((a.name, tuple(a.group_names)) for a in plan.mitigated))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(groups) for _, groups in self.attributes)

    @property
    def count(self) -> int:
        return prod(self.sizes)

    @cached_property
    def digits(self) -> Integers:
        """The group of every joint group in each attribute, shape (joint groups, attributes)."""
        return np.stack(np.unravel_index(np.arange(self.count), self.sizes), axis=1).astype(np.int64)

    @cached_property
    def named(self) -> list[tuple[str, str]]:
        """Every group as attribute and group."""
        return [(name, group) for name, groups in self.attributes for group in groups]

    @cached_property
    def members(self) -> Floats:
        """1 where a joint group belongs to a group, shape (groups of all attributes, joint groups)."""
        rows = [self.digits[:, i] == g for i, size in enumerate(self.sizes) for g in range(size)]
        return np.array(rows, dtype=np.float64)

    @property
    def code(self) -> Column:
        """The joint group of a row of `prepared`."""
        return joint_code([(name, len(groups)) for name, groups in self.attributes])


@dataclass(frozen=True)
class JointTable:
    """The groups of an attribute or intersection; `members` (groups, joint groups) is 1 where a joint group belongs to one."""

    name: str
    groups: tuple[str, ...]
    members: Floats


def joint_tables(plan: Plan) -> list[JointTable]:
    """The tables that are sums over the joint groups: each mitigated attribute, and the stated intersections of these alone."""
    joint = JointGroups.of(plan)
    each = np.split(joint.members, np.cumsum(joint.sizes)[:-1])
    by_name = {name: members for (name, _), members in zip(joint.attributes, each, strict=True)}
    tables = [t for t in group_tables(plan) if all(a.name in by_name for a in t.attributes)]
    return [JointTable(t.name, tuple(t.groups), reduce(_crossed, [by_name[a.name] for a in t.attributes])) for t in tables]


def _crossed(one: Floats, other: Floats) -> Floats:
    """Members of every group of one in every group of the other, which runs fastest; all (groups, joint groups)."""
    crossed: Floats = (one[:, None] * other).reshape(-1, one.shape[1])
    return crossed


def joint_code(attributes: Sequence[tuple[str, int]]) -> Column:
    """The number of a row's combination of groups, given the attributes and how many groups each has; the last runs fastest."""
    return reduce(lambda code, a: code * F.lit(a[1]) + F.col(a[0]), attributes, F.lit(0))


def group_counts(prepared: DataFrame, boxes: Boxes, plan: Plan) -> Question:
    """Customers by box and joint group, over all cells, empty or not; a customer is in one cell, so L1 sensitivity 1."""
    joint = JointGroups.of(plan)
    cell = box_key(boxes, plan.feature_names) * F.lit(joint.count) + joint.code
    rows = prepared.groupBy(cell.alias("cell")).agg(F.count("*").alias("n"))
    about = fingerprint_of(*map(np.array, boxes.edges))
    return Question(GROUPS, rows, lambda table: _vectors(table, boxes, plan), _parts(boxes, plan), about=about)


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
