"""Bounds that the plan leaves out: the public bins, the rule on noisy histograms, and the plan that goes on with what was found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.ask import bounds
from evenhand.ask.bounds import range_of, with_found_bounds
from evenhand.errors import DataError
from evenhand.plan.advice import advice
from evenhand.plan.explain import explain
from evenhand.plan.load import fingerprint, parse_plan
from evenhand.plan.magnitudes import BINS, LEAST, WANTED, ZERO, customers_needed, edges, threshold
from evenhand.plan.method import Method, questions_of
from evenhand.plan.models import Plan
from evenhand.privacy.noise import Laplace, SeededNoise
from evenhand.privacy.release import Release, made_up
from sample import REMOVED, plan_yaml

EPSILON = 0.2
LEAST_MASS = threshold(EPSILON, "epsilon")


def plan_without(*features: int, **privacy: object) -> Plan:
    changes = {f"features.{i}.bounds": REMOVED for i in features} | {f"privacy.{k}": v for k, v in privacy.items()}
    return parse_plan(plan_yaml(changes))


UPPER = np.array([edges(bin)[1] for bin in range(ZERO + 1, BINS)])


def histogram(values: np.ndarray) -> np.ndarray:
    """The definition in plain words: a value is in the first bin of its side whose outer edge it does not exceed."""
    steps = 1 + np.searchsorted(UPPER, np.abs(values))
    bins = np.where(np.abs(values) <= 2.0**LEAST, ZERO, ZERO + np.sign(values).astype(int) * steps)
    return np.bincount(bins, minlength=BINS).astype(np.int64)


def test_the_bins_touch_and_reach_from_one_side_to_the_other() -> None:
    for low, high in zip(range(ZERO + 1, BINS), range(ZERO + 2, BINS), strict=False):
        assert edges(low)[1] == edges(high)[0] == 2 * edges(low)[0]
    assert edges(ZERO + 1)[0] == 2.0**LEAST
    assert edges(BINS - 1)[1] > 1e12
    assert [edges(2 * ZERO - b) for b in range(ZERO + 1, BINS)] == [(-edges(b)[1], -edges(b)[0]) for b in range(ZERO + 1, BINS)]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (lambda r: r.lognormal(4.2, 0.4, 20_000), (16.0, 256.0)),
        (lambda r: 2 ** r.uniform(1.2, 9.5, 20_000), (2.0, 1024.0)),
        (lambda r: r.normal(0, 10, 20_000), (-32.0, 32.0)),
        (lambda r: np.where(r.random(20_000) < 0.4, 0.0, 1.0), (0.0, 1.0)),
        (lambda r: -r.uniform(5, 7, 20_000), (-8.0, -4.0)),
        (lambda r: np.zeros(20_000), (-(2.0**LEAST), 2.0**LEAST)),
    ],
    ids=["skewed", "even", "both signs", "shares", "negative", "zeros alone"],
)
def test_quantiles_are_found_through_the_noise(values: object, wanted: tuple[float, float]) -> None:
    """Seeded, 200 times. Every bin inside holds 3 % of the customers or more, every bin outside less than 0.1 %."""
    random, noise = np.random.default_rng(5), SeededNoise(5)
    exact = histogram(values(random))  # type: ignore[operator]
    found = [range_of(noise.add(exact, Laplace(1 / EPSILON)), LEAST_MASS) for _ in range(200)]
    assert set(found) == {wanted}


def test_customers_far_outside_do_not_move_the_bounds() -> None:
    """Neither one, nor as many as half the tail, whatever their value."""
    exact, noise = histogram(2 ** np.random.default_rng(6).uniform(2.5, 9.8, 30_000)), SeededNoise(6)
    for bin in (0, ZERO + 25, BINS - 1):
        for count in (1, 75):
            crowd = exact.copy()
            crowd[bin] += count
            for _ in range(50):
                assert range_of(noise.add(crowd, Laplace(1 / EPSILON)), LEAST_MASS) == (4.0, 1024.0)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(0, 100))
def test_too_few_customers_have_no_bounds(seed: int, count: int) -> None:
    """False alarm: 14 thresholds would have to come of noise, below e^-200."""
    exact = np.zeros(BINS, dtype=np.int64)
    exact[ZERO + 8] = count
    assert range_of(SeededNoise(seed).add(exact, Laplace(1 / EPSILON)), LEAST_MASS) is None


def test_an_empty_bin_stands_out_as_seldom_as_promised() -> None:
    """Seeded. Of 20,000 histograms 0.2 on average have one; 6 or more come with a chance of 1e-7."""
    noise = SeededNoise(8).add(np.zeros(BINS * 20_000, dtype=np.int64), Laplace(1 / EPSILON)).reshape(-1, BINS)
    assert (noise > LEAST_MASS).any(axis=1).sum() <= 5


def released(plan: Plan, exact: dict[str, np.ndarray]) -> Release:
    parts = bounds.bound_parts(plan)
    return made_up(exact, parts, SeededNoise(9))


def test_the_plan_goes_on_with_what_was_found_under_its_old_fingerprint() -> None:
    plan = plan_without(1, epsilon=2.0)
    found = with_found_bounds(released(plan, {"spent": histogram(np.full(5000, 300.0))}), plan)
    assert [f.limits for f in found.features] == [(0, 20), (0.0, 512.0), (0, 16)]  # widened to what is missing, 0
    assert fingerprint(found) == fingerprint(plan)
    assert (found.shared_budget, found.bounds_budget) == (plan.shared_budget, plan.bounds_budget)
    with pytest.raises(RuntimeError, match="not found yet"):
        plan.features[1].limits  # noqa: B018


def test_features_whose_bounds_the_noise_hides_are_named_in_one_line() -> None:
    plan = plan_without(0, 1)
    exact = {"tenure": histogram(np.full(50_000, 3.0)), "spent": np.zeros(BINS, dtype=np.int64)}
    with pytest.raises(DataError, match=r"the noise hides the bounds of spent \(ε = 0.05 for each\); state bounds") as wrong:
        with_found_bounds(released(plan, exact), plan)
    assert wrong.value.exit_code == 1
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize("features", [(), (1,), (0, 1, 2)], ids=len)
@pytest.mark.parametrize("expected", [200, 3_000, 1_000_000])
def test_all_questions_together_cost_what_the_plan_says(features: tuple[int, ...], expected: int) -> None:
    plan = plan_without(*features, expected_customers=expected, epsilon=0.7)
    asked = questions_of(plan)
    assert sum(asked.values()) == pytest.approx(0.7)
    assert ("bounds" in asked) == bool(features)
    if features:
        assert asked["bounds"] == pytest.approx(0.07)
        assert sum(p.cost for p in bounds.bound_parts(plan)) == pytest.approx(0.07)
    assert sum(Method.of(plan).questions.values()) == pytest.approx(plan.shared_budget * 0.6)


def test_check_says_what_is_found_and_what_it_costs_and_warns_where_it_will_not_be() -> None:
    said = " ".join(explain(plan_without(1, 2, expected_customers=100_000)).split())
    assert "bounds ε = 0.1 (10%) summary ε = 0.54 (54%)" in said
    assert "The bounds of spent and visits are found privately before anything is prepared" in said
    assert "found privately" not in explain(plan_without())
    needed = customers_needed(0.05, "epsilon")
    assert needed == pytest.approx(WANTED * threshold(0.05, "epsilon"), abs=1)
    few, enough = plan_without(1, 2, expected_customers=needed - 1), plan_without(1, 2, expected_customers=needed)
    assert any(w.startswith("Warning: the bounds of spent and visits will hardly be found") for w in advice(few))
    assert not any("will hardly be found" in w for w in advice(enough))
