"""A suppressed cell cannot be computed from the totals that shares give away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.privacy.suppression import recoverable, suppressed_cells

COUNTS = np.array([[500.0, 300.0, 90.0], [400.0, 12.0, 80.0], [450.0, 200.0, 70.0]])


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    assert not suppressed_cells(COUNTS < 10, COUNTS).any()


def test_a_single_small_cell_takes_one_of_its_segment_one_of_its_group_and_their_corner_along() -> None:
    hidden = suppressed_cells(COUNTS < 20, COUNTS)
    assert hidden[1, 1]
    assert hidden.sum() == 4
    assert not recoverable(hidden).any()


def test_two_small_groups_hide_nobody_else() -> None:
    counts = np.vstack([COUNTS, np.zeros((2, 3))])
    small = counts < 10
    assert (suppressed_cells(small, counts) == small).all()


def test_a_small_segment_takes_the_next_smallest_along_when_the_total_is_known() -> None:
    sizes = np.array([[900.0, 40.0, 3.0, 700.0]])
    assert suppressed_cells(sizes < 20, sizes, column_totals=False).tolist() == [[False, True, True, False]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1)])
def test_a_table_too_small_to_hide_in_is_hidden_whole(shape: tuple[int, int]) -> None:
    counts = np.full(shape, 100.0)
    counts[0, 0] = 3.0
    assert suppressed_cells(counts < 20, counts).all()


@given(st.integers(2, 5), st.integers(2, 7), st.data())
def test_no_hidden_cell_can_be_computed_whichever_are_small(groups: int, segments: int, data: st.DataObject) -> None:
    size = groups * segments
    counts = np.array(data.draw(st.lists(st.integers(0, 60), min_size=size, max_size=size)), dtype=float)
    counts = counts.reshape(groups, segments)
    hidden = suppressed_cells(counts < 20, counts)
    assert hidden[counts < 20].all()
    assert not recoverable(hidden).any()
    # ... seen another way: another table with the same totals and the same shown cells exists for every hidden cell.
    cells = np.argwhere(hidden)
    for cell in range(len(cells)):
        lines = np.array([cells[:, 0] == g for g in range(groups)] + [cells[:, 1] == s for s in range(segments)], dtype=float)
        change = np.linalg.lstsq(np.vstack([lines, np.eye(len(cells))[cell]]), np.append(np.zeros(len(lines)), 1.0), rcond=None)[
            0
        ]
        assert np.abs(lines @ change).max() < 1e-6
        assert abs(change[cell] - 1) < 1e-6
