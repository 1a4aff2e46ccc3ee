"""Consent: the latest event decides, and in doubt it is a no."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import functions as F

from evenhand.plan.consent import STATES, YES, is_day, numbers_of
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, LATEST, latest_decision, may_be_used
from evenhand.prepare.customers import timestamp
from evenhand.prepare.notices import is_older
from evenhand.prepare.withheld import WITHHELD, withheld
from evenhand.spark.session import settings
from sample import plan_yaml

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE, EARLIER, LATER = AS_OF - timedelta(days=1), AS_OF - timedelta(days=2), AS_OF + timedelta(microseconds=1)
GRANTED, NO = "granted", "withdrawn"
SCHEMA = "customer_id STRING, purpose STRING, state STRING, recorded_at TIMESTAMP, expires_at TIMESTAMP"
MORE = f"{SCHEMA}, attribute STRING, signal STRING, notice_version STRING"
Event = tuple[str | None, str | None, datetime | None, datetime | None]


def event(
    state: str | None, at: datetime | None = BEFORE, expires: datetime | None = None, purpose: str | None = "offers"
) -> Event:
    return (purpose, state, at, expires)


# name: events of one customer, included under opt-in, included under opt-out
CASES: dict[str, tuple[list[Event], bool, bool]] = {
    "no_event": ([], False, True),
    "granted": ([event(GRANTED)], True, True),
    "withdrawn": ([event(NO)], False, False),
    "granted_then_withdrawn": ([event(GRANTED, EARLIER), event(NO)], False, False),
    "withdrawn_then_granted": ([event(NO, EARLIER), event(GRANTED)], True, True),
    "a_withdrawal_on_the_same_second_wins": ([event(GRANTED), event(NO)], False, False),
    "a_withdrawal_on_the_same_second_wins_in_any_order": ([event(NO), event(GRANTED)], False, False),
    "a_grant_one_microsecond_after_a_withdrawal_wins": (
        [event(NO), event(GRANTED, BEFORE + timedelta(microseconds=1))],
        True,
        True,
    ),
    "a_withdrawal_before_1970_is_older_than_a_grant": (
        [event(NO, datetime(1960, 1, 1, tzinfo=UTC)), event(GRANTED, datetime(1960, 1, 2, tzinfo=UTC))],
        True,
        True,
    ),
    "granted_at_the_very_moment": ([event(GRANTED, AS_OF)], True, True),
    "withdrawn_at_the_very_moment": ([event(GRANTED), event(NO, AS_OF)], False, False),
    "granted_in_the_future": ([event(GRANTED, LATER)], False, True),
    "withdrawn_in_the_future": ([event(GRANTED), event(NO, LATER)], True, True),
    "granted_for_another_purpose": ([event(GRANTED, purpose="research")], False, True),
    "withdrawn_for_another_purpose": ([event(GRANTED, EARLIER), event(NO, purpose="research")], True, True),
    "a_purpose_in_other_case_is_another_purpose": ([event(GRANTED, purpose="OFFERS")], False, True),
    "no_purpose": ([event(GRANTED, purpose=None)], False, True),
    "expired": ([event(GRANTED, expires=BEFORE + timedelta(hours=1))], False, True),
    "expires_at_the_very_moment": ([event(GRANTED, expires=AS_OF)], False, True),
    "expires_in_the_future": ([event(GRANTED, expires=LATER)], True, True),
    "an_expired_grant_does_not_bring_back_an_older_one": (
        [event(GRANTED, EARLIER), event(GRANTED, BEFORE, BEFORE + timedelta(hours=1))],
        False,
        True,
    ),
    "renewed_after_expiry": ([event(GRANTED, EARLIER, BEFORE), event(GRANTED, BEFORE + timedelta(hours=1))], True, True),
    "unknown_state": ([event("maybe")], False, False),
    "an_unknown_state_after_a_grant": ([event(GRANTED, EARLIER), event("maybe")], False, False),
    "state_in_other_case_is_unknown": ([event("Granted")], False, False),
    "state_with_a_blank_is_unknown": ([event("granted ")], False, False),
    "no_state": ([event(None)], False, False),
    "withdrawn_from_everything": ([event(GRANTED, EARLIER), event(NO, purpose=None)], False, False),
    "an_unknown_state_for_everything": ([event(GRANTED, EARLIER), event("maybe", purpose=" ")], False, False),
    **{
        f"{state.words[0]}_written_as_{word}": ([event(NO if state.yes else GRANTED, EARLIER), event(word)], state.yes, state.yes)
        for state in STATES
        for word in state.written
    },
    "a_withdrawal_without_a_time_counts_as_just_recorded": ([event(GRANTED), event(NO, None)], False, False),
    "a_grant_without_a_time_does_not_count": ([event(GRANTED, None)], False, True),
    "a_grant_without_a_time_does_not_heal_a_withdrawal": ([event(NO), event(GRANTED, None)], False, False),
}


def plan_of(opt_in: bool, **consent: Any) -> Plan:
    asked = {f"sources.consent.{key}": value for key, value in consent.items()}
    return parse_plan(plan_yaml({"legal_basis": "consent" if opt_in else "legitimate_interest"} | asked))


def allowed(spark: Any, events: list[tuple[Any, ...]], ids: list[str], plan: Plan, schema: str = SCHEMA) -> list[str]:
    customers = spark.createDataFrame([(i,) for i in ids], f"{ID} STRING")
    return sorted(r[0] for r in may_be_used(customers, spark.createDataFrame(events, schema), plan, timestamp(AS_OF)).collect())


@pytest.fixture(scope="module")
def included(spark: Any) -> dict[bool, list[str]]:
    """Who of the cases is included under opt-in (True) and opt-out (False); all cases in one query."""
    events = [(name, *e) for name, (found, _, _) in CASES.items() for e in found]
    return {opt_in: allowed(spark, events, list(CASES), plan_of(opt_in)) for opt_in in (True, False)}


@pytest.mark.parametrize("name", CASES)
def test_under_opt_in(included: dict[bool, list[str]], name: str) -> None:
    assert (name in included[True]) == CASES[name][1]


@pytest.mark.parametrize("name", CASES)
def test_under_opt_out(included: dict[bool, list[str]], name: str) -> None:
    assert (name in included[False]) == CASES[name][2]


def test_a_date_stands_for_the_start_of_its_day_in_the_zone_of_the_plan(spark: Any) -> None:
    """Noon of 1 March in UTC is 2 March on Kiritimati."""
    first, second, third = (date(2026, 3, d) for d in (1, 2, 3))
    events = [
        ("said yes today", "offers", GRANTED, second, None),
        ("said yes and no on one day", "offers", GRANTED, first, None),
        ("said yes and no on one day", "offers", NO, first, None),
        ("says no tomorrow", "offers", GRANTED, first, None),
        ("says no tomorrow", "offers", NO, third, None),
        ("said no today", "offers", GRANTED, first, None),
        ("said no today", "offers", NO, second, None),
        ("expires today", "offers", GRANTED, first, second),
        ("expires tomorrow", "offers", GRANTED, first, third),
    ]
    rows = spark.createDataFrame(events, SCHEMA.replace("TIMESTAMP", "DATE"))
    customers = rows.selectExpr(f"customer_id AS {ID}").distinct()
    with settings(spark, "Pacific/Kiritimati"):
        found = may_be_used(customers, rows, plan_of(True), timestamp(AS_OF)).collect()
    assert sorted(r[0] for r in found) == ["expires tomorrow", "said yes today", "says no tomorrow"]


def test_an_event_of_nobody_includes_nobody(spark: Any) -> None:
    assert allowed(spark, [(None, *event(GRANTED))], ["a"], plan_of(True)) == []
    assert allowed(spark, [(None, *event(NO))], ["a"], plan_of(False)) == ["a"]


def test_a_customer_stands_once_however_many_events(spark: Any) -> None:
    assert allowed(spark, [("a", *event(GRANTED, BEFORE + timedelta(seconds=s))) for s in range(20)], ["a"], plan_of(True)) == [
        "a"
    ]


MINIMUM = "2.10"
HONORED = ["gpc", "opt_out_list"]
# version: whether it is at least the minimum
VERSIONS = {"2.10": True, "v2.10": True, "2.10.0": True, "2.11": True, "3": True, "10": True, "2.9": False, "2.1": False, "2": False,
            "2026-03-01": False, "draft": False, "": False, "2.10b": False, " 2.10 ": True, None: False}  # fmt: skip


def reference(events: list[tuple[Any, ...]], opt_in: bool) -> tuple[bool, set[str]]:
    """The rule as a person would tell it, over one customer's events: whether they may be used, and the columns that may not."""
    known: dict[str | None, list[tuple[datetime, bool]]] = {}
    for purpose, state, at, expires, attribute, signal, version in events:
        granted = state in YES
        if purpose != "offers" and (granted or purpose is not None):
            continue
        if signal is not None and (granted or signal not in HONORED):
            continue
        if granted and not VERSIONS[version]:
            continue
        yes = granted and not (opt_in and expires is not None and expires <= AS_OF)
        if at is None and not yes:
            at = AS_OF
        if at is not None and at <= AS_OF:
            known.setdefault(attribute, []).append((at, not yes))
    about_all = known.pop(None, [])
    return (not max(about_all)[1] if about_all else not opt_in), {name for name, said in known.items() if max(said)[1]}


