"""The source tables: which columns the plan needs of each, their versions pinned once, read without anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from evenhand.errors import DataError, SourceError
from evenhand.plan.columns import CONSENT, CUSTOMERS, for_outcome, for_survey, needed_columns, optional_columns, source_tables
from evenhand.plan.consent import ConsentColumns
from evenhand.plan.data import Table
from evenhand.plan.expressions import quoted_column
from evenhand.plan.models import Plan
from evenhand.plan.outcomes import Outcome
from evenhand.plan.surveys import Survey
from evenhand.prepare.sources import Sources
from evenhand.records.people import People
from evenhand.sources.checks import check_expressions, check_types
from evenhand.sources.conversions import converted
from evenhand.sources.unreadable import refuse_vanished, why_unreadable
from evenhand.spark.errors import NO_FILE, SPARK_ERRORS, kind_of
from evenhand.tables.paths import absolute, quoted

AS_WRITTEN = "_as_written"  # the customer's id as the source has it, for those who know the customer by it


def pin_versions(spark: SparkSession, plan: Plan) -> dict[str, int]:
    """The Delta version of every source that this run reads, from first to last.

    Raises:
        SourceError: a table is missing, is not Delta, or has no such version.
    """
    tables = source_tables(plan)
    with ThreadPoolExecutor(len(tables)) as pool:
        versions = pool.map(lambda item: _version(spark, *item), tables.items())
        return dict(zip(tables, versions, strict=True))


def people_of(spark: SparkSession, plan: Plan) -> People:
    """Whom the plan's customer table is about, by what Delta says of the table.

    Raises:
        SourceError: it is missing, or is not Delta.
    """
    table = plan.sources.customers
    try:
        detail = spark.sql(f"DESCRIBE DETAIL {address(table)}").select("id", "location").first()
    except SPARK_ERRORS as wrong:
        raise SourceError(f"sources.{CUSTOMERS}: {why_unreadable(spark, table, wrong)}") from None
    if detail is None or not detail.id:
        raise SourceError(f"sources.{CUSTOMERS}: {table.address} is not a Delta table; write it with format delta")
    return People(detail.id, detail.location, table.id)


def open_sources(
    spark: SparkSession, plan: Plan, versions: Mapping[str, int], as_written: bool = False, whole_consent: bool = False
) -> Sources:
    """Read the pinned versions lazily, after checking that every column is there and of a fit type.

    With `as_written` the customers have their id as the source has it, too. With `whole_consent` the events have what no run
    reads, too, as far as the table has it: record id, language, method, who expressed it.

    Raises:
        SourceError: with the table, the column, and what would be right.
    """
    more = [plan.sources.consent.columns.of(field) for field in ConsentColumns.model_fields] if whole_consent else []
    frames = {
        name: _select(spark, plan, name, table, versions[name], more if name == CONSENT else [])
        for name, table in source_tables(plan).items()
    }
    check_types(plan, frames)
    check_expressions(plan, frames)
    if as_written:
        customer_id = F.col(quoted_column(plan.sources.customers.id))
        frames[CUSTOMERS] = frames[CUSTOMERS].withColumn(AS_WRITTEN, customer_id)
    ready = converted(plan, frames)
    events = {name: ready[name] for name in plan.sources.events}
    expires = plan.sources.consent.columns.of("expires_at").lower() in map(str.lower, frames[CONSENT].columns)
    return Sources(ready[CUSTOMERS], ready[CONSENT], events, dict(versions), expires)


def newest(plan: Plan) -> Plan:
    """The plan for what is true today: its sources at their newest versions, whatever versions it states."""
    unpinned: dict[str, object] = {"version": None, "timestamp": None}
    customers, consent = (of.model_copy(update=unpinned) for of in (plan.sources.customers, plan.sources.consent))
    events = {name: of.model_copy(update=unpinned) for name, of in plan.sources.events.items()}
    sources = plan.sources.model_copy(update={"customers": customers, "consent": consent, "events": events})
    return plan.model_copy(update={"sources": sources})


def people_today(spark: SparkSession, plan: Plan, whole_consent: bool = False) -> Sources:
    """The ids of the customers, also `AS_WRITTEN`, and all consent, newest versions whatever the plan states: nothing else is read.

    `whole_consent` as for `open_sources`.

    Raises:
        SourceError: as `pin_versions` and `open_sources`.
    """
    sources = newest(plan).sources
    customers = sources.customers.model_copy(update={"duplicates": "leave_out"})  # which asks for no column
    only_ids = plan.model_copy(
        update={"sources": sources.model_copy(update={"customers": customers, "events": {}}), "features": [], "protected": []}
    )
    return open_sources(spark, only_ids, pin_versions(spark, only_ids), as_written=True, whole_consent=whole_consent)


def answers_today(spark: SparkSession, plan: Plan, asked: Survey | Outcome) -> Sources:
    """What a survey's wave or a count of outcomes reads: the newest ids of customers and consent, and the answers or responses as the plan states,
    as the only events.

    Raises:
        SourceError: as `pin_versions` and `open_sources`.
    """
    today = newest(plan)
    of_wave = for_survey(today, asked) if isinstance(asked, Survey) else for_outcome(today, asked)
    with answers_named(asked):
        return open_sources(spark, of_wave, pin_versions(spark, of_wave))


@contextmanager
def answers_named(asked: Survey | Outcome) -> Iterator[None]:
    """What is wrong with the answers or responses is told by the key of the plan that says where they are."""
    try:
        yield
    except SourceError as wrong:
        told, key = str(wrong), f"{'surveys' if isinstance(asked, Survey) else 'outcomes'}.{asked.name}.source"
        for of_events in (f"sources.events.{asked.name}", f"sources.{asked.name}"):
            told = told.replace(of_events, key)
        raise SourceError(told) from None


@contextmanager
def vanished_files_named(spark: SparkSession, plan: Plan, sources: Sources) -> Iterator[None]:
    """When a file is gone that a source is read from, say which source it was, in place of Spark's error.

    Raises:
        SourceError: with the source and its version.
    """
    try:
        yield
    except (DataError, *SPARK_ERRORS) as wrong:
        if any(sign in str(wrong) for sign in NO_FILE):
            frames = {CUSTOMERS: sources.customers, CONSENT: sources.consent, **sources.events}
            for name, table in source_tables(plan).items():
                refuse_vanished(spark, name, table, sources.versions[name], frames[name])
        raise


def _version(spark: SparkSession, name: str, table: Table) -> int:
    try:
        one = "LIMIT 1" if table.timestamp is None else ""  # newest first; a long history need not be read for it
        versions = spark.sql(f"DESCRIBE HISTORY {address(table)} {one}").select("version", "timestamp")
        if table.timestamp is not None:
            versions = versions.where(F.col("timestamp") <= F.lit(table.timestamp.isoformat()).cast("timestamp"))
        history = versions.first()
    except SPARK_ERRORS as wrong:
        raise SourceError(f"sources.{name}: {why_unreadable(spark, table, wrong)}") from None
    if history is None:
        raise SourceError(f"sources.{name}: {table.address} has no version at or before {table.timestamp}")
    newest = int(history[0])
    if table.version is not None and table.version > newest:
        raise SourceError(f"sources.{name}: {table.address} has no version {table.version}; the newest is {newest}")
    return newest if table.version is None else table.version


def _select(spark: SparkSession, plan: Plan, name: str, table: Table, version: int, more: Sequence[str]) -> DataFrame:
    reader = spark.read.format("delta").option("versionAsOf", version)
    try:
        rows = reader.table(table.name) if table.name is not None else reader.load(absolute(table.address))
        there = rows.columns
    except SPARK_ERRORS as wrong:
        raise SourceError(
            f"sources.{name}: version {version} of {table.address} cannot be read ({kind_of(wrong)}); state a newer version, or none"
        ) from None
    if table.version is not None or table.timestamp is not None:
        refuse_vanished(spark, name, table, version, rows)
    known = {c.lower(): c for c in there}
    optional = optional_columns(plan)
    needed = [c for c in needed_columns(plan)[name] if c.lower() in known or (name, c.lower()) not in optional]
    if absent := [c for c in needed if c.lower() not in known]:
        raise SourceError(f"sources.{name}: {_why_absent(rows, table, absent)}")
    taken = {c.lower() for c in needed}
    needed += [c for c in more if c.lower() in known and c.lower() not in taken]
    return rows.select([rows[quoted_column(known[c.lower()])].alias(c) for c in needed])


def _why_absent(rows: DataFrame, table: Table, absent: Sequence[str]) -> str:
    structs = {f.name.lower() for f in rows.schema if isinstance(f.dataType, StructType)}
    for column in absent:
        parent, dot, _ = column.partition(".")
        if dot and parent.lower() in structs:
            return (
                f"{column} is a field of {parent}, not a column; have it as a column of its own in {table.address}, and name that"
            )
    return f"{table.address} has no column {', '.join(absent)}; it has {', '.join(sorted(rows.columns))}"


def address(table: Table) -> str:
    """The table's name in SQL."""
    return quoted(table.path) if table.path is not None else str(table.name)
