"""Erasing people from the restricted zone, and proving it on the bytes that remain (GDPR art. 17).

First the audit log says that it begins, then the list of the erased says whom it is about. So whatever stops it, the next
start goes on from any point: each step does what is not done yet.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.erasure.certificate import Rewritten, certificate, require_folder, signed, write
from evenhand.erasure.files import Storage
from evenhand.erasure.forms import forms_of
from evenhand.erasure.listed import DONE, add_new, leaving, listed, of_erasures, pairs_listed, pairs_of, refuse_lost, unfinished
from evenhand.erasure.proof import Proof, search
from evenhand.erasure.quarantine import ROW
from evenhand.erasure.requests import WHEN
from evenhand.erasure.rewrite import (
    NO_VECTORS,
    Erasable,
    cut_log,
    delete_rows,
    refuse_forbidden,
    remove_old,
    version_of,
)
from evenhand.erasure.whom import Zone, distinct, people_of_requests, spelled
from evenhand.errors import IntegrityError, OutputError
from evenhand.plan.load import checked_plan, fingerprint
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID
from evenhand.records.alone import alone
from evenhand.records.audit import AuditLog, Entry, known_keys
from evenhand.records.lease import Lease
from evenhand.records.opened import opened
from evenhand.spark.at_once import at_once
from evenhand.tables.catalog import ERASED
from evenhand.tables.purge import given, removing
from evenhand.tables.store import Store

BEGUN = "erase"  # in the audit log, before anything is deleted
LEFT = "whoever is on the list of the erased is erased by the next start of jobs/erase.py"


@dataclass(frozen=True)
class Erased:
    """What an erasure left behind."""

    erasure_id: str
    certificate: Path
    proof: Proof


def erase(
    plan: Plan,
    spark: SparkSession,
    requests: str | None = None,
    *,
    folder: Path | None = None,
    wait: float = 0,
    say: Callable[[str], None] = lambda line: None,
) -> Erased:
    """Erase the people of a table of requests, and whoever was erased before and has come back with a backup.

    `folder` is for the certificate (default: `erasures` in the folder of reports). Runs that are going on are waited for, `wait`
    minutes at most; none begins meanwhile.

    Raises:
        IntegrityError: somebody is still found, or the search is no proof; no certificate was written.
        EvenhandError: one line; it says whether anything was deleted.
    """
    _require_list(checked_plan(plan))
    with opened(plan, spark, "erase", LEFT) as (store, audit):
        return Erasure(plan, store, audit, folder, say).run(requests, wait)


def _require_list(plan: Plan) -> None:
    if plan.output.kept_erasures is None:
        raise OutputError(
            "output.erasures: state where the list of the erased is kept, apart from the restricted zone; nothing was deleted"
        )


def clean_restored(plan: Plan, store: Store, audit: AuditLog, entries: Sequence[Entry], say: Callable[[str], None]) -> None:
    """At the start of a run: where somebody who was erased is back, as after a backup was restored, erase them again.

    Raises:
        IntegrityError: the list of the erased is not whole, or somebody is left.
        RunConflict: somebody else is at work in the zone.
    """
    refuse_lost(store, entries)
    people = leaving(store, entries, None)
    if people is None:
        return
    zone = _zone(plan, store, entries)
    stay = zone.staying()
    unless_anew = people if stay is None else people.join(stay, "pseudonym", "left_anti")
    if any(not zone.present(table, people if table.by_run else unless_anew).isEmpty() for table in zone.of_people):
        say("somebody who was erased is back in the restricted zone, as after a backup was restored; they are erased again first")
        Erasure(plan, store, audit, None, say).run(None, 0)


class Erasure:
    """One erasure, in the order in which it must happen."""

    def __init__(self, plan: Plan, store: Store, audit: AuditLog, folder: Path | None, say: Callable[[str], None]) -> None:
        self._plan, self._store, self._audit, self._say = plan, store, audit, say
        self._spark, self._storage = store.spark, Storage(store.spark)
        self._folder = folder or Path(plan.output.reports) / "erasures"
        self._id = f"erasure-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"

    def run(self, requests: str | None, wait: float) -> Erased:
        """All of it; see `erase`."""
        refuse_lost(self._store, self._audit.check())
        require_folder(self._folder, self._plan)
        with alone(self._store, wait, self._say) as lease:
            entries = self._audit.check()
            zone = _zone(self._plan, self._store, entries)
            with removing(self._spark):
                refuse_forbidden(self._spark, zone.of_people)
            people = people_of_requests(self._spark, self._plan, requests, pairs_of(self._plan, entries), zone.known).persist(
                StorageLevel.DISK_ONLY
            )
            try:
                asked = people.where("asked").select("pseudonym", "purpose", "key_id", WHEN)
                asked.isEmpty()  # what is wrong with the requests is told before anything is written
                begun = unfinished(self._store, entries)
                said = {"fingerprint": fingerprint(self._plan), "tables": [table.name for table in zone.of_people]}
                self._audit.add(self._id, BEGUN, said)
                add_new(self._store, asked, self._id, datetime.now(UTC))
                self._say(f"erasure {self._id}: whom it is about is listed; their rows are removed now")
                return self._certify(people, begun, *self._erase(people, entries, begun, zone, lease))
            finally:
                people.unpersist()

    def _erase(
        self, people: DataFrame, entries: Sequence[Entry], begun: Sequence[str], zone: Zone, lease: Lease
    ) -> tuple[list[Rewritten], Proof]:
        before = at_once(self._standing, zone.of_people)
        going = leaving(self._store, entries, self._id)
        assert going is not None  # the list was just written
        # Not persisted, but fixed: Spark computes anew what it keeps of a table that a commit changes, from files that are gone by then.
        going = going.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)
        listed_before = of_erasures(self._store, begun)
        present = [zone.present(table, going).withColumn("table", F.lit(table.name)) for table in zone.of_people]
        there = distinct([listed_before.select("pseudonym", F.lit("").alias("table")), *present])
        there = there.localCheckpoint(storageLevel=StorageLevel.DISK_ONLY)
        names = {row.table for row in there.select("table").distinct().collect()}
        self._remove(people.where("asked"), going, [t for t in zone.of_people if t.name in names or t.by == ROW], zone, lease)
        back = there.select("pseudonym").distinct()
        proof = self._search(people, back, zone)
        logs = [t for t in zone.of_people if any(place.startswith(f"{t.folder}/_delta_log/") for place in proof.places)]
        if logs:
            self._say("somebody stands in the log of a table, as in statistics that it once had; its old entries are removed")
            for table in logs:
                lease.require()
                cut_log(self._spark, self._storage, table)
            proof = self._search(people, back, zone)
        after = at_once(self._standing, zone.of_people)
        tables = zip(zone.of_people, before, after, strict=True)
        return [Rewritten(table.name, *zip(was, now, strict=True)) for table, was, now in tables], proof

    def _remove(self, asked: DataFrame, going: DataFrame, tables: Sequence[Erasable], zone: Zone, lease: Lease) -> None:
        """Rows first, from tables by run before those from which nobody goes who has consented anew; then old files, of every table."""
        real = F.lit(False).alias("control")
        forms = forms_of(spelled(asked).select(ID, real), asked.select("pseudonym", real))

        def delete(table: Erasable) -> None:
            lease.require()
            delete_rows(self._spark, table, zone.to_be_removed(table, going, forms))

        def clean(table: Erasable) -> None:
            lease.require()
            remove_old(self._spark, self._storage, table)

        with given(self._spark, NO_VECTORS), removing(self._spark):
            at_once(delete, [table for table in tables if table.by_run])
            at_once(delete, [table for table in tables if not table.by_run])
            at_once(clean, zone.of_people)
        for folder in zone.cut_off():
            self._storage.remove(folder)

    def _standing(self, table: Erasable) -> tuple[int, int]:
        """Version and number of files."""
        files = self._storage.files(table.folder)
        return version_of(files), len(files)

    def _search(self, people: DataFrame, back: DataFrame, zone: Zone) -> Proof:
        """Search the whole restricted zone for those who ask, whoever had come back, and the control."""
        self._say("searching every file that is left")
        own = {field.name for table in zone.tables for field in self._spark.read.table(table.address).schema}
        asking, control = people.where("asked"), people.where("not asked")
        of_control = control.groupBy(ID).agg(F.min("pseudonym").alias("pseudonym"))  # one of nobody's pseudonyms will do
        if (stay := zone.staying()) is not None:  # who has consented anew is there by right
            asking, back = (frame.join(stay, "pseudonym", "left_anti") for frame in (asking, back))
        names = asking.select("pseudonym").union(back.select("pseudonym")).distinct()
        whole = self._plan.output.restricted.path  # a schema's folder may hold tables of others
        return search(
            self._storage,
            [*(table.folder for table in zone.tables), *([self._storage.qualified(whole)] if whole else [])],
            _marked(spelled(asking), of_control.select(ID)),
            _marked(names, of_control.select("pseudonym")),
            own,
        )

    def _certify(self, people: DataFrame, begun: Sequence[str], tables: Sequence[Rewritten], proof: Proof) -> Erased:
        if proof.places:
            raise IntegrityError(
                f"somebody who was to be erased still stands in {len(proof.places)} files, such as {proof.places[0]}; their rows are "
                "deleted, no certificate was written; remove that file if no table needs it, then start jobs/erase.py again"
            )
        # Keyed hashes, which the certificate is there to name.
        hashes = [bytes(row.hash).hex() for row in people.where("asked").select("hash").distinct().collect()]
        at = datetime.now(UTC).isoformat(timespec="seconds")
        path = self._folder / f"{self._id}.json"
        digest = write(signed(certificate(self._plan, self._id, at, hashes, begun, tables, proof), self._plan), path)
        is_listed = not self._store.read(ERASED).where(F.col("erasure_id") == self._id).isEmpty()
        self._audit.add(self._id, DONE, {"certificate": digest, "listed": is_listed, "completes": list(begun)})
        return Erased(self._id, path, proof)


def _zone(plan: Plan, store: Store, entries: Sequence[Entry]) -> Zone:
    there = listed(store)
    pairs = {*pairs_of(plan, entries), *(pairs_listed(there) if there is not None else [])}
    return Zone(store, plan, sorted(pairs), known_keys(entries))


def _marked(people: DataFrame, control: DataFrame) -> DataFrame:
    return people.withColumn("control", F.lit(False)).union(control.withColumn("control", F.lit(True)))
