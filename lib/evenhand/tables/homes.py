"""Where Evenhand's tables are, in the two zones that the plan names, and whether anything else is there."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from evenhand.errors import OutputError
from evenhand.plan.apart import nested
from evenhand.plan.data import Output, Place
from evenhand.spark.errors import SPARK_ERRORS, kind_of
from evenhand.tables.arrow import types_of
from evenhand.tables.catalog import ALL, TableSpec
from evenhand.tables.cut_off import is_absent, obstacle
from evenhand.tables.forgets import forgets
from evenhand.tables.format import check_format
from evenhand.tables.paths import is_file, is_missing, quoted

READERS = 4
LOOKS, WAIT = 4, 0.5  # seconds


class Homes:
    """The places of the tables of one pair of zones."""

    def __init__(self, spark: SparkSession, output: Output) -> None:
        self.spark = spark
        self._places: dict[str, Place] = {"restricted": output.restricted, "open": output.open}
        if (erasures := output.kept_erasures) is not None:
            self._places["erasures"] = erasures

    def address(self, spec: TableSpec) -> str:
        """The table's name in SQL."""
        path = self._path(spec)
        return quoted(path) if path else f"{self._places[spec.zone].catalog_schema}.{spec.name}"

    def _path(self, spec: TableSpec) -> str | None:
        """Where the table is; None where a catalog knows."""
        place = self._places[spec.zone]
        return f"{place.path}/{spec.name}" if place.path else None

    def exists(self, spec: TableSpec) -> bool:
        """Whether the table is there; raises OutputError where it cannot be read, or is in another format than this version knows."""
        return self._schema(spec) is not None

    def refuse_foreign_content(self) -> None:
        """Check that every output location is free or holds the table that belongs there.

        Raises:
            OutputError: naming the first location that holds something else; nothing was touched.
        """
        with ThreadPoolExecutor(READERS) as pool:
            restricted, opened, *_ = pool.map(self._home, self._places)
            # A path and a schema, or two schemas: of two paths the plan knows.
            if restricted and opened and nested(restricted, opened):
                raise OutputError(
                    f"output: the restricted and the open zone lie inside each other, {restricted} and {opened}; part them"
                )
            there = list(pool.map(self._check, ALL))
            used = {spec.zone for spec, is_there in zip(ALL, there, strict=True) if is_there}
            # Where a table of ours is, all is well; to look at the place itself Spark lists everything below it.
            list(pool.map(self._require_folder, [zone for zone in self._places if zone not in used]))

    def folders(self) -> dict[str, str | None]:
        """The folder of each zone, None where its catalog does not tell; raises as `require_schemas`."""
        return {zone: self._home(zone) for zone in self._places}

    def require_schemas(self) -> None:
        """Raises OutputError when a zone is a schema that is not there, or will not be: none of its tables can be asked for."""
        for zone in self._places:
            self._home(zone)

    def _home(self, zone: str) -> str | None:
        """The folder of a zone; of a schema its location, None where the catalog does not tell."""
        place = self._places[zone]
        if place.path:
            return place.path
        schema = str(place.catalog_schema)
        if forgets(self.spark, schema):
            raise OutputError(
                f"output.{zone}.schema: {schema} is in this session's own memory, and what has been spent would be forgotten when Spark "
                "ends; start Spark with a catalog that lasts, such as spark.sql.catalogImplementation=hive, or name a path"
            )
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
        wanted = {name: kind.simpleString() for name, kind in types_of(spec).items()}
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
        if spec.zone not in self._places:
            return None
        try:
            schema = self._schema_if_any(spec)
        except SPARK_ERRORS as wrong:
            path = self._path(spec)
            why = obstacle(self.spark, path, wrong) if path else f"cannot be read ({kind_of(wrong)}); put it back as it was"
            raise OutputError(f"{self.address(spec)} {why}") from None
        if schema is not None:
            check_format(spec, schema, self.address(spec))
        return schema

    def _schema_if_any(self, spec: TableSpec, looks: int = LOOKS) -> StructType | None:
        path = self._path(spec)
        if path and is_missing(self.spark, path):  # 3 ms; Spark takes 70 to say that a table is not there
            return None
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
        return is_absent(self.spark, path, [column for column in types_of(spec) if not (spec.by_run and column == "run_id")])
