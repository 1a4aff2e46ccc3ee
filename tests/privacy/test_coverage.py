"""Every interval of a segment's profile and of the private summary holds the figure without noise at least 19 times in 20.

Seeded, so that a failure repeats. Over seeds the false alarm is below 1e-6 for the whole file: of N intervals that hold
with exactly 95 %, more than `allowed(N)` miss with 1e-9. Most intervals are wider than they need be, never narrower.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import binom

from evenhand.ask.assessment import MIDDLE, SIZE, SUMS, assessment_parts, group_part
from evenhand.ask.boxes import COUNT, OFFSETS, box_intervals, box_sums, boxes_of, read_summary
from evenhand.ask.histograms import histograms, read_marginals
from evenhand.describe.profiles import Profiles, read_profiles
from evenhand.plan.geometry import STEPS, offset_factors, to_unit
from evenhand.plan.load import parse_plan
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import Release, asking, made_up
from evenhand.privacy.sample import Sample
from sample import plan_yaml

pytestmark = pytest.mark.long  # thousands of draws

RUNS = 600


def allowed(runs: int) -> int:
    return int(binom.isf(1e-9, runs, 0.05))


# Counts of four groups by segment; the last two are hardly there or not at all, as "other" and "unknown" often are.
TRUTHS = {
    "even": np.array([[400, 200, 900, 50], [400, 200, 900, 50], [0, 0, 0, 0], [4, 2, 9, 1]]),
    "uneven": np.array([[900, 20, 300, 5], [100, 400, 300, 60], [30, 5, 20, 0], [0, 0, 0, 0]]),
    "one segment holds nearly all": np.array([[9000, 20, 30, 10], [8000, 25, 30, 10], [500, 0, 3, 1], [0, 0, 0, 0]]),
}
NOISY, QUIET = "ε = 0.3", "ε = 2"
MODES: dict[str, dict[str, float]] = {
    NOISY: {"epsilon": 0.3},
    QUIET: {"epsilon": 2.0},
    "ε = 2, δ = 1e-6": {"epsilon": 2.0, "delta": 1e-6, "population_delta": 1e-6},
}
CASES = [(name, mode) for name in TRUTHS for mode in MODES]


@cache
def plan_of(mode: str) -> Plan:
    return parse_plan(plan_yaml({f"privacy.{key}": value for key, value in MODES[mode].items()} | {"segments.k": 4}))


@cache
def noisy_runs(name: str, mode: str) -> list[Release]:
    """The answers of many runs on one truth; the features' sums put each segment somewhere else."""
    plan, truth = plan_of(mode), TRUTHS[name]
    sizes = truth.sum(axis=0)
    exact = {SIZE: sizes, group_part("gender"): truth.ravel(), group_part("age_band"): truth[::-1].ravel()}
    exact |= {SUMS: np.stack([np.rint(sizes * offset(j)).astype(np.int64) for j in range(3)], axis=1).ravel()}
    parts, noise = assessment_parts(4, plan), SeededNoise(7)
    exact = {p.name: np.zeros(p.cells, dtype=np.int64) for p in parts} | exact
    return [made_up(exact, parts, noise) for _ in range(RUNS)]


def offset(feature: int) -> np.ndarray:
    """Mean offset of each segment from the middle of the bounds."""
    return np.array([-0.9, -0.1, 0.3, 0.99]) * MIDDLE * (1 - feature / 10)


@cache
def profiles(name: str, mode: str) -> list[Profiles]:
    return [read_profiles(r, plan_of(mode)) for r in noisy_runs(name, mode)]


def misses(low: list[np.ndarray], high: list[np.ndarray], truth: np.ndarray) -> np.ndarray:
    """How often each cell's interval does not hold the truth; a figure that does not exist cannot be missed."""
    tolerance = 1e-9 * np.maximum(np.abs(truth), 1)
    with np.errstate(invalid="ignore"):
        outside = (truth < np.array(low) - tolerance) | (truth > np.array(high) + tolerance)
    found: np.ndarray = outside.sum(axis=0)
    return found


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_sizes_shares_and_values_lie_in_their_intervals(name: str, mode: str) -> None:
    found, sizes = profiles(name, mode), TRUTHS[name].sum(axis=0)
    means = np.stack([np.rint(sizes * offset(j)) / sizes for j in range(3)], axis=1) + MIDDLE
    truths = {"size": sizes, "share": sizes / sizes.sum(), "value": to_unit(means, plan_of(mode).features)}
    for figure, truth in truths.items():
        low, high = ([getattr(p, f"{figure}_{end}") for p in found] for end in ("low", "high"))
        assert misses(low, high, truth).max() <= allowed(len(found)), figure


