"""Intervals for the added noise, which has a known distribution: what is left to find out is how far it reaches."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
LEVEL = 0.95
SIMULATIONS, AT_ONCE = 4_000, 500
MARGIN = 0.007  # two standard errors of a level found by so many simulations
# The four blocks that a cell (group g, segment j) of a table sees: itself, the rest of its segment, the rest of its
# group, and everything else. Their noises are independent sums over cells that do not overlap.
CELL, SEGMENT, GROUP, REST = range(4)


def blocks(table: Floats) -> Floats:
    """The sums of the four blocks around every cell, shape (4, ..., groups, segments)."""
    segment, group = table.sum(axis=-2, keepdims=True) - table, table.sum(axis=-1, keepdims=True) - table
    return np.stack([table, segment, group, table.sum(axis=(-2, -1), keepdims=True) - table - segment - group])


@lru_cache(maxsize=256)
def _critical(noise: Noise, groups: int, segments: int, of: tuple[int, ...], everywhere: bool) -> float:
    """How many standard deviations the noise of the blocks reaches at most, all at once, with 95 %.

    Of the blocks of one cell, or `everywhere` of all cells at once. Simulated: the noise of overlapping blocks hangs
    together, which a bound by adding up chances would not use.
    """
    random, reached = np.random.default_rng(1), []
    for _ in range(SIMULATIONS // AT_ONCE):
        drawn = noise.simulated(random, AT_ONCE * groups * segments).reshape(AT_ONCE, groups, segments)
        size = _deviations(noise, groups, segments)[list(of), None, None, None]
        found = np.abs(blocks(drawn.astype(np.float64))[list(of)]) / np.where(size > 0, size, 1.0)
        found = found if everywhere else found[..., :1, :1]
        reached.append(found.max(axis=(0, 2, 3)))
    return float(np.quantile(np.concatenate(reached), LEVEL + MARGIN, method="higher"))


def _deviations(noise: Noise, groups: int, segments: int) -> Floats:
    """Standard deviation of each block's noise, shape (4,)."""
    cells = np.array([1, groups - 1, segments - 1, (groups - 1) * (segments - 1)])
    deviations: Floats = noise.deviation * np.sqrt(cells)
    return deviations


def block_bounds(noisy: Floats, noise: Noise, of: tuple[int, ...], everywhere: bool = False) -> tuple[Floats, Floats]:
    """Bounds that hold for the exact blocks around a cell at once with 95 %, each of shape (len(of), groups, segments).

    `everywhere`: they hold for all cells at once.
    """
    critical = _critical(noise, *noisy.shape, of, everywhere)
    reach = (critical * _deviations(noise, *noisy.shape)[list(of)])[:, None, None]
    middle = blocks(noisy)[list(of)]
    return np.maximum(middle - reach, 0.0), np.maximum(middle + reach, 0.0)


def share_bounds(noisy: Floats, noise: Noise, whole: int) -> tuple[Floats, Floats]:
    """Bounds of each cell's share of its segment or its group (`whole`), shape (groups, segments).

    A share a / (a + others) grows with a and falls with the others, so the extremes are at corners.
    """
    low, high = block_bounds(noisy, noise, (CELL, whole))
    return low[0] / np.maximum(low[0] + high[1], 1.0), np.minimum(high[0] / np.maximum(high[0] + low[1], 1.0), 1.0)
