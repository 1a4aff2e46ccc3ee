"""Neighboring inputs: a small population's source rows, and the customers whose presence is hardest to hide.

From source rows to `prepared` it is the production code on Spark: consent, events, one row a customer, clipping, pseudonyms. The
rows of a source lie in another order whenever there is one more of them, as files do that grow.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from asked import Earlier, asked
from evenhand.ask.bounds import magnitude_histograms
from evenhand.ask.boxes import Summary
from evenhand.ask.histograms import BINS, Marginals
from evenhand.ask.margins import edges_of
from evenhand.assignment.fair_map import FairMap, Moves
from evenhand.assignment.joint_groups import JointGroups
from evenhand.assignment.nearest import rounded_centers
from evenhand.learn.refine import step_around
from evenhand.plan.geometry import STEPS, to_fixed
from evenhand.plan.method import Method
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.prepare.customers import prepared_customers
from evenhand.prepare.magnitudes import magnitudes
from evenhand.prepare.pseudonym import Pads
from evenhand.prepare.sources import Sources
from evenhand.privacy.question import Integers, Part
from evenhand.privacy.sample import Sample

Row = tuple[Any, ...]
CUSTOMERS = "customer_id STRING, a DOUBLE, sex STRING, age INT, changed INT"
CONSENT = "customer_id STRING, purpose STRING, state STRING, recorded_at TIMESTAMP, expires_at TIMESTAMP"
PURCHASES = "customer_id STRING, at TIMESTAMP, amount DOUBLE, height DOUBLE, kind STRING"
HIGH = 16.0
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE, LATER = NOW - timedelta(days=30), NOW + timedelta(days=1)
KEY = b"a key of thirty-two bytes or more, for audits"


@dataclass(frozen=True)
class Rows:
    """Of the three sources."""

    customers: tuple[Row, ...] = ()
    consent: tuple[Row, ...] = ()
    purchases: tuple[Row, ...] = ()

    def __add__(self, more: Rows) -> Rows:
        return Rows(self.customers + more.customers, self.consent + more.consent, self.purchases + more.purchases)


def person(id: str, a: float, amounts: Collection[float | None], c: float, sex: str | None = "f", age: int | None = 30) -> Rows:
    """Somebody who said yes, and bought for the sum of the amounts, one purchase of height `c` among them; a purchase to come, and a return."""
    bought = [(id, BEFORE, amount, c if i == 0 else c - 1, "sale") for i, amount in enumerate(amounts)]
    not_counted = [(id, LATER, 7.0, HIGH, "sale"), (id, BEFORE, 9.0, HIGH, "return")]
    return Rows(((id, a, sex, age, 0),), ((id, "audit", "granted", BEFORE, None),), (*bought, *not_counted))


def in_cents(total: float, number: int) -> list[float]:
    """Three amounts in cents that add up to it, as doubles to less in one order than in another."""
    draw = random.Random(number)
    while True:
        x, y = (round(draw.uniform(0.01, total / 2), 2) for _ in range(2))
        z = round(total - x - y, 2)
        if len({(x + y) + z >= total, (y + z) + x >= total, (x + z) + y >= total}) == 2:
            return [x, y, z]


@cache
def population() -> Rows:
    """Two kinds of people, in two of the boxes, some at their edge; all other boxes are empty. Some changed their mind, some may not be used."""
    rows = Rows(purchases=(("nobody", BEFORE, 1.0, 1.0, "sale"), (None, BEFORE, 1.0, 1.0, "sale")))
    for i in range(24):
        rows += person(f"low-{i}", 3.0 + i % 3, in_cents(2.0, i), 5.0, "fm"[i % 2], 30)
    for i in range(16):
        rows += person(f"high-{i}", 12.0, in_cents(8.0 if i % 2 else 12.0, i), 13.0, "fm"[i % 2], 50)
    changed = [(f"low-{i}", "audit", "withdrawn", BEFORE - timedelta(days=1), None) for i in range(5)]
    return rows + Rows(consent=tuple(changed)) + may_not_be_used("stranger", 8.0)


def may_not_be_used(id: str, where: float) -> Rows:
    """Four people who said no, or did not say yes to this, or no longer."""
    said = {
        "withdrew": [("audit", "granted", BEFORE, None), ("audit", "withdrawn", NOW - timedelta(days=1), None)],
        "at-once": [("audit", "granted", BEFORE, None), ("audit", "withdrawn", BEFORE, None)],
        "other": [("other", "granted", BEFORE, None)],
        "expired": [("audit", "granted", BEFORE, NOW - timedelta(days=1))],
    }
    found = Rows()
    for name, events in said.items():
        of = person(f"{id}-{name}", where, [where], where)
        found += Rows(of.customers, tuple((f"{id}-{name}", *event) for event in events), of.purchases)
    return found


CASES: dict[str, Rows] = {
    "alone in an empty box": person("x", 4.1, [6.1, 6.1], 4.3),
    "at a corner": person("x", 0.0, [0.0], 0.0),
    "at the bound, in an empty box": person("x", HIGH, [None], HIGH, None, None),
    "far outside the bounds": person("x", 1e12, [-1e12], 1e12),
    "would be a second row": person("x", 0.0, [0.0], 0.0) + Rows(customers=(("x", 0.0, "f", 30, 1),)),
    "events without a value": person("x", 0.0, [None, float("nan")], 0.0),
}
NOBODY = "may not be used"  # as a case: it changes nothing


# Expected customers × ε: by the public rule (plan/method.py) the first learns in one question, the others in three and more.
BALANCED = "a step, balanced"
METHODS = {"one pass": 190, "histograms, boxes, a step": 1000, BALANCED: 1700}
MITIGATION = {"method": "balanced", "justification": "audit"}


def audit_plan(epsilon: float, method: str = "one pass", without_bounds: bool = False, gaussian: bool = False) -> Plan:
    """Three features, few boxes whatever ε is."""
    mode: dict[str, float] = {"expected_customers": max(1, round(METHODS[method] / epsilon))}
    if gaussian:
        mode = {"expected_customers": 200, "delta": 4e-4, "population_delta": 1e-2}
    bounds = None if without_bounds else [0, HIGH]
    origins = {
        "a": {"column": "a"},
        "b": {"events": "purchases", "expression": "sum(amount)"},
        "c": {"events": "purchases", "expression": "max(height)"},
    }
    features = [{"name": n, "why": "audit", "bounds": bounds, "missing": 0, **origin} for n, origin in origins.items()]
    return Plan.model_validate(
        {
            "name": "audit",
            "purpose": "audit",
            "description": "Worst cases for the audit.",
            "legal_basis": "consent",
            "sources": {
                "customers": {"path": "none", "id": "customer_id", "duplicates": {"keep_latest_by": "changed"}},
                "consent": {"path": "none"},
                "events": {"purchases": {"path": "none", "id": "customer_id", "time": "at", "where": "kind = 'sale'"}},
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


def earlier_answers(plan: Plan) -> Earlier:
    """What the audited questions are asked about: one segment for each kind of people."""
    spots = to_fixed(np.array([[4.0, 2.0, 5.0], [12.0, 12.0, 13.0]]), plan.features)
    centers, method = rounded_centers(spots.astype(float)), Method.of(plan)
    shares = np.full((len(plan.features), BINS), 1e-3)
    shares[np.arange(len(plan.features)), spots * BINS // STEPS] = 0.5
    points = np.concatenate([spots - 2000, spots + 2000]).astype(float)
    seen = Summary(np.arange(len(points)), np.ones(len(points)), points, private=True, stretch=stretch(plan.features))
    steps = [step_around(i + 1, centers, seen, plan.privacy.unit) for i in range(min(len(method.refinements), 1))]
    fair_map = moved = None
    if method.balances:
        joint = JointGroups.of(plan).count
        prices = np.linspace(-0.1, 0.1, 2 * joint).reshape(joint, 2)
        fair_map = FairMap.of(centers, prices, edges_of(0.05, joint, 2), np.full(prices.shape, 0.2))
        moved = fair_map.moving(Moves(np.full(fair_map.moved.shape, 0.5), np.full(fair_map.far.shape, 0.25)))
    cut = Marginals(shares / shares.sum(axis=1, keepdims=True)) if method.marginals else None
    return Earlier(cut, centers, tuple(steps), fair_map, moved)


def as_they_lie(of: tuple[Row, ...]) -> list[Row]:
    """The rows of a source in an order that one row more changes."""
    return random.Random(len(of)).sample(of, len(of))


def sources(spark: SparkSession, rows: Rows) -> Sources:
    """Of three partitions each."""

    def table(of: tuple[Row, ...], schema: str) -> DataFrame:
        return spark.createDataFrame(as_they_lie(of), schema).coalesce(3)

    purchases = {"purchases": table(rows.purchases, PURCHASES)}
    return Sources(table(rows.customers, CUSTOMERS), table(rows.consent, CONSENT), purchases, {})


def prepared(spark: SparkSession, plan: Plan, rows: Rows) -> DataFrame:
    """What `prepare` makes of the rows."""
    return prepared_customers(sources(spark, rows), plan, NOW, Pads.of(KEY, plan.purpose, "customer", "audit").table(spark))


Prepare = Callable[[SparkSession, Plan, Rows], DataFrame]


@dataclass(frozen=True)
class Prepared:
    """The rows of `prepared`, with their pseudonyms in the same order; they never leave the audit."""

    pseudonyms: tuple[bytes, ...]
    people: Sample

    @classmethod
    def read(cls, found: DataFrame, plan: Plan) -> Prepared:
        names = [*plan.feature_names, *plan.attribute_names]
        table = found.select("pseudonym", F.xxhash64("pseudonym").alias("hash"), *names).toArrow()
        columns = {name: table[name].to_numpy().astype(np.int64) for name in ("hash", *names)}
        points, groups = (np.stack([columns[n] for n in of], axis=1) for of in (plan.feature_names, plan.attribute_names))
        return cls(tuple(table["pseudonym"].to_pylist()), Sample.of(points, groups, columns["hash"]))

    @classmethod
    def of(cls, spark: SparkSession, plan: Plan, rows: Rows, prepare: Prepare = prepared) -> Prepared:
        return cls.read(prepare(spark, plan, rows), plan)

    def rows(self) -> Iterator[tuple[int, ...]]:
        return map(tuple, np.concatenate([self.people.points, self.people.groups], axis=1).tolist())


def wrong_rows(one: Prepared, other: Prepared, plan: Plan, more: int = 1) -> list[str]:
    """What is wrong with neighbors of which the other has so many customers more."""
    found, (few, many) = [], (dict(zip(p.pseudonyms, p.rows(), strict=True)) for p in (one, other))
    if len(few) != len(one.pseudonyms) or len(many) != len(other.pseudonyms):
        found.append("a customer has several rows")
    if len(many.keys() - few.keys()) != more or few.keys() - many.keys():
        found.append("others are there")
    if any(many[customer] != row for customer, row in few.items() if customer in many):
        found.append("the row of another customer changed")
    points, groups = other.people.points, other.people.groups
    if ((points < 0) | (points >= STEPS)).any():
        found.append("a feature is out of range")
    if ((groups < 0) | (groups >= [len(a.group_names) for a in plan.protected])).any():
        found.append("a group is out of range")
    return found


@dataclass(frozen=True)
class Exact:
    """One question's exact answer on one input; it never leaves the audit."""

    question: str
    parts: tuple[Part, ...]
    vectors: Mapping[str, Integers]


def exact_answers(plan: Plan, people: Sample, only: Collection[str] = ()) -> dict[str, Exact]:
    """The exact answer to each question, or to some only."""
    made = [q for q in asked(plan, earlier_answers(plan)) if not only or q.name in only]
    return {q.name: Exact(q.name, q.parts, q.of_sample(people)) for q in made}


def exact_bounds(spark: SparkSession, plan: Plan, rows: Rows) -> Exact:
    """Of what a plan without bounds asks before everything else."""
    names = [f.name for f in plan.to_find]
    table = magnitudes(sources(spark, rows), plan, NOW).select(names).toArrow()
    bins = np.stack([table[n].fill_null(-1).to_numpy().astype(np.int64) for n in names], axis=1)
    question = magnitude_histograms(plan)
    nothing = np.zeros((len(bins), 0), dtype=np.int64)
    return Exact(question.name, question.parts, question.of_sample(Sample.of(nothing, magnitudes=bins)))
