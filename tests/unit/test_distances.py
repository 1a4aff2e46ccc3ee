"""How far segments are from everybody, by the assessment's release: never on the wrong side, never farther than it is."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from evenhand.ask import assessment as tallies
from evenhand.describe.distances import Distances, read_distances
from evenhand.describe.label import NOTICEABLE, labels
from evenhand.describe.profiles import read_profiles
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise, SeededNoise
from evenhand.privacy.release import Release, made_up
from evenhand.report.everyone import everybody
from evenhand.rows.segments import profile_rows
from labels_data import WORLDS, Assessed, World, assessed, feature, judged

DRAWS = 300
HELD = ["365 for everybody", "log-normal, wide bounds", "a shop", "few customers", "narrow, and different"]


@cache
def world(customers: int = 4_000, features: int = 3) -> tuple[World, np.ndarray]:
    """Three segments, the last feature is the same for everybody; the one before differs by a tenth of a deviation."""
    random, segment = np.random.default_rng(3), np.arange(customers) % 3
    rows = np.full((customers, features), 30.0)
    rows[:, 0] = np.array([20, 50, 80])[segment] + random.normal(0, 10, customers)
    rows[:, 1] = np.array([49, 50, 51])[segment] + random.normal(0, 10, customers)
    return World(rows, [feature(f"f{j}", 0, 100) for j in range(features)], 3), segment


def released(fixed: np.ndarray, segment: np.ndarray, k: int, plan: Plan, noise: SeededNoise | NoNoise) -> Release:
    """The assessment's answer to who is in which segment; nobody is in any group."""
    parts, offsets = tallies.assessment_parts(k, plan), fixed - tallies.MIDDLE
    exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
    exact[tallies.SIZE] = np.bincount(segment, minlength=k)
    exact[tallies.SUMS] = np.stack([offsets[segment == j].sum(axis=0) for j in range(k)]).ravel()
    exact[tallies.SQUARES] = (offsets**2).sum(axis=0)
    return made_up(exact, parts, noise)


def read(epsilon: float, noise: SeededNoise | NoNoise, customers: int = 4_000) -> Distances:
    plan, exact = asked(epsilon, customers)
    return read_distances(made_up(exact, tallies.assessment_parts(3, plan), noise), plan)


@cache
def asked(epsilon: float, customers: int) -> tuple[Plan, dict[str, np.ndarray]]:
    """The plan, and the exact answer to its question."""
    made, segment = world(customers)
    plan, fixed = made.plan(epsilon), np.floor(made.rows / 100 * STEPS).astype(np.int64)
    answer = released(fixed, segment, 3, plan, NoNoise())
    return plan, {part.name: answer[part.name] for part in tallies.assessment_parts(3, plan)}


@cache
def truth(customers: int = 4_000) -> np.ndarray:
    made, segment = world(customers)
    means = np.stack([made.rows[segment == j].mean(axis=0) for j in range(3)])
    spread = made.rows.std(axis=0)
    return (means - made.rows.mean(axis=0)) / np.where(spread > 0, spread, np.inf)


def test_without_noise_a_distance_is_hardly_less_than_it_is() -> None:
    found, true = read(100.0, NoNoise(), 30_000), truth(30_000)
    assert np.all(np.abs(found.value) <= np.abs(true) + 1e-3)
    np.testing.assert_allclose(found.value[:, :2], true[:, :2], rtol=0.05)
    assert np.all((found.low <= true + 1e-3) & (true - 1e-3 <= found.high))
    np.testing.assert_allclose(np.sign(found.pairs), -np.sign(found.pairs).swapaxes(0, 1))


def test_the_interval_holds_the_value() -> None:
    for seed in range(20):
        found = read(1.0, SeededNoise(seed))
        assert np.all((found.low <= found.value) & (found.value <= found.high))


@pytest.mark.parametrize("epsilon", [0.1, 0.3, 1.0, 10.0])
def test_sides_are_right_for_all_segments_and_features_together(epsilon: float) -> None:
    """Of 300 draws 1 in 100 may have a wrong side, or a side where there is none; more than 14 has a chance of 5e-7."""
    true = np.where(np.abs(truth()) < 1e-9, 0.0, np.sign(truth()))
    sides = np.stack([np.sign(read(epsilon, SeededNoise(seed)).sure) for seed in range(DRAWS)])
    assert ((sides != 0) & (sides != true)).any(axis=(1, 2)).sum() <= 14


def test_pairs_say_which_of_two_is_higher() -> None:
    found = read(1.0, SeededNoise(1))
    assert found.pairs[2, 0, 0] > 1.0 and found.pairs[0, 2, 0] < -1.0
    assert not found.pairs[:, :, 2].any()


def test_a_feature_that_is_the_same_for_everybody_is_at_no_distance_worth_a_word() -> None:
    """Its deviation may be nothing, and what noise makes of that is no unit. 600 draws, of which 6 may be wrong; more than 22 has 8e-8."""
    found = [read(epsilon, SeededNoise(seed)) for epsilon in (0.3, 1.0) for seed in range(DRAWS)]
    assert sum(bool(((np.abs(of.value) >= NOTICEABLE) & (of.sure != 0))[:, 2].any()) for of in found) <= 22


def test_a_segment_that_is_not_shown_is_at_no_distance_and_not_in_everybody() -> None:
    made, segment = world()
    plan, segment = made.plan(10.0), np.where((segment == 2) & (np.arange(len(segment)) > 20), 1, segment)
    fixed = np.floor(made.rows / 100 * STEPS).astype(np.int64)
    found = read_distances(released(fixed, segment, 3, plan, NoNoise()), plan)
    hidden = np.isnan(found.size)
    assert hidden[2] and np.isnan(found.value[hidden]).all() and np.isnan(found.pairs[hidden]).all()
    assert not found.sure[hidden].any()


@cache
def runs(name: str, epsilon: float) -> list[Assessed]:
    made = WORLDS[name]()
    found = [assessed(made, epsilon, seed) for seed in range(3)]
    return [run for run in found if run is not None]


def said(run: Assessed) -> list[str]:
    return labels(read_distances(run.release, run.plan), run.plan.features)


def test_hardly_a_word_is_wrong_and_most_true_ones_are_said() -> None:
    """Of thirty runs 1 in 100 may have a wrong word, or one about what is the same everywhere: more than 5 has a chance of 5e-7."""
    found = [judged(said(run), run) for name in HELD for epsilon in (0.3, 1.0) for run in runs(name, epsilon)]
    assert sum(of.wrong + of.same > 0 for of in found) <= 5
    assert sum(of.true for of in found) >= 0.7 * sum(of.sayable for of in found)


@pytest.mark.parametrize("name", HELD)
def test_no_word_contradicts_the_intervals_that_are_published(name: str) -> None:
    for run in runs(name, 0.3) + runs(name, 1.0):
        distances = read_distances(run.release, run.plan)
        profiles = read_profiles(run.release, run.plan)
        rows = profile_rows(profiles, distances, said(run), run.plan).to_pylist()
        all_of = everybody(rows, run.plan)
        for row in rows:
            if (low := row["deviations_low"]) is not None and low > 0:
                assert row["low"] > all_of[row["measure"]].high
            if (high := row["deviations_high"]) is not None and high < 0:
                assert row["high"] < all_of[row["measure"]].low


@pytest.mark.parametrize("name", HELD)
def test_no_feature_is_on_one_side_in_all_segments(name: str) -> None:
    for run in runs(name, 0.3) + runs(name, 1.0):
        sure = read_distances(run.release, run.plan).sure
        assert not (sure > 0).all(axis=0).any() and not (sure < 0).all(axis=0).any()
