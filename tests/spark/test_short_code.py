"""What Spark generates for the passes over people is short enough for the JVM to compile, whatever the plan asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.fairness.assignment import FairMap, Moves, with_margin, with_segment
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.prepare.customers import prepared_customers
from evenhand.prepare.magnitudes import magnitudes
from evenhand.prepare.pseudonym import Pads
from evenhand.privacy.bounds import magnitude_histograms
from evenhand.privacy.groups import JointGroups
from evenhand.privacy.summary import box_sums
from evenhand.privacy.tallies import segment_tallies
from evenhand.segment.assign import Centers, nearest, rounded_centers
from evenhand.session import settings
from evenhand.tables.sources import Sources
from sample import KEY, NOW, plan_yaml

MOST_BYTES = 8000  # of a method, for the JVM to compile it


@pytest.fixture(scope="module")
def planned(spark: Any) -> Iterator[Any]:
    """The session as a run has it, but with plans that are final before they run."""
    with settings(spark, "UTC"):
        spark.conf.set("spark.sql.adaptive.enabled", "false")
        yield spark
        spark.conf.unset("spark.sql.adaptive.enabled")


@pytest.mark.parametrize(("features", "k"), [(12, 20), (60, 20), (12, 100)])
def test_every_pass_over_people_is_compiled(planned: Any, features: int, k: int) -> None:
    plan = plan_of(features, k)
    columns = [*plan.feature_names, *plan.attribute_names]
    rows = planned.range(9).select(
        F.sha2(F.col("id").cast("string"), 256).cast("binary").alias("pseudonym"),
        *[F.col("id").cast("int").alias(c) for c in columns],
    )
    centers = rounded_centers(np.random.default_rng(k).uniform(0, STEPS, (k, features)))
    fair_map = map_of(centers, plan)
    found = nearest(rows, centers, plan.feature_names)
    balanced = with_segment(rows, centers, fair_map, plan)
    passes = {
        "summary": box_sums(rows, plan).rows,
        "segments": found,
        "tallies": segment_tallies(found, k, plan).rows,
        "margins": with_margin(rows, fair_map, plan).select("_cell"),
        "balanced segments": balanced,
        "tallies of balanced segments": segment_tallies(balanced, k, plan).rows,
    }
    longest = {name: longest_method(planned, rows) for name, rows in passes.items()}
    assert {name: size for name, size in longest.items() if size >= MOST_BYTES} == {}


@pytest.mark.parametrize(("columns", "events"), [(12, 0), (24, 0), (60, 0), (10, 50)])
def test_the_pass_that_prepares_customers_is_compiled(planned: Any, columns: int, events: int) -> None:
    listed = [feature(f"f{j}", column=f"f{j}") for j in range(columns)]
    summed = [feature(f"e{j}", events="purchases", expression=f"sum(amount) + {j}") for j in range(events)]
    changes = {} if events else {"sources.events": {}}
    plan = parse_plan(plan_yaml({"features": listed + summed, **changes}))
    ids, past = F.col("id").cast("string").alias("customer_id"), F.lit(NOW).alias("recorded_at")
    values = [F.rand(j).alias(f"f{j}") for j in range(columns)]
    people = planned.range(9).select(ids, *values, F.lit("f").alias("sex"), F.col("id").alias("age"))
    state, never = F.lit("granted").alias("state"), F.lit(None).cast("timestamp").alias("expires_at")
    consent = planned.range(9).select(ids, F.lit(plan.purpose).alias("purpose"), state, past, never)
    purchases = planned.range(9).select(ids, past.alias("purchased_at"), F.rand(0).alias("amount"))
    sources = Sources(people, consent, {"purchases": purchases} if events else {}, {}, [])
    later = NOW + timedelta(days=1)
    rows = prepared_customers(sources, plan, later, Pads.of(KEY).table(planned))
    assert longest_method(planned, rows) < MOST_BYTES
    unbounded = parse_plan(plan_yaml({"features": [f | {"bounds": None} for f in listed + summed], **changes}))
    assert len(unbounded.to_find) == columns + events
    assert longest_method(planned, magnitude_histograms(magnitudes(sources, unbounded, later), unbounded).rows) < MOST_BYTES


def longest_method(spark: Any, rows: DataFrame) -> float:
    """In bytes of the JVM's code; endless where Java takes the code of a stage for too long to be a program at all."""
    debug = getattr(spark._jvm.org.apache.spark.sql.execution.debug, "package$")
    code = getattr(debug, "MODULE$").codegenString(rows._jdf.queryExecution().executedPlan())
    sizes = [int(size) for size in re.findall(r"maxMethodCodeSize:(-?\d+)", code)]
    return max(sizes) if min(sizes) >= 0 else math.inf


def feature(name: str, **source: str) -> dict[str, Any]:
    return {"name": name, "why": "a test", "bounds": [0, 1], "missing": 0, "scale": "log"} | source


def plan_of(features: int, k: int) -> Plan:
    listed = [
        {"name": f"f{j}", "why": "a test", "column": f"f{j}", "bounds": [0, 1], "missing": 0, "unit": "€"}
        for j in range(features)
    ]
    mitigation = {"method": "balanced", "justification": "The offers must reach everybody alike."}
    changes = {
        "features": listed,
        "segments": {"k": k},
        "fairness.mitigation": mitigation,
        "privacy.expected_customers": 8_000_000,
    }
    return parse_plan(plan_yaml(changes | {"sources.events": {}}))


def map_of(centers: Centers, plan: Plan) -> FairMap:
    """With everything that a map can hold: moves of both kinds, and one segment that draws."""
    random, groups, k = np.random.default_rng(1), JointGroups.of(plan).count, len(centers)
    edges, reach = np.linspace(0.01, 0.2, 8), np.zeros((groups, k))
    reach[:, -1] = 0.1
    drawing = FairMap.of(centers, random.uniform(-0.1, 0.1, (groups, k)), edges, reach)
    near, far = random.uniform(0, 1, (groups, k, k, len(edges))), random.uniform(0, 1 / k, (groups, k, k))
    return drawing.moving(Moves(near, far))
