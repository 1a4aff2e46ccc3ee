"""Neighboring inputs: a small population, and the customers whose presence is hardest to hide.

Everything before noise is the production code on Spark: clipping, one row a customer, boxes, sums. Only the consent join
is left out, which decides who is there and not what is computed of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.fairness.assignment import FairMap, Moves, with_segment
from evenhand.fairness.margins import balance_check, edges_of, margins
from evenhand.plan.geometry import STEPS, to_fixed
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID
from evenhand.prepare.customers import customers
from evenhand.prepare.magnitudes import customer_magnitudes
from evenhand.privacy.bounds import magnitude_histograms
from evenhand.privacy.groups import JointGroups, group_counts
from evenhand.privacy.marginals import BINS, Marginals, histograms
from evenhand.privacy.question import Integers, Part, Question
from evenhand.privacy.summary import Summary, box_sums, boxes_of
from evenhand.privacy.tallies import segment_tallies
from evenhand.segment.assign import rounded_centers
from evenhand.segment.check import segment_sizes
from evenhand.segment.refine import Step, step_sums
from evenhand.tables.sources import Sources

Row = tuple[Any, ...]
COLUMNS = "customer_id STRING, a DOUBLE, b DOUBLE, c DOUBLE, sex STRING, age INT, changed INT"
HIGH = 16.0

# Two kinds of people, in two of the boxes; all other boxes are empty.
POPULATION: list[Row] = [(f"low-{i}", 3.0 + i % 3, 2.0, 5.0, "fm"[i % 2], 30, 0) for i in range(24)]
POPULATION += [(f"high-{i}", 12.0, 11.0 + i % 3, 13.0, "fm"[i % 2], 50, 0) for i in range(16)]

CASES: dict[str, list[Row]] = {
    "alone in an empty box": [("x", 4.1, 12.2, 4.3, "f", 30, 0)],
    "at a corner": [("x", 0.0, 0.0, 0.0, "f", 30, 0)],
    "at the bound, in an empty box": [("x", HIGH, 0.0, HIGH, None, None, 0)],
    "far outside the bounds": [("x", 1e12, -1e12, 1e12, "f", 30, 0)],
    "would be a second row": [("x", 0.0, 0.0, 0.0, "f", 30, 0), ("x", 0.0, 0.0, 0.0, "f", 30, 1)],
}


# Expected customers × ε: by the public rule (plan/method.py) the first learns in one question, the others in three and more.
BALANCED = "a step, balanced"
METHODS = {"one pass": 250, "histograms, boxes, a step": 1000, BALANCED: 1700}
MITIGATION = {"method": "balanced", "justification": "audit"}


def audit_plan(epsilon: float, method: str = "one pass", without_bounds: bool = False, gaussian: bool = False) -> Plan:
    """Three features, few boxes whatever ε is."""
    mode: dict[str, float] = {"expected_customers": max(1, round(METHODS[method] / epsilon))}
    if gaussian:
        mode = {"expected_customers": 200, "delta": 4e-4, "population_delta": 1e-2}
    bounds = None if without_bounds else [0, HIGH]
    features = [{"name": n, "why": "audit", "column": n, "bounds": bounds, "missing": 0} for n in "abc"]
    return Plan.model_validate(
        {
            "name": "audit",
            "purpose": "audit",
            "description": "Worst cases for the audit.",
            "legal_basis": "consent",
            "sources": {
                "customers": {"path": "none", "id": "customer_id", "duplicates": {"keep_latest_by": "changed"}},
                "consent": {"path": "none"},
            },
            "features": features,
            "protected": [
                {"name": "gender", "why": "audit", "column": "sex", "groups": {"female": ["f"], "male": ["m"]}},
                {"name": "age_band", "why": "audit", "column": "age", "bands": [40]},
            ],
            "segments": {"k": 2, "mllib_seeds": 1, "restarts": 2},
            "privacy": {
                "epsilon": epsilon,
                "population": "audit",
                "population_total": 1000.0,
                **mode,
            },
            "pseudonyms": {"key_id": "none", "key_env": "NONE"},
            "fairness": {"mitigation": MITIGATION if method == BALANCED else None},
            "output": {"restricted": {"path": "none/restricted"}, "open": {"path": "none/open"}},
        }
    )


def prepared(spark: SparkSession, plan: Plan, rows: list[Row]) -> DataFrame:
    """What `prepare` makes of the rows, but for consent and pseudonyms."""
    table = spark.createDataFrame(rows, COLUMNS).coalesce(1)
    return customers(Sources(table, table, {}, {}, []), plan)


def bounds_question(spark: SparkSession, plan: Plan, rows: list[Row]) -> Question:
    """What a plan without bounds asks before everything else."""
    table = spark.createDataFrame(rows, COLUMNS).coalesce(1)
    return magnitude_histograms(customer_magnitudes(Sources(table, table, {}, {}, []), plan), plan)


def with_every_row(spark: SparkSession, plan: Plan, rows: list[Row]) -> DataFrame:
    """A planted fault: the rows of one customer are all kept."""
    sources = plan.sources.model_copy(update={"customers": plan.sources.customers.model_copy(update={"duplicates": "refuse"})})
    return prepared(spark, plan.model_copy(update={"sources": sources}), rows)


def without_clipping(spark: SparkSession, plan: Plan, rows: list[Row]) -> DataFrame:
    """A planted fault: a value a hundred times outside the bounds stays there."""
    far = 100 * STEPS
    raw = [F.greatest(F.least(F.col(n) * (STEPS / HIGH), F.lit(far)), F.lit(-far)).cast("int").alias(n) for n in "abc"]
    values = spark.createDataFrame(rows, COLUMNS).select(F.col("customer_id").alias(ID), *raw)
    return prepared(spark, plan, rows).drop(*plan.feature_names).join(values, ID)


def questions(found: DataFrame, plan: Plan) -> list[Question]:
    """Everything that a run asks of `prepared`; a new question belongs here. What it asks before is `bounds_question`.

    A question that depends on earlier answers is asked with fixed ones: what is released one after the other composes
    when each question is private whatever was answered before.
    """
    spots = to_fixed(np.array([[4.0, 2.0, 5.0], [12.0, 12.0, 13.0]]), plan.features)
    centers, method = rounded_centers(spots.astype(float)), Method.of(plan)
    asked, marginals = [], None
    if method.marginals:
        shares = np.full((len(plan.features), BINS), 1e-3)
        shares[np.arange(len(plan.features)), spots * BINS // STEPS] = 0.5
        asked, marginals = [histograms(found, plan)], Marginals(shares / shares.sum(axis=1, keepdims=True))
    asked.append(box_sums(found, plan, marginals))
    if method.checks:
        asked.append(segment_sizes(found, centers, 1, plan))
    if method.refinements:
        points = np.concatenate([spots - 2000, spots + 2000]).astype(float)
        seen = Summary(np.arange(len(points)), np.ones(len(points)), points, private=True)
        asked.append(step_sums(found, Step.around(1, centers, seen, plan.privacy.unit), plan))
    fair_map = None
    if plan.fairness.mitigation is not None:
        found, joint = found.withColumn("pseudonym", F.lit(b"the same for everybody")), JointGroups.of(plan).count
        prices = np.linspace(-0.1, 0.1, 2 * joint).reshape(joint, 2)
        fair_map = FairMap.of(centers, prices, edges_of(0.05, joint, 2), np.full(prices.shape, 0.2))
        asked += [group_counts(found, boxes_of(plan, marginals), plan), margins(found, fair_map, plan)]
        fair_map = fair_map.moving(Moves(np.full(fair_map.moved.shape, 0.5), np.full(fair_map.far.shape, 0.25)))
        asked.append(balance_check(found, fair_map, 1, plan))
    return [*asked, segment_tallies(with_segment(found, centers, fair_map, plan), 2, plan)]


@dataclass(frozen=True)
class Exact:
    """One question's exact answer on one input; it never leaves the audit."""

    question: str
    parts: tuple[Part, ...]
    vectors: Mapping[str, Integers]


