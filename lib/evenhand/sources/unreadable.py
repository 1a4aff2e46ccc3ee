"""Why a source cannot be read, and what to do about it; found out only once it could not be."""

from __future__ import annotations

import re

from pyspark.sql import DataFrame, SparkSession

from evenhand.errors import SourceError
from evenhand.plan.data import Table
from evenhand.spark.errors import SPARK_ERRORS, condition_of, kind_of
from evenhand.tables.paths import are_there, is_missing

# Delta's words: … requires reader table feature(s) that are unsupported by Delta Lake "4.4.0": deletionVectors. Please refer to …
FEATURES = re.compile(r"unsupported by [^:]*: ([\w, -]+)")


def why_unreadable(spark: SparkSession, table: Table, wrong: Exception) -> str:
    """In one line, what is wrong with a table whose history Delta does not tell, and the cure."""
    if too_new := _too_new(wrong):
        return f"{table.address} {too_new}"
    return _why_not_by_name(spark, table.name) if table.name is not None else _why_not_by_path(spark, table.address, wrong)


def _too_new(wrong: Exception) -> str:
    kind, found = kind_of(wrong), FEATURES.search(str(wrong))
    if "UNSUPPORTED_FEATURES" in kind or "UnsupportedTableFeature" in kind:
        names = found.group(1).strip() if found else "a table feature"
        return f"uses {names}, which this session's Delta cannot read; take that off the table (DROP FEATURE), or bring a newer Delta"
    if "INVALID_PROTOCOL" in kind or "InvalidProtocol" in kind:
        return "asks for a newer Delta than this session has; bring that, or write the table anew with this one"
    return ""


def _why_not_by_name(spark: SparkSession, name: str) -> str:
    try:
        there = spark.catalog.tableExists(name)
        kind = spark.catalog.getTable(name).tableType if there else ""
    except SPARK_ERRORS as wrong:
        return f"there can be no table {name!r} ({kind_of(wrong)}); state a name such as catalog.schema.table"
    if not there:
        return f"table {name} is missing; state the name of a Delta table in the catalog"
    if "VIEW" in kind or kind == "TEMPORARY":
        return f"{name} is a view, which has no versions to pin; write it as a Delta table and name that"
    return f"table {name} is not a Delta table; convert it with CONVERT TO DELTA"


def _why_not_by_path(spark: SparkSession, path: str, wrong: Exception) -> str:
    if is_missing(spark, path):
        return f"table {path} is missing; state the path of a Delta table"
    if not condition_of(wrong).startswith("DELTA"):
        return f"{path} cannot be read ({kind_of(wrong)})"
    return f"{path} is not a Delta table; write it with format delta"


def refuse_vanished(spark: SparkSession, name: str, table: Table, version: int, rows: DataFrame) -> None:
    """Look for every file of a version without opening any.

    Raises:
        SourceError: some are gone, as VACUUM takes those that only older versions need.
    """
    if not are_there(spark, rows.inputFiles()):
        raise SourceError(
            f"sources.{name}: version {version} of {table.address} lacks files that it was made of; VACUUM may have taken them; "
            "state a newer version, or none; nothing was published"
        )
