"""Expressions of plans in Spark: exact in whatever order rows come, and never an error whatever is in them."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from evenhand.plan.expressions import row_sql
from evenhand.plan.expressions.functions import AGGREGATES, SCALARS, TEXTUAL
from evenhand.prepare.consent import ID
from evenhand.prepare.features import aggregates
from evenhand.spark.session import settings
from expression_cases import all_calls, frame, hostile, ordinary

pytestmark = pytest.mark.long  # every function on every hostile value

T = TypeVar("T")
OTHERWISE = {"unix_timestamp(s)"}  # a text without a time of day is midnight, as in a cast; to Spark it is none
EACH = 3  # calls of a function that are held against Spark's own reading
AT_ONCE = 150  # columns of one query
AS_OF = "timestamp_micros(1700000000000000L)"


@pytest.fixture(scope="module")
def utc(spark: Any) -> Iterator[Any]:
    with settings(spark, "Europe/Berlin"):
        yield spark


@pytest.fixture(scope="module")
def computable(utc: Any) -> dict[str, str]:
    """Every call whose types fit, with the type of what it gives."""
    rows, found = frame(utc, hostile(1)), dict[str, str]()
    for text in all_calls():
        if (kind := fits(lambda text=text: rows.select(F.expr(row_sql(text, AS_OF))).schema[0].dataType)) is not None:
            found[text] = kind.simpleString()
    assert len(found) > 700
    return found


def batched(texts: list[str], size: int) -> Iterator[list[str]]:
    return (texts[i : i + size] for i in range(0, len(texts), size))


def every_aggregate(rows: Any) -> dict[str, str]:
    """Every aggregate function over values of the types that it treats apart, under a name each."""
    texts = [f"{name}({value}{', 0.3' if name == 'percentile' else ''})" for name in AGGREGATES for value in ("d", "b")]
    texts += [f"{name}({value})" for name in ("sum", "avg") for value in ("n", "l", "f", "c", "m", "s", "d * e")]
    texts += [
        f"{name}({value})" for name in ("max", "min", "approx_count_distinct") for value in ("s", "t", "if(b, -0.0D, 0.0D)")
    ]
    texts += [
        "pow(max(if(b, -0.0D, 0.0D)), -1)",
        "length(string(min(if(b, -0.0D, 0.0D))))",
        "sum(distinct d)",
        "count(distinct n, d)",
    ]
    texts += ["count(*)", "avg(if(b, 1, null))", "sum(d) filter (where b)", "length(max(s))", "datediff(max(day), min(day))"]
    return {f"v{i}": text for i, text in enumerate(texts) if takes(rows, text)}


def takes(rows: Any, text: str) -> bool:
    return fits(lambda: aggregates(rows, {"value": text}, AS_OF).schema) is not None


def fits(look: Callable[[], T]) -> T | None:
    """What is to be seen where the types fit, else None; that they do not is the only thing that may be wrong."""
    try:
        return look()
    except AnalysisException as wrong:
        if not str(wrong.getCondition()).startswith(("DATATYPE_MISMATCH", "INVALID_EXTRACT")):
            raise
        return None


def test_the_order_of_rows_their_files_and_other_customers_change_no_aggregate(utc: Any) -> None:
    """One customer's rows change how the rows of all are packed into tasks, and so the order in which others' are read."""
    draw = random.Random(3)
    rows = [(i, row) for i in ("odd", "odder") for row in hostile(40)]
    rows += [("money", (None, None, i, i, i, draw.gauss(0, 10.0 ** draw.randint(-6, 15)), draw.random(), 0.1 * i, None, None,
              i % 2 == 0, None, None, i, i)) for i in range(300)]  # fmt: skip
    wanted, found = dict[str, str](), dict[str, list[list[str]]]()
    for tasks in (1, 4, 7):
        mixed = [*rows, *(("another", row) for row in hostile(tasks * 9))]
        draw.shuffle(mixed)
        made = frame(utc, [row for _, row in mixed], [i for i, _ in mixed]).repartition(tasks)
        wanted = wanted or every_aggregate(made)
        for row in aggregates(made, wanted, AS_OF).where(F.col(ID) != "another").collect():
            found.setdefault(row[ID], []).append([repr(value) for value in row[1:]])
    assert sorted(found) == ["money", "odd", "odder"]
    assert len(wanted) > 50
    for first, *others in found.values():
        for other in others:
            assert dict(zip(wanted.values(), other, strict=True)) == dict(zip(wanted.values(), first, strict=True))
    assert "None" not in dict(zip(wanted.values(), found["money"][0], strict=True))["sum(d)"]


def test_sums_of_money_are_exact(utc: Any) -> None:
    rows = [(None,) * 5 + (value,) + (None,) * 9 for value in [33.33, 33.33, 33.34, 1e15, -1e15, math.nan, math.inf, 1e300]]
    found = aggregates(frame(utc, rows), {"sum": "sum(d)", "mean": "avg(d)", "most": "max(d)"}, AS_OF).first()
    assert found["sum"] == 100.0
    assert found["mean"] == 20.0  # of the five that can be added up
    assert found["most"] == math.inf


def test_of_nested_values_none_is_the_greatest(utc: Any) -> None:
    """[0.0] and [-0.0] are equal and not the same: which of them stayed, the order of rows would decide."""
    with pytest.raises(AnalysisException, match="DATATYPE_MISMATCH"):
        aggregates(frame(utc, ordinary()), {"most": "length(string(max(a)))"}, AS_OF).schema  # noqa: B018


def test_no_value_stops_an_expression_of_any_allowed_function(utc: Any, computable: dict[str, str]) -> None:
    """Every function and operator, over columns of every type, on rows of all that is hard: what fails is missing."""
    rows = frame(utc, hostile())
    for some in batched(list(computable), AT_ONCE):
        rows.select(*[F.count(F.expr(row_sql(text, AS_OF))) for text in some]).collect()


def test_what_spark_is_given_means_what_the_plan_says(utc: Any, computable: dict[str, str]) -> None:
    """On rows that nothing fails on, with Spark's own reading of the text beside it: two or more calls of every function."""
    rows, calls = frame(utc, ordinary()), dict[str, list[str]]()
    for text in computable:
        if text not in OTHERWISE and len(calls.setdefault(text.partition("(")[0], [])) < EACH:
            plain = text.replace("as_of", AS_OF)
            if fits(lambda plain=plain: rows.select(F.expr(plain)).schema) is not None:
                calls[text.partition("(")[0]].append(text)
    assert {name for name, texts in calls.items() if not texts} & set(SCALARS) == set()
    for some in batched([text for texts in calls.values() for text in texts], AT_ONCE):
        pairs = [(F.expr(text.replace("as_of", AS_OF)), F.expr(row_sql(text, AS_OF))) for text in some]
        same = [a.cast("string").eqNullSafe(b.cast("string")) | (a.cast("string").cast("double") == b.cast("string").cast("double"))
                for a, b in pairs]  # fmt: skip
        found = rows.select(*[F.every(F.coalesce(each, F.lit(False))) for each in same]).first()
        assert [text for text, is_same in zip(some, found, strict=True) if not is_same] == []


def test_what_makes_texts_is_known_to(computable: dict[str, str]) -> None:
    """So that no text of constants, which may spell a day, goes by unseen (`syntax._refuse_spelled`)."""
    makers = {text.partition("(")[0] for text, kind in computable.items() if kind == "string" and re.match(r"[a-z_]+\(", text)}
    assert makers & set(SCALARS) <= TEXTUAL


def test_a_column_that_spells_a_day_is_not_taken_for_it(utc: Any) -> None:
    rows = frame(utc, [("now", "ow", *[None] * 13)])
    texts = ["cast(s as timestamp)", "cast(concat('n', coalesce('ow', z)) as date)", "cast('n' || z as timestamp)", "to_date(s)"]
    texts += ["timestamp(lower(upper(s)))", "to_timestamp('n' || z)", "date_add('n' || z, 0)", "'n' || z > as_of"]
    assert rows.select(*[F.expr(row_sql(text, AS_OF)) for text in texts]).first() == (None,) * len(texts)
