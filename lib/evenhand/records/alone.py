"""Who removes rows for good is alone in the zones: VACUUM of whatever age would take what another is about to commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import functions as F

from evenhand.errors import RunConflict
from evenhand.records.lease import ALONE, Lease, busy, held, newest_of
from evenhand.tables.catalog import LEASES
from evenhand.tables.store import Store


@contextmanager
def alone(store: Store) -> Iterator[Lease]:
    """Nobody else writes: refused while somebody is at work, and who starts meanwhile is refused.

    To the table of leases others still write, if only to be refused, so it must not be cleaned meanwhile.

    Raises:
        RunConflict: somebody is at work; nothing was deleted.
    """
    with held(store, ALONE) as lease:
        if (at_work := others_at_work(store)) is not None:
            raise RunConflict(f"{at_work}; nothing was deleted")
        yield lease


def others_at_work(store: Store) -> RunConflict | None:
    """Why nobody may be alone now: somebody works on a run, or on whatever else takes a lease; None where nobody does."""
    alive = store.read(LEASES).where((F.col("until") > F.current_timestamp()) & (F.col("run_id") != ALONE))
    ids = [row.run_id for row in alive.select("run_id").distinct().collect()]
    return next((busy(run_id, holder) for run_id, holder in newest_of(store, *ids).items() if holder.works), None)
