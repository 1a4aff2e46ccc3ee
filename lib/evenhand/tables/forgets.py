"""Whether a catalog knows its tables for as long as Spark runs only: Spark's own, unless a metastore is named."""

from __future__ import annotations

from pyspark.sql import SparkSession

from evenhand.spark.errors import SPARK_ERRORS

SESSION = "spark_catalog"
KEEPS_NOTHING = ("", "org.apache.spark.sql.delta.catalog.DeltaCatalog")  # by itself: it asks the catalog behind it


def forgets(spark: SparkSession, schema: str) -> bool:
    """Whether a schema is in the session's catalog, and that lives in memory. False where the session does not tell."""
    try:
        catalog = schema.rpartition(".")[0].strip("`") or spark.catalog.currentCatalog()
        return (
            catalog.lower() == SESSION
            and spark.conf.get("spark.sql.catalogImplementation") == "in-memory"  # without a default of ours: it is Spark's own
            and spark.conf.get(f"spark.sql.catalog.{SESSION}", "") in KEEPS_NOTHING
        )
    except SPARK_ERRORS:
        return False
