"""The source tables: which columns the plan needs of each, their versions pinned once, read without anything else."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.errors import SourceError
from evenhand.plan.columns import CONSENT, CUSTOMERS, needed_columns
from evenhand.plan.data import Table
from evenhand.plan.models import Plan
from evenhand.tables.paths import absolute, is_missing, quoted
from evenhand.tables.source_checks import check_expressions, check_types, texts_in_expressions
from evenhand.tables.spark_errors import SPARK_ERRORS, condition_of, kind_of


@dataclass(frozen=True)
class Sources:
    """The plan's sources at the pinned versions, each with the plan's columns and no others."""

    customers: DataFrame
    consent: DataFrame
    events: dict[str, DataFrame]
    versions: dict[str, int]
    texts: list[str]  # columns of text that expressions read


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
    check_types(plan, frames)
    check_expressions(plan, frames)
    events = {name: frames[name] for name in plan.sources.events}
    return Sources(frames[CUSTOMERS], frames[CONSENT], events, dict(versions), texts_in_expressions(plan, frames))


def _version(spark: SparkSession, name: str, table: Table) -> int:
    try:
        one = "LIMIT 1" if table.timestamp is None else ""  # newest first; a long history need not be read for it
        versions = spark.sql(f"DESCRIBE HISTORY {_address(table)} {one}").select("version", "timestamp")
        if table.timestamp is not None:
            versions = versions.where(F.col("timestamp") <= F.lit(table.timestamp.isoformat()).cast("timestamp"))
        history = versions.first()
    except SPARK_ERRORS as wrong:
        raise SourceError(f"sources.{name}: {_why_unreadable(spark, table, wrong)}") from None
    if history is None:
        raise SourceError(f"sources.{name}: {table.address} has no version at or before {table.timestamp}")
    newest = int(history[0])
    if table.version is not None and table.version > newest:
        raise SourceError(f"sources.{name}: {table.address} has no version {table.version}; the newest is {newest}")
    return newest if table.version is None else table.version


def _why_unreadable(spark: SparkSession, table: Table, wrong: Exception) -> str:
    if table.name is not None:
        try:
            there = spark.catalog.tableExists(table.name)
        except SPARK_ERRORS as no_name:
            return f"there can be no table {table.name!r} ({kind_of(no_name)}); state a name such as catalog.schema.table"
        if not there:
            return f"table {table.name} is missing; state the name of a Delta table in the catalog"
        return f"table {table.name} is not a Delta table; convert it with CONVERT TO DELTA"
    if is_missing(spark, table.address):
        return f"table {table.path} is missing; state the path of a Delta table"
    if not condition_of(wrong).startswith("DELTA"):
        return f"{table.path} cannot be read ({kind_of(wrong)})"
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


def _address(table: Table) -> str:
    return quoted(table.path) if table.path is not None else str(table.name)
