"""A person may keep single columns back: nothing that a run computes has seen them, and nobody else's values change."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.errors import SourceError
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID
from evenhand.prepare.customers import prepared_customers, timestamp
from evenhand.prepare.magnitudes import magnitudes
from evenhand.prepare.pseudonym import Pads
from evenhand.prepare.quality import input_quality
from evenhand.prepare.sources import Sources
from evenhand.prepare.withheld import as_permitted
from evenhand.sources.checks import check_types
from evenhand.sources.conversions import converted
from sample import CUSTOMERS, KEY, NOW, PURCHASES, REMOVED, customer, plan_yaml

THEN = NOW - timedelta(days=30)
EVENTS = "customer_id STRING, purpose STRING, state STRING, recorded_at TIMESTAMP, attribute STRING"
WHO = ["nothing", "years", "sex", "age", "amount", "time", "id", "again", "other"]
NO: dict[str, list[str]] = {"years": ["Years "], "sex": ["customers.sex"], "age": ["age"], "amount": ["purchases.amount"],
      "time": ["purchased_at"], "id": ["customer_id"], "again": ["years"], "other": ["purchases.years", "email", "nonsense"]}  # fmt: skip


def consent() -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = [(who, "offers", "granted", THEN, None) for who in WHO]
    rows += [(who, "offers", "objection", THEN, column) for who, columns in NO.items() for column in columns]
    return [
        *rows,
        ("again", "offers", "given", THEN + timedelta(days=1), "years"),
        ("nothing", "research", "refused", THEN, "sex"),
    ]


def opened(spark: Any, plan: Plan, rows: dict[str, list[tuple[Any, ...]]], events: str = EVENTS) -> Sources:
    schemas = {"customers": CUSTOMERS, "consent": events, "purchases": PURCHASES}
    frames: dict[str, DataFrame] = {n: spark.createDataFrame(rows.get(n, []), s) for n, s in schemas.items()}
    check_types(plan, frames)
    ready = converted(plan, frames)
    return Sources(ready["customers"], ready["consent"], {"purchases": ready["purchases"]}, {})


def prepared(spark: Any, plan: Plan, sources: Sources) -> int:
    """How many customers are prepared."""
    return prepared_customers(sources, plan, NOW, Pads.of(KEY).table(spark)).count()


@pytest.fixture(scope="module")
def plan() -> Plan:
    return parse_plan(plan_yaml({"features.2.expression": "count_if(amount is null or amount > 0)"}))


@pytest.fixture(scope="module")
def sources(spark: Any, plan: Plan) -> Sources:
    rows = {
        "customers": [customer(who, 10.0, "m", 70) for who in WHO],
        "purchases": [(who, THEN, 100.0, "x") for who in WHO for _ in range(2)],
        "consent": consent(),
    }
    return opened(spark, plan, rows)


def of_each(spark: Any, plan: Plan, sources: Sources) -> dict[str, dict[str, int]]:
    """What is prepared of each customer: run alone, since a pseudonym tells nobody's name."""
    found = {}
    for who in WHO:
        one = Sources(sources.customers.where(F.col("customer_id") == who), sources.consent, sources.events, {})
        for row in prepared_customers(one, plan, NOW, Pads.of(KEY).table(spark)).collect():
            found[who] = {name: row[name] for name in (*plan.feature_names, *plan.attribute_names, "imputed")}
    return found


def test_what_is_withheld_is_missing_or_unknown_and_nothing_else_is(spark: Any, plan: Plan, sources: Sources) -> None:
    found = of_each(spark, plan, sources)
    whole = found["nothing"]
    assert whole["imputed"] == 0 and whole["tenure"] == 32768 and whole["spent"] > 0
    gender, band = (next(a for a in plan.protected if a.name == name) for name in ("gender", "age_band"))
    assert (whole["gender"], whole["age_band"]) == (gender.code("male"), 2)
    expected = {
        "years": whole | {"tenure": 0, "imputed": 0b001},
        "sex": whole | {"gender": gender.code("unknown")},
        "age": whole | {"age_band": band.code("unknown")},
        "amount": whole | {"spent": 0, "imputed": 0b010},  # the count of rows that the expression sees is as it was
        "time": whole | {"spent": 0, "visits": 0, "imputed": 0b110},  # without a time no event counts
        "again": whole,  # the later event allows it again
        "other": whole,  # a column of another source, one that the plan does not read, and none at all
        "nothing": whole,  # what was refused for another purpose
    }
    assert found == expected  # who withholds the id is nobody


def test_bounds_are_found_on_the_same_values(spark: Any, sources: Sources) -> None:
    plan = parse_plan(plan_yaml({f"features.{i}.bounds": REMOVED for i in range(3)}))
    bins = dict.fromkeys(plan.feature_names, 0)
    for row in magnitudes(sources, plan, NOW).collect():
        for name in bins:
            bins[name] += row[name] is not None
    assert bins == {"tenure": len(WHO) - 2, "spent": len(WHO) - 3, "visits": len(WHO) - 2}


def test_a_condition_on_events_does_not_see_what_is_withheld(spark: Any) -> None:
    plan = parse_plan(plan_yaml({"sources.events.purchases.where": "coalesce(amount, 0) = 0"}))
    rows = {
        "customers": [customer("a"), customer("b")],
        "purchases": [("a", THEN, 5.0, "x"), ("b", THEN, 5.0, "x")],
        "consent": [*((who, "offers", "granted", THEN, None) for who in "ab"), ("a", "offers", "refused", THEN, "amount")],
    }
    found = prepared_customers(opened(spark, plan, rows), plan, NOW, Pads.of(KEY).table(spark))
    assert sorted(r.imputed for r in found.select("imputed").collect()) == [0b010, 0b110]


