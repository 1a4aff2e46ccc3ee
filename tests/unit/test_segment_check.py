"""A segment that noise made goes, a small one of many small boxes stays."""

from __future__ import annotations

import numpy as np

from evenhand.ask.boxes import Summary
from evenhand.learn.checked import made_by_noise, without
from evenhand.learn.cluster import Fit
from evenhand.plan.geometry import STEPS


def test_the_boxes_of_a_segment_that_noise_made_are_taken_out_and_those_of_a_small_true_one_are_kept() -> None:
    large, small, made = np.array([0.1, 0.1]), np.array([0.9, 0.1]), np.array([0.5, 0.9])
    centers = np.stack([large, small, made]) * STEPS
    boxes = np.array([0, 0, 1, 2, 3, 4])  # the first in two points
    points = Summary(boxes, np.array([500.0, 500.0, 20, 15, 15, 25]), centers[[0, 0, 0, 1, 1, 2]], private=False)
    kept = without(points, Fit(centers, 0.0, "made"), np.array([False, False, True]), sure=40.0)
    # Box 1 is small beside the large ones of its segment, as only noise may be; 2 and 3 are all that theirs has.
    np.testing.assert_array_equal(kept.boxes, [0, 0, 2, 3])
    np.testing.assert_array_equal(kept.weights, [500, 500, 15, 15])


def test_a_segment_that_passed_by_luck_is_found_by_the_second_count() -> None:
    first, second = np.array([900, 120, 300]), np.array([880, -30, 190])
    np.testing.assert_array_equal(made_by_noise([first], 37.0), [False, False, False])
    np.testing.assert_array_equal(made_by_noise([first, second], 37.0), [False, True, False])
    np.testing.assert_array_equal(made_by_noise([second], 37.0), [False, True, False])
