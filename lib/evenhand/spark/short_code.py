"""Code that Spark generates for a pass over people, kept short enough for the JVM to compile.

The JVM compiles no method above 8,000 bytes, and the session tells Spark to fall back to its slow way for a whole stage
that has one (`session.settings`). What grows with features and segments is therefore written in methods of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

METHOD_TERMS = 180  # coordinates scored in one method: some 6 kB of code
MANY_FEATURES, MANY_SEGMENTS = 24, 30  # above either, steps of a pass that would fit one method do not, and are written apart
MOST_PARTITIONS = 1_000_000  # above what any table has


def in_parts(scores: Sequence[Column], terms: int) -> list[Sequence[Column]]:
    """Scores of so many terms each, of about the same number a part, which fit one method; never one, since `least` takes two."""
    most = max(2, METHOD_TERMS // terms)
    number = max(1, min(-(-len(scores) // most), len(scores) // 2))
    return [scores[i * len(scores) // number : (i + 1) * len(scores) // number] for i in range(number)]


def in_own_method(number: Column) -> Column:
    """The same DOUBLE. Spark gives an expression a method of its own where it stands more than once."""
    return F.least(number, number)


def integer_in_own_method(number: Column) -> Column:
    """The same INT or BIGINT, at less code."""
    return number.bitwiseOR(number)


def apart(rows: DataFrame) -> DataFrame:
    """The same rows in the same partitions, but Spark writes the code for what follows apart from that for what was."""
    return rows.coalesce(MOST_PARTITIONS)


def apart_if_long(rows: DataFrame, features: int, segments: int = 0) -> DataFrame:
    """The same rows, with what follows `apart` where there are many features or segments."""
    return apart(rows) if features > MANY_FEATURES or segments > MANY_SEGMENTS else rows


def never_null(rows: DataFrame, names: Sequence[str]) -> DataFrame:
    """The same rows, of which Spark knows that these integers are never null: without the checks its code is a third shorter."""
    return rows.withColumns({name: F.coalesce(F.col(name), F.lit(0)) for name in names})
