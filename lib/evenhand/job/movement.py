"""How many went from which segment of the last run to which of this one: whom that is asked of, and when there is nothing to compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.ask.movement import BEFORE, NEW, SEGMENT, movement_counts, moves, together
from evenhand.assignment.fair_map import FairMap, assignment_fingerprint
from evenhand.assignment.nearest import Centers
from evenhand.job.state import Run
from evenhand.plan.models import Plan
from evenhand.plan.spans import before
from evenhand.records.audit import Entry, removed
from evenhand.records.last import LastRun, run_named
from evenhand.records.runs import last_state
from evenhand.rows.movement import movement_rows, nothing_moved
from evenhand.tables.catalog import SEGMENT_CENTERS, SEGMENTS
from evenhand.tables.store import Store

FIRST = "there is no earlier run to compare with"


def movement_of(run: Run, centers: Centers, fair_map: FairMap | None) -> pa.Table:
    """The rows of `movement`, asked through the door; or one that says why nothing is compared, for which nothing is asked.

    The last run is the one that this run's segments have their numbers from, whatever was published since.
    """
    store, plan = run.store, run.plan
    numbered = store.read(SEGMENT_CENTERS, run.run_id).select("segment", "was", "was_in").collect()
    since = numbered[0] if numbered else None
    if since is None or since.was_in is None:
        return _nothing(run, None, FIRST)
    last = run_named(store, since.was_in)
    state = last_state(store, last.run_id)
    assert state is not None
    ended = datetime.fromtimestamp(state.at / 1_000_000, UTC)
    if why := not_comparable(plan, last) or not_kept(last, ended, run.audit.check(), plan, datetime.now(UTC)):
        return _nothing(run, last.run_id, why)
    then, k = store.read(SEGMENT_CENTERS, last.run_id).count(), len(centers)
    question = movement_counts(then, k, plan, f"{last.run_id} {assignment_fingerprint(centers, fair_map)}")
    (release,) = run.ask_about(_people(store, run.run_id, last.run_id))(question)
    least, was = plan.privacy.minimum_cell, {row.segment: row.was for row in numbered}
    return movement_rows(moves(release, k, least), together(release, k, was, least), last.run_id)


def _nothing(run: Run, since: str | None, why: str) -> pa.Table:
    run.say(f"who changed segment is not counted: {why}")
    return nothing_moved(since, why)


def not_comparable(plan: Plan, last: LastRun) -> str | None:
    """Why nobody of this run can be found in the last one, by what the two plans state; None where everybody can.

    Not other people either: one id would be two persons there, and a customer less might then move another from cell to cell.
    """
    then, now = last.plan, plan.model_dump(mode="json", by_alias=True)
    key = then["pseudonyms"]["key_id"]
    if key != plan.pseudonyms.key_id:
        return (
            f"the pseudonyms of run {last.run_id} are under key {key} and those of this run under key {plan.pseudonyms.key_id}, so nobody "
            "can be found again; the next run under one key can be compared"
        )
    population, moved = then["privacy"]["population"], plan.privacy.population_moved
    if population != plan.privacy.population and (moved is None or moved.before != population):
        return f"run {last.run_id} is about population {population}, and this run about {plan.privacy.population}"
    if _ids(then) != _ids(now):
        return f"run {last.run_id} told customers apart by other ids, so nobody can be found again"
    return None


def _ids(plan: Mapping[str, Any]) -> tuple[str, object]:
    """By what one customer is told from another."""
    sources = plan["sources"]
    return sources["customers"]["id"].casefold(), sources["ids"]


def not_kept(last: LastRun, ended: datetime, entries: Sequence[Entry], plan: Plan, now: datetime) -> str | None:
    """Why it is kept no longer who was in which segment of a run, which came to its end at `ended`; None where it is.

    By the audit log and the plan, not by a look at the rows: that nobody is in them is nobody's to know. What is due and has not been
    removed yet is not used either.
    """
    kept = plan.retention.segments
    if ended < before(now, kept) or last.run_id in removed(entries, SEGMENTS.name):
        return f"who was in which segment of run {last.run_id} is kept no longer (retention.segments: {kept})"
    return None


def _people(store: Store, run_id: str, since: str) -> DataFrame:
    """Restricted: one row a customer of this run: `before`, `NEW` of whoever was not in the last run, and `segment`."""
    now, then = (store.read(SEGMENTS, of).select("pseudonym", "key_id", "segment") for of in (run_id, since))
    same = then.withColumnRenamed("segment", BEFORE)
    return now.join(same, ["pseudonym", "key_id"], "left").select(F.coalesce(BEFORE, F.lit(NEW)).alias(BEFORE), SEGMENT)
