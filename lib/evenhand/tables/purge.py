"""Files that only older versions of a table need are removed, of whatever age."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from pyspark.sql import SparkSession

from evenhand.spark.errors import retried

REMOVING = {
    "spark.databricks.delta.retentionDurationCheck.enabled": "false",  # of any age
    # VACUUM lists a table's folders in this many tasks, however few there are; 10,000 of them unless set, for minutes.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "32",
}


HIDES_ROWS = "deletionVectors"  # the feature of a table in whose files deleted rows may still be


def remove_old_files(spark: SparkSession, address: str) -> None:
    """Write files anew that a deletion vector hides rows of, then remove every file that the newest version does not need.

    Only while nobody else writes to the table: what another is about to commit would be removed, too.
    """
    detail = spark.sql(f"DESCRIBE DETAIL {address}").select("tableFeatures").first()
    if detail is not None and HIDES_ROWS in (detail.tableFeatures or []):
        retried(partial(spark.sql, f"REORG TABLE {address} APPLY (PURGE)"))
    with removing(spark):
        spark.sql(f"VACUUM {address} RETAIN 0 HOURS")


@contextmanager
def removing(spark: SparkSession) -> Iterator[None]:
    """Let VACUUM take files of any age, in few tasks."""
    with given(spark, REMOVING):
        yield


@contextmanager
def given(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of the session, put back afterwards."""
    before = {key: spark.conf.get(key, None) for key in settings}
    for key, value in settings.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, old in before.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)
