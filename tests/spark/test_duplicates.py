"""Nobody stands twice: which row of a customer counts depends on the rows of that customer alone, and stops no run."""

from __future__ import annotations

import math
from typing import Any

from pyspark.sql import functions as F

from evenhand.prepare.consent import ID
from evenhand.prepare.duplicates import ROW, keep_latest, repeated, unanimous, with_row


def test_rows_that_say_the_same_are_one_and_an_id_whose_rows_differ_is_left_out(spark: Any) -> None:
    rows = [("a", 1, "x"), ("b", 2, "x"), ("b", 2, "x"), ("c", 3, "x"), ("c", 3, "y"), ("d", None, None), ("d", None, None)]
    frame = with_row(spark.createDataFrame(rows, f"{ID} STRING, value INT, unused STRING"))
    for order in (frame, frame.orderBy(F.desc(ROW)).repartition(3)):
        assert sorted(map(tuple, unanimous(order, ["value"]).collect())) == [("a", 1), ("b", 2), ("d", None)]
    assert sorted(map(tuple, repeated(frame.drop(ROW)).collect())) == [("b", 2, False), ("c", 2, True), ("d", 2, False)]


def test_ids_are_what_they_are(spark: Any) -> None:
    frame = spark.createDataFrame([(v, 1) for v in ["a", "A", " a", "a ", "á", "a\u0301"]], f"{ID} STRING, value INT")
    assert unanimous(with_row(frame), ["value"]).count() == 6
    assert repeated(frame).isEmpty()


def kept(spark: Any, rows: list[tuple[Any, ...]], kind: str = "INT") -> list[tuple[Any, ...]]:
    frame = spark.createDataFrame(rows, f"{ID} STRING, value DOUBLE, updated {kind}")
    found = keep_latest(frame, "updated").select(ID, "value", "updated")
    again = keep_latest(frame.orderBy(F.desc("value")).repartition(3), "updated").select(ID, "value", "updated")
    assert sorted(map(tuple, again.collect())) == sorted(map(tuple, found.collect()))
    return sorted(map(tuple, found.collect()))


def test_the_latest_row_is_kept(spark: Any) -> None:
    assert kept(spark, [("a", 9.0, 1), ("a", 1.0, 3), ("a", 5.0, 2), ("b", 4.0, 1)]) == [("a", 1.0, 3), ("b", 4.0, 1)]


def test_a_tie_is_broken_by_the_row_and_not_by_chance(spark: Any) -> None:
    assert kept(spark, [("a", 1.0, 3), ("a", 2.0, 3)]) == [("a", 2.0, 3)]


def test_a_tie_is_broken_by_bytes_whatever_the_collation(spark: Any) -> None:
    """To a collation f and F are the same text: the one that came first would stay, and other customers' rows decide which does."""
    rows = spark.createDataFrame([("a", "f", 3), ("a", "F", 3)], f"{ID} STRING, `se.x` STRING COLLATE UTF8_LCASE, updated INT")
    for order in (rows.orderBy("updated", F.col("`se.x`").cast("string")), rows.orderBy(F.desc(F.col("`se.x`").cast("string")))):
        assert [row[1] for row in keep_latest(order.coalesce(1), "updated").select(ID, "`se.x`").collect()] == ["f"]


def test_a_value_that_is_missing_is_told_from_one_in_the_next_column(spark: Any) -> None:
    rows = [("a", "x", None), ("a", None, "x"), ("b", None, None), ("b", None, None)]
    frame = spark.createDataFrame(rows, f"{ID} STRING, one STRING, other STRING")
    assert sorted(map(tuple, repeated(frame).collect())) == [("a", 2, True), ("b", 2, False)]


def test_a_row_without_the_deciding_value_loses(spark: Any) -> None:
    assert kept(spark, [("a", 9.0, None), ("a", 1.0, -5)]) == [("a", 1.0, -5)]
    assert kept(spark, [("a", 9.0, math.nan), ("a", 1.0, -5.0)], "DOUBLE") == [("a", 1.0, -5.0)]
