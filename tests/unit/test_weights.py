"""A feature's weight: it stretches distances, and changes nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from evenhand.ask.assessment import segment_tallies
from evenhand.ask.boxes import Summary
from evenhand.ask.steps import step_sums
from evenhand.assignment.in_numpy import assigned, segment_numbers
from evenhand.assignment.nearest import CENTER_BITS, linear, rounded_centers
from evenhand.describe.worth import worth
from evenhand.errors import PlanError
from evenhand.learn.choose_k import simplified_silhouette
from evenhand.learn.cluster import fast_fit
from evenhand.learn.learn import learn
from evenhand.learn.numbers import Earlier, numbers
from evenhand.learn.refine import step_around
from evenhand.learn.spread_evenly import spread_evenly
from evenhand.mitigate.mitigate import mitigate
from evenhand.people.why import why
from evenhand.plan.explain import explain
from evenhand.plan.geometry import STEPS, Boxes, to_fixed
from evenhand.plan.load import parse_plan
from evenhand.plan.metric import shares, stretch
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise, SeededNoise
from evenhand.privacy.release import asking
from evenhand.privacy.sample import Sample
from plans import any_plan
from sample import REMOVED, plan_yaml

N = 6_000


def two_features(high: float, weight: float = 1.0, k: Any = 4, mitigation: Any = None) -> Plan:
    """Bounds of 0 to 100, and of 0 to `high`."""
    features = [
        {"name": "f0", "why": "t", "column": "f0", "bounds": [0, 100], "missing": 0},
        {"name": "f1", "why": "t", "column": "f1", "bounds": [0, high], "missing": 0, "weight": weight},
    ]
    changes = {"features": features, "sources.events": {}, "segments.k": k, "privacy.expected_customers": N}
    return parse_plan(plan_yaml(changes | {"fairness.mitigation": mitigation}))


def four_kinds(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of customers with up to 100 in either feature; and which kind each is."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 4, N)
    rows = np.stack([25 + 50 * (kind // 2), 25 + 50 * (kind % 2)], axis=1) + random.normal(0, 5, (N, 2))
    return np.clip(rows, 0, 100), kind


def told_apart(plan: Plan, seed: int) -> float:
    """How well the segments are the four kinds; 1 is exactly."""
    rows, kind = four_kinds(seed)
    random = np.random.default_rng(seed)
    people = Sample.of(to_fixed(rows, plan.features), random.integers(0, 3, (N, 2)), random.integers(0, 2**40, N))
    ask = asking(people, SeededNoise(seed))
    found = learn(ask, plan)
    moved = mitigate(ask, found, plan) if plan.fairness.mitigation else found
    segment, _ = assigned(people, moved.centers, moved.fair_map, plan)
    return float(adjusted_rand_score(kind, segment))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_weight_brings_back_four_kinds_that_wide_bounds_hide(seed: int) -> None:
    assert told_apart(two_features(high=100), seed) > 0.99
    assert told_apart(two_features(high=1000), seed) < 0.5
    assert told_apart(two_features(high=1000, weight=10), seed) > 0.99


@pytest.mark.parametrize("method", ["group_blind", "balanced"])
def test_a_weight_brings_them_back_with_mitigation_too(method: str) -> None:
    mitigation = {"method": method, "justification": "t"}
    assert told_apart(two_features(1000, 1, mitigation=mitigation), 0) < 0.5
    assert told_apart(two_features(1000, 10, mitigation=mitigation), 0) > 0.95


def test_a_weight_brings_back_the_number_of_segments() -> None:
    rows, _ = four_kinds(3)
    for weight, k in ((1, 2), (5, 4)):
        plan = two_features(high=500, weight=weight, k={"at_least": 2, "at_most": 8})
        assert len(learn(asking(Sample.of(to_fixed(rows, plan.features)), SeededNoise(3)), plan).centers) == k


def figures(weight: float, mitigation: str | None, epsilon: float) -> list[np.ndarray]:
    """All that is learned and released about one made-up population."""
    plan = any_plan(3, 4, (2, 3), True, mitigation, epsilon, expected=N, weights=(weight,))
    random = np.random.default_rng(5)
    rows = random.uniform(0.1, 0.9, (5, 3))[random.integers(0, 5, N)] + random.normal(0, 0.06, (N, 3))
    groups = np.stack([random.integers(0, 2, N), random.integers(0, 3, N)], axis=1)
    people = Sample.of((rows.clip(0, 0.999) * STEPS).astype(np.int64), groups, random.integers(0, 2**40, N))
    ask = asking(people, SeededNoise(3))
    found = learn(ask, plan)
    moved = mitigate(ask, found, plan) if mitigation else found
    (release,) = ask(segment_tallies(moved.centers, moved.fair_map, plan))
    value = worth(release, moved.centers, plan)
    fits = np.array([[fit.cost, *found.cost_ends(fit)] for fit in found.fits])
    return [found.centers, *found.ends, fits, moved.centers, np.array([value.gain.low, value.alone.high])] + [
        release[part] for part in release.parts
    ]


@pytest.mark.parametrize("mitigation", [None, "group_blind", "balanced"])
def test_equal_weights_change_no_figure_by_the_last_bit(mitigation: str | None) -> None:
    for epsilon in (0.5, 5.0):
        one = figures(1.0, mitigation, epsilon)
        for weight in (0.3, 7.0):
            for before, now in zip(one, figures(weight, mitigation, epsilon), strict=True):
                np.testing.assert_array_equal(before, now)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=60))
def test_the_greatest_squared_distance_is_the_number_of_features_whatever_the_weights(weights: list[float]) -> None:
    plan = any_plan(len(weights), weights=weights)
    assert (stretch(plan.features) ** 2).sum() == pytest.approx(len(weights))
    assert sum(shares(plan.features).values()) == pytest.approx(1)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=60), st.integers(0, 2**32 - 1))
def test_scores_stay_exact_in_doubles_and_their_nearest_center_is_the_nearest(weights: list[float], seed: int) -> None:
    """Every term and sum below 2^53; the distance is off by no more than a sixteenth of a step rounds, 2 |x - c| s² / 32 s²."""
    axes = stretch(any_plan(len(weights), weights=weights).features)
    random = np.random.default_rng(seed)
    points = random.choice([0, 1, STEPS - 1, *random.integers(0, STEPS, 5)], (200, len(weights)))
    centers = rounded_centers(random.uniform(0, STEPS, (5, len(weights))))
    constants, factors = linear(centers, axes)
    assert (2 * factors.sum(axis=1) * STEPS + np.array(constants)).max() * 128 < 2**53
    exact = (((points[:, None] - centers / 2**CENTER_BITS) * axes) ** 2).sum(axis=2)
    chosen = segment_numbers(Sample.of(points), centers, axes) - 1
    slack = 2 * (STEPS / 16 * len(weights)) + 1
    assert (exact[np.arange(200), chosen] <= exact.min(axis=1) + slack).all()


def test_a_customers_distance_is_that_of_the_stretched_axes() -> None:
    plan = any_plan(3, weights=(0.1, 1.0, 5.0))
    random = np.random.default_rng(2)
    people, centers = Sample.of(random.integers(0, STEPS, (500, 3))), rounded_centers(random.uniform(0, STEPS, (4, 3)))
    segment, distance = assigned(people, centers, None, plan)
    exact = (((people.points - (centers / 2**CENTER_BITS)[segment - 1]) * stretch(plan.features)) ** 2).sum(axis=1)
    np.testing.assert_allclose(distance, exact, atol=STEPS / 16 * 3 * 2)


def test_the_worth_of_segments_is_told_in_stretched_distances() -> None:
    rows, kind = four_kinds(1)
    for weight in (1.0, 10.0):
        plan = two_features(high=1000, weight=weight)
        people = Sample.of(to_fixed(rows, plan.features), np.zeros((N, 2), dtype=np.int64))
        places = np.array([people.points[kind == j].mean(axis=0) for j in range(4)])
        (release,) = asking(people, NoNoise())(segment_tallies(rounded_centers(places), None, plan))
        axes = stretch(plan.features)
        alone = (((people.points - people.points.mean(axis=0)) * axes / STEPS) ** 2).sum()
        assert worth(release, rounded_centers(places), plan).alone.value == pytest.approx(alone)


def test_a_refinement_counts_whoever_is_nearest_along_stretched_axes() -> None:
    """But for the weights both would be in the first segment."""
    axes = np.array([0.1, 1.41])
    places = np.array([[0.2, 0.2], [0.8, 0.3]]) * STEPS
    seen = Summary(np.arange(2), np.ones(2), places, True, stretch=axes)
    people = Sample.of((np.array([[0.25, 0.3], [0.2, 0.2]]) * STEPS).astype(np.int64))
    for summary, sizes in ((seen, [1, 1]), (replace(seen, stretch=1.0), [2, 0])):
        step = step_around(1, rounded_centers(places), summary, "epsilon")
        (release,) = asking(people, NoNoise())(step_sums(step, any_plan(2, expected=300, weights=axes.tolist())))
        assert release["sizes"].tolist() == sizes


def test_boxes_are_cut_where_they_are_widest_as_distances_go() -> None:
    assert Boxes.halved([1.0, 1.0, 1.0], 4).intervals == (4, 2, 2)
    assert Boxes.halved([4.0, 1.0, 1.0], 4).intervals == (8, 2, 1)
    assert max(Boxes.halved([1e9, 1.0], 16).intervals) == STEPS // 2  # a box of one step has no half


def test_points_without_groups_are_as_wide_as_the_summary_along_stretched_axes() -> None:
    random = np.random.default_rng(1)
    points, axes = random.uniform(0.2, 0.8, (400, 2)) * STEPS, np.array([0.2, 1.4])
    even = spread_evenly(Summary(np.arange(400), np.ones(400), points, True, stretch=axes))
    np.testing.assert_allclose(even.points.std(axis=0), points.std(axis=0), rtol=0.1)
    assert even.stretch is axes


def test_stretching_is_as_good_as_having_had_such_values() -> None:
    """The silhouette and the fit of stretched points are those of points that lie so."""
    random = np.random.default_rng(4)
    points = random.uniform(0.3, 0.7, (300, 2)) * STEPS
    stretched = Summary(np.arange(300), np.ones(300), points, True, stretch=np.array([0.5, 1.25]))
    plain = Summary(np.arange(300), np.ones(300), points * [0.5, 1.25], True)
    one, other = fast_fit(stretched, 3, 4), fast_fit(plain, 3, 4)
    assert one.cost == pytest.approx(other.cost)
    assert simplified_silhouette(stretched, one) == pytest.approx(simplified_silhouette(plain, other))


def test_which_segment_lasts_goes_by_stretched_distances() -> None:
    """The first feature hardly counts: today's segments are those that agree in the second."""
    now = rounded_centers(np.array([[0.1, 0.2], [0.5, 0.8]]) * STEPS)
    then = (np.array([[0.5, 0.8], [0.1, 0.8], [0.9, 0.2]]) * STEPS).astype(np.int64)
    assert numbers(now, Earlier("run-1", then[[0, 2]], [0, 1], np.array([0.01, 1.4]))).now.tolist() == [2, 1]
    assert numbers(now, Earlier("run-1", then[[0, 2]], [0, 1])).was.tolist() == [0, 1]


