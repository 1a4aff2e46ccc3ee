"""Keeping the zones quick: each run adds some hundred small files to them, and what reads a table reads every one.

Rows stay as they are, but for those of runs that are given up (abandon.py), and so does everything that the ledger and the audit log are held against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from evenhand.governance.abandon import abandon
from evenhand.plan.models import Plan
from evenhand.records.alone import alone
from evenhand.records.opened import opened
from evenhand.spark.at_once import at_once
from evenhand.spark.errors import retried
from evenhand.tables.catalog import ALL, LEASES, TableSpec
from evenhand.tables.purge import given, remove_old_files, removing
from evenhand.tables.store import Store

MAINTAIN = "maintain"  # in the audit log
# Larger ones are left alone, so that a table of millions of people is not written anew.
SMALL_FILE = {"spark.databricks.delta.optimize.minFileSize": str(16 * 2**20)}


@dataclass(frozen=True)
class Maintained:
    """By table, how many fewer files its newest version has; and the runs that were given up."""

    fewer: dict[str, int]
    abandoned: list[str]


def maintain(plan: Plan, spark: SparkSession, *, wait: float = 0, say: Callable[[str], None] = lambda line: None) -> Maintained:
    """Give up runs that nobody has gone on with for as long as the plan says. Write the small files of each table together, and remove those that no newest version needs: of restricted tables all, of open
    ones those older than a week, since somebody may be reading.

    Runs that are going on are waited for, `wait` minutes at most; none begins meanwhile. Cut off, it is started again.

    Raises:
        Busy: somebody is at work; nothing was changed.
    """
    with opened(plan, spark, MAINTAIN, "start it again, and it goes on") as (store, audit):
        now = datetime.now(UTC)
        with alone(store, wait, say) as lease, given(spark, SMALL_FILE), removing(spark):
            abandoned = abandon(plan, store, audit, lease, now)
            audit.add(f"maintain-{now:%Y%m%dT%H%M%S}", MAINTAIN, {})

            def fewer(spec: TableSpec) -> int:
                lease.require()
                count = _write_together(store, spec)
                _remove_old(store, spec)
                return count

            there = [spec for spec in ALL if store.exists(spec)]
            counts = at_once(fewer, there)
    return Maintained({spec.name: count for spec, count in zip(there, counts, strict=True) if count > 0}, abandoned)


def _write_together(store: Store, spec: TableSpec) -> int:
    """In one commit that says of no row that it has changed; hands back how many fewer files there are."""
    done = retried(lambda: store.spark.sql(f"OPTIMIZE {store.address(spec)}").select("metrics").first())
    assert done is not None
    return int(done.metrics.numFilesRemoved - done.metrics.numFilesAdded)


def _remove_old(store: Store, spec: TableSpec) -> None:
    if spec.zone != "open" and spec is not LEASES:  # to leases others write at any time, if only to be refused
        remove_old_files(store.spark, store.address(spec))
    else:
        store.spark.sql(f"VACUUM {store.address(spec)}")
