"""The private summary's sums before noise, against NumPy to the last integer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.plan.geometry import BITS, STEPS, Boxes, to_fixed
from evenhand.plan.models import Plan
from evenhand.prepare.features import as_integers
from evenhand.privacy.release import Question
from evenhand.privacy.summary import COUNT, box_sums

FEATURES = [
    {"name": "a", "why": "t", "column": "a", "bounds": [-5, 5], "missing": 1.5},
    {"name": "b", "why": "t", "column": "b", "bounds": [0, 1000], "missing": 0, "scale": "log"},
    {"name": "c", "why": "t", "column": "c", "bounds": [10, 10.5], "missing": 10.5},
]
SPECIAL = [
    None,
    math.nan,
    math.inf,
    -math.inf,
    -1e308,
    1e308,
    -5.0,
    5.0,
    0.0,
    -0.0,
    1000.0,
    10.0,
    10.5,
    10.25,
    4.999999999,
    5e-324,
]


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    """4,000 rows of three features: ordinary values, and every kind of value that is not."""
    random = np.random.default_rng(3)
    rows = np.stack([random.normal(0, 3, 4000), random.lognormal(4, 2, 4000), random.uniform(9.9, 10.6, 4000)], axis=1)
    for i, special in enumerate(SPECIAL * 3):
        rows[i, i % 3] = math.nan if special is None else special
    return rows


@pytest.fixture(scope="module")
def raw(spark: Any, values: np.ndarray) -> DataFrame:
    rows = [tuple(float(v) for v in row) for row in values]
    for i, special in enumerate(SPECIAL * 3):
        if special is None:
            rows[i] = tuple(None if j == i % 3 else v for j, v in enumerate(rows[i]))
    return spark.createDataFrame(rows, "a DOUBLE, b DOUBLE, c DOUBLE")


@pytest.fixture
def three(plan: Callable[..., Plan]) -> Plan:
    return plan({"features": FEATURES, "sources.events": {}, "privacy.expected_customers": 20_000})


def prepared(raw: DataFrame, plan: Plan) -> DataFrame:
    return as_integers(raw, plan.features, range(3), []).select(*plan.feature_names)


def exact(question: Question) -> dict[str, np.ndarray]:
    return dict(question.vectors(question.rows.toArrow()))


def test_fixed_point_in_sql_is_fixed_point_in_numpy(raw: DataFrame, values: np.ndarray, three: Plan) -> None:
    """To one step: SQL multiplies by a quotient that NumPy divides by, and log1p may differ in its last bit."""
    found = np.array([tuple(r) for r in prepared(raw, three).collect()])
    wanted = to_fixed(values, three.features)
    assert found.min() >= 0
    assert found.max() <= STEPS - 1
    assert np.abs(found - wanted).max() <= 1
    assert (found == wanted).mean() > 0.999


def test_box_sums_are_those_of_numpy_to_the_last_integer(raw: DataFrame, three: Plan) -> None:
    frame = prepared(raw, three)
    points = np.array([tuple(r) for r in frame.collect()], dtype=np.int64)
    boxes = Boxes.of(three)
    tops = [(points[:, j] >> (BITS - cut)) << shift for j, (cut, shift) in enumerate(zip(boxes.cuts, boxes.shifts, strict=True))]
    keys = np.bitwise_or.reduce(tops)
    found = exact(box_sums(frame, three))
    np.testing.assert_array_equal(found[COUNT], np.bincount(keys, minlength=boxes.count))
    for j, name in enumerate(three.feature_names):
        sums = np.zeros(boxes.count, dtype=np.int64)
        np.add.at(sums, keys, points[:, j] - boxes.centers[keys, j])
        np.testing.assert_array_equal(found[name], sums)


def test_sums_do_not_depend_on_order_or_partitioning(raw: DataFrame, three: Plan) -> None:
    frame = prepared(raw, three)
    first = exact(box_sums(frame, three))
    for other in (frame.repartition(7), frame.orderBy(F.desc("b")).coalesce(1), frame.repartition(3, "a")):
        again = exact(box_sums(other, three))
        assert all((first[name] == again[name]).all() for name in first)


@pytest.mark.parametrize("extra", [(-5.0, 0.0, 10.0), (5.0, 1e9, 10.5), (math.nan, math.inf, -math.inf), (0.0, 31.0, 10.25)])
def test_one_customer_more_changes_each_vector_by_its_sensitivity_at_most(
    spark: Any, raw: DataFrame, three: Plan, extra: tuple[float, ...]
) -> None:
    before = box_sums(prepared(raw, three), three)
    one = spark.createDataFrame([extra], "a DOUBLE, b DOUBLE, c DOUBLE")
    without, having = exact(before), exact(box_sums(prepared(raw.unionAll(one), three), three))
    for part in before.parts:
        assert np.abs(having[part.name] - without[part.name]).sum() <= part.sensitivity


def test_the_parts_cost_what_the_plan_gives_the_summary(raw: DataFrame, three: Plan) -> None:
    question = box_sums(prepared(raw, three), three)
    assert question.epsilon == pytest.approx(three.privacy.epsilon * three.privacy.split.summary)
    assert [p.cells for p in question.parts] == [Boxes.of(three).count] * 4


def test_nobody_gives_zeros_for_every_box(raw: DataFrame, three: Plan) -> None:
    found = exact(box_sums(prepared(raw.where("false"), three), three))
    assert all(len(v) == Boxes.of(three).count and not v.any() for v in found.values())


def test_what_was_imputed_and_what_was_clipped_stand_in_the_masks(spark: Any, three: Plan) -> None:
    rows = [(None, math.nan, 10.2), (-6.0, 1001.0, math.inf), (-5.0, 1000.0, 10.0), (math.nan, -1.0, None)]
    frame = spark.createDataFrame(rows, "a DOUBLE, b DOUBLE, c DOUBLE")
    found = as_integers(frame, three.features, range(3), []).select("_imputed", "_clipped").collect()
    assert [tuple(r) for r in found] == [(0b011, 0), (0, 0b111), (0, 0), (0b101, 0b010)]
