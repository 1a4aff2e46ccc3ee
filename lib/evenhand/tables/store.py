"""Reading and writing Evenhand's own tables, all of them Delta, in the two zones that the plan names."""

from __future__ import annotations

import time
from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F

from evenhand.errors import cannot_write
from evenhand.plan.data import Output
from evenhand.spark.errors import SPARK_ERRORS, retried, system_error
from evenhand.tables.arrow import from_arrow
from evenhand.tables.catalog import TableSpec
from evenhand.tables.cut_off import why_not_created
from evenhand.tables.format import check_format, stamped
from evenhand.tables.homes import Homes
from evenhand.tables.paths import absolute

LOOKS, WAIT = 20, 0.5  # seconds

# No statistics on the restricted zone: the smallest and largest id would stand in the Delta log in clear text.
NO_STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}
PROPERTIES = {"restricted": NO_STATISTICS, "erasures": NO_STATISTICS, "open": dict[str, str]()}


class Store(Homes):
    """The tables of one pair of zones, to be read and written."""

    def __init__(self, spark: SparkSession, output: Output) -> None:
        super().__init__(spark, output)
        # What this process knows of a run's rows, since asking Delta takes jobs: that there are some, and small ones whole.
        self._seen: set[tuple[str, str]] = set()
        self._small: dict[tuple[str, str], DataFrame] = {}
        self._fits: set[str] = set()  # tables whose format has been looked at

    def read(self, spec: TableSpec, run_id: str | None = None) -> DataFrame:
        """The table's rows, or those of one run; raises OutputError where it is in another format than this version knows."""
        if run_id is not None and (small := self._small.get((spec.name, run_id))) is not None:
            return small
        rows = self.spark.read.table(self.address(spec))
        if spec.name not in self._fits:
            check_format(spec, rows.schema, self.address(spec))
            self._fits.add(spec.name)
        return rows if run_id is None else rows.where(F.col("run_id") == run_id)

    def rows(self, spec: TableSpec, run_id: str) -> DataFrame | None:
        """One run's rows, or None when there are none."""
        if (spec.name, run_id) in self._seen or (spec.name, run_id) in self._small:
            return self.read(spec, run_id)
        if not self.exists(spec):
            return None
        found = self.read(spec, run_id)
        if found.isEmpty():
            return None
        self._seen.add((spec.name, run_id))
        return found

    def write(self, spec: TableSpec, rows: DataFrame | pa.Table, run_id: str) -> None:
        """Add one run's rows in one commit; written again, they replace themselves."""
        frame = from_arrow(self.spark, spec, rows) if isinstance(rows, pa.Table) else rows
        frame = frame.withColumn("run_id", F.lit(run_id))
        if spec.by_run:
            self._replace(spec, frame, run_id)
        else:
            self._save(spec, self._writer(spec, frame).option("mergeSchema", "true").mode("append"))
        if spec.by_run:
            self._seen.add((spec.name, run_id))  # a table of people may have none
        if spec.by_run and isinstance(rows, pa.Table):
            self._small[spec.name, run_id] = frame

    def append_once(self, spec: TableSpec, rows: DataFrame | pa.Table, key: str, version: int = 1) -> None:
        """Add rows in one commit, unless one with the same key and no older version was made before: of several at once one wins.

        The key stands in the commit itself (Delta's transaction identifiers), so the check and the commit are one; a
        MERGE that inserts what is not there says the same in four times the time.
        """
        frame = from_arrow(self.spark, spec, rows) if isinstance(rows, pa.Table) else rows
        writer = self._writer(spec, frame).mode("append")
        writer = writer.option("txnAppId", f"{spec.name}/{key}").option("txnVersion", version)
        self._save(spec, writer)

    def withdraw(self, spec: TableSpec, run_id: str) -> None:
        """Take one run's rows out of a table by run."""
        if self.exists(spec):
            retried(lambda: self.spark.sql(f"DELETE FROM {self.address(spec)} WHERE run_id = '{run_id}'"))
        self._seen.discard((spec.name, run_id))
        self._small.pop((spec.name, run_id), None)

    def _replace(self, spec: TableSpec, frame: DataFrame, run_id: str) -> None:
        writer = self._writer(spec, frame).option("mergeSchema", "true").partitionBy("run_id")
        if self._path(spec):
            self._save(spec, writer.mode("overwrite").option("replaceWhere", f"run_id = '{run_id}'"))
            return
        # Of a table by name, saveAsTable would replace the table itself, with its entry in the catalog; Hive's may refuse that.
        name, rows = self.address(spec), frame.writeTo(self.address(spec)).option("mergeSchema", "true")
        there = self.spark.catalog.tableExists
        self._commit(name, lambda: rows.overwrite(F.col("run_id") == run_id) if there(name) else writer.saveAsTable(name))

    def _writer(self, spec: TableSpec, frame: DataFrame) -> DataFrameWriter:
        writer = stamped(spec, frame).write.format("delta")
        for key, value in PROPERTIES[spec.zone].items():
            writer = writer.option(key, value)
        return writer

    def _save(self, spec: TableSpec, writer: DataFrameWriter) -> None:
        path, name = self._path(spec), self.address(spec)
        self._commit(name, lambda: writer.save(absolute(path)) if path else writer.saveAsTable(name))

    def _commit(self, name: str, write: Callable[[], None], looks: int | None = None) -> None:
        """Commit, again when another run was faster to create the table or to change it: a commit that is refused wrote nothing.

        Raises:
            StorageError: there is no room, or it must not be written there.
        """
        looks = LOOKS if looks is None else looks
        try:
            retried(write)
        except SPARK_ERRORS as wrong:
            if why := system_error(wrong):
                raise cannot_write(name, why) from None
            why = why_not_created(self.spark, name, wrong)
            if why and looks == 1:
                raise cannot_write(name, why) from None
            if not why:
                raise
        else:
            return
        time.sleep(WAIT)  # another run may just have written the table and be about to tell the catalog
        self._commit(name, write, looks - 1)
