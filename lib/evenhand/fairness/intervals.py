"""Intervals of the fairness statistics that hold the figure without noise with 95 %, for any table of counts.

Resampling the noise around the noisy figure would not do: a worst case over noisy cells is already pushed outwards once,
and counts near zero are cut off. So the exact counts are bounded first, all that matter at once, and the statistic is
then taken to its extremes within the bounds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.statistics import total_variation
from evenhand.privacy.intervals import CELL, GROUP, LEVEL, REST, SEGMENT, block_bounds
from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
GRID = 33  # where the ratio need not be monotone
SIMULATIONS = 2_000


def ratio_bounds(noisy: Floats, noise: Noise, everywhere: bool = False) -> tuple[Floats, Floats]:
    """Bounds of the representation ratio of each cell, a N / ((a + b) (a + c)), shape (groups, segments).

    It falls with the rests b and c of the segment and the group and grows with everything else; in a it may do either.
    """
    low, high = block_bounds(noisy, noise, (CELL, SEGMENT, GROUP, REST), everywhere)
    a = np.linspace(low[CELL], high[CELL], GRID)
    lowest = _ratio(a, high[SEGMENT], high[GROUP], low[REST]).min(axis=0)
    highest = _ratio(a, low[SEGMENT], low[GROUP], high[REST]).max(axis=0)
    return lowest, highest


def _ratio(a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
    ratio: Floats = a * (a + b + c + d) / (np.maximum(a + b, 1.0) * np.maximum(a + c, 1.0))
    return ratio


def worst_representation_bounds(noisy: Floats, noise: Noise) -> tuple[float, float]:
    """Of min(r, 1/r) over all cells."""
    low, high = ratio_bounds(noisy, noise, everywhere=True)
    at_least = np.minimum(low, 1 / np.maximum(high, 1.0))
    at_most = np.where((low <= 1) & (high >= 1), 1.0, np.where(high < 1, high, 1 / np.maximum(low, 1.0)))
    return float(at_least.min()), float(at_most.min())


def balance_bounds(noisy: Floats, noise: Noise) -> tuple[float, float]:
    """Of the smallest over the largest group within a segment, the worst segment; a segment that may be empty is at most 1."""
    low, high = (bound[0] for bound in block_bounds(noisy, noise, (CELL,), everywhere=True))
    at_least = low.min(axis=0) / np.maximum(high.max(axis=0), 1.0)
    at_most = np.minimum(high.min(axis=0) / np.maximum(low.max(axis=0), 1.0), 1.0)
    return float(at_least.min()), float(np.where(low.max(axis=0) > 0, at_most, 1.0).min())


def total_variation_bounds(noisy: Floats, noise: Noise) -> tuple[float, float]:
    """Of the greatest distance between a group's distribution and everybody's.

    By the triangle inequality the noise moves it by the greatest distance between exact and noisy differences of
    distributions at most; that distance is simulated.
    """
    drawn = noise.simulated(np.random.default_rng(1), SIMULATIONS * noisy.size).reshape(SIMULATIONS, *noisy.shape)
    moved = _differences(np.maximum(noisy + drawn, 0.0)) - _differences(noisy)
    radius = float(np.quantile(np.abs(moved).sum(axis=-1).max(axis=-1) / 2, LEVEL, method="higher"))
    found = float(total_variation(np.maximum(noisy, 0.0)))
    return max(found - radius, 0.0), min(found + radius, 1.0)


def _differences(table: Floats) -> Floats:
    """p_j|g - p_j, shape (..., groups, segments)."""
    group = table / np.maximum(table.sum(axis=-1, keepdims=True), 1.0)
    everyone = table.sum(axis=-2, keepdims=True)
    differences: Floats = group - everyone / np.maximum(everyone.sum(axis=-1, keepdims=True), 1.0)
    return differences


BOUNDS = {
    "representation_ratio": worst_representation_bounds,
    "balance": balance_bounds,
    "total_variation": total_variation_bounds,
}
