"""The (ε, δ) mode: conversions that are sound, prices that add up to what the plan says, and L2 sensitivities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import norm
from test_refine import exact, steps

from evenhand.ask import assessment as tallies
from evenhand.ask import bounds
from evenhand.ask import boxes as summary
from evenhand.ask import histograms as marginals
from evenhand.ask.boxes import offsets_part
from evenhand.ask.steps import SIZES_SHARE, Step
from evenhand.errors import ClosedDoor, PlanError
from evenhand.plan.accounting import LEAST_SHARE, epsilon_of, rho_of, scale_of
from evenhand.plan.advice import advice, epsilon_for, expectations
from evenhand.plan.explain import explain
from evenhand.plan.geometry import UNIT, offset_factors
from evenhand.plan.load import parse_plan
from evenhand.plan.method import Method, questions_of, strength
from evenhand.plan.models import Plan
from evenhand.privacy.noise import Gaussian, Laplace
from evenhand.privacy.question import Part
from evenhand.records.ledger import Ledger, Loss
from sample import BASE, REMOVED, plan_yaml

EPSILONS, DELTAS = [0.05, 0.5, 1.0, 4.0, 20.0], [1e-4, 1e-6, 1e-10]


def plan_with(changes: dict[str, Any] | None = None, **privacy: Any) -> Plan:
    mode = {"delta": 1e-6, "population_delta": 1e-5} | privacy
    return parse_plan(plan_yaml({f"privacy.{k}": v for k, v in mode.items() if v is not None} | (changes or {})))


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("delta", DELTAS)
def test_rho_is_as_large_as_its_conversion_allows_and_no_larger(epsilon: float, delta: float) -> None:
    rho = rho_of(epsilon, delta)
    assert epsilon_of(rho, delta) <= epsilon
    assert epsilon_of(rho, delta) == pytest.approx(epsilon, rel=1e-12)


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("delta", DELTAS)
def test_gaussian_noise_of_that_rho_is_within_epsilon_and_delta_exactly(epsilon: float, delta: float) -> None:
    """Against the exact curve of the Gaussian mechanism: Balle and Wang, ICML 2018, theorem 8 (analytic)."""
    sigma = scale_of(1, rho_of(epsilon, delta), "rho")
    exactly = norm.cdf(0.5 / sigma - epsilon * sigma) - math.exp(epsilon + norm.logcdf(-0.5 / sigma - epsilon * sigma))
    assert exactly <= delta


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 4.0])
def test_a_tighter_conversion_gives_no_smaller_rho(epsilon: float) -> None:
    """δ(ρ) by Canonne, Kamath, Steinke, NeurIPS 2020, is smaller than what we assume."""
    rho, delta = rho_of(epsilon, 1e-6), 1e-6

    def log_delta(a: float) -> float:
        return (a - 1) * (a * rho - epsilon) + (a - 1) * math.log1p(-1 / a) - math.log(a)

    best = minimize_scalar(log_delta, bounds=(1.0001, 10_000), method="bounded").fun
    assert best <= math.log(delta)


@pytest.mark.parametrize("sensitivity", [1, 3, 32768, 2**30])
@pytest.mark.parametrize("rho", [1e-6, 0.00317, 0.5, 3.0])
def test_the_scale_is_not_a_rounding_error_less_than_the_proof_needs(sensitivity: int, rho: float) -> None:
    from fractions import Fraction

    part = Part("x", 4, sensitivity, rho, "test", "rho")
    assert isinstance(part.noise, Gaussian)
    assert Fraction(sensitivity) ** 2 <= 2 * Fraction(rho) * Fraction(part.noise.scale) ** 2
    assert part.noise.scale == pytest.approx(sensitivity / math.sqrt(2 * rho), rel=1e-12)
    assert isinstance(Part("x", 4, 1, 0.5, "test").noise, Laplace)


@pytest.mark.parametrize("found", [False, True], ids=["bounds stated", "bounds found"])
@pytest.mark.parametrize("expected", [2_000, 9_000, 90_000])
@pytest.mark.parametrize("epsilon", [0.2, 3.0])
def test_all_questions_together_cost_the_rho_that_the_plan_allows(epsilon: float, expected: int, found: bool) -> None:
    changes = {"features.1.bounds": REMOVED} if found else {}
    plan = plan_with(changes, epsilon=epsilon, expected_customers=expected)
    asked = questions_of(plan)
    assert sum(asked.values()) == pytest.approx(rho_of(epsilon, 1e-6), rel=1e-9)
    parts = {
        "assessment": tallies.assessment_parts(3, plan),
        "marginals": marginals.histogram_parts(plan) if "marginals" in asked else (),
    }
    parts["bounds"] = bounds.bound_parts(plan) if found else ()
    parts["summary"] = summary.box_parts(plan, summary.boxes_of(plan, None))
    for name, of in parts.items():
        assert sum(p.cost for p in of) == pytest.approx(asked.get(name, 0.0), rel=1e-9)
        assert {p.unit for p in of} <= {"rho"}


@pytest.mark.parametrize("unit", ["epsilon", "rho"])
@pytest.mark.parametrize("method", [None, "group_blind", "balanced"])
@pytest.mark.parametrize("expected", [3_000, 10**9, 10**12])
@pytest.mark.parametrize("smallest", ["summary", "profiles", "fairness"])
def test_all_noise_of_a_plan_that_is_let_through_fits_64_bit_integers(
    unit: str, method: str | None, expected: int, smallest: str
) -> None:
    """At the least share of ε or ρ that a plan may give, with sixty features and twenty attributes."""
    budget = 0.01 if unit == "epsilon" else rho_of(0.01, 1e-13)
    least = LEAST_SHARE[unit] / budget  # type: ignore[index]
    split = dict.fromkeys(("summary", "profiles", "fairness"), (1 - 1.001 * least) / 2) | {smallest: 1.001 * least}
    feature, attribute = BASE["features"][0], BASE["protected"][1]
    changes = {
        "features": [feature | {"name": f"f{i}"} for i in range(60)],
        "protected": [attribute | {"name": f"a{i}"} for i in range(20)],
        "fairness.intersections": [[f"a{i}", f"a{j}"] for i in range(1, 11) for j in (0,)],
        "sources.events": {},
        "segments.k": 2,
        "privacy.split": split,
    }
    if method:
        changes |= {"fairness.mitigation": {"method": method, "justification": "test", "attributes": ["a0"]}}
    private = {"epsilon": 0.01, "expected_customers": expected}
    private |= {"delta": 1e-13, "population_delta": 1e-12} if unit == "rho" else {"delta": None, "population_delta": None}
    plan = plan_with(changes, **private)
    assert plan.privacy.unit == unit
    parts = [
        *tallies.assessment_parts(2, plan),
        *(marginals.histogram_parts(plan) if Method.of(plan).marginals else ()),
        *summary.box_parts(plan, summary.boxes_of(plan, None)),
    ]
    parts += [
        Part("step", 120, UNIT, cost * least_part, "test", plan.privacy.unit, 60)
        for cost in Method.of(plan).refinements
        for least_part in (SIZES_SHARE, 1 - SIZES_SHARE)
    ]
    parts += [Part(name, 4, 1, cost, "test", plan.privacy.unit) for name, cost in Method.of(plan).questions.items()]
    for part in parts:
        assert 0 < part.noise.scale <= 2.0**55 and part.noise.deviation < 2.0**59, part
    worse = split | {smallest: 0.9 * least}
    worse |= {other: (1 - 0.9 * least) / 2 for other in split if other != smallest}
    with pytest.raises(PlanError, match=f"privacy: at epsilon 0.01 split.{smallest} takes"):
        plan_with(changes | {"privacy.split": worse}, **private)


def test_a_run_takes_epsilon_and_delta_of_the_population_however_it_is_counted_within() -> None:
    plan = plan_with()
    ledger = Ledger(None, None, plan.privacy, None)  # type: ignore[arg-type]
    assert ledger.loss_of(questions_of(plan)) == Loss(1.0, 1e-6)
    with pytest.raises(ClosedDoor, match="more than"):
        ledger.loss_of(questions_of(plan) | {"one more": 0.001})
    pure = Ledger(None, None, plan_with(delta=None, population_delta=None).privacy, None)  # type: ignore[arg-type]
    assert pure.loss_of({"a": 0.25, "b": 0.5}) == Loss(0.75)


@given(steps(), st.data())
def test_one_customer_more_moves_the_offsets_of_a_step_by_its_euclidean_length_at_most(step: Step, data: st.DataObject) -> None:
    step = Step(step.number, step.centers, step.low, step.high, "rho")
    k, features = step.low.shape
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rows, segments = random.integers(0, 2**16, (20, features)), random.integers(0, k, 20)
    one = random.choice([0, 2**16 - 1], features) if data.draw(st.booleans()) else random.integers(0, 2**16, features)
    without = exact(step, rows, segments)["offsets"]
    having = exact(step, np.vstack([rows, one]), np.append(segments, data.draw(st.integers(0, k - 1))))["offsets"]
    assert sum(int(v) ** 2 for v in having - without) <= UNIT**2


@pytest.mark.parametrize(("features", "less"), [(20, False), (200, True)])
def test_gaussian_noise_is_less_than_that_of_a_cube_only_with_many_features(features: int, less: bool) -> None:
    half = np.full((2, features), 4000)
    pure, rho = (offsets_part(2, features, cost, "", unit) for cost, unit in ((1.0, "epsilon"), (rho_of(1.0, 1e-6), "rho")))
    relative = [part.noise.deviation / offset_factors(half, part.unit).mean() for part in (pure, rho)]
    assert (relative[1] < relative[0]) == less


WRONG = {
    "no_delta_of_the_population": ({"population_delta": None}, "delta 1e-06 is more than population_delta 0"),
    "delta_of_one_run_above_the_total": ({"delta": 1e-4}, "delta 0.0001 is more than population_delta 1e-05"),
    "delta_that_gives_customers_away": (
        {"delta": 1e-5, "expected_customers": 50_000},
        "delta 1e-05 is too large for 50,000 customers, some of whom would lose more than epsilon; at most 2e-06",
    ),
    "delta_of_zero": ({"delta": 0}, "privacy.delta"),
    "delta_of_one": ({"delta": 1}, "privacy.delta"),
}


@pytest.mark.parametrize(("privacy", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_delta_that_is_no_promise_is_refused(privacy: dict[str, Any], expected: str) -> None:
    with pytest.raises(PlanError) as wrong:
        plan_with(**privacy)
    assert expected in str(wrong.value)


def test_check_says_what_a_run_costs_and_what_delta_means() -> None:
    said = " ".join(explain(plan_with(population_total=20)).split())
    assert "ε = 1 of 20 and δ = 1e-06 of 1e-05 for population testers, at most 10 runs like this one" in said
    assert "within the run as ρ = 0.0175 (zero-concentrated, Gaussian noise); over runs ε and δ add up" in said
    assert "at most 0.003 customers are expected to lose more than that ε" in said
    assert "summary ρ = 0.01048 (60%)" in said


def test_the_epsilon_that_is_advised_is_enough() -> None:
    few = plan_with(expected_customers=3000, epsilon=0.5, population_total=1000)
    better = plan_with(expected_customers=3000, epsilon=epsilon_for(few, 2.0), population_total=1000)
    assert strength(better) == pytest.approx(2 * strength(few))
    for one, two in zip(expectations(few), expectations(better), strict=True):
        assert two.error == pytest.approx(one.error / 2)
        enough = plan_with(expected_customers=3000, epsilon=one.needed(few) * 1.001, population_total=1000)
        assert not any(w.startswith(f"Warning: {one.figure}") for w in advice(enough))
