"""A suppressed cell cannot be computed from the totals that shares and rates give away, and no more is hidden than it takes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.privacy.suppression import suppressed_cells, withheld_rates

COUNTS = np.array([[500.0, 300.0, 90.0], [400.0, 12.0, 80.0], [450.0, 200.0, 70.0]])
MINIMUM = 20


def determined(hidden: np.ndarray, sums: list[np.ndarray] | None = None) -> np.ndarray:
    """Which hidden cells follow from the shown ones, from all totals, and from more `sums` of cells: by ranks.

    Every shown cell and every sum is an equation in all cells. A cell follows when its unit vector adds nothing to their rank.
    """
    groups, segments = hidden.shape
    lines = [np.eye(hidden.size)[cell] for cell in np.flatnonzero(~hidden)]
    lines += [np.repeat(np.arange(groups) == g, segments) for g in range(groups)]
    if groups > 1:  # a column of a single row is the cell
        lines += [np.tile(np.arange(segments) == s, groups) for s in range(segments)]
    equations = np.array([*lines, *(s.ravel() for s in sums or [])], dtype=float)
    found = np.zeros_like(hidden)
    rank = np.linalg.matrix_rank(equations)
    for cell in np.flatnonzero(hidden):
        found.flat[cell] = np.linalg.matrix_rank(np.vstack([equations, np.eye(hidden.size)[cell]])) == rank
    return found


def tables(groups: st.SearchStrategy[int], segments: st.SearchStrategy[int]) -> st.SearchStrategy[np.ndarray]:
    """Counts of which about every tenth is small, or every second."""
    cell = st.one_of(st.integers(0, 39), st.integers(0, 200))
    shapes = st.tuples(groups, segments)
    return shapes.flatmap(
        lambda shape: st.lists(cell, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
            lambda cells: np.array(cells, dtype=float).reshape(shape)
        )
    )


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    assert not suppressed_cells(COUNTS < 10, COUNTS).any()


def test_a_single_small_cell_takes_one_of_its_segment_one_of_its_group_and_their_corner_along() -> None:
    hidden = suppressed_cells(COUNTS < MINIMUM, COUNTS)
    assert hidden.tolist() == [[False, False, False], [False, True, True], [False, True, True]]


def test_a_longer_way_round_over_small_cells_is_taken_before_a_large_one_is_hidden() -> None:
    counts = np.array([[5.0, 30.0, 900.0], [40.0, 9000.0, 50.0], [800.0, 35.0, 45.0]])
    hidden = suppressed_cells(counts < MINIMUM, counts)
    assert counts[hidden].max() == 50.0
    assert hidden.sum() == 6


def test_two_small_groups_hide_nobody_else() -> None:
    counts = np.vstack([COUNTS, np.zeros((2, 3))])
    small = counts < 10
    assert (suppressed_cells(small, counts) == small).all()


def test_a_small_segment_takes_the_next_smallest_along() -> None:
    sizes = np.array([[900.0, 40.0, 3.0, 700.0]])
    assert suppressed_cells(sizes < MINIMUM, sizes).tolist() == [[False, True, True, False]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1)])
def test_a_table_too_small_to_hide_in_is_hidden_whole(shape: tuple[int, int]) -> None:
    counts = np.full(shape, 100.0)
    counts[0, 0] = 3.0
    assert suppressed_cells(counts < MINIMUM, counts).all()


@settings(max_examples=200)
@given(st.one_of(tables(st.just(1), st.integers(2, 9)), tables(st.integers(2, 5), st.integers(2, 7))))
def test_no_hidden_cell_follows_from_the_totals_and_none_is_hidden_that_could_be_shown(counts: np.ndarray) -> None:
    small = counts < MINIMUM
    hidden = suppressed_cells(small, counts)
    assert hidden[small].all()
    assert not determined(hidden).any()
    if not determined(small).any():
        assert (hidden == small).all()
    for cell in np.argwhere(hidden & ~small):
        shown = hidden.copy()
        shown[tuple(cell)] = False
        assert (determined(shown) & small).any(), cell


@settings(max_examples=40)
@given(tables(st.integers(2, 3), st.integers(2, 3)))
def test_no_way_of_hiding_hides_only_smaller_cells(counts: np.ndarray) -> None:
    small = counts < MINIMUM
    largest = counts[suppressed_cells(small, counts) & ~small].max(initial=0.0)
    smaller = np.flatnonzero(~small & (counts < largest))
    for number in range(len(smaller) + 1):
        for cells in combinations(smaller, number):
            hidden = small.copy()
            hidden.flat[list(cells)] = True
            assert not largest or (determined(hidden) & small).any()


@settings(max_examples=100)
@given(tables(st.integers(1, 4), st.integers(2, 6)), st.data())
def test_the_rates_that_are_shown_give_no_hidden_cell_away(counts: np.ndarray, data: st.DataObject) -> None:
    hidden = suppressed_cells(counts < MINIMUM, counts)
    segments = counts.shape[1]
    offers = [np.array(data.draw(st.lists(st.booleans(), min_size=segments, max_size=segments))) for _ in range(3)]
    told = []
    for chosen, withheld in zip(offers, withheld_rates(hidden, offers), strict=True):
        told += [np.outer(np.arange(len(counts)) == g, chosen) for g in np.flatnonzero(~withheld)]
        assert not withheld[~hidden.any(axis=1)].any()
    assert not determined(hidden, told).any()


def test_a_rate_is_withheld_from_the_group_whose_small_cell_it_is_alone() -> None:
    hidden = suppressed_cells(COUNTS < MINIMUM, COUNTS)
    only_second, all_hidden = np.array([False, True, False]), np.array([False, True, True])
    assert [w.tolist() for w in withheld_rates(hidden, [all_hidden, only_second])] == [[False] * 3, [False, True, True]]
