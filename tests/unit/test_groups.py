"""The tables of groups, and that attributes are counted together in few batches that hold every table."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.errors import PlanError
from evenhand.plan import groups
from evenhand.plan.groups import GroupTable, batches, group_tables
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from sample import plan_dict, plan_yaml


def plan_with(sizes: list[int], intersections: list[list[str]]) -> Plan:
    protected = [
        {"name": f"a{i}", "why": "law", "column": f"c{i}", "groups": {f"g{j}": [j] for j in range(max(size - 2, 1))}}
        for i, size in enumerate(sizes)
    ]
    return Plan.model_validate(plan_dict({"protected": protected, "fairness.intersections": intersections}))


def test_an_intersection_has_every_pair_of_groups() -> None:
    plan = parse_plan(plan_yaml({"fairness.intersections": [["gender", "age_band"]]}))
    table = group_tables(plan)[2]
    assert table.name == "gender × age_band"
    assert table.groups[:2] == ["female × under 30", "female × 30 to under 60"]
    assert len(table.groups) == table.size == 16


@pytest.mark.parametrize(
    ("changes", "names", "fallback"),
    [
        ({"protected.0.others": None}, ["female", "male", "unknown"], "unknown"),
        ({"protected.0.unknown": None}, ["female", "male", "other"], "other"),
        ({"protected.0.others": None, "protected.0.unknown": None}, ["female", "male"], "female"),
    ],
)
def test_groups_that_cannot_be_are_no_groups(changes: dict[str, object], names: list[str], fallback: str) -> None:
    attribute = parse_plan(plan_yaml(changes)).protected[0]
    assert (attribute.group_names, attribute.fallback) == (names, fallback)


def test_bands_may_rule_out_that_a_number_is_missing() -> None:
    attribute = parse_plan(plan_yaml({"protected.1.unknown": None})).protected[1]
    assert (attribute.group_names, attribute.fallback) == (["under 30", "30 to under 60", "60 and over"], "under 30")


def test_a_group_must_have_another_to_be_compared_with() -> None:
    alone = {"protected.0.groups": {"female": ["f"]}, "protected.0.others": None, "protected.0.unknown": None}
    with pytest.raises(PlanError, match=r"protected.gender: one group alone has nobody to be compared with"):
        parse_plan(plan_yaml(alone))


@pytest.mark.parametrize(
    ("bands", "names"),
    [
        ([1_000_000, 1_000_001], ["under 1000000", "1000000 to under 1000001", "1000001 and over"]),
        ([-0.5, 0, 17.25, 1234567.5], ["under -0.5", "-0.5 to under 0", "0 to under 17.25", "17.25 to under 1234567.5", "1234567.5 and over"]),
    ],
)  # fmt: skip
def test_bands_are_named_by_their_cuts_in_full(bands: list[float], names: list[str]) -> None:
    plan = parse_plan(plan_yaml({"protected.1.bands": bands}))
    assert plan.protected[1].group_names == [*names, "unknown"]


@settings(max_examples=60)
@given(st.data())
def test_every_table_is_counted_in_one_batch_and_no_batch_is_too_large(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(3, 20), min_size=1, max_size=10))
    names = [f"a{i}" for i in range(len(sizes))]
    pairs = st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True)
    plan = plan_with(sizes, data.draw(st.lists(pairs, max_size=4)) if len(names) > 1 else [])
    found = batches(plan)
    for table in group_tables(plan):
        assert any({a.name for a in table.attributes} <= {a.name for a in batch} for batch in found)
    alone = [t.attributes for t in group_tables(plan)]
    assert all(batch in alone or math.prod(len(a.group_names) for a in batch) <= groups.MOST_CODES for batch in found)
    assert len(found) <= len(group_tables(plan))


def test_small_attributes_are_counted_together_and_large_ones_apart() -> None:
    assert [GroupTable(batch).size for batch in batches(plan_with([4] * 6, []))] == [256, 16]
    assert len(batches(plan_with([20] * 10, []))) == 10


WRONG = {
    "unknown attribute": ({"fairness.intersections": [["gender", "age_bnd"]]}, "fairness.intersections, entry 1: no protected attribute age_bnd; did you mean age_band?"),
    "twice": ({"fairness.intersections": [["gender", "age_band"], ["age_band", "gender"]]}, "fairness.intersections, entry 2: an attribute or an intersection is named twice"),
    "one attribute": ({"fairness.intersections": [["gender"]]}, "fairness.intersections, entry 1"),
    "offer of a segment that may not be": (
        {"segments.k": {"at_least": 2, "at_most": 4}, "fairness.offers": [{"name": "gift", "why": "thanks", "segments": [1, 3]}]},
        "fairness.offers.gift.segments: there is no segment 3 of 2",
    ),
    "offer of no segment": ({"fairness.offers": [{"name": "gift", "why": "thanks", "segments": [99]}]}, "fairness.offers.gift.segments: there is no segment 99"),
    "offer both ways": ({"fairness.offers": [{"name": "gift", "why": "thanks", "segments": [1], "where": {"spent": [1, None]}}]}, "state either segments or where"),
    "offer by no feature": ({"fairness.offers": [{"name": "gift", "why": "thanks", "where": {"spend": [1, None]}}]}, "fairness.offers.gift.where: no feature spend; did you mean spent?"),
    "offer reversed": ({"fairness.offers": [{"name": "gift", "why": "thanks", "where": {"spent": [9, 1]}}]}, "where.spent is reversed; write [1, 9]"),
    "offer without ends": ({"fairness.offers": [{"name": "gift", "why": "thanks", "where": {"spent": [None, None]}}]}, "where.spent has no end; state at least one"),
    "a group of fractions": ({"protected.0.groups": {"a": [1.5]}}, "protected.gender.groups.a, entry 1: a text, a whole number or a boolean is needed"),
    "a group of nothing": ({"protected.0.groups": {"a": [None]}}, "who has no value is in `unknown` (found: None)"),
    "true in one group and in another": ({"protected.0.groups": {"a": [True], "b": ["true"]}}, "a value is in two groups"),
    "reference of no group": ({"protected.0.reference": {"name": "census", "shares": {"femal": 0.5}}}, "no group femal"),
    "reference of too many": ({"protected.0.reference": {"name": "census", "shares": {"female": 0.6, "male": 0.5}}}, "add up to 1.1"),
    "reference unknown": ({"protected.0.reference": "census"}, "protected.gender.reference"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_where_it_stands(changes: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError) as wrong:
        parse_plan(plan_yaml(changes))
    assert said in str(wrong.value)
