"""Intervals of centers, fits and found bounds hold the figure of the same boxes without noise at least 19 times in 20.

Seeded, so that a failure repeats. Over seeds the false alarm is below 1e-6 for the whole file: of N intervals that hold
with exactly 95 %, more than `allowed(N)` miss with 1e-9. Most intervals are wider than they need be, never narrower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import binom

from evenhand.ask import bounds
from evenhand.ask.bounds import bound_intervals, range_of
from evenhand.ask.boxes import COUNT, OFFSETS, Summary, box_sums, boxes_of, read_summary
from evenhand.ask.histograms import Marginals, histograms, read_marginals
from evenhand.ask.steps import SIZES, moved, step_sums
from evenhand.assignment.nearest import CENTER_BITS, rounded_centers
from evenhand.learn.checked import SURE_FROM, without
from evenhand.learn.choose_k import silhouettes, simplified_silhouette
from evenhand.learn.cluster import fast_fit, squared_distances
from evenhand.learn.intervals import center_ends, cost_ends, nearest_boxes, silhouette_ends
from evenhand.learn.refine import step_around, step_ends
from evenhand.learn.spread import spread_out
from evenhand.plan.geometry import STEPS, Boxes, offset_factors
from evenhand.plan.load import parse_plan
from evenhand.plan.magnitudes import BINS, threshold
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import Release, asking, made_up
from evenhand.privacy.sample import Sample
from sample import REMOVED, plan_yaml

pytestmark = pytest.mark.long  # thousands of draws

RUNS, QUICK, K = 200, 1000, 4
MODES: dict[str, dict[str, float]] = {
    "ε = 0.3": {"epsilon": 0.3},
    "ε = 2": {"epsilon": 2.0},
    "ε = 2, δ = 1e-6": {"epsilon": 2.0, "delta": 1e-6, "population_delta": 1e-6},
}
CASES = [(mode, customers) for mode in MODES for customers in (2_000, 20_000)]


def allowed(runs: int) -> int:
    return int(binom.isf(1e-9, runs, 0.05))


def plan_of(mode: str, customers: int, changes: dict[str, object] | None = None) -> Plan:
    stated = {f"privacy.{k}": v for k, v in MODES[mode].items()} | {"privacy.expected_customers": customers, "segments.k": K}
    return parse_plan(plan_yaml(stated | (changes or {})))


@dataclass(frozen=True)
class World:
    """Skewed customers, a crowd in a corner, and their exact boxes."""

    plan: Plan
    rows: np.ndarray
    found: Marginals | None
    noise: SeededNoise

    @classmethod
    def of(cls, mode: str, customers: int) -> World:
        plan, noise, random = plan_of(mode, customers), SeededNoise(13), np.random.default_rng(5)
        spread = random.exponential(STEPS / 8, (customers, 3)) + (random.random((customers, 1)) < 0.3) * [STEPS / 2, 0, STEPS / 3]
        rows = np.minimum(spread, STEPS - 1).astype(np.int64)
        if not Method.of(plan).marginals:
            return cls(plan, rows, None, noise)
        (answer,) = asking(Sample.of(rows), noise)(histograms(plan))
        return cls(plan, rows, read_marginals(answer, plan), noise)

    @property
    def boxes(self) -> Boxes:
        return boxes_of(self.plan, self.found)

    def answers(self, runs: int) -> tuple[dict[str, np.ndarray], list[Release]]:
        question = box_sums(self.plan, self.found)
        exact = question.of_sample(Sample.of(self.rows))
        return dict(exact), [made_up(exact, question.parts, self.noise) for _ in range(runs)]


@pytest.mark.parametrize(("mode", "customers"), CASES)
def test_centers_costs_and_silhouettes_lie_in_their_intervals(mode: str, customers: int) -> None:
    world = World.of(mode, customers)
    plan, boxes = world.plan, world.boxes
    exact, answers = world.answers(RUNS)
    offsets = exact[OFFSETS].reshape(boxes.halves.shape) / offset_factors(boxes.halves, plan.privacy.unit)
    sums = offsets + exact[COUNT][:, None] * boxes.centers
    missed, judged = np.zeros(2 + K * 3, dtype=int), 0
    for answer in answers:
        kept = read_summary(answer, plan, world.found)
        if len(kept.boxes) < K:
            continue  # no fit is learned from so little
        judged += 1
        points = spread_out(kept, world.found, plan)
        fit = fast_fit(points, K, 1)
        of_cost, of_apart = cost_ends(answer, boxes, points, fit), silhouette_ends(answer, boxes, points, fit)
        each = np.bincount(points.boxes)[points.boxes]
        counts = exact[COUNT][points.boxes] / each
        cost = squared_distances(points.points, fit.centers, points.stretch).min(axis=1) @ counts
        missed[0] += not of_cost[0] - 1e-9 <= cost <= of_cost[1] + 1e-9
        if counts.sum() > 0:
            apart = np.average(silhouettes(points.points, fit.centers, points.stretch), weights=counts)
            missed[1] += not of_apart[0] - 1e-9 <= apart <= of_apart[1] + 1e-9
        assert of_cost[0] <= fit.cost * (1 + 1e-9)
        assert of_cost[1] >= fit.cost * (1 - 1e-9)
        assert of_apart[0] - 1e-9 <= simplified_silhouette(points, fit) <= of_apart[1] + 1e-9
        low, high = center_ends(answer, boxes, fit.centers, kept)
        assert (low < high).all()
        nearest = nearest_boxes(boxes, fit.centers, kept)
        size = np.bincount(nearest, exact[COUNT], K)
        without = np.bincount(nearest, minlength=K) == 0
        assert (low[without] == 0).all()
        assert (high[without] == STEPS - 1).all()
        with np.errstate(invalid="ignore", divide="ignore"):  # boxes without anybody have no mean that could be missed
            means = np.stack([np.bincount(nearest, column, K) for column in sums.T], axis=1) / size[:, None]
            missed[2:] += ((means < low - 1e-6) | (means > high + 1e-6)).ravel()
    assert judged > RUNS / 4
    assert missed.max() <= allowed(judged)


@pytest.mark.parametrize(("mode", "customers"), CASES)
def test_costs_lie_in_their_intervals_after_a_check_has_left_boxes_out(mode: str, customers: int) -> None:
    """The segment that the noise makes smallest is taken for one that noise made, whose boxes then are left out."""
    world = World.of(mode, customers)
    exact, answers = world.answers(RUNS)
    missed, judged = 0, 0
    for answer in answers:
        kept = read_summary(answer, world.plan, world.found)
        if len(kept.boxes) < 2 * K:
            continue
        points = spread_out(kept, world.found, world.plan)
        fit = fast_fit(points, K, 1)
        nearest = squared_distances(points.points, fit.centers, points.stretch).argmin(axis=1)
        smallest = np.arange(K) == np.bincount(nearest, points.weights, K).argmin()
        left = without(points, fit, smallest, SURE_FROM * answer.noise(COUNT).like_laplace)
        if len(np.unique(left.boxes)) < K:
            continue
        judged += 1
        assert len(left.points) < len(points.points)
        again = fast_fit(left, K, 1)
        low, high = cost_ends(answer, world.boxes, left, again)
        counts = exact[COUNT][left.boxes] / np.bincount(left.boxes)[left.boxes]
        cost = squared_distances(left.points, again.centers, left.stretch).min(axis=1) @ counts
        missed += not low - 1e-9 <= cost <= high + 1e-9
        assert low <= again.cost * (1 + 1e-9)
        assert high >= again.cost * (1 - 1e-9)
    assert judged > RUNS / 4
    assert missed <= allowed(judged)


def test_intervals_of_fits_and_centers_become_narrow_where_people_are_many() -> None:
    """Intervals that say nothing would pass all the other tests."""
    world = World.of("ε = 2", 20_000)
    answer = world.answers(1)[1][0]
    kept = read_summary(answer, world.plan, world.found)
    points = spread_out(kept, world.found, world.plan)
    fit = fast_fit(points, K, 1)
    of_cost, of_apart = cost_ends(answer, world.boxes, points, fit), silhouette_ends(answer, world.boxes, points, fit)
    low, high = center_ends(answer, world.boxes, fit.centers, kept)
    assert of_cost[1] - of_cost[0] < 1.2 * fit.cost  # the cost is mostly that of small boxes, each by itself in the noise
    assert of_apart[1] - of_apart[0] < 0.3
    assert ((high - low) / STEPS).max() < 0.2


def test_nothing_is_known_of_a_center_that_no_box_is_nearest_to() -> None:
    """Its interval was a point, as if it were known exactly."""
    world = World.of("ε = 0.3", 20_000)
    answer = world.answers(1)[1][0]
    kept = read_summary(answer, world.plan, world.found)
    twice = np.repeat(kept.points[:1], 2, axis=0)  # of equally near centers the first has the boxes
    low, high = center_ends(answer, world.boxes, twice, kept)
    assert (low[1] == 0).all()
    assert (high[1] == STEPS - 1).all()
    assert (high[0] - low[0] < STEPS - 1).any()


def test_a_box_belongs_to_the_center_that_its_customers_are_near_to_not_its_middle() -> None:
    boxes, corner = Boxes.halved([1.0] * 3, 3), np.array([0.3, 0.3, 0.3]) * STEPS
    kept = Summary(np.array([7]), np.array([900.0]), np.array([[0.55, 0.55, 0.55]]) * STEPS, private=False)
    centers = np.stack([corner, boxes.centers[7] + 0.2 * STEPS])
    assert nearest_boxes(boxes, centers, kept)[7] == 0


@pytest.mark.parametrize("mode", MODES)
def test_centers_of_a_step_lie_in_their_intervals(mode: str) -> None:
    plan, rows = plan_of(mode, 20_000), World.of(mode, 20_000).rows
    seen = Summary(np.arange(500), np.ones(500), rows[:500].astype(float), private=False)
    step = step_around(1, rounded_centers(fast_fit(seen, K, 1).centers), seen, plan.privacy.unit)
    question, noise = step_sums(step, plan), SeededNoise(3)
    exact, parts = question.of_sample(Sample.of(rows)), question.parts
    sums = exact[OFFSETS].reshape(step.low.shape)
    means = step.middle + sums / step.factors / exact[SIZES][:, None]
    missed = np.zeros_like(means, dtype=int)
    for _ in range(QUICK):
        answer = made_up(exact, parts, noise)
        low, high = step_ends(answer, step)
        published = moved(answer, step) / 2**CENTER_BITS
        assert ((low <= published) & (published <= high)).all()
        missed += (means < low - 1e-6) | (means > high + 1e-6)
    assert missed.max() <= allowed(QUICK)


@pytest.mark.parametrize("mode", MODES)
def test_bounds_that_are_found_lie_in_their_intervals(mode: str) -> None:
    plan = plan_of(mode, 20_000, {"features.0.bounds": REMOVED})
    feature, parts, noise = plan.to_find[0], bounds.bound_parts(plan), SeededNoise(17)
    exact = np.bincount(np.clip(np.random.default_rng(2).normal(60, 5, 20_000).astype(int), 0, BINS - 1), minlength=BINS)
    least = threshold(plan.bounds_budget, plan.privacy.unit)
    truth = range_of(exact, least)
    assert truth is not None
    wanted = min(truth[0], feature.missing), max(truth[1], feature.missing)
    missed = np.zeros(2, dtype=int)
    for _ in range(QUICK):
        of = bound_intervals(made_up({feature.name: exact}, parts, noise), plan)[feature.name]
        missed += [not ends[0] <= bound <= ends[1] for bound, ends in zip(wanted, (of.low, of.high), strict=True)]
    assert missed.max() <= allowed(QUICK)
