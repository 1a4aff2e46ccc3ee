"""Taking back: whoever was handed out and may not be used any more is listed with the reason, once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, DataType, StringType

from evenhand.erasure.listed import heeding, listed
from evenhand.errors import RunConflict
from evenhand.job.arguments import checked_id
from evenhand.people.destination import Destination
from evenhand.people.published import published_run
from evenhand.plan.data import Key
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, has_id, identified, may_be_used
from evenhand.prepare.customers import timestamp as moment_of
from evenhand.prepare.customers import with_ids
from evenhand.prepare.ids import in_one_form
from evenhand.prepare.keys import key_of, pads_of
from evenhand.prepare.pseudonym import with_pseudonym
from evenhand.prepare.sources import Sources
from evenhand.records.audit import known_keys
from evenhand.records.lease import held
from evenhand.records.opened import opened
from evenhand.sources.open import AS_WRITTEN, people_today
from evenhand.tables.catalog import ACTIVATED, ACTIVATIONS, RECALLED
from evenhand.tables.store import Store

RECALL = "recall"  # in the audit log
GONE, ENDED, SAID_NO, WAS_ERASED = "not a customer any more", "consent has ended", "withdrawn or objected", "erased"


def recall(plan: Plan, spark: SparkSession, activation_id: str, say: Callable[[str], None] = lambda line: None) -> str:
    """List the ids of an activation that are to be taken back, beside its destination; hands back the place.

    Whoever is listed is not listed again, so this may run daily; where nobody is to be taken back nothing is written.

    Raises:
        EvenhandError: one line; nothing was listed.
    """
    checked_id(activation_id)
    with opened(plan, spark, "recall", "start it again") as (store, audit):
        header = header_of(store, activation_id)
        published_run(store, plan, header.run_id)
        known = known_keys(audit.check())
        key, given = key_of(plan, header.key_id, known), Destination(header.form, header.destination)
        today = people_today(spark, plan)
        place = given.beside("recall")
        listing = place.batch()
        columns = {"id": _kind(today).simpleString(), "reason": "string", "activation_id": "string"}
        listing.refuse_foreign(plan, store, columns, activation_id)
        with held(store, activation_id):
            today = heeding(today, plan, store, known, datetime.now(UTC))
            handed_out, listed = given.read(spark, activation_id), place.read_batches(spark, activation_id)
            if handed_out is None:
                say(f"Warning: {given.place} is not there; an id that no source has any more cannot be taken back from here")
            search = _Search(store, plan, today, key, activation_id)
            before = search.on_record()
            unrecorded = (
                None if listed is None else search.under_key(search.written(listed)).join(before, "pseudonym", "left_anti")
            )
            done = before if unrecorded is None else before.union(unrecorded.select("pseudonym"))
            if unrecorded is not None:  # listed by a process that was cut off before it said so
                search.record(unrecorded)
            found = search.lost(handed_out, done).persist()
            try:
                if not found.isEmpty():
                    rows = found.select(F.col(AS_WRITTEN).alias("id"), "reason", F.lit(activation_id).alias("activation_id"))
                    listing.write(rows, activation_id if listing.form != "delta" else f"{activation_id}/{secrets.token_hex(8)}")
                    search.record(found)
            finally:
                found.unpersist()
            audit.add(header.run_id, RECALL, {"activation": activation_id, "listed_in": place.place})
    return place.place


@dataclass(frozen=True)
class _Search:
    """Restricted: who of an activation may not be used any more, by pseudonym and by id."""

    store: Store
    plan: Plan
    today: Sources
    key: Key
    activation_id: str

    def under_key(self, rows: DataFrame) -> DataFrame:
        """With the pseudonym in place of `_evenhand_id`."""
        return with_pseudonym(rows, pads_of(self.plan, self.key).table(self.store.spark), self.key.key_id)

    def written(self, rows: DataFrame) -> DataFrame:
        """With `_evenhand_id` of an `id` as it was handed out; from CSV it comes as text."""
        kind, found = _kind(self.today), F.col("id")
        if isinstance(kind, BinaryType) and isinstance(rows.schema["id"].dataType, StringType):
            found = F.unhex(found)
        form = in_one_form(found, self.plan.sources.ids) if isinstance(kind, StringType) else found
        others = [c for c in rows.columns if c != "id"]
        return rows.select(form.alias(ID), found.cast(kind).alias(AS_WRITTEN), *others)

    def on_record(self) -> DataFrame:
        """The pseudonyms that have been listed."""
        store = self.store
        if not store.exists(RECALLED):
            return store.read(ACTIVATED).where("false").select("pseudonym")
        return store.read(RECALLED).where(F.col("activation_id") == self.activation_id).select("pseudonym")

    def record(self, rows: DataFrame) -> None:
        """Whoever was erased is in the list beside the destination alone, not in a table of this zone again."""
        ours = {"activation_id": F.lit(self.activation_id), "key_id": F.lit(self.key.key_id), "at": moment_of(datetime.now(UTC))}
        erased = listed(self.store)
        lasting = rows if erased is None else rows.join(erased.select("pseudonym"), "pseudonym", "left_anti")
        if lasting.isEmpty():
            return
        found = lasting.select("pseudonym", "reason").withColumns(ours)
        self.store.append_once(RECALLED, found, f"{self.activation_id}/{secrets.token_hex(8)}")

    def lost(self, handed_out: DataFrame | None, done: DataFrame) -> DataFrame:
        """Pseudonym, id as the source writes it, and reason, of those who were handed out and are not done yet."""
        today, plan = self.today, self.plan
        customers = with_ids(today, plan)
        may_be = self.under_key(self._allowed(today.consent).select(ID))
        register = self.store.read(ACTIVATED).where((F.col("activation_id") == self.activation_id) & ~F.col("held_back"))
        reached, known = register.select("pseudonym"), [customers.select(ID, AS_WRITTEN), self._deciders()]
        if handed_out is not None:  # whoever was erased is not on the register any more
            known.insert(0, self.written(handed_out).select(ID, AS_WRITTEN))
            reached = reached.union(self.under_key(known[0]).select("pseudonym"))
        for others in (may_be, done):
            reached = reached.join(others.select("pseudonym"), "pseudonym", "left_anti")
        ranked = [self.under_key(rows).withColumn("_rank", F.lit(rank)) for rank, rows in enumerate(known)]
        named = reduce(DataFrame.unionByName, ranked).join(reached, "pseudonym", "left_semi").groupBy("pseudonym")
        people = named.agg(F.min_by(AS_WRITTEN, "_rank").alias(AS_WRITTEN))
        still = self.under_key(customers.select(ID)).select("pseudonym", F.lit(True).alias("_still")).distinct()
        without_end = today.consent.withColumn("expires_at", F.lit(None).cast("timestamp"))
        would = self.under_key(self._allowed(without_end).select(ID)).select("pseudonym", F.lit(True).alias("_would")).distinct()
        why = F.when(F.col("_still").isNull(), F.lit(GONE)).when(F.col("_would"), F.lit(ENDED)).otherwise(F.lit(SAID_NO))
        joined = people.join(still, "pseudonym", "left").join(would, "pseudonym", "left")
        erased = listed(self.store)
        if erased is not None:
            joined = joined.join(erased.select("pseudonym", F.lit(True).alias("_erased")), "pseudonym", "left")
            why = F.when(F.col("_erased"), F.lit(WAS_ERASED)).otherwise(why)
        return joined.select("pseudonym", AS_WRITTEN, why.alias("reason"))

    def _allowed(self, consent: DataFrame) -> DataFrame:
        return may_be_used(with_ids(self.today, self.plan), consent, self.plan, moment_of(datetime.now(UTC)))

    def _deciders(self) -> DataFrame:
        """The ids of the consent events: whoever withdrew and left is in no other source."""
        rows = identified(self.today.consent, self.plan.sources.consent.id)
        return rows.where(has_id(rows)).select(ID, F.col(ID).cast(_kind(self.today)).alias(AS_WRITTEN)).distinct()


def _kind(today: Sources) -> DataType:
    return today.customers.schema[AS_WRITTEN].dataType


def header_of(store: Store, activation_id: str) -> Row:
    """The register's row of an activation, with its `moment` in microseconds; raises RunConflict where there is none."""
    found = (
        store.read(ACTIVATIONS).where(F.col("activation_id") == activation_id).withColumn("moment", F.unix_micros("at")).first()
        if store.exists(ACTIVATIONS)
        else None
    )
    if found is None:
        raise RunConflict(f"--activation: there is no activation {activation_id} in these zones, or its retention has ended")
    return found
