"""What came of an offer: of each person the farthest response, as the position of an option; text leaves this file as a position only."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.plan.expressions import quoted_column, row_sql
from evenhand.plan.models import Plan
from evenhand.plan.outcomes import Outcome
from evenhand.prepare.answers import position_in
from evenhand.prepare.consent import ID, has_id, identified
from evenhand.prepare.customers import timestamp, timestamp_sql, with_ids
from evenhand.prepare.features import within_calendar
from evenhand.prepare.quality import counted, listed_counts
from evenhand.prepare.sources import Sources

OPTION, TIME = "option", "_time"


def farthest_responses(responses: DataFrame, outcome: Outcome, since: datetime, as_of: datetime) -> DataFrame:
    """Restricted: one row a person with a response from `since` to before `as_of`: `_evenhand_id` and `option`, from 1 as the plan has them."""
    rows = _rows(responses, outcome, as_of)
    counts = has_id(rows) & (F.col(TIME) >= timestamp(since)) & (F.col(TIME) < timestamp(as_of)) & (F.col(OPTION) > 0)
    return rows.where(counts).groupBy(ID).agg(F.max(OPTION).alias(OPTION))


def responses_quality(sources: Sources, outcome: Outcome, plan: Plan, as_of: datetime) -> DataFrame:
    """Restricted: item, finding, count; what was wrong with the responses. `plan` is that of the count."""
    rows = _rows(sources.events[outcome.name], outcome, as_of)
    by_row = {
        "response that is none of the options": F.col(OPTION) == 0,
        "response without a time": F.col(TIME).isNull(),
        "response in the future": F.coalesce(F.col(TIME) >= timestamp(as_of), F.lit(False)),
    }
    strangers = rows.where(has_id(rows)).join(with_ids(sources, plan).select(ID), ID, "left_anti")
    of_nobody = listed_counts(strangers, {(outcome.name, "response that matches no customer"): F.count("*")})
    return counted(outcome.name, rows, ID, by_row).unionByName(of_nobody)


def _rows(responses: DataFrame, outcome: Outcome, as_of: datetime) -> DataFrame:
    """Each response that the plan's condition lets through: `_evenhand_id`, `_time` and `option` (0: none)."""
    source = outcome.source
    rows = within_calendar(identified(responses, source.id))
    if source.where:
        rows = rows.where(F.expr(row_sql(source.where, timestamp_sql(as_of))))
    time, said = F.col(quoted_column(source.time)).cast("timestamp"), F.col(quoted_column(source.response)).cast("string")
    return rows.select(ID, time.alias(TIME), position_in(outcome.option_names, said).alias(OPTION))
