"""The nearest center of each customer, in native SQL and exact: no rounding decides a label."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.geometry import STEPS
from evenhand.spark.short_code import apart_if_long, in_own_method, in_parts

CENTER_BITS = 4  # centers in sixteenths of a fixed-point step
DISTANCE = "_distance"  # of the columns that stand beside a segment; no feature and no attribute has such a name
NUMBERS = 128  # room for the segment's number in the packed score; the plan allows 100 segments

Centers = NDArray[np.int64]


def rounded_centers(centers: NDArray[np.float64]) -> Centers:
    """Centers in fixed point as integers of 1/16 step, shape (k, features), inside the bounds of the features.

    A mean of people is never outside of them, whatever the noise says.
    """
    rounded: Centers = np.rint(np.clip(centers, 0, STEPS - 1) * 2**CENTER_BITS).astype(np.int64)
    return rounded


def segment_number(centers: Centers, names: list[str]) -> Column:
    """The number, from 1, of the nearest center; of equally near ones the first.

    |x - c|² - |x|² = |c|² - 2 x·c is linear in x. Scaled to integers, with the number packed below, the smallest
    score tells the segment. With 16 bits a feature, 20 a center, 60 features and 7 for the number, every
    intermediate sum stays below 2^53 and is exact in DOUBLE, which Spark compiles to a third of the code that
    overflow-checked BIGINT takes.
    """
    return number_in(_smallest(scores(centers, names), len(names)))


def nearest(prepared: DataFrame, centers: Centers, names: list[str]) -> DataFrame:
    """Restricted: `prepared` with `segment`, and with `_distance`, the squared distance to its center in fixed point."""
    rows = apart_if_long(prepared, len(names), len(centers))
    scored = rows.withColumn("_score", _smallest(scores(centers, names), len(names)))
    nearer = F.shiftright(F.col("_score").cast("bigint"), NUMBERS.bit_length() - 1) / 2**CENTER_BITS
    norm = reduce(lambda a, b: a + b, [F.col(n).cast("double") * F.col(n) for n in names])
    # Rounding of |c|² may put a customer on a center a little below zero.
    distance = F.greatest(nearer + in_own_method(norm), F.lit(0.0))
    return scored.withColumns({"segment": number_in(F.col("_score")), DISTANCE: distance}).drop("_score")


def squared_distance(segment: Column, centers: Centers, names: list[str]) -> Column:
    """To the center of any segment, in fixed point; the coordinates are looked up, so the code is small whatever k is."""
    coordinates = centers / 2**CENTER_BITS
    offsets = [F.col(n) - F.get(F.array(*[F.lit(float(c)) for c in coordinates[:, j]]), segment - 1) for j, n in enumerate(names)]
    distance = reduce(lambda a, b: a + b, [offset * offset for offset in offsets])
    return in_own_method(distance)


def scores(centers: Centers, names: list[str]) -> list[Column]:
    """One packed score a center; less one another they are 128 times the difference in squared distance, in 1/16 steps²."""
    return [_score(center, names, number) for number, center in enumerate(centers)]


def number_in(score: Column) -> Column:
    """The segment's number, from 1, in a packed score."""
    # A score may be negative; in two's complement its last seven bits are the number all the same.
    return (score.cast("bigint").bitwiseAND(F.lit(NUMBERS - 1).cast("bigint")) + 1).cast("int")


def assign(assigned: DataFrame) -> DataFrame:
    """Restricted: pseudonym, key_id, segment."""
    return assigned.select("pseudonym", "key_id", "segment")


def _smallest(scores: list[Column], features: int) -> Column:
    return reduce(F.least, [in_own_method(F.least(*part)) for part in in_parts(scores, features)])


def _score(center: Centers, names: list[str], number: int) -> Column:
    # |c|² is even-rounded to whole units of 1/16 so that it adds up with 2 x·c in the same units.
    constant = round(int((center.astype(object) ** 2).sum()) / 2**CENTER_BITS)
    # As text, since every operator of a Column is a call to the JVM.
    terms = [f"`{name}` * {2 * x * NUMBERS}D" for name, x in zip(names, center.tolist(), strict=True)]
    return F.expr(" - ".join([f"{constant * NUMBERS + number}D", *terms]))
