"""Segments in use: ids of a published run's people are handed out, of those alone who may be used at that moment."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.erasure.listed import heeding
from evenhand.errors import ArgumentError, RunConflict
from evenhand.job.arguments import checked_id
from evenhand.people.destination import Destination
from evenhand.people.published import PublishedRun, published_run, require_fresh, segments_of
from evenhand.plan.data import Key
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, may_be_used
from evenhand.prepare.customers import timestamp as moment_of
from evenhand.prepare.customers import with_ids
from evenhand.prepare.keys import key_of, pads_of, read_key
from evenhand.prepare.pseudonym import INNER, OUTER, Pads, hmac_sha256, with_pseudonym
from evenhand.prepare.sources import Sources
from evenhand.records.audit import AuditLog, known_keys
from evenhand.records.lease import held
from evenhand.records.opened import opened
from evenhand.report.lasting import read_lasting
from evenhand.report.offers import against_before
from evenhand.sources.open import AS_WRITTEN, people_today
from evenhand.tables.arrow import timestamp
from evenhand.tables.catalog import ACTIVATED, ACTIVATIONS, SEGMENTS
from evenhand.tables.store import Store

ACTIVATE, HANDED_OUT = "activate", "handed out"  # in the audit log: before anything leaves, and once all has
HASH_DIGITS = 12  # hexadecimal; of the keyed hash by which people are held back


def activate(
    plan: Plan,
    spark: SparkSession,
    run_id: str,
    to: str,
    *,
    form: str = "delta",
    offer: str | None = None,
    segments: Sequence[int] | None = None,
    activation_id: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Hand out id, segment, offer and activation id of a published run to a destination; hands back the activation's id.

    Started again under `activation_id` it goes on where it stopped. Whoever may not be used any more is left out; the offer's
    holdout is kept in the register and not handed out.

    Raises:
        EvenhandError: one line; nothing was handed out.
    """
    if (offer is None) == (segments is None):
        raise ArgumentError("--offer, --segments: state one of both")
    destination, run_id = Destination.of(to, form), checked_id(run_id)
    activation_id = checked_id(activation_id) if activation_id else _new_id(run_id)
    left = f"start it again with --activation {activation_id}, and it goes on where it stopped"
    with opened(plan, spark, "activate", left) as (store, audit):
        run, entries = published_run(store, plan, run_id), audit.check()
        require_fresh(run, plan, entries)
        chosen = segments_of(run, plan, offer, segments)
        named = next((o for o in plan.fairness.offers if o.name == offer and o.segments), None)
        if named is not None and (differs := against_before(named, read_lasting(store, run.learned.run_id))):
            say(f"Warning: offer {offer} names segments by number; {differs}. Read their profiles: are they who it is meant for?")
        key = key_of(plan, run.key_id, known_keys(entries))
        today = people_today(spark, plan)
        destination.refuse_foreign(plan, store, columns_of(today), activation_id)
        with held(store, activation_id):
            header: dict[str, object] = {
                "activation_id": activation_id,
                "run_id": run_id,
                "key_id": run.key_id,
                "offer": offer,
                "segments": chosen,
                "holdout": plan.activation.holdout,
                "form": destination.form,
                "destination": destination.place,
            }
            _begin(store, audit, header, {"purpose": plan.purpose, "sources": today.versions})
            say(f"activation {activation_id}: if it is cut off, start it again with --activation {activation_id}")
            now = datetime.now(UTC)
            today = heeding(today, plan, store, known_keys(entries), now)  # the erased, as after a backup was restored
            allowed = may_be_used(with_ids(today, plan), today.consent, plan, moment_of(now))
            _hand_out(store, destination, _reached(store, run, plan, key, allowed, chosen, offer), activation_id, offer)
            if _logged(audit, HANDED_OUT, activation_id) is None:
                audit.add(run_id, HANDED_OUT, {"activation": activation_id})
    return activation_id


def columns_of(today: Sources) -> dict[str, str]:
    """What is handed out, and nothing else, with the types."""
    kind = today.customers.schema[AS_WRITTEN].dataType.simpleString()
    return {"id": kind, "segment": "int", "offer": "string", "activation_id": "string"}


