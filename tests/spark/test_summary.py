"""The private summary's sums before noise, against NumPy to the last integer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.ask.boxes import COUNT, OFFSETS, Summary, box_sums, boxes_of
from evenhand.ask.histograms import BINS, WIDTH, Marginals, histograms
from evenhand.assignment.nearest import rounded_centers
from evenhand.learn.refine import SIZES, Step, step_around, step_sums
from evenhand.plan.geometry import STEPS, UNIT, Boxes, to_fixed
from evenhand.plan.method import Method
from evenhand.plan.models import Plan
from evenhand.prepare.features import as_integers
from evenhand.privacy.question import Question
from evenhand.privacy.sample import Sample
from sensitivity import moved

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


def exact(question: Question, people: DataFrame) -> dict[str, np.ndarray]:
    return dict(question.vectors(question.in_spark(people).toArrow()))


def test_fixed_point_in_sql_is_fixed_point_in_numpy(raw: DataFrame, values: np.ndarray, three: Plan) -> None:
    """To one step: SQL multiplies by a quotient that NumPy divides by, and log1p may differ in its last bit."""
    found = np.array([tuple(r) for r in prepared(raw, three).collect()])
    wanted = to_fixed(values, three.features)
    assert found.min() >= 0
    assert found.max() <= STEPS - 1
    assert np.abs(found - wanted).max() <= 1
    assert (found == wanted).mean() > 0.999


def points_of(frame: DataFrame) -> np.ndarray:
    return np.array([tuple(r) for r in frame.collect()], dtype=np.int64)


@pytest.fixture
def marginals(raw: DataFrame, three: Plan) -> Marginals:
    """Cuts at odd places: from the histograms without noise."""
    found = exact(histograms(three), prepared(raw, three))
    return Marginals(np.stack([found[n] / found[n].sum() for n in three.feature_names]))


def test_histograms_are_those_of_numpy(raw: DataFrame, three: Plan) -> None:
    frame = prepared(raw, three)
    points = points_of(frame)
    found = exact(histograms(three), frame)
    for j, name in enumerate(three.feature_names):
        np.testing.assert_array_equal(found[name], np.bincount(points[:, j] // WIDTH, minlength=BINS))


@pytest.mark.parametrize("cut", [False, True], ids=["at midpoints", "at the cuts of the marginals"])
def test_box_sums_are_those_of_numpy_to_the_last_integer(raw: DataFrame, three: Plan, marginals: Marginals, cut: bool) -> None:
    frame = prepared(raw, three)
    points = points_of(frame)
    boxes = boxes_of(three, marginals if cut else None)
    assert cut == any(len(set(np.diff(edges))) > 1 for edges in boxes.edges)
    keys = np.zeros(len(points), dtype=np.int64)
    for j in range(3):
        keys += (points[:, j, None] >= np.array(boxes.edges[j][1:-1])).sum(axis=1) * boxes.strides[j]
    found = exact(box_sums(three, marginals if cut else None), frame)
    np.testing.assert_array_equal(found[COUNT], np.bincount(keys, minlength=boxes.count))
    sums = np.zeros_like(boxes.halves)
    np.add.at(sums, keys, (points - boxes.centers[keys]) * (UNIT // boxes.halves[keys]))
    np.testing.assert_array_equal(found[OFFSETS], sums.ravel())


def some_step(points: np.ndarray) -> Step:
    random = np.random.default_rng(5)
    centers = rounded_centers(random.uniform(0, STEPS, (4, 3)))
    summary = Summary(np.arange(50), np.ones(50), points[:50].astype(float), False)
    return step_around(1, centers, summary, "epsilon")


def test_the_sums_of_a_private_step_are_those_of_numpy_to_the_last_integer(raw: DataFrame, three: Plan) -> None:
    frame = prepared(raw, three)
    points = points_of(frame)
    step = some_step(points)
    # In integers: 256 |x - c|² less the same for all centers; the same rounding of |c|² as in SQL.
    constants = np.array([round(int((c.astype(object) ** 2).sum()) / 16) for c in step.centers])
    nearest = (constants - 2 * points @ step.centers.T).argmin(axis=1)
    offsets = np.clip(points, step.low[nearest], step.high[nearest]) - step.middle[nearest]
    sums = np.zeros_like(step.low)
    np.add.at(sums, nearest, offsets)
    found = exact(step_sums(step, three), frame)
    np.testing.assert_array_equal(found[SIZES], np.bincount(nearest, minlength=4))
    np.testing.assert_array_equal(found[OFFSETS], (sums * step.factors).ravel())


def test_a_sample_in_numpy_answers_as_spark_does(raw: DataFrame, three: Plan, marginals: Marginals) -> None:
    """Benches and audits ask the run's own questions of a sample."""
    frame = prepared(raw, three)
    points = points_of(frame)
    for question in (histograms(three), box_sums(three, marginals), step_sums(some_step(points), three)):
        of_spark, of_numpy = exact(question, frame), question.of_sample(Sample.of(points))
        assert of_spark.keys() == of_numpy.keys()
        for name in of_spark:
            np.testing.assert_array_equal(of_spark[name], of_numpy[name])


