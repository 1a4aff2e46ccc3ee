"""What is counted in one pass is what counting table by table gives, to the last integer, and so are the distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.ask.assessment import (
    COST_STEPS,
    MIDDLE,
    SIZE,
    SQUARES,
    SUMS,
    cost_part,
    cost_unit,
    feature_part,
    group_part,
    segment_tallies,
)
from evenhand.assignment.in_numpy import segment_numbers
from evenhand.assignment.nearest import DISTANCE, nearest, rounded_centers, squared_distance
from evenhand.plan import groups
from evenhand.plan.geometry import STEPS
from evenhand.plan.groups import batches, group_tables
from evenhand.plan.load import parse_plan
from evenhand.privacy.sample import Sample
from sample import plan_yaml

N, K = 400, 3


NAMES = {"features.0.name": "distance", "features.1.name": "cost", "features.2.name": "n"}  # as our own columns could be named


@pytest.mark.parametrize(
    ("most", "expected", "named"),
    [(256, 1, {}), (8, 2, {}), (256, 1, NAMES)],
    ids=["one batch", "several batches", "awkward names"],
)
def test_every_part_is_counted_to_the_last_integer(
    spark: Any, monkeypatch: pytest.MonkeyPatch, most: int, expected: int, named: dict[str, Any]
) -> None:
    monkeypatch.setattr(groups, "MOST_CODES", most)
    changes = ({"fairness.intersections": [["age_band", "gender"]]} if most > 8 else {}) | named
    plan = parse_plan(plan_yaml(changes))
    assert len(batches(plan)) == expected
    random = np.random.default_rng(1)
    points = random.integers(0, STEPS, (N, 3))
    codes = {"gender": random.integers(0, 4, N), "age_band": random.integers(0, 4, N)}
    centers = random.uniform(0, STEPS, (K, 3))
    fixed = rounded_centers(centers)
    columns = dict(zip(plan.feature_names, points.T, strict=True)) | codes
    rows = [tuple(int(v) for v in row) for row in zip(*columns.values(), strict=True)]
    prepared = spark.createDataFrame(rows, ", ".join(f"{name} INT" for name in columns))
    question = segment_tallies(fixed, None, plan)
    found = question.vectors(question.in_spark(prepared).toArrow())

    squared = ((points[:, None, :] - fixed[None] / 16) ** 2).sum(axis=2)
    segment, distance = squared.argmin(axis=1), squared.min(axis=1)
    cost = np.minimum((distance / cost_unit(3)).astype(np.int64), COST_STEPS - 1)
    np.testing.assert_array_equal(found[SIZE], np.bincount(segment, minlength=K))
    sums = [np.bincount(segment, points[:, j] - MIDDLE, K) for j in range(3)]
    np.testing.assert_array_equal(found[SUMS], np.stack(sums, axis=1).ravel())
    np.testing.assert_array_equal(found[SQUARES], ((points - MIDDLE) ** 2).sum(axis=0))
    for table in group_tables(plan):
        group = np.zeros(N, dtype=int)
        for attribute in table.attributes:
            group = group * len(attribute.group_names) + codes[attribute.name]
        counts = np.bincount(group * K + segment, minlength=table.size * K)
        np.testing.assert_array_equal(found[group_part(table.name)], counts)
        # A step of the cost is some 65,000 squared steps of fixed point; |c|² is rounded by less than one of those.
        costs = found[cost_part(table.name)].reshape(table.size, 2)
        np.testing.assert_allclose(costs[:, 0], np.bincount(group, cost, table.size), atol=2)
        np.testing.assert_allclose(costs[:, 1], np.bincount(group, cost**2 // 2**16, table.size), atol=4)
        if len(table.attributes) == 1:
            sums = [np.bincount(group, points[:, j] - MIDDLE, table.size) for j in range(3)]
            np.testing.assert_array_equal(found[feature_part(table.name)], np.stack(sums, axis=1).ravel())
    assert {p.name: p.cells for p in question.parts} == {name: len(vector) for name, vector in found.items()}


@pytest.mark.parametrize("axes", [np.ones(2), np.array([0.1, 1.41])], ids=["even", "weighted"])
def test_both_ways_to_the_distance_agree_and_so_does_numpy(spark: Any, axes: np.ndarray) -> None:
    random, names = np.random.default_rng(2), ["a", "b"]
    fixed = rounded_centers(random.uniform(0, STEPS, (4, 2)))
    rows = [tuple(map(int, p)) for p in random.integers(0, STEPS, (200, 2))]
    assigned = nearest(spark.createDataFrame(rows, "a INT, b INT"), fixed, names, axes)
    both = assigned.select(DISTANCE, squared_distance(assigned["segment"], fixed, names, axes).alias("again")).toArrow()
    np.testing.assert_allclose(both[DISTANCE], both["again"], atol=1.0 if (axes == 1).all() else STEPS / 4)
    numbers = segment_numbers(Sample.of(np.array(rows)), fixed, axes)
    np.testing.assert_array_equal(assigned.select("segment").toArrow()["segment"], numbers)
