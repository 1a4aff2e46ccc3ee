"""How many customers went from which segment of the last run to which of this one, and how many are new; noisy, empty cells too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.plan.method import MOVEMENT
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL, Estimate, sum_reach
from evenhand.privacy.question import Integers, Part, Question
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted

MOVES, BEFORE, SEGMENT = "moves", "before", "segment"
MOVED, STAYED, CHANGED = "moved", "stayed", "changed"  # what a row of the table counts
NEW = 0  # in `before`, of whoever was in no segment of the last run
WHY = "a customer is in one segment now, and was in one of the last run or in none"


def movement_counts(then: int, k: int, plan: Plan, about: str = "") -> Question:
    """People by their segment of the last run, which had `then`, and their segment of this one, which has `k`.

    A customer is in one cell, so L1 sensitivity 1. Asked of rows with `before` from 1 (`NEW` of whoever was not there) and `segment` from 1,
    one a customer of this run; a sample has these two as its groups. `about` says which runs and centers.
    """
    parts = (Part(MOVES, (then + 1) * k, 1, plan.movement_budget, WHY, plan.privacy.unit),)

    def in_spark(people: DataFrame) -> DataFrame:
        return people.groupBy(BEFORE, SEGMENT).agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        return counted({BEFORE: people.groups[:, 0], SEGMENT: people.groups[:, 1]})

    def vectors(table: pa.Table) -> Mapping[str, Integers]:
        before, segment, n = (table[name].to_numpy().astype(np.int64) for name in (BEFORE, SEGMENT, "n"))
        full = np.zeros((then + 1, k), dtype=np.int64)
        full[before, segment - 1] = n
        return {MOVES: full.ravel()}

    return Question(MOVEMENT, parts, in_spark, in_numpy, vectors, about=about)


@dataclass(frozen=True)
class Move:
    """How many went from the segment `before` of the last run, None where they were not there, to `segment`.

    The interval holds for the noise with 95 %. `sure` says that somebody did, of all moves together with 95 %. The count is not to be
    shown where it is `suppressed`.
    """

    before: int | None
    segment: int
    count: Estimate
    sure: bool
    suppressed: bool


def moves(release: Release, k: int, minimum: int) -> Iterator[Move]:
    """Post-processing: from every segment of the last run to every one of this, then those who are new. Counts below the `minimum` are suppressed."""
    noisy, noise = release[MOVES].reshape(-1, k).astype(np.float64), release.noise(MOVES)
    each, all_together = noise.half_width(LEVEL), noise.half_width(LEVEL ** (1 / noisy.size))
    for before in [*range(1, len(noisy)), NEW]:
        for segment, n in enumerate(noisy[before], 1):
            count = Estimate(max(n, 0.0), max(n - each, 0.0), max(n + each, 0.0))
            yield Move(before or None, segment, count, bool(n > all_together), bool(n < minimum))


@dataclass(frozen=True)
class Together:
    """How many of those who were in the last run too `STAYED` in their segment, or are in another now (`CHANGED`). Not to be shown where `suppressed`."""

    figure: str
    count: Estimate
    suppressed: bool


def together(release: Release, k: int, was: Mapping[int, int | None], minimum: int) -> list[Together]:
    """Post-processing; `was` has by segment its number in the last run, None where it is new. Nothing where all are new.

    A sum with exactly one hidden count in it would give that away, so it is suppressed too.
    """
    noisy, noise = release[MOVES].reshape(-1, k).astype(np.float64), release.noise(MOVES)
    stayed = np.zeros(noisy.shape, dtype=np.bool_)
    for segment, before in was.items():
        if before is not None:
            stayed[before, segment - 1] = True
    changed = ~stayed
    changed[NEW] = False
    found = list[Together]()
    for figure, cells in ((STAYED, stayed), (CHANGED, changed)) if stayed.any() else ():
        n = float(noisy[cells].sum())
        reach = float(sum_reach(np.full(cells.sum(), noise.deviation), noise.excess_kurtosis, LEVEL))
        count = Estimate(max(n, 0.0), max(n - reach, 0.0), max(n + reach, 0.0))
        found.append(Together(figure, count, n < minimum or int((noisy[cells] < minimum).sum()) == 1))
    return found