def test_sums_do_not_depend_on_order_or_partitioning(raw: DataFrame, three: Plan) -> None:
    frame = prepared(raw, three)
    first = exact(box_sums(three), frame)
    for other in (frame.repartition(7), frame.orderBy(F.desc("b")).coalesce(1), frame.repartition(3, "a")):
        again = exact(box_sums(three), other)
        assert all((first[name] == again[name]).all() for name in first)


@pytest.mark.parametrize("extra", [(-5.0, 0.0, 10.0), (5.0, 1e9, 10.5), (math.nan, math.inf, -math.inf), (0.0, 31.0, 10.25)])
def test_one_customer_more_changes_each_vector_by_its_sensitivity_at_most(
    spark: Any, raw: DataFrame, three: Plan, marginals: Marginals, extra: tuple[float, ...]
) -> None:
    one = spark.createDataFrame([extra], "a DOUBLE, b DOUBLE, c DOUBLE")
    few, more = prepared(raw, three), prepared(raw.unionAll(one), three)
    step = some_step(points_of(few))
    for question in (histograms(three), box_sums(three), box_sums(three, marginals), step_sums(step, three)):
        without, having = exact(question, few), exact(question, more)
        for part in question.parts:
            assert without[part.name].shape == having[part.name].shape == (part.cells,)
            assert moved(part, without[part.name], having[part.name]) <= part.sensitivity


def test_the_questions_cost_what_the_method_gives_them(raw: DataFrame, three: Plan, marginals: Marginals) -> None:
    frame, wanted = prepared(raw, three), Method.of(three).questions
    step = some_step(points_of(frame))
    for question in (
        histograms(three),
        box_sums(three),
        box_sums(three, marginals),
        step_sums(step, three),
    ):
        assert question.cost == pytest.approx(wanted[question.name])
    assert [p.cells for p in box_sums(three).parts] == [Boxes.of(three).count, Boxes.of(three).count * 3]


def test_when_nothing_is_worth_a_cut_everybody_is_in_the_one_box(raw: DataFrame, three: Plan) -> None:
    shares = np.zeros((3, BINS))
    shares[:, 5] = 1.0  # as everybody looks when no feature tells people apart
    assert exact(box_sums(three, Marginals(shares)), prepared(raw, three))[COUNT].tolist() == [raw.count()]


def test_nobody_gives_zeros_for_every_box(raw: DataFrame, three: Plan) -> None:
    found = exact(box_sums(three), prepared(raw.where("false"), three))
    assert [(len(v), v.any()) for v in found.values()] == [(Boxes.of(three).count, False), (Boxes.of(three).count * 3, False)]


def test_what_was_imputed_and_what_was_clipped_stand_in_the_masks(spark: Any, three: Plan) -> None:
    rows = [(None, math.nan, 10.2), (-6.0, 1001.0, math.inf), (-5.0, 1000.0, 10.0), (math.nan, -1.0, None)]
    frame = spark.createDataFrame(rows, "a DOUBLE, b DOUBLE, c DOUBLE")
    found = as_integers(frame, three.features, range(3), []).select("_imputed", "_clipped").collect()
    assert [tuple(r) for r in found] == [(0b011, 0), (0, 0b111), (0, 0), (0b101, 0b010)]
