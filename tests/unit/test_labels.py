"""Segments in words: different segments have different words, an average one is called so, and nothing is said that noise may have made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evenhand.ask.assessment import SIZE, SQUARES, SUMS, assessment_parts
from evenhand.describe.distances import Distances
from evenhand.describe.label import AVERAGE, HIDDEN, UNCLEAR, labels
from evenhand.fairness.change import Last
from evenhand.job.assessed import Assessed
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import NoNoise
from evenhand.privacy.release import made_up
from sample import plan_yaml

OWN = {"features.0.words": {"low": "new here", "high": "faithful"}}
FEATURES = parse_plan(plan_yaml(OWN)).features
PLAIN = parse_plan(plan_yaml()).features


def at(*rows: tuple[float, ...], reach: float = 0.1, sizes: tuple[float, ...] = ()) -> Distances:
    """Segments so many deviations from everybody, each to within `reach`."""
    value = np.array(rows, dtype=np.float64)
    between = value[:, None] - value
    pairs = np.sign(between) * np.maximum(np.abs(between) - 2 * reach, 0.0) if np.isfinite(reach) else 0 * between
    return Distances(value, value - reach, value + reach, pairs, np.array(sizes or np.arange(len(value), 0, -1.0)))


def told(*rows: tuple[float, ...], reach: float = 0.1) -> list[str]:
    return labels(at(*rows, reach=reach), FEATURES)


def test_the_words_of_the_plan_are_used_and_a_feature_without_words_says_low_or_high() -> None:
    assert told((-1, 0, 0), (1, 0, 0), (0, 1, 0)) == ["new here", "faithful", "high spent"]


def test_the_most_telling_feature_comes_first() -> None:
    assert told((0.5, -1.1, 1)) == ["low spent, high visits, faithful"]


def test_very_stands_where_the_whole_interval_is_far_away_and_not_before_the_plan_s_own_words() -> None:
    assert told((2, 1.4, -1.25)) == ["faithful, very high spent, low visits"]
    assert labels(at((-2, 1.4, -1.25)), PLAIN) == ["very low tenure, very high spent, low visits"]
    assert labels(at((-2, 1.4, -1.25), reach=0.3), PLAIN) == ["very low tenure, high spent, low visits"]


KEPT = [
    # today, what segments were called, and what they are called now
    ([(1, 1.1, 0)], ["faithful, high spent"], ["faithful, high spent"]),  # noise has changed which is the farthest
    ([(1, 1.1, 0.9)], ["high visits"], ["high visits"]),
    ([(0, 1.5, 0)], ["high spent"], ["high spent"]),  # who is very high is high
    ([(0, 1.1, 0)], ["very high spent"], ["high spent"]),
    ([(1, 0, 0)], ["faithful, high spent"], ["faithful"]),
    ([(-1, 0, 0)], ["faithful"], ["new here"]),
    ([(1, 0, 0)], ["buys often"], ["faithful"]),  # the plan has other words by now
    ([(0.1, 0, 0), (1, 0, 0)], ["faithful", AVERAGE], [AVERAGE, "faithful"]),
    ([(1, 0, 0), (0, 1, 0)], ["faithful (2)", None], ["faithful", "high spent"]),
    # No two have one label: one is kept only where nobody else has its words.
    ([(1, 1.1, 0), (1, 0, 0)], ["faithful", None], ["high spent, faithful", "faithful"]),
    ([(1, 0, 0), (0.9, 1, 0)], [None, "faithful, high spent"], ["faithful", "faithful, high spent"]),
]


@pytest.mark.parametrize(("rows", "before", "now"), KEPT)
def test_a_segment_keeps_what_it_was_called_while_every_word_is_true(
    rows: list[tuple[float, ...]], before: list[str | None], now: list[str]
) -> None:
    assert labels(at(*rows), FEATURES, {i: label for i, label in enumerate(before, 1) if label}) == now


def test_a_run_s_labels_are_those_of_the_last_run_while_they_are_true() -> None:
    plan = parse_plan(plan_yaml({"privacy.expected_customers": 30_000}))
    parts = assessment_parts(3, plan)
    exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
    exact[SIZE][:] = 5_000, 20_000, 5_000
    exact[SUMS][:] = np.array([[-20_000, 0, 0], [0, 0, 0], [20_000, 0, 0]]).ravel() * 5_000
    exact[SQUARES][:] = np.array([10_000 * 20_000**2, 30_000 * 4_000**2, 30_000 * 4_000**2])
    release = made_up(exact, parts, NoNoise())
    now = Assessed(plan, np.zeros((3, 3), dtype=np.int64), release, [], None, None)
    assert now.labels == ["very low tenure", AVERAGE, "very high tenure"]
    last = Last("autumn", {}, {}, {1: "low tenure", 3: "low tenure, high spent"})
    assert replace(now, last=last).labels == ["low tenure", AVERAGE, "very high tenure"]


def test_a_word_of_the_plan_s_own_that_has_a_comma_is_one_word() -> None:
    own = {
        "features.0.words": {"low": "new", "high": "loyal, high spent, faithful"},
        "features.2.words": {"low": "a", "high": "loyal"},
    }
    features = parse_plan(plan_yaml(own)).features
    kept = "high spent, loyal, high spent, faithful"
    assert labels(at((1.1, 1, 0)), features, {1: kept}) == [kept]
    assert labels(at((0, 1, 0)), features, {1: kept}) == ["high spent"]


def test_a_segment_like_everybody_is_called_average() -> None:
    assert told((0.1, -0.2, 0.3)) == [AVERAGE]


@pytest.mark.parametrize(("reach", "words"), [(0.1, AVERAGE), (0.6, UNCLEAR), (np.inf, UNCLEAR)])
def test_average_is_said_only_of_what_the_noise_leaves_near_everybody(reach: float, words: str) -> None:
    assert told((0.3, 0, 0), reach=reach) == [words]


def test_a_feature_whose_deviation_may_be_nothing_says_nothing_about_a_segment() -> None:
    found = at((0.1, 0.0, 0.0))
    found.high[0, 2] = np.inf
    assert labels(found, FEATURES) == [AVERAGE]
    found.high[:], found.low[:] = np.inf, -np.inf
    assert labels(found, FEATURES) == [UNCLEAR]


def test_a_feature_that_may_be_on_either_side_of_everybody_is_not_spoken_of() -> None:
    found = at((1, 1, 0), (1, 0, 0), (0.1, 0, 0))
    found.low[0, 0], found.low[1, 0] = -0.1, 0.0
    assert labels(found, FEATURES) == ["high spent", UNCLEAR, AVERAGE]


def test_segments_of_the_same_words_in_another_order_are_told_apart_by_what_surely_differs() -> None:
    assert told((1.1, 1, 0), (0.9, 1.1, 0.35), (0, 0, 0)) == [
        "faithful, high spent (lower visits)",
        "faithful, high spent (higher visits)",
        AVERAGE,
    ]


def test_further_words_come_before_a_comparison() -> None:
    features = parse_plan(
        plan_yaml({"features.3": {"name": "points", "why": "t", "column": "points", "bounds": [0, 100], "missing": 0}})
    ).features
    found = at((1.1, 1, 0.9, 0.5), (0.9, 1, 1.1, -0.6))
    assert labels(found, features) == [
        "high tenure, high spent, high visits, high points",
        "high visits, high spent, high tenure, low points",
    ]


def test_segments_that_nothing_surely_tells_apart_are_numbered_the_largest_first() -> None:
    assert told((1, 0, 0), (1.1, 0, 0), (0, 0, 0)) == ["faithful (1)", "faithful (2)", AVERAGE]
    assert labels(at((1, 0, 0), (1.1, 0, 0), sizes=(10, 90)), FEATURES) == ["faithful (2)", "faithful (1)"]
    assert told((1, 0, 0), (2, 0, 0), (3, 0, 0)) == ["faithful (1)", "faithful (2)", "faithful (3)"]


def test_two_segments_of_which_nothing_can_be_told_are_not_compared() -> None:
    found = at((0.3, 0, 0), (-0.3, 0, 0), reach=0.2)
    found.high[:, 1] = 0.9
    assert labels(found, FEATURES) == [f"{UNCLEAR} (1)", f"{UNCLEAR} (2)"]


def test_a_segment_that_is_not_shown_is_not_described() -> None:
    found = at((1, 0, 0), (-1, 0, 0), (0, 1, 0))
    for figure in (found.value, found.low, found.high, found.size):
        figure[1:] = np.nan
    assert labels(found, FEATURES) == ["faithful", f"{HIDDEN} (1)", f"{HIDDEN} (2)"]


def test_labels_are_all_different_whatever_the_segments_and_never_the_same_set_of_words() -> None:
    random = np.random.default_rng(2)
    for _ in range(100):
        found = told(*map(tuple, random.normal(0, 1, (12, 3))))
        assert len({frozenset(label.split(", ")) for label in found}) == 12
