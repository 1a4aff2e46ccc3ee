"""Joint groups: the combinations of groups, such as female and under 30, of the attributes that mitigation is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import prod

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column
from pyspark.sql import functions as F

from evenhand.plan.groups import group_tables
from evenhand.plan.models import Plan
from evenhand.privacy.sample import Sample

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


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

    def of_sample(self, people: Sample, plan: Plan) -> Integers:
        """The joint group of every row of a sample."""
        return people.combination([(plan.attribute_names.index(name), len(groups)) for name, groups in self.attributes])


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
