"""Who asks: ids from a file, never from a command line, as rows of data and never as a literal of a query."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, DataType, StringType

from evenhand.errors import ArgumentError
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, has_id
from evenhand.prepare.ids import in_one_form

NUMBER = "number"  # of the id in the file; names of files and messages have this and no id
MOST_IDS = 10_000
WHOLE = "^ *[+-]?[0-9]{1,38} *$"  # 1.5 would become another customer's 2 where ids are DECIMAL


def ids_in(path: Path, most: int = MOST_IDS) -> list[str]:
    """The ids of a text file, one a line as the source writes it; blank lines do not count.

    Raises:
        ArgumentError: it cannot be read, or has none or too many. No line of it is repeated.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ArgumentError(f"--customer-from: {path} is not UTF-8 text; write one id a line") from None
    except (OSError, ValueError) as wrong:
        said = getattr(wrong, "strerror", None) or "there can be no such path"
        raise ArgumentError(f"--customer-from: {path} cannot be read: {said}") from None
    ids = [line for line in text.splitlines() if line.strip()]
    if not ids or len(ids) > most:
        right = "one id" if most == 1 else f"1 to {most:,}, one a line"
        raise ArgumentError(f"--customer-from: {path} has {'no id' if not ids else 'too many ids'}; write {right}")
    if any(not c.isprintable() for line in ids for c in line):
        raise ArgumentError(
            f"--customer-from: {path} has an id with a sign that cannot be printed; write one id a line, as UTF-8 text"
        )
    return ids


def asked(spark: SparkSession, ids: list[str], kind: DataType, plan: Plan) -> DataFrame:
    """Restricted: `number`, from 1, and `_evenhand_id` in the type and form in which the sources' ids are compared.

    Bytes are written in hexadecimal. An id that can be none of that type is nobody's: it is left out.
    """
    rows = spark.createDataFrame(pa.table({NUMBER: pa.array(range(1, len(ids) + 1), pa.int32()), "_given": ids}))
    given = F.col("_given")
    if isinstance(kind, BinaryType):
        form = F.unhex(given)
    else:
        whole = F.when(given.rlike(WHOLE), given.try_cast(kind))
        form = in_one_form(given, plan.sources.ids) if isinstance(kind, StringType) else whole
    found = rows.select(NUMBER, form.alias(ID))
    return found.where(has_id(found))
