"""Who removes rows for good is alone in the zones: VACUUM of whatever age would take what another is about to commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyspark.sql import functions as F

from evenhand.errors import Busy
from evenhand.records.lease import ALONE, Lease, busy, held, newest_of
from evenhand.tables.catalog import LEASES
from evenhand.tables.store import Store

LOOKS_AGAIN = 1.0  # seconds


@contextmanager
def alone(store: Store, wait: float = 0, say: Callable[[str], None] = lambda line: None) -> Iterator[Lease]:
    """Nobody else writes: whoever is at work is waited for, `wait` minutes at most, and who starts meanwhile is refused.

    To the table of leases others still write, if only to be refused, so it must not be cleaned meanwhile.

    Raises:
        Busy: somebody is at work; nothing was deleted.
    """
    until, said = time.monotonic() + 60 * wait, False
    with held(store, ALONE) as lease:
        while (at_work := others_at_work(store)) is not None:
            if time.monotonic() >= until:
                raise Busy(f"{at_work}; nothing was deleted")
            if not said:
                say("waiting for what is going on in the zones; nothing else begins meanwhile")
            said = True
            time.sleep(LOOKS_AGAIN)
        yield lease


def others_at_work(store: Store) -> Busy | None:
    """Why nobody may be alone now: somebody works on a run, or on whatever else takes a lease; None where nobody does."""
    alive = store.read(LEASES).where((F.col("until") > F.current_timestamp()) & (F.col("run_id") != ALONE))
    ids = [row.run_id for row in alive.select("run_id").distinct().collect()]
    return next((busy(run_id, holder) for run_id, holder in newest_of(store, *ids).items() if holder.works), None)
