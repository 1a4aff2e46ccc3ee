"""Intervals for the added noise, which has a known distribution: what is left to find out is how far it reaches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
LEVEL = 0.95
EACH_OF_TWO = (1 + LEVEL) / 2  # so that two figures hold together with 95 % (Bonferroni)
SIMULATIONS = 20_000
MARGIN = 0.003  # two standard errors of a level found by so many simulations


@dataclass(frozen=True)
class Estimate:
    """A figure and the ends of its interval, of the level that its maker states."""

    value: float
    low: float
    high: float


@lru_cache(maxsize=256)
def sum_half_width(noise: Noise, cells: int, level: float) -> float:
    """How far the sum of the noise of so many cells reaches, with that chance; simulated."""
    if cells == 0:
        return 0.0
    sums = noise.simulated(np.random.default_rng(1), SIMULATIONS * cells).reshape(SIMULATIONS, cells).sum(axis=1)
    return float(np.quantile(np.abs(sums), min(level + MARGIN, 1.0), method="higher"))


def sum_reach(terms: Floats, excess: Floats | float, level: float) -> Floats:
    """How far sums of independent noise reach with that chance, on either side; the terms' deviations, added up over the first axis.

    The normal quantile, corrected for the tails of few terms (Cornish and Fisher, 1938); `excess` is their excess kurtosis.
    """
    squares = np.asarray(terms, dtype=np.float64) ** 2
    variance, z = squares.sum(axis=0), NormalDist().inv_cdf((1 + level) / 2)
    kurtosis = excess * (squares**2).sum(axis=0) / np.maximum(variance, 1e-150) ** 2
    return np.sqrt(variance) * (z + (z**3 - 3 * z) * np.minimum(kurtosis, excess) / 24)  # type: ignore[no-any-return]


def quotient_ends(low: Floats, high: Floats, least: Floats | float, most: Floats | float) -> tuple[Floats, Floats]:
    """From and to of a sum over a count that lie between their ends; a count is at least 1, or there is no mean."""
    corners = [end / np.maximum(n, 1.0) for end in (low, high) for n in (least, most)]
    return np.min(corners, axis=0), np.max(corners, axis=0)


def share_bounds(noisy: Floats, noise: Noise) -> tuple[Floats, Floats]:
    """Bounds of each cell's share of the whole, shape (cells,), that hold for the noise with 95 %.

    A share a / (a + others) grows with a and falls with the others, whose noises are independent: each of the two lies
    in its bounds with the root of 95 %.
    """
    each = LEVEL**0.5
    others, of_cell, of_others = noisy.sum() - noisy, noise.half_width(each), sum_half_width(noise, len(noisy) - 1, each)
    low, high = np.maximum(noisy - of_cell, 0.0), np.maximum(noisy + of_cell, 0.0)
    least, most = np.maximum(others - of_others, 0.0), np.maximum(others + of_others, 0.0)
    return low / np.maximum(low + most, 1.0), np.minimum(high / np.maximum(high + least, 1.0), 1.0)
