"""Features and protected attributes as small integers, in native SQL."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.expressions import with_as_of
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Attribute, Events, Feature
from evenhand.prepare.consent import ID


def fixed_point(value: Column, feature: Feature) -> Column:
    """The value clipped to the plan's bounds as an INT of 0 to 65,535; null and NaN become the plan's `missing`."""
    low, high = feature.bounds
    present = F.when(is_missing(value), F.lit(feature.missing)).otherwise(value)
    above = F.least(F.greatest(present, F.lit(low)), F.lit(high)) - F.lit(low)
    if feature.scale == "log":
        share = F.log1p(above) / F.lit(math.log1p(high - low))
    else:
        share = above / F.lit(high - low)
    return F.least(F.floor(share * F.lit(float(STEPS))).cast("int"), F.lit(STEPS - 1))


def is_missing(value: Column) -> Column:
    return value.isNull() | F.isnan(value)


def mask(flags: Sequence[Column]) -> Column:
    """One BIGINT with a bit a feature, the first feature's lowest."""
    total = F.lit(0).cast("bigint")
    for position, flag in enumerate(flags):
        total = total + F.when(flag, F.lit(1 << position).cast("bigint")).otherwise(F.lit(0).cast("bigint"))
    return total


def outside(value: Column, feature: Feature) -> Column:
    """Whether a value that is there had to be clipped; infinities are."""
    low, high = feature.bounds
    return F.coalesce(~is_missing(value) & ((value < low) | (value > high)), F.lit(False))


def event_features(events: DataFrame, source: Events, features: Sequence[Feature], as_of: Column, as_of_sql: str) -> DataFrame:
    """One row a customer with any event before `as_of`: `_id` and one DOUBLE a feature, under the feature's name."""
    rows = events.where(F.col(ID).isNotNull() & (F.col(source.time) < as_of))
    if source.where:
        rows = rows.where(F.expr(with_as_of(source.where, as_of_sql)))
    aggregates = []
    for feature in features:
        assert feature.expression is not None
        aggregates.append(F.expr(with_as_of(feature.expression, as_of_sql)).cast("double").alias(feature.name))
    return rows.groupBy(ID).agg(*aggregates)


def group_code(value: Column, attribute: Attribute) -> Column:
    """The position of the customer's group in `attribute.group_names`, an INT; never null."""
    others, unknown = len(attribute.group_names) - 2, len(attribute.group_names) - 1
    if attribute.bands is not None:
        number = value.cast("double")
        code = F.lit(len(attribute.bands))
        for position, cut in reversed(list(enumerate(attribute.bands))):
            code = F.when(number < cut, F.lit(position)).otherwise(code)
        return F.when(is_missing(number), F.lit(unknown)).otherwise(code).cast("int")
    text, code = value.cast("string"), F.lit(others)
    for position, values in reversed(list(enumerate((attribute.groups or {}).values()))):
        # Spark writes booleans in lower case, Python does not.
        named = [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
        code = F.when(text.isin(named), F.lit(position)).otherwise(code)
    return F.when(text.isNull(), F.lit(unknown)).otherwise(code).cast("int")
