"""From the sources to `prepared`: the allowed customers, one row each, under pseudonym, as clipped integers."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.models import KeepLatest, Plan
from evenhand.prepare.consent import ID, keep_allowed, latest_decision
from evenhand.prepare.duplicates import keep_latest
from evenhand.prepare.features import event_features, fixed_point, group_code, is_missing, mask, outside
from evenhand.prepare.pseudonym import with_pseudonym
from evenhand.tables.sources import Sources


def prepared_customers(sources: Sources, plan: Plan, as_of: datetime, pads: DataFrame) -> DataFrame:
    """Restricted: one row an allowed customer.

    Columns: pseudonym, key_id, imputed and clipped (bit masks over the features), one INT a feature (fixed point,
    0 to 65,535), one INT a protected attribute (the group's position in the plan).
    """
    now = timestamp(as_of)
    decisions = latest_decision(renamed(sources.consent, plan.sources.consent.id), plan.purpose, now, plan.opt_in)
    allowed = keep_allowed(customers(sources, plan), decisions, plan.opt_in)
    for name, source in plan.sources.events.items():
        wanted = [f for f in plan.features if f.events == name]
        events = renamed(sources.events[name], source.id)
        allowed = allowed.join(event_features(events, source, wanted, now, timestamp_sql(as_of)), ID, "left")
    return with_pseudonym(_as_integers(allowed, plan), pads, plan.pseudonyms.key_id)


def customers(sources: Sources, plan: Plan) -> DataFrame:
    """The customer rows that have an id, under `_id`, duplicates resolved if the plan says how; features as DOUBLE."""
    rows = with_ids(sources, plan)
    duplicates = plan.sources.customers.duplicates
    if isinstance(duplicates, KeepLatest):
        rows = keep_latest(rows, duplicates.keep_latest_by)
    columns = [F.col(f"`{f.column}`").cast("double").alias(f.name) for f in plan.features if f.column is not None]
    groups = [group_code(F.col(f"`{a.column}`"), a).alias(a.name) for a in plan.protected]
    return rows.select(ID, *columns, *groups)


def with_ids(sources: Sources, plan: Plan) -> DataFrame:
    """The customer rows whose id is neither null nor empty; the others are nobody whose consent could be looked up."""
    rows = renamed(sources.customers, plan.sources.customers.id)
    return rows.where(F.col(ID).isNotNull() & (F.col(ID).cast("string") != ""))


def renamed(rows: DataFrame, id_column: str) -> DataFrame:
    return rows.withColumnRenamed(id_column, ID)


def timestamp(moment: datetime) -> Column:
    return F.timestamp_micros(F.lit(_micros(moment)))


def timestamp_sql(moment: datetime) -> str:
    return f"timestamp_micros({_micros(moment)}L)"


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _as_integers(rows: DataFrame, plan: Plan) -> DataFrame:
    values = {f.name: F.col(f.name) for f in plan.features}
    return rows.select(
        ID,
        mask([is_missing(values[f.name]) for f in plan.features]).alias("imputed"),
        mask([outside(values[f.name], f) for f in plan.features]).alias("clipped"),
        *[fixed_point(values[f.name], f).alias(f.name) for f in plan.features],
        *[F.col(a.name) for a in plan.protected],
    )
