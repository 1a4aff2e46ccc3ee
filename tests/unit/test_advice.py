"""What is said before anything is spent: the expected errors, and the ε that would be enough. From the plan alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.ask.assessment import SIZE, assessment_parts, group_part
from evenhand.describe.profiles import read_profiles
from evenhand.plan.advice import advice, expectations
from evenhand.plan.explain import explain
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise, SeededNoise
from evenhand.privacy.release import add_noise, made_up
from sample import plan_yaml


def plan_with(**privacy: Any) -> Plan:
    return parse_plan(plan_yaml({f"privacy.{key}": value for key, value in privacy.items()}))


def test_check_says_what_to_expect_and_from_which_epsilon_it_is_good() -> None:
    said = " ".join(explain(plan_with(expected_customers=300_000)).split())
    assert "sizes: within 0.1% of an evenly sized segment (100,000 customers); 5% from ε = 0.015" in said
    assert "typical values: within 0.1% of the range between a feature's bounds; 5% from ε = 0.0032" in said
    assert "counts of a group in a segment: within 0.2% of an evenly sized cell (25,000); 10% from ε = 0.017" in said


def test_a_warning_names_the_epsilon_that_would_do_and_that_epsilon_silences_it() -> None:
    few = plan_with(expected_customers=3000, epsilon=0.1)
    warned = [e for e in expectations(few) if e.error > e.enough]
    assert {e.figure for e in warned} == {"sizes", "typical values", "counts of a group in a segment"}
    for e in warned:
        assert any(w.startswith(f"Warning: {e.figure}") and f"ε = {e.needed(few):.2g} would" in w for w in advice(few))
        better = plan_with(expected_customers=3000, epsilon=e.needed(few) * 1.001, population_total=100)
        assert not any(w.startswith(f"Warning: {e.figure}") for w in advice(better))


@pytest.mark.parametrize("epsilon", [0.2, 1.0])
def test_the_errors_that_are_foretold_are_those_that_come(epsilon: float) -> None:
    """Seeded. Of 1,500 sizes and 4,500 values 95 % lie within what was foretold, give or take 2.5 %; that is 4 standard errors."""
    plan, k, each = plan_with(expected_customers=30_000, epsilon=epsilon), 3, 10_000
    parts, noise = assessment_parts(k, plan), SeededNoise(11)
    exact = {SIZE: np.full(k, each)}
    exact |= {group_part(a.name): np.full(k * 4, each // 4) for a in plan.protected}
    exact = {p.name: np.zeros(p.cells, dtype=np.int64) for p in parts} | exact
    size, value, _ = expectations(plan)
    sizes, values = [], []
    for _ in range(500):
        answer = add_noise(parts, exact, noise)
        found = read_profiles(made_up(answer, parts, NoNoise()), plan)
        sizes += (np.abs(found.size - each) / each <= size.error).tolist()
        values += (
            (np.abs(found.value[:, [0, 2]] - np.array([10.0, 8.0])) / np.array([20.0, 16.0]) <= value.error).ravel().tolist()
        )
    assert np.mean(sizes) == pytest.approx(0.95, abs=0.025)
    assert np.mean(values) == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize(
    ("attributes", "intersections", "warned"),
    [
        ([], [], ["[gender, age_band]"]),
        (["gender"], [], []),
        ([], [["gender", "age_band"]], []),
        ([], [["age_band", "gender"]], []),
    ],
)
def test_balanced_by_several_attributes_says_that_nobody_looks_at_them_together(
    attributes: list[str], intersections: list[list[str]], warned: list[str]
) -> None:
    balanced = {"method": "balanced", "justification": "test", "attributes": attributes}
    plan = parse_plan(plan_yaml({"fairness.mitigation": balanced, "fairness.intersections": intersections}))
    said = [line for line in advice(plan) if "alone" in line]
    assert [line.partition("State ")[2].partition(" in ")[0] for line in said] == warned
    assert not [line for line in advice(parse_plan(plan_yaml())) if "alone" in line]


def test_a_population_that_is_large_enough_is_not_warned_of() -> None:
    assert advice(plan_with(expected_customers=10_000_000)) == []


def test_the_cells_that_are_foretold_are_those_of_the_finest_table() -> None:
    def cell(intersections: list[list[str]]) -> float:
        plan = parse_plan(plan_yaml({"fairness.intersections": intersections}))
        assert len(plan.protected) > 1
        return next(e for e in expectations(plan) if e.figure.startswith("counts")).error

    both = [a.name for a in parse_plan(plan_yaml()).protected[:2]]
    assert cell([both]) > 2 * cell([])
