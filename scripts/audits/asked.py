"""Every question that may leave, asked of rows in NumPy and of `prepared` on Spark; a new question belongs here.

A question that depends on earlier answers is asked with some: what is released one after the other composes when each
question is private whatever was answered before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

import counts
from counts import Customers, Integers
from evenhand.ask import assessment as tallies
from evenhand.ask import bounds, groups
from evenhand.ask import boxes as summary
from evenhand.ask import histograms as marginals
from evenhand.ask import margins as margin_questions
from evenhand.ask.assessment import TALLIES, segment_tallies
from evenhand.ask.bounds import magnitude_histograms
from evenhand.ask.boxes import Summary, box_sums, boxes_of
from evenhand.ask.groups import group_counts
from evenhand.ask.histograms import BINS, Marginals, histograms
from evenhand.ask.margins import balance_check, edges_of, margins
from evenhand.assignment.fair_map import FairMap, Moves, with_segment
from evenhand.assignment.joint_groups import JointGroups
from evenhand.assignment.nearest import Centers, rounded_centers
from evenhand.learn import checked as checks
from evenhand.learn import refine
from evenhand.learn.checked import segment_sizes
from evenhand.learn.refine import Step, step_sums
from evenhand.plan.geometry import STEPS
from evenhand.plan.magnitudes import BINS as MAGNITUDE_BINS
from evenhand.plan.method import GROUPS, MARGINALS, MARGINS, SUMMARY, Method, balance, check, refinement
from evenhand.plan.models import Plan
from evenhand.privacy.question import Part, Question, histogram_vectors

# The functions that make questions; a test holds this against the library.
MAKERS = {
    magnitude_histograms,
    histograms,
    box_sums,
    group_counts,
    segment_sizes,
    step_sums,
    margins,
    balance_check,
    segment_tallies,
}


@dataclass(frozen=True)
class Earlier:
    """What earlier answers may have been. `moved` is `fair_map` with moves; both are None without balanced mitigation."""

    marginals: Marginals | None
    centers: Centers
    steps: tuple[Step, ...]
    fair_map: FairMap | None
    moved: FairMap | None

    @classmethod
    def drawn(cls, plan: Plan, seed: int, reach: float = 1.0, k: int | None = None) -> Earlier:
        """Anything that answers may lead to, at random; centers up to `reach` of each feature's range."""
        random, d = np.random.default_rng(seed), len(plan.features)
        k, method = k or max(plan.segments.candidates), Method.of(plan)
        spots = random.uniform(0, reach * (STEPS - 1), (k, d))
        centers = rounded_centers(spots)
        points = np.clip(random.normal(spots[random.integers(0, k, 20)], random.choice([0.0, 300.0, 9000.0])), 0, STEPS - 1)
        seen = Summary(np.arange(20), random.uniform(1, 100, 20), points, private=True)
        steps = [Step.around(i + 1, centers, seen, plan.privacy.unit) for i in range(len(method.refinements))]
        fair_map = moved = None
        if method.balances:
            joint, mean_cost = JointGroups.of(plan).count, random.uniform(0.01, 1.0)
            prices, reaches = random.normal(0, random.choice([0.01, 1.0]), (joint, k)), random.uniform(0, 0.2, (joint, k))
            fair_map = FairMap.of(centers, prices, edges_of(mean_cost, joint, k), reaches * random.integers(0, 2, k))
            far = random.uniform(0, 1.5 / k, fair_map.far.shape) * random.integers(0, 2)
            moved = fair_map.moving(Moves(random.uniform(0, 1, fair_map.moved.shape), far))
        return cls(_marginals(d, seed % 8) if method.marginals else None, centers, tuple(steps), fair_map, moved)


@lru_cache(maxsize=64)  # the cuts take a while, and are kept with it
def _marginals(features: int, seed: int) -> Marginals:
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(BINS, random.choice([0.02, 1.0])), features)
    return Marginals(shares)


