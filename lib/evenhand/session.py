"""The Spark session with Delta, for jobs; a notebook brings its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from evenhand.errors import EvenhandError

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}


class SessionError(EvenhandError):
    """There is no Spark session with Delta to work on."""


def start(app_name: str) -> SparkSession:
    """The session that `spark-submit` prepared.

    Raises:
        SessionError: Delta is not on the class path.
    """
    builder = SparkSession.builder.appName(app_name)
    for key, value in DELTA.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    require_delta(spark)
    return spark


def require_delta(spark: SparkSession) -> None:
    try:
        spark.sql("DESCRIBE HISTORY delta.`/there/is/no/such/table`")
    except PySparkException as wrong:
        if "DATA_SOURCE_NOT_FOUND" in str(wrong) or "PARSE_SYNTAX" in str(wrong) or "delta" not in str(wrong).lower():
            raise SessionError(
                "this Spark session has no Delta; run scripts/setup, or submit with "
                "--packages io.delta:delta-spark_4.2_2.13:4.4.0 and conf/spark-defaults.conf"
            ) from None


@contextmanager
def settings(spark: SparkSession, time_zone: str) -> Iterator[None]:
    """What Evenhand's SQL needs of the session, put back afterwards."""
    wanted = {
        "spark.sql.session.timeZone": time_zone,
        "spark.sql.variable.substitute": "false",  # ${…} in an expression would be read from the environment, or the settings
        "spark.sql.ansi.enabled": "true",  # a bad cast stops the run instead of becoming null
        # Methods above what the JVM compiles (8,000 bytes) run interpreted, 60 times slower at k = 30; Spark splits them.
        "spark.sql.codegen.hugeMethodLimit": "8000",
        # Join without sorting where a partition of the smaller side fits in memory, which Spark finds out as it runs.
        "spark.sql.adaptive.maxShuffledHashJoinLocalMapThreshold": str(64 * 2**20),
    }
    before = {key: spark.conf.get(key, None) for key in wanted}
    try:
        for key, value in wanted.items():
            spark.conf.set(key, value)
        yield
    finally:
        for key, old in before.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)
