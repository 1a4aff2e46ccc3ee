"""scripts/bench rights [--rows N] [--json FILE]: what an erasure costs, its proof included.

Three published runs of 12 features. 10,000 people are erased, then one; against writing the same files anew once, plainly. All in
the same process and on copies of the same tables, warm. The goals are for 2 million customers: 10,000 people cost at most 1.5
times what one costs, and at most 3 times what plain rewriting costs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.erasure.erase import erase
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID
from evenhand.prepare.keys import pads_of
from evenhand.prepare.pseudonym import with_pseudonym
from evenhand.spark.session import settings, start
from evenhand.tables.arrow import timestamp
from evenhand.tables.catalog import PREPARED, RUNS, SEGMENTS
from evenhand.tables.store import Store
from measure import Measure, show

FULL, SMALL, RUN_COUNT, FEATURES, MANY = 2_000_000, 200_000, 3, 12, 10_000
MANY_TO_ONE, TO_PLAIN = 1.5, 3.0
FOLDER = Path("bench/rights")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=SMALL)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    spark = start("bench rights")
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.environ["EVENHAND_BENCH_KEY"] = "only a benchmark's key, of more than 32 bytes"
    plan = _plan(options.rows)
    with settings(spark, "UTC"):
        _make(spark, plan, options.rows)
    _requests(spark, 0, 100)  # warm: Spark compiles what it does for the first time
    erase(plan, spark, f"{FOLDER}/requests")
    seconds = {}
    for name, first, last in (("10,000 people", 1_000, 1_000 + MANY), ("one person", 100, 101)):
        _requests(spark, first, min(last, options.rows))
        seconds[name] = _seconds(lambda: erase(plan, spark, f"{FOLDER}/requests"))
    with settings(spark, "UTC"):
        seconds["plain rewriting"] = _seconds(lambda: _rewrite(spark, plan))
    shutil.rmtree(FOLDER)
    many, one, plain = seconds.values()
    ratios = {"10,000 to one": many / one, "10,000 to plain rewriting": many / plain}
    measures = [Measure(name, value, "s", f"{options.rows:,} customers, {RUN_COUNT} runs") for name, value in seconds.items()]
    met = many / one <= MANY_TO_ONE and many / plain <= TO_PLAIN if options.rows >= FULL else None
    show(measures, ratios, met, f"Goals at {FULL:,} customers: {MANY_TO_ONE:g} and {TO_PLAIN:g}", options.json)


def _make(spark: SparkSession, plan: Plan, rows: int) -> None:
    """Sources with nothing but ids, and the tables that three runs have left."""
    ids = spark.range(rows).select(F.format_string("customer-%09d", "id").alias("customer_id"))
    ids.write.format("delta").save(f"{FOLDER}/customers")
    consent = "purpose STRING, state STRING, recorded_at TIMESTAMP, expires_at TIMESTAMP"
    spark.createDataFrame([], f"customer_id STRING, {consent}").write.format("delta").save(f"{FOLDER}/consent")
    store, pads = Store(spark, plan.output), pads_of(plan).table(spark)
    for run in range(RUN_COUNT):
        values = [F.floor(F.rand(20 * run + j) * 65_536).cast("int").alias(name) for j, name in enumerate(plan.feature_names)]
        groups = [F.floor(F.rand(200 + run) * 3).cast("int").alias(name) for name in plan.attribute_names]
        masks = [F.lit(0).cast("bigint").alias(name) for name in ("imputed", "clipped")]
        people = with_pseudonym(
            ids.select(F.col("customer_id").alias(ID), *masks, *values, *groups), pads, plan.pseudonyms.key_id
        )
        store.write(PREPARED, people, f"run{run}")
        store.write(SEGMENTS, people.select("pseudonym", "key_id", F.lit(run).alias("segment")), f"run{run}")
        store.write(RUNS, _ended(run), f"run{run}")


def _ended(run: int) -> pa.Table:
    alone = {"centers_of": pa.array([None], pa.string()), "centers_as_of": pa.array([None], pa.timestamp("us", "UTC"))}
    row = {"run_id": [f"run{run}"], "status": ["published"], "as_of": timestamp(_day(run)), "at": timestamp(_day(run))}
    empty = {"reasons": pa.array([[]], pa.list_(pa.string())), "epsilon": [1.0], "delta": pa.array([None], pa.float64())}
    texts = {key: ["bench"] for key in ("version", "plan_name", "plan_fingerprint", "plan", "sources")}
    return pa.table(row | alone | empty | texts | {"not_private": [False]})


def _day(run: int) -> datetime:
    return datetime(2026, 1, 1 + run, tzinfo=UTC)


def _requests(spark: SparkSession, first: int, last: int) -> None:
    asked = spark.range(first, last).select(F.format_string("customer-%09d", "id").alias("customer_id"))
    asked.write.format("delta").mode("overwrite").save(f"{FOLDER}/requests")


def _rewrite(spark: SparkSession, plan: Plan) -> None:
    """Every row of both tables, written once to files elsewhere as Spark by itself does it."""
    for spec in (PREPARED, SEGMENTS):
        rows: DataFrame = Store(spark, plan.output).read(spec)
        rows.write.format("delta").partitionBy("run_id").mode("overwrite").save(f"{FOLDER}/plain/{spec.name}")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _plan(rows: int) -> Plan:
    plan = {
        "name": "rights",
        "purpose": "bench",
        "description": "what an erasure costs",
        "legal_basis": "consent",
        "sources": {
            "customers": {"path": f"{FOLDER}/customers", "id": "customer_id"},
            "consent": {"path": f"{FOLDER}/consent"},
        },
        "features": [
            {"name": f"f{j}", "why": "bench", "column": f"f{j}", "bounds": [0, 1], "missing": 0} for j in range(FEATURES)
        ],
        "protected": [{"name": "g", "why": "bench", "column": "g", "groups": {"a": [0], "b": [1]}}],
        "segments": {"k": 4},
        "privacy": {"epsilon": 1, "population": "bench", "population_total": 1, "expected_customers": rows},
        "pseudonyms": {"key_id": "bench", "key_env": "EVENHAND_BENCH_KEY"},
        "output": {
            "restricted": {"path": f"{FOLDER}/restricted"},
            "open": {"path": f"{FOLDER}/open"},
            "reports": f"{FOLDER}/reports",
        },
    }
    return Plan.model_validate(plan)


if __name__ == "__main__":
    main()
