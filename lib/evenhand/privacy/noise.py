"""Where noise comes from: OpenDP's discrete Laplace and discrete Gaussian on integers, seeded by the operating system."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np
import opendp.prelude as dp
from numpy.typing import NDArray

from evenhand.privacy.cube import Cube, drawn

THREADS = 2  # OpenDP's calls release Python's lock
CHUNK = 32_768
EXACT_BELOW = 1_000.0  # of a larger σ: a discrete Gaussian hardly differs from a rounded one
TAIL = 12  # deviations, beyond which a Gaussian has less than 1e-32

dp.enable_features("contrib")  # type: ignore[no-untyped-call]  # the discrete noise constructors are in this tier


@dataclass(frozen=True)
class Laplace:
    """Discrete Laplace noise: P(x) proportional to exp(-|x| / scale) on the integers."""

    scale: float
    excess_kurtosis = 3.0

    @property
    def like_laplace(self) -> float:
        return self.scale

    @property
    def deviation(self) -> float:
        p = math.exp(-1.0 / self.scale)
        return math.sqrt(2 * p) / (1 - p)

    def half_width(self, level: float) -> int:
        """The smallest t with P(|noise| <= t) >= level: P(|X| > t) = 2 p^(t+1) / (1 + p) with p = exp(-1/scale)."""
        p = math.exp(-1.0 / self.scale)
        return max(0, math.ceil(math.log((1 - level) * (1 + p) / 2) / math.log(p) - 1))

    def simulated(self, random: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draws for simulation (intervals, tests), never for privacy.

        The difference of two geometric variables (Inusah and Kozubowski, "A discrete analogue of the Laplace
        distribution", 2006, proposition 3.1).
        """
        p = -np.expm1(-1.0 / self.scale)
        return (random.geometric(p, size) - random.geometric(p, size)).astype(np.int64)


@dataclass(frozen=True)
class Gaussian:
    """Discrete Gaussian noise: P(x) proportional to exp(-x² / 2σ²) on the integers; `scale` is σ."""

    scale: float
    excess_kurtosis = 0.0

    @property
    def like_laplace(self) -> float:
        """The scale of the Laplace noise with the same variance."""
        return self.scale / math.sqrt(2)

    @property
    def deviation(self) -> float:
        if self.scale >= EXACT_BELOW:
            return self.scale
        support, chances = self._distribution()
        return math.sqrt(float((support.astype(np.float64) ** 2 * chances).sum()))

    def half_width(self, level: float) -> int:
        """The smallest t with P(|noise| <= t) >= level; for a large σ the next integer above the normal quantile."""
        if self.scale >= EXACT_BELOW:
            return math.ceil(self.scale * NormalDist().inv_cdf((1 + level) / 2))
        support, chances = self._distribution()
        within = np.cumsum(np.where(support == 0, chances, 2 * chances)[support >= 0])
        return int(np.argmax(within >= level))

    def simulated(self, random: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draws for simulation (intervals, tests), never for privacy."""
        if self.scale >= EXACT_BELOW:
            return np.rint(random.normal(0.0, self.scale, size)).astype(np.int64)
        support, chances = self._distribution()
        found = np.searchsorted(np.cumsum(chances), random.random(size))
        return support[np.minimum(found, len(support) - 1)]

    def _distribution(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        most = math.ceil(TAIL * self.scale) + 1
        support = np.arange(-most, most + 1)
        weights = np.exp(-(support.astype(np.float64) ** 2) / (2 * self.scale**2))
        return support, weights / weights.sum()


Noise = Laplace | Gaussian | Cube


class NoiseSource(Protocol):
    """Adds noise to integers. Whatever a source that is not `private` touches is marked `not_private`."""

    private: bool

    def add(self, exact: NDArray[np.int64], noise: Noise) -> NDArray[np.int64]:
        """The values plus noise of that distribution, independent from cell to cell, or from row to row of a `Cube`."""
        ...


class OpenDPNoise:
    """Exact sampling (Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", 2020), no seed."""

    private = True

    def add(self, exact: NDArray[np.int64], noise: Noise) -> NDArray[np.int64]:
        mechanism, each = _mechanism(noise), CHUNK
        if isinstance(noise, Cube):
            each = noise.width * max(1, CHUNK // (noise.width + 1))  # as many draws as cells, and one more a row
        chunks = [exact[i : i + each] for i in range(0, len(exact), each)]
        with ThreadPoolExecutor(THREADS) as pool:
            return np.concatenate(list(pool.map(mechanism, chunks)))


def _mechanism(noise: Noise) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
    """What adds exact draws of the noise to integers."""
    domain = dp.vector_domain(dp.atom_domain(T=dp.i64))
    if isinstance(noise, Gaussian):
        measurement = dp.m.make_gaussian(domain, dp.l2_distance(T=dp.i64), scale=noise.scale)
    else:
        measurement = dp.m.make_laplace(domain, dp.l1_distance(T=dp.i64), scale=noise.scale)

    def added(exact: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(measurement(exact), dtype=np.int64)

    if not isinstance(noise, Cube):
        return added

    def added_to_rows(exact: NDArray[np.int64]) -> NDArray[np.int64]:
        return exact + drawn(noise, len(exact) // noise.width, lambda n: added(np.zeros(n, dtype=np.int64))).ravel()

    return added_to_rows


class NoNoise:
    """For measuring what noise costs. Nothing that it touches is private."""

    private = False

    def add(self, exact: NDArray[np.int64], noise: Noise) -> NDArray[np.int64]:
        return exact.copy()


class SeededNoise:
    """The same distributions from a seed, for tests that must give the same result twice. Not private."""

    private = False

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def add(self, exact: NDArray[np.int64], noise: Noise) -> NDArray[np.int64]:
        return exact + noise.simulated(self._random, len(exact))
