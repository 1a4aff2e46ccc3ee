"""Whether Spark counts what NumPy counts, cell by cell: for plans of every kind of question, among the customers who are hardest to count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from asked import Earlier, asked
from evenhand.plan.models import Plan
from evenhand.privacy.question import Question
from evenhand.privacy.sample import Sample
from plans import any_plan
from sensitivity import hardest, somebody

PLANS: Mapping[str, Plan] = {
    "one pass, Gaussian, an intersection": any_plan(
        2, 3, (2, -1), crossed=True, mitigation="group_blind", delta=1e-7, expected=300
    ),
    "a step, balanced": any_plan(3, 4, (1, 2, -3), mitigation="balanced", expected=3_000, distribution=True, categories=(3,)),
    "several steps, balanced, Gaussian": any_plan(
        5, 2, (4, -1), mitigation="balanced", delta=1e-7, expected=10_000, log=True, distribution=True, categories=(1, 4)
    ),
}
SEED = 7


def people(plan: Plan, earlier: Earlier) -> Sample:
    random = np.random.default_rng(SEED)
    return somebody(plan, random, 150) + hardest(plan, earlier, random, 50)


def counted_otherwise(spark: SparkSession) -> list[str]:
    """The questions whose parts, rows or exact answers are not the same."""
    found = []
    for name, plan in PLANS.items():
        earlier = Earlier.drawn(plan, SEED, reach=0.4)
        found += [f"{name}: {question}" for question in different(spark, plan, earlier, people(plan, earlier))]
    return found


def different(spark: SparkSession, plan: Plan, earlier: Earlier, some: Sample) -> list[str]:
    table, hashed = on_spark(spark, plan, some)
    return [question.name for question in asked(plan, earlier) if not same(question, table, hashed)]


def on_spark(spark: SparkSession, plan: Plan, some: Sample) -> tuple[DataFrame, Sample]:
    """The people as rows of `prepared`, and as they are with the hashes that Spark has of their pseudonyms."""
    pseudonyms = [int(number).to_bytes(8, "big", signed=True) for number in some.hashes]
    columns = {"pseudonym": pa.array(pseudonyms, pa.binary())}
    columns |= {n: pa.array(some.points[:, j], pa.int32()) for j, n in enumerate(plan.feature_names)}
    columns |= {n: pa.array(some.groups[:, j], pa.int32()) for j, n in enumerate(plan.attribute_names)}
    table = spark.createDataFrame(pa.table(columns))
    by_pseudonym = dict(table.select("pseudonym", F.xxhash64("pseudonym")).collect())
    hashes = np.array([by_pseudonym[p] for p in pseudonyms], dtype=np.int64)
    return table, Sample.of(some.points, some.groups, hashes)


def same(question: Question, table: DataFrame, some: Sample) -> bool:
    found, mine = question.in_spark(table).toArrow(), question.in_numpy(some)
    return _rows(found) == _rows(mine)


def _rows(table: pa.Table) -> set[frozenset[tuple[str, int | None]]]:
    """The rows in any order, their columns too."""
    return {frozenset(row.items()) for row in table.to_pylist()}
