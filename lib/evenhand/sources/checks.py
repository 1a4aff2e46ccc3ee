"""Whether the columns of the sources are of the types that the plan needs, told before a row is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.errors import SourceError
from evenhand.plan.base import written
from evenhand.plan.columns import CONSENT, CUSTOMERS, id_columns
from evenhand.plan.data import Ids, KeepLatest
from evenhand.plan.expressions import inspect_row, row_sql, summed_column
from evenhand.plan.features import Feature
from evenhand.plan.models import Plan
from evenhand.plan.outcomes import Responses
from evenhand.plan.surveys import Answers
from evenhand.prepare.consent import ID
from evenhand.prepare.features import aggregates, customer_values
from evenhand.spark.errors import condition_of

INTEGERS = (T.ByteType, T.ShortType, T.IntegerType, T.LongType)
NUMBERS = (*INTEGERS, T.FloatType, T.DoubleType, T.DecimalType, T.BooleanType)
TEXT = (T.StringType,)
TIMES = (T.TimestampType, T.TimestampNTZType, T.DateType)  # a time without a zone, and the start of a day, are in the plan's
ORDERED = (*NUMBERS, *TIMES)
SOMETIME = "TIMESTAMP '2000-01-01 00:00:00'"  # in place of as_of, where only the types matter
BOOLEANS, WHOLE = ("true", "false"), re.compile(r"-?(0|[1-9][0-9]*)")
CONSENT_KINDS: dict[str, tuple[tuple[type[T.DataType], ...], str]] = {
    "purpose": (TEXT, "text"),
    "state": ((*TEXT, T.BooleanType), "text or a boolean"),
    "recorded_at": (TIMES, "a timestamp or a date"),
    "expires_at": (TIMES, "a timestamp or a date"),
    "attribute": (TEXT, "text, the name of a column"),
    "signal": (TEXT, "text"),
    "notice_version": ((*TEXT, *INTEGERS, T.DateType), "text, a whole number or a date: of a number 2.10 would be 2.1"),
}
GROUPS = (*TEXT, *INTEGERS, T.BooleanType)
DECLARED = "__CHAR_VARCHAR_TYPE_STRING"  # the metadata of a column of strings in which Spark keeps that it is CHAR or VARCHAR


def check_types(plan: Plan, frames: Mapping[str, DataFrame]) -> None:
    """Check every column's type, and that ids can be compared with each other.

    Raises:
        SourceError: with the first column that does not fit, its type, and what it must be.
    """
    kinds: dict[str, list[tuple[str, tuple[type[T.DataType], ...], str]]] = {name: [] for name in frames}
    if isinstance(duplicates := plan.sources.customers.duplicates, KeepLatest):
        label = "a timestamp, a date or a number, since keep_latest_by takes the greatest, and of text that is 9 and not 10"
        kinds[CUSTOMERS].append((duplicates.keep_latest_by, ORDERED, label))
    for feature in plan.features:
        if feature.column:
            label = f"a number or a date, for feature {feature.name}"
            kinds[CUSTOMERS].append((feature.column, (*NUMBERS, T.DateType), label))
        if feature.category is not None:
            label = f"text, a whole number or a boolean, for {feature.category.of}"
            kinds[CUSTOMERS].append((feature.category.column, GROUPS, label))
        if feature.events and feature.expression and (summed := summed_column(feature.expression)):
            label = f"a number, to be added up for feature {feature.name}; of a text that holds one write sum(try_cast({summed} as double))"
            kinds[feature.events].append((summed, NUMBERS, label))
    for attribute in plan.protected:
        wanted = NUMBERS if attribute.bands else GROUPS
        label = "a number" if attribute.bands else "text, a whole number or a boolean"
        kinds[CUSTOMERS].append((attribute.column, wanted, f"{label}, for protected attribute {attribute.name}"))
    columns, there = plan.sources.consent.columns, _types(frames[CONSENT])
    named = [(columns.of(field), *kind) for field, kind in CONSENT_KINDS.items()]
    kinds[CONSENT] += [kind for kind in named if kind[0].lower() in there]
    for name, events in plan.sources.events.items():
        kinds[name].append((events.time, TIMES, "a timestamp or a date"))
        if isinstance(events, Answers):
            kinds[name].append((events.question, TEXT, "text, the name of a question"))
            kinds[name].append((events.answer, GROUPS, "text, a whole number or a boolean"))
        if isinstance(events, Responses):
            kinds[name].append((events.response, GROUPS, "text, a whole number or a boolean"))
    for name, wanted_columns in kinds.items():
        types = _types(frames[name])
        for column, allowed, label in wanted_columns:
            found = types[column.lower()]
            if not isinstance(found, allowed):
                raise SourceError(f"sources.{name}: column {column} is {found.simpleString()}; it must be {label}")
    _check_groups(plan, frames[CUSTOMERS])
    _check_options(plan, frames)
    _check_ids(plan, frames)


def check_expressions(plan: Plan, frames: Mapping[str, DataFrame]) -> None:
    """Have Spark resolve every expression over the types of the columns; no row is read.

    Raises:
        SourceError: with the expression's place in the plan and the types of its columns.
    """
    for name, where, columns, computed in _expressions(plan):
        try:
            computed(frames[name]).schema  # noqa: B018
        except AnalysisException as wrong:
            types = _types(frames[name])
            read = ", ".join(f"{c} is {types[c.lower()].simpleString()}" for c in columns)
            raise SourceError(
                f"{where}: Spark cannot compute it ({condition_of(wrong)}) from its columns ({read or 'none'}); "
                "correct the expression, or retype the column at its source"
            ) from None


def _expressions(plan: Plan) -> Iterator[tuple[str, str, Sequence[str], Callable[[DataFrame], DataFrame]]]:
    """Source, place in the plan and columns of every expression, and how it is computed of the source's rows."""
    for name, source in plan.sources.events.items():
        if source.where:
            yield name, f"sources.events.{name}.where", inspect_row(source.where), partial(_that_count, source.where)
    for feature in plan.features:
        if feature.expression:
            yield feature.events or CUSTOMERS, f"features.{feature.name}.expression", feature.columns, partial(_computed, feature)


