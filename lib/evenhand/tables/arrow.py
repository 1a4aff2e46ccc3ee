"""Small tables of the driver as Spark gets them, in the types of the table that they are for."""

from __future__ import annotations

from datetime import datetime
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DataType, StructType

from evenhand.tables.catalog import TableSpec

AT = "at"  # when a row was written; to the second, it would tell how long a pass over the people took, and so how many there are
DAY = 86_400_000_000  # microseconds


def from_arrow(spark: SparkSession, spec: TableSpec, rows: pa.Table) -> DataFrame:
    """A DataFrame in the table's own types, extra columns as they come. In the open zone of the moment `at` only the day."""
    if spec.zone == "open" and AT in rows.column_names:
        rows = rows.set_column(rows.column_names.index(AT), AT, _days(rows[AT]))
    types, names = types_of(spec), rows.column_names
    return spark.createDataFrame(rows).selectExpr(
        *[f"CAST(`{c}` AS {types[c].simpleString()}) AS `{c}`" if c in types else f"`{c}`" for c in names]
    )


def timestamp(at: datetime, rows: int = 1) -> pa.Array:
    """A column of one timestamp."""
    return pa.array([at] * rows, pa.timestamp("us", "UTC"))


@cache
def types_of(spec: TableSpec) -> dict[str, DataType]:
    """The columns that every run's rows have, with their types."""
    schema = StructType.fromDDL(spec.columns)
    assert isinstance(schema, StructType)
    return {field.name: field.dataType for field in schema.fields}


def _days(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    """The starts of their days in UTC; Arrow's own function for it needs a database of time zones."""
    days = pc.divide(moments.cast(pa.int64()), DAY)
    return pc.multiply(days, DAY).cast(moments.type)
