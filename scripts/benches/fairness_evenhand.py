"""Many draws of a balanced run at little cost: the driver code of mitigation, with NumPy in the place of Spark's counting.

As in accuracy_evenhand.py, of which it takes the learning. The noise is seeded; the hash of a pseudonym is a uniform draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from unittest.mock import patch

import numpy as np

from accuracy_evenhand import StandIn, bins, box_table, nearest, step_table
from evenhand.ask import boxes as summary
from evenhand.ask import groups, margins
from evenhand.ask import histograms as marginals
from evenhand.assignment.fair_map import HASH_STEPS, SCORE_UNIT, FairMap
from evenhand.assignment.nearest import CENTER_BITS, Centers, rounded_centers
from evenhand.learn import checked as check
from evenhand.learn import refine
from evenhand.learn.cluster import fast_fit
from evenhand.learn.spread import spread_out
from evenhand.mitigate import mitigate
from evenhand.mitigate.choices import Choices
from evenhand.plan.geometry import STEPS, Boxes
from evenhand.plan.method import GROUPS, MARGINS, Method, balance
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.question import Part, histogram_vectors

Ask = Callable[["Draw"], StandIn]


class Draw:
    """One seed. It is the door and the prepared table of `mitigated` in one; a question is a function of it."""

    def __init__(self, rows: np.ndarray, group: np.ndarray, seed: int) -> None:
        self.rows, self.group, self.noise = rows, group, SeededNoise(seed)
        random = np.random.default_rng([seed, 1])
        self.hashes = random.integers(0, HASH_STEPS, (2, len(rows)))

    def release(self, ask: Ask) -> StandIn:
        return ask(self)

    def answer(self, exact: Mapping[str, np.ndarray], costs: Mapping[str, float]) -> StandIn:
        parts = tuple(Part(name, len(exact[name]), 1, cost, "bench") for name, cost in costs.items())
        return StandIn.of(exact, parts, self.noise)

    def table(self, segment: np.ndarray, k: int, joint: int) -> np.ndarray:
        return np.bincount(self.group * k + segment, minlength=joint * k).astype(np.int64)


def balanced_run(rows: np.ndarray, group: np.ndarray, plan: Plan, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Centers in the unit cube and the segment of each row, from 0; `rows` in fixed point, `group` the joint group."""
    draw = Draw(rows, group, seed)
    fair = mitigated_draw(draw, plan)
    assert fair.fair_map is not None
    return fair.centers / 2**CENTER_BITS / STEPS, _segments(draw, fair.fair_map)


def mitigated_draw(draw: Draw, plan: Plan) -> mitigate.Mitigated:
    """The segments of a draw, as the driver finds them."""
    rows, method, k = draw.rows, Method.of(plan), max(plan.segments.candidates)
    names, noise = plan.feature_names, draw.noise
    found = None
    if method.marginals:
        found = marginals.read_marginals(
            StandIn.of(histogram_vectors(bins(rows), names, marginals.BINS), marginals._parts(plan), noise), plan
        )
    boxes = summary.boxes_of(plan, found)
    exact = summary._vectors(box_table(rows, boxes), boxes, plan.privacy.unit)
    release = StandIn.of(exact, summary._parts(plan, boxes), noise)
    learned = summary.read_summary(release, plan, found)
    points = spread_out(learned, found, plan)
    asked = {
        (check, "segment_sizes"): _sizes,
        (mitigate, "margins"): _margins,
        (mitigate, "balance_check"): _balance,
    }
    patches = [patch.object(module, name, by) for (module, name), by in asked.items()]
    for each in patches:
        each.start()
    try:
        fit, points = check.checked(
            draw, draw, fast_fit(points, k, plan.segments.restarts), points, release.noise(summary.COUNT).like_laplace, plan
        )
        centers = rounded_centers(fit.centers)
        for number in range(1, len(method.refinements) + 1):
            step = refine.Step.around(number, centers, points, plan.privacy.unit)
            centers = refine.moved(
                StandIn.of(refine._vectors(step_table(rows, step), step), refine._parts(step, plan, k), noise), step
            )
        starts = [centers / 2**CENTER_BITS, fit.centers]
        grouped = draw.release(_groups(draw, boxes, plan))
        return mitigate.mitigated(draw, draw, plan, learned, found, grouped, starts)
    finally:
        for each in patches:
            each.stop()


