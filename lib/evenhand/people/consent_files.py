"""Files of consent events: CSV, JSON lines or Parquet, every value as text, under the columns' own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from evenhand.errors import ArgumentError, SourceError
from evenhand.plan.consent import ConsentColumns
from evenhand.plan.data import Consent
from evenhand.plan.expressions import quoted_column
from evenhand.prepare.consent import ID
from evenhand.spark.errors import SPARK_ERRORS, kind_of
from evenhand.tables.paths import absolute, is_missing, literal

Form = Literal["csv", "jsonl", "parquet"]
ENDINGS: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
CONTENT, BROKEN = "_content", "_broken"  # the whole row as text, and whether it could not be taken apart
FIELDS = tuple(ConsentColumns.model_fields)
NEEDED = ("purpose", "state", "recorded_at")  # not of a list of objections, which may be one of ids alone
BOM, WITH_OFFSET = "\ufeff", "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"


def form_of(path: str, stated: str | None) -> Form:
    """Raises ArgumentError where neither the ending of the name nor the caller says what it is."""
    found = next((form for form in get_args(Form) if form == stated), None)
    found = found or next((form for ending, form in ENDINGS.items() if path.lower().removesuffix(".gz").endswith(ending)), None)
    if found is None or (stated is not None and found != stated):
        raise ArgumentError(f"--from {path}: say with --as whether it is {', '.join(get_args(Form))}")
    return found


def read_events(spark: SparkSession, path: str, form: Form, consent: Consent, is_list: bool) -> DataFrame:
    """One row an event: `_evenhand_id`, the columns of `ConsentColumns` as STRING, null where the file has none, `_content` and `_broken`.

    `is_list` says that the rows are a list of objections, of which only the id is asked.

    Raises:
        ArgumentError: nothing is there.
        SourceError: it cannot be read, or lacks a column that every event must have.
    """
    place = literal(absolute(path))
    if is_missing(spark, path):
        raise ArgumentError(f"--from: {path} is missing")
    names = _names(consent)
    try:
        rows = {"csv": _csv, "jsonl": _json_lines, "parquet": _parquet}[form](spark, place, names)
    except SPARK_ERRORS as wrong:
        raise SourceError(
            f"--from: {path} cannot be read as {form} ({kind_of(wrong)}); is it whole, and what --as says?"
        ) from None
    there = [c for c in rows.columns if c != BROKEN]
    known = {c.strip(BOM).strip().lower(): c for c in there}
    if twice := [c for c in there if known[c.strip(BOM).strip().lower()] != c]:
        raise SourceError(f"--from: {path} has the column {twice[0].strip(BOM)} twice; leave one")
    absent = [
        found[0] for field, found in names.items() if not any(name.lower() in known for name in found) and _must(field, is_list)
    ]
    if absent:
        raise SourceError(
            f"--from: {path} has no column {', '.join(absent)}; it has {', '.join(sorted(c.strip(BOM) for c in there)) or 'none'}"
            + ("; is it text in UTF-8?" * (form == "csv"))
        )
    whole = F.to_json(F.struct(*[F.col(quoted_column(c)).alias(c.strip(BOM)) for c in there]))
    content = F.coalesce(F.col(BROKEN), whole)
    named = {field: next((known[n.lower()] for n in found if n.lower() in known), None) for field, found in names.items()}
    texts = {field: F.lit(None).cast("string") if name is None else F.col(quoted_column(name)) for field, name in named.items()}
    taken = [text.alias(field) for field, text in texts.items()]
    return rows.select(*taken, content.alias(CONTENT), F.col(BROKEN).isNotNull().alias(BROKEN))


def _names(consent: Consent) -> dict[str, tuple[str, ...]]:
    """What a column may be called: as in the plan, or else by its own name, unless in the plan that is another's."""
    in_plan = {field: consent.columns.of(field) for field in FIELDS}
    taken = [name.lower() for name in in_plan.values()]
    found: dict[str, tuple[str, ...]] = {ID: (consent.id,)}
    for field, name in in_plan.items():
        found[field] = (name,) if field in taken else (name, field)
    return found


def _must(field: str, is_list: bool) -> bool:
    return field == ID or (field in NEEDED and not is_list)


def _csv(spark: SparkSession, place: str, names: Mapping[str, tuple[str, ...]]) -> DataFrame:
    header = spark.read.option("header", True).csv(place).columns
    texts = [T.StructField(name, T.StringType()) for name in [*header, BROKEN]]
    reader = spark.read.schema(T.StructType(texts)).option("header", True).option("columnNameOfCorruptRecord", BROKEN)
    return reader.option("enforceSchema", False).csv(place)  # files of one folder must agree on their columns


def _json_lines(spark: SparkSession, place: str, names: Mapping[str, tuple[str, ...]]) -> DataFrame:
    """Keys in the case of the plan; whatever a value is, its text is taken. A key that no line has is missing."""
    wanted = list(dict.fromkeys(name for found in names.values() for name in found))
    texts = [T.StructField(name, T.StringType()) for name in [*wanted, BROKEN]]
    rows = spark.read.schema(T.StructType(texts)).option("columnNameOfCorruptRecord", BROKEN).json(place)
    there = rows.agg(*[F.count(quoted_column(name)).alias(f"_{i}") for i, name in enumerate(wanted)]).first()
    assert there is not None
    return rows.select(*[quoted_column(name) for name, count in zip(wanted, there, strict=True) if count], BROKEN)


def _parquet(spark: SparkSession, place: str, names: Mapping[str, tuple[str, ...]]) -> DataFrame:
    rows = spark.read.parquet(place)
    return rows.select(*[_text(field) for field in rows.schema], F.lit(None).cast("string").alias(BROKEN))


def _text(field: T.StructField) -> Column:
    value = F.col(quoted_column(field.name))
    if isinstance(field.dataType, T.TimestampType):  # an hour may come twice a year in the plan's zone, not with an offset
        value = F.date_format(value, WITH_OFFSET)
    elif isinstance(field.dataType, T.BinaryType):
        value = F.decode(value, "UTF-8")
    return value.cast("string").alias(field.name)