@pytest.mark.parametrize("mode", MODES)
def test_of_small_segments_that_are_shown_the_intervals_hold_as_often_as_of_all(mode: str) -> None:
    """Of two customers a count is shown where the noise lifts it above the minimum: the interval missed up to a fifth of those."""
    plan, sizes, noise = plan_of(mode), np.array([900, 400, 21, 2]), SeededNoise(3)
    parts = tuple(p for p in assessment_parts(4, plan) if p.name in (SIZE, SUMS))
    exact = {SIZE: sizes, SUMS: np.stack([np.rint(sizes * offset(j)).astype(np.int64) for j in range(3)], axis=1).ravel()}
    shown, missed = np.zeros(4, dtype=int), np.zeros(4, dtype=int)
    for _ in range(10 * RUNS):
        p = read_profiles(made_up(exact, parts, noise), plan)
        shown += ~p.suppressed
        missed += ~p.suppressed & ((sizes < p.size_low) | (sizes > p.size_high))
    assert shown.min() > RUNS / 4
    for count, of in zip(missed, shown, strict=True):
        assert count <= allowed(int(of))


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_the_published_figure_lies_in_its_own_interval(name: str, mode: str) -> None:
    for p in profiles(name, mode)[:50]:
        for figure in ("size", "share", "value"):
            low, value, high = (getattr(p, figure + end) for end in ("_low", "", "_high"))
            not_told = np.isnan(value) if figure == "value" else np.zeros(value.shape, dtype=bool)
            assert (((low <= value) & (value <= high)) | not_told).all()
            assert (low <= high).all()


def test_intervals_become_narrow_where_people_are_many() -> None:
    """An interval that says nothing would pass all the tests above."""
    found = profiles("even", QUIET)
    assert np.median([p.share_high - p.share_low for p in found], axis=0).max() < 0.05


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("customers", [500, 20_000], ids=["midpoints", "cut by marginals"])
def test_all_counts_of_the_boxes_that_are_kept_and_all_their_means_lie_in_their_intervals(mode: str, customers: int) -> None:
    plan = parse_plan(plan_yaml({f"privacy.{k}": v for k, v in MODES[mode].items()} | {"privacy.expected_customers": customers}))
    rows = np.minimum(np.random.default_rng(5).exponential(STEPS / 8, (customers, 3)), STEPS - 1).astype(np.int64)
    noise, found = SeededNoise(11), None
    if Method.of(plan).marginals:
        found = read_marginals(asking(Sample.of(rows), noise)(histograms(plan))[0], plan)
    boxes = boxes_of(plan, found)
    question = box_sums(plan, found)
    exact = question.of_sample(Sample.of(rows))
    with np.errstate(invalid="ignore"):
        offsets = exact[OFFSETS].reshape(boxes.halves.shape) / offset_factors(boxes.halves, plan.privacy.unit)
        means = boxes.centers + offsets / exact[COUNT][:, None]
    missed, kept = np.zeros(4, dtype=int), 0
    for _ in range(RUNS):
        answer = made_up(exact, question.parts, noise)
        seen = read_summary(answer, plan, found)
        of, kept = box_intervals(answer, seen, boxes), kept + len(seen.boxes)
        counts, truth = exact[COUNT][seen.boxes], means[seen.boxes]  # an empty box has no mean that could be missed
        missed[0] += ((counts < of.count_low) | (counts > of.count_high)).any()
        missed[1:] += ((truth < of.mean_low - 1e-6) | (truth > of.mean_high + 1e-6)).any(axis=0)
    assert kept > RUNS
    assert missed.max() <= allowed(RUNS)
