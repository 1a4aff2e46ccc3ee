"""Read the facts of a run from the open zone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from evenhand.errors import RunConflict
from evenhand.plan.groups import group_tables
from evenhand.plan.load import fingerprint
from evenhand.plan.models import Plan
from evenhand.records.runs import last_state, started_as_of, written_on
from evenhand.report.budget import read_budget
from evenhand.report.distribution import read_distribution
from evenhand.report.everyone import everybody
from evenhand.report.facts import Facts
from evenhand.report.feedback import read_waves
from evenhand.report.lasting import read_lasting
from evenhand.report.movement import read_movement
from evenhand.report.offers import reached, unsure
from evenhand.report.outcomes import read_counted
from evenhand.report.words import METRIC_NAMES, Row, Rows
from evenhand.rows.segments import CUSTOMERS, OUTSIDE
from evenhand.tables import catalog
from evenhand.tables.store import Store

READERS = 8
MAY_BE_EMPTY = (catalog.FAIRNESS_GROUPS, catalog.FAIRNESS_PROXIES)  # where no group is large enough to judge


def gather(store: Store, plan: Plan, run_id: str) -> Facts:
    """Read a run's open tables; they hold a few thousand rows at most.

    Raises:
        RunConflict: there is no such run, or it has not come far enough for a report.
    """

    def rows(spec: catalog.TableSpec) -> Rows:
        found = store.read(spec, run_id).collect() if store.exists(spec) else None
        if not found and (found is None or spec not in MAY_BE_EMPTY):
            raise RunConflict(f"--run-id: run {run_id} has no {spec.name} yet; run the steps before under the same id")
        return [row.asDict() for row in found]

    with ThreadPoolExecutor(READERS) as pool:  # many small tables: mostly waiting
        tables = (
            catalog.SEGMENT_FITS,
            catalog.SEGMENT_PROFILES,
            catalog.EVERYBODY,
            catalog.FAIRNESS_STATS,
            catalog.FAIRNESS_GROUPS,
            catalog.FAIRNESS_SUMMARY,
            catalog.FAIRNESS_PROXIES,
        )
        begun = pool.submit(last_state, store, run_id)
        waiting = [pool.submit(rows, spec) for spec in tables]
        budget = pool.submit(read_budget, store, plan, run_id)
        tradeoff, bounds = (pool.submit(read, store, plan, run_id) for read in (_tradeoff, _bounds))
        offers, by_noise = (pool.submit(read, store, plan, run_id) for read in (reached, unsure))
        lasting, distributed = pool.submit(read_lasting, store, run_id), pool.submit(read_distribution, store, run_id)
        waves, outcomes = pool.submit(read_waves, store, run_id), pool.submit(read_counted, store, plan, run_id)
        fits, profiles, everyone, fairness, by_group, verdicts, proxies = (future.result() for future in waiting)
        spent, state = budget.result(), begun.result()
    if state is None:
        raise RunConflict(f"--run-id: there is no run {run_id}")
    fits.sort(key=lambda r: (r["k"], r["cost"]))
    names, judged = [t.name for t in group_tables(plan)], list(METRIC_NAMES)
    verdicts.sort(key=lambda r: (names.index(r["attribute"]), judged.index(r["metric"]), r["offer"] or ""))
    proxies.sort(key=lambda r: (names.index(r["attribute"]), r["rank"]))
    order = {name: i for i, name in enumerate(["size", "share", *plan.feature_names])}
    profiles.sort(key=lambda r: (order[r["measure"]], r["segment"]))
    groups = {(t.name, g): (i, j) for i, t in enumerate(group_tables(plan)) for j, g in enumerate(t.groups)}
    fairness.sort(key=lambda r: (groups[(r["attribute"], r["group"])], r["segment"]))
    by_group.sort(key=lambda r: (groups[(r["attribute"], r["group"])], r["measure"], r["offer"] or ""))
    return Facts(
        run_id,
        plan,
        fingerprint(plan),
        state["status"],
        list(state["reasons"]),
        started_as_of(state),
        json.loads(state["sources"]),
        state["not_private"],
        state["version"],
        written_on(state),
        profiles,
        next(row for row in everyone if row["figure"] == CUSTOMERS),
        everybody(profiles, plan),
        {row["feature"]: row["high"] for row in everyone if row["figure"] == OUTSIDE},
        [f for f in fits if f["silhouette"] is None],
        [f for f in fits if f["silhouette"] is not None],
        fairness,
        by_group,
        verdicts,
        proxies,
        spent,
        tradeoff.result(),
        offers.result(),
        by_noise.result(),
        bounds.result(),
        waves.result(),
        outcomes.result(),
        lasting.result(),
        distributed.result(),
        read_movement(store, plan, run_id, lasting.result()),
    )


def _tradeoff(store: Store, plan: Plan, run_id: str) -> Rows:
    if plan.fairness.mitigation is None:
        return []
    found = [row.asDict() for row in store.read(catalog.FAIRNESS_TRADEOFF, run_id).collect()]
    tables = [t.name for t in group_tables(plan)]
    stages, metrics = ["before", "after", "curve"], ["price", "worst_group_cost", *METRIC_NAMES]

    def order(row: Row) -> tuple[object, ...]:
        of_point = tables.index(row["attribute"]), stages.index(row["stage"]), row["bound"] or 0.0
        return *of_point, row["offer"] or "", metrics.index(row["metric"])

    return sorted(found, key=order)


def _bounds(store: Store, plan: Plan, run_id: str) -> Rows:
    if not plan.is_balanced:
        return []
    groups = [(a.name, group) for a in plan.mitigated for group in a.group_names]
    if not store.exists(catalog.MITIGATION_BOUNDS) or not store.exists(catalog.MITIGATION_VERDICTS):
        return []
    asked, judged = (
        {(r.attribute, r.group): r.asDict() for r in store.read(spec, run_id).collect()}
        for spec in (catalog.MITIGATION_BOUNDS, catalog.MITIGATION_VERDICTS)
    )
    return [asked[of] | judged[of] for of in groups if of in judged]
