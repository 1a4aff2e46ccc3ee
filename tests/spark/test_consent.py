"""Consent: the latest event decides, and in doubt it is a no."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import functions as F

from evenhand.prepare.consent import ID, keep_allowed, latest_decision
from evenhand.prepare.customers import timestamp
from evenhand.spark.session import settings

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE, EARLIER, LATER = AS_OF - timedelta(days=1), AS_OF - timedelta(days=2), AS_OF + timedelta(microseconds=1)
YES, NO = "granted", "withdrawn"
SCHEMA = f"{ID} STRING, purpose STRING, state STRING, recorded_at TIMESTAMP, expires_at TIMESTAMP"
Event = tuple[str | None, str | None, datetime | None, datetime | None]


def event(
    state: str | None, at: datetime | None = BEFORE, expires: datetime | None = None, purpose: str | None = "offers"
) -> Event:
    return (purpose, state, at, expires)


# name: events of one customer, included under opt-in, included under opt-out
CASES: dict[str, tuple[list[Event], bool, bool]] = {
    "no_event": ([], False, True),
    "granted": ([event(YES)], True, True),
    "withdrawn": ([event(NO)], False, False),
    "granted_then_withdrawn": ([event(YES, EARLIER), event(NO)], False, False),
    "withdrawn_then_granted": ([event(NO, EARLIER), event(YES)], True, True),
    "a_withdrawal_on_the_same_second_wins": ([event(YES), event(NO)], False, False),
    "a_withdrawal_on_the_same_second_wins_in_any_order": ([event(NO), event(YES)], False, False),
    "a_grant_one_microsecond_after_a_withdrawal_wins": ([event(NO), event(YES, BEFORE + timedelta(microseconds=1))], True, True),
    "a_withdrawal_before_1970_is_older_than_a_grant": (
        [event(NO, datetime(1960, 1, 1, tzinfo=UTC)), event(YES, datetime(1960, 1, 2, tzinfo=UTC))],
        True,
        True,
    ),
    "granted_at_the_very_moment": ([event(YES, AS_OF)], True, True),
    "withdrawn_at_the_very_moment": ([event(YES), event(NO, AS_OF)], False, False),
    "granted_in_the_future": ([event(YES, LATER)], False, True),
    "withdrawn_in_the_future": ([event(YES), event(NO, LATER)], True, True),
    "granted_for_another_purpose": ([event(YES, purpose="research")], False, True),
    "withdrawn_for_another_purpose": ([event(YES, EARLIER), event(NO, purpose="research")], True, True),
    "a_purpose_in_other_case_is_another_purpose": ([event(YES, purpose="OFFERS")], False, True),
    "no_purpose": ([event(YES, purpose=None)], False, True),
    "expired": ([event(YES, expires=BEFORE + timedelta(hours=1))], False, True),
    "expires_at_the_very_moment": ([event(YES, expires=AS_OF)], False, True),
    "expires_in_the_future": ([event(YES, expires=LATER)], True, True),
    "an_expired_grant_does_not_bring_back_an_older_one": (
        [event(YES, EARLIER), event(YES, BEFORE, BEFORE + timedelta(hours=1))],
        False,
        True,
    ),
    "renewed_after_expiry": ([event(YES, EARLIER, BEFORE), event(YES, BEFORE + timedelta(hours=1))], True, True),
    "unknown_state": ([event("maybe")], False, False),
    "an_unknown_state_after_a_grant": ([event(YES, EARLIER), event("maybe")], False, False),
    "state_in_other_case_is_unknown": ([event("Granted")], False, False),
    "state_with_a_blank_is_unknown": ([event("granted ")], False, False),
    "no_state": ([event(None)], False, False),
    "a_withdrawal_without_a_time_counts_as_just_recorded": ([event(YES), event(NO, None)], False, False),
    "a_grant_without_a_time_does_not_count": ([event(YES, None)], False, True),
    "a_grant_without_a_time_does_not_heal_a_withdrawal": ([event(NO), event(YES, None)], False, False),
}


def allowed(spark: Any, events: list[tuple[Any, ...]], ids: list[str], opt_in: bool) -> list[str]:
    rows = spark.createDataFrame(events, SCHEMA)
    decisions = latest_decision(rows, "offers", timestamp(AS_OF), opt_in)
    customers = spark.createDataFrame([(i,) for i in ids], f"{ID} STRING")
    return sorted(r[0] for r in keep_allowed(customers, decisions, opt_in).collect())


@pytest.fixture(scope="module")
def included(spark: Any) -> dict[bool, list[str]]:
    """Who of the cases is included under opt-in (True) and opt-out (False); all cases in one query."""
    events = [(name, *e) for name, (found, _, _) in CASES.items() for e in found]
    return {opt_in: allowed(spark, events, list(CASES), opt_in) for opt_in in (True, False)}


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
        ("said yes today", "offers", YES, second, None),
        ("said yes and no on one day", "offers", YES, first, None),
        ("said yes and no on one day", "offers", NO, first, None),
        ("says no tomorrow", "offers", YES, first, None),
        ("says no tomorrow", "offers", NO, third, None),
        ("said no today", "offers", YES, first, None),
        ("said no today", "offers", NO, second, None),
        ("expires today", "offers", YES, first, second),
        ("expires tomorrow", "offers", YES, first, third),
    ]
    rows = spark.createDataFrame(events, SCHEMA.replace("TIMESTAMP", "DATE"))
    customers = rows.select(ID).distinct()
    with settings(spark, "Pacific/Kiritimati"):
        found = keep_allowed(customers, latest_decision(rows, "offers", timestamp(AS_OF), True), True).collect()
    assert sorted(r[0] for r in found) == ["expires tomorrow", "said yes today", "says no tomorrow"]


def test_an_event_of_nobody_includes_nobody(spark: Any) -> None:
    assert allowed(spark, [(None, *event(YES))], ["a"], opt_in=True) == []
    assert allowed(spark, [(None, *event(NO))], ["a"], opt_in=False) == ["a"]


def test_a_customer_stands_once_however_many_events(spark: Any) -> None:
    assert allowed(spark, [("a", *event(YES, BEFORE + timedelta(seconds=s))) for s in range(20)], ["a"], opt_in=True) == ["a"]


def reference(events: list[Event], opt_in: bool) -> bool:
    """The rule as a person would tell it, over one customer's events."""
    known = []
    for purpose, state, at, expires in events:
        if purpose != "offers":
            continue
        yes = state == YES and not (opt_in and expires is not None and expires <= AS_OF)
        if at is None and not yes:
            at = AS_OF
        if at is not None and at <= AS_OF:
            known.append((at, not yes))
    if not known:
        return not opt_in
    return not max(known)[1]


