"""What Spark generates for the passes over people is short enough for the JVM to compile, whatever the plan asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.ask.assessment import segment_tallies
from evenhand.ask.bounds import magnitude_histograms
from evenhand.ask.boxes import box_sums
from evenhand.ask.groups import group_counts
from evenhand.ask.histograms import histograms
from evenhand.ask.margins import balance_check, margins
from evenhand.assignment.fair_map import FairMap, Moves, with_segment
from evenhand.assignment.joint_groups import JointGroups
from evenhand.assignment.nearest import CENTER_BITS, Centers, assign, nearest, rounded_centers
from evenhand.learn.refine import Step, step_sums
from evenhand.plan.geometry import STEPS, Boxes
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.prepare.customers import prepared_customers
from evenhand.prepare.magnitudes import magnitudes
from evenhand.prepare.pseudonym import Pads
from evenhand.prepare.sources import Sources
from evenhand.spark.session import settings
from evenhand.spark.short_code import never_null
from sample import KEY, NOW, plan_yaml

pytestmark = pytest.mark.long  # plans with sixty features

MOST_BYTES = 8000  # of a method, for the JVM to compile it


@pytest.fixture(scope="module")
def planned(spark: Any) -> Iterator[Any]:
    """The session as a run has it, but with plans that are final before they run."""
    with settings(spark, "UTC"):
        spark.conf.set("spark.sql.adaptive.enabled", "false")
        yield spark
        spark.conf.unset("spark.sql.adaptive.enabled")


@pytest.mark.parametrize(("features", "k"), [(12, 20), (60, 20), (12, 100)])
def test_every_pass_over_prepared_customers_is_compiled(planned: Any, tmp_path: Path, features: int, k: int) -> None:
    plan = plan_of([feature(f"f{j}", column=f"f{j}") for j in range(features)], k)
    columns, number = [*plan.feature_names, *plan.attribute_names], F.col("id").cast("int")
    pseudonym = F.sha2(F.col("id").cast("string"), 256).cast("binary").alias("pseudonym")
    stored = in_delta(
        planned.range(9).select(pseudonym, F.lit("k").alias("key_id"), *[number.alias(c) for c in columns]), tmp_path
    )
    rows = never_null(stored, columns)  # as a run reads them
    centers = rounded_centers(np.random.default_rng(k).uniform(0, STEPS, (k, features)))
    low = np.maximum(centers // 2**CENTER_BITS - 5_000, 0)
    step, fair_map = Step(1, centers, low, low + 10_000), map_of(centers, plan)
    found = nearest(rows, centers, plan.feature_names, 1.0)
    asked = {
        "histograms": histograms(plan),
        "summary": box_sums(plan),
        "joint groups": group_counts(Boxes.of(plan), plan),
        "step": step_sums(step, plan),
        "tallies": segment_tallies(centers, None, plan),
        "margins": margins(fair_map, plan),
        "balance": balance_check(fair_map, 1, plan),
        "tallies of balanced segments": segment_tallies(centers, fair_map, plan),
    }
    longest = {name: longest_method(planned, question.in_spark(rows)) for name, question in asked.items()}
    longest["segments"] = longest_method(planned, assign(found))
    longest["balanced segments"] = longest_method(planned, assign(with_segment(rows, centers, fair_map, plan)))
    assert {name: size for name, size in longest.items() if size >= MOST_BYTES} == {}


LONG = "if(f{0} > 0.5, months_between(as_of, date_sub(as_of, cast(f{0} * 1000 as int))), sqrt(f{0}) / (f{0} - 0.5))"


@pytest.mark.parametrize(
    ("columns", "computed", "events"), [(12, 0, 0), (24, 0, 0), (60, 0, 0), (10, 0, 50), (20, 20, 0), (20, 60, 0)]
)
def test_the_passes_over_the_sources_are_compiled(planned: Any, tmp_path: Path, columns: int, computed: int, events: int) -> None:
    listed = [feature(f"f{j}", column=f"f{j}") for j in range(columns if not computed else 0)]
    listed += [feature(f"c{j}", expression=LONG.format(j % columns)) for j in range(computed)]
    listed += [feature(f"e{j}", events="purchases", expression=f"sum(amount) + {j}") for j in range(events)]
    plan, unbounded = plan_of(listed, 8), plan_of([f | {"bounds": None} for f in listed], 8)
    ids, past = F.col("id").cast("string").alias("customer_id"), F.lit(NOW).alias("recorded_at")
    values = [F.rand(j).alias(f"f{j}") for j in range(columns)]
    people = planned.range(9).select(ids, *values, F.lit("f").alias("sex"), F.col("id").alias("age"))
    state, never = F.lit("granted").alias("state"), F.lit(None).cast("timestamp").alias("expires_at")
    consent = planned.range(9).select(ids, F.lit(plan.purpose).alias("purpose"), state, past, never)
    purchases = planned.range(9).select(ids, past.alias("purchased_at"), F.rand(0).alias("amount"))
    customers, decisions, bought = (
        in_delta(rows, tmp_path / name) for name, rows in (("people", people), ("consent", consent), ("purchases", purchases))
    )
    sources, later = Sources(customers, decisions, {"purchases": bought} if events else {}, {}), NOW + timedelta(days=1)
    passes = {
        "prepared": prepared_customers(sources, plan, later, Pads.of(KEY).table(planned)),
        "magnitudes": magnitude_histograms(unbounded).in_spark(magnitudes(sources, unbounded, later)),
    }
    assert len(unbounded.to_find) == (computed or columns) + events
    longest = {name: longest_method(planned, rows) for name, rows in passes.items()}
    assert {name: size for name, size in longest.items() if size >= MOST_BYTES} == {}


def in_delta(rows: DataFrame, path: Path) -> DataFrame:
    """Columns that may be null, in batches: reading them is part of the code."""
    rows.write.format("delta").save(str(path))
    return rows.sparkSession.read.format("delta").load(str(path))


def longest_method(spark: Any, rows: DataFrame) -> float:
    """In bytes of the JVM's code; endless where Java takes the code of a stage for too long to be a program at all."""
    debug = getattr(spark._jvm.org.apache.spark.sql.execution.debug, "package$")
    code = getattr(debug, "MODULE$").codegenString(rows._jdf.queryExecution().executedPlan())
    sizes = [int(size) for size in re.findall(r"maxMethodCodeSize:(-?\d+)", code)]
    return max(sizes) if min(sizes) >= 0 else math.inf


