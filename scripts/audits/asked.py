"""Every question that may leave the restricted zone; a new question belongs here.

A question that depends on earlier answers is asked with some: what is released one after the other composes when each
question is private whatever was answered before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from evenhand.ask.answers import answer_counts
from evenhand.ask.assessment import segment_tallies
from evenhand.ask.bounds import magnitude_histograms
from evenhand.ask.boxes import Summary, box_sums, boxes_of
from evenhand.ask.distribution import distribution
from evenhand.ask.groups import group_counts
from evenhand.ask.histograms import BINS, Marginals, histograms
from evenhand.ask.margins import balance_check, edges_of, margins
from evenhand.ask.movement import movement_counts
from evenhand.ask.outcomes import outcome_counts
from evenhand.ask.sizes import segment_sizes
from evenhand.ask.steps import Step, step_sums
from evenhand.assignment.fair_map import FairMap, Moves
from evenhand.assignment.joint_groups import JointGroups
from evenhand.assignment.nearest import Centers, rounded_centers
from evenhand.learn.refine import step_around
from evenhand.plan.categories import blocks
from evenhand.plan.geometry import STEPS
from evenhand.plan.method import Method
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.privacy.question import Question

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
    distribution,
    movement_counts,
    answer_counts,
    outcome_counts,
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
        if reach < 1:  # of categories a customer in one is far from all centers where none has any
            spots[:, [j for block in blocks(plan.features) for j in block.columns]] = 0
        centers = rounded_centers(spots)
        points = np.clip(random.normal(spots[random.integers(0, k, 20)], random.choice([0.0, 300.0, 9000.0])), 0, STEPS - 1)
        seen = Summary(np.arange(20), random.uniform(1, 100, 20), points, private=True, stretch=stretch(plan.features))
        steps = [
            step_around(i + 1, centers, seen, plan.privacy.unit, blocks(plan.features)) for i in range(len(method.refinements))
        ]
        fair_map = moved = None
        if method.balances:
            joint, mean_cost = JointGroups.of(plan).count, random.uniform(0.01, 1.0)
            prices, reaches = random.normal(0, random.choice([0.01, 1.0]), (joint, k)), random.uniform(0, 0.2, (joint, k))
            fair_map = FairMap.of(centers, prices, edges_of(mean_cost, joint, k), reaches * random.integers(0, 2, k))
            far = random.uniform(0, 1.5 / k, fair_map.far.shape) * random.integers(0, 2)
            moves = fair_map.moving(Moves(random.uniform(0, 1, fair_map.moved.shape), far))
            moved = replace(moves, numbers=random.permutation(k) + 1)
        return cls(_marginals(d, seed % 8) if method.marginals else None, centers, tuple(steps), fair_map, moved)


@lru_cache(maxsize=64)  # the cuts take a while, and are kept with it
def _marginals(features: int, seed: int) -> Marginals:
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.full(BINS, random.choice([0.02, 1.0])), features)
    return Marginals(shares)


def asked(plan: Plan, earlier: Earlier) -> list[Question]:
    """What a run asks of `prepared`, in its order. What it asks before is `magnitude_histograms`, and of who changed segment `movement_counts`; surveys and
    outcomes are asked later, by `answer_counts` and `outcome_counts`."""
    method, boxes, centers = Method.of(plan), boxes_of(plan, earlier.marginals), earlier.centers
    made = [histograms(plan)] if method.marginals else []
    made.append(box_sums(plan, earlier.marginals))
    if plan.fairness.mitigation is not None:
        made.append(group_counts(boxes, plan))
    made += [segment_sizes(centers, i, plan) for i in range(1, len(method.checks) + 1)]
    made += [step_sums(step, plan) for step in earlier.steps]
    if earlier.fair_map is not None and earlier.moved is not None:
        made.append(margins(earlier.fair_map, plan))
        made += [balance_check(earlier.moved, i, plan) for i in range(1, method.balances + 1)]
    if plan.segments.distribution is not None:
        made.append(distribution(centers, earlier.moved, plan))
    return [*made, segment_tallies(centers, earlier.moved, plan)]
