"""Folds over a customer's rows that come out the same in whatever order, files and tasks Spark reads the rows.

A sum of DOUBLEs depends on the order of addition, which one customer's rows can change for all others (they change what
is packed into which task). So a value is made whole numbers, by a rule that looks at that value alone, and these are
added: exact, and no partial sum can leave a BIGINT before 2^32 rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.plan.expressions import FoldOf

BILLION = 1e9  # a DOUBLE is added up in billionths
RANGE = 2.0**62  # from there on a DOUBLE is no value
HALF = 31  # bits in which the low part of a whole number is added up
SMALL = (T.BooleanType, T.ByteType, T.ShortType, T.IntegerType)
MOST_PRECISION = 28  # of a DECIMAL whose sum of 10^10 rows fits Spark's 38 digits


def folded_values(rows: DataFrame, key: str, folds: Mapping[FoldOf, str]) -> DataFrame:
    """One row a key: the key and every fold, under its name. Sums and averages are DOUBLE, null without a value."""
    texts = list(dict.fromkeys(text for fold in folds for text in fold.values))
    values = rows.select(key, *[F.expr(text).alias(f"_value_{i}") for i, text in enumerate(texts)])
    types = dict(zip(texts, [f.dataType for f in values.schema][1:], strict=True))
    names = {text: f"_value_{i}" for i, text in enumerate(texts)}
    comparable = [_comparable(F.col(names[t]), types[t]).alias(names[t]) for t in texts]
    parts, results = list[Column](), list[Column]()
    for number, (fold, name) in enumerate(folds.items()):
        columns = [F.col(names[t]) for t in fold.values]
        each, result = _fold(fold, columns, types[fold.values[0]], f"_part_{number}")
        parts += each
        results.append(result.alias(name))
    return values.select(key, *comparable).groupBy(key).agg(*parts).select(key, *results)


def _comparable(value: Column, kind: T.DataType) -> Column:
    """Values that compare as equal made one: 0.0 and -0.0, NaN and null, and texts by their bytes."""
    if isinstance(kind, T.FloatType | T.DoubleType):
        number = value.cast("double")
        return F.when(~F.isnan(number), number + F.lit(0.0))
    if isinstance(kind, T.StringType) and kind.collation != "UTF8_BINARY":
        return F.collate(value, "UTF8_BINARY")
    return value


def _fold(fold: FoldOf, values: list[Column], kind: T.DataType, name: str) -> tuple[list[Column], Column]:
    """The aggregates of a fold, under names that begin with `name`, and the fold in terms of these."""
    if fold.kind in ("sum", "avg"):
        return _added(fold, values[0], kind, name)
    value = values[0]
    if fold.kind in ("min", "max") and isinstance(kind, T.ArrayType | T.StructType | T.MapType):
        value = value.cast("double")  # refused by Spark for its type: of two that are equal and not the same, either might stay
    aggregate = {
        "count": lambda: F.count_distinct(*values) if fold.distinct else F.count(_all_there(values)),
        "count_if": lambda: F.count_if(value.try_cast("boolean")),
        "all": lambda: F.bool_and(value.try_cast("boolean")),
        "any": lambda: F.bool_or(value.try_cast("boolean")),
        "min": lambda: F.min(value),
        "max": lambda: F.max(value),
        "percentile": lambda: F.percentile(_finite(value.try_cast("double")), F.lit(fold.fraction)),
        "approx_count_distinct": lambda: F.approx_count_distinct(value),
    }
    return [aggregate[fold.kind]().alias(name)], F.col(name)


def _added(fold: FoldOf, value: Column, kind: T.DataType, name: str) -> tuple[list[Column], Column]:
    """A sum or an average, as a DOUBLE that is a function of the exact sum of what `_addend` makes of each value."""
    addend, form = _addend(value, kind, fold.distinct)
    add, count = (F.sum_distinct, F.count_distinct) if fold.distinct else (F.sum, F.count)
    if form != "billionths" and form != "whole":
        parts, total = [add(addend).alias(name)], F.col(name).cast("double")
    else:
        whole = addend.cast("bigint")
        low, high = whole.bitwiseAND(F.lit(2**HALF - 1).cast("bigint")), F.shiftright(whole, HALF)
        parts = [F.sum(low).alias(f"{name}_low"), F.sum(high).alias(f"{name}_high")]
        total = F.col(f"{name}_high").cast("double") * F.lit(2.0**HALF) + F.col(f"{name}_low").cast("double")
        if form == "billionths":
            rest = F.rint((addend - whole.cast("double")) * F.lit(BILLION)).cast("bigint")
            parts.append(F.sum(rest).alias(f"{name}_rest"))
            total = total + F.col(f"{name}_rest").cast("double") / F.lit(BILLION)
    if fold.kind == "sum":
        return parts, total
    return [*parts, count(addend).alias(f"{name}_n")], total / F.nullif(F.col(f"{name}_n"), F.lit(0))


def _addend(value: Column, kind: T.DataType, distinct: bool) -> tuple[Column, str]:
    """What of a value is added up, a function of it alone, and in which form; null where it is no number in range."""
    if isinstance(kind, T.DecimalType) and kind.precision <= MOST_PRECISION:
        return value, "decimal"
    if isinstance(kind, SMALL):
        return value.cast("int").cast("bigint"), "small"
    if isinstance(kind, T.DecimalType) or distinct:
        return value.try_cast(f"decimal({MOST_PRECISION}, 9)"), "decimal"
    if isinstance(kind, T.LongType):
        return value, "whole"
    number = value.try_cast("double")
    return F.when(F.abs(number) < F.lit(RANGE), number), "billionths"


def _finite(value: Column) -> Column:
    """Between two infinities there is nothing that a percentile could be; 0.0 and -0.0 are one."""
    return F.when(F.abs(value) < F.lit(float("inf")), value + F.lit(0.0))


def _all_there(values: list[Column]) -> Column:
    if len(values) == 1:
        return values[0]
    there = values[0].isNotNull()
    for value in values[1:]:
        there = there & value.isNotNull()
    return F.when(there, F.lit(1))
