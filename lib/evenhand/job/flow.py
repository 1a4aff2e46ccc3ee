"""The whole flow of the main job, step by step. Each step reads what the one before has stored, so each runs alone."""

from __future__ import annotations

from functools import partial

from pyspark.sql import DataFrame

from evenhand.ask.assessment import segment_tallies
from evenhand.ask.bounds import bound_intervals
from evenhand.ask.boxes import COUNT, box_intervals, box_sums, boxes_of, read_summary
from evenhand.ask.groups import group_counts
from evenhand.ask.histograms import histograms, outside_fullest, read_marginals
from evenhand.assignment.fair_map import FairMap, assignment_fingerprint, with_segment
from evenhand.assignment.nearest import CENTER_BITS, assign, rounded_centers
from evenhand.describe.distances import read_distances
from evenhand.describe.everybody import read_everybody
from evenhand.describe.label import labels
from evenhand.describe.profiles import read_profiles
from evenhand.describe.worth import useless, worth
from evenhand.errors import RunConflict
from evenhand.fairness.assess import assess_fairness, unevenness
from evenhand.governance.gates import blocking
from evenhand.job.state import Run
from evenhand.learn.checked import checked
from evenhand.learn.choose_k import choose_k
from evenhand.learn.cluster import Fit, best_fit
from evenhand.learn.intervals import center_ends, cost_ends, silhouette_ends
from evenhand.learn.refine import refined
from evenhand.learn.spread import spread_out
from evenhand.mitigate.kept import kept_bounds
from evenhand.mitigate.mitigate import mitigated
from evenhand.plan.advice import crowded
from evenhand.plan.method import Method
from evenhand.prepare.customers import prepared_customers
from evenhand.prepare.keys import pads_of, refuse_other_key
from evenhand.prepare.quality import input_quality
from evenhand.report.page import write_report
from evenhand.rows.fairness import fairness_groups, fairness_proxies, fairness_stats, fairness_summary, read_last
from evenhand.rows.mitigation import bounded_rows, map_rows, read_bounded, read_map, tradeoff_rows, verdict_rows
from evenhand.rows.segments import bound_rows, center_rows, everybody_rows, fit_rows, profile_rows, read_centers, summary_rows
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
            run.store.write(catalog.PREPARED, prepared_customers(sources, plan, run.as_of, pads.table(run.spark)), run.run_id)
        kept = run.store.read(catalog.PREPARED, run.run_id)
        run.write_later(catalog.INPUT_QUALITY, lambda: input_quality(kept, sources, plan, run.as_of))
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
    prepared, plan = prepared_of(run), run.bounded
    marginals = None
    if Method.of(plan).marginals:
        spread = run.door.release(histograms(prepared, plan))
        marginals = read_marginals(spread, plan)
        for sentence in crowded({name: most for name, (_, _, most) in outside_fullest(spread, plan).items()}, plan):
            run.say(f"Warning: {sentence}")
    boxes, mitigation = boxes_of(plan, marginals), plan.fairness.mitigation
    by_group = [group_counts(prepared, boxes, plan)] if mitigation is not None else []
    counted, *grouped = run.door.releases(box_sums(prepared, plan, marginals), *by_group)
    summary = read_summary(counted, plan, marginals)
    intervals = box_intervals(counted, summary, boxes)
    run.write_later(catalog.PRIVATE_SUMMARY, summary_rows(summary, intervals, plan))
    learned = points = spread_out(summary, marginals, plan)
    k, curve = choose_k(points, plan.segments.candidates, plan.segments.restarts, plan.segments.prefer)
    best, candidates = best_fit(run.spark, points, k, plan.segments.mllib_seeds, plan.segments.restarts)
    if Method.of(plan).checks:
        best, points = checked(run.door, prepared, best, points, counted.noise(COUNT).like_laplace, plan)
        candidates = [best, *(fit for fit in candidates if fit is not best)]
    run.say(f"learned {k} segments; {best.method} described the customers best")
    moved, fair_map = refined(run.door, prepared, rounded_centers(best.centers), points, plan), None
    centers, ends = moved.centers, moved.ends
    if mitigation is not None:
        starts = [centers / 2**CENTER_BITS, *(fit.centers for fit in sorted(candidates, key=lambda f: f.cost))]
        found = mitigated(run.door, prepared, plan, summary, marginals, grouped[0], starts)
        centers, fair_map, ends = found.centers, found.fair_map, None  # no means of the customers nearest to them
        run.write_later(catalog.FAIRNESS_TRADEOFF, lambda: tradeoff_rows(found.tradeoff()))
    elif ends is None:
        ends = center_ends(counted, boxes, centers / 2**CENTER_BITS, summary)
    for_assess = [run.write_later(catalog.SEGMENT_CENTERS, center_rows(centers, ends, plan))]
    if fair_map is not None:
        for_assess.append(run.write_later(catalog.MITIGATION_BOUNDS, bounded_rows(found.bounds)))
        for_assess.append(run.write_later(catalog.ASSIGNMENT_MAP, map_rows(fair_map)))
    if plan.to_find:
        run.write_later(catalog.FEATURE_BOUNDS, bound_rows(plan, bound_intervals(run.magnitudes, run.plan)))

    def cost(fit: Fit) -> tuple[float, float]:  # a check may have left boxes out since the others were learned
        return cost_ends(counted, boxes, points if fit is best else learned, fit)

    silhouette = partial(silhouette_ends, counted, boxes, learned)
    run.write_later(catalog.SEGMENT_FITS, lambda: fit_rows(best, candidates, curve, cost, silhouette))
    run.write_later(catalog.SEGMENTS, lambda: assign(with_segment(prepared, centers, fair_map, plan)))
    for written in for_assess:
        written.result()


