"""Whom a row of the consent quarantine may be about. It holds what an import could not understand, so ids stand in it as they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.erasure.forms import LEAST_BYTES, told_apart
from evenhand.erasure.listed import Pair, listed, pairs_listed, under_pseudonyms
from evenhand.erasure.traces import standing_in
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, has_id
from evenhand.prepare.customers import with_ids
from evenhand.prepare.ids import in_one_form, trimmed
from evenhand.sources.open import people_today
from evenhand.tables.store import Store

ROW, CONTENT, WHOSE = "row_hash", "content", "customer_id"
WHOLE_NUMBER = r"^[+-]?[0-9]+$"
# A line that could not be taken apart has its id somewhere in it. Ids have a colon or a point in them more often than a comma.
PARTS = (r"[\s,;|\"{}\[\]]+", r"[\s,;|\"{}\[\]()<>':=\\]+")


def type_of_ids(spark: SparkSession, plan: Plan) -> T.DataType:
    """The type that the customers' ids have today."""
    return with_ids(people_today(spark, plan), plan).schema[ID].dataType


def meant(rows: DataFrame, kind: T.DataType, plan: Plan, pairs: Sequence[Pair], known: Mapping[str, str]) -> DataFrame:
    """Restricted: row_hash and pseudonym, for each id of a `kind` that a row of the quarantine may hold, under each purpose and key.

    A row says whose it is, and may name somebody else by any of its parts that is long enough to be told from chance; where it does
    not say whose it is, by any part. A part that is nobody's id finds nobody.

    Raises:
        KeyFileError: the plan does not say where a key is.
    """
    parts = F.array_union(*[F.split(F.coalesce(CONTENT, F.lit("")), pattern) for pattern in PARTS])
    whose = rows.select(ROW, F.col(WHOSE).alias("_part"))
    named = rows.select(ROW, WHOSE, F.explode(parts).alias("_part"))
    long = told_apart(F.col("_part")) & (F.octet_length("_part") >= LEAST_BYTES)
    named = named.where(~_fits(F.col(WHOSE), kind) | long).drop(WHOSE)
    each = whose.unionByName(named).where(_fits(F.col("_part"), kind))
    ids = each.select(ROW, _as_compared(F.col("_part"), kind, plan).alias(ID))
    found = ids.where(has_id(ids)).distinct()
    return under_pseudonyms(found, plan, pairs, known).select(ROW, "pseudonym")


def containing(rows: DataFrame, forms: DataFrame) -> DataFrame:
    """Restricted: the row_hash of rows of the quarantine in whose text any of the forms stands (`forms_of`), wherever it does."""
    text = F.concat_ws("\n", WHOSE, CONTENT).cast("binary")
    return standing_in(rows.select(F.col(ROW).alias("place"), text.alias("content")), forms).select(F.col("place").alias(ROW))


def without_the_erased(rows: DataFrame, plan: Plan, store: Store, known: Mapping[str, str]) -> DataFrame:
    """Rows for the quarantine, but for those about somebody who was erased: a file that is taken in again brings nobody back.

    Raises:
        KeyFileError: somebody was erased under a key that the plan does not name.
    """
    people = listed(store)
    if people is None or not (pairs := pairs_listed(people)):
        return rows
    of_erased = meant(rows, type_of_ids(store.spark, plan), plan, pairs, known).join(
        F.broadcast(people), "pseudonym", "left_semi"
    )
    return rows.join(of_erased.select(ROW).distinct(), ROW, "left_anti")


def _fits(text: Column, kind: T.DataType) -> Column:
    """Whether a text may be an id of the customers' type."""
    if isinstance(kind, T.StringType | T.BinaryType):
        return F.coalesce(text != "", F.lit(False))
    return F.coalesce(trimmed(text).rlike(WHOLE_NUMBER), F.lit(False))


def _as_compared(text: Column, kind: T.DataType, plan: Plan) -> Column:
    if isinstance(kind, T.StringType):
        return in_one_form(text, plan.sources.ids)
    return text.cast(kind) if isinstance(kind, T.BinaryType) else trimmed(text).cast(kind)
