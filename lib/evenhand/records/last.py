"""The last published run, which a run's numbers of segments and its changes are held against."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import functions as F

from evenhand.plan.models import Plan
from evenhand.records.audit import PUBLISH
from evenhand.records.runs import PUBLISHED
from evenhand.tables.catalog import AUDIT_LOG, RUNS
from evenhand.tables.store import Store


@dataclass(frozen=True)
class LastRun:
    """`plan` is the one that it was made with, in JSON."""

    run_id: str
    plan: Mapping[str, Any]


def last_published(store: Store, plan: Plan, run_id: str, private: bool) -> LastRun | None:
    """The last run of a plan of this name and purpose that was published before this one began, if any, in the order of the
    audit log.

    A run that is resumed finds the same one again, whatever was published meanwhile. One that has only scored has learned
    nothing; one that is not private is no reference for one that is.
    """
    if not store.exists(RUNS):
        return None
    log = store.read(AUDIT_LOG).select("run_id", "action", "sequence")
    began = log.where(F.col("run_id") == run_id).agg(F.min("sequence").alias("began"))
    published = log.where(F.col("action") == PUBLISH).groupBy("run_id").agg(F.min("sequence").alias("published"))
    others = store.read(RUNS).where((F.col("status") == PUBLISHED) & (F.col("run_id") != run_id) & F.col("centers_of").isNull())
    others = others.where((F.col("not_private") != private) & (F.col("plan_name") == plan.name))
    others = others.where(F.get_json_object("plan", "$.purpose") == plan.purpose).join(published, "run_id")
    earlier = others.crossJoin(began).where("began is null or published < began")  # null of a run that has not begun
    found = earlier.orderBy(F.col("published").desc()).select("run_id", "plan").first()
    return None if found is None else LastRun(found.run_id, json.loads(found.plan))


def run_named(store: Store, run_id: str) -> LastRun:
    """A run that `last_published` has found before, by its id."""
    found = store.read(RUNS, run_id).where(F.col("status") == PUBLISHED).select("plan").first()
    assert found is not None
    return LastRun(run_id, json.loads(found.plan))
