"""Consent events from a file to the plan's consent table: each once, and what is not understood never as a yes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.erasure.quarantine import without_the_erased
from evenhand.errors import SourceError
from evenhand.people.consent_files import CONTENT, FIELDS, NEEDED, form_of, read_events
from evenhand.people.consent_rows import KEPT, KEY, REASONS, as_a_no, content_hash, in_types_of, judged, key_sql
from evenhand.plan.columns import CONSENT
from evenhand.plan.expressions import quoted_column
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID
from evenhand.prepare.customers import timestamp
from evenhand.records.audit import known_keys
from evenhand.records.lease import IMPORTING, held
from evenhand.records.opened import opened
from evenhand.sources.open import address, people_of
from evenhand.sources.unreadable import why_unreadable
from evenhand.spark.errors import SPARK_ERRORS, retried
from evenhand.tables.catalog import CONSENT_QUARANTINE
from evenhand.tables.store import PROPERTIES, Store

IMPORT, IMPORTED = "import consent", "imported consent"  # in the audit log: before anything is written, and once all is
AGAIN = "start it again: what has been taken is not taken twice"


@dataclass(frozen=True)
class Imported:
    """What an import did, without a figure about people."""

    import_id: str
    table: str
    quarantine: str
    added_columns: Sequence[str]


def import_consent(
    plan: Plan,
    spark: SparkSession,
    path: str,
    *,
    form: str | None = None,
    signal: str | None = None,
    create: bool = False,
) -> Imported:
    """Add the events of a file, or of a folder of them, to the plan's consent table, newest version, those that it has not yet.

    An event is known by its record id, whose and what it is and when; without a record id by all that it says. A row that cannot
    be understood goes to the restricted `consent_quarantine` with its reasons, and is kept as a no where it says whose it is.
    With `signal` the rows are a list of objections: only the id is asked, and no row is a yes. With `create` a table that is
    missing is made.

    Raises:
        Busy: another import is going on.
        EvenhandError: one line. An import that was cut off is started again: what has been taken is not taken twice.
    """
    stated, now = form_of(path, form), datetime.now(UTC)
    with opened(plan, spark, "consent import", AGAIN) as (store, audit):
        consent = plan.sources.consent
        known = known_keys(audit.check())
        table = _table(spark, plan, create)
        id_type = next(f.dataType for f in table if f.name.lower() == consent.id.lower())
        read = read_events(spark, path, stated, consent, signal is not None)
        rows = judged(read, id_type, signal, timestamp(now)).persist(StorageLevel.DISK_ONLY)
        try:
            done = Imported(
                f"consent-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}",
                address(consent),
                store.address(CONSENT_QUARANTINE),
                _lacking(rows, table, plan),
            )
            with held(store, IMPORTING):
                audit.add(done.import_id, IMPORT, {"table": consent.address, "form": stated, "signal": signal})
                _add_columns(spark, plan, done.added_columns)
                _take(store, plan, rows, known, done.import_id, now)
                audit.add(done.import_id, IMPORTED, {"table": consent.address, "columns_added": list(done.added_columns)})
        finally:
            rows.unpersist()
    return done


def names_of(plan: Plan) -> dict[str, str]:
    """What the consent table calls the id and each column."""
    return {ID: plan.sources.consent.id} | {field: plan.sources.consent.columns.of(field) for field in FIELDS}


def _table(spark: SparkSession, plan: Plan, create: bool) -> T.StructType:
    """The consent table's columns.

    Raises:
        SourceError: it is missing, is not Delta, or lacks a column that every event must have.
    """
    consent = plan.sources.consent
    try:
        spark.sql(f"DESCRIBE HISTORY {address(consent)} LIMIT 1").collect()
    except SPARK_ERRORS as wrong:
        why = why_unreadable(spark, consent, wrong)
        if not ("is missing" in why and create):
            raise SourceError(f"sources.{CONSENT}: {why}{', or have it made with --create' * ('is missing' in why)}") from None
        _create(spark, plan)
    schema = spark.read.table(address(consent)).schema
    there = {f.name.lower() for f in schema}
    needed = {field: name for field, name in names_of(plan).items() if field in (ID, *NEEDED)}
    if absent := [name for name in needed.values() if name.lower() not in there]:
        raise SourceError(
            f"sources.{CONSENT}: {consent.address} has no column {', '.join(absent)}; it has {', '.join(schema.names)}"
        )
    return schema


def _create(spark: SparkSession, plan: Plan) -> None:
    """A new table with every column; its ids are of the customers' type."""
    customers = plan.sources.customers
    people_of(spark, plan)  # says what is wrong with the customer table
    kinds = {f.name.lower(): f.dataType.simpleString() for f in spark.read.table(address(customers)).schema}
    if customers.id.lower() not in kinds:
        raise SourceError(f"sources.customers: {customers.address} has no column {customers.id}; it has {', '.join(kinds)}")
    types = {ID: kinds[customers.id.lower()], "recorded_at": "TIMESTAMP", "expires_at": "TIMESTAMP"}
    columns = ", ".join(f"{quoted_column(name)} {types.get(field, 'STRING')}" for field, name in names_of(plan).items())
    # Without statistics: the smallest and largest id would stand in the table's log.
    properties = ", ".join(f"'{key}' = '{value}'" for key, value in PROPERTIES["restricted"].items())
    spark.sql(f"CREATE TABLE {address(plan.sources.consent)} ({columns}) USING DELTA TBLPROPERTIES ({properties})")


