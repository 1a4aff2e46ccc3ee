"""What was wrong with the input, counted where only the restricted zone sees it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.columns import CONSENT, CUSTOMERS, id_columns, needed_columns
from evenhand.plan.consent import KNOWN
from evenhand.plan.data import KeepLatest
from evenhand.plan.expressions import quoted_column
from evenhand.plan.models import Plan
from evenhand.prepare.consent import counts, has_id, identified, is_blank
from evenhand.prepare.customers import timestamp, with_ids
from evenhand.prepare.duplicates import repeated
from evenhand.prepare.features import is_ruled_out
from evenhand.prepare.ids import folded, trimmed
from evenhand.prepare.notices import is_older
from evenhand.prepare.sources import Sources
from evenhand.prepare.unmatched import EVENT, GRANT, OBJECTION, said_in_consent, unmatched
from evenhand.prepare.withheld import as_permitted

STATES_NAMED, STATE_LENGTH = 20, 40


def input_quality(prepared: DataFrame, sources: Sources, plan: Plan, as_of: datetime) -> DataFrame:
    """Restricted: item, finding, count.

    Values imputed and clipped, by feature; rows without an id, and events without a time or of no customer, by source;
    customers with a value that the plan rules out; consent events whose purpose is nearly the plan's, and their states that
    are unknown, by name.
    """
    permitted = as_permitted(sources, plan, timestamp(as_of))
    found = [_by_feature(prepared, plan), *_by_source(permitted, plan), *_repeated(permitted, plan)]
    return reduce(DataFrame.unionByName, [*found, _unknown_states(sources.consent, plan), unmatched(sources, plan)])


def _by_feature(prepared: DataFrame, plan: Plan) -> DataFrame:
    masks = prepared.groupBy("imputed", "clipped").agg(F.count("*").alias("n"))
    counts = {
        (f.name, finding): F.sum(F.when(F.col(finding).bitwiseAND(F.lit(1 << j).cast("bigint")) != 0, F.col("n")).otherwise(0))
        for finding in ("imputed", "clipped")
        for j, f in enumerate(plan.features)
    }
    return listed_counts(masks, counts)


def _by_source(sources: Sources, plan: Plan) -> list[DataFrame]:
    ids = id_columns(plan)
    found = [
        counted(CUSTOMERS, sources.customers, ids[CUSTOMERS], _ruled_out(plan)),
        counted(CONSENT, sources.consent, ids[CONSENT], _consent(sources.consent, plan)),
    ]
    for name, source in plan.sources.events.items():
        without_time = {f"{EVENT} without a time": F.col(quoted_column(source.time)).isNull()}
        found.append(counted(name, sources.events[name], ids[name], without_time))
    return found


def _consent(events: DataFrame, plan: Plan) -> dict[str, Column]:
    """What keeps a consent event from being heeded, by finding."""
    purpose, said = F.col("purpose"), said_in_consent(events)
    nearly = (folded(trimmed(purpose)) == folded(F.lit(plan.purpose))) & (purpose != plan.purpose)
    found = {f"{GRANT} without a purpose": (said == GRANT) & is_blank(events, "purpose")}
    for noun in (OBJECTION, GRANT):
        found[f"{noun} whose purpose differs by case or blanks"] = (said == noun) & nearly
        found[f"{noun} without a time"] = (said == noun) & (purpose == plan.purpose) & F.col("recorded_at").isNull()
    if minimum := plan.sources.consent.minimum_notice_version:
        older = is_older(F.col("notice_version"), minimum)
        found[f"{GRANT} under a notice older than {minimum}"] = (said == GRANT) & (purpose == plan.purpose) & older
    if plan.sources.consent.signals is not None and "signal" in events.columns:
        found["signal that the plan does not honor"] = ~is_blank(events, "signal") & ~counts(events, plan)
    if "attribute" in events.columns:
        read = [name for source, columns in needed_columns(plan).items() for c in columns for name in (c, f"{source}.{c}")]
        known = F.lower(trimmed(F.col("attribute"))).isin([name.lower() for name in read])
        found[f"{OBJECTION} to a column that the plan does not read"] = (
            (said == OBJECTION) & counts(events, plan) & ~is_blank(events, "attribute") & ~known
        )
    return found


def _unknown_states(events: DataFrame, plan: Plan) -> DataFrame:
    """The states of events that are none of `plan.consent.STATES`, and so a no, each by its name; the most frequent ones."""
    unknown = ~F.coalesce(F.col("state").isin(*KNOWN), F.lit(False)) & is_blank(events, "signal") & counts(events, plan)
    name = F.coalesce(F.concat(F.lit("state "), F.left(F.col("state"), F.lit(STATE_LENGTH))), F.lit("state missing"))
    by_name = events.where(unknown).groupBy(F.concat(name, F.lit(", which is unknown and counts as a no")).alias("finding"))
    most = by_name.agg(F.count("*").alias("count")).orderBy(F.desc("count"), "finding").limit(STATES_NAMED)
    return most.select(F.lit(CONSENT).alias("item"), "finding", "count")


def counted(item: str, rows: DataFrame, id_column: str, findings: Mapping[str, Column]) -> DataFrame:
    rows = identified(rows, id_column)
    conditions = {"id missing or empty": ~has_id(rows), **findings}
    return listed_counts(rows, {(item, finding): F.count_if(condition) for finding, condition in conditions.items()})


def listed_counts(rows: DataFrame, counts: Mapping[tuple[str, str], Column]) -> DataFrame:
    """One row a count: item, finding, count; all of them in one pass."""
    one_row = rows.agg(*[count.alias(f"_{i}") for i, count in enumerate(counts.values())])
    pairs = [
        F.struct(
            F.lit(item).alias("item"),
            F.lit(finding).alias("finding"),
            F.coalesce(F.col(f"_{i}"), F.lit(0)).cast("bigint").alias("count"),
        )
        for i, (item, finding) in enumerate(counts)
    ]
    return one_row.select(F.inline(F.array(*pairs)))


def _repeated(sources: Sources, plan: Plan) -> list[DataFrame]:
    if isinstance(plan.sources.customers.duplicates, KeepLatest):
        return []
    counts = {
        (CUSTOMERS, "id on several rows"): F.count("*"),
        (CUSTOMERS, "left out: rows that contradict each other"): F.count_if("differ"),
    }
    return [listed_counts(repeated(with_ids(sources, plan)), counts)]


def _ruled_out(plan: Plan) -> dict[str, Column]:
    """Who has a value that the plan rules out, by finding; nothing of attributes that rule none out."""
    ruling = [a for a in plan.protected if None in (a.unknown, a.others if a.groups else "")]
    return {
        f"{a.name} ruled out by the plan, counted as {a.fallback}": is_ruled_out(F.col(quoted_column(a.column)), a)
        for a in ruling
    }
