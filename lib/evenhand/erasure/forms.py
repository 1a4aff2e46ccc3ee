"""The forms in which a person may stand in a file: an id or a pseudonym, as the bytes to look for."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, StringType

from evenhand.prepare.consent import ID

# What is shorter stands in any file by chance, so that to find it tells nothing. Such an id is looked for where Parquet is
# decoded, value by value, and the certificate says so.
LEAST_BYTES, LEAST_DIGITS, LEAST_NUMBER = 7, 10, 2**32
DIGITS = r"^[0-9]+$"

ID_TEXT, PSEUDONYM = "id, UTF-8", "pseudonym, raw"


def forms_of(ids: DataFrame, pseudonyms: DataFrame) -> DataFrame:
    """Restricted: form, needle BINARY, control; a row for each form of each id and pseudonym that is long enough to be told from chance.

    `ids` has `_evenhand_id`, `pseudonyms` has `pseudonym`; both have `control`, true for nobody's, which is planted to be found.
    """
    kind = ids.schema[ID].dataType
    if isinstance(kind, StringType):
        of_id = _text(F.col(ID))
    elif isinstance(kind, BinaryType):
        of_id = _bytes("id", F.col(ID))
    else:
        of_id = _text(F.col(ID).cast("string")) | _number(F.col(ID).cast("bigint"))
    found = _rows(ids, of_id).unionByName(_rows(pseudonyms, _bytes("pseudonym", F.col("pseudonym"))))
    return found.where(F.length("needle") >= LEAST_BYTES)


def told_apart(text: Column) -> Column:
    """Whether a text is not merely a few digits, as stand in any file."""
    return ~text.rlike(DIGITS) | (F.length(text) >= LEAST_DIGITS)


def as_compared(values: Column) -> Column:
    """An id, or a value that may be one, as bytes: a number by its digits."""
    return values.cast("string").cast("binary")


def _rows(people: DataFrame, forms: Mapping[str, Column]) -> DataFrame:
    structs = [F.struct(F.lit(form).alias("form"), needle.alias("needle")) for form, needle in forms.items()]
    return people.select("control", F.explode(F.array(*structs)).alias("_form")).select("_form.form", "_form.needle", "control")


def _text(text: Column) -> dict[str, Column]:
    encodings = {ID_TEXT: "UTF-8", "id, UTF-16 little-endian": "UTF-16LE", "id, UTF-16 big-endian": "UTF-16BE"}
    return {form: F.when(told_apart(text), F.encode(text, charset)) for form, charset in encodings.items()}


def _number(number: Column) -> dict[str, Column]:
    """Eight bytes as Parquet and Java write them; the bytes of a DECIMAL end in the second form."""
    big = F.unhex(F.lpad(F.hex(number), 16, "0"))
    little = F.concat(*[F.substring(big, place, 1) for place in range(8, 0, -1)])
    told_apart = F.abs(number) >= LEAST_NUMBER
    return {"id, little-endian": F.when(told_apart, little), "id, big-endian": F.when(told_apart, big)}


def _bytes(of: str, value: Column) -> dict[str, Column]:
    hexadecimal = F.hex(value)
    # Without the padding at its end, which a writer may leave out.
    base64 = F.rtrim(F.base64(value), F.lit("="))
    return {
        f"{of}, raw": value,
        f"{of}, hex": F.lower(hexadecimal).cast("binary"),
        f"{of}, HEX": hexadecimal.cast("binary"),
        f"{of}, base64": base64.cast("binary"),
        f"{of}, base64url": F.translate(base64, "+/", "-_").cast("binary"),
    }
