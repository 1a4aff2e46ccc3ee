"""From the sources to `prepared`: the allowed customers, one row each, under pseudonym, as clipped integers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.data import KeepLatest
from evenhand.plan.expressions import quoted_column
from evenhand.plan.features import Feature
from evenhand.plan.geometry import to_fixed
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, has_id, identified, may_be_used
from evenhand.prepare.duplicates import ROW, keep_latest, unanimous, with_row
from evenhand.prepare.features import as_integers, customer_values, event_features, group_code
from evenhand.prepare.pseudonym import with_pseudonym
from evenhand.prepare.sources import Sources
from evenhand.prepare.withheld import as_permitted


def prepared_customers(sources: Sources, plan: Plan, as_of: datetime, pads: DataFrame) -> DataFrame:
    """Restricted: one row an allowed customer.

    Columns: pseudonym, key_id, imputed and clipped (bit masks over the features), one INT a feature (fixed point,
    0 to 65,535), one INT a protected attribute (the group's position in the plan).
    """
    now = timestamp(as_of)
    sources = as_permitted(sources, plan, now)
    allowed = may_be_used(customers(sources, plan, timestamp_sql(as_of)), sources.consent, plan, now)
    for name, source in plan.sources.events.items():
        positions = [i for i, f in enumerate(plan.features) if f.events == name]
        features = [plan.features[i] for i in positions]
        found = event_features(identified(sources.events[name], source.id), source, features, now, timestamp_sql(as_of))
        allowed = _with_events(allowed, as_integers(found, features, positions, [ID]), features, positions)
    columns = ["imputed", "clipped", *plan.feature_names, *plan.attribute_names]
    ready = allowed.withColumnsRenamed({"_imputed": "imputed", "_clipped": "clipped"}).select(ID, *columns)
    return with_pseudonym(ready, pads, plan.pseudonyms.key_id)


def customers(sources: Sources, plan: Plan, as_of_sql: str) -> DataFrame:
    """One row an id, under `_evenhand_id`: of several rows that which the plan says (`prepare.duplicates`); features as integers."""
    rows, duplicates = with_ids(sources, plan), plan.sources.customers.duplicates
    latest = isinstance(duplicates, KeepLatest)
    rows = keep_latest(rows, duplicates.keep_latest_by) if isinstance(duplicates, KeepLatest) else with_row(rows)
    positions = [i for i, f in enumerate(plan.features) if f.events is None]
    features = [plan.features[i] for i in positions]
    groups = [group_code(F.col(quoted_column(a.column)), a).alias(a.name) for a in plan.protected]
    kept = [ID] if latest else [ID, ROW]
    values = customer_values(rows, features, [*kept, *groups], as_of_sql)
    found = as_integers(values, features, positions, [*kept, *plan.attribute_names])
    return found if latest else unanimous(found, [c for c in found.columns if c not in (ID, ROW)])


def _with_events(allowed: DataFrame, found: DataFrame, features: Sequence[Feature], positions: Sequence[int]) -> DataFrame:
    """The customers with one more event source; who has no event there has the plan's `missing` in all its features."""
    every = sum(1 << position for position in positions)
    missing = to_fixed(np.full((1, len(features)), np.nan), list(features))[0].tolist()
    joined = allowed.join(found.withColumnsRenamed({"_imputed": "_more_imputed", "_clipped": "_more_clipped"}), ID, "left")
    filled = {f.name: F.coalesce(F.col(f.name), F.lit(value)) for f, value in zip(features, missing, strict=True)}
    masks = {
        "_imputed": F.col("_imputed") + F.coalesce(F.col("_more_imputed"), F.lit(every).cast("bigint")),
        "_clipped": F.col("_clipped") + F.coalesce(F.col("_more_clipped"), F.lit(0).cast("bigint")),
    }
    return joined.withColumns(filled | masks).drop("_more_imputed", "_more_clipped")


def with_ids(sources: Sources, plan: Plan) -> DataFrame:
    """The customer rows whose id is neither null nor empty; the others are nobody whose consent could be looked up."""
    rows = identified(sources.customers, plan.sources.customers.id)
    return rows.where(has_id(rows))


def timestamp(moment: datetime) -> Column:
    return F.timestamp_micros(F.lit(_micros(moment)))


def timestamp_sql(moment: datetime) -> str:
    return f"timestamp_micros({_micros(moment)}L)"


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
