"""Runs that stopped and that nobody has gone on with: given up for good, and what they had staged is removed.

What they have spent stays spent. Their noisy answers stay too, which the ledger is held against and which name no customer.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyspark.sql import functions as F

from evenhand.plan.models import Plan
from evenhand.plan.spans import before
from evenhand.records.audit import ABANDON, AuditLog
from evenhand.records.lease import Lease
from evenhand.records.runs import ABANDONED, FAILED, RUNNING, end_key, last_row, last_states
from evenhand.tables.catalog import ALL, RUNS
from evenhand.tables.store import Store

DAY = 86_400_000_000  # microseconds


def abandon(plan: Plan, store: Store, audit: AuditLog, lease: Lease, now: datetime) -> list[str]:
    """Give up the plan's runs that have stopped and whose last word is older than `retention.unfinished`; hands back which.

    A run that was refused for its budget has nobody in it, and waits for a budget that renews. To be called by who has the
    zones alone. Cut off, the next call goes on: the state comes first, so that nobody goes on with half of what was staged.
    """
    limit, heard = before(now, plan.retention.unfinished).timestamp() * 1_000_000, dict[str, int]()
    for entry in audit.check():
        if entry.action != ABANDON:  # of a call that was cut off before it wrote the state
            heard[entry.run_id] = entry.at
    states = [state for state in last_states(store) if state.plan_name == plan.name]
    stopped = [state for state in states if state.status in (RUNNING, FAILED)]
    due = [state for state in stopped if max(state.at, heard.get(state.run_id, 0)) < limit]
    for state in due:
        lease.require()
        audit.add_once(state.run_id, ABANDON, {"status": state.status, "unfinished": plan.retention.unfinished})
        _mark(store, state.run_id, f"nobody had gone on with it for {plan.retention.unfinished}", now)
    given_up = [state.run_id for state in due]
    _remove(store, {*given_up, *(state.run_id for state in states if state.status == ABANDONED)}, lease)
    return given_up


def _mark(store: Store, run_id: str, why: str, now: datetime) -> None:
    """The run's last row again, with its new state and, as everything in the open zone, the day."""
    day = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) // DAY * DAY
    given_up = {"status": F.lit(ABANDONED), "reasons": F.array(F.lit(why)), "at": F.timestamp_micros(F.lit(day))}
    store.append_once(RUNS, last_row(store, run_id).withColumns(given_up), end_key(run_id))


def _remove(store: Store, run_ids: set[str], lease: Lease) -> None:
    """Take what runs had staged out of the tables by run."""
    for spec in ALL if run_ids else ():
        if not spec.by_run or not store.exists(spec):
            continue
        there = store.read(spec).where(F.col("run_id").isin(*run_ids)).select("run_id").distinct().collect()
        for row in there:
            lease.require()
            store.withdraw(spec, row.run_id)
