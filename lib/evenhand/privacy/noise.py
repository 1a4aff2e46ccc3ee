"""Where noise comes from: OpenDP's discrete Laplace on integers, seeded by the operating system."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import opendp.prelude as dp
from numpy.typing import NDArray

THREADS = 2  # OpenDP's calls release Python's lock
CHUNK = 32_768

dp.enable_features("contrib")  # type: ignore[no-untyped-call]  # the discrete Laplace constructor is in this tier


@dataclass(frozen=True)
class Laplace:
    """Discrete Laplace noise: P(x) proportional to exp(-|x| / scale) on the integers."""

    scale: float
    excess_kurtosis = 3.0

    @property
    def deviation(self) -> float:
        p = math.exp(-1.0 / self.scale)
        return math.sqrt(2 * p) / (1 - p)

    def half_width(self, level: float) -> int:
        p = math.exp(-1.0 / self.scale)
        return max(0, math.ceil(math.log((1 - level) * (1 + p) / 2) / math.log(p) - 1))

    def simulated(self, random: np.random.Generator, size: int) -> NDArray[np.int64]:
        return discrete_laplace(random, self.scale, size)


Noise = Laplace


class NoiseSource(Protocol):
    """Adds noise to integers. Whatever a source that is not `private` touches is marked `not_private`."""

    private: bool

    def add(self, exact: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        """The values plus independent discrete Laplace noise, P(x) proportional to exp(-|x| / scale)."""
        ...


class OpenDPNoise:
    """Exact sampling (Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", 2020), no seed."""

    private = True

    def add(self, exact: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        space = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.l1_distance(T=dp.i64)
        mechanism = dp.m.make_laplace(*space, scale=scale)
        chunks = [exact[i : i + CHUNK] for i in range(0, len(exact), CHUNK)]
        with ThreadPoolExecutor(THREADS) as pool:
            return np.concatenate([np.asarray(part, dtype=np.int64) for part in pool.map(mechanism, chunks)])


class NoNoise:
    """For measuring what noise costs. Nothing that it touches is private."""

    private = False

    def add(self, exact: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        return exact.copy()


class SeededNoise:
    """The same distribution from a seed, for tests that must give the same result twice. Not private."""

    private = False

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def add(self, exact: NDArray[np.int64], scale: float) -> NDArray[np.int64]:
        return exact + discrete_laplace(self._random, scale, len(exact))


def discrete_laplace(random: np.random.Generator, scale: float, size: int) -> NDArray[np.int64]:
    """Draws of the discrete Laplace distribution for simulation (intervals, tests), never for privacy.

    The difference of two geometric variables (Inusah and Kozubowski, "A discrete analogue of the Laplace
    distribution", 2006, proposition 3.1).
    """
    p = -np.expm1(-1.0 / scale)
    return (random.geometric(p, size) - random.geometric(p, size)).astype(np.int64)
