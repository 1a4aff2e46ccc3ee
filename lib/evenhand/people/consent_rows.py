"""What an imported row says, in the types of the consent table, and why it is not taken as it stands."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.people.consent_files import BROKEN, CONTENT, FIELDS
from evenhand.plan.consent import KNOWN, YES
from evenhand.plan.expressions import quoted_column
from evenhand.prepare.consent import ID
from evenhand.prepare.ids import trimmed

REASONS, KEPT, KEY = "reasons", "kept_as_no", "_key"
TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?( ?(Z|[+-][0-9]{2}:[0-9]{2}))?)?$"
WHOLE = "^[+-]?[0-9]+$"
UNKNOWN = "unknown"
ALWAYS = ("record_id", "purpose", "attribute", "signal", "state", "recorded_at")  # by which an event with a record id is known
MORE = ("expires_at", "notice_version", "language", "method", "expressed_by")  # and one without


def judged(rows: DataFrame, id_type: T.DataType, signal: str | None, now: Column) -> DataFrame:
    """The rows with values trimmed, times as TIMESTAMP, `reasons` (empty for a sound row) and `kept_as_no`.

    A row with a reason is kept as a no where it says whose it is: at its own time where that is one, else now, and never as
    a yes. Not kept is a yes to no purpose, which nobody heeds.
    """
    texts = {field: _or_null(trimmed(F.col(field))) for field in FIELDS}
    if signal is not None:
        texts["signal"] = F.coalesce(texts["signal"], F.lit(signal))
    truth = F.lower(texts["state"])
    texts["state"] = F.when(truth == "true", "granted").when(truth == "false", "withdrawn").otherwise(texts["state"])
    read = rows.withColumns(texts | {"_at": _time(texts["recorded_at"]), "_until": _time(texts["expires_at"])})
    state, is_signal = F.col("state"), F.col("signal").isNotNull()
    granted = F.coalesce(state.isin(*YES), F.lit(False))
    of_nothing = granted & F.col("purpose").isNull() & ~F.col(BROKEN)
    has_no_id = F.coalesce(trimmed(F.col(ID)) == "", F.lit(True))
    is_no_id = ~_fits(F.col(ID), id_type)
    has_no_time = F.col("recorded_at").isNotNull() & F.col("_at").isNull()
    in_future = F.coalesce(F.col("_at") > now, F.lit(False))
    whose = {"the id is missing": has_no_id, f"the id is no {id_type.simpleString()}": ~has_no_id & is_no_id}
    what = {
        "the state is missing": state.isNull() & ~is_signal,
        "the state is unknown": state.isNotNull() & ~F.coalesce(state.isin(*KNOWN), F.lit(True)),
        "a yes without a purpose": of_nothing,
        "a yes without a time": granted & F.col("recorded_at").isNull(),
        "recorded_at is no time": has_no_time,
        "recorded_at lies in the future": in_future,
        "expires_at is no time": F.col("expires_at").isNotNull() & F.col("_until").isNull(),
    }
    # What a line says that cannot be taken apart, nobody knows.
    findings = {"the line cannot be taken apart": F.col(BROKEN)} | whose
    findings |= {reason: ~F.col(BROKEN) & found for reason, found in what.items()}
    reasons = F.filter(F.array(*[F.when(found, F.lit(reason)) for reason, found in findings.items()]), lambda r: r.isNotNull())
    is_bad = F.size(REASONS) > 0
    return (
        read.withColumn(REASONS, reasons)
        .withColumn(KEPT, is_bad & ~has_no_id & ~is_no_id & ~of_nothing)
        .withColumn("recorded_at", F.when(~in_future, F.col("_at")))
        .withColumn("expires_at", F.col("_until"))
        .drop("_at", "_until")
    )


def as_a_no(rows: DataFrame, now: Column) -> DataFrame:
    """Rows that were not understood, as what they are kept as. A record id is not: under it the corrected row may come."""
    refused = F.when(F.col(BROKEN) | F.coalesce(F.col("state").isin(*YES), F.lit(True)), F.lit(UNKNOWN)).otherwise(F.col("state"))
    doubtful = {field: F.when(~F.col(BROKEN), F.col(field)) for field in ("purpose", "attribute", "signal")}
    lost = {field: F.lit(None).cast("string") for field in ("record_id",)}
    times = {"recorded_at": F.coalesce(F.col("recorded_at"), now), "expires_at": F.lit(None).cast("timestamp")}
    return rows.withColumns(doubtful | lost | times | {"state": refused})


def in_types_of(rows: DataFrame, table: T.StructType, columns: Mapping[str, str]) -> DataFrame:
    """The events with the columns and types of the consent table. `columns` are its names, by `_evenhand_id` and field."""
    types = {f.name.lower(): (f.name, f.dataType) for f in table}
    found = []
    for field, column in columns.items():
        if column.lower() in types:
            name, kind = types[column.lower()]
            value = F.col(field)
            if field == "state" and isinstance(kind, T.BooleanType):
                value = F.coalesce(value.isin(*YES), F.lit(False))
            elif field == ID and not isinstance(kind, T.StringType | T.BinaryType):
                value = trimmed(value)
            found.append(value.cast(kind).alias(name))
    return rows.select(*found)


def key_sql(table: T.StructType, columns: Mapping[str, str], alias: str = "") -> str:
    """SQL for a hash by which two rows of the consent table are one event: of its record id, whose and what it is and when, and
    without a record id of all that it says."""
    types = {f.name.lower(): f for f in table}

    def text(field: str) -> str:
        found = types.get(columns[field].lower())
        if found is None:
            return "CAST(NULL AS STRING)"
        name = alias + quoted_column(found.name)
        if isinstance(found.dataType, T.TimestampType | T.TimestampNTZType | T.DateType):
            return f"CAST(unix_micros(CAST({name} AS TIMESTAMP)) AS STRING)"
        return f"hex({name})" if isinstance(found.dataType, T.BinaryType) else f"CAST({name} AS STRING)"

    parts = [f"'{field}', {text(field)}" for field in (ID, *ALWAYS)]
    parts += [f"'{field}', IF({text('record_id')} IS NULL, {text(field)}, NULL)" for field in MORE]
    return f"sha2(to_json(named_struct({', '.join(parts)})), 256)"


def content_hash() -> Column:
    return F.sha2(F.col(CONTENT), 256)


def _or_null(text: Column) -> Column:
    return F.when(text != "", text)


def _time(text: Column) -> Column:
    return F.when(text.rlike(TIME), text.cast("timestamp"))


def _fits(id_text: Column, kind: T.DataType) -> Column:
    """Whether a text is an id of the table's type; as text and bytes any is."""
    if isinstance(kind, T.StringType | T.BinaryType):
        return F.lit(True)
    whole = trimmed(id_text)
    return F.coalesce(whole.rlike(WHOLE) & whole.cast(kind).isNotNull(), F.lit(False))
