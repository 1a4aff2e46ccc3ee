"""How each feature is distributed in each segment: a noisy histogram, and of additive features on log scales the totals."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.ask.histograms import BINS, WIDTH
from evenhand.assignment.fair_map import FairMap, assignment_fingerprint, with_segment
from evenhand.assignment.in_numpy import assigned
from evenhand.assignment.nearest import Centers
from evenhand.plan.accounting import row_sensitivity
from evenhand.plan.categories import numbers
from evenhand.plan.distribution import TOTALS_SHARE, is_additive
from evenhand.plan.features import Feature
from evenhand.plan.geometry import BIN_BITS, BITS
from evenhand.plan.method import DISTRIBUTION
from evenhand.plan.models import Plan
from evenhand.privacy.question import Integers, Part, Question
from evenhand.privacy.sample import Sample, counted
from evenhand.spark.short_code import apart_if_long

TOTALS = "totals"
AMOUNT = 2**30  # steps of an amount, on a scale without logarithm, from the lower bound to the upper
SMALL = 8 * WIDTH  # of an amount below, what it may be off by is stated in steps
CELL = "_cell"  # no feature has such a name


def histogram_part(feature: str) -> str:
    return f"histogram of {feature}"


def added_up(plan: Plan) -> list[int]:
    """The features whose amounts are asked for: of others the sums that the assessment has tell the total."""
    return [j for j, feature in enumerate(plan.features) if feature.scale == "log" and is_additive(feature)]


def distribution(centers: Centers, fair_map: FairMap | None, plan: Plan) -> Question:
    """About the segments that these centers and this map make: 64 equal bins a segment and feature, and sums of amounts.

    Of features that are numbers: of categories the typical values say all.
    """
    k, of_numbers = len(centers), numbers(plan.features)

    def in_spark(prepared: DataFrame) -> DataFrame:
        names = plan.feature_names
        rows = with_segment(prepared, centers, fair_map, plan).select("segment", *names)
        rows = apart_if_long(rows, len(names), k)
        bins = [F.shiftright(names[j], BITS - BIN_BITS) for j in of_numbers]
        cells = [of + (F.col("segment") - 1 + i * k) * BINS for i, of in enumerate(bins)]
        amounts = [_amount(plan.features[j]).alias(f"t{j}") for j in added_up(plan)]
        cell_rows = rows.select(*amounts, F.explode(F.array(*cells)).alias(CELL))
        return cell_rows.groupBy(CELL).agg(F.count("*").alias("n"), *(F.sum(f"t{j}").alias(f"t{j}") for j in added_up(plan)))

    def in_numpy(people: Sample) -> pa.Table:
        segment, d = assigned(people, centers, fair_map, plan)[0], len(of_numbers)
        cells = (people.points[:, of_numbers] >> (BITS - BIN_BITS)) + (segment[:, None] - 1 + np.arange(d) * k) * BINS
        amounts = {f"t{j}": np.repeat(amounts_of(people.points[:, j], plan.features[j]), d) for j in added_up(plan)}
        return counted({CELL: cells.ravel()}, amounts)

    parts, about = distribution_parts(k, plan), assignment_fingerprint(centers, fair_map)
    return Question(DISTRIBUTION, parts, in_spark, in_numpy, lambda table: _vectors(table, k, plan), about=about)


def distribution_parts(k: int, plan: Plan) -> tuple[Part, ...]:
    """A histogram a feature, and one part for the totals of all that are asked for. The parts compose sequentially."""
    budget, unit, width = plan.distribution_budget, plan.privacy.unit, len(added_up(plan))
    totals = budget * TOTALS_SHARE if width else 0.0
    of_numbers = [plan.feature_names[j] for j in numbers(plan.features)]
    each, why = (budget - totals) / len(of_numbers), "a customer is in one segment and in one bin of the feature"
    histograms = [Part(histogram_part(name), k * BINS, 1, each, why, unit) for name in of_numbers]
    if not width:
        return tuple(histograms)
    why = f"a customer is in one segment, and each amount is at most {AMOUNT} steps from the lower bound"
    return (*histograms, Part(TOTALS, k * width, row_sensitivity(width, AMOUNT, unit), totals, why, unit, width))


def _vectors(table: pa.Table, k: int, plan: Plan) -> Mapping[str, Integers]:
    of_numbers = [plan.feature_names[j] for j in numbers(plan.features)]
    d, asked, cell = len(of_numbers), added_up(plan), table[CELL].to_numpy().astype(np.int64)

    def cube(column: str) -> Integers:
        full = np.zeros(d * k * BINS, dtype=np.int64)
        full[cell] = table[column].to_numpy().astype(np.int64)
        return full.reshape(d, k, BINS)

    vectors: dict[str, Integers] = {histogram_part(name): of.ravel() for name, of in zip(of_numbers, cube("n"), strict=True)}
    if asked:  # a customer is in one bin of the first feature, so that the sums over these are over customers
        vectors[TOTALS] = np.stack([cube(f"t{j}")[0].sum(axis=1) for j in asked], axis=1).ravel()
    return vectors


def edges_of(feature: Feature) -> Integers:
    """The amounts at the edges of the bins, in steps, shape (bins + 1,)."""
    low, high = feature.limits
    amounts = np.expm1(np.arange(BINS + 1) / BINS * math.log1p(high - low)) / (high - low)
    edges: Integers = np.rint(amounts * AMOUNT).astype(np.int64)
    return edges


def amounts_of(fixed: Integers, feature: Feature) -> Integers:
    """In steps, along straight lines between the edges of the bins: integers alone, which Spark and NumPy compute alike."""
    edges = edges_of(feature)
    number = fixed >> (BITS - BIN_BITS)
    along: Integers = ((fixed & (WIDTH - 1)) * np.diff(edges)[number]) >> (BITS - BIN_BITS)
    amounts: Integers = edges[number] + along
    return amounts


def _amount(feature: Feature) -> Column:
    """The same in Spark."""
    edges, fixed = edges_of(feature), F.col(feature.name)
    number, place = F.shiftright(fixed, BITS - BIN_BITS), fixed.bitwiseAND(WIDTH - 1).cast("bigint")
    start, width = (
        F.get(F.array(*(F.lit(e).cast("bigint") for e in of.tolist())), number) for of in (edges[:-1], np.diff(edges))
    )
    return start + F.shiftright(place * width, BITS - BIN_BITS)


def furthest_off(feature: Feature) -> tuple[float, float]:
    """By what part of itself, and by how many steps more, an amount may be off one that was rounded down to fixed point."""
    fixed = np.arange(1 << BITS)
    low, high = feature.limits
    exact = np.expm1(np.arange((1 << BITS) + 1) / (1 << BITS) * math.log1p(high - low)) / (high - low) * AMOUNT
    told = amounts_of(fixed, feature).astype(np.float64)
    off: NDArray[np.float64] = np.maximum(told - exact[:-1], exact[1:] - told)
    return float((off[SMALL:] / told[SMALL:]).max()), float(off[:SMALL].max())
