"""Rows taken out of Delta tables for good: files written anew, old ones removed, old log entries cut where they tell of somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from evenhand.erasure.files import CHECKSUM, File, Storage, of_hadoop
from evenhand.errors import StorageError
from evenhand.spark.errors import SPARK_ERRORS, kind_of, retried
from evenhand.tables.purge import HIDES_ROWS, remove_old_files

COMMIT = re.compile(r"(?P<version>\d{20})[.\w-]*\.(json|crc|parquet)")
NO_VECTORS = {"spark.databricks.delta.merge.deletionVectors.persistent": "false"}
MOST_NAMES = 1000  # each takes a call to the JVM to learn; of more, VACUUM is quicker
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
    append_only: bool = False
    features: tuple[str, ...] = ()  # of Delta's, by name

    @property
    def hides_rows(self) -> bool:
        """Whether rows that are deleted may still be in its files."""
        return HIDES_ROWS in self.features


def table_at(spark: SparkSession, name: str, address: str, by: str | None = "pseudonym", by_run: bool = False) -> Erasable:
    """The table with its folder, by what Delta says."""
    detail = spark.sql(f"DESCRIBE DETAIL {address}").select("location", "tableFeatures", "properties").first()
    assert detail is not None
    append_only = detail.properties.get("delta.appendOnly", "false").lower() == "true"
    return Erasable(name, address, str(detail.location).rstrip("/"), by, by_run, append_only, tuple(detail.tableFeatures or ()))


def version_of(files: Sequence[File]) -> int:
    """A table's newest Delta version, by the files in its folder."""
    return max(int(commit["version"]) for file in files if file.in_log and (commit := COMMIT.fullmatch(file.name)))


def refuse_forbidden(spark: SparkSession, tables: Sequence[Erasable]) -> None:
    """Find out, before anything is deleted, whether files may be written anew and old ones removed (`purge.removing`).

    Delta is asked of the first table: what a session or an account may do is the same for all tables of a zone.

    Raises:
        StorageError: it may not be; what an administrator has to do.
    """
    for table in tables:
        if table.append_only:
            raise _forbidden(table, "it is append-only (delta.appendOnly); an administrator has to set that to false")
        if managed := [feature for feature in table.features if feature.startswith("catalog")]:
            why = f"its catalog alone may remove files ({managed[0]}); an administrator has to take that feature off, or erase there"
            raise _forbidden(table, why)
    for table in tables[:1]:
        try:
            spark.sql(f"VACUUM {table.address} RETAIN 0 HOURS DRY RUN")
        except SPARK_ERRORS as wrong:
            words = f"VACUUM is refused ({kind_of(wrong)}); an administrator has to allow VACUUM {table.address} RETAIN 0 HOURS"
            raise _forbidden(table, words) from None


def _forbidden(table: Erasable, why: str) -> StorageError:
    return StorageError(f"{table.address}: {why}; nothing was deleted")


def delete_rows(spark: SparkSession, table: Erasable, gone: DataFrame) -> None:
    """Take rows out of a table in one commit, set based. `gone` has the column that the table is `by`, each value once; of a table by
    run also `kept`, the runs whose rows may stay.

    The commit holds the condition on columns and no value. To be called with `NO_VECTORS`: they would leave the rows in their files.
    """
    condition = f"t.{table.by} = g.{table.by}" + (" AND NOT array_contains(g.kept, t.run_id)" if table.by_run else "")
    target = DeltaTable.forName(spark, table.address).alias("t")
    retried(lambda: target.merge(gone.alias("g"), condition).whenMatchedDelete().execute())


def remove_old(spark: SparkSession, storage: Storage, table: Erasable) -> None:
    """Leave no file in a table's folder that its newest version does not need."""
    if table.hides_rows or _has_old_files(spark, storage.files(table.folder), table):
        remove_old_files(spark, table.address)
    _remove_leftovers(storage, table)


def _has_old_files(spark: SparkSession, files: Sequence[File], table: Erasable) -> bool:
    """Whether more lies in its folder, the log and Hadoop's checksums aside, than the data files of its newest version."""
    checksums = of_hadoop(files)
    there = sorted(file.name for file in files if not file.in_log and file not in checksums)
    if len(there) > MOST_NAMES:
        return True
    return there != sorted(path.rpartition("/")[2] for path in spark.read.table(table.address).inputFiles())


def _remove_leftovers(storage: Storage, table: Erasable) -> None:
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
