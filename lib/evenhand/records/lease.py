"""Who works on a run: one process at a time, so that a retry while the first still lives does nothing twice.

A lease is a numbered row in the restricted zone, and two processes cannot take one number, as in the ledger. Its owner
renews it while it lives. One that died is followed at once where that can be seen (the same machine), else when its lease ends.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from evenhand.errors import Busy, EvenhandError
from evenhand.spark.errors import SPARK_ERRORS
from evenhand.tables.arrow import timestamp
from evenhand.tables.catalog import LEASES
from evenhand.tables.store import Store

LASTS = timedelta(minutes=2)  # from the owner's last sign of life; clocks of two machines may differ by half of it
RENEWED = 45.0  # seconds
ALONE = "(alone)"  # in place of a run: who removes rows for good has both zones alone (alone.py)
IMPORTING = "(consent import)"  # in place of a run: two imports at once would each take what neither has seen the other take
WORKS = {ALONE: "rows are being removed for good", IMPORTING: "consent is being imported"}
ALIVE: set[str] = set()  # the owners in this process


@dataclass(frozen=True)
class Holder:
    """Whoever took a run last; `since` and `until` in UTC."""

    number: int
    owner: str
    machine: str
    pid: int
    since: datetime
    until: datetime

    @property
    def works(self) -> bool:
        """Whether it may still be at work."""
        if self.until <= datetime.now(UTC):
            return False
        if self.machine != machine():
            return True
        return self.owner in ALIVE if self.pid == os.getpid() else is_alive(self.pid)


class Lease:
    """This process's lease of a run."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id, self._owner = store, run_id, secrets.token_hex(8)
        self._since = self._until = datetime.now(UTC)
        self._held = self._lost = False
        self.is_first = False  # whether nobody has had the run before, once it is taken
        self._stopped, self._renewing = Event(), Thread(target=self._renew, daemon=True)

    def take(self) -> bool:
        """Take the run; hands back whether nobody has had it before.

        Raises:
            Busy: another process is at it; it says which, and until when.
        """
        ALIVE.add(self._owner)
        found, number = self._look(), 0
        self.is_first = self._run_id not in found
        while (newest := found.get(self._run_id)) is None or newest.owner != self._owner:
            if newest is not None and newest.works:
                raise busy(self._run_id, newest)
            number = max(number, newest.number if newest else 0) + 1
            self._write(number, datetime.now(UTC) + LASTS)
            found = self._look()
        self._until, self._held = newest.until, True
        self._renewing.start()
        # Seen after ours was written: who removes rows writes first, too, and looks for others then. One of the two sees the other.
        if self._run_id != ALONE and ALONE in found and found[ALONE].works:
            self.end(release=True)
            raise busy(ALONE, found[ALONE])
        return self.is_first

    def require(self) -> None:
        """Raises Busy when another process has the run by now: this one gave no sign of life for too long."""
        if self._held and self._until <= datetime.now(UTC):
            self._extend()
        if self._lost:
            raise Busy(
                f"--run-id: another process has gone on with run {self._run_id}, since this one gave no sign of life for "
                f"{LASTS.seconds} seconds; nothing more was done here"
            )

    def end(self, release: bool) -> None:
        """Stop renewing; with `release` another process need not wait. If that cannot be written, the lease ends by itself."""
        self._stopped.set()
        if self._renewing.is_alive():
            self._renewing.join()
        ALIVE.discard(self._owner)
        held, self._held = self._held, False
        if release and held and not self._lost:
            with suppress(EvenhandError, OSError, *SPARK_ERRORS):  # OSError: Spark is gone already
                self._extend(timedelta(0))

    def _renew(self) -> None:
        while not self._stopped.wait(RENEWED) and not self._lost:
            with suppress(EvenhandError, OSError, *SPARK_ERRORS):
                self._extend()

    def _extend(self, by: timedelta = LASTS) -> None:
        newest = self._look().get(self._run_id)
        if newest is not None and newest.owner == self._owner:
            self._write(newest.number + 1, datetime.now(UTC) + by)
            newest = self._look().get(self._run_id)  # another process may have taken the number
        self._lost = newest is None or newest.owner != self._owner
        if newest is not None and not self._lost:
            self._until = newest.until

    def _write(self, number: int, until: datetime) -> None:
        row = {
            "run_id": [self._run_id],
            "number": [number],
            "owner": [self._owner],
            "machine": [machine()],
            "pid": [os.getpid()],
            "since": timestamp(self._since),
            "until": timestamp(until),
        }
        self._store.append_once(LEASES, pa.table(row), self._run_id, number)

    def _look(self) -> dict[str, Holder]:
        """Who has this run, and who is alone in the zones."""
        return newest_of(self._store, self._run_id, ALONE)


@contextmanager
def held(store: Store, work_id: str) -> Iterator[Lease]:
    """A lease for whatever else writes the restricted zone than runs, under an id of its own: no rows are removed for good meanwhile.

    Raises:
        Busy: rows are being removed for good, or another process is at the same work.
    """
    lease = Lease(store, work_id)
    lease.take()
    try:
        yield lease
    finally:
        lease.end(release=True)


def newest_of(store: Store, *run_ids: str) -> dict[str, Holder]:
    """Who has taken each of some runs last, in one look; nobody has those that are left out."""
    if not run_ids or not store.exists(LEASES):
        return {}
    times = [F.unix_micros(name).alias(name) for name in ("since", "until")]
    rows = store.read(LEASES).where(F.col("run_id").isin(*run_ids)).select("run_id", "number", "owner", "machine", "pid", *times)
    return {row.run_id: _holder(row) for row in sorted(rows.collect(), key=lambda row: row.number)}


def busy(run_id: str, holder: Holder) -> Busy:
    """What to tell whoever would work on the same."""
    what = WORKS.get(run_id, f"--run-id: run {run_id} is being worked on")
    return Busy(
        f"{what} by process {holder.pid} on {holder.machine.split()[0]} since {holder.since:%Y-%m-%d %H:%M:%S} UTC; start it again when "
        f"that is done, or after {holder.until:%H:%M:%S} UTC if it is dead"
    )


def _holder(row: Any) -> Holder:
    since, until = (datetime.fromtimestamp(micros / 1_000_000, UTC) for micros in (row.since, row.until))
    return Holder(row.number, row.owner, row.machine, row.pid, since, until)


def machine() -> str:
    """Host, boot and process namespace. Two processes with the same text know each other by their process numbers."""
    found = [socket.gethostname()]
    with suppress(OSError):
        found += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(found)


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs; one that is dead and not yet buried by its parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True
