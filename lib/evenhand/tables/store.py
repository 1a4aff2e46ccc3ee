"""Reading and writing Evenhand's own tables, all of them Delta, in the two zones that the plan names."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType

from evenhand.errors import OutputError, StorageError
from evenhand.plan.apart import nested
from evenhand.plan.data import Output, Place
from evenhand.tables.catalog import ALL, TableSpec
from evenhand.tables.cut_off import is_absent, obstacle, why_not_created
from evenhand.tables.paths import absolute, is_file, is_missing, quoted
from evenhand.tables.spark_errors import SPARK_ERRORS, kind_of, retried, system_error

# No statistics on the restricted zone: the smallest and largest id would stand in the Delta log in clear text.
PROPERTIES = {"restricted": {"delta.dataSkippingNumIndexedCols": "0"}, "open": dict[str, str]()}
AT = "at"  # when a row was written; to the second, it would tell how long a pass over the people took, and so how many there are
DAY = 86_400_000_000  # microseconds
READERS = 4
LOOKS, WAIT = 4, 0.5  # seconds


class Store:
    """The tables of one pair of zones."""

    def __init__(self, spark: SparkSession, output: Output) -> None:
        self.spark = spark
        self._places: dict[str, Place] = {"restricted": output.restricted, "open": output.open}
        # What this process knows of a run's rows, since asking Delta takes jobs: that there are some, and small ones whole.
        self._seen: set[tuple[str, str]] = set()
        self._small: dict[tuple[str, str], DataFrame] = {}

    def address(self, spec: TableSpec) -> str:
        """The table's name in SQL."""
        path = self._path(spec)
        return quoted(path) if path else f"{self._places[spec.zone].catalog_schema}.{spec.name}"

    def _path(self, spec: TableSpec) -> str | None:
        """Where the table is; None where a catalog knows."""
        place = self._places[spec.zone]
        return f"{place.path}/{spec.name}" if place.path else None

    def exists(self, spec: TableSpec) -> bool:
        return self._schema(spec) is not None

    def read(self, spec: TableSpec, run_id: str | None = None) -> DataFrame:
        if run_id is not None and (small := self._small.get((spec.name, run_id))) is not None:
            return small
        rows = self.spark.read.table(self.address(spec))
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
        frame = rows if not isinstance(rows, pa.Table) else self.from_arrow(spec, rows)
        frame = frame.withColumn("run_id", F.lit(run_id))
        writer = self._writer(spec, frame).option("mergeSchema", "true")
        if spec.by_run:
            writer = writer.partitionBy("run_id").mode("overwrite").option("replaceWhere", f"run_id = '{run_id}'")
        else:
            writer = writer.mode("append")
        self._save(spec, writer)
        if spec.by_run:
            self._seen.add((spec.name, run_id))  # a table of people may have none
        if spec.by_run and isinstance(rows, pa.Table):
            self._small[spec.name, run_id] = frame

    def append_once(self, spec: TableSpec, rows: pa.Table, key: str, version: int = 1) -> None:
        """Add rows in one commit, unless one with the same key and no older version was made before: of several at once one wins.

        The key stands in the commit itself (Delta's transaction identifiers), so the check and the commit are one; a
        MERGE that inserts what is not there says the same in four times the time.
        """
        writer = self._writer(spec, self.from_arrow(spec, rows)).mode("append")
        writer = writer.option("txnAppId", f"{spec.name}/{key}").option("txnVersion", version)
        self._save(spec, writer)

    def withdraw(self, spec: TableSpec, run_id: str) -> None:
        """Take one run's rows out of a table by run."""
        if self.exists(spec):
            retried(lambda: self.spark.sql(f"DELETE FROM {self.address(spec)} WHERE run_id = '{run_id}'"))
        self._seen.discard((spec.name, run_id))
        self._small.pop((spec.name, run_id), None)

    def _writer(self, spec: TableSpec, frame: DataFrame) -> DataFrameWriter:
        writer = frame.write.format("delta")
        for key, value in PROPERTIES[spec.zone].items():
            writer = writer.option(key, value)
        return writer

    def _save(self, spec: TableSpec, writer: DataFrameWriter) -> None:
        """Commit, again when another run was faster to create the table or to change it: a commit that is refused wrote nothing.

        Raises:
            StorageError: there is no room, or it must not be written there.
        """
        path, name = self._path(spec), self.address(spec)
        try:
            retried(lambda: writer.save(absolute(path)) if path else writer.saveAsTable(name))
        except SPARK_ERRORS as wrong:
            if why := system_error(wrong) or why_not_created(self.spark, name, wrong):
                raise StorageError(f"{name} cannot be written: {why}") from None
            raise

    def from_arrow(self, spec: TableSpec, rows: pa.Table) -> DataFrame:
        """A DataFrame in the table's own types, extra columns as they come. In the open zone of the moment `at` only the day."""
        if spec.zone == "open" and AT in rows.column_names:
            rows = rows.set_column(rows.column_names.index(AT), AT, _days(rows[AT]))
        types, names = _types(spec), rows.column_names
        return self.spark.createDataFrame(rows).selectExpr(
            *[f"CAST(`{c}` AS {types[c].simpleString()}) AS `{c}`" if c in types else f"`{c}`" for c in names]
        )

    def refuse_foreign_content(self) -> None:
        """Check that every output location is free or holds the table that belongs there.

        Raises:
            OutputError: naming the first location that holds something else; nothing was touched.
        """
        with ThreadPoolExecutor(READERS) as pool:
            homes = list(pool.map(self._home, self._places))
            known = [home for home in homes if home]
            if len(known) == len(homes) and nested(*known):  # a path and a schema, or two schemas: of two paths the plan knows
                raise OutputError(
                    f"output: the restricted and the open zone lie inside each other, {' and '.join(known)}; part them"
                )
            there = list(pool.map(self._check, ALL))
            used = {spec.zone for spec, is_there in zip(ALL, there, strict=True) if is_there}
            # Where a table of ours is, all is well; to look at the place itself Spark lists everything below it.
            list(pool.map(self._require_folder, [zone for zone in self._places if zone not in used]))

    def require_schemas(self) -> None:
        """Raises OutputError when a zone is a schema that is not there: none of its tables can be asked for."""
        for zone in self._places:
            self._home(zone)

    def _home(self, zone: str) -> str | None:
        """The folder of a zone; of a schema its location, None where the catalog does not tell."""
        place = self._places[zone]
        if place.path:
            return place.path
        schema = str(place.catalog_schema)
        try:
            return self.spark.catalog.getDatabase(schema).locationUri
        except SPARK_ERRORS:
            raise OutputError(
                f"output.{zone}.schema: {schema} is missing; create it, or name the one that holds the earlier runs"
            ) from None

    def _require_folder(self, zone: str) -> None:
        path = self._places[zone].path
        if path and (is_file(self.spark, path) or not is_missing(self.spark, f"{path}/_delta_log")):
            raise OutputError(
                f"output.{zone}.path: {path} is a file or itself a table; name the folder of the earlier runs, or one for new tables"
            )

    def _check(self, spec: TableSpec) -> bool:
        """Whether the table is there, which then is Evenhand's."""
        schema = self._schema(spec)
        if schema is None:
            return False
        found = {f.name: f.dataType.simpleString() for f in schema}
        wanted = {name: kind.simpleString() for name, kind in _types(spec).items()}
        lacking = [name for name in wanted if name not in found]
        for name, kind in wanted.items():
            if (name in found and found[name] != kind) or len(lacking) == len(wanted):
                raise OutputError(
                    f"{self.address(spec)} holds something else than Evenhand's table {spec.name} (column {name} is "
                    f"{found.get(name, 'missing')}, not {kind}); move it away, or put Evenhand's back if that was there"
                )
        if lacking:
            raise OutputError(
                f"{self.address(spec)} lacks the column {lacking[0]}: another version of Evenhand wrote it; go on with that version, "
                "or put Evenhand's table back if it is something else"
            )
        return True

    def _schema(self, spec: TableSpec) -> StructType | None:
        try:
            return self._schema_if_any(spec)
        except SPARK_ERRORS as wrong:
            path = self._path(spec)
            why = obstacle(self.spark, path, wrong) if path else f"cannot be read ({kind_of(wrong)}); put it back as it was"
            raise OutputError(f"{self.address(spec)} {why}") from None

    def _schema_if_any(self, spec: TableSpec, looks: int = LOOKS) -> StructType | None:
        try:
            return self.spark.read.table(self.address(spec)).schema
        except AnalysisException:
            if self._is_absent(spec):
                return None
            if looks == 1:
                raise
        time.sleep(WAIT)  # another run may just have made the table's first commit
        return self._schema_if_any(spec, looks - 1)

    def _is_absent(self, spec: TableSpec) -> bool:
        path = self._path(spec)
        if not path:
            return not self.spark.catalog.tableExists(self.address(spec))
        # The rows of a table by run say in the names of their folders, not in a column, of which run they are.
        return is_absent(self.spark, path, [column for column in _types(spec) if not (spec.by_run and column == "run_id")])


def timestamp(at: datetime, rows: int = 1) -> pa.Array:
    """A column of one timestamp."""
    return pa.array([at] * rows, pa.timestamp("us", "UTC"))


def _days(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    """The starts of their days in UTC; Arrow's own function for it needs a database of time zones."""
    days = pc.divide(moments.cast(pa.int64()), DAY)
    return pc.multiply(days, DAY).cast(moments.type)


@cache
def _types(spec: TableSpec) -> dict[str, DataType]:
    schema = StructType.fromDDL(spec.columns)
    assert isinstance(schema, StructType)
    return {field.name: field.dataType for field in schema.fields}