def feature(name: str, **source: str) -> dict[str, Any]:
    return {"name": name, "why": "a test", "bounds": [0, 1], "missing": 0, "scale": "log"} | source


def plan_of(features: list[dict[str, Any]], k: int) -> Plan:
    """Balanced, without the events of the base plan where no feature is of them."""
    changes = {
        "features": features,
        "segments": {"k": k},
        "fairness.mitigation": {"method": "balanced", "justification": "The offers must reach everybody alike."},
        "privacy.expected_customers": 8_000_000,
    }
    return parse_plan(plan_yaml(changes if any("events" in f for f in features) else changes | {"sources.events": {}}))


def map_of(centers: Centers, plan: Plan) -> FairMap:
    """With everything that a map can hold: moves of both kinds, and one segment that draws."""
    random, groups, k = np.random.default_rng(1), JointGroups.of(plan).count, len(centers)
    edges, reach = np.linspace(0.01, 0.2, 8), np.zeros((groups, k))
    reach[:, -1] = 0.1
    drawing = FairMap.of(centers, random.uniform(-0.1, 0.1, (groups, k)), edges, reach)
    near, far = random.uniform(0, 1, (groups, k, k, len(edges))), random.uniform(0, 1 / k, (groups, k, k))
    return drawing.moving(Moves(near, far))
