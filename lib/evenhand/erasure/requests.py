"""Who asks to be erased: a Delta table with ids as the sources write them, and when each was asked for."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.errors import SourceError
from evenhand.plan.columns import CUSTOMERS
from evenhand.plan.expressions import quoted_column
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, has_id
from evenhand.prepare.ids import in_one_form
from evenhand.sources.checks import INTEGERS, TIMES
from evenhand.spark.errors import SPARK_ERRORS, kind_of
from evenhand.tables.paths import absolute, quoted

WHEN, WRITTEN = "requested_at", "written"


def read_requests(spark: SparkSession, plan: Plan, table: str, customers: DataFrame) -> DataFrame:
    """Restricted: `_evenhand_id` as it is compared, `written` as the table has it, and requested_at, null where the table does not say;
    one row a person.

    `table` is a path where it has a slash, else a name. The id is in the column that the customers have it in, or in
    customer_id; `customers` has the ids of the customers, with their type.

    Raises:
        SourceError: there is no such table, it lacks a column or has it in another type, a row says of nobody who it is, or
            asks in the future; nothing was deleted.
    """
    rows = _opened(spark, table)
    known = {field.name.lower(): field for field in rows.schema}
    wanted = plan.sources.customers.id
    field = known.get(wanted.lower()) or known.get("customer_id")
    if field is None:
        raise SourceError(f"--requests: {table} has no column {wanted}; it has {', '.join(rows.columns)}")
    given, kind = F.col(quoted_column(field.name)), customers.schema[ID].dataType
    if _kind(field.dataType) != _kind(kind):
        raise SourceError(
            f"--requests: column {field.name} of {table} is {field.dataType.simpleString()}; the customers' ids are "
            f"{_kind(kind)} in sources.{CUSTOMERS}, so write it as that"
        )
    # A number that is too large for the customers' type is nobody's; cast, it would become another customer's.
    as_compared = in_one_form(given.cast("string"), plan.sources.ids) if isinstance(kind, T.StringType) else given.try_cast(kind)
    when = known.get(WHEN)
    if when is not None and not isinstance(when.dataType, TIMES):
        raise SourceError(
            f"--requests: column {WHEN} of {table} is {when.dataType.simpleString()}; it must be a timestamp or a date"
        )
    asked = F.col(when.name).cast("timestamp") if when is not None else F.lit(None).cast("timestamp")
    found = rows.select(as_compared.alias(ID), given.cast("string").alias(WRITTEN), asked.alias(WHEN))
    bad = found.where(~has_id(found) | (F.col(WHEN) > F.current_timestamp())).limit(1)
    if not bad.isEmpty():
        raise SourceError(
            f"--requests: {table} has a row without an id, with one that no customer can have, or with a {WHEN} that is still to come; "
            "correct or remove it; nothing was deleted"
        )
    return found.groupBy(ID).agg(F.collect_set(WRITTEN).alias(WRITTEN), F.max(WHEN).alias(WHEN))


def _opened(spark: SparkSession, table: str) -> DataFrame:
    try:
        rows = spark.read.table(quoted(absolute(table)) if "/" in table else table)
        rows.schema  # noqa: B018
    except SPARK_ERRORS as wrong:
        raise SourceError(
            f"--requests: {table} cannot be read ({kind_of(wrong)}); name a Delta table, by a path with a slash or by its name"
        ) from None
    return rows


def _kind(kind: T.DataType) -> str:
    if isinstance(kind, T.StringType):
        return "text"
    if isinstance(kind, T.BinaryType):
        return "binary"
    whole = isinstance(kind, INTEGERS) or (isinstance(kind, T.DecimalType) and kind.scale == 0)
    return "a whole number" if whole else kind.simpleString()
