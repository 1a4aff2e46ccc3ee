"""Whether the segments are worth more than one for everybody, told from what the assessment releases."""

from __future__ import annotations

import re

import numpy as np
import pytest

from evenhand.ask import assessment as tallies
from evenhand.assignment.nearest import CENTER_BITS, Centers, rounded_centers
from evenhand.describe.worth import useless, worth
from evenhand.governance.gates import blocking
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise, SeededNoise
from evenhand.privacy.release import Release, made_up
from sample import REMOVED, plan_yaml

CENTERS = rounded_centers(np.array([[8_000.0, 20_000, 30_000], [52_000, 20_000, 30_000], [30_000, 60_000, 30_000]]))


def plan_of(epsilon: float, expected: int = 3000) -> Plan:
    changes = {"privacy.epsilon": epsilon, "privacy.population_total": 100.0, "privacy.expected_customers": expected}
    return parse_plan(plan_yaml(changes))


def people(count: int, apart: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows in fixed point and their segments: around the centers, or, with less of `apart`, around the middle of all three."""
    random = np.random.default_rng(count)
    segment = random.choice(3, count, p=[0.5, 0.3, 0.2])
    at = CENTERS / 2**CENTER_BITS
    middle = at[segment].mean(axis=0)
    rows = middle + apart * (at[segment] - middle) + random.normal(0, 3_000, (count, 3))
    return np.clip(rows, 0, STEPS - 1).astype(np.int64), segment


def released(rows: np.ndarray, segment: np.ndarray, plan: Plan, noise: SeededNoise | NoNoise) -> Release:
    parts, offsets = tallies.assessment_parts(3, plan), rows - tallies.MIDDLE
    exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
    exact[tallies.SIZE] = np.bincount(segment, minlength=3)
    exact[tallies.SUMS] = np.stack([offsets[segment == j].sum(axis=0) for j in range(3)]).ravel()
    exact[tallies.SQUARES] = (offsets**2).sum(axis=0)
    return made_up(exact, parts, noise)


def truth(rows: np.ndarray, segment: np.ndarray, centers: Centers) -> tuple[float, float]:
    """Of one segment for everybody, and what the segments take away from it."""
    alone = float(((rows - rows.mean(axis=0)) ** 2).sum()) / STEPS**2
    return alone, alone - float(((rows - centers[segment] / 2**CENTER_BITS) ** 2).sum()) / STEPS**2


def test_without_noise_the_worth_is_what_the_distances_say() -> None:
    rows, segment = people(4_000)
    found, (alone, gain) = (
        worth(released(rows, segment, plan_of(1.0), NoNoise()), CENTERS, plan_of(1.0)),
        truth(rows, segment, CENTERS),
    )
    assert found.alone.value == pytest.approx(alone)
    assert found.gain.value == pytest.approx(gain)
    assert found.times is not None
    assert found.times.value == pytest.approx(1 - gain / alone)


def test_the_intervals_hold_the_truth() -> None:
    """Seeded. Of 400 draws both ends hold in 95 % or more: fewer than 90 % would be five standard errors away."""
    plan, noise = plan_of(1.0), SeededNoise(4)
    rows, segment = people(1_500)
    alone, gain = truth(rows, segment, CENTERS)
    held = 0
    for _ in range(400):
        found = worth(released(rows, segment, plan, noise), CENTERS, plan)
        held += found.alone.low <= alone <= found.alone.high and found.gain.low <= gain <= found.gain.high
    assert held >= 360


def test_plenty_of_people_are_never_blocked() -> None:
    rows, segment = people(3_000)
    for epsilon in (1.0, 3.0):
        noise = SeededNoise(5)
        assert not any(useless(worth(released(rows, segment, p, noise), CENTERS, p), p) for p in [plan_of(epsilon)] * 100)


def test_a_plan_that_asks_next_to_nothing_of_profiles_is_not_blocked_by_their_noise() -> None:
    few = {"summary": 0.998, "profiles": 0.001, "fairness": 0.001}
    plan = parse_plan(plan_yaml({"privacy.split": few, "privacy.expected_customers": 30_000}))
    rows, segment = people(3_000)
    found = [worth(released(rows, segment, plan, noise), CENTERS, plan) for noise in map(SeededNoise, range(20))]
    assert any(of.gain.value < 0 for of in found)
    assert not any(useless(of, plan) for of in found)


def test_centers_far_from_their_customers_are_worse_than_one_segment_and_the_line_says_what_would_do() -> None:
    """The same three centers for 1,000 people who are all in the middle."""
    plan = plan_of(0.5, 1000)
    rows, segment = people(1_000, apart=0.1)
    assert truth(rows, segment, CENTERS)[1] < 0
    said = useless(worth(released(rows, segment, plan, SeededNoise(1)), CENTERS, plan), plan)
    assert len(said) == 1
    assert "worse than one segment for everybody" in said[0]
    assert 3.0 < enough(said[0]) < 6.0  # 4.5 for 1,000; of whom noise makes 1,213
    insists = parse_plan(plan_yaml({"segments.when_useless": "publish"}))
    by_default = parse_plan(plan_yaml({"segments.when_useless": REMOVED, "fairness.when_uneven": "block"}))
    assert blocking(insists, said, ["uneven"]) == []
    assert blocking(by_default, said, ["uneven"]) == [*said, "uneven"]


def test_the_line_goes_by_the_released_number_of_customers_where_the_plan_expects_far_more() -> None:
    plan = plan_of(0.5, 80_000)
    rows, segment = people(1_000, apart=0.1)
    said = useless(worth(released(rows, segment, plan, SeededNoise(1)), CENTERS, plan), plan)
    assert 3.0 < enough(said[0]) < 6.0


def enough(said: str) -> float:
    found = re.search(r"ε of ([\d.]+) or more would do", said)
    assert found is not None
    return float(found[1])


def test_people_who_are_all_alike_are_not_blocked_for_the_rounding_of_a_center() -> None:
    rows, segment = np.full((500, 3), 12_345), np.arange(500) % 3
    centers = rounded_centers(np.full((3, 3), 12_345.3))
    assert useless(worth(released(rows, segment, plan_of(1.0), NoNoise()), centers, plan_of(1.0)), plan_of(1.0)) == []
