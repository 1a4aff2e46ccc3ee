"""One row a customer: differential privacy protects a customer only if nobody stands twice in `prepared`.

Which row it is depends on the rows of that customer alone. That an id stands twice never stops a run: whether one does, in
a column that the plan names, would be an exact answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StringType

from evenhand.plan.expressions import quoted_column
from evenhand.prepare.consent import ID

ROW = "_row"


def with_row(customers: DataFrame) -> DataFrame:
    """The rows with a hash of all their columns, `_row`, by which `unanimous` tells whether they say the same."""
    columns = [F.col(quoted_column(c)) for c in customers.columns if c != ID]
    return customers.withColumn(ROW, F.xxhash64(F.lit(0), *columns, *[c.isNull() for c in columns]))  # the hash passes over nulls


def unanimous(rows: DataFrame, columns: Sequence[str]) -> DataFrame:
    """One row an id whose rows say the same; an id whose rows contradict each other is left out.

    `columns` are numbers, of which the greatest stays; rows of one hash that differ after all (one in 2^64) add nobody.
    """
    # Shuffled before it is counted: nearly all ids have one row, so nothing is gained by counting on both sides.
    by_id = rows.select(ID, ROW, *columns).repartition(ID).groupBy(ID)
    greatest = [F.max(c).alias(c) for c in columns]
    found = by_id.agg(F.min(ROW).alias("_one"), F.max(ROW).alias("_other"), *greatest)
    return found.where("_one = _other").select(ID, *columns)


def keep_latest(customers: DataFrame, by: str) -> DataFrame:
    """Of several rows with one id the one with the greatest `by`; ties are broken by the other columns, not by chance.

    A row without a value, or with NaN, which Spark takes for greater than any number, loses against one with a number.
    """
    others = [c for c in customers.columns if c != ID]
    # By their bytes: of texts that a collation takes for the same, either might be the greatest.
    customers = customers.withColumns(
        {f.name: F.col(quoted_column(f.name)).cast("string") for f in customers.schema if isinstance(f.dataType, StringType)}
    )
    deciding = F.col(quoted_column(by))
    if isinstance(customers.select(deciding).schema[0].dataType, DoubleType | FloatType):
        deciding = F.when(~F.isnan(deciding), deciding)
    order = [deciding.alias("_deciding"), *(F.col(quoted_column(c)) for c in others)]
    latest = customers.groupBy(ID).agg(F.max(F.struct(*order)).alias("_row"))
    return latest.select(ID, *(F.col("_row")[c].alias(c) for c in others))


def repeated(customers: DataFrame) -> DataFrame:
    """The ids with several rows: the id, how many `rows`, and whether they `differ`."""
    each = with_row(customers).select(ID, ROW).repartition(ID).groupBy(ID)
    return each.agg(F.count("*").alias("rows"), (F.min(ROW) != F.max(ROW)).alias("differ")).where("rows > 1")
