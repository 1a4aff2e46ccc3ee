"""The tables of the speed benchmark: customers with 12 features in 8 overlapping kinds, consent events, one group column."""

from __future__ import annotations

import sys

from pyspark.sql import functions as F

from evenhand.spark.session import start

FEATURES, KINDS = 12, 8
UPPER = 100.0  # every feature's bounds are 0 and 100


def main(folder: str, rows: int) -> None:
    spark = start("bench data")
    ids = spark.range(0, rows, 1, 8)
    kind = F.pmod(F.xxhash64("id"), F.lit(36)).cast("int")
    # 8 kinds of sizes 1 to 8 of 36: triangular numbers tell which.
    number = sum((kind >= F.lit(k * (k + 1) // 2)).cast("int") for k in range(1, KINDS))

    def center(feature: int) -> F.Column:
        spread = F.pmod(F.xxhash64(F.col("kind"), F.lit(feature)), F.lit(1000)) / 1000.0
        return F.lit(20.0) + spread * 60.0

    columns = [(center(j) + F.randn(seed=j + 1) * 14.0).alias(f"f{j:02d}") for j in range(FEATURES)]
    customers = ids.withColumn("kind", number).select(
        F.col("id").alias("customer_id"),
        *columns,
        F.concat(F.lit("region "), F.pmod(F.xxhash64("id", F.lit(3)), F.lit(4)).cast("string")).alias("region"),
    )
    _write(customers, f"{folder}/customers")
    events = spark.range(0, int(rows * 1.15), 1, 8).withColumn("customer_id", F.pmod(F.col("id") * 2654435761, F.lit(rows)))
    share = F.rand(seed=99)
    consent = events.select(
        "customer_id",
        F.lit("offers").alias("purpose"),
        F.when(share < 0.9, "granted").otherwise("withdrawn").alias("state"),
        F.lit("2025-01").alias("notice_version"),
        F.timestamp_seconds(F.lit(1_735_689_600) + (F.rand(seed=98) * 50_000_000).cast("bigint")).alias("recorded_at"),
        F.lit(None).cast("timestamp").alias("expires_at"),
        F.lit("web").alias("source"),
    )
    _write(consent, f"{folder}/consent")


def _write(rows: F.DataFrame, path: str) -> None:
    rows.write.format("delta").mode("overwrite").save(path)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
