"""How values are written for Spark: in forms that are null where Spark would fail or leave its calendar."""

from __future__ import annotations

from evenhand.plan.expressions.errors import ExpressionError

# Within some 27,000 years of 1970: what is added to a date afterwards keeps it where Spark can make a timestamp of it.
DATE = "date_from_unix_date(try_cast(try_cast(unix_date(try_cast({} as date)) as decimal(7, 0)) as int))"
TIMESTAMP = "timestamp_micros(try_cast(try_cast(unix_micros(try_cast({} as timestamp)) as decimal(18, 0)) as bigint))"
DAYS = "try_cast(try_cast({} as decimal(6, 0)) as int)"
MONTHS = "try_cast(try_cast({} as decimal(4, 0)) as int)"
SECONDS = "try_cast(try_cast({} as decimal(12, 0)) as bigint)"
# A number, of the type that it has. Of an interval Spark refuses this for its type: abs fails on the longest one, whatever is set.
NUMBER = "if(true, {}, 0Y)"
# A text to be read by a format: without a sign, behind which Java takes a year of any length, and fails on it.
UNSIGNED = "regexp_extract(try_cast({} as string), '^(?!.*[+])(?!.*(?<![0-9])-).*$', 0)"


def quoted_column(name: str) -> str:
    """A column's name as Spark's SQL and its `col` need it: a dot in it is no field of a struct."""
    return "`" + name.replace("`", "``") + "`"


def converted(text: str, to: str) -> str:
    """The value as another type; null where it is none of that type."""
    return {"date": DATE, "timestamp": TIMESTAMP}.get(to, f"try_cast({{}} as {to})").format(text)


def text_sql(text: str) -> str:
    """A text in the quotes that are not in it: whether two of them are one is a setting of Spark's."""
    if "'" in text and '"' in text:
        raise ExpressionError("a text with both kinds of quotes is not allowed")
    return f'"{text}"' if "'" in text else f"'{text}'"
