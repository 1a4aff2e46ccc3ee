"""The public rule: which questions are asked, what each may spend, and that nothing but public numbers decides."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

from evenhand.plan.load import parse_plan
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from sample import plan_yaml


def plan_for(customers: int, epsilon: float = 1.0, k: int = 3) -> Plan:
    return parse_plan(plan_yaml({"privacy.expected_customers": customers, "privacy.epsilon": epsilon, "segments.k": k}))


@pytest.mark.parametrize("customers", [30_000, 3_000_000, 10**9])
@pytest.mark.parametrize("epsilon", [0.03, 0.3, 3.0])
def test_the_questions_spend_exactly_what_the_plan_gives_the_summary(customers: int, epsilon: float) -> None:
    plan = plan_for(customers, epsilon)
    questions = Method.of(plan).questions
    assert sum(questions.values()) == pytest.approx(epsilon * plan.privacy.split.summary)
    assert min(questions.values()) > 0


@pytest.mark.parametrize(
    ("customers", "names"),
    [
        (250, ["summary"]),
        (500, ["marginals", "summary", "refinement 1"]),
        (3_000, ["marginals", "summary", "refinement 1"]),
        (100_000, ["marginals", "summary", "refinement 1", "refinement 2", "refinement 3"]),
        (8_000_000, ["summary"]),
    ],
)
def test_very_few_and_very_many_customers_get_the_plain_pass_others_one_step_or_three(customers: int, names: list[str]) -> None:
    assert list(Method.of(plan_for(customers)).questions) == names


def test_a_little_more_budget_never_changes_the_questions_of_those_who_have_few_customers() -> None:
    """From a strength of 20 up to one of 500 there is no border at which another method begins."""
    ladder = [Method.of(plan_for(3_000, epsilon)) for epsilon in np.geomspace(0.11, 2.4, 80).tolist()]
    shares = [{name: cost / sum(of.questions.values()) for name, cost in of.questions.items()} for of in ladder]
    for one, other in itertools.pairwise(shares):
        assert one.keys() == other.keys()
        assert all(abs(one[name] - other[name]) < 0.01 for name in one)


@pytest.mark.parametrize("expected", [5_040_000, 8_000_000], ids=["who consent in the bench", "all"])
def test_eight_million_customers_with_twelve_features_and_eight_segments_take_one_pass(expected: int) -> None:
    """The case of the speed goals: more passes would cost seconds."""
    twelve = [{"name": f"f{j}", "why": "t", "column": f"f{j}", "bounds": [0, 1], "missing": 0} for j in range(12)]
    changes = {"features": twelve, "sources.events": {}, "segments.k": 8, "privacy.expected_customers": expected}
    assert list(Method.of(parse_plan(plan_yaml(changes))).questions) == ["summary"]


def test_more_segments_ask_for_the_method_of_the_largest_k_of_a_range() -> None:
    k_range = parse_plan(plan_yaml({"segments.k": {"at_least": 2, "at_most": 9}, "privacy.expected_customers": 10_000}))
    assert Method.of(k_range) == Method.of(plan_for(10_000, k=9))


def test_the_rule_can_see_the_plan_and_nothing_else() -> None:
    assert list(inspect.signature(Method.of).parameters) == ["plan"]
