"""Whether customers have been told what a run is about to do: its notice against that of the run before, under one version."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError
from pyspark.sql import functions as F

from evenhand.errors import PlanError
from evenhand.plan.consent import is_same
from evenhand.plan.models import Plan
from evenhand.plan.substance import differences, refusal, substance
from evenhand.tables.catalog import RUNS
from evenhand.tables.store import Store


def refuse_silent_change(store: Store, plan: Plan) -> None:
    """Hold the plan's notice against that of the newest run of the same name, purpose and notice version, however it ended.

    A plan without a notice is not looked at, nor a run of a version of Evenhand whose plans are not read any more.

    Raises:
        PlanError: something else is told under the same version.
    """
    if plan.notice is None or not store.exists(RUNS):
        return
    version, purpose = (F.get_json_object("plan", path) for path in ("$.notice.version", "$.purpose"))
    same = store.read(RUNS).where((F.col("plan_name") == plan.name) & (purpose == plan.purpose) & version.isNotNull())
    last = F.max(F.struct("at", "run_id", "plan"))
    newest = (
        same.groupBy(version.alias("version"))
        .agg(last.alias("last"))
        .select("version", "last.run_id", "last.plan", F.unix_micros("last.at").alias("at"))
    )
    found: list[Any] = sorted(
        (row for row in newest.collect() if is_same(row.version, plan.notice.version)), key=lambda row: int(row.at)
    )
    if not found:
        return
    try:
        before = Plan.model_validate(json.loads(found[-1].plan))
    except ValidationError:
        return
    if changed := differences(substance(before), substance(plan)):
        raise PlanError([refusal(plan.notice.version, f"of run {found[-1].run_id}", changed)], "notice.version")
