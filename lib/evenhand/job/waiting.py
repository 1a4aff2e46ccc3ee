"""Wait for another process that is at the same run: a scheduler's retry may come while the first try still lives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

from pyspark.sql import SparkSession

from evenhand.plan.models import Plan
from evenhand.records.lease import ALONE, busy, newest_of
from evenhand.spark.session import settings
from evenhand.tables.store import Store

LOOKS_AGAIN = 5.0  # seconds


def wait_for_others(plan: Plan, spark: SparkSession, run_id: str | None, minutes: float, say: Callable[[str], None]) -> bool:
    """Wait while another process works on the run, or removes rows for good; hands back whether there was one.

    After `minutes` it is waited for no longer: whoever then takes the run is told who has it.
    """
    until, waited = monotonic() + 60 * minutes, False
    with settings(spark, plan.time_zone):
        store = Store(spark, plan.output)
        store.require_schemas()
        while monotonic() < until:
            holders = newest_of(store, *filter(None, (run_id, ALONE)))
            at_work = next((busy(of, holder) for of, holder in holders.items() if holder.works), None)
            if at_work is None:
                break
            if not waited:
                say(f"{at_work}; waiting for that, until {datetime.now(UTC) + timedelta(minutes=minutes):%H:%M} UTC at most")
            waited = True
            sleep(LOOKS_AGAIN)
    return waited
