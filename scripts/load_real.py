"""Public data sets as Delta tables: python scripts/load_real.py retail|bank [--data DIR] [--out DIR].

retail: UCI Online Retail, all 541,909 invoice lines as they are, missing ids and cancellations included.
bank: UCI Bank Marketing, 45,211 clients; the data has no id, so the row's position becomes one.

Neither has consent events. They are made here, by a hash of the id: nine of ten retail customers said yes to offers, one
of fifty bank clients objected.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.spark.session import start

SHARED = Path(__file__).parents[1].parent / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description="Load a public data set as Delta tables.")
    parser.add_argument("name", choices=["retail", "bank"])
    parser.add_argument("--data", type=Path, default=SHARED, help="the folder with online-retail/ and bank-marketing/")
    parser.add_argument("--out", type=Path, help="default: data/NAME")
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"load_real: {options.data} is missing; state the folder of the data sets with --data")
    out = options.out or Path("data") / options.name
    make_key(out / "key")
    load(start(f"load {options.name}"), options.name, options.data, out / "sources")


def load(spark: SparkSession, name: str, data: Path, out: Path) -> None:
    """Write the tables of one data set below `out`."""
    {"retail": _retail, "bank": _bank}[name](spark, data, out)


def make_key(path: Path) -> None:
    """A random key that only its owner can read, unless there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))


def _retail(spark: SparkSession, data: Path, out: Path) -> None:
    invoices = spark.read.parquet(str((data / "online-retail/online_retail.parquet").resolve()))
    _write(invoices, out / "invoices")
    ids = invoices.where("CustomerID IS NOT NULL").select(F.col("CustomerID").alias("customer_id")).distinct()
    said = F.when(F.pmod(F.xxhash64("customer_id"), F.lit(10)) < 9, "granted").otherwise("withdrawn")
    _write(_events(ids, said, "2010-11-01"), out / "consent")


def _bank(spark: SparkSession, data: Path, out: Path) -> None:
    rows = csv.read_csv(data / "bank-marketing/bank-full.csv", parse_options=csv.ParseOptions(delimiter=";"))
    rows = rows.add_column(0, "client_id", pa.array(np.arange(1, len(rows) + 1)))
    clients = spark.createDataFrame(rows)
    _write(clients, out / "clients")
    objected = clients.where(F.pmod(F.xxhash64("client_id"), F.lit(50)) == 0)
    _write(_events(objected.select(F.col("client_id").alias("customer_id")), F.lit("withdrawn"), "2010-11-01"), out / "consent")


def _events(ids: DataFrame, state: F.Column, day: str) -> DataFrame:
    return ids.select(
        "customer_id",
        F.lit("offers").alias("purpose"),
        state.alias("state"),
        F.lit("made").alias("notice_version"),
        F.lit(day).cast("timestamp").alias("recorded_at"),
        F.lit(None).cast("timestamp").alias("expires_at"),
        F.lit("made").alias("source"),
    )


def _write(rows: DataFrame, path: Path) -> None:
    rows.write.format("delta").mode("overwrite").save(str(path.absolute()))


if __name__ == "__main__":
    main()