@pytest.mark.parametrize("opt_in", [True, False], ids=["opt_in", "opt_out"])
def test_thousands_of_random_histories_are_decided_as_by_the_rule(spark: Any, opt_in: bool) -> None:
    chance = random.Random(11)
    moments = [None, *(AS_OF + timedelta(hours=h) for h in range(-3, 2)), AS_OF + timedelta(microseconds=1)]
    histories = {}
    for i in range(6000):
        histories[f"c{i}"] = [
            (chance.choice(["offers", "offers", "offers", "research", None]), chance.choice([GRANTED, "renewed", NO, "objection", "x", None]),
             chance.choice(moments), chance.choice([None, None, *moments]), chance.choice([None, None, "years", "sex"]),
             chance.choice([None, None, None, "gpc", "fax"]), chance.choice(["2.10", "2.10", "3", *VERSIONS]))
            for _ in range(chance.randrange(7))
        ]  # fmt: skip
    events = [(i, *e) for i, found in histories.items() for e in found]
    expected = {i: reference(found, opt_in) for i, found in histories.items()}
    plan = plan_of(opt_in, signals=HONORED, minimum_notice_version=MINIMUM)
    included = sorted(i for i, (yes, _) in expected.items() if yes)
    assert 0 < len(included) < len(histories)
    assert allowed(spark, events, list(histories), plan, MORE) == included
    kept_back = withheld(spark.createDataFrame(events, MORE), plan, timestamp(AS_OF))
    assert kept_back is not None
    found = {row[ID]: set(row[WITHHELD]) for row in kept_back.collect()}
    assert found == {i: columns for i, (_, columns) in expected.items() if columns}


