"""Features and protected attributes as small integers, in native SQL."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.plan.base import written
from evenhand.plan.data import Events
from evenhand.plan.expressions import FoldOf, folded, quoted_column, row_sql
from evenhand.plan.features import Attribute, Feature
from evenhand.plan.geometry import STEPS
from evenhand.prepare.consent import ID
from evenhand.prepare.folds import folded_values
from evenhand.spark.short_code import apart_if_long, in_own_method, integer_in_own_method

METHOD_FLAGS = 16  # features whose flags are found in one method


def present(value: Column) -> Column:
    """The value as a DOUBLE that is never null; NaN stands for missing, which halves the code that Spark generates."""
    return F.coalesce(value.cast("double"), F.lit(float("nan")))


def fixed_point(value: Column, feature: Feature) -> Column:
    """A `present` value clipped to the feature's bounds, as an INT of 0 to 65,535; NaN becomes the plan's `missing`."""
    low, high = feature.limits
    above = _bounded(value, feature) - F.lit(low)
    if feature.scale == "log":
        steps = F.log1p(above) * F.lit(STEPS / math.log1p(high - low))
    else:
        steps = above * F.lit(STEPS / (high - low))
    return F.least(steps.cast("int"), F.lit(STEPS - 1))


def as_integers(rows: DataFrame, features: Sequence[Feature], positions: Sequence[int], keep: Sequence[str]) -> DataFrame:
    """The kept columns, the features as integers, and `_imputed` and `_clipped`: BIGINT masks with a bit a feature.

    Done where a source is read, before any join: the rows that are shuffled are small, and no stage's code grows past
    what the JVM compiles.
    """
    ready = rows.select(*keep, *[present(F.col(f.name)).alias(f.name) for f in features])
    ready = apart_if_long(ready, len(features))
    imputed = [F.isnan(F.col(f.name)) for f in features]
    clipped = [F.nanvl(F.col(f.name), F.lit(f.missing)) != _bounded(F.col(f.name), f) for f in features]
    return ready.select(
        *keep,
        _mask(imputed, positions).alias("_imputed"),
        _mask(clipped, positions).alias("_clipped"),
        *[integer_in_own_method(fixed_point(F.col(f.name), f)).alias(f.name) for f in features],
    )


def _bounded(value: Column, feature: Feature) -> Column:
    low, high = feature.limits
    return F.least(F.greatest(F.nanvl(value, F.lit(feature.missing)), F.lit(low)), F.lit(high))


def _mask(flags: Sequence[Column], positions: Sequence[int]) -> Column:
    bits = [F.shiftleft(flag.cast("bigint"), position) for flag, position in zip(flags, positions, strict=True)]
    parts = [bits[i : i + METHOD_FLAGS] for i in range(0, len(bits), METHOD_FLAGS)]
    return _sum([integer_in_own_method(_sum(part)) for part in parts])


def _sum(numbers: Sequence[Column]) -> Column:
    return reduce(lambda a, b: a + b, numbers, F.lit(0).cast("bigint"))


def customer_values(rows: DataFrame, features: Sequence[Feature], keep: Sequence[str | Column], as_of_sql: str) -> DataFrame:
    """The kept columns, and one value a feature of the customer table: of a date the days since 1970, of an expression a DOUBLE.

    A date outside of the calendar is null, which neither drops the customer nor stops the expression.
    """
    if dated := _within_calendar(rows):  # Connect refuses to add no columns
        rows = rows.withColumns({c: F.when(within, F.col(quoted_column(c))) for c, within in dated.items()})
    kinds = {f.name.lower(): f.dataType for f in rows.schema}

    def value(feature: Feature) -> Column:
        if feature.expression is not None:
            return in_own_method(F.expr(row_sql(feature.expression, as_of_sql)).try_cast("double"))
        (name,) = feature.columns
        column = F.col(quoted_column(name))
        return F.unix_date(column) if isinstance(kinds[name.lower()], T.DateType) else column

    return rows.select(*keep, *[value(f).alias(f.name) for f in features])


def event_features(events: DataFrame, source: Events, features: Sequence[Feature], as_of: Column, as_of_sql: str) -> DataFrame:
    """One row a customer with any event before `as_of`: `_evenhand_id` and one DOUBLE a feature, under the feature's name."""
    rows = within_calendar(events).where(F.col(ID).isNotNull() & (F.col(quoted_column(source.time)) < as_of))
    if source.where:
        rows = rows.where(F.expr(row_sql(source.where, as_of_sql)))
    return aggregates(rows, {f.name: str(f.expression) for f in features}, as_of_sql)


def aggregates(rows: DataFrame, expressions: Mapping[str, str], as_of_sql: str) -> DataFrame:
    """One row an id: `_evenhand_id` and one DOUBLE an aggregate expression, under its name."""
    written = {name: folded(text, as_of_sql) for name, text in expressions.items()}
    folds = dict[FoldOf, str]()  # a fold that several expressions have is made once
    for each in written.values():
        for fold in each.folds:
            folds.setdefault(fold, f"_made_{len(folds)}")
    made = folded_values(rows, ID, folds)
    results = [F.expr(w.sql([folds[fold] for fold in w.folds])).try_cast("double").alias(name) for name, w in written.items()]
    return made.select(ID, *results)


def within_calendar(events: DataFrame) -> DataFrame:
    """The events whose dates are within the years 1 to 9999: a date far outside is none that Spark can make a timestamp of."""
    rows = events
    for name, within in _within_calendar(events).items():
        rows = rows.where(F.col(quoted_column(name)).isNull() | within)
    return rows


def _within_calendar(rows: DataFrame) -> dict[str, Column]:
    """Whether a value is within the years 1 to 9999, by column that has days or times without a zone."""
    first, last = F.expr("date '0001-01-01'"), F.expr("date '9999-12-31'")
    dated = [f.name for f in rows.schema if isinstance(f.dataType, T.DateType | T.TimestampNTZType)]
    return {name: F.col(quoted_column(name)).between(first, last) for name in dated}


def group_code(value: Column, attribute: Attribute) -> Column:
    """The position of the customer's group in `attribute.group_names`, an INT; never null."""
    unknown = attribute.code(attribute.unknown)
    if attribute.bands is not None:
        number = value.cast("double")
        code = F.lit(len(attribute.bands))
        for position, cut in reversed(list(enumerate(attribute.bands))):
            code = F.when(number < cut, F.lit(position)).otherwise(code)
        return F.when(number.isNull() | F.isnan(number), F.lit(unknown)).otherwise(code).cast("int")
    text, code = value.cast("string"), F.lit(attribute.code(attribute.others))
    for position, values in reversed(list(enumerate((attribute.groups or {}).values()))):
        code = F.when(text.isin([written(v) for v in values]), F.lit(position)).otherwise(code)
    return F.when(text.isNull(), F.lit(unknown)).otherwise(code).cast("int")


def is_ruled_out(value: Column, attribute: Attribute) -> Column:
    """Whether the plan says that nobody has such a value: none at all, or one that no group names. False, never null."""
    if attribute.bands is not None:
        number = value.cast("double")
        return (number.isNull() | F.isnan(number)) & F.lit(attribute.unknown is None)
    text, named = value.cast("string"), [written(v) for values in (attribute.groups or {}).values() for v in values]
    without, other = F.lit(attribute.unknown is None), F.lit(attribute.others is None)
    return F.when(text.isNull(), without).otherwise(~text.isin(named) & other)
