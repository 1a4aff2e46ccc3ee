"""Bounds that the plan leaves out, found privately: a noisy histogram of magnitudes a feature, and quantiles of it.

Where the bins are is public (`plan.magnitudes`); no look at a smallest or greatest value ever decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.errors import DataError
from evenhand.plan.accounting import SYMBOL
from evenhand.plan.magnitudes import BINS, LEAST, WANTED, ZERO, edges, threshold
from evenhand.plan.method import BOUNDS
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL
from evenhand.privacy.question import Integers, Part, Question, histogram_vectors
from evenhand.privacy.release import Release
from evenhand.privacy.sample import Sample, counted

TAIL = 0.005  # of the customers may lie outside on either side, so that no handful of them decides


def magnitude_histograms(plan: Plan) -> Question:
    """How many customers are in each bin of every feature whose bounds are not stated, empty bins too.

    Asked of `magnitudes`: one row a customer, with a bin or null a feature. One customer is in one bin of a feature at most:
    L1 sensitivity 1 a feature, and the features compose sequentially.
    """
    names = [f.name for f in plan.to_find]

    def in_spark(magnitudes: DataFrame) -> DataFrame:
        bins = F.explode(F.array(*[F.col(n) + F.lit(j * BINS) for j, n in enumerate(names)])).alias("bin")
        return magnitudes.select(bins).where("bin is not null").groupBy("bin").agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        return counted({"bin": (people.magnitudes + np.arange(len(names)) * BINS)[people.magnitudes >= 0]})

    parts = bound_parts(plan)
    return Question(BOUNDS, parts, in_spark, in_numpy, lambda table: histogram_vectors(table, names, BINS), of_sources=True)


def bound_parts(plan: Plan) -> tuple[Part, ...]:
    """A part a feature without bounds, of as many cells as there are magnitudes."""
    each, unit = plan.bounds_budget / len(plan.to_find), plan.privacy.unit
    return tuple(Part(f.name, BINS, 1, each, "a customer is in one bin of the feature, or in none", unit) for f in plan.to_find)


def with_found_bounds(release: Release, plan: Plan) -> Plan:
    """Post-processing: the plan with bounds for every feature.

    Raises:
        DataError: the noise is too large for the bounds of some features; it names them.
    """
    each, unit = plan.bounds_budget / len(plan.to_find), plan.privacy.unit
    found = {f.name: range_of(release[f.name], threshold(each, unit)) for f in plan.to_find}
    if lost := [name for name, bounds in found.items() if bounds is None]:
        raise DataError(
            f"features: the noise hides the bounds of {', '.join(lost)} ({SYMBOL[unit]} = {each:.2g} for each); state bounds in the plan, or "
            "raise privacy.epsilon or privacy.split.bounds; nothing was published"
        )
    return plan.with_bounds({name: bounds for name, bounds in found.items() if bounds is not None})


def range_of(noisy: Integers, least: float) -> tuple[float, float] | None:
    """The outer edges of the bins where TAIL of the mass is reached from either side; None where too little stands out.

    Only bins with more than `least`, above the noise, count; so what a hundred empty bins add up to moves nothing.
    """
    mass = np.where(noisy > least, noisy, 0).astype(np.float64)
    total = mass.sum()
    if total < WANTED * least:
        return None
    first = int(np.argmax(np.cumsum(mass) > TAIL * total))
    last = BINS - 1 - int(np.argmax(np.cumsum(mass[::-1]) > TAIL * total))
    low, high = edges(first)[0], edges(last)[1]
    return (low, high) if low < high else (-(2.0**LEAST), 2.0**LEAST)  # nobody is away from zero


@dataclass(frozen=True)
class BoundIntervals:
    """Where the bounds of a feature lie without noise: from and to, of the lower one and of the upper one."""

    low: tuple[float, float]
    high: tuple[float, float]


def bound_intervals(release: Release, plan: Plan) -> dict[str, BoundIntervals]:
    """By feature, with 95 %, what the same rule finds in the histogram without noise, widened to what `missing` becomes.

    All bins at once lie in their intervals by the known distribution of the noise; the bounds are taken to their extremes.
    """
    least = threshold(plan.bounds_budget / len(plan.to_find), plan.privacy.unit)
    found = {}
    for feature in plan.to_find:
        reach = release.noise(feature.name).half_width(1 - (1 - LEVEL) / BINS)
        low, high = ranges_of(release[feature.name], reach, least)
        found[feature.name] = BoundIntervals(
            (min(low[0], feature.missing), min(low[1], feature.missing)),
            (max(high[0], feature.missing), max(high[1], feature.missing)),
        )
    return found


def ranges_of(noisy: Integers, reach: int, least: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """The least and greatest lower bound, and upper bound, of all histograms with every bin within `reach` of the noisy one."""
    fewest, most = (np.where(noisy + r > least, noisy + r, 0).astype(np.float64) for r in (-reach, reach))
    firsts = _first(most, fewest), _first(fewest, most)
    lasts = BINS - 1 - _first(fewest[::-1], most[::-1]), BINS - 1 - _first(most[::-1], fewest[::-1])
    low, high = (edges(firsts[0])[0], edges(firsts[1])[0]), (edges(lasts[0])[1], edges(lasts[1])[1])
    if firsts[0] <= ZERO <= firsts[1] and lasts[0] <= ZERO <= lasts[1]:  # it may be that nobody is away from zero
        low, high = (min(low[0], -(2.0**LEAST)), low[1]), (high[0], max(high[1], 2.0**LEAST))
    return low, high


def _first(upto: NDArray[np.float64], after: NDArray[np.float64]) -> int:
    """The first bin up to which more than TAIL of the mass lies, when bins up to it hold `upto` and those after it `after`."""
    below, above = np.cumsum(upto), after.sum() - np.cumsum(after)
    reached = below > TAIL * (below + above)
    return int(np.argmax(reached)) if reached.any() else BINS - 1
