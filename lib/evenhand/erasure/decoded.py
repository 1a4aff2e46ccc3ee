"""What stands in Parquet files, which compress: every value of every file that physically remains, decoded, to be compared and searched."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import reduce
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.erasure.files import File
from evenhand.erasure.forms import PSEUDONYM, as_compared
from evenhand.plan.expressions import quoted_column
from evenhand.prepare.consent import ID
from evenhand.spark.errors import SPARK_ERRORS
from evenhand.tables.paths import literal

NUMBERS = (T.ByteType, T.ShortType, T.IntegerType, T.LongType, T.DecimalType, T.FloatType, T.DoubleType)
NESTED = (T.StructType, T.ArrayType, T.MapType)
VALUE = "id as a value"
WHOLE, LONGER = "whole", "longer"  # a value that is compared as a whole, and one within which somebody may stand, too
PSEUDONYM_BYTES = 32


def decoded(spark: SparkSession, groups: Sequence[Sequence[File]], own: Collection[str]) -> tuple[DataFrame, list[str]]:
    """Restricted: place, kind and value BINARY of every column of every Parquet file in which somebody may stand, and the files that
    are no whole Parquet. The files of a group have the same columns, more or less. Whole numbers in `own` columns are no ids.
    """
    frames, broken = [spark.createDataFrame([], "place STRING, kind STRING, value BINARY")], list[str]()
    for group in groups:
        try:
            frames.append(_values(spark, group, own))
        except SPARK_ERRORS:  # one of them is cut off, or their columns contradict each other
            for file in group:
                try:
                    frames.append(_values(spark, [file], own))
                except SPARK_ERRORS:
                    broken.append(file.path)
    return reduce(DataFrame.unionByName, frames), broken


def unreadable(spark: SparkSession, files: Sequence[File]) -> list[str]:
    """Of Parquet files with a whole footer those with pages that cannot be read."""
    found = []
    for file in files:
        try:
            spark.read.parquet(literal(file.path)).write.format("noop").mode("overwrite").save()
        except SPARK_ERRORS:
            found.append(file.path)
    return found


def looked_at(values: DataFrame, ids: DataFrame, pseudonyms: DataFrame) -> DataFrame:
    """Restricted: the values that are an id or a pseudonym (`form` and `control`), and those within which one must be searched.

    Columns: place, kind, value, form, control; form is null where the value as a whole is nobody. In one pass over the values.
    """
    wanted = _wanted(ids, as_compared(F.col(ID)), VALUE).unionByName(_wanted(pseudonyms, F.col("pseudonym"), PSEUDONYM))
    joined = values.join(F.broadcast(wanted), "value", "left").where(F.col("form").isNotNull() | (F.col("kind") == LONGER))
    return joined.select("place", "kind", "value", "form", "control").distinct()


def _values(spark: SparkSession, files: Sequence[File], own: Collection[str]) -> DataFrame:
    reader = spark.read.option("recursiveFileLookup", "true").option("mergeSchema", "true")
    rows = reader.parquet(*[literal(file.path) for file in files])
    place = F.col("_metadata.file_path").alias("place")
    parts = [part for field in rows.schema if (part := _part(field, own)) is not None]
    none = F.array().cast("array<struct<kind: string, value: binary>>")
    values = rows.select(place, F.explode(F.array(*parts) if parts else none).alias("_part"))
    return values.select("place", "_part.kind", "_part.value")


def plain(place: str) -> str:
    """A path as the storage lists it: Spark's column of paths writes file:/// and escapes signs."""
    return re.sub(r"^file:/+", "file:/", unquote(place))


def _part(field: T.StructField, own: Collection[str]) -> Column | None:
    """A column's value in bytes, and of which kind it is; None for columns in which nobody can stand."""
    value, kind = F.col(quoted_column(field.name)), field.dataType
    if isinstance(kind, T.BinaryType):
        # What is as long as a pseudonym is compared as a whole; pseudonyms are nearly all that there is.
        return _struct(F.when(F.length(value) == PSEUDONYM_BYTES, F.lit(WHOLE)).otherwise(F.lit(LONGER)), value)
    if isinstance(kind, T.StringType):
        return _struct(F.lit(LONGER), value.cast("binary"))
    if isinstance(kind, NUMBERS) and field.name not in own:
        return _struct(F.lit(WHOLE), F.when(value == F.floor(value), as_compared(value.cast("decimal(38,0)"))))
    if isinstance(kind, NESTED):
        return _struct(F.lit(LONGER), F.to_json(F.struct(value)).cast("binary"))
    return None


def _struct(kind: Column, value: Column) -> Column:
    return F.struct(kind.alias("kind"), value.alias("value"))


def _wanted(people: DataFrame, value: Column, form: str) -> DataFrame:
    return people.select(value.alias("value"), F.lit(form).alias("form"), "control")
