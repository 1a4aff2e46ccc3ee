"""The zones of a plan and their audit log, for whatever is done with them after a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from evenhand.plan.load import checked_plan
from evenhand.plan.models import Plan
from evenhand.records.audit import AuditLog
from evenhand.spark.errors import no_values_in_errors
from evenhand.spark.session import require_delta, settings
from evenhand.tables.store import Store


@contextmanager
def opened(plan: Plan, spark: SparkSession, what: str, left: str) -> Iterator[tuple[Store, AuditLog]]:
    """The zones, which hold nothing but our own tables, in a session set as a run sets it. `what` is done, and what is `left`
    where it fails, stand in errors of Spark, without values.

    Raises:
        ArgumentError: it is no plan.
        SessionError: the session has no Delta, or a run is at work in it.
        OutputError: a zone holds something else.
    """
    plan = checked_plan(plan)
    require_delta(spark)
    with no_values_in_errors(what, left), settings(spark, plan.time_zone):
        store = Store(spark, plan.output)
        store.refuse_foreign_content()
        yield store, AuditLog(store)
