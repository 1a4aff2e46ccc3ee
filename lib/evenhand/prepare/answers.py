"""A survey's answers: the latest of each person to each question, as the position of an option; text leaves this file as a position only."""

from __future__ import annotations

from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.expressions import quoted_column, row_sql
from evenhand.plan.models import Plan
from evenhand.plan.spans import before
from evenhand.plan.surveys import Survey
from evenhand.prepare.consent import ID, has_id, identified
from evenhand.prepare.customers import timestamp, timestamp_sql, with_ids
from evenhand.prepare.features import within_calendar
from evenhand.prepare.quality import counted, listed_counts
from evenhand.prepare.sources import Sources

QUESTION, OPTION = "question", "option"
TIME, CONTRADICTS = "_time", "_contradicts"
CODES = 64  # more than there are options; times of a hundred years by so many fit into a BIGINT


def latest_answers(answers: DataFrame, survey: Survey, as_of: datetime) -> DataFrame:
    """Restricted: one row a person and question: `_evenhand_id`, `question` from 0 and `option` from 1, as the plan has them.

    The latest answer before `as_of` counts, and only if it is an option: whoever takes an answer back, by an empty one or by something else, has
    none. Answers on one instant that contradict each other are none either.
    """
    found = _latest(_rows(answers, survey, as_of), survey, as_of)
    return found.where(~F.col(CONTRADICTS) & (F.col(OPTION) > 0)).select(ID, QUESTION, OPTION)


def answers_quality(sources: Sources, survey: Survey, plan: Plan, as_of: datetime) -> DataFrame:
    """Restricted: item, finding, count; what was wrong with the answers. `plan` is that of the wave."""
    rows = _rows(sources.events[survey.name], survey, as_of)
    known, future = F.col(QUESTION) >= 0, F.col(TIME) >= timestamp(as_of)
    by_row = {
        "answer to a question that the plan does not have": ~known,
        "answer that is none of the options": known & (F.col(OPTION) == 0),
        "answer without a time": F.col(TIME).isNull(),
        "answer in the future": F.coalesce(future, F.lit(False)),
    }
    contradicting = {(survey.name, "answers on one instant that contradict each other"): F.count_if(F.col(CONTRADICTS))}
    of_nobody = {(survey.name, "answer that matches no customer"): F.count("*")}
    strangers = rows.where(has_id(rows)).join(with_ids(sources, plan).select(ID), ID, "left_anti")
    found = [
        counted(survey.name, rows, ID, by_row),
        listed_counts(_latest(rows, survey, as_of), contradicting),
        listed_counts(strangers, of_nobody),
    ]
    return reduce(DataFrame.unionByName, found)


def _rows(answers: DataFrame, survey: Survey, as_of: datetime) -> DataFrame:
    """Each answer that the plan's condition lets through: `_evenhand_id`, `_time`, `question` (-1: none of the plan's) and `option` (0: none)."""
    source, questions = survey.source, survey.questions
    rows = within_calendar(identified(answers, source.id))
    if source.where:
        rows = rows.where(F.expr(row_sql(source.where, timestamp_sql(as_of))))
    name, given = (F.col(quoted_column(c)).cast("string") for c in (source.question, source.answer))
    options = F.create_map(*(part for q in questions for part in (F.lit(q.name), _array(q.option_names))))
    return rows.select(
        ID,
        F.col(quoted_column(source.time)).cast("timestamp").alias(TIME),
        (position_in([q.name for q in questions], name) - 1).alias(QUESTION),
        _position(options[name], given).alias(OPTION),
    )


def _latest(rows: DataFrame, survey: Survey, as_of: datetime) -> DataFrame:
    """One row a person and question of the plan: `option` (0: none) and whether answers on the latest instant contradict each other.

    Time and option are packed into one BIGINT whose maximum is the latest answer, twice: with the options in order and in reverse.
    """
    since = timestamp(before(as_of, survey.max_age))
    counts = has_id(rows) & (F.col(QUESTION) >= 0) & (F.col(TIME) >= since) & (F.col(TIME) < timestamp(as_of))
    time = F.unix_micros(TIME) * CODES
    packed = {"_last": time + F.col(OPTION), "_first": time + (CODES - 1 - F.col(OPTION))}
    each = rows.where(counts).select(ID, QUESTION, *[code.alias(of) for of, code in packed.items()]).repartition(ID)
    latest = each.groupBy(ID, QUESTION).agg(*[F.max(of).alias(of) for of in packed])
    last, first = F.pmod("_last", F.lit(CODES)), CODES - 1 - F.pmod("_first", F.lit(CODES))
    return latest.select(ID, QUESTION, last.cast("int").alias(OPTION), (last != first).alias(CONTRADICTS))


def position_in(texts: list[str], text: Column) -> Column:
    """The position of a text in a list from 1 on; 0 where it is not there, or null."""
    return _position(_array(texts), text)


def _array(texts: list[str]) -> Column:
    return F.array(*map(F.lit, texts))


def _position(texts: Column, text: Column) -> Column:
    """The position from 1 on; 0 where it is not there, or null."""
    return F.coalesce(F.array_position(texts, text), F.lit(0)).cast("int")
