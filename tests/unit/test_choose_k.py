"""k from a range: what the eye sees is what is chosen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from evenhand.ask.boxes import Summary, box_sums, read_summary
from evenhand.ask.histograms import WIDTH
from evenhand.errors import DataError
from evenhand.learn.choose_k import AS_GOOD, choose_k, simplified_silhouette
from evenhand.learn.cluster import Fit, fast_fit, fit_of, squared_distances
from evenhand.learn.spread import KEPT, spread_out
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import asking
from evenhand.privacy.sample import Sample
from evenhand.report.number_of_segments import STANDS_OUT
from sample import REMOVED, plan_yaml

BLOBS = np.array([[0.2, 0.2], [0.8, 0.2], [0.5, 0.8]]) * STEPS


def blobs(centers: np.ndarray, each: int = 40) -> Summary:
    random = np.random.default_rng(7)
    points = np.concatenate([c + random.normal(0, 0.02 * STEPS, (each, 2)) for c in centers])
    return Summary(np.arange(len(points)), random.uniform(1, 50, len(points)), points, private=True)


@pytest.mark.parametrize("count", [2, 3])
def test_well_separated_blobs_are_counted(count: int) -> None:
    k, curve = choose_k(blobs(BLOBS[:count]), range(2, 7), restarts=4)
    assert k == count
    assert [c.k for c in curve] == [2, 3, 4, 5, 6]
    assert max(curve, key=lambda c: c.silhouette).silhouette > 0.8


def test_cost_falls_with_k() -> None:
    _, curve = choose_k(blobs(BLOBS), range(2, 7), restarts=4)
    costs = [c.fit.cost for c in curve]
    assert costs == sorted(costs, reverse=True)


def test_a_k_beyond_the_number_of_boxes_is_no_candidate() -> None:
    three = Summary(np.arange(3), np.ones(3), BLOBS.copy(), private=True)
    _, curve = choose_k(three, range(2, 6), restarts=2)
    assert [c.k for c in curve] == [2, 3]


def test_a_summary_too_poor_for_k_is_told_with_what_would_help() -> None:
    three = Summary(np.arange(3), np.ones(3), BLOBS.copy(), private=True)
    with pytest.raises(
        DataError, match="only 3 places .* too few for 4 segments; .*fewer segments, .*raise privacy.epsilon; nothing was pub"
    ):
        fast_fit(three, 4, 2)


def test_customers_of_fewer_different_values_than_segments_are_told_however_many_boxes_stand_out() -> None:
    """Two segments at one place would be one, and who belongs to which would be chance."""
    twice = Summary(np.arange(4), np.ones(4), np.repeat(BLOBS[:2], 2, axis=0), private=True)
    with pytest.raises(DataError, match="only 2 places"):
        fast_fit(twice, 3, 2)


def spread_over(width: float, known: bool = True) -> Summary:
    """Two boxes of 16 points each, evenly apart over so many bins of the histograms in the first feature."""
    along = KEPT * WIDTH * width * (np.arange(16) - 7.5) / 16
    points = np.concatenate([b + np.stack([along, np.zeros(16)], axis=1) for b in BLOBS[:2]])
    return Summary(np.repeat([0, 1], 16), np.full(32, 10.0), points, private=True, known_inside=known)


def test_points_nearer_than_histograms_can_tell_apart_are_no_segments() -> None:
    """All customers of a box at one place: its points differ only because they were spread out."""
    with pytest.raises(DataError, match="only 2 places where customers are can be told apart, too few for 3 segments"):
        fast_fit(spread_over(1), 3, 2)
    k, curve = choose_k(spread_over(1), range(2, 9), restarts=2)
    assert (k, [c.k for c in curve]) == (2, [2])


def test_a_box_without_histograms_is_one_segment_however_far_its_points_are_spread() -> None:
    with pytest.raises(DataError, match="only 2 places where customers are can be told apart, too few for 3 segments"):
        fast_fit(spread_over(20, known=False), 3, 2)


@pytest.mark.parametrize("seed", range(5))
def test_where_few_boxes_stand_out_the_largest_number_of_segments_is_not_the_best(seed: int) -> None:
    """Of one point a box, twenty boxes in twenty segments would look perfect. Four crowds, so little ε that one pass is asked."""
    features = [{"name": f"f{j}", "why": "t", "column": f"c{j}", "bounds": [0, 100], "missing": 0} for j in range(6)]
    changes = {"features": features, "sources.events": REMOVED, "segments.k": {"at_least": 2, "at_most": 15}}
    plan = parse_plan(plan_yaml(changes | {"privacy.epsilon": 0.3, "privacy.expected_customers": 10_000}))
    random = np.random.default_rng(3)
    crowds = random.uniform(0.15, 0.85, (4, 6))[random.integers(0, 4, 10_000)]
    rows = np.clip((crowds + random.normal(0, 0.05, crowds.shape)) * STEPS, 0, STEPS - 1).astype(np.int64)
    found = read_summary(asking(Sample.of(rows), SeededNoise(seed))(box_sums(plan))[0], plan)
    assert len(found.boxes) < 30
    k, _ = choose_k(spread_out(found, None, plan), plan.segments.candidates, restarts=4)
    assert 3 <= k <= 6


def test_a_box_whose_points_are_in_several_bins_may_be_divided() -> None:
    assert fast_fit(spread_over(4), 8, 2).k == 8
    with pytest.raises(DataError, match="only 8 places where customers are can be told apart, too few for 9"):
        fast_fit(spread_over(4), 9, 2)


def test_the_silhouette_of_points_on_their_centers_is_one() -> None:
    three = Summary(np.arange(3), np.ones(3), BLOBS.copy(), private=True)
    assert simplified_silhouette(three, Fit(BLOBS, 0.0, "by hand")) == pytest.approx(1.0)


def test_weights_count_as_so_many_customers() -> None:
    points = np.array([[0.1, 0.1], [0.11, 0.1], [0.9, 0.9], [0.9, 0.8]]) * STEPS
    weighted = Summary(np.arange(4), np.array([1.0, 9.0, 5.0, 5.0]), points, private=True)
    fit = fast_fit(weighted, 2, 4)
    found = fit.centers[np.argsort(fit.centers[:, 0])]
    np.testing.assert_allclose(found / STEPS, [[0.109, 0.1], [0.9, 0.85]], atol=1e-6)


def test_a_cost_is_the_same_to_the_last_digit_whatever_the_number_of_threads() -> None:
    """The cheapest fit wins, so a resumed run on another machine could take other centers."""
    random = np.random.default_rng(5)
    points, weights = random.uniform(0, STEPS, (20_000, 12)), random.uniform(1, 500, 20_000)
    many, centers = Summary(np.arange(20_000), weights, points, private=True), random.uniform(0, 1, (8, 12))
    costs = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            costs.append(fit_of(many, centers, "any").cost)
    assert len(set(costs)) == 1
    exact = math.fsum(d * w for d, w in zip(squared_distances(points, centers * STEPS, 1.0).min(axis=1), weights, strict=True))
    assert costs[0] == pytest.approx(exact, rel=1e-12)


def test_the_largest_segment_is_the_first() -> None:
    points = np.array([[0.1, 0.1], [0.9, 0.9], [0.5, 0.1]]) * STEPS
    fit = fast_fit(Summary(np.arange(3), np.array([3.0, 20.0, 7.0]), points, private=True), 3, 4)
    np.testing.assert_allclose(fit.centers / STEPS, [[0.9, 0.9], [0.5, 0.1], [0.1, 0.1]], atol=1e-6)


def test_of_numbers_that_are_as_good_as_each_other_the_plan_says_which_is_taken() -> None:
    """Evenly spread customers: four, five and six segments of them are as good as each other."""
    points = np.random.default_rng(1).random((1_500, 2)) * STEPS
    crowd = Summary(np.arange(1_500), np.ones(1_500), points, private=True)
    found = {prefer: choose_k(crowd, range(2, 9), 4, prefer) for prefer in (None, "fewer", "more")}
    curve = {c.k: c.silhouette for c in found[None][1]}
    best = max(curve.values())
    as_good = [k for k, silhouette in curve.items() if silhouette >= best - AS_GOOD]
    assert len(as_good) > 1
    assert (found["fewer"][0], found["more"][0]) == (min(as_good), max(as_good))
    assert curve[found[None][0]] == best
    assert choose_k(blobs(BLOBS), range(2, 7), 4, "more")[0] == choose_k(blobs(BLOBS), range(2, 7), 4, "fewer")[0] == 3


@pytest.mark.parametrize("count", [2, 3])
def test_groups_stand_out_from_evenly_spread_customers_and_a_crowd_does_not(count: int) -> None:
    def beyond(summary: Summary) -> float:
        return max(c.silhouette - c.evenly for c in choose_k(summary, range(2, 7), restarts=4)[1])

    random = np.random.default_rng(3)
    crowds = (random.normal(0.5, 0.1, (1_500, count)), random.random((1_500, count)))
    for crowd in crowds:
        assert beyond(Summary(np.arange(1_500), np.ones(1_500), crowd * STEPS, private=True)) < STANDS_OUT
    assert beyond(blobs(BLOBS[:count])) > 2 * STANDS_OUT
