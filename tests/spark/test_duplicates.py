"""Nobody stands twice: duplicates are found exactly, and resolved only as the plan says."""

from __future__ import annotations

import math
from typing import Any

from pyspark.sql import functions as F

from evenhand.prepare.consent import ID
from evenhand.prepare.duplicates import duplicated_ids, keep_latest


def ids(spark: Any, values: list[Any], kind: str = "STRING") -> list[str]:
    found = duplicated_ids(spark.createDataFrame([(v,) for v in values], f"{ID} {kind}"))
    assert found.columns == ["customer_id"]
    return sorted(r[0] for r in found.collect())


def test_ids_that_stand_more_than_once_are_listed_once(spark: Any) -> None:
    assert ids(spark, ["a", "b", "a", "c", "b", "a"]) == ["a", "b"]


def test_nothing_is_listed_when_all_ids_differ(spark: Any) -> None:
    assert ids(spark, ["a", "A", " a", "a ", "á", "a\u0301", ""]) == []


def test_numbers_are_listed_as_text(spark: Any) -> None:
    assert ids(spark, [7, 8, 7], "BIGINT") == ["7"]


def test_ids_that_merely_share_a_hash_are_no_duplicates(spark: Any, monkeypatch: Any) -> None:
    """A hash of 64 bits has no collision that a test could find, so it is narrowed to one of two values."""
    monkeypatch.setattr(F, "xxhash64", lambda column: F.length(column) % 2)
    assert ids(spark, ["a", "b", "ccc", "dd", "dd"]) == ["dd"]


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


def test_a_row_without_the_deciding_value_loses(spark: Any) -> None:
    assert kept(spark, [("a", 9.0, None), ("a", 1.0, -5)]) == [("a", 1.0, -5)]
    assert kept(spark, [("a", 9.0, math.nan), ("a", 1.0, -5.0)], "DOUBLE") == [("a", 1.0, -5.0)]
