"""A proposed plan: every column has a place, and once a person has filled in what is asked for, the plan is sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evenhand.errors import PlanError
from evenhand.plan.explain import explain
from evenhand.plan.load import parse_plan
from evenhand.propose.plan import Proposal, propose, source_names
from evenhand.propose.schemas import Column, Schema, table_of

OUT = Path("/plans/shop.yaml")


def schema(address: str, **columns: str) -> Schema:
    return Schema(table_of(address), tuple(Column(name, kind) for name, kind in columns.items()))


CUSTOMERS = schema(
    "/plans/data/customers",
    customer_id="string",
    gender="string",
    age="int",
    disabled="boolean",
    birth_date="date",
    email="string",
    post_code="int",
    years_with_us="double",
    newsletter="boolean",
    card_number="bigint",
    since="date",
    tags="array<string>",
)
ORDERS = schema(
    "/plans/data/orders",
    customer_id="string",
    ordered_at="timestamp",
    paid_at="timestamp",
    amount="decimal(10,2)",
    gift="boolean",
    item="string",
)
CONSENT = schema("/plans/data/consent", customer_id="string", purpose="string", state="string", recorded_at="timestamp")
FILLED = {
    "purpose:": "purpose: offers",
    "expected_customers:": "expected_customers: 200000",
    "groups:": "groups: {female: [f], male: [m]}",
    "path:": "path: data/consent",
    "state:": "state: s",
    "recorded_at:": "recorded_at: r",
    "id:": "id: c",
    "time:": "time: t",
    "protected:": "protected: [{name: sex, why: law, column: s, groups: {f: [f], m: [m]}}]",
    "features:": "features: [{name: n, why: need, column: n, missing: 0}]",
}  # fmt: skip


def filled(made: Proposal) -> str:
    """The plan as a person completes it: every key without a value gets one."""
    lines = made.text.splitlines()
    for gap in made.gaps:
        key = lines[gap.line - 1].strip()
        at = gap.line if key == "consent:" else gap.line - 1
        lines[at] = re.sub(r"\S+:$", lambda found: FILLED[found[0]], lines[at])
    return "\n".join(lines)


WORLDS = {
    "all there": (CUSTOMERS, [ORDERS], CONSENT),
    "no events": (CUSTOMERS, [], CONSENT),
    "no consent": (CUSTOMERS, [ORDERS], None),
    "names of a catalog": (schema("main.shop.customers", id="bigint", sex="int", income="double"), [schema("main.shop.visits", id="bigint", day="date")], None),
    "no id, no time": (schema("c", x="double", sex="string"), [schema("e", y="double")], schema("k", who="string")),
    "nothing to measure": (schema("c", customer_id="string", spent="double"), [], CONSENT),
    "nothing to learn from": (schema("c", customer_id="string", sex="string"), [], CONSENT),
    "names that are awkward": (
        Schema(table_of("c"), tuple(Column(n, k) for n, k in [("Kunden-ID", "string"), ("yes", "double"), ("a: b #`x`", "int"), ("日本", "double"), ("size", "double"), ("line\nbreak", "int"), ("Sex", "string")])),
        [Schema(table_of("Größe in cm"), (Column("Kunden-ID", "string"), Column("t`1", "timestamp"), Column("Wert €", "double"), Column("SEX", "int")))],
        CONSENT,
    ),
    "seventy columns": (schema("c", customer_id="string", sex="string", **{f"n{i}": "double" for i in range(70)}), [ORDERS], CONSENT),
}  # fmt: skip


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS.keys())
def test_what_a_check_refuses_first_is_what_init_asks_to_fill_in(world: tuple[Schema, list[Schema], Schema | None]) -> None:
    made = propose(*world, OUT)
    with pytest.raises(PlanError) as wrong:
        parse_plan(made.text)
    assert len(wrong.value.problems) == len(made.gaps) == made.text.count("# FILL IN: ")
    plan = parse_plan(filled(made))
    assert plan.name == "shop"
    assert explain(plan).startswith("Plan shop")
    assert (len(plan.features), len(plan.protected)) == (made.features or 1, made.attributes or 1)


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS.keys())
def test_what_customers_are_told_is_sound_once_it_is_no_comment(world: tuple[Schema, list[Schema], Schema | None]) -> None:
    head, _, notice = filled(propose(*world, OUT)).partition("# contact:")
    plan = parse_plan(head + "\n".join(line.removeprefix("# ") for line in f"# contact:{notice}".splitlines()))
    assert plan.notice is not None and plan.contact is not None
    assert plan.notice.never_used == [c.name for c in world[0].columns if c.name == "email"]


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS.keys())
def test_every_column_of_the_customers_has_a_place(world: tuple[Schema, list[Schema], Schema | None]) -> None:
    made = propose(*world, OUT)
    flat = made.text.replace("\\n", "\n").replace("''", "'")
    assert [c.name for c in world[0].columns if c.name not in flat and c.name.replace("\n", " ") not in flat] == []
    assert [
        line for line in made.text.splitlines() if len(line) > 80 and line.lstrip().startswith("#") and " " in line.strip("# ")
    ] == []


def test_each_column_is_proposed_as_what_its_name_and_type_say() -> None:
    plan = parse_plan(filled(propose(CUSTOMERS, [ORDERS], CONSENT, OUT)))
    assert [f.column for f in plan.features if f.column] == ["years_with_us", "newsletter"]
    assert [f.expression for f in plan.features if f.expression] == [
        "datediff(as_of, max(`ordered_at`))",
        "count(*)",
        "sum(`amount`)",
        "sum(if(`gift`, 1, 0))",
    ]
    assert [a.column for a in plan.protected] == ["gender", "age", "disabled"]
    assert plan.protected[1].bands == [25, 40, 55, 65]
    text = propose(CUSTOMERS, [ORDERS], CONSENT, OUT).text
    for unused in ("birth_date", "email", "post_code", "card_number", "since", "tags", "item", "paid_at"):
        assert re.search(rf"^#   {unused} \(", text, flags=re.M), unused


def test_a_table_with_a_time_and_an_amount_is_one_entry_for_three_features() -> None:
    """A second one has its name before the three. A table without an amount is counted as before, and so is one without a time."""
    visits = schema("/plans/data/visits", customer_id="string", visited_at="timestamp", minutes="int")
    returns = schema("/plans/data/returns", customer_id="string", returned_on="date", total_paid="double", amount="int")
    untimed = schema("/plans/data/bonus", customer_id="string", amount="double")
    made = propose(CUSTOMERS, [ORDERS, visits, returns, untimed], CONSENT, OUT)
    assert made.text.count("- kind: rfm") == 2
    of_events = [f.name for f in parse_plan(filled(made).replace("      time:\n", "      time: t\n")).features if f.events]
    assert of_events == [
        *("recency", "frequency", "monetary", "orders_gift"),
        *("visits_count", "visits_days_since", "visits_minutes"),
        *("returns_recency", "returns_frequency", "returns_monetary", "returns_amount"),
        *("bonus_count", "bonus_amount"),
    ]


@pytest.mark.parametrize("name", ["customer_no", "Kunden_Nr", "userKey", "member_number", "loyalty_id"])
def test_the_customer_s_id_is_known_by_what_shops_call_it(name: str) -> None:
    tables = [schema(table, order="bigint", **{name: "string"}, sex="string", n="int") for table in ("customers", "orders")]
    plan = parse_plan(filled(propose(tables[0], tables[1:], schema("consent", **{name: "string"}), OUT)))
    assert plan.sources.customers.id == plan.sources.events["orders"].id == plan.sources.consent.id == name
    assert not [f.name for f in plan.features if f.expression and "`order`" in f.expression]


def test_tables_below_the_plan_are_named_relative_to_it_and_others_are_not() -> None:
    far = schema("/elsewhere/customers", customer_id="string", sex="string", n="int")
    text = propose(far, [ORDERS], schema("s3://bucket/consent", customer_id="string"), OUT).text
    assert "path: /elsewhere/customers" in text and "path: data/orders" in text and "path: s3://bucket/consent" in text


def test_two_tables_of_one_name_are_two_sources() -> None:
    assert source_names([schema("a/orders"), schema("b/orders"), schema("x.customers")]) == ["orders", "orders_2", "customers_3"]


@pytest.mark.parametrize(
    ("table", "schemas"),
    [
        ("shop.customers", ["shop_restricted", "shop_open", "shop_erasures"]),
        ("main.crm.customers", ["main.shop_restricted", "main.shop_open", "main.shop_erasures"]),
    ],
)
def test_tables_by_name_get_zones_by_name_in_the_same_catalog(table: str, schemas: list[str]) -> None:
    made = propose(schema(table, customer_id="string", sex="string", years="double"), [], CONSENT, OUT)
    output = parse_plan(filled(made)).output
    places = (output.restricted, output.open, output.erasures)
    assert [place.catalog_schema for place in places if place] == schemas
