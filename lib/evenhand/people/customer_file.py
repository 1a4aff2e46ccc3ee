"""Whom a request is about: an id is personal data, so it is read from a file and never stands on a command line."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, DataType, StringType

from evenhand.errors import ArgumentError
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID
from evenhand.prepare.ids import in_one_form

WHOLE = "^ *[+-]?[0-9]{1,38} *$"


def customer_id_in(path: str) -> str:
    """The id that a file holds.

    Raises:
        ArgumentError: the file cannot be read, or holds no id or several. The line never repeats what it holds.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as wrong:
        raise ArgumentError(f"--customer-from: {path} cannot be read as text in UTF-8 ({type(wrong).__name__})") from None
    held = [line for line in lines if line.strip()]
    if len(held) != 1:
        raise ArgumentError(
            f"--customer-from: {path} holds {'no id' if not held else 'several lines'}; put one id into it, on one line"
        )
    return held[0]


def wanted(spark: SparkSession, plan: Plan, ids: list[str], kind: DataType) -> DataFrame:
    """The ids in the form and type in which ids are compared, under `_evenhand_id`: rows of data, since a literal would stand in plans."""
    rows = spark.createDataFrame(pa.table({"_given": pa.array(ids, pa.string())}))
    given = F.col("_given")
    if isinstance(kind, StringType):
        return rows.select(in_one_form(given, plan.sources.ids).alias(ID))
    if isinstance(kind, BinaryType):
        return rows.select(given.cast("binary").alias(ID))
    return rows.select(F.when(given.rlike(WHOLE), given.cast(kind)).alias(ID))
