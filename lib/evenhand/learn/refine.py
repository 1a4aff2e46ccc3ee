"""One private Lloyd step: everybody goes to the nearest center, and each center to the noisy mean of its customers.

The summary sees people only through its boxes; a step sees them as they are. It costs one more pass and some ε.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.ask.boxes import OFFSETS, Summary, offsets_part
from evenhand.assignment.nearest import CENTER_BITS, Centers, rounded_centers, segment_number
from evenhand.learn.cluster import squared_distances
from evenhand.plan.accounting import Unit
from evenhand.plan.geometry import STEPS, offset_factors
from evenhand.plan.method import Method, refinement
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import EACH_OF_TWO, LEVEL, quotient_ends
from evenhand.privacy.question import Integers, Part, Question, fingerprint_of
from evenhand.privacy.release import Door, Release

Floats = NDArray[np.float64]
SIZES = "sizes"
SIZES_SHARE = 0.2  # of the step's budget for the sizes, the rest for the sums of offsets; from trials
REACH = 3.0  # deviations from the center at which a customer's value is clipped; from trials
LEAST_NOISE = 1e-12  # squared steps: at a very great ε there is none
LEAST_DEVIATION = STEPS / 100  # of a segment, as seen on the summary, which may be a single box


@dataclass(frozen=True)
class Step:
    """The centers that people are assigned to, in sixteenths of a fixed-point step, and how far each may move.

    `low`, `middle`, `high` (k, features) in fixed point: a value is clipped to low and high, and its offset is taken from
    the middle. `factors` (k, features): offsets are multiplied by them, so that one noise scale fits all. `unit`: in what
    the step is priced, which decides the factors.
    """

    number: int
    centers: Centers
    low: Integers
    high: Integers
    unit: Unit = "epsilon"

    @classmethod
    def around(cls, number: int, centers: Centers, summary: Summary, unit: Unit = "epsilon") -> Step:
        """The clipping of step `number`, seen on the summary alone."""
        fixed = centers / 2**CENTER_BITS
        reach = REACH * np.maximum(_deviations(fixed, summary), LEAST_DEVIATION)
        low = np.clip(np.floor(fixed - reach), 0, STEPS - 2).astype(np.int64)
        high = np.clip(np.ceil(fixed + reach), low + 1, STEPS - 1).astype(np.int64)
        return cls(number, centers, low, high, unit)

    @property
    def middle(self) -> Integers:
        return (self.low + self.high) // 2

    @property
    def factors(self) -> Integers:
        return offset_factors(self.high - self.middle, self.unit)  # high - middle is not smaller than middle - low

    @property
    def fingerprint(self) -> str:
        """Of the public side of the question, so that a stored answer is never read for other centers."""
        return fingerprint_of(self.centers, self.low, self.high)


@dataclass(frozen=True)
class Refined:
    """`ends`: from and to of the centers, (k, features) in fixed point each; None where there was no step."""

    centers: Centers
    ends: tuple[Floats, Floats] | None


def refined(door: Door, prepared: DataFrame, centers: Centers, summary: Summary, plan: Plan) -> Refined:
    """The centers after all steps that the method has; the largest segment first."""
    ends = None
    for number in range(1, len(Method.of(plan).refinements) + 1):
        step = Step.around(number, centers, summary, plan.privacy.unit)
        release = door.release(step_sums(prepared, step, plan))
        order = np.argsort(-release[SIZES], kind="stable")
        low, high = step_ends(release, step)
        centers, ends = moved(release, step)[order], (low[order], high[order])
    return Refined(centers, ends)


def step_sums(prepared: DataFrame, step: Step, plan: Plan) -> Question:
    """Per segment the number of customers and the sums of their offsets from the middle, each value clipped."""
    names, k = plan.feature_names, len(step.centers)
    segment = prepared.select(segment_number(step.centers, names).alias("segment"), *names)
    sums = [F.sum(_clipped(name, step, j).cast("bigint")).alias(f"s{j}") for j, name in enumerate(names)]
    rows = segment.groupBy("segment").agg(F.count("*").alias("n"), *sums)
    return Question(
        refinement(step.number), rows, lambda table: _vectors(table, step), _parts(step, plan, k), about=step.fingerprint
    )


def _clipped(name: str, step: Step, j: int) -> Column:
    # The bounds of a row's segment are looked up in a constant array: the generated code stays small whatever k is.
    low, high = (F.get(F.array(*[F.lit(int(v)) for v in bound[:, j]]), F.col("segment") - 1) for bound in (step.low, step.high))
    return F.least(F.greatest(F.col(name), low), high)


def _vectors(table: pa.Table, step: Step) -> Mapping[str, Integers]:
    index = table["segment"].to_numpy().astype(np.int64) - 1
    n = np.zeros(len(step.centers), dtype=np.int64)
    n[index] = table["n"].to_numpy().astype(np.int64)
    sums = np.zeros_like(step.low)
    for j in range(sums.shape[1]):
        sums[index, j] = table[f"s{j}"].to_numpy().astype(np.int64)
    return {SIZES: n, OFFSETS: ((sums - n[:, None] * step.middle) * step.factors).ravel()}


def _parts(step: Step, plan: Plan, k: int) -> tuple[Part, Part]:
    budget, unit = Method.of(plan).refinements[step.number - 1], step.unit
    why = "a customer is in one segment and, clipped, at most half the clipping's width from its middle"
    return (
        Part(SIZES, k, 1, budget * SIZES_SHARE, "a customer is in one segment", unit),
        offsets_part(k, len(plan.features), budget * (1 - SIZES_SHARE), why, unit),
    )


def moved(release: Release, step: Step) -> Centers:
    """Post-processing: the noisy means of the segments, inside the clipping, shape (k, features), as far as they can be believed.

    A move is shortened by what of all moves together is noise, the more the fewer customers its segment has (James and Stein,
    "Estimation with quadratic loss", 1961): where noise rules the step changes nothing, where it does not nothing is taken
    off. A segment that noise alone could have made keeps its center.
    """
    sizes, before = release[SIZES].astype(np.float64)[:, None], step.centers / 2**CENTER_BITS
    people, there = np.maximum(sizes, 1.0), sizes > release.noise(SIZES).half_width(LEVEL)
    moves = step.middle + release[OFFSETS].reshape(step.low.shape) / (people * step.factors) - before
    noise = ((release.noise(OFFSETS).deviation / (people * step.factors)) ** 2).sum(axis=1, keepdims=True)
    told = (people * there * ((moves**2).sum(axis=1, keepdims=True) - noise)).sum() / max(float((people * there).sum()), 1.0)
    believed = max(float(told), 0.0) / (max(float(told), 0.0) + np.maximum(noise, LEAST_NOISE))
    return rounded_centers(np.clip(before + there * believed * moves, step.low, step.high))


def step_ends(release: Release, step: Step) -> tuple[Floats, Floats]:
    """Where, with 95 % each, the means of the clipped values lie without noise, shape (k, features) each."""
    sizes, slack = release[SIZES].astype(np.float64)[:, None], release.noise(SIZES).half_width(EACH_OF_TWO)
    sums, reach = release[OFFSETS].reshape(step.low.shape), release.noise(OFFSETS).half_width(EACH_OF_TWO)
    found = quotient_ends((sums - reach) / step.factors, (sums + reach) / step.factors, sizes - slack, sizes + slack)
    low, high = (np.clip(step.middle + end, step.low, step.high) for end in found)
    rounded = moved(release, step) / 2**CENTER_BITS
    return np.fmin(low, rounded), np.fmax(high, rounded)


def _deviations(centers: Floats, summary: Summary) -> Floats:
    """Root mean squared offset of the summary's points from their nearest center, shape (k, features)."""
    nearest = squared_distances(summary.points, centers).argmin(axis=1)
    weights = np.maximum(np.bincount(nearest, weights=summary.weights, minlength=len(centers)), 1.0)
    squares = (summary.points - centers[nearest]) ** 2 * summary.weights[:, None]
    sums = [np.bincount(nearest, weights=column, minlength=len(centers)) for column in squares.T]
    return np.sqrt(np.stack(sums, axis=1) / weights[:, None])