def test_reasons_for_a_segment_go_by_what_counts() -> None:
    centers = rounded_centers(np.array([[0.1, 0.1], [0.5, 0.3]]) * STEPS)
    point = [int(0.1 * STEPS), int(0.1 * STEPS)]
    order = {w: [r.feature for r in why(point, 1, centers, two_features(100, w).features).reasons] for w in (1.0, 10.0)}
    assert order == {1.0: ["f0", "f1"], 10.0: ["f1", "f0"]}


def test_the_check_says_what_each_feature_has_of_a_distance_where_weights_differ() -> None:
    def said(plan: Plan) -> str:
        return " ".join(explain(plan).split())

    assert "(f0, f1), by weights of f0 1 (10%), f1 3 (90%) of the greatest squared distance" in said(two_features(100, 3))
    assert "by weights" not in said(two_features(100))


@pytest.mark.parametrize("weight", [0, -1, 0.001, 1000, True, float("inf")])
def test_a_weight_that_says_nothing_is_refused(weight: object) -> None:
    with pytest.raises(PlanError, match=r"features\.tenure\.weight: "):
        parse_plan(plan_yaml({"features.0.weight": weight}))


MONEY = {"features.1.scale": REMOVED, "features.1.bounds": [0, 50_000]}


def test_the_check_warns_of_money_in_wide_linear_bounds_before_anything_is_spent() -> None:
    said = " ".join(explain(parse_plan(plan_yaml(MONEY))).split())
    assert "Warning: spent may hardly count in the segments" in said
    assert "0 to 50,000 on a linear scale: customers who are 500 apart are a hundredth of the way apart" in said
    assert "No histogram" not in said
    few = " ".join(explain(parse_plan(plan_yaml(MONEY | {"privacy.expected_customers": 100, "segments.k": 2}))).split())
    assert "No histogram is released by this plan, so no run would show it." in few


@pytest.mark.parametrize(
    "changes",
    [
        {},
        MONEY | {"features.1.scale": "log"},
        MONEY | {"features.1.bounds": [0, 500]},
        MONEY | {"features.1.bounds": REMOVED},
        MONEY | {"features.1.expression": "max(amount)"},
        MONEY | {"features.1.weight": 10},
        {"features.0.bounds": [0, 50_000]},
    ],
    ids=["as it is", "log", "narrow", "bounds to be found", "no sum", "a weight makes up for it", "no events"],
)
def test_of_other_features_nothing_is_said(changes: dict[str, Any]) -> None:
    assert "may hardly count" not in explain(parse_plan(plan_yaml(changes)))
