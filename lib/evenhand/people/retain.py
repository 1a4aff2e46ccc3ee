"""What is about people is removed when its time is over, physically: rows, and the files that held them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from evenhand.people.waves import BEGINS
from evenhand.plan.models import Plan
from evenhand.plan.spans import before
from evenhand.records.alone import alone
from evenhand.records.audit import RETAIN, Entry
from evenhand.records.opened import opened
from evenhand.records.runs import ENDED
from evenhand.spark.errors import retried
from evenhand.tables.catalog import ACTIVATED, ACTIVATIONS, INPUT_QUALITY, LEASES, PREPARED, RECALLED, RUNS, SEGMENTS, TableSpec
from evenhand.tables.purge import remove_old_files
from evenhand.tables.store import Store


def retain(plan: Plan, spark: SparkSession) -> dict[str, list[str]]:
    """Remove what the plan's `retention` no longer keeps; hands back by table the runs or activations that were removed.

    Files that no newest version needs go too, so a removal that was cut off is finished by the next. Not while anything else is
    at work, and nothing else begins meanwhile: VACUUM would take what it is about to commit.

    Raises:
        RunConflict: somebody is at work; nothing was removed.
    """
    with opened(plan, spark, "retain", "start it again, and it goes on") as (store, audit):
        now = datetime.now(UTC)
        entries = audit.check()
        with alone(store) as lease:
            due = _due(store, plan, now, entries)
            if any(due.values()):
                audit.add(f"retain-{now:%Y%m%dT%H%M%S}", RETAIN, {name: ids for name, ids in due.items() if ids})
            for spec in _COLUMNS:
                if ids := due.get(spec.name):
                    lease.require()
                    _delete(store, spec, ids)
            for spec in _COLUMNS:
                if spec is not LEASES and store.exists(spec):  # to leases others write at any time, if only to be refused
                    lease.require()
                    remove_old_files(spark, store.address(spec))
    return {name: ids for name, ids in due.items() if ids}


# In the order of removal: an unfinished run whose findings are gone prepares its people anew, and does not go on without them.
_COLUMNS = {
    INPUT_QUALITY: "run_id",
    PREPARED: "run_id",
    SEGMENTS: "run_id",
    ACTIVATED: "activation_id",
    RECALLED: "activation_id",
    ACTIVATIONS: "activation_id",
    LEASES: "run_id",
}


def _due(store: Store, plan: Plan, now: datetime, entries: Sequence[Entry]) -> dict[str, list[str]]:
    """By table the runs of this plan, or the activations of those, or its surveys' waves, that are kept no longer."""
    if not store.exists(RUNS):
        return {}
    kept, ours = plan.retention, F.col("plan_name") == plan.name
    rows = (
        store.read(RUNS)
        .where(ours)
        .groupBy("run_id")
        .agg(F.unix_micros(F.max("at")).alias("at"), F.max(F.col("status").isin(*ENDED)).alias("ended"))
    )
    runs = {row.run_id: (row.at, row.ended) for row in rows.collect()}

    def older(span: str) -> set[str]:
        limit = before(now, span).timestamp() * 1_000_000
        return {run_id for run_id, (at, _) in runs.items() if at < limit}

    def waves(span: str) -> set[str]:
        limit = before(now, span).timestamp() * 1_000_000
        old = (entry for entry in entries if entry.action in BEGINS and entry.at < limit)
        return {entry.run_id for entry in old if json.loads(entry.details)["plan"] == plan.name}

    prepared = older(kept.prepared)
    unfinished = {run_id for run_id in prepared if not runs[run_id][1]}
    due = {
        PREPARED: _there(store, PREPARED, prepared),
        SEGMENTS: _there(store, SEGMENTS, older(kept.segments) | unfinished),
        INPUT_QUALITY: _there(store, INPUT_QUALITY, older(kept.findings) | unfinished | waves(kept.findings)),
    }
    leases = older(kept.leases) | waves(kept.leases)
    if store.exists(ACTIVATIONS):
        limit = F.timestamp_micros(F.lit(round(before(now, kept.activations).timestamp() * 1_000_000)))
        headers = (
            store.read(ACTIVATIONS).where(F.col("run_id").isin(*runs) & (F.col("at") < limit)).select("activation_id").collect()
        )
        old = {row.activation_id for row in headers}
        due |= {spec: _there(store, spec, old) for spec in (ACTIVATED, RECALLED, ACTIVATIONS)}
        leases |= old
    due[LEASES] = _there(store, LEASES, leases)
    return {spec.name: ids for spec, ids in due.items()}


def _there(store: Store, spec: TableSpec, ids: Iterable[str]) -> list[str]:
    """Which of them a table has rows of."""
    wanted = sorted(ids)
    if not wanted or not store.exists(spec):
        return []
    column = F.col(_COLUMNS[spec])
    return sorted(row[0] for row in store.read(spec).select(column).where(column.isin(*wanted)).distinct().collect())


def _delete(store: Store, spec: TableSpec, ids: list[str]) -> None:
    listed = ", ".join(f"'{one}'" for one in ids)
    retried(partial(store.spark.sql, f"DELETE FROM {store.address(spec)} WHERE {_COLUMNS[spec]} IN ({listed})"))
