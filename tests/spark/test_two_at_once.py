"""Two runs at once into the same zones: Delta refuses the later of two commits, and a run that is refused tries again."""

from __future__ import annotations

from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from pyspark.errors import PySparkException

from at_once import SMALL, publish_at_once
from conftest import write_key
from evenhand.plan.load import parse_plan
from evenhand.spark import errors as spark_errors
from evenhand.spark.errors import retried
from evenhand.tables.catalog import BUDGET
from evenhand.tables.store import Store
from sample import KEY, in_folder, people, plan_yaml, write_sources

pytestmark = pytest.mark.long  # several processes


@pytest.fixture
def folder(spark: Any, tmp_path: Path) -> Path:
    write_key(tmp_path / "key", KEY)
    write_sources(spark, tmp_path, people(300)[0])
    return tmp_path


def test_both_are_published_in_zones_that_neither_has_written_to_and_that_lack_their_features(spark: Any, folder: Path) -> None:
    """Both create every table, one of them started twice; then both add columns of their own to the same tables."""
    here = in_folder(folder) | SMALL
    publish_at_once(spark, [("first", here), ("second", here), ("first", here)])
    publish_at_once(
        spark, [("third", here | {"features.0.name": "loyalty"}), ("fourth", here | {"features.0.name": "years_here"})]
    )


def test_a_table_whose_first_commit_is_under_way_is_not_taken_for_something_else(spark: Any, tmp_path: Path) -> None:
    """Delta writes the rows first, and the log that makes a table of them last."""
    plan = parse_plan(plan_yaml(in_folder(tmp_path)))
    spark.createDataFrame([], BUDGET.columns).write.format("delta").save(f"{tmp_path}/open/budget")
    log, later = tmp_path / "open" / "budget" / "_delta_log", tmp_path / "later"
    (tmp_path / "open" / "budget" / "part-0.parquet").write_bytes(b"rows")
    log.rename(later)
    commit = Timer(0.7, lambda: later.rename(log))
    commit.start()
    Store(spark, plan.output).refuse_foreign_content()
    commit.join()


@pytest.mark.parametrize(
    ("message", "tries"),
    [
        ("io.delta.exceptions.ProtocolChangedException: [DELTA_PROTOCOL_CHANGED] ...", 3),
        ("[DELTA_METADATA_CHANGED] ...", 3),
        ("[DELTA_CONCURRENT_APPEND.WITH_PARTITION_HINT] ...", 3),
        ("[TABLE_OR_VIEW_ALREADY_EXISTS] ...", 3),
        ("[DIVIDE_BY_ZERO] ... at java.util.concurrent.ThreadPoolExecutor.runWorker", 1),
    ],
)
def test_a_commit_is_tried_again_after_a_race_only(monkeypatch: pytest.MonkeyPatch, message: str, tries: int) -> None:
    monkeypatch.setattr(spark_errors, "TRIES", 3)
    tried: list[int] = []

    def refused() -> None:
        tried.append(1)
        raise PySparkException(message)

    with pytest.raises(PySparkException):
        retried(refused)
    assert len(tried) == tries