def test_rows_that_differ_only_in_what_is_withheld_are_one_customer(spark: Any, plan: Plan) -> None:
    rows = {
        "customers": [customer("a", 1.0), customer("a", 2.0), customer("b", 1.0), customer("b", 2.0)],
        "consent": [*((who, "offers", "granted", THEN, None) for who in "ab"), ("a", "offers", "withdrawn", THEN, "years")],
    }
    sources = opened(spark, plan, rows)
    assert prepared(spark, plan, sources) == 1
    quality = input_quality(spark.createDataFrame([], "imputed BIGINT, clipped BIGINT"), sources, plan, NOW)
    counted = {r["finding"]: r["count"] for r in quality.collect()}
    assert counted["left out: rows that contradict each other"] == 1


def test_the_plan_names_columns_that_the_source_calls_otherwise(spark: Any) -> None:
    names = {
        "state": "Status",
        "recorded_at": "said_on",
        "attribute": "about",
        "signal": "from_where",
        "notice_version": "notice",
    }
    changes = {f"sources.consent.columns.{field}": name for field, name in names.items()}
    plan = parse_plan(plan_yaml(changes | {"sources.consent.minimum_notice_version": 2}))
    schema = "customer_id STRING, purpose STRING, status STRING, said_on DATE, about STRING, from_where STRING, notice INT"
    day = THEN.date()
    rows = {
        "customers": [customer(who) for who in ("yes", "old", "withholds", "signals")],
        "consent": [
            ("yes", "offers", "renewed", day, None, None, 2),
            ("old", "offers", "given", day, None, None, 1),
            ("withholds", "offers", "given", day, None, None, 3),
            ("withholds", "offers", "objection", day, "sex", None, None),
            ("signals", "offers", "given", day, None, None, 2),
            ("signals", None, None, day, None, "gpc", None),
        ],
    }
    found = opened(spark, plan, rows, schema)
    assert found.consent.columns[1:] == ["purpose", "state", "recorded_at", "attribute", "signal", "notice_version", "expires_at"]
    assert prepared(spark, plan, found) == 2
    seen = {r[ID]: r["sex"] for r in as_permitted(found, plan, timestamp(NOW)).customers.selectExpr(f"customer_id AS {ID}", "sex").collect()}  # fmt: skip
    assert seen == {"yes": "f", "old": "f", "withholds": None, "signals": "f"}


def test_what_is_not_heeded_and_states_that_are_unknown_are_named_in_input_quality(spark: Any) -> None:
    asked = {"sources.consent.minimum_notice_version": "2.0", "sources.consent.signals": ["gpc"]}
    plan = parse_plan(plan_yaml(asked))
    schema = f"{EVENTS}, signal STRING, notice_version STRING"

    def said(state: str | None, attribute: str | None = None, signal: str | None = None, version: str = "2") -> tuple[Any, ...]:
        return ("a", "offers", state, THEN, attribute, signal, version)

    events = [
        said("maybe"),
        said("maybe"),
        said(None),
        said("x" * 99),
        said("given", version="1.9"),
        said("given"),
        said("renewed"),
    ]
    events += [said(None, signal="gpc"), said("objection", signal="fax"), said("given", signal="gpc"), said("refused", "income")]
    sources = opened(spark, plan, {"customers": [customer("a")], "consent": events}, schema)
    quality = input_quality(spark.createDataFrame([], "imputed BIGINT, clipped BIGINT"), sources, plan, NOW)
    unknown = "which is unknown and counts as a no"
    assert {r["finding"]: r["count"] for r in quality.where("count > 0 AND item = 'consent'").collect()} == {
        f"state maybe, {unknown}": 2,
        f"state missing, {unknown}": 1,
        f"state {'x' * 40}, {unknown}": 1,
        "grant under a notice older than 2.0": 1,
        "signal that the plan does not honor": 2,
        "objection to a column that the plan does not read": 1,
    }


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        ("attribute", "INT", "column attribute is int; it must be text, the name of a column"),
        ("signal", "BOOLEAN", "column signal is boolean; it must be text"),
        ("notice_version", "DOUBLE", "column notice_version is double; it must be text, a whole number or a date"),
    ],
)
def test_columns_of_another_type_are_told(spark: Any, column: str, kind: str, expected: str) -> None:
    plan = parse_plan(plan_yaml({"sources.consent.minimum_notice_version": "1"}))
    schema = EVENTS.replace(", attribute STRING", "") + f", {column} {kind}"
    with pytest.raises(SourceError, match=expected):
        opened(spark, plan, {}, schema)


def test_the_moment_decides_what_is_withheld(spark: Any, plan: Plan) -> None:
    later = NOW + timedelta(days=1)
    rows = {"customers": [customer("a")], "consent": [("a", "offers", "refused", later, "sex")]}

    def sex(at: datetime) -> Any:
        return as_permitted(opened(spark, plan, rows), plan, timestamp(at)).customers.first()["sex"]  # type: ignore[index]

    assert (sex(NOW), sex(later)) == ("f", None)
