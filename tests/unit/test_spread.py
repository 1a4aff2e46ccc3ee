"""Several points a box: inside it, around its mean, spread as the marginals say, and the same ones when asked again."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.ask.boxes import Summary
from evenhand.ask.histograms import BINS, WIDTH, Marginals
from evenhand.learn.spread import MOST_POINTS, POINTS_A_BOX, quantiles, spread_out
from evenhand.plan.geometry import STEPS, Boxes
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from sample import plan_yaml


@pytest.fixture
def plan() -> Plan:
    return parse_plan(plan_yaml({"privacy.expected_customers": 9_000}))


@pytest.fixture
def marginals() -> Marginals:
    shares = np.random.default_rng(2).gamma(0.3, 1.0, (3, BINS))
    shares[0, 20:] = 0.0  # intervals without anybody
    return Marginals(shares / shares.sum(axis=1, keepdims=True))


@pytest.fixture
def summary(plan: Plan, marginals: Marginals) -> Summary:
    """Means anywhere in their boxes, some at the very edge."""
    boxes, random = marginals.boxes(plan), np.random.default_rng(3)
    some = np.arange(0, boxes.count, 2)
    where = random.choice([-1.0, 1.0, 0.0, 0.3, -0.9], (len(some), 3))
    points = boxes.centers[some] + where * boxes.halves[some]
    return Summary(some, random.uniform(1, 500, len(some)), points, private=True)


def test_no_point_leaves_its_box_and_each_box_keeps_its_mean_and_its_weight(
    plan: Plan, marginals: Marginals, summary: Summary
) -> None:
    spread, boxes = spread_out(summary, marginals, plan), marginals.boxes(plan)
    assert len(spread.points) == POINTS_A_BOX * len(summary.points)
    assert (np.abs(spread.points - boxes.centers[spread.boxes]) <= boxes.halves[spread.boxes] + 1e-6).all()
    np.testing.assert_allclose(spread.points.reshape(-1, POINTS_A_BOX, 3).mean(axis=1), summary.points, atol=1e-6)
    np.testing.assert_allclose(spread.weights.reshape(-1, POINTS_A_BOX).sum(axis=1), summary.weights)
    assert spread.mean == pytest.approx(summary.mean)
    assert (spread.deviation >= summary.deviation - 1e-6).all()


def test_the_points_are_spread_as_the_marginals_say(plan: Plan) -> None:
    """Of a box that holds as many below its middle as above, but all of those in its first bin, half are near that bin."""
    shares = np.full((3, BINS), 1e-12)
    shares[:, 0], shares[:, 32:] = 0.5, 0.5 / 32
    marginals, box = Marginals(shares / shares.sum(axis=1, keepdims=True)), Boxes.halved([1.0] * 3, 0)
    places = quantiles(marginals.shares[0], box.edges[0], POINTS_A_BOX)[0]
    assert (places < WIDTH).sum() == POINTS_A_BOX // 2
    np.testing.assert_allclose(np.diff(places[POINTS_A_BOX // 2 :]), STEPS / POINTS_A_BOX, rtol=1e-6)


def test_it_is_the_same_when_done_again_and_nothing_where_it_would_be_too_much(
    plan: Plan, marginals: Marginals, summary: Summary
) -> None:
    np.testing.assert_array_equal(spread_out(summary, marginals, plan).points, spread_out(summary, marginals, plan).points)
    many = Summary(np.zeros(MOST_POINTS, dtype=np.int64), np.ones(MOST_POINTS), np.zeros((MOST_POINTS, 3)), private=True)
    assert spread_out(many, marginals, plan) is many
    assert spread_out(many, None, plan) is many


def test_without_histograms_the_points_are_spread_evenly_around_the_mean_of_the_box(plan: Plan) -> None:
    boxes = Boxes.of(plan)
    some = np.arange(0, boxes.count, 3)
    off = Summary(some, np.full(len(some), 100.0), boxes.centers[some] + 0.5 * boxes.halves[some], private=True)
    spread = spread_out(off, None, plan)
    points = spread.points.reshape(-1, POINTS_A_BOX, 3)
    assert not spread.known_inside
    assert (np.abs(spread.points - boxes.centers[spread.boxes]) <= boxes.halves[spread.boxes] + 1e-6).all()
    np.testing.assert_allclose(points.mean(axis=1), off.points, atol=1e-6)
    gaps = np.diff(np.sort(points, axis=1), axis=1)
    np.testing.assert_allclose(gaps, np.broadcast_to(gaps[:, :1], gaps.shape), rtol=1e-6)
    assert (gaps[:, 0] > 0).all()
