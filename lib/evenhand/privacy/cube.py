"""Noise shaped to a cube, for a row of figures that one customer changes all at once.

Independent Laplace noise would be split among the figures. What one customer can change a row by, each figure by at most
its bound, is a cube, and noise that is even over cubes protects just that: the K-norm mechanism (Hardt and Talwar, "On
the geometry of differential privacy", STOC 2010; Awan and Slavković, "Structure and sensitivity in differential privacy",
JASA 2021). OpenDP has none (0.16); this one is on the integers, and made of its exact draws.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import ClosedDoor
from evenhand.plan.accounting import cube_half_width

Integers = NDArray[np.int64]
EXACT_BELOW = 1_000.0  # of a larger scale: the lattice hardly differs from continuous space
LARGEST_SCALE = 2.0**50  # so that a sum of draws reaches 2^62 with a chance below e^-1000


@dataclass(frozen=True)
class Cube:
    """Noise on rows of `width` integers: P(z) proportional to exp(-max |z_j| / scale).

    A row is even on the integers of {-R..R}^width, its radius R being random:

        exp(-|z| / s) = sum over R >= |z| of (1 - p) p^R,  p = exp(-1/s),  so P(R) is proportional to (2R + 1)^width p^R.

    The figures below are those of one cell. For a large scale they are of continuous space, where R / s has the Gamma
    distribution of shape width + 1. With a width of 1 it is discrete Laplace noise.
    """

    scale: float
    width: int

    def __post_init__(self) -> None:
        if not (0 < self.scale <= LARGEST_SCALE and self.width >= 1):
            raise ClosedDoor(f"noise of scale {self.scale:g} in rows of {self.width} is more than 64-bit integers hold")

    @property
    def like_laplace(self) -> float:
        """The scale of the Laplace noise with the same variance."""
        return self.deviation / math.sqrt(2)

    @property
    def deviation(self) -> float:
        if self.scale >= EXACT_BELOW:
            return self.scale * math.sqrt((self.width + 1) * (self.width + 2) / 3)
        radius, chances = self._radii()
        return math.sqrt(float((radius * (radius + 1) / 3 * chances).sum()))

    @property
    def excess_kurtosis(self) -> float:
        """3 for a width of 1, as Laplace noise has; near that of an even distribution, -1.2, for very many."""
        d = self.width
        return 9 * (d + 3) * (d + 4) / (5 * (d + 1) * (d + 2)) - 3

    def half_width(self, level: float) -> int:
        """The smallest t with P(|noise| <= t) >= level; for a large scale the next integer above that of continuous space."""
        if self.scale >= EXACT_BELOW:
            return math.ceil(self.scale * cube_half_width(self.width, level))
        radius, chances = self._radii()
        after = np.append(np.cumsum((chances / (2 * radius + 1))[::-1])[::-1][1:], 0.0)
        within = np.cumsum(chances) + (2 * radius + 1) * after
        return int(np.argmax(within >= min(level, within[-1])))

    def simulated(self, random: np.random.Generator, size: int) -> Integers:
        """Draws for simulation (intervals, tests), never for privacy: so many cells, row after row."""
        rows = -(-size // self.width)
        if self.scale >= EXACT_BELOW:
            radius = np.floor(random.gamma(self.width + 1, self.scale, rows)).astype(np.int64)
        else:
            found = np.searchsorted(np.cumsum(self._radii()[1]), random.random(rows))
            radius = np.minimum(found, len(self._radii()[0]) - 1).astype(np.int64)
        return random.integers(-radius[:, None], radius[:, None], (rows, self.width), endpoint=True).ravel()[:size]

    def _radii(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The values of R that are not next to impossible, ascending from 0, and their chances."""
        radius = np.arange(math.ceil(self.scale * _farthest(self.width)) + 2, dtype=np.float64)
        logs = self.width * np.log(2 * radius + 1) - radius / self.scale
        chances = np.exp(logs - logs.max())
        return radius, chances / chances.sum()


def _farthest(width: int) -> float:
    """In scales: a radius that is exceeded with a chance below e^-40."""
    return 2.0 * (width + 1) + 100.0


def drawn(noise: Cube, rows: int, laplace: Callable[[int], Integers]) -> Integers:
    """Exact draws, shape (rows, width). `laplace(n)` gives n exact draws of discrete Laplace noise of the same scale."""
    radius = _drawn_radii(noise.width, rows, laplace)[:, None]
    spots = even_below(np.broadcast_to(2 * radius.astype(np.uint64) + np.uint64(1), (rows, noise.width)))
    return spots.astype(np.int64) - radius


def _drawn_radii(width: int, rows: int, laplace: Callable[[int], Integers]) -> Integers:
    """Exact draws of R, P(R) proportional to (2R + 1)^width p^R, shape (rows,).

    A discrete Laplace draw x gives a geometric one, P(g) proportional to p^g: x, or -x - 1 where it is negative. The sum of
    width + 1 of them has P(R) proportional to (R + 1)...(R + width) p^R. It is kept with the chance of the product over i = 1..width
    of (2R + 1) / (2R + 2i), that is (2R + 1)^width over (R + 1)...(R + width), but for a constant; each factor is a draw
    of its own. Of large radii nearly all are kept.
    """
    found, missing = np.empty(rows, dtype=np.int64), np.arange(rows)
    while len(missing):
        draws = laplace(len(missing) * (width + 1))
        radius = np.where(draws >= 0, draws, -draws - 1).reshape(-1, width + 1).sum(axis=1)
        twice = 2 * radius.astype(np.uint64)[:, None]
        chances = even_below(twice + 2 * np.arange(1, width + 1, dtype=np.uint64))
        kept = (chances <= twice).all(axis=1)
        found[missing[kept]] = radius[kept]
        missing = missing[~kept]
    return found


def even_below(bounds: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Integers from 0 to below each bound, all equally likely, from the operating system's randomness.

    64 random bits modulo the bound, drawn again where they are among the 2^64 modulo bound values that would be one too many.
    """
    found, missing = np.empty(bounds.size, dtype=np.uint64), np.arange(bounds.size)
    flat = bounds.ravel()
    surplus = (np.uint64(0) - flat) % flat  # wraps: 2^64 - bound
    while len(missing):
        bits = np.frombuffer(os.urandom(8 * len(missing)), dtype=np.uint64)
        kept = bits >= surplus[missing]
        found[missing[kept]] = bits[kept] % flat[missing[kept]]
        missing = missing[~kept]
    return found.reshape(bounds.shape)
