"""What a table is called and which columns it has, from its schema."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evenhand.errors import SourceError
from evenhand.plan.data import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Column:
    name: str
    kind: str  # as Spark writes the type: int, decimal(10,2), string, …


@dataclass(frozen=True)
class Schema:
    """A Delta table, by path or by catalog name, and its columns."""

    table: Table
    columns: tuple[Column, ...]

    def find(self, *names: str) -> str | None:
        """The column of the first of these names that there is, as the table writes it."""
        own = {column.name.lower(): column.name for column in self.columns}
        return next((own[name.lower()] for name in names if name.lower() in own), None)


def table_of(given: str) -> Table:
    """A path where it has a slash or is a folder, else a name in the catalog."""
    is_path = "/" in given or os.sep in given or os.path.isdir(given)
    return Table(path=given) if is_path else Table(name=given)


def read_schema(spark: SparkSession, given: str, option: str) -> Schema:
    """The schema of a Delta table; its log is read, and no row.

    Raises:
        SourceError: naming the option; there is no such table, or it is not Delta.
    """
    from evenhand.sources.unreadable import why_unreadable
    from evenhand.spark.errors import SPARK_ERRORS, no_values_in_errors
    from evenhand.tables.paths import absolute

    table = table_of(given)
    reader = spark.read.format("delta")
    with no_values_in_errors("init", "nothing was written"):
        try:
            fields = (reader.load(absolute(table.path)) if table.path else reader.table(str(table.name))).schema.fields
        except SPARK_ERRORS as wrong:
            raise SourceError(f"{option}: {why_unreadable(spark, table, wrong)}") from None
    return Schema(table, tuple(Column(field.name, field.dataType.simpleString()) for field in fields))
