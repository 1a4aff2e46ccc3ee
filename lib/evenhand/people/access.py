"""One person's page: everything that is kept about them, why, and how to say no (GDPR art. 15 and 22(3))."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.erasure.listed import heeding
from evenhand.errors import ArgumentError, OutputError, cannot_write
from evenhand.people.asked import NUMBER, asked, ids_in
from evenhand.people.destination import Destination
from evenhand.people.person import PAGE, RunFacts, person
from evenhand.people.published import PublishedRun, published_run
from evenhand.plan.columns import CUSTOMERS, needed_columns
from evenhand.plan.expressions import quoted_column
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, identified
from evenhand.prepare.customers import timestamp, timestamp_sql
from evenhand.prepare.features import customer_values, event_features
from evenhand.prepare.keys import key_of, pads_of
from evenhand.prepare.pseudonym import with_pseudonym
from evenhand.prepare.sources import Sources
from evenhand.records.audit import known_keys
from evenhand.records.opened import opened
from evenhand.sources.open import address, newest, open_sources, pin_versions
from evenhand.tables.catalog import ACTIVATED, ACTIVATIONS, PREPARED, RECALLED, RUNS, SEGMENT_PROFILES, SEGMENTS, TableSpec
from evenhand.tables.store import Store

ACCESS = "access"  # in the audit log, before anything is read
Rows = dict[str, list[dict[str, Any]]]


def access(plan: Plan, spark: SparkSession, customer_from: str, to: str) -> Path:
    """Write a page, HTML and JSON, for each id that the file names, in one pass over the tables; hands back the folder.

    Files are named by the line of the id, `person-0001.html`, and only their owner can read them. Started again they are
    written anew.

    Raises:
        EvenhandError: one line, which never repeats an id.
    """
    ids, folder = ids_in(Path(customer_from)), Path(to).absolute()
    if ":/" in to:
        raise ArgumentError("--to: a folder on this machine's own disk is needed, where only its owner can be let in")
    with opened(plan, spark, "access", "start it again") as (store, audit):
        Destination("csv", str(folder)).refuse_inside(plan, store)
        _refuse_others(folder)
        now = datetime.now(UTC)
        known = known_keys(audit.check())
        runs = [published_run(store, plan, run_id) for run_id in _runs(store, plan)]
        today = newest(plan)
        sources = open_sources(spark, today, pin_versions(spark, today))
        audit.add(f"access-{now:%Y%m%dT%H%M%S}", ACCESS, {"purpose": plan.purpose})
        customers = identified(sources.customers, plan.sources.customers.id)
        people = F.broadcast(asked(spark, ids, customers.schema[ID].dataType, plan))
        sources = heeding(sources, plan, store, known, now, of=people)
        keys = sorted({plan.pseudonyms.key_id, *(run.key_id for run in runs)})
        pads = {key_id: pads_of(plan, key_of(plan, key_id, known)).table(spark) for key_id in keys}
        under_key = reduce(DataFrame.unionByName, [with_pseudonym(people, pads[key_id], key_id) for key_id in keys])
        found = _collected([*_of_sources(sources, plan, people, now), *_of_tables(store, under_key, [r.run_id for r in runs])])
        facts = [_facts(store, run) for run in runs]
        activations = {row.activation_id: row.asDict() for row in _headers(store)}
        unused = _unused(spark, plan)
        _make(folder)
        for number, customer_id in enumerate(ids, 1):
            one = person(plan, customer_id, found.get(number, {}), facts, activations, unused, now)
            _write(folder / f"person-{number:04d}.json", json.dumps(one, ensure_ascii=False, indent=2, default=str))
            _write(folder / f"person-{number:04d}.html", PAGE.render(one))
    return folder


def rows_of(store: Store, spec: TableSpec, under_key: DataFrame) -> DataFrame:
    """Restricted: the rows of those who ask in a table of ours, with their `number`; no one else's leave the scan's stage."""
    return store.read(spec).join(F.broadcast(under_key), ["pseudonym", "key_id"])


def _of_tables(store: Store, under_key: DataFrame, run_ids: Sequence[str]) -> Iterator[DataFrame]:
    for spec in (PREPARED, SEGMENTS):
        if store.exists(spec):
            yield _as_json(spec.name, rows_of(store, spec, under_key).where(F.col("run_id").isin(*run_ids)), ("pseudonym",))
    for spec in (ACTIVATED, RECALLED):
        if store.exists(spec):
            yield _as_json(spec.name, rows_of(store, spec, under_key), ("pseudonym",))


def _of_sources(sources: Sources, plan: Plan, people: DataFrame, now: datetime) -> Iterator[DataFrame]:
    customers, consent = plan.sources.customers, plan.sources.consent
    theirs = identified(sources.customers, customers.id).join(people, ID)
    yield _as_json("customer", theirs, (ID, customers.id))
    if computed := [f for f in plan.features if f.events is None and f.expression is not None]:
        yield _as_json("values", customer_values(theirs, computed, [NUMBER], timestamp_sql(now)), ())
    yield _as_json("consent", identified(sources.consent, consent.id).join(people, ID), (ID, consent.id))
    for name, events in plan.sources.events.items():
        features = [f for f in plan.features if f.events == name]
        theirs = identified(sources.events[name], events.id).join(people.select(ID), ID, "left_semi")
        values = event_features(theirs, events, features, timestamp(now), timestamp_sql(now))
        yield _as_json("values", values.join(people, ID), (ID,))


def _as_json(kind: str, rows: DataFrame, without: Sequence[str]) -> DataFrame:
    """`number`, `kind` and each row as JSON, so that all that is read is one table."""
    left_out = {NUMBER.lower(), *(c.lower() for c in without)}
    columns = [F.col(quoted_column(c)).alias(c) for c in rows.columns if c.lower() not in left_out]
    return rows.select(
        NUMBER, F.lit(kind).alias("kind"), F.to_json(F.struct(*columns), {"ignoreNullFields": "false"}).alias("row")
    )


def _collected(frames: Sequence[DataFrame]) -> dict[int, Rows]:
    """By number and kind; those who ask are few, and their pages are written here."""
    found: dict[int, Rows] = defaultdict(lambda: defaultdict(list))
    for number, kind, row in reduce(DataFrame.union, frames).collect():
        found[number][kind].append(json.loads(row))
    return found


def _runs(store: Store, plan: Plan) -> list[str]:
    """The published runs of this plan and purpose, the newest first."""
    if not store.exists(RUNS):
        return []
    published = store.read(RUNS).where((F.col("status") == "published") & (F.col("plan_name") == plan.name))
    rows = published.orderBy(F.desc("as_of")).select("run_id", "plan").collect()
    return [row.run_id for row in rows if json.loads(row.plan)["purpose"] == plan.purpose]


def _facts(store: Store, run: PublishedRun) -> RunFacts:
    labels = store.read(SEGMENT_PROFILES, run.learned.run_id).select("segment", "label").distinct().collect()
    return RunFacts(run, {row.segment: row.label for row in labels})


def _headers(store: Store) -> list[Any]:
    return (
        store.read(ACTIVATIONS)
        .select("activation_id", "run_id", "offer", "destination", F.col("at").cast("string").alias("at"))
        .collect()
        if store.exists(ACTIVATIONS)
        else []
    )


def _unused(spark: SparkSession, plan: Plan) -> list[str]:
    """The columns of the customer table that the plan does not name."""
    there = spark.read.table(address(plan.sources.customers)).columns
    named = {c.lower() for c in needed_columns(plan)[CUSTOMERS]}
    return sorted(c for c in there if c.lower() not in named)


def _refuse_others(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"--to: {folder} is a file; name a folder")
    if folder.is_dir() and (
        other := [p for p in folder.iterdir() if not p.match("person-*.html") and not p.match("person-*.json")]
    ):
        raise OutputError(f"--to: {folder} holds something else ({other[0].name}); name a folder that is not there yet")


def _make(folder: Path) -> None:
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.chmod(folder, 0o700)
        for page in folder.iterdir():  # of another file of ids
            page.unlink()
    except OSError as wrong:
        raise cannot_write(f"--to: {folder}", wrong) from None


def _write(path: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as wrong:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise cannot_write(f"--to: {path}", wrong) from None