@dataclass(frozen=True)
class Asked:
    """A question, with NumPy in the place of Spark's counting; parts and vectors are the library's own."""

    name: str
    parts: tuple[Part, ...]
    vectors: Callable[[pa.Table], Mapping[str, Integers]]
    table: Callable[[Customers], pa.Table]

    def answer(self, people: Customers) -> Mapping[str, Integers]:
        """The exact answer."""
        return self.vectors(self.table(people))


def asked(plan: Plan, earlier: Earlier) -> list[Asked]:
    """What a run asks of `prepared`, in its order. What it asks before is `bounds_answer`."""
    boxes, method, unit, centers = boxes_of(plan, earlier.marginals), Method.of(plan), plan.privacy.unit, earlier.centers
    found = []
    if method.marginals:
        names, parts = plan.feature_names, marginals._parts(plan)
        found.append(Asked(MARGINALS, parts, lambda t: histogram_vectors(t, names, BINS), counts.histogram_table))
    parts = summary._parts(plan, boxes)
    found.append(
        Asked(SUMMARY, parts, lambda t: summary._vectors(t, boxes, unit), lambda people: counts.sums_by_box(people, boxes))
    )
    if plan.fairness.mitigation is not None:
        parts = groups._parts(boxes, plan)
        found.append(
            Asked(GROUPS, parts, lambda t: groups._vectors(t, boxes, plan), lambda p: counts.group_table(p, boxes, plan))
        )
    for number in range(1, len(method.checks) + 1):
        parts = checks._parts(centers, number, plan)
        found.append(
            Asked(check(number), parts, lambda t: checks._vectors(t, len(centers)), lambda p: counts.size_table(p, centers))
        )
    found += [_step(step, plan) for step in earlier.steps]
    if earlier.fair_map is not None and earlier.moved is not None:
        fair_map, moved = earlier.fair_map, earlier.moved
        found.append(
            Asked(
                MARGINS,
                margin_questions._margin_parts(fair_map, plan),
                lambda t: margin_questions._margins(t, fair_map, plan),
                lambda people: counts.margin_table(people, fair_map, plan),
            )
        )
        for number in range(1, method.balances + 1):
            found.append(
                Asked(
                    balance(number),
                    margin_questions._balance_parts(moved, number, plan),
                    lambda t: margin_questions._balance(t, moved, plan),
                    lambda people: counts.balance_table(people, moved, plan),
                )
            )
    k = len(centers)
    found.append(
        Asked(
            TALLIES,
            tallies._parts(k, plan),
            lambda t: tallies._vectors(t, k, plan),
            lambda people: counts.tally_table(people, centers, earlier.moved, plan),
        )
    )
    return found


def _step(step: Step, plan: Plan) -> Asked:
    parts = refine._parts(step, plan, len(step.centers))
    return Asked(refinement(step.number), parts, lambda t: refine._vectors(t, step), lambda p: counts.step_table(p, step))


def bounds_answer(plan: Plan, magnitudes: Integers) -> tuple[tuple[Part, ...], Mapping[str, Integers]]:
    """Parts and exact answer of what a plan without bounds asks first, of bins (n, features), -1 where there is no value."""
    names = [f.name for f in plan.to_find]
    return bounds._parts(plan), histogram_vectors(counts.magnitude_table(magnitudes), names, MAGNITUDE_BINS)


def questions(found: DataFrame, plan: Plan, earlier: Earlier) -> list[Question]:
    """The same as `asked`, of `prepared` on Spark."""
    method, boxes, centers = Method.of(plan), boxes_of(plan, earlier.marginals), earlier.centers
    made = [histograms(found, plan)] if method.marginals else []
    made.append(box_sums(found, plan, earlier.marginals))
    if plan.fairness.mitigation is not None:
        made.append(group_counts(found, boxes, plan))
    made += [segment_sizes(found, centers, i, plan) for i in range(1, len(method.checks) + 1)]
    made += [step_sums(found, step, plan) for step in earlier.steps]
    if earlier.fair_map is not None and earlier.moved is not None:
        made.append(margins(found, earlier.fair_map, plan))
        made += [balance_check(found, earlier.moved, i, plan) for i in range(1, method.balances + 1)]
    return [*made, segment_tallies(with_segment(found, centers, earlier.moved, plan), len(centers), plan)]
