"""What a plan may ask of mitigation, what it must say for it, and what its questions cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.assignment.joint_groups import JointGroups, joint_tables
from evenhand.errors import PlanError
from evenhand.plan.explain import explain
from evenhand.plan.groups import group_tables
from evenhand.plan.load import parse_plan
from evenhand.plan.method import CHECKS, GROUPS, MARGINS, Method, balance, check
from evenhand.plan.models import Plan
from sample import plan_yaml

BALANCED = {"method": "balanced", "justification": "Both sexes must get the offer alike."}


def plan_with(mitigation: dict[str, Any] | None, **changes: Any) -> Plan:
    return parse_plan(plan_yaml({"fairness.mitigation": mitigation} | changes))


@pytest.mark.parametrize(
    ("mitigation", "message"),
    [
        ({"method": "balanced"}, "state in justification why it is needed and allowed here"),
        ({"method": "balanced", "justification": "  "}, "fairness.mitigation.justification"),
        ({"method": "fair"}, "fairness.mitigation.method"),
        (BALANCED | {"attributes": ["sex"]}, "sex is no protected attribute; known: gender, age_band"),
        (BALANCED | {"bounds": {"at_least": 1.2}}, "fairness.mitigation.bounds.at_least"),
        (BALANCED | {"bounds": {"at_most": 0.9}}, "fairness.mitigation.bounds.at_most"),
        (BALANCED | {"bounds": {"shares": {"gender": {"female": [0.6, 0.4]}}}}, "two ascending shares between 0 and 1"),
        (BALANCED | {"bounds": {"shares": {"gender": {"women": [0.4, 0.6]}}}}, "no group women; known: female, male"),
        (BALANCED | {"attributes": ["age_band"], "bounds": {"shares": {"gender": {"female": [0, 1]}}}}, "known: age_band"),
        (
            BALANCED | {"bounds": {"shares": {"gender": {"female": [0.55, 1], "male": [0.55, 1], "other": [0, 1]}}}},
            "fairness.mitigation.bounds.shares.gender: the least shares of female and male add up to 1.1 of a segment; lower",
        ),
        (
            BALANCED | {"bounds": {"shares": {"gender": {g: [0, 0.2] for g in ("female", "male", "other", "unknown")}}}},
            "the greatest shares of all groups, female and male and other and unknown, add up to 0.8 of a segment",
        ),
        (BALANCED | {"bound": {}}, "did you mean bounds?"),
    ],
)
def test_a_plan_that_asks_wrongly_is_told_what_is_wrong_and_where(mitigation: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError) as wrong:
        plan_with(mitigation)
    assert message in str(wrong.value)


@pytest.mark.parametrize(
    "shares",
    [
        {"female": [0.5, 0.5], "male": [0.5, 0.5]},
        {"female": [0, 0.2], "male": [0, 0.2]},  # others may be the rest
        {"female": [0.7, 0.7], "male": [0.1, 0.1], "other": [0.1, 0.1], "unknown": [0.1, 0.1]},
    ],
)
def test_shares_that_make_up_a_segment_are_no_contradiction(shares: dict[str, list[float]]) -> None:
    assert plan_with(BALANCED | {"bounds": {"shares": {"gender": shares}}}).fairness.mitigation is not None


def test_too_many_combinations_of_groups_are_refused() -> None:
    many = {"name": "town", "why": "test", "column": "town", "groups": {f"t{i}": [f"t{i}"] for i in range(40)}}
    with pytest.raises(PlanError, match="combinations of groups, more than the 256"):
        plan_with(BALANCED, **{"protected.2": many})


@pytest.mark.parametrize("customers", [300, 3_000, 100_000, 8_000_000])
@pytest.mark.parametrize("method", ["group_blind", "balanced"])
def test_mitigation_is_paid_from_the_learning_s_share_and_costs_the_run_nothing_more(customers: int, method: str) -> None:
    plan = plan_with({"method": method, "justification": "test", "share": 0.3}, **{"privacy.expected_customers": customers})
    questions = Method.of(plan).questions
    names = {GROUPS} if method == "group_blind" else {GROUPS, MARGINS, balance(1)}
    assert names <= set(questions)
    assert sum(questions.values()) == pytest.approx(plan.privacy.epsilon * plan.privacy.split.summary)
    counts = [n for n in questions if n.startswith("balance ")]
    assert sum(questions[n] for n in names | set(counts)) == pytest.approx(
        0.3 * plan.privacy.epsilon * plan.privacy.split.summary
    )


def test_where_noise_rules_the_balance_is_counted_again_and_segments_that_noise_made_are_looked_for() -> None:
    weak, strong = (plan_with(BALANCED, **{"privacy.expected_customers": n}) for n in (3_000, 1_000_000))
    blind = plan_with({"method": "group_blind"}, **{"privacy.expected_customers": 3_000})
    assert len(Method.of(weak).refinements) == 1  # or the numbers above test nothing
    assert (Method.of(weak).balances, Method.of(strong).balances, Method.of(blind).balances) == (3, 1, 0)
    assert [check(i) in Method.of(weak).questions for i in (1, CHECKS, CHECKS + 1)] == [True, True, False]
    assert check(1) not in Method.of(strong).questions and check(1) not in Method.of(blind).questions


def test_off_is_the_default_and_asks_nothing() -> None:
    plan = parse_plan(plan_yaml())
    assert plan.fairness.mitigation is None
    assert plan.mitigated == []
    assert not {GROUPS, MARGINS, balance(1)} & set(Method.of(plan).questions)
    assert "Mitigation" not in explain(plan)


def test_the_check_says_that_the_group_is_read_and_may_be_unlawful_and_repeats_the_justification() -> None:
    said = " ".join(explain(plan_with(BALANCED)).split())
    assert "which may be unlawful" in said
    assert BALANCED["justification"] in said
    assert "without looking at it" in " ".join(explain(plan_with({"method": "group_blind"})).split())


def test_every_combination_of_groups_has_one_number_and_belongs_to_one_group_of_each_attribute() -> None:
    joint = JointGroups.of(plan_with(BALANCED))
    assert joint.count == 4 * 4
    assert len({tuple(d) for d in joint.digits.tolist()}) == joint.count
    np.testing.assert_array_equal(joint.members.sum(axis=0), np.full(joint.count, 2))


def test_stated_intersections_are_measured_where_all_of_their_attributes_are_mitigated() -> None:
    both = parse_plan(plan_yaml({"fairness.mitigation": BALANCED, "fairness.intersections": [["age_band", "gender"]]}))
    joint, (gender, age, crossed) = JointGroups.of(both), joint_tables(both)
    assert (gender.name, age.name, crossed.name) == ("gender", "age_band", "age_band × gender")
    np.testing.assert_array_equal(np.concatenate([gender.members, age.members]), joint.members)
    assert list(crossed.groups) == group_tables(both)[2].groups
    ages, genders = dict(joint.attributes)["age_band"], dict(joint.attributes)["gender"]
    for group, members in zip(crossed.groups, crossed.members, strict=True):
        of_age, of_gender = group.split(" × ")
        (only,) = np.flatnonzero(members)
        digits = dict(zip(("gender", "age_band"), joint.digits[only], strict=True))
        assert (ages[digits["age_band"]], genders[digits["gender"]]) == (of_age, of_gender)
    alone = {"method": "group_blind", "attributes": ["gender"]}
    one = parse_plan(plan_yaml({"fairness.mitigation": alone, "fairness.intersections": [["age_band", "gender"]]}))
    assert [t.name for t in joint_tables(one)] == ["gender"]
