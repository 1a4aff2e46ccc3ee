"""A private Lloyd step before noise: what one customer can change, and what stands still."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.ask.boxes import OFFSETS, Summary
from evenhand.ask.steps import SIZES, Step, moved, step_vectors
from evenhand.assignment.nearest import CENTER_BITS, rounded_centers
from evenhand.learn.refine import step_around
from evenhand.plan.geometry import STEPS, UNIT
from evenhand.privacy.noise import NoNoise
from evenhand.privacy.question import Part
from evenhand.privacy.release import made_up

COORDINATES = st.integers(0, STEPS - 1)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    features, k = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spread = draw(st.sampled_from([0.0, 10.0, 3000.0, 40000.0]))
    points = np.clip(random.normal(random.integers(0, STEPS, features), spread, (30, features)), 0, STEPS - 1)
    summary = Summary(np.arange(30), random.uniform(1, 100, 30), points, False)
    return step_around(1, rounded_centers(random.uniform(0, STEPS, (k, features))), summary, "epsilon")


def exact(step: Step, rows: np.ndarray, segments: np.ndarray) -> dict[str, np.ndarray]:
    """What a step's SQL would give, in Python's own integers."""
    clipped = np.clip(rows, step.low[segments], step.high[segments])
    there = np.unique(segments)
    columns = {f"s{j}": [int(clipped[segments == s, j].sum()) for s in there] for j in range(rows.shape[1])}
    table = pa.table({"segment": there + 1, "n": [int((segments == s).sum()) for s in there]} | columns)
    return dict(step_vectors(table, step))


@given(steps(), st.data())
def test_one_customer_more_changes_sizes_by_one_and_offsets_by_the_unit_at_most(step: Step, data: st.DataObject) -> None:
    k, features = step.low.shape
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rows, segments = random.integers(0, STEPS, (20, features)), random.integers(0, k, 20)
    one = np.array(data.draw(st.lists(COORDINATES, min_size=features, max_size=features)))
    segment = data.draw(st.integers(0, k - 1))
    without = exact(step, rows, segments)
    having = exact(step, np.vstack([rows, one]), np.append(segments, segment))
    assert np.abs(having[SIZES] - without[SIZES]).sum() == 1
    assert np.abs(having[OFFSETS] - without[OFFSETS]).max() <= UNIT


@given(steps())
def test_the_factors_make_every_half_width_the_unit_at_most(step: Step) -> None:
    half = np.maximum(step.high - step.middle, step.middle - step.low)
    assert ((half * step.factors) <= UNIT).all()
    assert (step.factors >= 1).all()
    assert (half >= 1).all()


def test_without_noise_a_center_goes_to_the_mean_of_its_clipped_customers() -> None:
    rows = np.array([[100, 100], [300, 500], [60_000, 60_000]])
    step = Step(1, rounded_centers(np.array([[200.0, 200.0], [60_000.0, 60_000.0]])), np.zeros((2, 2), dtype=np.int64),
                np.array([[1000, 400], [65_535, 65_535]]))  # fmt: skip
    found = exact(step, rows, np.array([0, 0, 1]))
    means = step.middle + found[OFFSETS].reshape(2, 2) / (found[SIZES][:, None] * step.factors)
    np.testing.assert_allclose(means, [[200, 250], [60_000, 60_000]])


@pytest.mark.parametrize("moved", ["centers", "low", "high"])
def test_other_centers_or_another_clipping_have_another_fingerprint(moved: str) -> None:
    parts = {"centers": np.array([[1 << CENTER_BITS]]), "low": np.array([[0]]), "high": np.array([[9]])}
    other = parts | {moved: parts[moved] + 1}
    assert Step(1, **parts).fingerprint != Step(1, **other).fingerprint
    assert Step(1, **parts).fingerprint == Step(1, **{k: v.copy() for k, v in parts.items()}).fingerprint


def test_a_center_never_leaves_the_bounds() -> None:
    outside = np.array([[-0.65 * STEPS, 1.33 * STEPS], [0.5 * STEPS, STEPS]])
    inside = [[0, STEPS - 1], [STEPS // 2, STEPS - 1]]
    np.testing.assert_array_equal(rounded_centers(outside), np.array(inside) << CENTER_BITS)


def test_a_segment_that_noise_alone_could_have_made_keeps_its_center() -> None:
    step = Step(1, rounded_centers(np.full((2, 2), 30_000.0)), np.zeros((2, 2), dtype=np.int64), np.full((2, 2), STEPS - 1))
    parts = (Part(SIZES, 2, 1, 0.1, "test"), Part(OFFSETS, 4, UNIT, 0.1, "test", width=2))
    sums = np.array([[9_000, 9_000], [500, -500]]) * UNIT // 10  # a tenth of the half-width a customer of the first segment
    told = made_up({SIZES: np.array([9_000, 25]), OFFSETS: sums.ravel()}, parts, NoNoise())
    found = moved(told, step)
    assert (found[0] > step.centers[0]).all()
    np.testing.assert_array_equal(found[1], step.centers[1])
