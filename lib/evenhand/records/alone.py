"""Who removes rows for good is alone in the zones: VACUUM of whatever age would take what another is about to commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import functions as F

from evenhand.errors import RunConflict
from evenhand.records.lease import ALONE, Lease, busy, newest_of
from evenhand.tables.catalog import LEASES
from evenhand.tables.store import Store

LOOKS_AGAIN = 1.0  # seconds


@contextmanager
def alone(store: Store, wait: float = 0, say: Callable[[str], None] = lambda line: None) -> Iterator[Lease]:
    """Nobody else writes. Whoever is at work is waited for, `wait` minutes at most; who starts now is refused.

    The table of leases is the one that others still write to, so it must not be cleaned meanwhile.

    Raises:
        RunConflict: somebody is at work; nothing was deleted.
    """
    lease, until, said = Lease(store, ALONE), time.monotonic() + 60 * wait, False
    lease.take()
    try:
        while (at_work := others_at_work(store)) is not None:
            if time.monotonic() >= until:
                raise RunConflict(f"{at_work}; nothing was deleted")
            if not said:
                say("waiting for what is going on in the zones; nothing else begins meanwhile")
            said = True
            time.sleep(LOOKS_AGAIN)
        yield lease
    finally:
        lease.end(release=True)


def others_at_work(store: Store) -> RunConflict | None:
    """Why nobody may be alone now: somebody works on a run, or on whatever else takes a lease; None where nobody does."""
    if not store.exists(LEASES):
        return None
    alive = store.read(LEASES).where((F.col("until") > F.current_timestamp()) & (F.col("run_id") != ALONE))
    for row in alive.select("run_id").distinct().collect():
        if (holder := newest_of(store, row.run_id)) is not None and holder.works:
            return busy(row.run_id, holder)
    return None