def _that_count(condition: str, rows: DataFrame) -> DataFrame:
    return rows.where(F.expr(row_sql(condition, SOMETIME)))


def _computed(feature: Feature, rows: DataFrame) -> DataFrame:
    if feature.events is None:
        return customer_values(rows, [feature], [], SOMETIME)
    return aggregates(rows.withColumn(ID, F.lit(1)), {feature.name: str(feature.expression)}, SOMETIME)


def _types(rows: DataFrame) -> dict[str, T.DataType]:
    return {f.name.lower(): f.dataType for f in rows.schema}


def _declared(rows: DataFrame, column: str) -> str:
    """The type that a column of strings was declared with, such as char(20), when it has a length."""
    return next((str(f.metadata.get(DECLARED, "")) for f in rows.schema if f.name.lower() == column.lower()), "")


def _check_groups(plan: Plan, customers: DataFrame) -> None:
    """A value that the column cannot hold would put everybody into `others`: in YAML yes, no, on and off are booleans."""
    types = _types(customers)
    named = [(a.column, f"group of {a.name}", [v for of in a.groups.values() for v in of]) for a in plan.protected if a.groups]
    categories = [f.category for f in plan.features if f.category is not None and f.category.others]
    named += [(c.column, f"category of {c.of}", c.values) for c in categories]
    for column, of, values in named:
        found = types[column.lower()]
        if (declared := _declared(customers, column)).startswith("char"):
            raise SourceError(
                f"sources.{CUSTOMERS}: column {column} is {declared}, whose values end in blanks that no {of} names; retype it to "
                "STRING and take the blanks off"
            )
        for value in values:
            if instead := _instead(value, found):
                raise SourceError(
                    f"sources.{CUSTOMERS}: column {column} is {found.simpleString()} and never {written(value)}, which a {of} names; "
                    f"write it {instead}"
                )


def _check_options(plan: Plan, frames: Mapping[str, DataFrame]) -> None:
    """Of a survey or an outcome an option that the column cannot hold would be nobody's."""
    asked = [(of, source.answer, q.name, q.options) for of, source in _read(plan, plan.surveys, Answers) for q in of.questions]
    asked += [(of, source.response, of.name, of.options) for of, source in _read(plan, plan.outcomes, Responses)]
    for of, column, name, options in asked:
        found = _types(frames[of.name])[column.lower()]
        for option in options:
            if instead := _instead(option, found):
                raise SourceError(
                    f"sources.{of.name}: column {column} is {found.simpleString()} and never {written(option)}, an option of {name}; "
                    f"write it {instead}"
                )


def _read(plan: Plan, named: Sequence[Any], kind: type[Any]) -> list[tuple[Any, Any]]:
    """Those whose tables are read: a run reads none."""
    found = ((of, plan.sources.events.get(of.name)) for of in named)
    return [(of, source) for of, source in found if isinstance(source, kind)]


def _instead(value: str | int | bool, column: T.DataType) -> str:
    """How a value that the column cannot hold is to be written; empty when it can hold it."""
    if isinstance(column, T.BooleanType):
        return "" if written(value) in BOOLEANS else "true or false"
    if isinstance(column, INTEGERS):
        return "" if WHOLE.fullmatch(written(value)) else "a whole number"
    if isinstance(value, bool):
        return "in quotes as the column has it; YAML takes yes, no, on and off for booleans unless quoted"
    return ""


def _check_ids(plan: Plan, frames: Mapping[str, DataFrame]) -> None:
    """Ids must be compared as what they are: 007 as text and 7 as a number are not surely the same person."""
    ids, kinds = id_columns(plan), {}
    for name, column in ids.items():
        found = _types(frames[name])[column.lower()]
        if (kind := _kind_of_id(found)) is None:
            raise SourceError(
                f"sources.{name}: the id column {column} is {found.simpleString()}; it must be text, a whole number or binary"
            )
        declared = _declared(frames[name], column)
        if declared.startswith("char"):
            raise SourceError(
                f"sources.{name}: the id column {column} is {declared}, whose blanks at the end are part of the id elsewhere; "
                "retype it to STRING and take the blanks off, in every source"
            )
        kinds[name] = kind
    for name, kind in kinds.items():
        if kind != kinds[CUSTOMERS]:
            raise SourceError(
                f"sources.{name}: the id column {ids[name]} is {kind}, that of the customers is {kinds[CUSTOMERS]}; "
                "retype one of them, so that the same customer has the same id"
            )
    if kinds[CUSTOMERS] != "text" and plan.sources.ids != Ids():
        raise SourceError(f"sources.ids: the ids are no text but {kinds[CUSTOMERS]}, which has one form only; leave it out")


def _kind_of_id(found: T.DataType) -> str | None:
    if isinstance(found, TEXT):
        return "text"
    if isinstance(found, T.BinaryType):
        return "binary"
    whole = isinstance(found, INTEGERS) or (isinstance(found, T.DecimalType) and found.scale == 0)
    return "a whole number" if whole else None
