"""Today's customers in the segments of an earlier run: prepared and assigned to its centers, without learning anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pyspark.sql import SparkSession

from evenhand.assignment.fair_map import FairMap, with_segment
from evenhand.assignment.nearest import assign
from evenhand.errors import RunConflict
from evenhand.job.arguments import checked_id, point_in_time
from evenhand.job.flow import prepare_step, prepared_of
from evenhand.job.state import Run
from evenhand.people.published import PublishedRun, published_run
from evenhand.plan.load import checked_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import OpenDPNoise
from evenhand.records.audit import PUBLISH, AuditLog
from evenhand.records.runs import PUBLISHED, last_state, resumed
from evenhand.rows.mitigation import read_map
from evenhand.spark.errors import no_values_in_errors
from evenhand.spark.session import require_delta, settings
from evenhand.tables.catalog import ASSIGNMENT_MAP, SEGMENTS
from evenhand.tables.store import Store


def score(
    plan: Plan,
    spark: SparkSession,
    run_id: str,
    *,
    as_of: datetime | str | None = None,
    scoring_id: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """Assign the customers as of a moment (default: now) to the centers of a published run; hands back the new run's id.

    It is a run of its own, with the consent and the key of this moment, published by one row in `runs` that names the other.
    It asks nothing and spends nothing. Started again under `scoring_id` it goes on where it stopped.

    Raises:
        EvenhandError: one line; nothing was published.
    """
    plan, run_id = checked_plan(plan), checked_id(run_id)
    scoring_id = None if scoring_id is None else checked_id(scoring_id)
    moment = None if as_of is None else point_in_time(as_of)
    require_delta(spark)
    with no_values_in_errors("score"):
        with settings(spark, plan.time_zone):
            store = Store(spark, plan.output)
            store.require_schemas()
            run = published_run(store, plan, run_id)
            if run.origin is not None:
                raise RunConflict(f"--run-id: run {run_id} has the centers of run {run.origin.run_id}; name that one")
            run.learned.refuse_other_meaning(plan)
            fair_map = _map_of(run, store)
            if scoring_id is not None and _is_done(store, plan, moment, run_id, scoring_id):
                say(f"run {scoring_id} is published already; nothing was computed again")
                return scoring_id
        with Run.open(plan, spark, scoring_id, moment, OpenDPNoise(), say, origin=run.learned) as this:
            say(f"run {this.run_id}: if it is cut off, start it again with --scoring {this.run_id}")
            this.steps.append("prepare")
            prepare_step(this)
            this.steps.append("assign")
            assigned = with_segment(prepared_of(this), run.centers, fair_map, this.bounded)
            this.write(SEGMENTS, assign(assigned))
            this.publish([], [])
            return this.run_id


def _map_of(run: PublishedRun, store: Store) -> FairMap | None:
    """How the run's balanced segments are assigned; None where the nearest center decides."""
    if not run.plan.is_balanced:
        return None
    stored = store.rows(ASSIGNMENT_MAP, run.run_id)
    if stored is None:
        raise RunConflict(
            f"--run-id: run {run.run_id} is balanced and its map is gone from {store.address(ASSIGNMENT_MAP)}; put it back, or make a "
            "new run"
        )
    return read_map(stored)


def _is_done(store: Store, plan: Plan, as_of: datetime | None, run_id: str, scoring_id: str) -> bool:
    """Whether the scoring is published; its last entry in the audit log is made up for where it was cut off just before."""
    found = last_state(store, scoring_id)
    if found is None or found.status != PUBLISHED:
        return False
    resumed(found, plan, as_of, run_id)
    AuditLog(store).add_once(scoring_id, PUBLISH, {"findings": []})
    return True