def assess_step(run: Run) -> None:
    """Measure profiles and fairness, publish or block.

    `prepared` and the centers to profiles and fairness statistics [open], then one commit in `runs`.
    """
    prepared, plan = prepared_of(run), run.bounded
    centers = read_centers(centers_of(run))
    last = run.beside(lambda: read_last(run.store, plan, run.run_id, run.noise.private))
    fair_map = map_of(run)
    assigned, about = with_segment(prepared, centers, fair_map, plan), assignment_fingerprint(centers, fair_map)
    release = run.door.release(segment_tallies(assigned, len(centers), plan, about))
    profiles, fairness = read_profiles(release, plan), assess_fairness(release, plan, centers, last.result())
    distances = read_distances(release, plan)
    run.write_later(catalog.SEGMENT_PROFILES, profile_rows(profiles, distances, labels(distances, plan.features), plan))
    # The answer that the step before has had, read back.
    outside = outside_fullest(run.door.release(histograms(prepared, plan)), plan) if Method.of(plan).marginals else {}
    run.write_later(catalog.EVERYBODY, everybody_rows(read_everybody(release, plan, len(centers)), outside, plan))
    run.write_later(catalog.FAIRNESS_STATS, fairness_stats(fairness))
    run.write_later(catalog.FAIRNESS_GROUPS, fairness_groups(fairness))
    run.write_later(catalog.FAIRNESS_SUMMARY, fairness_summary(fairness))
    run.write_later(catalog.FAIRNESS_PROXIES, fairness_proxies(fairness))
    if (bounds := run.store.rows(catalog.MITIGATION_BOUNDS, run.run_id)) is not None:
        kept = kept_bounds(release, plan, read_bounded(bounds), {of.table: of.suppressed for of in fairness})
        run.write_later(catalog.MITIGATION_VERDICTS, verdict_rows(kept))
    worse, uneven = useless(worth(release, centers, plan), plan), unevenness(fairness)
    run.publish(worse + uneven, blocking(plan, worse, uneven))


def report_step(run: Run) -> None:
    """Write the page for people, from the open zone alone."""
    centers_of(run)  # a page must not be what first asks for bounds
    with no_values_in_errors("report", left=f"run {run.run_id} stands as it was; run the step report again, under its id"):
        write_report(run.store, run.bounded, run.run_id)


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
    mitigation = run.plan.fairness.mitigation
    if mitigation is None or mitigation.method != "balanced":
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
