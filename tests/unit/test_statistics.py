"""Fairness statistics against tables computed by hand, empty groups and segments among them."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.fairness.judgment import CANNOT_TELL, EVEN, UNEVEN, verdict
from evenhand.fairness.statistics import (
    METRICS,
    SELECTION,
    balance,
    cramers_v,
    jensen_shannon,
    mutual_information,
    representation_ratio,
    segment_shares,
    selection_difference,
    selection_ratio,
    total_variation,
    worst_representation,
)

NAN = np.nan
# Groups are rows, segments are columns. 100 of 200 are in each group; the first segment holds 80 and 20.
UNEVEN_TABLE = np.array([[80.0, 20.0], [20.0, 80.0]])
EVEN_TABLE = np.array([[30.0, 60.0, 90.0], [10.0, 20.0, 30.0]])


def test_the_shares_of_a_segment_are_those_of_its_groups() -> None:
    np.testing.assert_allclose(segment_shares(UNEVEN_TABLE), [[0.8, 0.2], [0.2, 0.8]])


def test_the_representation_ratio_compares_with_the_share_of_everyone() -> None:
    np.testing.assert_allclose(representation_ratio(UNEVEN_TABLE), [[1.6, 0.4], [0.4, 1.6]])
    np.testing.assert_allclose(representation_ratio(EVEN_TABLE), np.ones((2, 3)))


def test_the_worst_cell_counts_whether_over_or_under_represented() -> None:
    assert worst_representation(UNEVEN_TABLE) == pytest.approx(0.4)
    assert worst_representation(EVEN_TABLE) == pytest.approx(1.0)
    # 190 : 10 of one group, 100 : 100 of the other; over-representation 1.31 and 0.18 are both there.
    assert worst_representation(np.array([[190.0, 10.0], [100.0, 100.0]])) == pytest.approx((10 / 110) / (200 / 400))


def test_over_representation_alone_is_found_too() -> None:
    # One group of 4 among 1,004: all 4 in a segment of 8; 0.5 of that segment against 4 / 1004 of everyone.
    table = np.array([[4.0, 4.0], [4.0, 996.0]])
    assert worst_representation(table) == pytest.approx((8 / 1008) / 0.5)


def test_balance_is_the_smallest_over_the_largest_group_of_the_worst_segment() -> None:
    assert balance(UNEVEN_TABLE) == pytest.approx(0.25)
    assert balance(EVEN_TABLE) == pytest.approx(1 / 3)
    assert balance(np.array([[5.0, 9.0], [5.0, 3.0], [10.0, 9.0]])) == pytest.approx(1 / 3)


def test_total_variation_is_the_share_of_a_group_that_would_have_to_move() -> None:
    assert total_variation(UNEVEN_TABLE) == pytest.approx(0.6)
    assert total_variation(EVEN_TABLE) == pytest.approx(0.0)
    assert total_variation(np.array([[100.0, 0.0], [0.0, 300.0]])) == pytest.approx(1.0)


def test_distances_of_two_groups_do_not_depend_on_how_large_they_are() -> None:
    for one in (10.0, 100.0, 1000.0):
        table = np.array([[0.69, 0.20, 0.11], [0.31, 0.44, 0.25]]) * np.array([[one], [100.0]])
        assert total_variation(table) == pytest.approx(0.38)
        assert jensen_shannon(table) == pytest.approx(0.327, abs=5e-4)


def test_a_group_is_held_against_the_others_as_they_are_together() -> None:
    table = np.array([[80.0, 20.0], [50.0, 50.0], [80.0, 120.0]])
    assert total_variation(table) == pytest.approx(0.8 - 130 / 300)


def test_an_empty_segment_is_not_judged() -> None:
    table = np.array([[80.0, 0.0, 20.0], [20.0, 0.0, 80.0]])
    assert np.isnan(representation_ratio(table)[:, 1]).all()
    assert worst_representation(table) == pytest.approx(0.4)
    assert balance(table) == pytest.approx(0.25)
    assert total_variation(table) == pytest.approx(0.6)


def test_an_empty_group_is_not_judged_by_ratio_and_distance_but_has_no_balance() -> None:
    table = np.array([[80.0, 20.0], [20.0, 80.0], [0.0, 0.0]])
    assert np.isnan(representation_ratio(table)[2]).all()
    assert worst_representation(table) == pytest.approx(0.4)
    assert total_variation(table) == pytest.approx(0.6)
    assert balance(table) == 0.0


def test_a_group_that_is_kept_out_of_a_segment_is_the_worst_there_is() -> None:
    table = np.array([[50.0, 0.0], [50.0, 100.0]])
    assert worst_representation(table) == 0.0
    assert balance(table) == 0.0


def test_the_jensen_shannon_distance_is_zero_for_equals_and_the_definition_for_others() -> None:
    assert jensen_shannon(EVEN_TABLE) == pytest.approx(0.0, abs=1e-6)
    a, m = np.array([0.8, 0.2]), np.array([0.5, 0.5])
    b = np.array([0.2, 0.8])
    divergence = ((a * np.log2(a / m)).sum() + (b * np.log2(b / m)).sum()) / 2
    assert jensen_shannon(UNEVEN_TABLE) == pytest.approx(divergence**0.5)


def test_association_is_none_where_all_are_even_and_whole_where_the_segment_tells_the_group() -> None:
    for statistic in (cramers_v, mutual_information):
        assert statistic(EVEN_TABLE) == pytest.approx(0.0, abs=1e-9)
        assert statistic(np.array([[50.0, 0.0], [0.0, 50.0]])) == pytest.approx(1.0)
    # chi² = 200 · 0.36 for the table 80/20 against 20/80: V = 0.6.
    assert cramers_v(UNEVEN_TABLE) == pytest.approx(0.6)


def test_selection_rates_are_compared_lowest_to_highest() -> None:
    outcomes = np.array([[60.0, 40.0], [30.0, 70.0], [45.0, 55.0]])
    assert selection_ratio(outcomes) == pytest.approx(0.5)
    assert selection_difference(outcomes) == pytest.approx(0.3)


def test_where_nobody_gets_the_offer_nobody_is_treated_differently() -> None:
    outcomes = np.array([[0.0, 40.0], [0.0, 70.0]])
    assert selection_ratio(outcomes) == 1.0
    assert selection_difference(outcomes) == 0.0
    np.testing.assert_allclose(selection_ratio(np.stack([outcomes, [[10.0, 90.0], [20.0, 80.0]]])), [1.0, 0.5])


@pytest.mark.parametrize("statistic", [*METRICS.values(), *SELECTION.values()])
def test_many_tables_at_once_give_what_each_gives_alone(statistic: object) -> None:
    assert callable(statistic)
    tables = np.random.default_rng(5).integers(1, 100, (7, 3, 2)).astype(float)
    np.testing.assert_allclose(statistic(tables), [statistic(t) for t in tables])


VERDICTS = {
    "surely_above_is_even": (0.85, 0.95, 0.8, False, EVEN),
    "surely_below_is_uneven": (0.5, 0.79, 0.8, False, UNEVEN),
    "across_the_threshold_nobody_can_tell": (0.7, 0.9, 0.8, False, CANNOT_TELL),
    "the_threshold_itself_is_even": (0.8, 0.8, 0.8, False, EVEN),
    "reaching_up_to_the_threshold_nobody_can_tell": (0.5, 0.8, 0.8, False, CANNOT_TELL),
    "a_small_distance_is_even": (0.01, 0.1, 0.2, True, EVEN),
    "a_large_distance_is_uneven": (0.21, 0.4, 0.2, True, UNEVEN),
    "a_distance_across_nobody_can_tell": (0.1, 0.3, 0.2, True, CANNOT_TELL),
    "the_distance_of_the_threshold_is_even": (0.2, 0.2, 0.2, True, EVEN),
}


@pytest.mark.parametrize(("low", "high", "threshold", "lower_is_even", "expected"), VERDICTS.values(), ids=VERDICTS.keys())
def test_the_verdict(low: float, high: float, threshold: float, lower_is_even: bool, expected: str) -> None:
    assert verdict(low, high, threshold, lower_is_even) == expected
