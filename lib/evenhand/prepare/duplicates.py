"""One row a customer: differential privacy protects a customer only if nobody stands twice in `prepared`."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, DoubleType, FloatType, StringType

from evenhand.plan.columns import quoted_column
from evenhand.prepare.consent import ID


def duplicated_ids(customers: DataFrame) -> DataFrame:
    """The ids with more than one row: one column, `customer_id`, bytes in hexadecimal digits.

    Text is counted by a 64-bit hash first, a third of the cost of counting by the id; ids that merely share a hash are
    told apart by the second, exact count over the few that are left.
    """
    rows = customers.select(ID)
    if isinstance(rows.schema[ID].dataType, StringType):
        hashed = rows.withColumn("_hash", F.xxhash64(ID))
        suspects = _repeated(hashed, "_hash")
        rows = hashed.join(F.broadcast(suspects), "_hash", "left_semi")
    binary = isinstance(rows.schema[ID].dataType, BinaryType)
    return _repeated(rows, ID).select((F.hex(ID) if binary else F.col(ID).cast("string")).alias("customer_id"))


def _repeated(rows: DataFrame, column: str) -> DataFrame:
    """The values with more than one row. Nearly all have one, so nothing is gained by counting before the shuffle."""
    counted = rows.select(column).repartition(column).groupBy(column).agg(F.count("*").alias("_rows"))
    return counted.where("_rows > 1").select(column)


def keep_latest(customers: DataFrame, by: str) -> DataFrame:
    """Of several rows with one id the one with the greatest `by`; ties are broken by the other columns, not by chance.

    A row without a value, or with NaN, which Spark takes for greater than any number, loses against one with a number.
    """
    others = [c for c in customers.columns if c != ID]
    deciding = F.col(quoted_column(by))
    if isinstance(customers.select(deciding).schema[0].dataType, DoubleType | FloatType):
        deciding = F.when(~F.isnan(deciding), deciding)
    order = [deciding.alias("_deciding"), *(F.col(quoted_column(c)) for c in others)]
    latest = customers.groupBy(ID).agg(F.max(F.struct(*order)).alias("_row"))
    return latest.select(ID, *(F.col("_row")[c].alias(c) for c in others))
