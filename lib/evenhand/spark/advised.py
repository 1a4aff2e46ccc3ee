"""What a session should have and a run cannot give it: settings that are fixed when Spark starts, and change nothing that is written."""

from __future__ import annotations

from pyspark.sql import SparkSession

from evenhand.spark.errors import SPARK_ERRORS

CODE = "spark.sql.codegen.cache.maxEntries"
ENCRYPTED = "spark.io.encryption.enabled"
CLASSES = 1000  # whose compiled code is kept: what a run has use for
SPARKS_OWN = "100"  # what Spark keeps unless told otherwise


def lacking(spark: SparkSession) -> list[str]:
    """A line for each setting that the session should have and lacks: how it is set, and what comes of it.

    None of a setting that a platform keeps to itself.
    """
    found = []
    if int(_value(spark, CODE, SPARKS_OWN) or CLASSES) < CLASSES:
        found.append(f"{CODE} is below {CLASSES}: Spark compiles the same small queries again and again, which takes longer")
    if _value(spark, ENCRYPTED, "false") == "false":
        found.append(
            f"{ENCRYPTED} is not true: what Spark shuffles and spills, rows of people too, lies in clear files meanwhile"
        )
    return [f"this Spark session could be set up better, by whoever starts it: {line}" for line in found]


def _value(spark: SparkSession, key: str, unset: str) -> str | None:
    try:
        return spark.conf.get(key, unset)
    except SPARK_ERRORS:
        return None
