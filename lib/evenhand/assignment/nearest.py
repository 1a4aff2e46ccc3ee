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
Floats = NDArray[np.float64]


def rounded_centers(centers: NDArray[np.float64]) -> Centers:
    """Centers in fixed point as integers of 1/16 step, shape (k, features), inside the bounds of the features.

    A mean of people is never outside of them, whatever the noise says.
    """
    rounded: Centers = np.rint(np.clip(centers, 0, STEPS - 1) * 2**CENTER_BITS).astype(np.int64)
    return rounded


def segment_number(centers: Centers, names: list[str], stretch: Floats | float) -> Column:
    """The number, from 1, of the nearest center, axes being stretched (features,); of equally near ones the first.

    |x - c|² - |x|² = |c|² - 2 x·c is linear in x. Scaled to integers, with the number packed below, the smallest
    score tells the segment. With 16 bits a feature, 20 a center, 60 features and 7 for the number, every
    intermediate sum stays below 2^53 and is exact in DOUBLE, which Spark compiles to a third of the code that
    overflow-checked BIGINT takes.
    """
    return number_in(_smallest(scores(centers, names, stretch), len(names)))


def nearest(prepared: DataFrame, centers: Centers, names: list[str], stretch: Floats | float) -> DataFrame:
    """Restricted: `prepared` with `segment`, and with `_distance`, the squared distance to its center in fixed point."""
    rows = apart_if_long(prepared, len(names), len(centers))
    scored = rows.withColumn("_score", _smallest(scores(centers, names, stretch), len(names)))
    nearer = F.shiftright(F.col("_score").cast("bigint"), NUMBERS.bit_length() - 1) / 2**CENTER_BITS
    squares = [F.col(n).cast("double") * F.col(n) for n in names]
    norm = reduce(lambda a, b: a + b, _stretched(squares, stretch))
    # Rounding of |c|² may put a customer on a center a little below zero.
    distance = F.greatest(nearer + in_own_method(norm), F.lit(0.0))
    return scored.withColumns({"segment": number_in(F.col("_score")), DISTANCE: distance}).drop("_score")


def squared_distance(segment: Column, centers: Centers, names: list[str], stretch: Floats | float) -> Column:
    """To the center of any segment, in fixed point; the coordinates are looked up, so the code is small whatever k is."""
    coordinates = centers / 2**CENTER_BITS
    offsets = [F.col(n) - F.get(F.array(*[F.lit(float(c)) for c in coordinates[:, j]]), segment - 1) for j, n in enumerate(names)]
    distance = reduce(lambda a, b: a + b, _stretched([offset * offset for offset in offsets], stretch))
    return in_own_method(distance)


def scores(centers: Centers, names: list[str], stretch: Floats | float) -> list[Column]:
    """One packed score a center; less one another they are 128 times the difference in squared distance, in 1/16 steps²."""
    constants, factors = linear(centers, stretch)
    # As text, since every operator of a Column is a call to the JVM.
    terms = [[f"`{name}` * {2 * x * NUMBERS}D" for name, x in zip(names, of, strict=True)] for of in factors.tolist()]
    return [F.expr(" - ".join([f"{constants[i] * NUMBERS + i}D", *of])) for i, of in enumerate(terms)]


def linear(centers: Centers, stretch: Floats | float) -> tuple[list[int], Centers]:
    """The integers n (k) and m (k, features) of |x - c|² - |x|² = n - 2 x·m, in sixteenths of a squared step.

    With the axes stretched by s, m is s² c. Rounding that stands for a center up to 1 / (32 s²) steps off, of which n is the
    norm: the less a feature counts, the coarser, so in the distance the error is never more than that of rounded centers. The
    squares of s are 1 on average, so all sums are as large as without.
    """
    squares = np.broadcast_to(np.asarray(stretch, dtype=np.float64) ** 2, centers.shape[1:])
    factors: Centers = np.rint(squares * centers).astype(np.int64)
    norms = (factors.astype(np.float64) ** 2 / squares).sum(axis=1)
    return [round(norm / 2**CENTER_BITS) for norm in norms.tolist()], factors


def number_in(score: Column) -> Column:
    """The segment's number, from 1, in a packed score."""
    # A score may be negative; in two's complement its last seven bits are the number all the same.
    return (score.cast("bigint").bitwiseAND(F.lit(NUMBERS - 1).cast("bigint")) + 1).cast("int")


def assign(assigned: DataFrame) -> DataFrame:
    """Restricted: pseudonym, key_id, segment."""
    return assigned.select("pseudonym", "key_id", "segment")


def _smallest(scores: list[Column], features: int) -> Column:
    return reduce(F.least, [in_own_method(F.least(*part)) for part in in_parts(scores, features)])


def _stretched(squares: list[Column], stretch: Floats | float) -> list[Column]:
    by_feature = np.broadcast_to(np.asarray(stretch, dtype=np.float64) ** 2, len(squares)).tolist()
    return [square if of == 1.0 else square * F.lit(of) for square, of in zip(squares, by_feature, strict=True)]
