"""How well a feature tells a group: the interval holds 19 times in 20, whatever the noise leaves of the feature's own spread.

Every draw has people, noise and a seed of its own; the seeds are fixed, so that a failure is a change of the code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.ask.assessment import MIDDLE, SIZE, SQUARES, SUMS, assessment_parts, feature_part, group_part
from evenhand.fairness.proxies import Proxy, proxies, strength_of
from evenhand.plan.geometry import STEPS
from evenhand.plan.groups import group_tables
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import made_up
from sample import plan_yaml

pytestmark = pytest.mark.long  # thousands of draws

K, SPREAD = 3, 9_000.0
WEAK, STRONG = 6_000.0, 24_000.0  # women's and men's means of the first feature lie so far apart, of the others nothing
RUNS = 200


def found_in(customers: int, features: int, seed: int, shift: float = WEAK) -> dict[str, Proxy]:
    made = [{"name": f"f{j}", "why": "test", "column": f"f{j}", "bounds": [0, 1], "missing": 0} for j in range(features)]
    changes: dict[str, Any] = {"features": made, "sources.events": {}}
    plan, random = parse_plan(plan_yaml(changes | {"privacy.expected_customers": customers})), np.random.default_rng([seed, 1])
    group, segment = random.integers(0, 2, customers), random.integers(0, K, customers)
    points = random.normal(26_000.0, SPREAD, (customers, features))
    points[:, 0] += shift * group
    offsets = np.clip(points, 0, STEPS - 1).astype(np.int64) - MIDDLE
    parts = assessment_parts(K, plan)
    exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
    exact[SIZE], exact[SQUARES] = np.bincount(segment, minlength=K), (offsets**2).sum(axis=0)
    exact[group_part("gender")] = np.bincount(group * K + segment, minlength=4 * K)
    for part, of, size in ((SUMS, segment, K), (feature_part("gender"), group, 4)):
        exact[part] = np.stack([np.bincount(of, o, size) for o in offsets.T], axis=1).astype(np.int64).ravel()
    release: Any = made_up(exact, parts, SeededNoise(seed))
    judged = np.array([True, True, False, False])
    return {p.feature: p for p in proxies(release, group_tables(plan)[0], plan, K, judged)}


@pytest.mark.parametrize(
    ("customers", "features", "shift"),
    [(3_000, 3, WEAK), (10_000, 3, WEAK), (20_000, 6, WEAK), (10_000, 3, STRONG), (20_000, 3, STRONG)],
)
def test_the_strength_of_a_feature_is_in_its_interval(customers: int, features: int, shift: float) -> None:
    runs = [found_in(customers, features, seed, shift) for seed in range(RUNS)]
    strength = (shift / 2) / np.hypot(shift / 2, SPREAD)
    for feature, truth in (("f0", strength), ("f1", 0.0)):
        held = np.mean([run[feature].strength.low - 1e-9 <= truth <= run[feature].strength.high + 1e-9 for run in runs])
        assert held >= 0.93, (feature, held)
    values = [run["f1"].strength.value for run in runs]
    assert not [v for v in values if v > 0.9]  # as it would be over a variance that the noise left nothing of


def test_a_strength_has_no_value_where_the_spread_is_lost_in_the_noise_and_a_narrow_interval_where_it_is_not() -> None:
    few, many = found_in(1_000, 3, seed=1), found_in(200_000, 3, seed=1)
    assert all(np.isnan(p.strength.value) and p.strength.high == 1.0 for p in few.values())
    assert all(p.strength.high - p.strength.low < 0.1 for p in many.values())
    assert next(iter(many)) == "f0"


@pytest.mark.parametrize("variance", [-5e6, 0.0, 1e3])
def test_whatever_the_noise_makes_of_the_variance_an_interval_has_two_ends(variance: float) -> None:
    means, counts, errors = np.array([100.0, 200.0]), np.array([300.0, 200.0]), np.array([900.0, 1_100.0])
    for its_error in (0.0, 1e6):
        found = strength_of(means, counts, errors, variance, its_error)
        assert 0 <= found.low <= found.high <= 1
