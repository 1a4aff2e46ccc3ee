"""The group summary as it is read: never negative, and neither boxes nor groups change size by cutting off noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.ask.boxes import Summary
from evenhand.ask.groups import COUNTS, read_group_counts
from evenhand.mitigate.cells import coarse_cells, fine_cells
from evenhand.plan.geometry import STEPS, Boxes
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import Laplace
from sample import plan_yaml

MITIGATION = {"fairness.mitigation": {"method": "group_blind", "attributes": ["gender"]}}


def noisy_world(scale: float) -> tuple[Any, Summary, np.ndarray]:
    """64 boxes of 100 customers, a tenth of them in the second group, none in the last two; and the truth."""
    random = np.random.default_rng(4)
    truth = np.tile([90.0, 10.0, 0.0, 0.0], (64, 1))
    noise = Laplace(scale).simulated(random, truth.size).reshape(truth.shape) if scale else 0
    points = random.uniform(0, STEPS - 1, (64, 3))
    summary = Summary(np.arange(64), np.full(64, 100.0), points, private=True)
    return {COUNTS: (truth + noise).astype(np.int64).ravel()}, summary, truth


def test_noise_cut_off_at_zero_does_not_make_small_groups_larger() -> None:
    """Noise of scale 15 on cells of 10: cut off alone, the second group would grow from 640 to some 900, the third to 480."""
    release, summary, truth = noisy_world(15.0)
    counts = read_group_counts(release, summary, parse_plan(plan_yaml(MITIGATION)))
    assert (counts >= 0).all()
    np.testing.assert_allclose(counts.sum(axis=1), summary.weights)
    wanted = np.maximum(release[COUNTS].reshape(64, 4).sum(axis=0), 0.0)
    np.testing.assert_allclose(counts.sum(axis=0), wanted / wanted.sum() * 6400, rtol=0.05, atol=5.0)
    assert np.maximum(release[COUNTS].reshape(64, 4), 0).sum(axis=0)[1] > 1.2 * truth.sum(axis=0)[1]


def test_without_noise_the_counts_are_the_truth() -> None:
    release, summary, truth = noisy_world(0.0)
    np.testing.assert_allclose(read_group_counts(release, summary, parse_plan(plan_yaml(MITIGATION))), truth, atol=1e-6)


@pytest.mark.parametrize("axes", [np.ones(3), np.array([0.3, 1.0, 1.38])], ids=["even", "weighted"])
def test_spread_cells_keep_the_mean_and_stay_in_their_box(axes: np.ndarray) -> None:
    """In the unit cube, and in one of which weights stretch the axes."""
    boxes = Boxes.halved([1.0] * 3, 6)
    random = np.random.default_rng(2)
    inside = random.uniform(0.0, 1.0, (64, 3))
    inside[0], inside[1] = 0.0, 1.0
    points = boxes.centers + (2 * inside - 1) * boxes.halves
    summary, counts = Summary(np.arange(64), np.full(64, 100.0), points, private=True, stretch=axes), np.full((64, 2), 50.0)
    coarse, fine = coarse_cells(summary, counts), fine_cells(summary, counts, boxes, None)
    assert len(fine.weights) == 8 * len(coarse.weights)
    np.testing.assert_allclose(fine.totals(), coarse.totals())
    of_box = fine.points.reshape(64, -1, 3) / axes
    np.testing.assert_allclose(of_box.mean(axis=1), summary.points / STEPS, atol=1e-9)
    assert (np.abs(of_box - (boxes.centers / STEPS)[:, None]) <= (boxes.halves / STEPS)[:, None] + 1e-9).all()
    assert of_box[2:].std(axis=1).min() > 0
