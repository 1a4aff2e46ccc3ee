"""Rows taken out of Delta tables for good: files written anew, old ones removed, old log entries cut where they tell of somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from evenhand.erasure.files import CHECKSUM, File, Storage, of_hadoop
from evenhand.errors import StorageError
from evenhand.spark.errors import SPARK_ERRORS, kind_of, retried

COMMIT = re.compile(r"(?P<version>\d{20})[.\w-]*\.(json|crc|parquet)")
NO_VECTORS = {"spark.databricks.delta.merge.deletionVectors.persistent": "false"}
KEPT = {
    "delta.dataSkippingNumIndexedCols": "0",  # no smallest and largest values in the log from here on
    "delta.deletedFileRetentionDuration": "interval 0 hours",  # a checkpoint forgets the files that are gone
}


@dataclass(frozen=True)
class Erasable:
    """A table of the restricted zone: its name in SQL and its folder, and the column by which people's rows are known in it."""

    name: str
    address: str
    folder: str
    by: str | None = "pseudonym"  # None where nobody stands in it
    by_run: bool = False  # whether it says of which run a row is


def table_at(spark: SparkSession, name: str, address: str, by: str | None = "pseudonym", by_run: bool = False) -> Erasable:
    """The table with its folder, by what Delta says."""
    detail = spark.sql(f"DESCRIBE DETAIL {address}").select("location").first()
    assert detail is not None
    return Erasable(name, address, str(detail.location).rstrip("/"), by, by_run)


def version_of(spark: SparkSession, table: Erasable) -> int:
    """Its newest Delta version."""
    newest = spark.sql(f"DESCRIBE HISTORY {table.address} LIMIT 1").first()
    assert newest is not None
    return int(newest.version)


def refuse_forbidden(spark: SparkSession, table: Erasable) -> None:
    """Ask Delta, before anything is deleted, whether it would let the files be written anew and the old ones removed (`purge.removing`).

    Raises:
        StorageError: it would not; what an administrator has to do.
    """
    detail = spark.sql(f"DESCRIBE DETAIL {table.address}").select("tableFeatures", "properties").first()
    assert detail is not None
    why = ""
    if detail.properties.get("delta.appendOnly", "false").lower() == "true":
        why = "it is append-only (delta.appendOnly); an administrator has to set that to false"
    elif managed := [feature for feature in detail.tableFeatures or [] if feature.startswith("catalog")]:
        why = f"its catalog alone may remove files ({managed[0]}); an administrator has to take that feature off, or erase there"
    else:
        try:
            spark.sql(f"VACUUM {table.address} RETAIN 0 HOURS DRY RUN")
        except SPARK_ERRORS as wrong:
            why = f"VACUUM is refused ({kind_of(wrong)}); an administrator has to allow VACUUM {table.address} RETAIN 0 HOURS"
    if why:
        raise StorageError(f"{table.address}: {why}; nothing was deleted")


def delete_rows(spark: SparkSession, table: Erasable, gone: DataFrame) -> None:
    """Take rows out of a table in one commit, set based. `gone` has the column that the table is `by`, each value once; of a table by
    run also `kept`, the runs whose rows may stay.

    The commit holds the condition on columns and no value. To be called with `NO_VECTORS`: they would leave the rows in their files.
    """
    condition = f"t.{table.by} = g.{table.by}" + (" AND NOT array_contains(g.kept, t.run_id)" if table.by_run else "")
    target = DeltaTable.forName(spark, table.address).alias("t")
    retried(lambda: target.merge(gone.alias("g"), condition).whenMatchedDelete().execute())


def remove_leftovers(storage: Storage, table: Erasable) -> None:
    """Remove what killed writers left under names that VACUUM passes over; checksums of files that are there, and Delta's notes, stay."""
    files = storage.files(table.folder)
    checksums = of_hadoop(files)
    for file in files:
        is_delta_s = file.in_log and not file.name.startswith(".")
        hidden = file.hidden or _is_hidden(file.path.removeprefix(table.folder).split("/")[1:-1])
        if hidden and not is_delta_s and file not in checksums:
            storage.remove(file.path)


def _is_hidden(folders: list[str]) -> bool:
    return any(name.startswith((".", "_")) and name not in ("_delta_log", "_change_data") for name in folders)


def cut_log(spark: SparkSession, storage: Storage, table: Erasable) -> None:
    """Put the log's state into a checkpoint and remove all that is older.

    Delta does the same once entries are older than `delta.logRetentionDuration`, but never those of the last day.
    """
    properties = ", ".join(f"'{key}' = '{value}'" for key, value in KEPT.items())
    retried(lambda: spark.sql(f"ALTER TABLE {table.address} SET TBLPROPERTIES ({properties})"))
    jvm = spark._jvm
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, table.folder)  # type: ignore[attr-defined, union-attr]
    newest = log.update(False, jvm.scala.Option.empty(), jvm.scala.Option.empty())  # type: ignore[union-attr]
    log.checkpoint(newest, jvm.scala.Option.empty())  # type: ignore[union-attr]
    for file in _older(storage.files(f"{table.folder}/_delta_log"), newest.version()):
        storage.remove(file.path)
    retried(lambda: spark.sql(f"ALTER TABLE {table.address} UNSET TBLPROPERTIES ('delta.deletedFileRetentionDuration')"))


def _older(files: list[File], version: int) -> Iterator[File]:
    for file in files:
        name = CHECKSUM.fullmatch(file.name)
        commit = COMMIT.fullmatch(name["of"] if name else file.name)
        if commit is not None and int(commit["version"]) < version:
            yield file