def moved(part: Part, one: Integers, other: Integers) -> int:
    """How far apart two of a part's vectors are, in the norm of its sensitivity, rounded up; in Python's own integers."""
    rows = np.abs(other - one).reshape(-1, part.width)
    if part.unit == "epsilon":
        return int(rows.max(axis=1).sum())
    squares = sum(int(v) ** 2 for v in rows.ravel())
    return math.isqrt(squares - 1) + 1 if squares else 0


Prepare = Callable[[SparkSession, Plan, list[Row]], DataFrame]


def exact_answers(
    spark: SparkSession, plan: Plan, extra: list[Row], prepare: Prepare = prepared, only: Collection[str] = ()
) -> dict[str, Exact]:
    """The exact answer to each question, or to some only, on the population and the extra customer, if any."""
    found = prepare(spark, plan, POPULATION + extra).localCheckpoint()
    asked = [q for q in questions(found, plan) if not only or q.name in only]
    return {q.name: _exact(q) for q in asked}


def exact_bounds(spark: SparkSession, plan: Plan, extra: list[Row]) -> Exact:
    return _exact(bounds_question(spark, plan, POPULATION + extra))


def _exact(question: Question) -> Exact:
    return Exact(question.name, question.parts, question.vectors(question.rows.toArrow()))
