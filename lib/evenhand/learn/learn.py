"""Segments as a function of asking: whatever answers, a run's door or a sample in NumPy, the way is the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from evenhand.ask.boxes import COUNT, BoxIntervals, Summary, box_intervals, box_sums, boxes_of, read_summary
from evenhand.ask.groups import group_counts
from evenhand.ask.histograms import Marginals, histograms, outside_fullest, read_marginals
from evenhand.assignment.nearest import CENTER_BITS, Centers, rounded_centers
from evenhand.learn.checked import checked
from evenhand.learn.choose_k import Choice, choose_k
from evenhand.learn.cluster import Fit, best_fit
from evenhand.learn.intervals import Ends, center_ends, cost_ends, silhouette_ends
from evenhand.learn.refine import refined
from evenhand.learn.spread import spread_out
from evenhand.plan.geometry import Boxes
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.privacy.release import Ask, Release

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """Segments whose customers are nearest to a center, and the answers and fits that led there.

    `centers` (k, features) are rounded, `ends` from and to of each in fixed point. `counted` is the answer to `box_sums`, in
    `boxes` cut by the `marginals` where there are any; `grouped` that to `group_counts`, for mitigation. `best` was fitted to
    `points`, the other `fits` and the `curve` over k to `spread`: a check may have left boxes out in between. `outside` is by
    feature the share of customers outside of the fullest eighth of its bounds.
    """

    centers: Centers
    ends: tuple[Floats, Floats]
    best: Fit
    fits: list[Fit]
    curve: list[Choice]
    counted: Release
    grouped: Release | None
    boxes: Boxes
    marginals: Marginals | None
    summary: Summary
    spread: Summary
    points: Summary
    outside: dict[str, tuple[float, float, float]]
    fair_map = None  # the nearest center decides

    @property
    def intervals(self) -> BoxIntervals:
        """Of the boxes of the summary."""
        return box_intervals(self.counted, self.summary, self.boxes)

    def cost_ends(self, fit: Fit) -> Ends:
        return cost_ends(self.counted, self.boxes, self.points if fit is self.best else self.spread, fit)

    def silhouette_ends(self, fit: Fit) -> Ends:
        return silhouette_ends(self.counted, self.boxes, self.spread, fit)


def learn(ask: Ask, plan: Plan, spark: SparkSession | None = None) -> Learned:
    """The segments that the plan's questions lead to. MLlib's fits compete where there is a session to run them in.

    Raises:
        DataError: the noise leaves too few places apart for so many segments.
    """
    method, marginals, outside = Method.of(plan), None, dict[str, tuple[float, float, float]]()
    if method.marginals:
        (spread_of,) = ask(histograms(plan))
        marginals, outside = read_marginals(spread_of, plan), outside_fullest(spread_of, plan)
    boxes = boxes_of(plan, marginals)
    by_group = [group_counts(boxes, plan)] if plan.fairness.mitigation is not None else []
    counted, *grouped = ask(box_sums(plan, marginals), *by_group)
    summary = read_summary(counted, plan, marginals)
    spread = points = spread_out(summary, marginals, plan)
    k, curve = choose_k(spread, plan.segments.candidates, plan.segments.restarts, plan.segments.prefer)
    best, fits = best_fit(spark, spread, k, plan.segments.mllib_seeds, plan.segments.restarts)
    if method.checks:
        best, points = checked(ask, best, spread, counted.noise(COUNT).like_laplace, plan)
        fits = [best, *(fit for fit in fits if fit is not best)]
    moved = refined(ask, rounded_centers(best.centers), points, plan)
    ends = moved.ends or center_ends(counted, boxes, moved.centers / 2**CENTER_BITS, summary)
    return Learned(
        centers=moved.centers,
        ends=ends,
        best=best,
        fits=fits,
        curve=curve,
        counted=counted,
        grouped=grouped[0] if grouped else None,
        boxes=boxes,
        marginals=marginals,
        summary=summary,
        spread=spread,
        points=points,
        outside=outside,
    )
