"""The columns that sources may hold in one of several types, in the one type that everything after computes with."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.errors import SourceError
from evenhand.plan.columns import CONSENT, id_columns
from evenhand.plan.consent import ConsentColumns
from evenhand.plan.expressions import quoted_column
from evenhand.plan.models import Plan
from evenhand.prepare.ids import in_one_form
from evenhand.spark.errors import condition_of

TEXTS = ("attribute", "signal", "notice_version")
TIMES = ("recorded_at", "expires_at")
MOST_DIGITS = 18  # of a number that surely fits into a BIGINT


def converted(plan: Plan, frames: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """The sources, by name: ids in the form in which they are compared, a boolean state in words, the columns of consent under
    their own names.

    Raises:
        SourceError: this Spark cannot bring ids into the form that the plan states.
    """
    frames = {**frames, CONSENT: _own_names(plan, frames[CONSENT])}
    changed: dict[str, dict[str, Column]] = {name: {} for name in frames}
    for name, column in id_columns(plan).items():
        changed[name][column] = _id(plan, frames, name, column)
    if isinstance(_type(frames[CONSENT], "state"), T.BooleanType):
        yes = F.col("state")
        changed[CONSENT]["state"] = F.when(yes, F.lit("granted")).when(~yes, F.lit("withdrawn"))
    for time in TIMES:
        if time in _names(frames[CONSENT]) and isinstance(kind := _type(frames[CONSENT], time), T.DateType | T.TimestampNTZType):
            changed[CONSENT][time] = _within_calendar(F.col(time), kind)
    for text in [c for c in TEXTS if c in _names(frames[CONSENT])]:
        changed[CONSENT][text] = F.col(text).cast("string")  # without the rules of a collation
    ready = {name: _with(rows, changed[name]) for name, rows in frames.items()}
    if "expires_at" not in _names(frames[CONSENT]):
        ready[CONSENT] = ready[CONSENT].withColumn("expires_at", F.lit(None).cast("timestamp"))
    try:
        return {name: rows for name, rows in ready.items() if rows.schema}
    except AnalysisException as wrong:
        raise SourceError(
            f"sources.ids: this Spark cannot bring ids into that form ({condition_of(wrong)}); leave normalize out and have the "
            "ids in one form at their source"
        ) from None


def _own_names(plan: Plan, consent: DataFrame) -> DataFrame:
    own = {plan.sources.consent.columns.of(field).lower(): field for field in ConsentColumns.model_fields}
    return consent.select([F.col(quoted_column(c)).alias(own.get(c.lower(), c)) for c in consent.columns])


def _within_calendar(time: Column, kind: T.DataType) -> Column:
    """A day or a time without a zone as a TIMESTAMP, in the years 1 to 9999: Spark stops on what lies far outside of them."""
    first, last = (F.lit(text).cast(kind) for text in ("0001-01-02", "9999-12-30"))  # a day from the ends, for every zone
    return F.when(time.isNotNull(), F.least(F.greatest(time, first), last)).cast("timestamp")


def _names(rows: DataFrame) -> list[str]:
    return [c.lower() for c in rows.columns]


def _with(rows: DataFrame, changed: Mapping[str, Column]) -> DataFrame:
    by_name = {c.lower(): column for c, column in changed.items()}
    return rows.select([by_name.get(c.lower(), F.col(quoted_column(c))).alias(c) for c in rows.columns])


def _id(plan: Plan, frames: Mapping[str, DataFrame], name: str, column: str) -> Column:
    """The id as it is compared and becomes a pseudonym: text, a whole number as a BIGINT where all fit into it, else as text, or bytes."""
    found, kind = F.col(quoted_column(column)), _type(frames[name], column)
    if isinstance(kind, T.StringType):
        return in_one_form(found.cast("string"), plan.sources.ids)  # without the rules of a collation
    if isinstance(kind, T.BinaryType):
        return found
    kinds = [_type(frames[source], c) for source, c in id_columns(plan).items()]
    wide = any(isinstance(k, T.DecimalType) and k.precision > MOST_DIGITS for k in kinds)
    return found.cast("string") if wide else found.cast("bigint")


def _type(rows: DataFrame, column: str) -> T.DataType:
    return next(f.dataType for f in rows.schema if f.name.lower() == column.lower())
