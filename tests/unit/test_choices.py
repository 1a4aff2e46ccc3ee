"""First and second choice, segments too small for the boxes, and centers that describe their members."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.assignment.fair_map import Moves
from evenhand.mitigate.cells import Cells
from evenhand.mitigate.choices import DRAWN, LESS, Choices, drawing
from evenhand.mitigate.estimate import Presence, expected
from evenhand.mitigate.members import TRUST, members_centers

EDGES = np.array([0.1, 0.2, 0.4])
CENTERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])  # the last is far from everybody else


def test_second_is_the_next_best_or_the_smallest_segment_that_draws() -> None:
    paid = np.array([[0.0, 0.05, 0.3], [0.2, 0.0, 0.15]])
    nobody = Choices.of(paid, EDGES, np.zeros_like(paid))
    np.testing.assert_array_equal(nobody.first, [0, 1])
    np.testing.assert_array_equal(nobody.second, [1, 2])
    np.testing.assert_array_equal(nobody.bin, [0, 1])
    drawn = Choices.of(paid, EDGES, np.array([[0.0, 1.0, 0.31], [0.21, 0.0, 0.1]]))
    np.testing.assert_array_equal(drawn.first, [0, 1])
    np.testing.assert_array_equal(drawn.second, [2, 0])  # the smaller of two that draw; the only one that does
    np.testing.assert_array_equal(drawn.bin, [2, 2])
    own = Choices.of(paid, EDGES, np.full_like(paid, 9.0))
    assert (own.first != own.second).all()


def far_off(alone: float) -> tuple[Cells, np.ndarray, np.ndarray]:
    """Of each of two groups 1,000 in segments 1 and 2, some of them a little towards segment 3, where `alone` are, all of group 1.

    With who is where by the program, in which a hundred of group 0 at the last point go to segment 3.
    """
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.3], [0.0, 2.0]])
    place, group = np.array([0, 0, 1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 0, 1, 1])
    cells = Cells(points[place], np.array([700.0, 700, 300, 300, 300, 300, alone]), group, 2)
    shares = np.eye(3)[[0, 0, 1, 1, 0, 0, 2]]
    shares[4] = [0.7, 0.0, 0.3]
    return cells, shares, np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]])


def test_a_segment_too_small_for_the_boxes_draws_those_nearest_to_it_and_pays_less() -> None:
    cells, shares, prices = far_off(200.0)
    lowered, reach = drawing(cells, CENTERS, shares, prices, np.array([4.0]), noise=50.0**2)
    np.testing.assert_allclose(lowered, prices * [1, 1, LESS])
    # From (0, 0.3) it is 2.8 further to the last center than to the first, from (0, 0) it is 4.
    assert reach[0, 2] == pytest.approx(2.8 - LESS)
    assert reach[0, :2].tolist() == [0, 0]
    assert cells.weights[4] > DRAWN * 90  # who is there is enough
    choices = Choices.of(cells.distances(CENTERS) + lowered[cells.groups], np.array([4.0]), reach[cells.groups] + 1e-9)
    assert choices.second[4] == 2


def test_without_noise_or_where_many_are_asked_for_nothing_changes() -> None:
    cells, shares, prices = far_off(200.0)
    for noise, weights in ((0.0, 1.0), (50.0**2, 20.0)):
        more = Cells(cells.points, cells.weights * weights, cells.groups, cells.joint)
        kept, reach = drawing(more, CENTERS, shares, prices, np.array([4.0]), noise)
        np.testing.assert_array_equal(kept, prices)
        assert not reach.any()


def test_centers_go_where_the_members_are() -> None:
    """A third of group 0 near segment 3 goes there, and twice as many are near it as the boxes let expect."""
    cells, _, _ = far_off(200.0)
    reach = np.array([[0, 0, 3.0], [0, 0, 0]])
    choices = Choices.of(cells.distances(CENTERS), np.array([4.0]), reach[cells.groups])
    boxes = expected(cells, CENTERS, choices, 0.0).mean
    moves = Moves.none(boxes.near.shape)
    moves.near[0, 0, 2, 0] = 1 / 3
    near = boxes.near.copy()
    near[0, 0, 2, 0] *= 2
    found = members_centers(cells, CENTERS, choices, boxes, Presence(near, boxes.rest, boxes.luck), moves, 0.0)
    came = 600 / 3
    assert found[2] == pytest.approx([0.0, 2.0 - TRUST * 1.7 * came / (came + 200)])
    assert found[1] == pytest.approx(CENTERS[1])
    # From the first center, which was the mean of those nearest to it, the same customers are gone.
    left, were = 700 + 700 + 400 + 300, 700 + 700 + 600 + 300
    assert found[0] == pytest.approx([0.0, TRUST * 0.3 * (700 / left - 900 / were)])
    nobody = members_centers(cells, CENTERS, choices, boxes, boxes, Moves.none(boxes.near.shape), 0.0)
    np.testing.assert_allclose(nobody, CENTERS)


@pytest.mark.parametrize("deviation", [0.0, 20.0], ids=["counted exactly", "lost in the noise"])
def test_a_center_stays_where_it_is_when_nearly_everybody_has_left_its_segment(deviation: float) -> None:
    """The boxes put those nearest to the second center 0.05 beside it: of 600 who go and 10 who stay that was a shift of 3."""
    centers, points = np.array([[0.2, 0.2], [0.8, 0.8]]), np.array([[0.2, 0.2], [0.85, 0.8]])
    cells = Cells(points, np.array([5000.0, 610.0]), np.zeros(2, dtype=np.int64), 1)
    choices = Choices.of(cells.distances(centers), np.array([0.01]), np.zeros((2, 2)))
    boxes = expected(cells, centers, choices, 0.0).mean
    moves = Moves.none(boxes.near.shape)
    moves.far[0, 1, 0] = 600 / 610
    found = members_centers(cells, centers, choices, boxes, boxes, moves, deviation)
    np.testing.assert_allclose(found[1], centers[1], atol=1e-9)
    assert found[0, 0] == pytest.approx(0.2 + TRUST * 0.65 * 600 / 5600)  # who has come is described there
