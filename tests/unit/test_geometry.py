"""Fixed point and boxes: public arithmetic that the privacy proof stands on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evenhand.ask.histograms import BINS, WIDTH
from evenhand.plan.features import Feature
from evenhand.plan.geometry import BITS, MOST_BOX_BITS, STEPS, UNIT, Boxes, box_bits, offset_factors, to_fixed, to_unit
from evenhand.plan.load import parse_plan
from sample import plan_yaml

FINITE = st.floats(-1e6, 1e6)
ANY = st.floats(allow_nan=False, allow_infinity=True)


@st.composite
def features(draw: st.DrawFn) -> Feature:
    low, width = draw(FINITE), draw(st.floats(1e-3, 1e6))
    high = low + width
    assume(high > low)
    scale = draw(st.sampled_from(["linear", "log"]))
    return Feature(name="x", why="test", column="x", bounds=(low, high), missing=low + width / 2, scale=scale)


def fixed(value: float, feature: Feature) -> int:
    return int(to_fixed(np.array([value]), [feature])[0])


def unit(steps: float, feature: Feature) -> float:
    return float(to_unit(np.array([float(steps)]), [feature])[0])


@given(features(), ANY)
def test_fixed_point_is_inside_the_bounds_whatever_the_value(feature: Feature, value: float) -> None:
    assert 0 <= fixed(value, feature) <= STEPS - 1


@given(features(), ANY, ANY)
def test_fixed_point_keeps_the_order(feature: Feature, one: float, other: float) -> None:
    low, high = sorted([one, other])
    assert fixed(low, feature) <= fixed(high, feature)


@given(features())
def test_nan_becomes_the_value_that_the_plan_states_for_missing(feature: Feature) -> None:
    assert fixed(math.nan, feature) == fixed(feature.missing, feature)


@given(features())
def test_infinities_and_bounds_are_the_ends(feature: Feature) -> None:
    low, high = feature.bounds
    assert fixed(-math.inf, feature) == fixed(low, feature) == 0
    assert fixed(math.inf, feature) == fixed(high, feature) == STEPS - 1


@given(features(), st.floats(0, 1))
def test_there_and_back_is_within_one_step(feature: Feature, share: float) -> None:
    low, high = feature.bounds
    value = min(low + share * (high - low), high)
    steps = fixed(value, feature)
    rounding = 1e-9 * (high - low) + 4 * math.ulp(max(abs(low), abs(high)))
    assert unit(steps - 1, feature) - rounding <= value <= unit(steps + 1, feature) + rounding


@given(features(), st.floats(0, 1))
def test_the_ends_of_what_may_have_been_rounded_hold_the_value(feature: Feature, share: float) -> None:
    """In bounds far too wide nearly all values are one step: half of it is a figure of nobody's."""
    low, high = feature.limits
    value = min(low + share * (high - low), high)
    fixed = to_fixed(np.array([value]), [feature]).astype(np.float64)
    least, most = (float(to_unit(fixed, [feature], end)[0]) for end in (-1, 1))
    slack = 1e-9 * max(abs(low), abs(high), 1.0)
    assert least - slack <= value <= most + slack


@given(features(), st.integers(0, STEPS - 1))
def test_back_and_there_is_the_same_integer(feature: Feature, steps: int) -> None:
    assert fixed(unit(steps, feature), feature) == steps


@st.composite
def grids(draw: st.DrawFn) -> Boxes:
    """Boxes that are halved, or cut anywhere on the grid of the histograms."""
    count = draw(st.integers(1, 5))
    if draw(st.booleans()):
        return Boxes.halved([1.0] * count, draw(st.integers(1, 10)))
    cuts = st.lists(st.integers(1, BINS - 1), max_size=3, unique=True)
    return Boxes(tuple((0, *(WIDTH * c for c in sorted(draw(cuts))), STEPS) for _ in range(count)))


def key_of(point: np.ndarray, boxes: Boxes) -> int:
    digits = [sum(int(x) >= edge for edge in edges[1:-1]) for x, edges in zip(point, boxes.edges, strict=True)]
    return sum(digit * stride for digit, stride in zip(digits, boxes.strides, strict=True))


@given(st.integers(1, 20), st.integers(1, MOST_BOX_BITS))
def test_halvings_add_up_and_differ_by_one_at_most(count: int, bits: int) -> None:
    boxes = Boxes.halved([1.0] * count, bits)
    assert max(boxes.intervals) <= 2 * min(boxes.intervals)
    assert boxes.count == len(boxes.centers) == 2**bits


@given(grids(), st.data())
def test_boxes_tile_the_space_and_nobody_is_further_from_a_center_than_half_a_box(boxes: Boxes, data: st.DataObject) -> None:
    count = boxes.features
    point = np.array(data.draw(st.lists(st.integers(0, STEPS - 1), min_size=count, max_size=count)))
    key = key_of(point, boxes)
    assert 0 <= key < boxes.count
    inside = ((point - boxes.centers >= -boxes.halves) & (point - boxes.centers < boxes.halves)).all(axis=1)
    assert np.flatnonzero(inside).tolist() == [key]


@given(grids(), st.data())
def test_one_customer_changes_a_row_of_offsets_by_the_unit_at_most(boxes: Boxes, data: st.DataObject) -> None:
    count = boxes.features
    point = np.array(
        data.draw(st.lists(st.sampled_from([0, 1, 1023, 1024, STEPS // 2, STEPS - 1]), min_size=count, max_size=count))
    )
    key = key_of(point, boxes)
    offset, halves = point - boxes.centers[key], boxes.halves[[key]]
    assert np.abs(offset * offset_factors(halves, "epsilon")).max() <= UNIT
    assert sum(int(v) ** 2 for v in (offset * offset_factors(halves, "rho"))[0]) <= UNIT**2


@given(grids())
def test_the_boxes_fill_the_space_exactly(boxes: Boxes) -> None:
    sizes = [math.prod(2 * int(h) for h in halves) for halves in boxes.halves]
    assert sum(sizes) == STEPS**boxes.features
    assert len(np.unique(boxes.centers, axis=0)) == boxes.count


def bits_for(**privacy: float) -> int:
    return box_bits(parse_plan(plan_yaml({f"privacy.{k}": v for k, v in privacy.items()})))


def test_more_expected_customers_or_more_epsilon_mean_finer_boxes() -> None:
    by_people = [bits_for(expected_customers=n) for n in (3_000, 30_000, 300_000, 3_000_000)]
    by_epsilon = [bits_for(epsilon=e) for e in (0.25, 0.5, 1, 2)]
    assert by_people == sorted(set(by_people))
    assert by_epsilon == sorted(by_epsilon)
    assert by_epsilon[0] < by_epsilon[-1]  # one step less where the method changes


@pytest.mark.parametrize(("expected", "bits"), [(10**9, MOST_BOX_BITS), (3000, 6)])
def test_the_number_of_boxes_is_decided_by_public_numbers_and_limited(expected: int, bits: int) -> None:
    assert bits_for(expected_customers=expected) == bits


def test_one_feature_is_never_cut_finer_than_its_fixed_point() -> None:
    one = parse_plan(plan_yaml({"features": [{"name": "t", "why": "t", "column": "years", "bounds": [0, 1], "missing": 0}],
                                "sources.events": {}, "privacy.expected_customers": 10**12}))  # fmt: skip
    assert Boxes.of(one).halves.min() >= 1
    assert box_bits(one) < BITS
