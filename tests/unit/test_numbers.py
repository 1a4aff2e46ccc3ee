"""A segment keeps its number from run to run where it is the same segment; a new one takes a number that is free."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from evenhand.assignment.in_numpy import segment_numbers
from evenhand.assignment.nearest import Centers, rounded_centers
from evenhand.learn.learn import learn
from evenhand.learn.numbers import Earlier, in_both, numbers
from evenhand.plan.geometry import STEPS, to_fixed, to_unit
from evenhand.plan.load import canonical, parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import asking
from evenhand.privacy.sample import Sample
from sample import plan_yaml

# By number, in shares of the bounds of two features.
FOUR = [(0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)]


def centers(places: list[tuple[float, float]]) -> Centers:
    return rounded_centers(np.array(places) * STEPS)


def earlier(places: list[tuple[float, ...]], columns: tuple[int, ...] = (0, 1)) -> Earlier:
    return Earlier("run-1", (np.array(places) * STEPS).astype(np.int64), list(columns))


def near(place: tuple[float, float], by: float = 0.03) -> tuple[float, float]:
    return place[0] + by, place[1] - by


A, B, C, D = map(near, FOUR)
CASES: dict[
    str, tuple[list[tuple[float, float]], list[int], list[int]]
] = {  # today's centers by size, their numbers, and which they were
    "as before": ([A, B, C, D], [1, 2, 3, 4], [1, 2, 3, 4]),
    "all have changed places by size": ([D, C, A, B], [4, 3, 1, 2], [4, 3, 1, 2]),
    "one has gone and a new one takes its number": ([(0.5, 0.5), D, B, A], [3, 4, 2, 1], [0, 4, 2, 1]),
    "one is more": ([(0.5, 0.5), D, C, B, A], [5, 4, 3, 2, 1], [0, 4, 3, 2, 1]),
    "fewer: the last takes a number that is free": ([D, C, A], [2, 3, 1], [4, 3, 1]),
    "fewer: who loses the number goes before who is new": ([(0.5, 0.1), D, A], [3, 2, 1], [0, 4, 1]),
    "of two parts of a segment the nearer one": ([A, B, C, (0.99, 0.9), (0.86, 0.9)], [1, 2, 3, 5, 4], [1, 2, 3, 0, 4]),
    "half way to another is neither": ([A, B, C, (0.9, 0.5)], [1, 2, 3, 4], [1, 2, 3, 0]),
    "all are new": ([(0.5, 0.1), (0.5, 0.5), (0.5, 0.9), (0.1, 0.5)], [1, 2, 3, 4], [0, 0, 0, 0]),
}


@pytest.mark.parametrize(("now", "expected", "was"), CASES.values(), ids=CASES)
def test_a_segment_that_was_there_keeps_its_number(now: list[tuple[float, float]], expected: list[int], was: list[int]) -> None:
    found = numbers(centers(now), earlier(FOUR))
    assert found.was.tolist() == was
    assert found.now.tolist() == expected
    assert sorted(found.now) == list(range(1, len(now) + 1))
    assert found.run_id == "run-1"


def test_a_first_run_numbers_by_size() -> None:
    found = numbers(centers([D, A, B]), None)
    assert (found.now.tolist(), found.was.tolist(), found.run_id) == ([1, 2, 3], [0, 0, 0], None)


def test_only_features_of_both_runs_count() -> None:
    # Along the first feature alone A and C are one place, so is nobody's number sure; by the second all are as before.
    with_more = np.hstack([centers([D, C, B, A]), centers([(0.5, 0.5)] * 4)])
    assert numbers(with_more, earlier(FOUR)).was.tolist() == [4, 3, 2, 1]
    assert numbers(centers([B, A]), earlier([(0.1,), (0.9,)], columns=(0,))).was.tolist() == [2, 1]
    assert numbers(centers([A, B, C, D]), earlier(FOUR, columns=())).was.tolist() == [0, 0, 0, 0]
    assert numbers(centers([A, B, C, D]), earlier([(x,) for x, _ in FOUR], columns=(0,))).was.tolist() == [0, 0, 0, 0]


def test_pairs_are_the_optimal_assignment_of_those_that_are_the_same() -> None:
    random, pairs = np.random.default_rng(1), 0
    for _ in range(300):
        then = random.uniform(0.1, 0.9, (6, 3))
        now = (then + random.normal(0, 0.08, then.shape))[random.permutation(6)[: random.integers(4, 7)]]
        found = numbers(rounded_centers(now * STEPS), earlier([tuple(place) for place in then], columns=(0, 1, 2))).was
        matched = found[found > 0]
        assert len(set(matched)) == len(matched)
        away = np.linalg.norm(now[:, None] - then, axis=2)
        same = np.isin(np.arange(len(now)), np.flatnonzero(found))
        rows, columns = linear_sum_assignment(away[np.ix_(same, matched - 1)])
        assert (rows == columns).all()  # no other pairing of them is nearer
        pairs += len(matched)
    assert pairs > 800


@pytest.mark.parametrize(
    ("changes", "both"),
    [
        ({}, [0, 1, 2]),
        ({"features.0.bounds": [0, 40], "features.1.scale": "linear", "features.2.why": "another sentence"}, [0, 1, 2]),
        ({"features.0.column": "months"}, [1, 2]),
        ({"features.1.expression": "max(amount)"}, [0, 2]),
        ({"sources.events.purchases.where": "amount > 5"}, [0]),
        ({"features.0.name": "years"}, [1, 2]),
    ],
    ids=["nothing", "bounds, scale and words", "another column", "another expression", "other events", "another name"],
)
def test_a_feature_is_in_both_where_it_is_computed_in_the_same_way(changes: dict[str, Any], both: list[int]) -> None:
    then = json.loads(canonical(parse_plan(plan_yaml())))
    assert in_both(parse_plan(plan_yaml(changes)), then) == both


def test_other_bounds_and_another_scale_make_no_other_segments() -> None:
    then, now = (parse_plan(plan_yaml(changes)) for changes in ({}, {"features.0.bounds": [0, 60], "features.1.scale": "linear"}))
    units = np.array([[2.0, 30.0, 3.0], [15.0, 40.0, 8.0], [4.0, 700.0, 12.0]])
    stored = to_unit(to_fixed(units, then.features).astype(np.float64), then.features)
    before = Earlier("run-1", to_fixed(stored, now.features), [0, 1, 2])
    today = rounded_centers(to_fixed(units[[2, 0, 1]] * 1.05, now.features).astype(np.float64))
    assert numbers(today, before).now.tolist() == [3, 1, 2]


SHAPES = ("apart", "unequal", "close", "long tails")


@cache
def made(shape: str, seed: int) -> tuple[Plan, Sample]:
    """20,000 customers of four kinds, whose bounds a skewed one does not fill."""
    random, count = np.random.default_rng([seed, SHAPES.index(shape)]), 20_000
    kind = random.choice(4, count, p=[0.6, 0.3, 0.07, 0.03] if shape == "unequal" else [0.25] * 4)
    middles = random.uniform(45, 65, (4, 3)) if shape == "close" else random.uniform(15, 85, (4, 3))
    rows = random.lognormal(2.5, 0.8, (count, 3)) if shape == "long tails" else middles[kind] + random.normal(0, 4, (count, 3))
    features = [{"name": f"f{j}", "why": "t", "column": f"f{j}", "bounds": [0, 100], "missing": 0} for j in range(3)]
    changes = {"features": features, "sources.events": {}, "segments.k": 4, "privacy.expected_customers": count}
    plan = parse_plan(plan_yaml(changes))
    return plan, Sample.of(to_fixed(np.clip(rows, 0, 100), plan.features))


def test_a_rerun_with_other_noise_that_finds_the_same_segments_gives_them_the_same_numbers() -> None:
    kept, by_size, alike = 0, 0, 0
    for shape in SHAPES:
        for seed in range(4):
            plan, people = made(shape, seed)
            first, second = (learn(asking(people, SeededNoise(2 * seed + i)), plan).centers for i in (0, 1))
            found = numbers(second, Earlier("run-1", first >> 4, [0, 1, 2]))
            then, now = segment_numbers(people, first, 1.0), segment_numbers(people, second[found.order], 1.0)
            if adjusted_rand_score(then, now) > 0.95:
                alike, kept = alike + 1, kept + (found.was > 0).sum() * (np.mean(then == now) > 0.95)
                by_size += np.mean(then == segment_numbers(people, second, 1.0)) > 0.95
    assert alike >= 8
    assert kept == 4 * alike
    assert by_size < alike  # by size alone they would have changed places