def _lacking(rows: DataFrame, table: T.StructType, plan: Plan) -> list[str]:
    """The columns that some event needs and the table has not: without its signal, for one, an event would be another."""
    there = {f.name.lower() for f in table}
    absent = [field for field, name in names_of(plan).items() if field != ID and name.lower() not in there]
    if not absent:
        return []
    found = rows.agg(*[F.count(field) > 0 for field in absent]).first()
    assert found is not None
    return [field for field, is_needed in zip(absent, found, strict=True) if is_needed]


def _add_columns(spark: SparkSession, plan: Plan, fields: Sequence[str]) -> None:
    names, times = names_of(plan), ("recorded_at", "expires_at")
    there = {f.name.lower() for f in spark.read.table(address(plan.sources.consent)).schema}  # by another import meanwhile
    fields = [field for field in fields if names[field].lower() not in there]
    added = ", ".join(f"{quoted_column(names[field])} {'TIMESTAMP' if field in times else 'STRING'}" for field in fields)
    if added:
        spark.sql(f"ALTER TABLE {address(plan.sources.consent)} ADD COLUMNS ({added})")


def _take(store: Store, plan: Plan, rows: DataFrame, known: Mapping[str, str], import_id: str, now: datetime) -> None:
    """Events first, then the quarantine by which a bad row is known: cut off between them, a no is kept twice and never lost."""
    spark, consent, names = store.spark, plan.sources.consent, names_of(plan)
    bad = rows.where(F.size(REASONS) > 0).withColumn("row_hash", content_hash()).dropDuplicates(["row_hash"])
    if store.exists(CONSENT_QUARANTINE):
        bad = bad.join(store.read(CONSENT_QUARANTINE).select("row_hash"), "row_hash", "left_anti")
    bad = bad.persist(StorageLevel.DISK_ONLY)  # read again once the quarantine has them, it would be empty
    view = f"_evenhand_{secrets.token_hex(8)}"
    try:
        kept = as_a_no(bad.where(KEPT), timestamp(now))
        schema = spark.read.table(address(consent)).schema
        events = rows.where(F.size(REASONS) == 0).select(ID, *FIELDS).unionByName(kept.select(ID, *FIELDS))
        typed = in_types_of(events, schema, names)
        typed.withColumn(KEY, F.expr(key_sql(schema, names))).dropDuplicates([KEY]).createOrReplaceTempView(view)
        columns = [quoted_column(name) for name in typed.columns]
        merge = (
            f"MERGE INTO {address(consent)} AS t USING {view} AS s ON {key_sql(schema, names, 't.')} = s.{KEY} WHEN NOT MATCHED THEN "
            f"INSERT ({', '.join(columns)}) VALUES ({', '.join(f's.{column}' for column in columns)})"
        )
        retried(lambda: spark.sql(merge))
        quarantined = bad.select(
            F.col(ID).cast("string").alias("customer_id"),
            F.col(CONTENT).alias("content"),
            REASONS,
            KEPT,
            "row_hash",
            timestamp(now).alias("at"),
        )
        store.write(CONSENT_QUARANTINE, without_the_erased(quarantined, plan, store, known), import_id)
    finally:
        spark.catalog.dropTempView(view)
        bad.unpersist()