def _choices(draw: Draw, fair_map: FairMap) -> Choices:
    """First and second segment, and the bin of the lead, as `with_margin` has them."""
    points, at = (draw.rows + 0.5) / STEPS, fair_map.centers / 2**CENTER_BITS / STEPS
    paid = (points**2).sum(axis=1)[:, None] - 2 * points @ at.T + (at**2).sum(axis=1)
    paid += (fair_map.prices / SCORE_UNIT)[draw.group]
    return Choices.of(paid, fair_map.edges / SCORE_UNIT, (fair_map.reach / SCORE_UNIT)[draw.group])


def _segments(draw: Draw, fair_map: FairMap) -> np.ndarray:
    """What `with_segment` says."""
    choices, k = _choices(draw, fair_map), len(fair_map.centers)
    moved = np.concatenate([fair_map.moved, np.zeros((*fair_map.moved.shape[:3], 1), dtype=np.int64)], axis=3)
    passed = (fair_map.far[:, :, ::-1].cumsum(axis=2)[draw.group, choices.first] <= draw.hashes[1][:, None]).sum(axis=1)
    near = draw.hashes[0] < moved[draw.group, choices.first, choices.second, choices.bin]
    return np.where(near, choices.second, np.where(passed < k, k - 1 - passed, choices.first))


def _sizes(draw: Draw, centers: Centers, number: int, plan: Plan) -> Ask:
    segment = nearest(draw.rows, centers / 2**CENTER_BITS)[0]
    exact = {check.SIZES: np.bincount(segment, minlength=len(centers)).astype(np.int64)}
    return lambda d: d.answer(exact, {check.SIZES: Method.of(plan).checks[number - 1]})


def _groups(draw: Draw, boxes: Boxes, plan: Plan) -> Ask:
    joint, key = groups.JointGroups.of(plan).count, np.zeros(len(draw.rows), dtype=np.int64)
    for j, (edges, stride) in enumerate(zip(boxes.edges, boxes.strides, strict=True)):
        key += np.searchsorted(np.array(edges[1:-1]), draw.rows[:, j], side="right") * stride
    exact = {groups.COUNTS: np.bincount(key * joint + draw.group, minlength=boxes.count * joint).astype(np.int64)}
    return lambda d: d.answer(exact, {groups.COUNTS: Method.of(plan).questions[GROUPS]})


def _margins(draw: Draw, fair_map: FairMap, plan: Plan) -> Ask:
    joint, k, cost = groups.JointGroups.of(plan).count, len(fair_map.centers), Method.of(plan).questions[MARGINS]
    choices = _choices(draw, fair_map)
    near = np.zeros((joint, k, k, fair_map.bins), dtype=np.int64)
    np.add.at(near, tuple(a[choices.is_near] for a in (draw.group, choices.first, choices.second, choices.bin)), 1)
    exact = {margins.SEGMENTS: draw.table(choices.first, k, joint), margins.NEAR: near.ravel()}
    share = margins.SEGMENTS_SHARE
    return lambda d: d.answer(exact, {margins.SEGMENTS: cost * share, margins.NEAR: cost * (1 - share)})


def _balance(draw: Draw, fair_map: FairMap, number: int, plan: Plan) -> Ask:
    exact = {margins.SEGMENTS: draw.table(_segments(draw, fair_map), len(fair_map.centers), groups.JointGroups.of(plan).count)}
    return lambda d: d.answer(exact, {margins.SEGMENTS: Method.of(plan).questions[balance(number)]})
