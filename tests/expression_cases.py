"""Expressions of every function that a plan may use, by the types of the columns that they read, and the rows to read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import product
from typing import Any

from evenhand.plan.expressions.functions import CASTS, DIFFERENCES, SAME_AS, SCALARS
from evenhand.prepare.consent import ID

SCHEMA = (
    "s STRING, z STRING, n INT, k INT, l BIGINT, d DOUBLE, e DOUBLE, f FLOAT, c DECIMAL(38,10), m DECIMAL(10,2), b BOOLEAN, "
    "w BINARY, a ARRAY<INT>"
)
MADE = {  # in SQL: Python has no dates beyond the year 9999, and no longest interval
    "t": "timestamp_micros(micros)",
    "day": "date_from_unix_date(days)",
    "v": "try_multiply(interval 1 microsecond, l)",
    "y": "try_multiply(interval 1 month, n)",
    "q": "if(b and hex(w) like 'FF%', cast(repeat('9', 38) as decimal(38, 0)), cast(n as decimal(38, 0)))",
}
COLUMNS = [part.split()[0] for part in SCHEMA.split(", ")] + list(MADE)
MAIN = [
    "s",
    "n",
    "l",
    "d",
    "c",
    "t",
    "day",
    "b",
    "v",
    "y",
    "q",
]  # tried everywhere; the others where a function has one argument of that kind
SOME = ["s", "n", "d", "t"]
TEXTS = ["", " ", "now", "abc", "-1", "1e400", "NaN", "-Infinity", "2026-02-30", "2020-01-01 00:00:00", "٣", "\0", "a" * 3000]
TEXTS += ["5881580-07-11", "-290308-12-21", "+294247-01-10T04:00:54.775807Z", "99999999999999999999", "true", "12:00", "%_"]
INTS = [0, -1, 1, -(2**31), 2**31 - 1, 999_999, -999_999, 10**7]
LONGS = [0, -1, 1, -(2**63), 2**63 - 1, 2**62, 10**12, -(10**18)]
DOUBLES = [0.0, -0.0, math.nan, math.inf, -math.inf, 1.7e308, 5e-324, -1.5, 1e18, -(2.0**63), 0.5]
DECIMALS = [Decimal(t) for t in ("0", "-1", "9" * 28 + ".9999999999", "-" + "9" * 28, "0.0000000001", "2.5")]
MICROS = [0, -1, 2**63 - 1, -(2**63), 253402300800000000, -62135596800000000, 1577836800000000]
DAYS = [0, 2932896, -719162, 18262, 10957]  # dates outside of the calendar are left out before (`within_calendar`)


def hostile(count: int = 24) -> list[tuple[Any, ...]]:
    """Rows of what is hard to compute with, null at the end; the last two of a row are microseconds and days since 1970."""
    rows = []
    for i in range(count):
        at = [v[(i * step + i // len(v)) % len(v)] for v, step in ((TEXTS, 1), (TEXTS, 7), (INTS, 1), (INTS, 3), (LONGS, 1))]
        at += [v[(i * step + i // len(v)) % len(v)] for v, step in ((DOUBLES, 1), (DOUBLES, 5), (DOUBLES, 3), (DECIMALS, 1))]
        rows.append((*at, Decimal("99999999.99"), i % 2 == 0, bytes([255, i]), [i] * (i % 3), MICROS[i % 7], DAYS[i % 5]))
    return [*rows, (None,) * 15]


def ordinary() -> list[tuple[Any, ...]]:
    """Rows on which every function has something to say."""
    return [
        (f"2024-0{i}-1{i}", f" Ab{i} ", i, i + 2, 100 + i, i / 4, 0.5 + i / 8, i / 2, Decimal(i) / 8, Decimal(i) + Decimal("0.25"),
         i % 2 == 0, b"ab", [1, 2, i], _micros(datetime(2023, 2 + i, 20 + i, 1, 2, 3 + i)), (date(2023, i, i) - date(1970, 1, 1)).days)
        for i in range(1, 6)
    ]  # fmt: skip


def _micros(at: datetime) -> int:
    return int((at - datetime(1970, 1, 1)).total_seconds()) * 10**6


def frame(spark: Any, rows: list[tuple[Any, ...]], ids: list[str] | None = None) -> Any:
    """The rows, each with an id where some are given."""
    with_id = [(i, *row) for i, row in zip(ids or ["everybody"] * len(rows), rows, strict=True)]
    made = spark.createDataFrame(with_id, f"{ID} STRING, {SCHEMA}, micros BIGINT, days INT")
    return made.selectExpr("*", *[f"{text} AS {name}" for name, text in MADE.items()]).drop("micros", "days")


WRITTEN = {"i": ["2", "0"], "f": ["'yyyy-MM-dd HH:mm:ss.SSS'", "'yyyy-MM-dd'"], "p": ["'%b_'"], "x": ["'^[0-9]{4}(a|-).*$'"], "u": ["MONTH", "MICROSECOND"]}  # fmt: skip
TEXT_OF = {
    "date_part": ["'week'", "'second'"],
    "date_trunc": ["'WEEK'", "'millisecond'"],
    "trunc": ["'MM'", "'week'"],
    "replace": ["'0'"],
}
BINARY = "+ - * / % div & | ^ || = <> < >= <=>".split()


def scalar_calls() -> Iterator[str]:
    """Calls of every function, every argument a column of each type; the types are the same for all, or one is a text."""
    for name, signature in SCALARS.items():
        needed, _, more = signature.partition("?")
        needed = needed.replace(".*", "..")
        for letters in dict.fromkeys([needed, needed + more]):
            yield from _calls(name, letters)
    for name, same in SAME_AS.items():
        yield from _calls(name, SCALARS.get(same, ".."))
    for name in sorted(CASTS | {"negative"}):
        yield from _calls(name, ".")
    for name in sorted(DIFFERENCES):
        yield from _calls(name, "dd")
        yield from _calls(name, "utt")


def _calls(name: str, letters: str) -> Iterator[str]:
    free = [i for i, letter in enumerate(letters) if letter in ".dtnms"]
    columns = (COLUMNS if name in ("size", "array_size") else MAIN) if len(free) == 1 else SOME
    choices = [[c] * len(free) for c in columns] + [["s", *["n"] * (len(free) - 1)]] * (len(free) > 1)
    choices += [["day", *[c] * (len(free) - 1)] for c in ("n", "l", "d")] if len(free) > 1 and "d" in letters else []
    if len(free) > 1:
        choices += [["n", *["k"] * (len(free) - 1)], ["d", *["e"] * (len(free) - 1)], ["s", *["z"] * (len(free) - 1)], ["b", *["n"] * (len(free) - 1)]]  # fmt: skip
    fixed = [TEXT_OF.get(name, ["'a'"]) if letter == "r" else WRITTEN.get(letter, [""]) for letter in letters]
    for chosen in choices:
        for texts in product(*[fixed[i] for i in range(len(letters)) if i not in free]):
            columns, written = iter(chosen), iter(texts)
            yield f"{name}({', '.join(next(columns) if i in free else next(written) for i in range(len(letters)))})"


def operator_calls() -> Iterator[str]:
    """Every operator and every piece of syntax, over columns of each type."""
    pairs = [(c, c) for c in SOME] + [("n", "k"), ("d", "e"), ("s", "z"), ("l", "n"), ("c", "d"), ("s", "n"), ("s", "t"), ("t", "day"), ("day", "n"), ("t", "n"), ("m", "c"), ("v", "v"), ("y", "y"), ("v", "n"), ("y", "d"), ("t", "v"), ("day", "y"), ("q", "q"), ("q", "n")]  # fmt: skip
    for operator in BINARY:
        yield from (f"{a} {operator} {b}" for a, b in pairs)
    for c in MAIN:
        yield from (f"-{c}", f"~{c}", f"{c} is null", f"{c} in (1, 2)", f"{c} in ('a', 'now and then')", f"{c} between 1 and 5")
        yield from (f"try_cast({c} as decimal(38,37))", f"cast({c} as varchar(3))", f"{c}::smallint", f"{c}::decimal(3,1)")
        yield from (f"{c} + interval 999999 day", f"{c} - interval 2000 years", f"as_of - {c}", f"{c} - as_of", f"{c} > as_of")
        yield from (f"extract({field} from {c})" for field in ("year", "week", "doy", "seconds"))
        yield from (f"case when {c} then 1 else {c} end", f"case {c} when 1 then 'a' end", f"if({c} > 0, {c}, n)", f"not {c}")
        yield from (f"trim(both 'a' from {c})", f"{c} like 'a%'", f"{c} rlike '^a+'", f"{c} ilike '%A'", f"{c} is true")
    yield from ("cast('5' as int)", "'12.5'::double", "cast('x' as int)", "cast(5 as string)")
    yield from ("date '2024-01-31' > day", "timestamp '2024-01-31 00:00:00' > t", "date '2024-01-31' - interval 1 month")
    yield from ("n / 0", "n % 0", "n div 0", "pmod(n, 0)", "l * l * l", "l + l", "-l", "cast(cast(l as timestamp) as date)")
    yield from (
        "cast(date_add(day, n) as timestamp) > as_of",
        "date_add(date_add(day, n), n) < t",
        "add_months(date_add(s, n), n) > t",
    )
    yield from (
        "cast(date_add(cast(cast(l as timestamp) as date), n) as timestamp)",
        "(t - as_of) / n",
        "(as_of - t) * l",
        "s > as_of",
    )
    yield from (
        "to_date(s, 'yyyy-MM-dd') > t",
        "months_between(s, z)",
        "date_add(s, n) > t",
        "to_timestamp(s) + interval 999999 day > t",
    )


def all_calls() -> list[str]:
    return list(dict.fromkeys([*scalar_calls(), *operator_calls()]))
