"""Whether the records of the two zones agree: the audit log's chain, the ledger, what is published, the noisy answers, whose tables these are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from evenhand.errors import IntegrityError
from evenhand.plan.models import Plan
from evenhand.records.audit import APPROVE, PUBLISH, RESUME, START, Entry, spent_by
from evenhand.records.evidence import evidence
from evenhand.records.ledger import read_book
from evenhand.records.opened import opened
from evenhand.tables.catalog import BUDGET_ENTRIES, RELEASES, RUNS, TableSpec
from evenhand.tables.store import Store


def verify(plan: Plan, spark: SparkSession) -> str:
    """Check all records of the plan's zones and of its population; hands back what was found, for a person. Writes nothing.

    Raises:
        IntegrityError: two records contradict each other.
        DataError: a table cannot be read.
        OutputError: a location holds something that Evenhand did not write.
    """
    with opened(plan, spark, "verify", "nothing was changed") as (store, log):
        logged = log.entries()
        entries = [entry for entry, _ in logged]
        spent, elsewhere = spent_by(entries), evidence(store)
        book = read_book(store)  # after the others: what they know stood in the ledger before
        book.check_logged(spent)
        book.check_evidence(elsewhere)
        published = _checked_runs(store, entries)
        answers = _checked_answers(store, published)
    newest = f", newest {logged[-1][1]}" if logged else ""
    return "\n".join(
        [
            f"audit log: {len(entries)} entries, none missing or changed{newest}",
            f"ledger: {len(book.entries)} runs have spent, with all {len(spent)} that the audit log names; of {plan.privacy.population} "
            f"{len(book.account(plan.privacy).losses)}",
            f"runs: {len(published)} published, each as the audit log says",
            f"answers: {answers}, each stored as it was handed out, with what it cost",
        ]
    )


def _checked_runs(store: Store, entries: Sequence[Entry]) -> set[str]:
    """The runs that are published.

    Raises:
        IntegrityError: one is that the audit log does not know of, or knows with another plan; or the other way round; or
            one is twice.
    """
    approved, published = ({e.run_id for e in entries if e.action == action} for action in (APPROVE, PUBLISH))
    if not store.exists(RUNS):
        rows = []
    else:
        rows = store.read(RUNS).where(F.col("status") == "published").select("run_id", "plan_fingerprint").collect()
    plans = {(e.run_id, json.loads(e.details)["fingerprint"]) for e in entries if e.action in (START, RESUME)}
    for run_id, fingerprint in sorted(map(tuple, rows)):
        if run_id not in approved or (run_id, fingerprint) not in plans:
            raise IntegrityError(
                f"run {run_id} stands as published in {store.address(RUNS)}, and the audit log knows nothing of it, or of "
                "another plan; find out who wrote it"
            )
    times = Counter(run_id for run_id, _ in rows)
    if twice := [run_id for run_id, number in sorted(times.items()) if number > 1]:
        raise IntegrityError(
            f"run {twice[0]} stands as published {times[twice[0]]} times in {store.address(RUNS)}, so that readers who join on it get "
            "every row as often; leave one"
        )
    if gone := sorted(published - set(times)):
        raise IntegrityError(
            f"run {gone[0]} is published by the audit log, and {store.address(RUNS)} lacks it: it was rolled back; put the newest back"
        )
    return set(times)


def _checked_answers(store: Store, published: set[str]) -> int:
    """How many noisy answers were handed out.

    Raises:
        IntegrityError: one of them is gone, so that its noise might be drawn again; or what it cost is gone, of a published run.
    """
    handed_out, stored = _asked_in(store, BUDGET_ENTRIES), _asked_in(store, RELEASES)  # each is stored first
    unpriced = {(run_id, question) for run_id, question in stored - handed_out if run_id in published}
    for lacking, table, has in ((handed_out - stored, RELEASES, BUDGET_ENTRIES), (unpriced, BUDGET_ENTRIES, RELEASES)):
        for run_id, question in sorted(lacking):
            raise IntegrityError(
                f"{store.address(table)} lacks {question} of run {run_id}, which {store.address(has)} has; put the table back as it was"
            )
    return len(handed_out)


def _asked_in(store: Store, table: TableSpec) -> set[tuple[str, str]]:
    rows = store.read(table).select("run_id", "question").collect() if store.exists(table) else []
    return {(row.run_id, row.question) for row in rows}
