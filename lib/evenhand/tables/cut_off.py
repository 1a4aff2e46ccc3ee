"""What is left where a table should be when a write was cut off, and how it is told from what must not be touched."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import unquote, urlsplit

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from evenhand.spark.errors import SPARK_ERRORS, condition_of, kind_of, system_error
from evenhand.tables.paths import absolute, is_missing, literal

# Rows that Delta has written for a commit; until a commit names them they are in no table.
PART = re.compile(r"(run_id=[^/]*/|\w\w/)?part-\d{5}-[0-9a-f-]{36}[-.]c\d{3}(\.\w+)*\.parquet")
FOLDER = re.compile(r"associated location \('([^']+)'\)")
COMMIT = re.compile(r"/_delta_log/0*(\d+)\.json")


def is_absent(spark: SparkSession, path: str, columns: Collection[str]) -> bool:
    """Whether no table of Evenhand's is at a path, nor anything of others.

    Delta writes the rows first and makes a table of them by its first commit. A process that is killed in between, or finds
    the disk full, leaves rows that no commit names: nothing, which the next write may add to. `columns` are those that the
    rows must have where they can be read at all.
    """
    if is_missing(spark, path):
        return True
    if _files(spark, f"{path}/_delta_log"):
        return False
    rows = _files(spark, path)
    return all(map(PART.fullmatch, rows)) and (not rows or set(columns) <= _readable_columns(spark, path, columns))


def obstacle(spark: SparkSession, path: str, wrong: BaseException) -> str:
    """What stands in the way at a path, and what to do about it. No advice leads to a ledger that begins anew."""
    if cause := system_error(wrong):
        return f"cannot be read: {cause}"
    if not _files(spark, f"{path}/_delta_log"):
        return f"holds something that is not a Delta table of Evenhand's ({kind_of(wrong)}); move it away"
    commit = COMMIT.search(str(wrong))
    broken = f"its commit {commit[1]} ({commit[0].lstrip('/')}) is incomplete or was changed" if commit else kind_of(wrong)
    return (
        f"holds something that is a Delta table and cannot be read: {broken}; put its files back as they were; what has been spent is "
        'recorded here, so do not begin elsewhere (see "What a kill, a full disk or a power cut leaves" in docs/operating.md)'
    )


def why_not_created(spark: SparkSession, name: str, wrong: BaseException) -> str | None:
    """What to do where a catalog does not create a table since its folder is not empty; None where that is not what is wrong.

    A process that is killed within the first write of such a table leaves its folder, and the catalog does not know of it.
    """
    folder = FOLDER.search(str(wrong)) if condition_of(wrong) == "DELTA_CREATE_TABLE_WITH_NON_EMPTY_LOCATION" else None
    if folder is None:
        return None
    place = absolute(folder[1])
    if _files(spark, f"{place}/_delta_log"):
        return f"its first commit is in {place} and the catalog lacks it; CREATE TABLE {name} USING delta LOCATION '{place}'"
    return f"{place} holds what a first write that was cut off has left; empty that folder, no table has its rows"


def _files(spark: SparkSession, path: str) -> list[str]:
    """The files below a path, relative to it, without those whose names begin with a dot or an underscore."""
    if is_missing(spark, path):
        return []
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(literal(absolute(path))).inputFiles()
    root = unquote(urlsplit(absolute(path)).path).rstrip("/") + "/"
    return [unquote(urlsplit(file).path).removeprefix(root) for file in files]


def _readable_columns(spark: SparkSession, path: str, columns: Collection[str]) -> set[str]:
    """The columns of the rows at a path; those that are asked for where not one file is whole enough to say."""
    files = spark.read.option("ignoreCorruptFiles", "true").option("recursiveFileLookup", "true")
    try:
        return set(files.parquet(literal(absolute(path))).columns)
    except AnalysisException:
        return set(columns)
    except SPARK_ERRORS:
        return set()
