"""Boxes that hold several categories of a column: what is known of them, and how far the intervals of centers reach."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from evenhand.ask.boxes import COUNT, OFFSETS, Summary, box_parts, boxes_in
from evenhand.learn.intervals import center_ends
from evenhand.plan.geometry import STEPS, Boxes, offset_factors
from evenhand.plan.parted import FULL, Parted
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import made_up
from evenhand.privacy.sample import Sample
from plans import any_plan

N, DRAWS = 4_000, 200
PLAN = any_plan(1, 2, (2,), categories=(3,), epsilon=0.3, expected=N)
BOXES = Boxes(((0, STEPS // 2, STEPS),), (Parted((1, 2, 3, 4), (0, 1, 1, 1)),))


def test_the_interval_of_a_center_holds_whatever_categories_are_together_in_a_box() -> None:
    """The hardest case: of those who are together all are in one. False alarms below 1e-6 by the binomial distribution of the draws."""
    random = np.random.default_rng(1)
    points = np.zeros((N, 5), dtype=np.int64)
    points[:, 0] = random.integers(0, STEPS, N)
    points[:, 1:] = np.eye(4, dtype=np.int64)[np.where(random.random(N) < 0.3, 0, 3)] * FULL
    keys = boxes_in(Sample.of(points), BOXES)
    counts, offsets = np.bincount(keys, minlength=BOXES.count), np.zeros((BOXES.count, 1), dtype=np.int64)
    np.add.at(offsets, keys, (points - BOXES.centers[keys])[:, :1])
    exact = {COUNT: counts, OFFSETS: (offsets * offset_factors(BOXES.halves, "epsilon")).ravel()}
    kept = Summary(np.arange(BOXES.count), counts.astype(float), BOXES.centers.astype(float), private=False)
    centers = np.array([[STEPS / 2, 0.3 * FULL, 0.7 * FULL / 3, 0.7 * FULL / 3, 0.7 * FULL / 3]])
    truth, inside = points.mean(axis=0), np.zeros(5)
    for seed in range(DRAWS):
        low, high = center_ends(made_up(exact, box_parts(PLAN, BOXES), SeededNoise(seed)), BOXES, centers, kept)
        inside += (low[0] <= truth) & (truth <= high[0])
        assert (high[0, :2] - low[0, :2] < STEPS / 4).all()  # of what is apart something is known
    assert (binom.cdf(inside, DRAWS, 0.95) > 1e-6 / 5).all(), inside
