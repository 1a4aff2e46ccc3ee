"""The whole flow of the main job, step by step. Each step reads what the one before has stored, so each runs alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from pyspark.sql import DataFrame

from evenhand.ask.bounds import bound_intervals
from evenhand.assignment.fair_map import FairMap, with_segment
from evenhand.assignment.nearest import assign
from evenhand.errors import RunConflict
from evenhand.governance.gates import blocking
from evenhand.job.assessed import assess
from evenhand.job.movement import movement_of
from evenhand.job.state import Run
from evenhand.learn.learn import learn
from evenhand.learn.numbers import Earlier, numbers
from evenhand.mitigate.mitigate import Mitigated, mitigate
from evenhand.plan.crowded import crowded
from evenhand.prepare.customers import prepared_customers
from evenhand.prepare.keys import pads_of, refuse_other_key
from evenhand.prepare.quality import input_quality
from evenhand.records.last import last_published
from evenhand.report.page import write_report
from evenhand.rows.distribution import distribution_rows
from evenhand.rows.fairness import fairness_groups, fairness_proxies, fairness_stats, fairness_summary, read_last
from evenhand.rows.mitigation import bounded_rows, map_rows, read_bounded, read_map, tradeoff_rows, verdict_rows
from evenhand.rows.segments import (
    bound_rows,
    center_rows,
    everybody_rows,
    fit_rows,
    profile_rows,
    read_centers,
    read_earlier,
    summary_rows,
)
from evenhand.sources.open import vanished_files_named
from evenhand.spark.errors import no_values_in_errors
from evenhand.spark.short_code import never_null
from evenhand.tables import catalog


def prepare_step(run: Run) -> None:
    """Keep whom and what the purpose may use, under pseudonyms.

    Sources to `prepared` [restricted]. Spends nothing, or what it takes to find the bounds that the plan leaves out.
    """
    plan, sources = run.plan, run.sources
    # Written last, and with rows whether anybody may be used or not.
    if run.store.rows(catalog.INPUT_QUALITY, run.run_id) is not None:
        return
    refuse_other_key(plan.pseudonyms, run.keys)
    pads = pads_of(plan)
    with no_values_in_errors("prepare"), vanished_files_named(run.spark, plan, sources):
        plan = run.bounded
        run.begin()
        if run.store.rows(catalog.PREPARED, run.run_id) is None:
            run.write(catalog.PREPARED, prepared_customers(run.heeded, plan, run.as_of, pads.table(run.spark)))
        run.write(catalog.INPUT_QUALITY, input_quality(run.store.read(catalog.PREPARED, run.run_id), sources, plan, run.as_of))
    if not sources.expires:
        run.say("sources.consent has no column expires_at, so consent counts until it is withdrawn")
    # The same line whatever the data: a warning only where somebody's objection is lost would tell that there is one.
    run.say(
        "An objection or a withdrawal with an unknown customer id has no effect. Before anybody uses the segments, look for such rows: "
        f"SELECT * FROM {run.store.address(catalog.INPUT_QUALITY)} WHERE run_id = '{run.run_id}' AND count > 0"
    )


def segment_step(run: Run) -> None:
    """Learn the segments from a private summary, assign everybody.

    `prepared` to `private_summary` and `segment_centers` [open], and `segments` [restricted].
    """
    people, plan = prepared_of(run), run.bounded
    ask = run.ask_about(people)
    earlier = run.meanwhile(lambda: _earlier(run))
    learned = learn(ask, plan, run.spark)
    for sentence in crowded({name: most for name, (_, _, most) in learned.outside.items()}, plan):
        run.say(f"Warning: {sentence}")
    run.say(f"learned {learned.best.k} segments; {learned.best.method} described the customers best")
    found = mitigate(ask, learned, plan) if plan.fairness.mitigation is not None else learned
    numbered = partial(numbers, earlier=earlier())
    lasting = numbered(found.centers)
    centers, fair_map = found.centers[lasting.order], found.fair_map and replace(found.fair_map, numbers=lasting.now)
    with run.writes() as write:
        write(catalog.SEGMENTS, lambda: assign(with_segment(people, centers, fair_map, plan)))
        write(catalog.PRIVATE_SUMMARY, lambda: summary_rows(learned, plan))
        write(catalog.SEGMENT_FITS, lambda: fit_rows(learned))
        if plan.to_find:
            write(catalog.FEATURE_BOUNDS, bound_rows(plan, bound_intervals(run.magnitudes, run.plan)))
        if isinstance(found, Mitigated):
            write(catalog.FAIRNESS_TRADEOFF, lambda: tradeoff_rows(found.tradeoff(lambda of: numbered(of).now)))
            if fair_map is not None:
                write(catalog.MITIGATION_BOUNDS, bounded_rows(found.bounds))
                write(catalog.ASSIGNMENT_MAP, map_rows(fair_map))
    run.write(catalog.SEGMENT_CENTERS, center_rows(found.centers, found.ends, lasting, plan))  # last: says that the step is done


def assess_step(run: Run) -> None:
    """Measure profiles and fairness, publish or block.

    `prepared` and the centers to profiles and fairness statistics [open], then one commit in `runs`.
    """
    people, plan, stored, fair_map = prepared_of(run), run.bounded, centers_of(run), map_of(run)
    centers, last = read_centers(stored), run.meanwhile(lambda: read_last(run.store, stored))
    found = assess(run.ask_about(people), centers, fair_map, plan, last)
    bounds = run.store.rows(catalog.MITIGATION_BOUNDS, run.run_id)
    with run.writes() as write:
        write(catalog.SEGMENT_PROFILES, lambda: profile_rows(found.profiles, found.distances, found.labels, plan, found.fifths))
        write(
            catalog.SEGMENT_DISTRIBUTION,
            lambda: distribution_rows(found.totals, found.quartiles, found.profiles.suppressed, plan),
        )
        write(catalog.EVERYBODY, lambda: everybody_rows(found.everybody, found.outside, plan))
        write(catalog.FAIRNESS_STATS, fairness_stats(found.fairness))
        write(catalog.FAIRNESS_GROUPS, fairness_groups(found.fairness))
        write(catalog.FAIRNESS_SUMMARY, fairness_summary(found.fairness))
        write(catalog.FAIRNESS_PROXIES, fairness_proxies(found.fairness))
        if plan.segments.movement is not None:
            write(catalog.MOVEMENT, movement_of(run, centers, fair_map))
        if bounds is not None:
            write(catalog.MITIGATION_VERDICTS, verdict_rows(found.kept(read_bounded(bounds))))
    run.publish(found.worse + found.uneven, blocking(plan, found.worse, found.uneven))


def report_step(run: Run) -> None:
    """Write the page for people, from the open zone alone."""
    centers_of(run)  # a page must not be what first asks for bounds
    with no_values_in_errors("report", left=f"run {run.run_id} stands as it was; run the step report again, under its id"):
        write_report(run.store, run.bounded, run.run_id)


def _earlier(run: Run) -> Earlier | None:
    """The segments of the last run that was published before this one began, whose numbers last."""
    run.begin()  # its first entry in the audit log says when that was
    return read_earlier(run.store, last_published(run.store, run.plan, run.run_id, run.noise.private), run.bounded)


def prepared_of(run: Run) -> DataFrame:
    found = _prepared(run)
    if found is None:
        found = _needed(run, catalog.PREPARED, "prepare")
    return never_null(found, [*run.plan.feature_names, *run.plan.attribute_names])


def _prepared(run: Run) -> DataFrame | None:
    """The run's customers, None before they are prepared.

    Where nobody may be used there are no rows, and the run goes on: to stop would tell exactly that. Then `input_quality`,
    which always has rows, says that the step is done.
    """
    found = run.store.rows(catalog.PREPARED, run.run_id)
    if found is None and run.store.rows(catalog.INPUT_QUALITY, run.run_id) is not None:
        return run.store.read(catalog.PREPARED, run.run_id)
    return found


def centers_of(run: Run) -> DataFrame:
    return _needed(run, catalog.SEGMENT_CENTERS, "segment")


def map_of(run: Run) -> FairMap | None:
    """How balanced segments are assigned; None when the nearest center decides."""
    if not run.plan.is_balanced:
        return None
    return read_map(_needed(run, catalog.ASSIGNMENT_MAP, "segment"))


def _needed(run: Run, spec: catalog.TableSpec, step: str) -> DataFrame:
    found = run.store.rows(spec, run.run_id)
    if found is None:
        raise RunConflict(f"--run-id: run {run.run_id} has no {spec.name} yet; run the step {step} first, under the same id")
    return found


# What a step is doing, for whoever waits for it.
DOING = {
    "prepare": "Selecting permitted customers and columns, replacing ids",
    "segment": "Learning segments from a private summary, assigning customers",
    "assess": "Measuring what segments are like and whether they treat groups evenly",
    "report": "Writing the page",
}
STEPS = {"prepare": prepare_step, "segment": segment_step, "assess": assess_step, "report": report_step}
