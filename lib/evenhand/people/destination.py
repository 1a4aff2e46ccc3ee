"""Where ids are handed to: a Delta table, or a folder of Parquet or CSV files; never in a zone, never over something else."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Literal, get_args

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType

from evenhand.errors import ArgumentError, OutputError, cannot_write
from evenhand.plan.apart import nested
from evenhand.plan.columns import all_tables
from evenhand.plan.models import Plan
from evenhand.spark.errors import SPARK_ERRORS, kind_of, retried, system_error
from evenhand.tables.cut_off import is_absent
from evenhand.tables.paths import absolute, quoted
from evenhand.tables.store import PROPERTIES, Store

Form = Literal["delta", "parquet", "csv"]
TABLE_NAME = re.compile(r"\w+(\.\w+){0,2}")
MARK = "_evenhand.json"  # which activation a folder holds; Spark passes over files whose names begin so
DONE = "_SUCCESS"


@dataclass(frozen=True)
class Destination:
    """A table by name where `place` is one, else a path."""

    form: Form
    place: str

    @classmethod
    def of(cls, to: str, form: str) -> Destination:
        """Raises ArgumentError where there can be no such place."""
        if form not in get_args(Form):
            raise ArgumentError(f"--as {form}: delta, parquet or csv is needed")
        if form == "delta" and "/" not in to and TABLE_NAME.fullmatch(to):
            return cls("delta", to)
        if not to.strip():
            raise ArgumentError("--to: a path, or the name of a Delta table, is needed")
        if form != "delta" and ":/" in to and not to.startswith("file:/"):
            raise ArgumentError(
                f"--to {to}: a folder of files must be on this machine's own disk, where only its owner can be let in; name one there, or "
                "hand out to a Delta table"
            )
        return cls(form, absolute(re.sub(r"^file:/+", "/", to)))  # type: ignore[arg-type]

    @property
    def is_name(self) -> bool:
        return "/" not in self.place

    @property
    def address(self) -> str:
        """The Delta table's name in SQL."""
        return self.place if self.is_name else quoted(self.place)

    def beside(self, suffix: str) -> Destination:
        """The same kind of place under a longer name."""
        return Destination(self.form, f"{self.place}{'_' if self.is_name else '-'}{suffix}")

    def batch(self) -> Destination:
        """Where the next batch goes: of a folder the next one inside, of a table itself."""
        if self.form == "delta":
            return self
        number = 1
        while (Path(self.place) / f"{number:04d}" / DONE).exists():
            number += 1
        return Destination(self.form, f"{self.place}/{number:04d}")

    def read(self, spark: SparkSession, activation_id: str) -> DataFrame | None:
        """What it holds of an activation; None where it is not there or cannot be read."""
        try:
            if self.form == "delta":
                return spark.read.table(self.address).where(F.col("activation_id") == activation_id)
            if not (Path(self.place) / DONE).exists():
                return None
            reader = spark.read.format(self.form)
            return (reader.option("header", "true") if self.form == "csv" else reader).load(self.place)
        except SPARK_ERRORS:
            return None

    def read_batches(self, spark: SparkSession, activation_id: str) -> DataFrame | None:
        """What all batches hold; None where there is none."""
        if self.form == "delta":
            return self.read(spark, activation_id)
        folders = sorted(p for p in Path(self.place).glob("[0-9]" * 4) if p.is_dir())
        found = [rows for p in folders if (rows := Destination(self.form, str(p)).read(spark, activation_id)) is not None]
        return reduce(DataFrame.union, found) if found else None

    def refuse_foreign(self, plan: Plan, store: Store, columns: Mapping[str, str], key: str) -> None:
        """Look that it is free, or a folder that the same `key` began, or a Delta table of these columns, and apart from all else.

        Raises:
            OutputError: nothing was touched.
        """
        spark = store.spark
        self.refuse_inside(plan, store)
        if self.form != "delta":
            self._refuse_folder(key)
        elif (found := self._columns(spark, list(columns))) is not None and found != columns:
            has, needs = (", ".join(f"{name} {kind}" for name, kind in list(of.items())[:6]) for of in (found, columns))
            raise OutputError(f"--to: {self.place} holds something else ({has}; not {needs}); name another place")

    def refuse_inside(self, plan: Plan, store: Store) -> None:
        """Raises OutputError where it lies in a zone, a source or the folder of reports, or one of those in it."""
        others = {"the folder of reports": plan.output.reports}
        others |= {f"the {zone} zone": folder for zone, folder in store.folders().items() if folder}
        others |= {f"the source {name}": table.path for name, table in all_tables(plan).items() if table.path}
        home = self._home(store.spark) if self.is_name else self.place
        for what, folder in others.items():
            if home and nested(home, folder):
                raise OutputError(f"--to: {self.place} and {what} ({folder}) lie inside each other; name a place apart")

    def write(self, rows: DataFrame, key: str) -> None:
        """Write rows once for a key: again under the same key nothing is added.

        Raises:
            StorageError: there is no room, or it must not be written there.
        """
        try:
            if self.form == "delta":
                self._write_table(rows, key)
            else:
                self._write_folder(rows, key)
        except SPARK_ERRORS as wrong:
            if why := system_error(wrong):
                raise cannot_write(self.place, why) from None
            raise
        except OSError as wrong:
            raise cannot_write(self.place, wrong) from None

    def _home(self, spark: SparkSession) -> str | None:
        """Where a table by name is, or would be made."""
        schema, _, table = self.place.rpartition(".")
        try:
            if spark.catalog.tableExists(self.place):
                return str(spark.sql(f"DESCRIBE DETAIL {self.place}").select("location").collect()[0][0])
            place = spark.catalog.getDatabase(schema or spark.catalog.currentDatabase()).locationUri
        except SPARK_ERRORS as wrong:
            raise OutputError(
                f"--to: there can be no Delta table {self.place} ({kind_of(wrong)}); create its schema, or name a path"
            ) from None
        return f"{place}/{table}" if place else None

    def _columns(self, spark: SparkSession, columns: list[str]) -> dict[str, str] | None:
        """The columns of the Delta table that is there with their types, None where nothing is."""
        try:
            if self.is_name and not spark.catalog.tableExists(self.place):
                return None
            if not self.is_name and is_absent(spark, self.place, columns):
                return None
            return {f.name: f.dataType.simpleString() for f in spark.read.table(self.address).schema}
        except SPARK_ERRORS as wrong:
            raise OutputError(
                f"--to: {self.place} holds something that is no Delta table ({kind_of(wrong)}); name another place"
            ) from None

    def _refuse_folder(self, key: str) -> None:
        folder = Path(self.place)
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"--to: {folder} is a file; name a folder that is not there yet")
        if folder.is_dir() and any(folder.iterdir()) and self._mark() != key:
            raise OutputError(f"--to: {folder} holds something else; name a folder that is not there yet")

    def _mark(self) -> str | None:
        try:
            return str(json.loads((Path(self.place) / MARK).read_text(encoding="utf-8"))["key"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write_table(self, rows: DataFrame, key: str) -> None:
        writer = rows.write.format("delta").mode("append").option("txnAppId", f"evenhand/{key}").option("txnVersion", 1)
        for name, value in PROPERTIES["restricted"].items():
            writer = writer.option(name, value)
        if not self.is_name and ":/" not in self.place:
            os.makedirs(self.place, mode=0o700, exist_ok=True)
        retried(lambda: writer.saveAsTable(self.place) if self.is_name else writer.save(self.place))

    def _write_folder(self, rows: DataFrame, key: str) -> None:
        folder = Path(self.place)
        if self._mark() == key and (folder / DONE).exists():
            return
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.chmod(folder, 0o700)
        for left in folder.iterdir():  # of a write under this key that was cut off
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        (folder / MARK).write_text(json.dumps({"key": key}), encoding="utf-8")
        if self.form == "csv":
            rows = rows.select([_as_text(rows, name) for name in rows.columns])
        writer = rows.write.mode("append").format(self.form)
        (writer.option("header", "true") if self.form == "csv" else writer).save(str(folder))
        for file in folder.iterdir():
            os.chmod(file, 0o600)


def _as_text(rows: DataFrame, name: str) -> Column:
    """A column as CSV can hold it: bytes in hexadecimal."""
    return F.hex(name).alias(name) if isinstance(rows.schema[name].dataType, BinaryType) else F.col(name)
