"""Whose an event is: ids in one form, of any type that names people, and what misses everybody is counted with the reason."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame

from evenhand.errors import SourceError
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID
from evenhand.prepare.customers import prepared_customers, with_ids
from evenhand.prepare.pseudonym import Pads
from evenhand.prepare.quality import input_quality
from evenhand.prepare.sources import Sources
from evenhand.prepare.unmatched import unmatched
from evenhand.sources.checks import check_types
from evenhand.sources.conversions import converted
from sample import CONSENT, CUSTOMERS, KEY, NOW, PURCHASES, customer, plan_yaml

THEN = NOW - timedelta(days=3)
ONE_FORM = {"sources.ids": {"trim": True, "casefold": True, "normalize": "NFC"}}
OPT_OUT = {"legal_basis": "legitimate_interest"}
ALL = {"customers", "consent", "purchases"}

KNOWN = ["plain", "josé-1", "C-7", "007", "12", "straße", "heard", "c000", "c001", "c002", "c003"]
NEARLY = {
    "plain\u00a0": "blanks",
    unicodedata.normalize("NFD", "josé-1"): "Unicode form",
    "c-7": "case",
    "STRASSE": "case",
    "7": "leading zeros",
    "12.0": ".0 at the end",
    " 0012.00": "several of these",
}


def objection(id: str | None, purpose: str | None = "offers", state: str = "withdrawn", at: Any = THEN) -> tuple[Any, ...]:
    return (id, purpose, state, at, None, "web")


def in_types(kind: str) -> dict[str, str]:
    return {
        "customers": CUSTOMERS.replace("customer_id STRING", f"customer_id {kind}"),
        "consent": CONSENT.replace("customer_id STRING", f"customer_id {kind}"),
        "purchases": PURCHASES.replace("customer_id STRING", f"customer_id {kind}"),
    }


def sources(spark: Any, plan: Plan, rows: dict[str, list[tuple[Any, ...]]], schemas: dict[str, str]) -> Sources:
    """As they are opened, without the way through Delta."""
    frames: dict[str, DataFrame] = {name: spark.createDataFrame(rows.get(name, []), schema) for name, schema in schemas.items()}
    check_types(plan, frames)
    ready = converted(plan, frames)
    return Sources(ready["customers"], ready["consent"], {"purchases": ready["purchases"]}, {})


ROWS = {
    "customers": [customer(i) for i in KNOWN],
    "consent": [
        *map(objection, [*NEARLY, "heard", "stranger", "", None]),
        objection("stranger", state="granted"),
        objection("c000", "Offers"),
        objection("c001", "offers "),
        objection("c002", None),
        objection("c003", "elsewhere"),
        objection("c003", at=None),
    ],
    "purchases": [("PLAIN", THEN, 1.0, "x"), ("c000", THEN, 1.0, "x"), ("c001", None, 1.0, "x"), ("gone", THEN, 1.0, "x")],
}


@pytest.fixture(scope="module")
def as_they_are(spark: Any) -> tuple[Plan, Sources]:
    plan = parse_plan(plan_yaml(OPT_OUT))
    return plan, sources(spark, plan, ROWS, in_types("STRING"))


@pytest.fixture(scope="module")
def in_one_form(spark: Any) -> tuple[Plan, Sources]:
    plan = parse_plan(plan_yaml(OPT_OUT | ONE_FORM))
    return plan, sources(spark, plan, ROWS, in_types("STRING"))


def counted(rows: DataFrame) -> dict[tuple[str, str], int]:
    return {(r["item"], r["finding"]): r["count"] for r in rows.collect() if r["count"]}


def prepared(spark: Any, plan: Plan, found: Sources) -> set[bytes]:
    return {bytes(r[0]) for r in prepared_customers(found, plan, NOW, Pads.of(KEY).table(spark)).select("pseudonym").collect()}


def test_events_that_match_nobody_are_counted_with_what_they_miss_a_customer_by(as_they_are: tuple[Plan, Sources]) -> None:
    plan, found = as_they_are
    no_customer = "that matches no customer"
    assert counted(unmatched(found, plan)) == {
        ("consent", f"objection {no_customer}"): 8,
        ("consent", f"objection {no_customer} but for blanks"): 1,
        ("consent", f"objection {no_customer} but for case"): 2,
        ("consent", f"objection {no_customer} but for Unicode form"): 1,
        ("consent", f"objection {no_customer} but for leading zeros"): 1,
        ("consent", f"objection {no_customer} but for .0 at the end"): 1,
        ("consent", f"objection {no_customer} but for several of these"): 1,
        ("consent", f"grant {no_customer}"): 1,
        ("purchases", f"event {no_customer}"): 2,
        ("purchases", f"event {no_customer} but for case"): 1,
    }


def test_objections_that_nearly_have_the_purpose_and_events_without_a_time_are_counted(
    spark: Any, as_they_are: tuple[Plan, Sources]
) -> None:
    plan, found = as_they_are
    nobody = spark.createDataFrame([], "imputed BIGINT, clipped BIGINT")
    quality = counted(input_quality(nobody, found, plan, NOW))
    assert {finding: n for finding, n in quality.items() if "matches" not in finding[1]} == {
        ("consent", "id missing or empty"): 2,
        ("consent", "objection whose purpose differs by case or blanks"): 2,
        ("consent", "objection without a time"): 1,
        ("purchases", "event without a time"): 1,
    }
    assert ("consent", "objection that matches no customer") in quality


def test_an_objection_is_heeded_in_the_form_that_the_plan_states(
    spark: Any, as_they_are: tuple[Plan, Sources], in_one_form: tuple[Plan, Sources]
) -> None:
    """Of eleven customers `heard`, `c002` and `c003` object by their very id, four more but for blanks, case or form."""
    plan, found = in_one_form
    assert len(prepared(spark, *as_they_are)) == 8
    assert len(prepared(spark, plan, found)) == 4
    left = counted(unmatched(found, plan))
    assert left["consent", "objection that matches no customer"] == 4  # zeros, .0 and a stranger
    assert ("consent", "objection that matches no customer but for case") not in left
    assert left["purchases", "event that matches no customer"] == 1


def test_the_pseudonym_is_of_the_id_in_that_form(spark: Any) -> None:
    plan, exact = parse_plan(plan_yaml(OPT_OUT | ONE_FORM)), parse_plan(plan_yaml(OPT_OUT))
    one, other = (
        prepared(spark, p, sources(spark, p, {"customers": [customer(i)]}, in_types("STRING")))
        for p, i in ((plan, unicodedata.normalize("NFD", " josé-1")), (exact, "JOSÉ-1"))
    )
    assert one == other


def test_customers_who_are_the_same_in_that_form_are_duplicates(spark: Any) -> None:
    plan = parse_plan(plan_yaml(ONE_FORM))
    found = sources(spark, plan, {"customers": [customer(i) for i in ("a", "A ", "b", " ", None)]}, in_types("STRING"))
    ids = [r[0] for r in with_ids(found, plan).select(ID).collect()]
    assert sorted(ids) == ["A", "A", "B"]  # nobody is left of a blank


WHOLE = {"INT": 7, "DECIMAL(38,0)": Decimal(7)}


def test_whole_numbers_match_each_other_whatever_their_type_and_have_one_pseudonym(spark: Any) -> None:
    plan = parse_plan(plan_yaml(OPT_OUT))
    found = []
    for kind, seven in WHOLE.items():
        schemas = in_types(kind) | {"consent": in_types("BIGINT")["consent"]}
        rows = {"customers": [customer(seven), customer(seven + 1)], "consent": [objection(8), objection(9)]}  # type: ignore[arg-type]
        read = sources(spark, plan, rows, schemas)
        found.append(prepared(spark, plan, read))
        if kind == "INT":  # a hash of 8 is another one as a BIGINT
            assert counted(unmatched(read, plan)) == {("consent", "objection that matches no customer"): 1}
    text = prepared(spark, plan, sources(spark, plan, {"customers": [customer("7")]}, in_types("STRING")))
    assert found == [text] * len(WHOLE)


def test_an_id_of_bytes_is_taken_as_it_is(spark: Any) -> None:
    plan = parse_plan(plan_yaml(OPT_OUT))
    ids = [b"\xff\x00", b"\xff", b"7", b"", None]
    rows = {"customers": [customer(i) for i in ids], "consent": [objection(i) for i in (b"\xff", b"\xfe")]}  # type: ignore[arg-type]
    found = sources(spark, plan, rows, in_types("BINARY"))
    seven = prepared(spark, plan, sources(spark, plan, {"customers": [customer("7")]}, in_types("STRING")))
    assert len(prepared(spark, plan, found)) == 2 and prepared(spark, plan, found) > seven
    assert counted(unmatched(found, plan)) == {("consent", "objection that matches no customer"): 1}


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("DECIMAL(10,2)", {}, "the id column customer_id is decimal(10,2); it must be text, a whole number or binary"),
        ("INT", ONE_FORM, "sources.ids: the ids are no text but a whole number"),
    ],
)
def test_ids_that_are_no_ids_or_have_one_form_only_are_told(
    spark: Any, kind: str, changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(SourceError, match=expected.replace("(", r"\(").replace(")", r"\)")):
        sources(spark, parse_plan(plan_yaml(changes)), {}, in_types(kind))


DAYS = [f"date_from_unix_date({days})" for days in (-106_000_000, 18_262, 109_000_000)]  # some 290,000 years away, and 2020
TIMES = [f"timestamp_ntz '{year}-01-01 00:00:00'" for year in ("-290000", "2020", "+290000")]


@pytest.mark.parametrize("times", [DAYS, TIMES])
def test_a_day_that_spark_has_no_time_for_is_one_of_the_first_or_the_last(spark: Any, times: list[str]) -> None:
    """That somebody's row holds such a day must not stop a run; a grant until then is one that does not end."""
    columns = "'a' AS customer_id, 'offers' AS purpose, 'granted' AS state, timestamp '2020-01-01' AS recorded_at, expires_at"
    rows = spark.sql(f"SELECT {columns} FROM VALUES {', '.join(f'({t})' for t in times)} AS t(expires_at)")
    others = {name: spark.createDataFrame([], schema) for name, schema in in_types("STRING").items()}
    found = converted(parse_plan(plan_yaml()), others | {"consent": rows})["consent"].selectExpr("year(expires_at) AS year")
    assert sorted(row.year for row in found.collect()) == [1, 2020, 9999]


def test_a_state_of_true_or_false_and_a_grant_without_an_end_are_understood(spark: Any) -> None:
    plan = parse_plan(plan_yaml())
    schemas = in_types("STRING") | {"consent": "customer_id STRING, purpose STRING, state BOOLEAN, recorded_at DATE"}
    rows = {
        "customers": [customer(i) for i in "abcd"],
        "consent": [("a", "offers", True, THEN.date()), ("b", "offers", False, THEN.date()), ("c", "offers", None, THEN.date())],
    }
    found = sources(spark, plan, rows, schemas)
    assert prepared(spark, plan, found) == prepared(spark, plan, sources(spark, plan, rows | {"consent": [objection("a", state="granted")]}, in_types("STRING")))  # fmt: skip
