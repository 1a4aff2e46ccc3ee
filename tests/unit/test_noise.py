"""The noise has the distribution that the privacy proof assumes, and the intervals cover what they promise.

P(X = x) = (1 - p) / (1 + p) p^|x| with p = exp(-1/scale); variance 2p / (1 - p)²; P(X >= t) = p^t / (1 + p) for t >= 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from evenhand.privacy.intervals import half_width
from evenhand.privacy.noise import CHUNK, NoNoise, OpenDPNoise, SeededNoise, discrete_laplace

DRAWS = 100_000
Z = 5.1  # P(|N(0,1)| > 5.1) < 4e-7
SCALES = [0.3, 1.0, 7.5, 400.0]


@cache
def opendp(scale: float) -> np.ndarray:
    return OpenDPNoise().add(np.zeros(DRAWS, dtype=np.int64), scale)


@cache
def simulated(scale: float) -> np.ndarray:
    return discrete_laplace(np.random.default_rng(), scale, DRAWS)


SOURCES = pytest.mark.parametrize("draw", [opendp, simulated])
Draw = Callable[[float], np.ndarray]


@SOURCES
@pytest.mark.parametrize("scale", SCALES)
def test_the_mean_is_zero(draw: Draw, scale: float) -> None:
    """False alarm: normal approximation of a mean of 100,000 draws, 5.1 standard errors, 4e-7 each."""
    p = math.exp(-1 / scale)
    assert abs(draw(scale).mean()) < Z * math.sqrt(2 * p / (1 - p) ** 2 / DRAWS)


@SOURCES
@pytest.mark.parametrize("scale", SCALES)
def test_the_variance_is_that_of_theory(draw: Draw, scale: float) -> None:
    """False alarm: 5.1 standard errors of the mean of squares plus a tenth for its skewness, below 1e-6 each."""
    p = math.exp(-1 / scale)
    variance = 2 * p / (1 - p) ** 2
    support = np.arange(-int(60 * scale) - 60, int(60 * scale) + 61, dtype=float)
    fourth = float((support**4 * p ** np.abs(support)).sum() * (1 - p) / (1 + p))
    error = math.sqrt((fourth - variance**2) / DRAWS)
    assert abs((draw(scale).astype(float) ** 2).mean() - variance) < 1.1 * Z * error


@SOURCES
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("sign", [1, -1])
def test_each_tail_has_the_weight_that_epsilon_promises(draw: Draw, scale: float, sign: int) -> None:
    """False alarm: normal approximation of a binomial with an expected count of 4,000 or more, 5.1 + 0.4, below 1e-6 each."""
    p, t = math.exp(-1 / scale), max(1, round(2 * scale))
    share = p**t / (1 + p)
    hits = int((sign * draw(scale) >= t).sum())
    assert abs(hits - DRAWS * share) < (Z + 0.4) * math.sqrt(DRAWS * share * (1 - share))


def test_noise_is_added_to_the_values_and_not_put_in_their_place() -> None:
    """False alarm: P(|X| > 25) at scale 1 is below 2e-11 for each of 3 values."""
    exact = np.array([10**12, -5_000, 0], dtype=np.int64)
    noisy = OpenDPNoise().add(exact, 1.0)
    assert noisy.dtype == np.int64
    assert (np.abs(noisy - exact) <= 25).all()


def test_two_draws_differ_and_no_chunk_repeats_another() -> None:
    """False alarm: two vectors of 32,768 draws at scale 1,000 agree by chance with probability below 1e-100,000."""
    noise = OpenDPNoise().add(np.zeros(2 * CHUNK + 5, dtype=np.int64), 1000.0)
    assert len(noise) == 2 * CHUNK + 5
    assert (noise[:CHUNK] != noise[CHUNK : 2 * CHUNK]).any()


def test_seeded_noise_repeats_itself_and_says_that_it_is_not_private() -> None:
    zeros = np.zeros(1000, dtype=np.int64)
    assert (SeededNoise(3).add(zeros, 50.0) == SeededNoise(3).add(zeros, 50.0)).all()
    assert (SeededNoise(3).add(zeros, 50.0) != SeededNoise(4).add(zeros, 50.0)).any()
    assert (OpenDPNoise.private, SeededNoise.private, NoNoise.private) == (True, False, False)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.975])
@pytest.mark.parametrize("scale", [0.05, 0.2, 0.34, 1.0, 2.0, 13.7, 5000.0])
def test_the_half_width_is_the_smallest_that_covers_its_level(scale: float, level: float) -> None:
    p = math.exp(-1 / scale)

    def covered(t: int) -> float:
        return 0.0 if t < 0 else (1 - p) / (1 + p) * (1 + 2 * math.fsum(p**x for x in range(1, t + 1)))

    t = half_width(scale, level)
    assert covered(t) >= level - 1e-9
    assert covered(t - 1) < level
