"""Everybody's segment in native SQL is MLlib's, label by label, and a tie goes to the first center."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pyspark.ml.clustering import KMeans
from pyspark.ml.functions import array_to_vector
from pyspark.sql import functions as F

from evenhand.assignment.nearest import CENTER_BITS, assign, rounded_centers, segment_number
from evenhand.plan.geometry import STEPS


def numbers(spark: Any, points: np.ndarray, centers: np.ndarray) -> list[int]:
    names = [f"f{j}" for j in range(points.shape[1])]
    rows = spark.createDataFrame(
        [(i, *p) for i, p in enumerate(points.tolist())], ", ".join(["i INT", *(f"{n} INT" for n in names)])
    )
    return [r[0] for r in rows.orderBy("i").select(segment_number(centers, names, 1.0)).collect()]


@pytest.mark.parametrize("k", [8, 30])
def test_labels_are_those_of_mllib(spark: Any, k: int) -> None:
    """MLlib's own centers, rounded to sixteenths of a step, in both: without the rounding a point on a border may differ."""
    random = np.random.default_rng(k)
    points = np.clip(random.normal(0.5, 0.2, (4000, 12)) * STEPS, 0, STEPS - 1).astype(int)
    frame = spark.createDataFrame([(p,) for p in points.tolist()], "p ARRAY<INT>")
    frame = frame.select("p", array_to_vector(F.transform("p", lambda x: x.cast("double"))).alias("features")).coalesce(1).cache()
    model = KMeans(k=k, seed=1, maxIter=3).fit(frame)
    theirs = model.transform(frame).select("p", "prediction").collect()
    centers = rounded_centers(np.asarray(model.clusterCenters()))
    ordered = np.array([r.p for r in theirs])
    ours = np.array(numbers(spark, ordered, centers)) - 1
    labels = np.array([r.prediction for r in theirs])
    distances = ((ordered[:, None, :] - centers[None] / 2**CENTER_BITS) ** 2).sum(axis=2)
    two = np.sort(distances, axis=1)[:, :2]
    # Sixteenths of a step move a distance by less than this: 2 |x - c| |rounding|.
    decided = two[:, 1] - two[:, 0] > 4 * np.sqrt(two[:, 1]) * np.sqrt(12) / 2 ** (CENTER_BITS + 1)
    assert decided.mean() > 0.99
    np.testing.assert_array_equal(ours[decided], labels[decided])
    assert len(set(ours)) == k


def reference(points: np.ndarray, centers: np.ndarray) -> list[int]:
    """Nearest center in exact integer arithmetic, the first of equally near ones."""
    sixteenth = 2**CENTER_BITS
    found = []
    for point in points.tolist():
        distances = [sum((sixteenth * x - int(c)) ** 2 for x, c in zip(point, center, strict=True)) for center in centers]
        found.append(distances.index(min(distances)) + 1)
    return found


def test_of_equally_near_centers_the_first_wins(spark: Any) -> None:
    points = np.array([[10, 10], [30, 10], [20, 10], [20, 50]])
    centers = rounded_centers(np.array([[30.0, 10.0], [10.0, 10.0]]))
    assert numbers(spark, points, centers) == [2, 1, 1, 1]
    assert numbers(spark, points, centers[::-1]) == [1, 2, 1, 1]


def test_the_same_center_twice_leaves_the_second_empty(spark: Any) -> None:
    points = np.array([[0, 0], [5, 5], [STEPS - 1, STEPS - 1]])
    assert set(numbers(spark, points, rounded_centers(np.array([[7.0, 7.0]] * 3)))) == {1}


@pytest.mark.parametrize(("features", "k"), [(1, 2), (2, 100), (60, 5)])
def test_labels_are_exact_at_the_corners_of_the_space(spark: Any, features: int, k: int) -> None:
    random = np.random.default_rng(features)
    points = random.choice([0, 1, STEPS // 2, STEPS - 1], (200, features))
    centers = rounded_centers(random.choice([0.0, 0.5, STEPS / 2, STEPS - 1.0], (k, features)))
    assert numbers(spark, points, centers) == reference(points, centers)


@pytest.mark.parametrize(("features", "k"), [(5, 20), (60, 3), (50, 7), (12, 21)])
def test_random_points_and_centers_are_exact(spark: Any, features: int, k: int) -> None:
    random = np.random.default_rng(9)
    points = random.integers(0, STEPS, (2000, features))
    centers = rounded_centers(random.uniform(0, STEPS, (k, features)))
    assert numbers(spark, points, centers) == reference(points, centers)


def test_the_assignment_keeps_the_pseudonym_and_nothing_else(spark: Any) -> None:
    rows = spark.createDataFrame([(bytearray(b"p"), "k1", 3, 9)], "pseudonym BINARY, key_id STRING, f0 INT, gender INT")
    segment = segment_number(rounded_centers(np.array([[0.0], [3.0]])), ["f0"], 1.0)
    assert assign(rows.withColumn("segment", segment)).collect() == [(bytearray(b"p"), "k1", 2)]