def _reached(
    store: Store, run: PublishedRun, plan: Plan, key: Key, allowed: DataFrame, segments: Sequence[int], offer: str | None
) -> DataFrame:
    """Restricted: pseudonym, key_id, segment, held_back and the id as the source has it; one row a person."""
    under_key = with_pseudonym(allowed.select(ID, AS_WRITTEN), pads_of(plan, key).table(store.spark), key.key_id)
    of_run = store.read(SEGMENTS, run.run_id).where(F.col("segment").isin(*segments)).select("pseudonym", "segment")
    # An id may stand in several rows of the source, written differently where the plan takes such for the same.
    joined = of_run.join(under_key, "pseudonym").groupBy("pseudonym", "segment")
    people = joined.agg(F.first("key_id").alias("key_id"), F.min(AS_WRITTEN).alias(AS_WRITTEN))
    share = plan.activation.holdout
    if not share:
        return people.withColumn("held_back", F.lit(False))
    pads = Pads.of(read_key(key), plan.purpose, "holdout", key.key_id, offer or "").table(store.spark)
    keyed = people.crossJoin(F.broadcast(pads))
    return keyed.withColumn("held_back", _is_held_back(share)).drop(INNER, OUTER)


def _hand_out(store: Store, destination: Destination, people: DataFrame, activation_id: str, offer: str | None) -> None:
    """Put people on the register, then hand out those of them who are not held back; computed once for both."""
    this, rows = F.lit(activation_id).alias("activation_id"), people.persist(StorageLevel.DISK_ONLY)
    try:
        store.append_once(ACTIVATED, rows.select(this, "pseudonym", "key_id", "segment", "held_back"), activation_id)
        # Cut off and started again, the register is that of the first start: whoever came since is not in it.
        kept = store.read(ACTIVATED).where((F.col("activation_id") == activation_id) & ~F.col("held_back"))
        handed = rows.join(kept.select("pseudonym"), "pseudonym", "left_semi")
        columns = [F.col(AS_WRITTEN).alias("id"), F.col("segment"), F.lit(offer).cast("string").alias("offer"), this]
        destination.write(handed.select(columns), activation_id)
    finally:
        rows.unpersist()


def _is_held_back(share: float) -> Column:
    """By a keyed hash of the pseudonym: for one offer always the same people, and nobody without the key can tell who."""
    digits = F.substring(F.hex(hmac_sha256(F.col("pseudonym"), F.col(INNER), F.col(OUTER))), 1, HASH_DIGITS)
    return F.conv(digits, 16, 10).cast("bigint") < F.lit(round(share * 16**HASH_DIGITS))


def _begin(store: Store, audit: AuditLog, header: dict[str, object], details: dict[str, object]) -> None:
    """Log what is to be handed out before anything is, once; raises RunConflict where the id belongs to something else."""
    activation_id = str(header["activation_id"])
    said = {"activation": activation_id} | {name: value for name, value in header.items() if name != "activation_id"}
    before = _logged(audit, ACTIVATE, activation_id)
    if before is not None and {k: before.get(k) for k in said} != said:
        raise RunConflict(
            f"--activation: {activation_id} handed out something else, or elsewhere; take another id, or leave it out"
        )
    if before is None:
        audit.add(str(header["run_id"]), ACTIVATE, said | details)
    row = {name: [value] for name, value in header.items()} | {
        "offer": pa.array([header["offer"]], pa.string()),
        "segments": pa.array([header["segments"]], pa.list_(pa.int32())),
        "at": timestamp(datetime.now(UTC)),
    }
    store.append_once(ACTIVATIONS, pa.table(row), activation_id)


def _logged(audit: AuditLog, action: str, activation_id: str) -> dict[str, object] | None:
    """What the audit log says of an activation under an action."""
    said = (json.loads(entry.details) for entry, _ in audit.entries() if entry.action == action)
    return next((details for details in said if details["activation"] == activation_id), None)


def _new_id(run_id: str) -> str:
    return f"act-{run_id[:50]}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
