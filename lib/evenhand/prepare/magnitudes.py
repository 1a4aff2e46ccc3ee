"""How large the features are whose bounds the plan leaves out: what `ask.bounds` counts, before anything is clipped."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.data import KeepLatest
from evenhand.plan.magnitudes import LEAST, MOST, SIDE, SLACK, ZERO
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, identified, may_be_used
from evenhand.prepare.customers import timestamp, timestamp_sql, with_ids
from evenhand.prepare.duplicates import ROW, keep_latest, unanimous, with_row
from evenhand.prepare.features import customer_values, event_features
from evenhand.prepare.sources import Sources
from evenhand.prepare.withheld import as_permitted
from evenhand.spark.short_code import apart_if_long, integer_in_own_method


def magnitudes(sources: Sources, plan: Plan, as_of: datetime) -> DataFrame:
    """Restricted: one row an allowed customer, and a feature without bounds its bin, null where the value is missing.

    The same customers and the same values as in `prepared`.
    """
    now = timestamp(as_of)
    sources = as_permitted(sources, plan, now)
    rows = may_be_used(customer_magnitudes(sources, plan, timestamp_sql(as_of)), sources.consent, plan, now)
    for name, source in plan.sources.events.items():
        features = [f for f in plan.to_find if f.events == name]
        if features:
            found = event_features(identified(sources.events[name], source.id), source, features, now, timestamp_sql(as_of))
            bins = [magnitude(F.col(f.name)).alias(f.name) for f in features]
            rows = rows.join(found.select(ID, *bins), ID, "left")
    return rows.drop(ID)


def customer_magnitudes(sources: Sources, plan: Plan, as_of_sql: str) -> DataFrame:
    """One row an id: `_evenhand_id` and the bins of the features of the customer table."""
    rows, duplicates = with_ids(sources, plan), plan.sources.customers.duplicates
    features = [f for f in plan.to_find if f.events is None]
    bins = [magnitude(F.col(f.name)).alias(f.name) for f in features]
    if isinstance(duplicates, KeepLatest):
        rows = keep_latest(rows, duplicates.keep_latest_by)
        return customer_values(rows, features, [ID], as_of_sql).select(ID, *bins)
    values = customer_values(with_row(rows), features, [ID, ROW], as_of_sql)
    return unanimous(apart_if_long(values, len(features)).select(ID, ROW, *bins), [f.name for f in features])


def magnitude(value: Column) -> Column:
    """The bin of a number, an INT from 0 to 102; null for null and NaN, which are no values."""
    number = value.cast("double")
    # Kept between 2^-11 and 2^41: the logarithm of zero is null, and infinity fits no integer.
    size = F.least(F.greatest(F.abs(number), F.lit(2.0 ** (LEAST - 1))), F.lit(2.0 ** (MOST + 1)))
    steps = F.ceil(F.log2(size) - F.lit(LEAST + SLACK)).cast("int")
    away = F.least(F.greatest(steps, F.lit(0)), F.lit(SIDE))
    found = F.when(number.isNotNull() & ~F.isnan(number), F.lit(ZERO) + F.when(number < 0, -away).otherwise(away))
    return integer_in_own_method(found)
