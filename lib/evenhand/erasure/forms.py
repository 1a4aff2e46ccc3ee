"""The forms in which a person may stand in a file: an id or a pseudonym, as the bytes to look for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, StringType

from evenhand.prepare.consent import ID

# What is shorter stands in any file by chance, so that to find it tells nothing. Such an id is looked for where Parquet is
# decoded, value by value, and the certificate says so.
LEAST_BYTES, LEAST_DIGITS, LEAST_NUMBER = 7, 10, 2**32
DIGITS = r"^[0-9]+$"

ID_TEXT, PSEUDONYM = "id, UTF-8", "pseudonym, raw"
IN_JSON, IN_JSON_TWICE = "id, JSON", "id, JSON twice"


def forms_of(ids: DataFrame, pseudonyms: DataFrame) -> DataFrame:
    """Restricted: form, needle BINARY, control; a row for each form of each id and pseudonym that is long enough to be told from chance.

    `ids` has `_evenhand_id`, `pseudonyms` has `pseudonym`; both have `control`, true for nobody's, which is planted to be found.
    """
    kind = ids.schema[ID].dataType
    if isinstance(kind, StringType):
        of_id = _text(F.col(ID)) | _escaped(F.col(ID))
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
    """Each needle once, under the first of the forms in which it is the same."""
    structs = [F.struct(F.lit(form).alias("form"), needle.alias("needle")) for form, needle in forms.items()]
    each = people.select("control", F.posexplode(F.array(*structs)).alias("place", "_form"))
    return (
        each.groupBy("_form.needle", "control")
        .agg(F.min_by("_form.form", "place").alias("form"))
        .select("form", "needle", "control")
    )


def _text(text: Column) -> dict[str, Column]:
    encodings = {ID_TEXT: "UTF-8", "id, UTF-16 little-endian": "UTF-16LE", "id, UTF-16 big-endian": "UTF-16BE"}
    return {form: F.when(told_apart(text), F.encode(text, charset)) for form, charset in encodings.items()}


def _escaped(text: Column) -> dict[str, Column]:
    """A text within JSON, and within a text of JSON that is in JSON itself, as statistics and predicates are in Delta's commits.

    Writers differ: some leave signs beyond ASCII as they are, others write \\u and four digits in lower or upper case, and some put
    a backslash before a slash.
    """
    found = {}
    for code, digits in (("", None), (" with \\u in lower case", F.lower), (" with \\u in upper case", F.upper)):
        for slash in ("", " with \\/"):
            needle = text
            for form in (IN_JSON, IN_JSON_TWICE):
                needle = _as_json(needle)
                needle = needle if digits is None else _in_ascii(needle, digits)
                needle = F.replace(needle, F.lit("/"), F.lit("\\/")) if slash else needle
                found[f"{form}{code}{slash}"] = F.when(told_apart(text), F.encode(needle, "UTF-8"))
    return found


def _as_json(text: Column) -> Column:
    """What stands between the quotes where Spark, or Delta, writes a text as JSON."""
    written = F.to_json(F.struct(text.alias("a")))  # {"a":"…"}
    return F.substring(written, F.lit(7), F.length(written) - 8)


def _in_ascii(text: Column, digits: Callable[[Column], Column]) -> Column:
    """Every sign beyond ASCII as \\u and the digits of its UTF-16, a pair of them where it takes two."""

    def sign(one: Column) -> Column:
        units = F.regexp_replace(digits(F.hex(F.encode(one, "UTF-16BE"))), "(.{4})", r"\\u$1")
        return F.when(F.octet_length(one) > 1, units).otherwise(one)

    return F.array_join(F.transform(F.split(text, ""), sign), "")


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
