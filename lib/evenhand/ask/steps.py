"""One private Lloyd step: everybody goes to the nearest center, and each center to the noisy mean of its customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.ask.boxes import OFFSETS, offsets_part
from evenhand.ask.rows import Rows, block_parts, block_vectors, budget_of_numbers, read_rows
from evenhand.assignment.in_numpy import segment_numbers
from evenhand.assignment.nearest import CENTER_BITS, Centers, rounded_centers, segment_number
from evenhand.plan.accounting import Unit
from evenhand.plan.categories import Block, beside, numbers
from evenhand.plan.geometry import offset_factors
from evenhand.plan.method import Method, refinement
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import EACH_OF_TWO, LEVEL, quotient_ends
from evenhand.privacy.question import Integers, Part, Question, fingerprint_of
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted

Floats = NDArray[np.float64]
SIZES = "sizes"
SIZES_SHARE = 0.2  # of the step's budget for the sizes, the rest for the sums of offsets; from trials
LEAST_NOISE = 1e-12  # squared steps: at a very great ε there is none


@dataclass(frozen=True)
class Step:
    """The centers that people are assigned to, in sixteenths of a fixed-point step, and how far each may move.

    `low`, `middle`, `high` (k, features) in fixed point: a value is clipped to low and high, and its offset is taken from
    the middle. `factors` (k, numbers): the offsets of numbers are multiplied by them, so that one noise scale fits all. `unit`:
    in what the step is priced, which decides the factors. `stretch` (features,): that of the axes, which decides who is nearest.
    Categories are counted, and not clipped.
    """

    number: int
    centers: Centers
    low: Integers
    high: Integers
    unit: Unit = "epsilon"
    stretch: Floats | float = 1.0
    blocks: tuple[Block, ...] = ()

    @property
    def numbers(self) -> list[int]:
        """The positions of the features that are no categories."""
        return beside(self.blocks, self.low.shape[1])

    @property
    def middle(self) -> Integers:
        return (self.low + self.high) // 2

    @property
    def factors(self) -> Integers:
        # high - middle is not smaller than middle - low
        return offset_factors((self.high - self.middle)[:, self.numbers], self.unit)

    @property
    def fingerprint(self) -> str:
        """Of the public side of the question, so that a stored answer is never read for other centers."""
        return fingerprint_of(self.centers, self.low, self.high)


def step_sums(step: Step, plan: Plan) -> Question:
    """Per segment the number of customers and the sums of their offsets from the middle, each value clipped."""
    names, k = plan.feature_names, len(step.centers)

    def in_spark(prepared: DataFrame) -> DataFrame:
        rows = prepared.select(segment_number(step.centers, names, step.stretch).alias("segment"), *names)
        sums = [F.sum(_clipped(name, step, j).cast("bigint")).alias(f"s{j}") for j, name in enumerate(names)]
        return rows.groupBy("segment").agg(F.count("*").alias("n"), *sums)

    def in_numpy(people: Sample) -> pa.Table:
        segment = segment_numbers(people, step.centers, step.stretch)
        clipped = np.clip(people.points, step.low[segment - 1], step.high[segment - 1])
        return counted({"segment": segment}, {f"s{j}": clipped[:, j] for j in range(len(names))})

    name, parts, about = refinement(step.number), _parts(step, plan, k), step.fingerprint
    return Question(name, parts, in_spark, in_numpy, lambda table: step_vectors(table, step), about=about)


def _clipped(name: str, step: Step, j: int) -> Column:
    # The bounds of a row's segment are looked up in a constant array: the generated code stays small whatever k is.
    low, high = (F.get(F.array(*[F.lit(int(v)) for v in bound[:, j]]), F.col("segment") - 1) for bound in (step.low, step.high))
    return F.least(F.greatest(F.col(name), low), high)


def step_vectors(table: pa.Table, step: Step) -> Mapping[str, Integers]:
    """Sizes (k,) and offsets (k * features,) times their factors, from rows of `segment`, `n` and the sums of clipped values."""
    index = table["segment"].to_numpy().astype(np.int64) - 1
    n = np.zeros(len(step.centers), dtype=np.int64)
    n[index] = table["n"].to_numpy().astype(np.int64)
    sums = np.zeros_like(step.low)
    for j in range(sums.shape[1]):
        sums[index, j] = table[f"s{j}"].to_numpy().astype(np.int64)
    offsets = (sums - n[:, None] * step.middle)[:, step.numbers] * step.factors
    return {SIZES: n, OFFSETS: offsets.ravel(), **block_vectors(OFFSETS, sums, step.blocks)}


def _parts(step: Step, plan: Plan, k: int) -> tuple[Part, ...]:
    budget, unit = Method.of(plan).refinements[step.number - 1], step.unit
    sums = budget * (1 - SIZES_SHARE)
    why = "a customer is in one segment and, clipped, at most half the clipping's width from its middle"
    return (
        Part(SIZES, k, 1, budget * SIZES_SHARE, "a customer is in one segment", unit),
        offsets_part(k, len(numbers(plan.features)), sums * budget_of_numbers(plan.features), why, unit),
        *block_parts(OFFSETS, k, sums, plan.features, unit),
    )


def _rows(release: Release, step: Step) -> Rows:
    return read_rows(release, OFFSETS, step.blocks, step.middle[:, step.numbers].astype(np.float64), step.factors)


def moved(release: Release, step: Step) -> Centers:
    """Post-processing: the noisy means of the segments, inside the clipping, shape (k, features), as far as they can be believed.

    A move is shortened by what of all moves together is noise, the more the fewer customers its segment has (James and Stein,
    "Estimation with quadratic loss", 1961): where noise rules the step changes nothing, where it does not nothing is taken
    off. A segment that noise alone could have made keeps its center.
    """
    sizes, before = release[SIZES].astype(np.float64)[:, None], step.centers / 2**CENTER_BITS
    people, there = np.maximum(sizes, 1.0), sizes > release.noise(SIZES).half_width(LEVEL)
    rows = _rows(release, step)
    moves = rows.origin + rows.sums / people - before
    noise = ((rows.deviation * step.stretch / people) ** 2).sum(axis=1, keepdims=True)
    told = (people * there * (((moves * step.stretch) ** 2).sum(axis=1, keepdims=True) - noise)).sum() / max(
        float((people * there).sum()), 1.0
    )
    believed = max(float(told), 0.0) / (max(float(told), 0.0) + np.maximum(noise, LEAST_NOISE))
    return rounded_centers(np.clip(before + there * believed * moves, step.low, step.high))


def step_ends(release: Release, step: Step) -> tuple[Floats, Floats]:
    """Where, with 95 % each, the means of the clipped values lie without noise, shape (k, features) each."""
    sizes, slack = release[SIZES].astype(np.float64)[:, None], release.noise(SIZES).half_width(EACH_OF_TWO)
    rows = _rows(release, step)
    reach = rows.reach(EACH_OF_TWO)
    found = quotient_ends(rows.sums - reach, rows.sums + reach, sizes - slack, sizes + slack)
    low, high = (np.clip(rows.origin + end, step.low, step.high) for end in found)
    rounded = moved(release, step) / 2**CENTER_BITS
    return np.fmin(low, rounded), np.fmax(high, rounded)
