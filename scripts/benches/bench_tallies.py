"""scripts/bench tallies [--rows N] [--json FILE]: what the one pass for profiles and fairness costs, in scans of its columns.

10 attributes of 20 groups, 20 segments, 12 features; against a sum over every one of these columns. Both read the same
files, in turn, warm; the median of five. The goal is for 8 million rows: 1.5 scans.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from pyspark.sql import functions as F

from evenhand.ask.assessment import segment_tallies
from evenhand.assignment.nearest import rounded_centers
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan
from evenhand.spark.session import settings, start
from evenhand.spark.short_code import never_null
from measure import Measure, show

ATTRIBUTES, GROUPS, SEGMENTS, FEATURES = 10, 20, 20, 12
FULL, SMALL, TIMES, GOAL = 8_000_000, 500_000, 5, 1.5
FOLDER = Path("bench/tallies")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=SMALL)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    spark, plan = start("bench tallies"), _plan(options.rows)
    shutil.rmtree(FOLDER, ignore_errors=True)
    values = [F.floor(F.rand(j) * STEPS).cast("int").alias(n) for j, n in enumerate(plan.feature_names)]
    groups = [F.floor(F.rand(100 + i) * (GROUPS - 2)).cast("int").alias(n) for i, n in enumerate(plan.attribute_names)]
    spark.range(options.rows).select(*values, *groups).write.format("delta").save(str(FOLDER))
    with settings(spark, "UTC"):
        stored = spark.read.format("delta").load(str(FOLDER))
        people = never_null(stored, stored.columns)  # as a run knows them
        centers = rounded_centers(np.random.default_rng(1).uniform(0, STEPS, (SEGMENTS, FEATURES)))
        scans, passes = [], []
        for _ in range(TIMES):
            # Made anew each time: Spark keeps the shuffled rows of a query that it has run.
            scan = people.agg(*[F.sum(F.col(c).cast("bigint")) for c in people.columns])
            question = segment_tallies(centers, None, plan)
            scans.append(_seconds(scan.collect))
            passes.append(_seconds(question.in_spark(people).toArrow))
    shutil.rmtree(FOLDER)
    ratio = median(passes) / median(scans)
    size = f"at {options.rows:,} rows"
    measures = [Measure("scan", median(scans), "s", size), Measure("pass", median(passes), "s", f"{GOAL:g} scans, {size}")]
    met = ratio <= GOAL if options.rows == FULL else None
    show(measures, {"pass over scan": ratio}, met, f"Goal at {FULL:,} rows: {GOAL:g}", options.json)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _plan(rows: int) -> Plan:
    groups = {f"g{j}": [j] for j in range(GROUPS - 2)}
    plan = {
        "name": "tallies",
        "purpose": "bench",
        "description": "the pass for profiles and fairness",
        "legal_basis": "consent",
        "sources": {"customers": {"path": "none", "id": "id"}, "consent": {"path": "none"}},
        "features": [
            {"name": f"f{j}", "why": "bench", "column": f"f{j}", "bounds": [0, 1], "missing": 0} for j in range(FEATURES)
        ],
        "protected": [{"name": f"a{i}", "why": "bench", "column": f"a{i}", "groups": groups} for i in range(ATTRIBUTES)],
        "segments": {"k": SEGMENTS},
        "privacy": {"epsilon": 1, "population": "bench", "population_total": 1, "expected_customers": rows},
        "pseudonyms": {"key_id": "none", "key_env": "NONE"},
        "output": {"restricted": {"path": "none/restricted"}, "open": {"path": "none/open"}},
    }
    return Plan.model_validate(plan)


if __name__ == "__main__":
    main()
