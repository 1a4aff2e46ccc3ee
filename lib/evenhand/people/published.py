"""The published run that something is done with: it must be one, of this plan, and its segments must still be there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic import ValidationError

from evenhand.assignment.nearest import Centers
from evenhand.errors import ArgumentError, RunConflict
from evenhand.fairness.offers import chosen_segments
from evenhand.job.ended import blocked, bounded
from evenhand.plan.models import Plan
from evenhand.plan.spans import before
from evenhand.records.audit import PUBLISH, Entry, removed
from evenhand.records.origin import Origin
from evenhand.records.runs import BLOCKED, PUBLISHED, last_state, last_states, started_as_of
from evenhand.rows.segments import read_centers
from evenhand.tables.catalog import SEGMENT_CENTERS, SEGMENTS, TableSpec
from evenhand.tables.store import Store


@dataclass(frozen=True)
class PublishedRun:
    """`plan` is the one that the run was made with, as `runs` has it, with the bounds that were found. Of a run that was scored
    `origin` is the earlier one whose centers it has, and of which alone it is known what its segments are like.
    """

    run_id: str
    plan: Plan
    as_of: datetime
    centers: Centers
    private: bool = True  # whether its noise was
    origin: Origin | None = None

    @property
    def key_id(self) -> str:
        return self.plan.pseudonyms.key_id

    @property
    def learned(self) -> Origin:
        """The run that has learned and measured the segments: itself, unless it was scored."""
        return self.origin or Origin(self.run_id, self.as_of, self.plan, self.private)


def published_run(store: Store, plan: Plan, run_id: str) -> PublishedRun:
    """Read a run that is published.

    Raises:
        Blocked: a gate blocked it.
        RunConflict: there is no such run, it is not published, or it is of another plan or purpose.
    """
    state, its_plan = _visible(store, plan, run_id)
    private, as_of = not state.not_private, started_as_of(state)
    if state.centers_of is not None:
        found = published_run(store, plan, state.centers_of)
        return PublishedRun(run_id, found.learned.bounded(its_plan), as_of, found.centers, private, found.learned)
    centers = read_centers(store.read(SEGMENT_CENTERS, run_id))
    return PublishedRun(run_id, bounded(store, its_plan, run_id), as_of, centers, private)


def _visible(store: Store, plan: Plan, run_id: str) -> tuple[Any, Plan]:
    """The state of a published run and the plan that it was made with; raises as `published_run`."""
    state = last_state(store, run_id)
    if state is None:
        raise RunConflict(f"--run-id: there is no run {run_id} in these zones; name one that is published")
    if state.status == BLOCKED:
        raise blocked(run_id, state.reasons)
    if state.status != PUBLISHED:
        raise RunConflict(f"--run-id: run {run_id} is {state.status}, not published; bring it to its end, or name another")
    try:
        its_plan = Plan.model_validate(json.loads(state.plan))
    except (ValidationError, ValueError):
        raise RunConflict(f"--run-id: the plan of run {run_id} is of Evenhand {state.version}; go on with that version") from None
    if (its_plan.name, its_plan.purpose) != (plan.name, plan.purpose):
        raise RunConflict(
            f"--run-id: run {run_id} is of plan {its_plan.name} for the purpose {its_plan.purpose}, and this is plan {plan.name} for "
            f"{plan.purpose}; what people agreed to for one purpose is not used for another"
        )
    return state, its_plan


def newest_published(store: Store, plan: Plan, entries: Sequence[Entry]) -> str:
    """The id of the run of the plan's name and purpose that was published last, by the audit log; one that has only scored is one too.

    Raises:
        RunConflict: there is none.
    """
    ours = {
        row.run_id
        for row in last_states(store)
        if row.status == PUBLISHED and row.plan_name == plan.name and json.loads(row.plan)["purpose"] == plan.purpose
    }
    found = next((e.run_id for e in reversed(entries) if e.action == PUBLISH and e.run_id in ours), None)
    if found is None:
        raise RunConflict(f"--run-id: no run of plan {plan.name} is published in these zones; make one first: evenhand run")
    return found


def plan_of_page(run: PublishedRun, plan: Plan) -> Plan:
    """The plan that the page's run was made with, its folders where today's plan has them: `runs` keeps them as they were written."""
    made = run.learned.plan
    same = made.sources.model_dump(mode="json") == plan.sources.model_dump(mode="json")
    return made.model_copy(update={"output": plan.output, "sources": plan.sources if same else made.sources})


def require_kept(run: PublishedRun, entries: Sequence[Entry], table: TableSpec = SEGMENTS) -> None:
    """Raises RunConflict where the run's rows were removed from a table since their time was over.

    By the audit log and not by a look at them: that nobody is in them is nobody's to know.
    """
    if run.run_id in removed(entries, table.name):
        raise RunConflict(
            f"--run-id: the rows of run {run.run_id} in {table.name} are not kept any more; make a new run, or name another"
        )


def require_fresh(run: PublishedRun, plan: Plan, entries: Sequence[Entry]) -> None:
    """Raises RunConflict where the run, or that whose centers it has, is older than the plan allows, or its segments are kept no longer.

    Scoring brings people up to date, not what the segments are like or how evenly they treat groups.
    """
    most = plan.activation.max_age
    oldest = min(run.as_of, run.learned.as_of)
    if oldest < before(datetime.now(UTC), most):
        scored = f" has the centers of {run.learned.run_id}, which" if run.origin else ""
        raise RunConflict(
            f"--run-id: run {run.run_id}{scored} is as of {oldest:%Y-%m-%d}, older than activation.max_age ({most}); make a new run"
        )
    require_kept(run, entries)


def segments_of(run: PublishedRun, plan: Plan, offer: str | None, numbers: Sequence[int] | None) -> list[int]:
    """The segments that an offer of the plan reaches, or those that are named.

    Raises:
        ArgumentError: there is no such offer or segment.
        RunConflict: the run measured another offer under that name.
    """
    k = len(run.centers)
    if offer is None:
        chosen = sorted(set(numbers or ()))
        if not chosen or chosen[0] < 1 or chosen[-1] > k:
            raise ArgumentError(f"--segments: run {run.run_id} has the segments 1 to {k}; name some of these")
        return chosen
    offers, measured = ({o.name: o for o in of.fairness.offers} for of in (plan, run.learned.plan))
    if offer not in offers:
        raise ArgumentError(f"--offer: the plan names no offer {offer}; it names {', '.join(offers) or 'none'}")
    wanted, was = offers[offer], measured.get(offer)
    if was is None or (was.segments, was.where) != (wanted.segments, wanted.where):
        raise RunConflict(
            f"--offer: run {run.run_id} did not measure {offer} as the plan now has it, so nobody has seen how evenly it falls; make a "
            "new run"
        )
    reached = (np.flatnonzero(chosen_segments(wanted, run.centers, run.learned.plan)) + 1).tolist()
    if not reached:
        raise RunConflict(f"--offer: {offer} reaches no segment of run {run.run_id}; nothing is to be handed out")
    return reached
