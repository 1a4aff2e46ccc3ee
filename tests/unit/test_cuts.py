"""Where the boxes are cut: the best cuts of a histogram, and only from what has noise in it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.ask.cuts import best_cuts
from evenhand.ask.histograms import BINS, Marginals, without_negatives
from evenhand.plan.geometry import STEPS, most_boxes
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from sample import plan_yaml

SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=9).map(np.array)


def spread(shares: np.ndarray, edges: tuple[int, ...]) -> float:
    total = 0.0
    for a, b in zip(edges, edges[1:], strict=False):
        piece, middles = shares[a:b], np.arange(a, b) + 0.5
        if piece.sum() > 1e-12:
            mean = np.average(middles, weights=piece)
            total += float((piece * ((middles - mean) ** 2 + 1 / 12)).sum())
    return total


@given(SHARES, st.integers(1, 4))
def test_no_other_cuts_leave_less_spread(shares: np.ndarray, intervals: int) -> None:
    found = best_cuts(shares, intervals)
    for number, cut in enumerate(found, 1):
        assert len(cut.edges) == number + 1
        assert cut.spread == pytest.approx(spread(shares, cut.edges), abs=1e-8)
        others = combinations(range(1, len(shares)), number - 1)
        assert cut.spread <= min(spread(shares, (0, *o, len(shares))) for o in others) + 1e-8


@given(st.lists(st.integers(-500, 5000), min_size=2, max_size=64).map(lambda v: np.array(v, dtype=float)))
def test_shares_are_never_negative_and_keep_the_noisy_total(noisy: np.ndarray) -> None:
    shares = without_negatives(noisy)
    assert (shares >= 0).all()
    total = noisy.sum()
    assert shares.sum() == pytest.approx(1.0 if total >= 1 else 1 / 1.0, abs=1e-6)


@pytest.fixture
def plan() -> Plan:
    return parse_plan(plan_yaml({"privacy.expected_customers": 50_000}))


def skewed(plan: Plan) -> Marginals:
    shares = np.exp(-np.arange(BINS) / 4.0)
    even = np.full(BINS, 1.0)
    lonely = np.eye(BINS)[5]
    return Marginals(np.stack([s / s.sum() for s in (shares, even, lonely)]))


def test_boxes_are_cut_where_the_customers_are(plan: Plan) -> None:
    boxes = skewed(plan).boxes(plan)
    assert boxes.count <= most_boxes(plan)
    assert boxes.edges[0][1] < STEPS / 16  # most customers are in the first few bins
    assert boxes.intervals[1] > boxes.intervals[0]  # the widest spread gets the most intervals
    assert boxes.edges[2] == (0, STEPS)  # nothing to cut


def test_expected_means_are_inside_the_boxes(plan: Plan) -> None:
    marginals = skewed(plan)
    boxes = marginals.boxes(plan)
    means, variances = marginals.inside(boxes)
    assert (np.abs(means - boxes.centers) < boxes.halves).all()
    assert (variances > 0).all()
    assert (variances <= boxes.halves.astype(float) ** 2).all()


def test_a_histogram_of_nothing_gives_boxes_all_the_same(plan: Plan) -> None:
    nothing = Marginals(np.stack([without_negatives(np.zeros(BINS))] * 3))
    assert nothing.boxes(plan).count >= 8
