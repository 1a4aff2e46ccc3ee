"""Points for taking part in a survey or reviewing one's choices, by month, whatever was said: neither answers nor states are read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.erasure.listed import heeding
from evenhand.errors import ArgumentError, RunConflict
from evenhand.people.destination import Destination
from evenhand.plan.expressions import quoted_column
from evenhand.plan.load import checked_plan
from evenhand.plan.models import Plan
from evenhand.plan.rewards import Rewards
from evenhand.prepare.consent import ID, has_id, identified
from evenhand.prepare.customers import timestamp, with_ids
from evenhand.prepare.features import within_calendar
from evenhand.prepare.sources import Sources
from evenhand.records.audit import known_keys
from evenhand.records.lease import held
from evenhand.records.opened import opened
from evenhand.sources.open import AS_WRITTEN, answers_today, people_today
from evenhand.tables.store import Store

REWARD, REWARDED = "reward", "rewarded"  # in the audit log: before anything leaves, and once all has
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
POINTS, TIME, ASKED = "points", "_time", "_asked"


def rewards(
    plan: Plan, spark: SparkSession, month: str, to: str, *, form: str = "delta", say: Callable[[str], None] = lambda line: None
) -> str:
    """Hand out id, month and points of whoever took part in a month that is over ("2026-10"); hands back the place.

    A month is handed out once: started again with the same destination it goes on where it stopped.

    Raises:
        EvenhandError: one line; nothing was handed out.
    """
    plan = checked_plan(plan)
    first, end = _bounds(month, plan.time_zone)
    if plan.rewards is None:
        raise ArgumentError("rewards: the plan states none; say how many points taking part is worth")
    destination, key = Destination.of(to, form), f"rewards-{plan.name}-{month}"
    with opened(plan, spark, "rewards", "start it again, and it goes on where it stopped") as (store, audit):
        entries = audit.check()
        said = {"month": month, "form": destination.form, "destination": destination.place} | plan.rewards.model_dump()
        begun = next((json.loads(e.details) for e in entries if (e.run_id, e.action) == (key, REWARD)), None)
        if begun is not None and begun != said:
            raise RunConflict(
                f"--month: the points of {month} have been handed out already, to {begun['destination']} and at {begun['survey']} for a survey and "
                f"{begun['review']} for a review; start it again so, or name another month"
            )
        today = people_today(spark, plan)
        answers = {survey.name: answers_today(spark, plan, survey).events[survey.name] for survey in plan.surveys}
        kind = today.customers.schema[AS_WRITTEN].dataType.simpleString()
        destination.refuse_foreign(plan, store, {"id": kind, "month": "string", POINTS: "bigint"}, key)
        with held(store, key):
            if begun is None:
                audit.add(key, REWARD, said)
            erased = erased_people(today, plan, store, known_keys(entries))
            found = earned(today, answers, plan, plan.rewards, timestamp(first), timestamp(end), erased)
            columns = [F.col(AS_WRITTEN).alias("id"), F.lit(month).alias("month"), F.col(POINTS)]
            destination.write(found.select(columns), key)
            audit.add_once(key, REWARDED, {"month": month})
    return destination.place


def earned(
    today: Sources,
    answers: Mapping[str, DataFrame],
    plan: Plan,
    given: Rewards,
    first: Column,
    end: Column,
    erased: DataFrame | None = None,
) -> DataFrame:
    """Restricted: one row a customer who took part from `first` to before `end`: the id as the source writes it, and `points`.

    Of answers and consent events only whose and when is read, so nothing else can decide. `erased`: `_evenhand_id` and `_asked`; what they did before
    they asked for it earns nothing any more.
    """
    taken = [
        (given.survey, answers[survey.name], survey.source.id, survey.source.time) for survey in plan.surveys if given.survey
    ]
    taken += [(given.review, today.consent, plan.sources.consent.id, "recorded_at")] if given.review else []
    parts = [_in_time(rows, id, time, first, end, erased).withColumn(POINTS, F.lit(each)) for each, rows, id, time in taken]
    by_person = reduce(DataFrame.unionByName, parts).groupBy(ID).agg(F.sum(POINTS).alias(POINTS))
    # An id may stand in several rows of the source, written differently where the plan takes such for the same.
    customers = with_ids(today, plan).groupBy(ID).agg(F.min(AS_WRITTEN).alias(AS_WRITTEN))
    return customers.join(by_person, ID).select(AS_WRITTEN, POINTS)


def _in_time(rows: DataFrame, id: str, time: str, first: Column, end: Column, erased: DataFrame | None) -> DataFrame:
    """The `_evenhand_id` of whoever has a row in that time, each once."""
    when = F.col(quoted_column(time)).cast("timestamp").alias(TIME)
    found = identified(within_calendar(rows.select(quoted_column(id), quoted_column(time))), id)
    found = found.where(has_id(found)).select(ID, when).where((F.col(TIME) >= first) & (F.col(TIME) < end))
    if erased is not None:
        found = found.join(erased, ID, "left").where(F.col(ASKED).isNull() | (F.col(TIME) > F.col(ASKED)))
    return found.select(ID).distinct()


def erased_people(today: Sources, plan: Plan, store: Store, known: Mapping[str, str]) -> DataFrame:
    """Restricted: `_evenhand_id` of every customer who was erased, and when they asked for it (`_asked`)."""
    nobody = replace(today, consent=today.consent.where("false"))
    objections = identified(heeding(nobody, plan, store, known, datetime.now(UTC)).consent, plan.sources.consent.id)
    return objections.groupBy(ID).agg(F.max("recorded_at").alias(ASKED))


def _bounds(month: str, zone: str) -> tuple[datetime, datetime]:
    """From and to of a month in the plan's time zone; raises ArgumentError where it is none, or not over: more may be earned."""
    if not MONTH.fullmatch(month):
        raise ArgumentError(f"--month: {month!r} is no month such as 2026-10")
    year, number = int(month[:4]), int(month[5:])
    if not 1900 <= year <= 9998:
        raise ArgumentError(f"--month: {month} is no month of this or the last century")
    first = datetime(year, number, 1, tzinfo=ZoneInfo(zone))
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=ZoneInfo(zone))
    if end > datetime.now(UTC):
        raise ArgumentError(f"--month: {month} is not over yet; name a month that is")
    return first, end
