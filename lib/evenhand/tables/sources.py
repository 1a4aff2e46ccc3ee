"""The source tables: which columns the plan needs of each, their versions pinned once, read without anything else."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.errors import SourceError
from evenhand.plan.columns import CONSENT, CUSTOMERS, needed_columns
from evenhand.plan.data import Table
from evenhand.plan.models import Plan
from evenhand.tables.paths import absolute, is_missing, quoted
from evenhand.tables.spark_errors import condition_of

INTEGERS = (T.ByteType, T.ShortType, T.IntegerType, T.LongType)
NUMBERS = (*INTEGERS, T.FloatType, T.DoubleType, T.DecimalType, T.BooleanType)
TEXT = (T.StringType,)
TIMES = (T.TimestampType, T.TimestampNTZType)  # a time without a zone is in the plan's
GROUPS = (*TEXT, *INTEGERS, T.BooleanType)


@dataclass(frozen=True)
class Sources:
    """The plan's sources at the pinned versions, each with the plan's columns and no others."""

    customers: DataFrame
    consent: DataFrame
    events: dict[str, DataFrame]
    versions: dict[str, int]


def source_tables(plan: Plan) -> dict[str, Table]:
    return {CUSTOMERS: plan.sources.customers, CONSENT: plan.sources.consent, **plan.sources.events}


def pin_versions(spark: SparkSession, plan: Plan) -> dict[str, int]:
    """The Delta version of every source that this run reads, from first to last.

    Raises:
        SourceError: a table is missing, is not Delta, or has no such version.
    """
    tables = source_tables(plan)
    with ThreadPoolExecutor(len(tables)) as pool:
        versions = pool.map(lambda item: _version(spark, *item), tables.items())
        return dict(zip(tables, versions, strict=True))


def open_sources(spark: SparkSession, plan: Plan, versions: Mapping[str, int]) -> Sources:
    """Read the pinned versions lazily, after checking that every column is there and of a fit type.

    Raises:
        SourceError: with the table, the column, and what would be right.
    """
    frames = {name: _select(spark, plan, name, table, versions[name]) for name, table in source_tables(plan).items()}
    _check_types(plan, frames)
    events = {name: frames[name] for name in plan.sources.events}
    return Sources(frames[CUSTOMERS], frames[CONSENT], events, dict(versions))


def _version(spark: SparkSession, name: str, table: Table) -> int:
    try:
        one = "LIMIT 1" if table.timestamp is None else ""  # newest first; a long history need not be read for it
        versions = spark.sql(f"DESCRIBE HISTORY {_address(table)} {one}").select("version", "timestamp")
        if table.timestamp is not None:
            versions = versions.where(F.col("timestamp") <= F.lit(table.timestamp.isoformat()).cast("timestamp"))
        history = versions.first()
    except PySparkException as wrong:
        raise SourceError(f"sources.{name}: {_why_unreadable(spark, table, wrong)}") from None
    if history is None:
        raise SourceError(f"sources.{name}: {table.address} has no version at or before {table.timestamp}")
    newest = int(history[0])
    if table.version is not None and table.version > newest:
        raise SourceError(f"sources.{name}: {table.address} has no version {table.version}; the newest is {newest}")
    return newest if table.version is None else table.version


def _why_unreadable(spark: SparkSession, table: Table, wrong: PySparkException) -> str:
    if table.name is not None:
        if not spark.catalog.tableExists(table.name):
            return f"table {table.name} is missing; state the name of a Delta table in the catalog"
        return f"table {table.name} is not a Delta table; convert it with CONVERT TO DELTA"
    if is_missing(spark, table.address):
        return f"table {table.path} is missing; state the path of a Delta table"
    if "DATA_SOURCE_NOT_FOUND" in condition_of(wrong) or "delta" not in str(wrong).lower():
        return f"{table.path} cannot be read ({condition_of(wrong) or type(wrong).__name__})"
    return f"{table.path} is not a Delta table; write it with format delta"


def _select(spark: SparkSession, plan: Plan, name: str, table: Table, version: int) -> DataFrame:
    reader = spark.read.format("delta").option("versionAsOf", version)
    try:
        rows = reader.table(table.name) if table.name is not None else reader.load(absolute(table.address))
        there = rows.columns
    except AnalysisException as wrong:
        raise SourceError(f"sources.{name}: version {version} cannot be read ({condition_of(wrong)})") from None
    known = {c.lower(): c for c in there}
    needed = needed_columns(plan)[name]
    if absent := [c for c in needed if c.lower() not in known]:
        raise SourceError(f"sources.{name}: {table.address} has no column {', '.join(absent)}; it has {', '.join(sorted(there))}")
    return rows.select([rows[f"`{known[c.lower()]}`"].alias(c) for c in needed])


def _check_types(plan: Plan, frames: Mapping[str, DataFrame]) -> None:
    kinds: dict[str, list[tuple[str, tuple[type[T.DataType], ...], str]]] = {name: [] for name in frames}
    for feature in plan.features:
        if feature.column:
            kinds[CUSTOMERS].append((feature.column, NUMBERS, f"a number, for feature {feature.name}"))
    for attribute in plan.protected:
        wanted = NUMBERS if attribute.bands else GROUPS
        label = "a number" if attribute.bands else "text, a whole number or a boolean"
        kinds[CUSTOMERS].append((attribute.column, wanted, f"{label}, for protected attribute {attribute.name}"))
    kinds[CONSENT] += [(c, TEXT, "text") for c in ("purpose", "state")]
    kinds[CONSENT] += [(c, TIMES, "a timestamp") for c in ("recorded_at", "expires_at")]
    for name, events in plan.sources.events.items():
        kinds[name].append((events.time, (*TIMES, T.DateType), "a timestamp or a date"))
    for name, wanted_columns in kinds.items():
        types = {f.name.lower(): f.dataType for f in frames[name].schema}
        for column, allowed, label in wanted_columns:
            found = types[column.lower()]
            if not isinstance(found, allowed):
                raise SourceError(f"sources.{name}: column {column} is {found.simpleString()}; it must be {label}")
    _check_ids(plan, frames)


def _check_ids(plan: Plan, frames: Mapping[str, DataFrame]) -> None:
    """Ids must be compared as what they are: 007 as text and 7 as a number are not surely the same person."""
    ids = {CUSTOMERS: plan.sources.customers.id, CONSENT: plan.sources.consent.id}
    ids |= {name: events.id for name, events in plan.sources.events.items()}
    kinds = {}
    for name, column in ids.items():
        found = {f.name.lower(): f.dataType for f in frames[name].schema}[column.lower()]
        if not isinstance(found, (*TEXT, *INTEGERS)):
            raise SourceError(
                f"sources.{name}: the id column {column} is {found.simpleString()}; it must be text or a whole number"
            )
        kinds[name] = "text" if isinstance(found, TEXT) else "a whole number"
    for name, kind in kinds.items():
        if kind != kinds[CUSTOMERS]:
            raise SourceError(
                f"sources.{name}: the id column {ids[name]} is {kind}, that of the customers is {kinds[CUSTOMERS]}; "
                "retype one of them, so that the same customer has the same id"
            )


def _address(table: Table) -> str:
    return quoted(table.path) if table.path is not None else str(table.name)
