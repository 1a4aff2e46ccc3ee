"""Segments in words: different segments have different words, and an average one is called so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from evenhand.privacy.summary import Summary
from evenhand.segment.label import AVERAGE, UNCLEAR, labels
from sample import plan_yaml

FEATURES = parse_plan(plan_yaml({"features.0.words": {"low": "new here", "high": "faithful"}})).features
MIDDLE = STEPS / 2


def summary(spread: float = 1000.0) -> Summary:
    """Everybody's mean is the middle of each feature, the standard deviation is `spread`."""
    points = np.array([[MIDDLE - spread] * 3, [MIDDLE + spread] * 3])
    return Summary(np.array([0, 1]), np.array([10.0, 10.0]), points, private=True)


def at(*deviations: float) -> np.ndarray:
    return MIDDLE + 1000.0 * np.array(deviations)


def told(*centers: np.ndarray) -> list[str]:
    return labels(np.stack(centers), summary(), FEATURES)


def test_the_words_of_the_plan_are_used_and_a_feature_without_words_says_low_or_high() -> None:
    assert told(at(-2, 0, 0), at(2, 0, 0), at(0, 2, 0)) == ["new here", "faithful", "high spent"]


def test_the_most_telling_feature_comes_first() -> None:
    assert told(at(0.5, -3, 1)) == ["low spent, high visits, faithful"]


def test_a_segment_like_everybody_is_called_average() -> None:
    assert told(at(0.1, -0.2, 0.3)) == [AVERAGE]


def test_segments_that_are_alike_in_words_are_numbered() -> None:
    assert told(at(2, 0, 0), at(3, 0, 0), at(0, 0, 0)) == ["faithful (1)", "faithful (2)", AVERAGE]


def test_labels_are_all_different_whatever_the_centers() -> None:
    random = np.random.default_rng(2)
    for _ in range(50):
        found = told(*(at(*row) for row in random.normal(0, 1, (12, 3))))
        assert len(set(found)) == 12


def test_far_is_measured_in_deviations_of_the_customers_not_of_the_points_that_stand_for_them() -> None:
    """Boxes' means are nearer to each other than the customers in them; 0.5 deviations of the means are 0.25 of the customers'."""
    crowded = replace(summary(), around=np.full((2, 3), 3 * 1000.0**2))
    assert labels(np.stack([at(0.5, 0, 0), at(0, 2, 0)]), crowded, FEATURES) == [AVERAGE, "high spent"]


def test_a_feature_that_may_be_on_either_side_of_everybody_s_mean_is_not_spoken_of() -> None:
    centers = np.stack([at(1, 2, 0), at(1, 0, 0), at(0, 0, 0)])
    reach = np.array([1500.0, 500.0, 10.0])
    assert labels(centers, summary(), FEATURES, (centers - reach, centers + reach)) == ["high spent", UNCLEAR, AVERAGE]


def test_no_word_stands_for_all_segments_where_the_boxes_are_off() -> None:
    """Everybody's mean by the boxes is a deviation below what the people in the segments say of the third feature."""
    centers, reach = np.stack([at(-1, 0, 1.0), at(1, 0, 1.1)]), np.array([50.0, 50.0, 200.0])
    assert labels(centers, summary(), FEATURES, (centers - reach, centers + reach)) == ["new here", "faithful"]


def test_a_feature_that_is_the_same_for_everybody_breaks_nothing() -> None:
    same = Summary(np.array([0]), np.array([10.0]), np.array([[MIDDLE] * 3]), private=True)
    assert labels(np.full((1, 3), MIDDLE), same, FEATURES) == [AVERAGE]
