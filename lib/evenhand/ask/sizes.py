"""How many customers are nearest to each center: tells segments that noise made from small true ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.assignment.in_numpy import segment_numbers
from evenhand.assignment.nearest import Centers, segment_number
from evenhand.plan.method import Method, check
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.privacy.question import Integers, Part, Question, fingerprint_of
from evenhand.privacy.sample import Sample, counted

SIZES = "sizes"


def segment_sizes(centers: Centers, number: int, plan: Plan) -> Question:
    """Customers by nearest center; asked several times, `number` from 1. A customer is in one segment: sensitivity 1."""

    def in_spark(prepared: DataFrame) -> DataFrame:
        rows = prepared.select(segment_number(centers, plan.feature_names, stretch(plan.features)).alias("segment"))
        return rows.groupBy("segment").agg(F.count("*").alias("n"))

    def in_numpy(people: Sample) -> pa.Table:
        return counted({"segment": segment_numbers(people, centers, stretch(plan.features))})

    cost, why = Method.of(plan).checks[number - 1], "a customer is in one segment"
    parts = (Part(SIZES, len(centers), 1, cost, why, plan.privacy.unit),)
    about = fingerprint_of(centers)
    return Question(check(number), parts, in_spark, in_numpy, lambda table: _vectors(table, len(centers)), about=about)


def _vectors(table: pa.Table, k: int) -> Mapping[str, Integers]:
    sizes = np.zeros(k, dtype=np.int64)
    sizes[table["segment"].to_numpy().astype(np.int64) - 1] = table["n"].to_numpy().astype(np.int64)
    return {SIZES: sizes}
