"""What came of an offer, by segment and by group, of those who got it and of those who were held back; noisy, empty cells too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.assignment.joint_groups import joint_code
from evenhand.plan.groups import group_tables
from evenhand.plan.models import Plan
from evenhand.privacy.question import Integers, Part, Question
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted

OUTCOMES, SEGMENT = "outcomes", "segment"
WHY = "a customer was handed out or held back once, is in one segment or group, and has one farthest response or none"
ARMS = 2  # who got the offer, then who was held back


@dataclass(frozen=True)
class Table:
    """What responses are counted by: the segments, or the groups of an attribute or intersection with their sizes."""

    name: str
    rows: list[str]
    attributes: list[tuple[str, int]]


def outcome_tables(plan: Plan, k: int) -> list[Table]:
    """Segments first, then attributes and intersections as the run's plan has them."""
    found = [Table(SEGMENT, [str(s) for s in range(1, k + 1)], [])]
    return found + [Table(t.name, t.groups, [(a.name, len(a.group_names)) for a in t.attributes]) for t in group_tables(plan)]


def outcome_counts(plan: Plan, k: int, options: int, epsilon: float, about: str = "") -> Question:
    """People by arm and farthest response, in one table by segment and one for each attribute and intersection of the plan.

    A customer is in one cell of a table, so L1 sensitivity 1 each; they divide `epsilon` evenly. Asked of rows with `segment` from 1, `held_back`, `option`
    from 0 (none) and the groups as `prepared` has them, one a person; a sample has these three, then the attributes, as its groups.
    """
    tables, names = outcome_tables(plan, k), plan.attribute_names
    each = ARMS * (options + 1)
    sizes = [len(table.rows) * each for table in tables]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    parts = tuple(Part(t.name, n, 1, epsilon / len(tables), WHY) for t, n in zip(tables, sizes, strict=True))

    def in_spark(people: DataFrame) -> DataFrame:
        of_person = F.col("held_back").cast("int") * (options + 1) + F.col("option")
        rows = [joint_code(t.attributes) if t.attributes else F.col("segment") - 1 for t in tables]
        cells = [row * each + of_person + start for row, start in zip(rows, starts, strict=True)]
        return people.select(F.explode(F.array(*cells)).alias("cell")).groupBy("cell").agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        segment, held, option = people.groups[:, :3].T
        of_person, cells = held * (options + 1) + option, []
        for table, start in zip(tables, starts, strict=True):
            places = [(3 + names.index(name), size) for name, size in table.attributes]
            row = people.combination(places) if places else segment - 1
            cells.append(row * each + of_person + start)
        return counted({"cell": np.concatenate(cells)})

    def vectors(found: pa.Table) -> Mapping[str, Integers]:
        full = np.zeros(sum(sizes), dtype=np.int64)
        full[found["cell"].to_numpy().astype(np.int64)] = found["n"].to_numpy().astype(np.int64)
        return {t.name: full[start : start + n] for t, start, n in zip(tables, starts, sizes, strict=True)}

    return Question(OUTCOMES, parts, in_spark, in_numpy, vectors, of_sources=True, about=about)


def read_outcomes(release: Release, table: Table, options: int) -> NDArray[np.float64]:
    """Noisy counts, shape (arms, rows of the table, options and none first)."""
    noisy = release[table.name].reshape(len(table.rows), ARMS, options + 1).astype(np.float64)
    return np.moveaxis(noisy, 1, 0)