@pytest.mark.parametrize("opt_in", [True, False], ids=["opt_in", "opt_out"])
def test_thousands_of_random_histories_are_decided_as_by_the_rule(spark: Any, opt_in: bool) -> None:
    chance = random.Random(11)
    moments = [None, *(AS_OF + timedelta(hours=h) for h in range(-3, 2)), AS_OF + timedelta(microseconds=1)]
    histories = {}
    for i in range(3000):
        histories[f"c{i}"] = [
            (chance.choice(["offers", "offers", "research"]), chance.choice([YES, NO, "x", None]),
             chance.choice(moments), chance.choice([None, None, *moments]))
            for _ in range(chance.randrange(5))
        ]  # fmt: skip
    events = [(i, *e) for i, found in histories.items() for e in found]
    expected = sorted(i for i, found in histories.items() if reference(found, opt_in))
    assert 0 < len(expected) < len(histories)
    assert allowed(spark, events, list(histories), opt_in) == expected


def test_the_packed_decision_is_even_for_yes_and_odd_for_no_even_at_the_smallest_time_that_there_is(spark: Any) -> None:
    before_all = "SELECT 'c', 'offers', 'granted', timestamp_micros(-9223372036854775808L), CAST(NULL AS TIMESTAMP)"
    rows = spark.createDataFrame([("a", *event(YES)), ("b", *event(NO))], SCHEMA).union(spark.sql(before_all))
    found = latest_decision(rows, "offers", timestamp(AS_OF), True).select(ID, (F.col("_latest") % 2).alias("no")).collect()
    assert {r[0]: r[1] for r in found} == {"a": 0, "b": 1, "c": 0}