def test_versions_of_notices_are_compared_number_by_number_or_day_by_day(spark: Any) -> None:
    rows = spark.createDataFrame([(version,) for version in [*VERSIONS, "2026-02-28", "2027-01-01"]], "version STRING")
    by_number = {r[0]: not r[1] for r in rows.select("version", is_older(F.col("version"), MINIMUM)).collect()}
    assert by_number == {**VERSIONS, "2026-02-28": False, "2027-01-01": False}
    reached = rows.where(~is_older(F.col("version"), "2026-03-01")).collect()
    assert sorted(r[0] for r in reached) == ["2026-03-01", "2027-01-01"]
    assert [numbers_of(v) for v in ("2.0.0", "v2", "0.0", "2.10")] == [[2], [2], [0], [2, 10]]
    assert is_day("2026-03-01") and not is_day("2026.03.01")


def test_every_signal_is_honored_unless_the_plan_names_some(spark: Any) -> None:
    events = [(who, *event(GRANTED, EARLIER), None, None, None) for who in ("gpc", "fax", "list", "over")]
    events += [("gpc", *event(NO), None, "GPC ", None), ("fax", *event(None), None, "fax", None)]
    events += [
        ("list", *event(None, None, purpose=None), None, "opt_out_list", None),
        ("over", *event(GRANTED), None, "gpc", None),
    ]
    ids = ["gpc", "fax", "list", "over"]
    assert allowed(spark, events, ids, plan_of(True), MORE) == ["over"]
    assert allowed(spark, events, ids, plan_of(True, signals=HONORED), MORE) == ["fax", "over"]
    assert allowed(spark, events, ids, plan_of(True, signals=[]), MORE) == sorted(ids)


def test_a_signal_that_says_yes_is_no_consent_and_takes_back_no_objection(spark: Any) -> None:
    events = [("a", *event(GRANTED), None, "gpc", None), ("b", *event(NO, EARLIER), None, None, None), ("b", *event(GRANTED), None, "gpc", None)]  # fmt: skip
    assert allowed(spark, events, ["a", "b"], plan_of(True), MORE) == []
    assert allowed(spark, events, ["a", "b"], plan_of(False), MORE) == ["a"]


def test_what_is_said_of_one_column_decides_nothing_of_the_person(spark: Any) -> None:
    events = [("a", *event(GRANTED, EARLIER), None, None, None), ("a", *event(NO), "sex", None, None)]
    events += [("b", *event(GRANTED), "sex", None, None)]
    assert allowed(spark, events, ["a", "b"], plan_of(True), MORE) == ["a"]


def test_the_packed_decision_is_even_for_yes_and_odd_for_no_even_at_the_smallest_time_that_there_is(spark: Any) -> None:
    before_all = "SELECT 'c', 'offers', 'granted', timestamp_micros(-9223372036854775808L), CAST(NULL AS TIMESTAMP)"
    rows = spark.createDataFrame([("a", *event(GRANTED)), ("b", *event(NO))], SCHEMA).union(spark.sql(before_all))
    decided = latest_decision(rows.withColumnRenamed("customer_id", ID), plan_of(True), timestamp(AS_OF))
    found = decided.select(ID, (F.col(LATEST) % 2).alias("no")).collect()
    assert {r[0]: r[1] for r in found} == {"a": 0, "b": 1, "c": 0}
