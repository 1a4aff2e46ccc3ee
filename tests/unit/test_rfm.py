"""One entry of a plan for recency, frequency and monetary value: what it is read as, and how its mistakes are told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from evenhand.errors import PlanError
from evenhand.plan.columns import reasons
from evenhand.plan.explain import explain
from evenhand.plan.expressions import summed_column
from evenhand.plan.load import canonical, fingerprint, parse_plan
from evenhand.plan.models import Plan
from evenhand.plan.schema import plan_schema
from sample import BASE, plan_dict, plan_yaml

RFM = {"kind": "rfm", "why": "lapsed and big customers get other offers", "events": "purchases", "amount": "amount"}


def plan_with(entry: dict[str, Any], **changes: Any) -> Plan:
    return parse_plan(text_with(entry, **changes))


def text_with(*entries: Any, **changes: Any) -> str:
    return plan_yaml({"features": [BASE["features"][0], *entries], **changes})


def test_five_lines_are_three_features_that_could_have_been_written_out() -> None:
    why, of = RFM["why"], "purchases"
    written = [
        {"name": "recency", "why": why, "events": of, "expression": "datediff(as_of, max(`purchased_at`))", "bounds": [0, 365], "missing": 365, "unit": "days",
         "words": {"low": "bought lately", "high": "not seen for long"}},
        {"name": "frequency", "why": why, "events": of, "expression": "count(*)", "bounds": [0, 100], "scale": "log", "missing": 0, "unit": "events",
         "words": {"low": "buys seldom", "high": "buys often"}},
        {"name": "monetary", "why": why, "events": of, "expression": "sum(`amount`)", "bounds": [0, 10_000], "scale": "log", "missing": 0,
         "words": {"low": "spends little", "high": "spends much"}},
    ]  # fmt: skip
    short, long = plan_with(RFM), parse_plan(text_with(*written))
    assert canonical(short) == canonical(long)
    assert fingerprint(short) == fingerprint(long)
    assert short.features == long.features


def test_what_a_run_has_stored_of_it_is_read_again_as_the_same_plan() -> None:
    plan = plan_with(RFM)
    assert canonical(Plan.model_validate(plan.model_dump(mode="json", by_alias=True))) == canonical(plan)


def test_bounds_unit_and_names_are_the_plan_s() -> None:
    plan = plan_with(
        RFM | {"name": "online", "unit": "EUR", "bounds": {"recency": [5, 90], "frequency": [1, 20], "monetary": None}}
    )
    recency, frequency, monetary = plan.features[1:]
    assert plan.feature_names[1:] == ["online_recency", "online_frequency", "online_monetary"]
    assert (recency.bounds, recency.missing) == ((5, 90), 90)  # never is longest ago
    assert (frequency.bounds, frequency.missing) == ((1, 20), 1)  # none is the least that can be told apart
    assert (monetary.bounds, monetary.missing, monetary.unit) == (None, 0, "EUR")
    assert plan.to_find == [monetary]


def test_bounds_of_recency_may_be_found_too() -> None:
    recency = plan_with(RFM | {"bounds": {"recency": None}}).features[1]
    assert (recency.bounds, recency.missing) == (None, 365)


def test_only_events_of_the_last_days_count_where_the_plan_says_so() -> None:
    recency, frequency, monetary = plan_with(RFM | {"days": 90}).features[1:]
    assert recency.expression == "datediff(as_of, max(if(`purchased_at` >= as_of - interval 90 days, `purchased_at`, null)))"
    assert frequency.expression == "count(if(`purchased_at` >= as_of - interval 90 days, 1, null))"
    assert monetary.expression == "sum(if(`purchased_at` >= as_of - interval 90 days, `amount`, null))"
    assert (recency.bounds, recency.missing) == ((0, 90), 90)


def test_columns_of_any_name_are_read() -> None:
    plan = plan_with(RFM | {"amount": "Wert `€`"}, **{"sources.events.purchases.time": "bought at"})
    assert [column for source, column, _ in reasons(plan) if source == "purchases"][-3:-1] == ["bought at", "Wert `€`"]


def test_two_sources_are_told_apart_by_a_name() -> None:
    shop = {"path": "shop", "id": "customer_id", "time": "at"}
    plan = parse_plan(text_with(RFM, RFM | {"events": "shop", "name": "shop", "amount": "paid"}, **{"sources.events.shop": shop}))
    assert plan.feature_names == ["tenure", "recency", "frequency", "monetary", "shop_recency", "shop_frequency", "shop_monetary"]
    assert plan.features[4].expression == "datediff(as_of, max(`at`))"


def test_the_check_says_what_it_was_read_as() -> None:
    said = " ".join(explain(plan_with(RFM | {"unit": "EUR"})).split())
    assert "recency: datediff(as_of, max(`purchased_at`)) over purchases; 0 to 365 days, missing counts as 365" in said
    assert "frequency: count(*) over purchases; 0 to 100 events, log scale, missing counts as 0" in said
    assert "monetary: sum(`amount`) over purchases; 0 to 10,000 EUR, log scale, missing counts as 0" in said
    assert "amount: feature monetary: lapsed and big customers get other offers" in said


# What is wrong, and all that is said of it; line 24 is where the entry begins.
WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no_amount": ({k: v for k, v in RFM.items() if k != "amount"}, ["line 24: features.rfm.amount: missing, must be stated"]),
    "another_kind": (RFM | {"kind": "rfn"}, ["line 24: features.rfn: there is no kind rfn; known: rfm, categories; a single feature has none"]),
    "a_misspelled_key": (RFM | {"amont": "x"}, ["line 28: features.rfm.amont: unknown key; did you mean amount?"]),
    "a_key_of_a_feature": (RFM | {"column": "x"}, ["line 28: features.rfm.column: unknown key; known keys: amount, bounds, days, events, kind, name, unit, why"]),
    "reversed_bounds": (RFM | {"bounds": {"monetary": [5, 1]}}, ["line 29: features.rfm.bounds.monetary: the bounds are reversed; write [1, 5] (found: [5, 1])"]),
    "bounds_of_nothing": (RFM | {"bounds": {"money": [0, 1]}}, ["line 29: features.rfm.bounds.money: unknown key; did you mean monetary?"]),
    "one_pair_of_bounds": (RFM | {"bounds": [0, 1]}, ["line 28: features.rfm.bounds: keys are needed: frequency, monetary, recency (found: [0, 1])"]),
    "no_days": (RFM | {"days": 0}, ["line 28: features.rfm.days: input should be greater than or equal to 1 (found: 0)"]),
    "a_protected_attribute": (RFM | {"amount": "age"}, ["line 24: features.rfm: column age is the protected attribute age_band; a protected attribute may be measured, not used as a feature"]),
    "no_such_source": (RFM | {"events": "purchase"}, ["line 26: features.rfm.events: no event source purchase; did you mean purchases?",
                                                      "line 12: sources.events.purchases: no feature uses it; what is not needed must not be read"]),
    "a_name_too_long": (RFM | {"name": "n" * 31}, [f"line 28: features.{'n' * 31}.name: string should have at most 30 characters (found: '{'n' * 31}')"]),
}  # fmt: skip


@pytest.mark.parametrize(("entry", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told_by_the_line_of_the_file_and_once(entry: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(PlanError) as wrong:
        plan_with(entry)
    assert wrong.value.problems == said


def test_a_mistake_after_it_has_the_line_of_the_file() -> None:
    with pytest.raises(PlanError) as wrong:
        parse_plan(text_with(RFM, {"name": "again", "why": "t", "column": "sex", "missing": 0}))
    (said,) = wrong.value.problems
    assert said.startswith("line 28: features.again: column sex is the protected attribute gender")


def test_two_entries_without_a_name_are_told_which_name_is_taken() -> None:
    with pytest.raises(PlanError) as wrong:
        parse_plan(text_with(RFM, RFM))
    assert [said.partition(": ")[2] for said in wrong.value.problems] == [
        f"features.rfm.name: {part} is named twice" for part in ("recency", "frequency", "monetary")
    ]


def test_three_features_count_as_three() -> None:
    many = [{"name": f"n{i}", "why": "t", "column": f"n{i}", "missing": 0} for i in range(57)]
    with pytest.raises(
        PlanError, match="features: the entries stand for 61 features, of which a plan has at most 60; leave some out"
    ):
        parse_plan(text_with(RFM, *many))


def test_an_editor_knows_both_forms() -> None:
    def mistakes(entry: dict[str, Any]) -> int:
        plan = yaml.safe_load(text_with(entry))
        return len(list(Draft202012Validator(plan_schema()).iter_errors(plan)))

    assert mistakes(RFM) == mistakes(RFM | {"days": 90, "bounds": {"monetary": [0, 500], "recency": None}}) == 0
    assert mistakes(RFM | {"kind": "rfn"}) == mistakes(RFM | {"column": "x"}) == 1
    assert not list(Draft202012Validator(plan_schema()).iter_errors(plan_dict()))


@pytest.mark.parametrize(
    ("expression", "column"),
    [
        ("sum(amount)", "amount"),
        ("SUM(`a b`)", "a b"),
        ("sum(if(`t` >= as_of - interval 90 days, `a b`, null))", "a b"),
        ("sum(if(gift, 1, 0))", None),
        ("sum(a * b)", None),
        ("sum(a) / 2", None),
        ("avg(a)", None),
        ("sum(try_cast(a as double))", None),
    ],
)
def test_a_column_that_is_added_up_as_it_is_is_known(expression: str, column: str | None) -> None:
    """Its type is looked at when a run starts: of a text everybody would have 0."""
    assert summed_column(expression) == column
