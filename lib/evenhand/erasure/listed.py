"""The list of those who were erased, kept apart from the restricted zone: an objection for every run, and what cleans a restored backup.

A person stands there under the pseudonym of each purpose and key that the restricted zone has known, never under an id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.errors import IntegrityError
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, has_id, identified
from evenhand.prepare.customers import timestamp
from evenhand.prepare.keys import key_of, read_key
from evenhand.prepare.pseudonym import Pads, with_pseudonym
from evenhand.prepare.sources import Sources
from evenhand.records.audit import START, Entry
from evenhand.tables.arrow import types_of
from evenhand.tables.catalog import ERASED, RUNS
from evenhand.tables.store import Store

DONE = "erased"  # in the audit log
Pair = tuple[str, str]  # purpose and key_id


def pairs_of(plan: Plan, entries: Iterable[Entry]) -> list[Pair]:
    """Every purpose and key under which the restricted zone may hold pseudonyms, by its audit log, and those of the plan."""
    found = {(plan.purpose, plan.pseudonyms.key_id)}
    for entry in entries:
        if entry.action == START and (key := (said := json.loads(entry.details)).get("key")):
            found.add((said["purpose"], key["id"]))
    return sorted(found)


def under_pseudonyms(people: DataFrame, plan: Plan, pairs: Sequence[Pair], known: Mapping[str, str]) -> DataFrame:
    """People with their `_evenhand_id`, a row for each pair: with pseudonym, purpose and key_id.

    Raises:
        KeyFileError: the plan does not say where a key is, or it is another than the one under which rows were written.
    """
    frames = []
    for purpose, key_id in pairs:
        key = read_key(key_of(plan, key_id, known))
        pads = Pads.of(key, purpose, "customer", key_id).table(people.sparkSession)
        frames.append(with_pseudonym(people.withColumn("id", F.col(ID)), pads, key_id).withColumn("purpose", F.lit(purpose)))
    return reduce(DataFrame.unionByName, frames).withColumnRenamed("id", ID)


def listed(store: Store) -> DataFrame | None:
    """Restricted: one row a pseudonym with purpose, key_id, the latest requested_at, and when it was last erased; None where nobody is."""
    if not store.exists(ERASED):
        return None
    latest = [F.max(column).alias(column) for column in ("requested_at", "erased_at")]
    return store.read(ERASED).groupBy("pseudonym", "purpose", "key_id").agg(*latest)


def pairs_listed(people: DataFrame) -> list[Pair]:
    """The purposes and keys under which people are listed."""
    return [(row.purpose, row.key_id) for row in people.select("purpose", "key_id").distinct().collect()]


def add_new(store: Store, asked: DataFrame, erasure_id: str, now: datetime) -> None:
    """List those who ask for the first time, or again later than they did; in one commit, once for an erasure.

    `asked`: pseudonym, purpose, key_id, requested_at; who does not say when asks now, unless listed already.
    """
    moment = timestamp(now)
    rows = asked
    if (before := listed(store)) is not None:
        again = before.select("pseudonym", F.col("requested_at").alias("_before"))
        new = F.col("_before").isNull() | F.coalesce(F.col("requested_at") > F.col("_before"), F.lit(False))
        rows = asked.join(again, "pseudonym", "left").where(new)
    stamped = rows.withColumns(
        {"requested_at": F.coalesce("requested_at", moment), "erasure_id": F.lit(erasure_id), "erased_at": moment}
    )
    store.append_once(ERASED, stamped.select(*types_of(ERASED)), erasure_id)


def leaving(store: Store, entries: Iterable[Entry], erasure_id: str | None) -> DataFrame | None:
    """Restricted: pseudonym and `kept`, the runs whose rows of that person may stay: begun after the erasure and as of a later moment,
    so that they have looked whether the person consented anew. Of those listed by this erasure nothing stays.
    """
    if not store.exists(ERASED):
        return None
    forever = F.col("erasure_id") == F.lit(erasure_id or "")
    listings = store.read(ERASED).select("pseudonym", "erased_at", forever.alias("new"))
    people = listings.groupBy("pseudonym").agg(F.max("erased_at").alias("erased_at"), F.max("new").alias("new"))
    begun: dict[str, int] = {}
    for entry in entries:
        if entry.action == START:
            begun.setdefault(entry.run_id, entry.at)
    if not begun or not store.exists(RUNS):
        return people.select("pseudonym", F.array().cast("array<string>").alias("kept"))
    times = store.spark.createDataFrame(list(begun.items()), "run_id STRING, begun BIGINT")
    as_of = store.read(RUNS).groupBy("run_id").agg(F.max("as_of").alias("as_of"))
    runs = times.join(as_of, "run_id").select("run_id", F.least(F.timestamp_micros("begun"), "as_of").alias("since"))
    later = people.join(F.broadcast(runs), ~F.col("new") & (F.col("since") > F.col("erased_at")), "left")
    return later.groupBy("pseudonym").agg(F.collect_list("run_id").alias("kept"))


def unfinished(store: Store, entries: Iterable[Entry]) -> list[str]:
    """The erasures that the list has and that were cut off before their certificate."""
    if not store.exists(ERASED):
        return []
    there = {row.erasure_id for row in store.read(ERASED).select("erasure_id").distinct().collect()}
    details = {entry.run_id: json.loads(entry.details) for entry in entries if entry.action == DONE}
    return sorted(there - {erasure for done, said in details.items() for erasure in (done, *said["completes"])})


def of_erasures(store: Store, erasure_ids: Sequence[str]) -> DataFrame:
    """Restricted: the pseudonyms that some erasures have listed."""
    return store.read(ERASED).where(F.col("erasure_id").isin(*erasure_ids)).select("pseudonym")


def refuse_lost(store: Store, entries: Iterable[Entry]) -> None:
    """Raises IntegrityError where the list lacks somebody whom the audit log says was erased: it was lost, or rolled back."""
    done = {entry.run_id for entry in entries if entry.action == DONE and json.loads(entry.details)["listed"]}
    if not done:
        return
    there = (
        {row.erasure_id for row in store.read(ERASED).select("erasure_id").distinct().collect()}
        if store.exists(ERASED)
        else set()
    )
    if lacking := sorted(done - there):
        raise IntegrityError(
            f"the list of the erased (output.erasures) lacks erasure {lacking[0]}, which the audit log has; put the newest list back, "
            "since without it people who were erased come back"
        )


def heeding(
    sources: Sources, plan: Plan, store: Store, known: Mapping[str, str], as_of: datetime, of: DataFrame | None = None
) -> Sources:
    """The sources with an objection, as of the moment of the request, for each customer who was erased. A later consent counts.

    `of`: `_evenhand_id` of those whom it matters for, all customers unless stated. Who asked after `as_of` objects at `as_of`: a run
    of an earlier moment must not bring them back either.

    Raises:
        KeyFileError: somebody was erased under a key that the plan does not name.
    """
    people = listed(store)
    if people is None:
        return sources
    if not (pairs := pairs_listed(people)):
        return sources
    rows = identified(sources.customers, plan.sources.customers.id) if of is None else of
    ids = rows.where(has_id(rows)).select(ID)
    erased = under_pseudonyms(ids, plan, pairs, known).join(F.broadcast(people.select("pseudonym", "requested_at")), "pseudonym")
    objections = erased.groupBy(ID).agg(F.max("requested_at").alias("_asked"))
    events = objections.select(
        F.col(ID).alias(plan.sources.consent.id),
        F.lit(plan.purpose).alias("purpose"),
        F.lit("withdrawn").alias("state"),
        F.least("_asked", timestamp(as_of)).alias("recorded_at"),
    )
    return replace(sources, consent=sources.consent.unionByName(events, allowMissingColumns=True))
