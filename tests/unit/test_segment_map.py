"""The map of the segments: where it puts them, what it says that it holds, and when it is not shown."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from test_report import facts, profile

from evenhand.describe.plane import plane_of
from evenhand.report.drawing import NARROW, WIDE
from evenhand.report.facts import Facts
from evenhand.report.page import render
from evenhand.report.segment_map import _placed, drawn_map, map_of

WORDS = {"features.1.words": {"low": "spends little", "high": "spends much"}}
FLAT = np.array([[0.0, 0.0, 0.0], [1.0, 0.1, 0.0], [2.0, 1.0, 0.01], [3.0, 0.0, 0.0]])  # nearly in a plane


def with_values(values: dict[str, tuple[float, float, float]], half: float = 0.01, plan: dict[str, Any] | None = None) -> Facts:
    """Facts whose three segments have these values, each with a range of that part of it on either side."""
    made = facts(plan=WORDS | (plan or {}))
    rows = []
    for row in made.profiles:
        if row["measure"] in values:
            value = values[row["measure"]][row["segment"] - 1]
            row = profile(row["segment"], row["measure"], value) | {"low": value - half * 10, "high": value + half * 10}
        rows.append(row)
    return replace(made, profiles=rows)


APART = {"tenure": (2.0, 18.0, 10.0), "spent": (40.0, 40.0, 800.0), "visits": (5.0, 5.2, 5.1)}


def test_segments_in_a_plane_keep_their_distances_and_all_of_their_spread() -> None:
    flat = FLAT * [1, 1, 0]
    found = plane_of(flat, flat, flat, np.array([4.0, 3.0, 2.0, 1.0]))
    assert found is not None
    assert found.held == pytest.approx((1.0, 1.0, 1.0))
    for one, other in combinations(range(4), 2):
        assert np.linalg.norm(found.places[one] - found.places[other]) == pytest.approx(np.linalg.norm(flat[one] - flat[other]))
    assert found.axes[0, 0] > 0.9  # the first is high where the feature with the largest spread is


def test_places_and_share_on_these_axes_are_in_their_ranges_19_times_in_20() -> None:
    """1,000 draws; of figures missed with 5 % more than 85 by chance less than once in 10,000. Places of four segments on two axes are held together by no more than each alone."""
    random, true, sizes = (
        np.random.default_rng(1),
        FLAT + np.array([0, 0, 0.6]) * [[1], [-1], [1], [-1]],
        np.array([4.0, 3.0, 2.0, 1.0]),
    )
    half, missed, missed_places = 0.15, 0, np.zeros((4, 2))
    for _ in range(1000):
        noisy = true + random.laplace(0, half / 3, true.shape)  # 95 % of a Laplace distribution are within 3 of its scales
        found = plane_of(noisy, noisy - half, noisy + half, sizes)
        assert found is not None
        weights = sizes / sizes.sum()
        apart = true - weights @ true
        places = apart @ found.axes.T
        held = (weights @ (places**2).sum(axis=1)) / (weights @ (apart**2).sum(axis=1))
        missed += not found.held[1] <= held <= found.held[2]
        missed_places += np.abs(places - found.places) > found.reach
    assert missed <= 85
    assert missed_places.max() <= 85


def test_of_segments_in_one_place_there_is_no_plane() -> None:
    same = np.ones((3, 2))
    assert plane_of(same, same, same, np.ones(3)) is None


def test_the_directions_are_said_in_the_words_of_the_features_that_make_them() -> None:
    found = map_of(with_values(APART))
    assert found is not None
    assert set(found.ends) == {"low tenure", "high tenure", "spends little", "spends much"}
    assert (
        dict(zip(found.segments, found.plane.places[:, 0] > 0, strict=True))[2] == (found.ends[1] == "high tenure")
        or found.ends[1] != "high tenure"
    )
    assert found.sentence.startswith("Its two directions hold ")


@pytest.mark.parametrize("paper", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_drawing_has_the_words_and_every_segment_and_says_them_to_who_does_not_see_it(paper: Any) -> None:
    made = with_values(APART)
    found = map_of(made)
    assert found is not None
    drawn = drawn_map(found, made.labels, paper)
    for words in ("spends much", "high tenure", "Map of the segments."):
        assert words in drawn
    assert all(label in drawn for label in made.labels.values())  # on a telephone in the text alone


def test_it_is_on_the_page_only_where_two_directions_bear_it_for_sure() -> None:
    said = "Segments that are near each other on the map"
    assert said in render(with_values(APART))
    assert said not in render(with_values(APART, half=0.5))  # noise
    assert said not in render(facts())  # all alike


def test_four_segments_apart_in_three_directions_have_no_map() -> None:
    corners = np.eye(4)
    found = plane_of(corners, corners, corners, np.ones(4))
    assert found is not None and found.held[0] < 0.75


def test_labels_keep_clear_of_each_other_however_near_segments_are() -> None:
    random = np.random.default_rng(2)
    for _ in range(50):
        spots = [
            {"segment": i, "x": x, "y": y, "radius": random.uniform(4, 30)}
            for i, (x, y) in enumerate(random.normal([440, 200], [60, 30], (10, 2)), 1)
        ]
        texts = {s["segment"]: f"{s['segment']} · buys often, spends much\u2028not seen for long" for s in spots}
        placed = _placed(spots, texts, (0.0, 0.0, 880.0, 400.0))
        assert len(placed) >= 9
        for one, other in combinations(placed, 2):
            assert abs(one["x"] - other["x"]) > 150 or abs(one["y"] - other["y"]) >= 34
