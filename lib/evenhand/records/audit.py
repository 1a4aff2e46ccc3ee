"""The audit log: who did what, when, and why; one chain of entries that is only ever added to, in the restricted zone.

Each entry holds the hash of the one before (Haber, Stornetta, "How to time-stamp a digital document", 1991, section 5.1),
so that none can be changed, put in between or taken out later without all that follow. Who rewrites the whole chain is
found out by its newest hash, kept elsewhere. An entry holds no exact figure about people.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

import pyarrow as pa
from pyspark.sql import functions as F

from evenhand.errors import IntegrityError
from evenhand.plan.load import canonical_json
from evenhand.tables.arrow import timestamp
from evenhand.tables.catalog import AUDIT_LOG
from evenhand.tables.store import Store

# A run is approved when it has passed the gates, before it is visible; published when it is visible.
START, RESUME, SPEND, APPROVE, PUBLISH, BLOCK, FAIL = "start", "resume", "spend", "approve", "publish", "block", "fail"
ABANDON = "abandon"  # before its state is written, with the one that it had
RETAIN = "retain"  # before anything is removed, with the runs by table


@dataclass(frozen=True)
class Entry:
    """`at` is in microseconds since 1970 UTC; `details` is canonical JSON; `previous` is empty in the first entry."""

    sequence: int
    at: int
    actor: str
    run_id: str
    action: str
    details: str
    previous: str

    @property
    def hash(self) -> str:
        """SHA-256 over all fields, unambiguously encoded, in hex."""
        return hashlib.sha256(canonical_json(astuple(self)).encode()).hexdigest()


class AuditLog:
    """The log of one restricted zone. Entries are numbered, and two writers cannot take one number, as in the ledger."""

    def __init__(self, store: Store) -> None:
        self.store, self._lock = store, Lock()
        self._newest: tuple[int, str] | None = None  # number and hash; what others have added since is found out on adding

    def add(self, run_id: str, action: str, details: Mapping[str, object]) -> None:
        """Add an entry, in one commit.

        Raises:
            IntegrityError: the chain is broken, or was rolled back; nothing was added.
        """
        with self._lock:
            newest = self._newest or _newest(self.entries())
            while True:
                at = datetime.now(UTC)
                entry = Entry(newest[0] + 1, _micros(at), _actor(), run_id, action, canonical_json(details), newest[1])
                row = {
                    "sequence": [entry.sequence],
                    "at": timestamp(at),
                    "actor": [entry.actor],
                    "run_id": [run_id],
                    "action": [action],
                    "details": [entry.details],
                    "previous_hash": [entry.previous],
                    "hash": [entry.hash],
                }
                self.store.append_once(AUDIT_LOG, pa.table(row), "chain", entry.sequence)
                since = self._read(entry.sequence)
                if not since:
                    raise IntegrityError(
                        f"the audit log ({self.store.address(AUDIT_LOG)}) is older than its own newest entry: it was rolled "
                        "back; put the newest back; nothing was published"
                    )
                newest = _newest(since)
                if since[0] == (entry, entry.hash):
                    self._newest = newest
                    return

    def add_once(self, run_id: str, action: str, details: Mapping[str, object]) -> None:
        """Add an entry, unless there is one of this run and action: for what happens once, started again or not."""
        if not any(entry.run_id == run_id and entry.action == action for entry, _ in self.entries()):
            self.add(run_id, action, details)

    def check(self) -> list[Entry]:
        """Look at the whole chain before anything is added; raises as `entries`."""
        with self._lock:
            found = self.entries()
            self._newest = _newest(found)
        return [entry for entry, _ in found]

    def entries(self) -> list[tuple[Entry, str]]:
        """All entries in order, each with the hash that stands beside it.

        Raises:
            IntegrityError: one is missing, was put in between or changed.
        """
        found = self._read(1) if self.store.exists(AUDIT_LOG) else []
        if (broken := first_broken(found)) is not None:
            raise IntegrityError(
                f"the audit log ({self.store.address(AUDIT_LOG)}) is broken at entry {broken}: something was changed, put in "
                "or taken out there; put the log back as it was; nothing was published"
            )
        return found

    def spending(self) -> dict[str, float]:
        """As `spent_by`, with what others have added since the log was checked."""
        return spent_by(entry for entry, _ in self._read(1)) if self.store.exists(AUDIT_LOG) else {}

    def _read(self, first: int) -> list[tuple[Entry, str]]:
        """The entries from a number on: a handful a run."""
        rows = self.store.read(AUDIT_LOG).where(F.col("sequence") >= first).orderBy("sequence")
        columns = ("sequence", F.unix_micros("at"), "actor", "run_id", "action", "details", "previous_hash", "hash")
        return [(Entry(*row[:-1]), row[-1]) for row in rows.select(*columns).collect()]


def spent_by(entries: Iterable[Entry]) -> dict[str, float]:
    """The ε that each run has spent, by the log: a ledger that was rolled back or replaced contradicts it."""
    return {e.run_id: json.loads(e.details)["epsilon"] for e in entries if e.action == SPEND}


def removed(entries: Iterable[Entry], table: str) -> set[str]:
    """The runs whose rows were removed from a table since their time was over."""
    return {run_id for e in entries if e.action == RETAIN for run_id in json.loads(e.details).get(table, [])}


def known_keys(entries: Iterable[Entry]) -> dict[str, str]:
    """The check value of the key behind each key_id, as the first run under it had it."""
    known: dict[str, str] = {}
    for entry in entries:
        if entry.action == START and (key := json.loads(entry.details).get("key")):
            known.setdefault(key["id"], key["check"])
    return known


def first_broken(entries: Sequence[tuple[Entry, str]]) -> int | None:
    """The number, counted from 1, of the first entry that does not belong where it stands; None when all do."""
    previous = ""
    for number, (entry, found) in enumerate(entries, 1):
        if entry.sequence != number or entry.previous != previous or entry.hash != found:
            return number
        previous = found
    return None


def _newest(entries: Sequence[tuple[Entry, str]]) -> tuple[int, str]:
    return (entries[-1][0].sequence, entries[-1][1]) if entries else (0, "")


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _actor() -> str:
    """The account that runs the job."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"
