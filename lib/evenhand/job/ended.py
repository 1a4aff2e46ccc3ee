"""A run that is started again after it has come to its end: it is said, and nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from pyspark.sql import SparkSession

from evenhand.errors import Blocked
from evenhand.job.result import Result
from evenhand.plan.models import Plan
from evenhand.records.audit import PUBLISH, AuditLog
from evenhand.records.runs import BLOCKED, ENDED, last_state, resumed
from evenhand.report.page import report_path, write_report
from evenhand.spark.session import settings
from evenhand.tables.catalog import FEATURE_BOUNDS
from evenhand.tables.paths import require_file
from evenhand.tables.store import Store

REPORT = "report"


def ended(
    plan: Plan, spark: SparkSession, run_id: str, as_of: datetime | None, steps: Sequence[str], say: Callable[[str], None]
) -> Result | None:
    """What a run left that has come to its end; None when it has not, or never began.

    The step `report` alone makes its page anew, as does any start when the page is gone. No source is read for it.

    Raises:
        Blocked: it was blocked, with what was found then.
        RunConflict: it was started with another plan, or as of another moment.
        OutputError: a table of the zones cannot be read.
    """
    with settings(spark, plan.time_zone):
        store = Store(spark, plan.output)
        store.require_schemas()
        found = last_state(store, run_id)
        if found is None or found.status not in ENDED:
            return None
        moment, _, status = resumed(found, plan, as_of)
        alone = list(steps) == [REPORT]
        if status == BLOCKED and not alone:
            raise blocked(run_id, found.reasons)
        result = Result(bounded(store, plan, run_id), store, run_id)
        was = f"run {run_id} is {status} already, as of {moment:%Y-%m-%d %H:%M} UTC; nothing was computed or spent again"
        if status != BLOCKED:
            AuditLog(store).add_once(run_id, PUBLISH, {"findings": list(found.reasons)})  # cut off just before it
        if REPORT in steps and (alone or not result.report.exists()):
            require_file(report_path(plan, run_id), "output.reports")
            write_report(store, result.plan, run_id)
            say(f"{was}; its page was made anew")
        else:
            say(was)
    return result


def blocked(run_id: str, reasons: Sequence[str]) -> Blocked:
    return Blocked(f"run {run_id} is blocked, nothing was published: " + "; ".join(reasons), reasons)


def bounded(store: Store, plan: Plan, run_id: str) -> Plan:
    """The plan with the bounds that the run found."""
    if not plan.to_find:
        return plan
    return plan.with_bounds({row.feature: (row.low, row.high) for row in store.read(FEATURE_BOUNDS, run_id).collect()})
