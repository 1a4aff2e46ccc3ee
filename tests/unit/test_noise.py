"""The noise has the distribution that the privacy proof assumes, and the intervals cover what they promise.

Laplace: P(X = x) proportional to exp(-|x| / scale); Gaussian: to exp(-x² / 2 scale²); both on the integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from evenhand.privacy.noise import CHUNK, Gaussian, Laplace, Noise, NoNoise, OpenDPNoise, SeededNoise

DRAWS = 100_000
Z = 5.1  # P(|N(0,1)| > 5.1) < 4e-7
NOISES: list[Noise] = [kind(scale) for kind in (Laplace, Gaussian) for scale in (0.3, 1.0, 7.5, 400.0)]
LARGE: list[Noise] = [Laplace(5e6), Gaussian(5e6)]


@cache
def chances(noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    """The integers that matter, and their probabilities, from the definition."""
    most = math.ceil(60 * noise.scale) + 60
    x = np.arange(-most, most + 1, dtype=np.float64)
    weights = np.exp(-np.abs(x) / noise.scale) if isinstance(noise, Laplace) else np.exp(-(x**2) / (2 * noise.scale**2))
    return x, weights / weights.sum()


@cache
def opendp(noise: Noise) -> np.ndarray:
    return OpenDPNoise().add(np.zeros(DRAWS, dtype=np.int64), noise)


@cache
def simulated(noise: Noise) -> np.ndarray:
    return noise.simulated(np.random.default_rng(), DRAWS)


SOURCES = pytest.mark.parametrize("draw", [opendp, simulated])
EVERY = pytest.mark.parametrize("noise", NOISES, ids=str)
Draw = Callable[[Noise], np.ndarray]


@SOURCES
@EVERY
def test_the_mean_is_zero(draw: Draw, noise: Noise) -> None:
    """False alarm: normal approximation of a mean of 100,000 draws, 5.1 standard errors, 4e-7 each."""
    x, p = chances(noise)
    assert abs(draw(noise).mean()) < Z * math.sqrt((x**2 * p).sum() / DRAWS)


@SOURCES
@EVERY
def test_the_variance_is_that_of_theory(draw: Draw, noise: Noise) -> None:
    """False alarm: 5.1 standard errors of the mean of squares plus a fifth for its skewness, below 1e-6 each."""
    x, p = chances(noise)
    variance, fourth = float((x**2 * p).sum()), float((x**4 * p).sum())
    assert abs((draw(noise).astype(float) ** 2).mean() - variance) < 1.2 * Z * math.sqrt((fourth - variance**2) / DRAWS)


@SOURCES
@EVERY
@pytest.mark.parametrize("sign", [1, -1])
def test_each_tail_has_the_weight_that_the_promise_needs(draw: Draw, noise: Noise, sign: int) -> None:
    """False alarm: normal approximation of a binomial with an expected count of 300 or more, 5.1 + 0.6, below 1e-6 each."""
    x, p = chances(noise)
    t = max(1, round(2 * noise.scale))
    share = float(p[x >= t].sum())
    hits = int((sign * draw(noise) >= t).sum())
    assert abs(hits - DRAWS * share) < (Z + 0.6) * math.sqrt(DRAWS * share * (1 - share))


@SOURCES
@pytest.mark.parametrize("noise", LARGE, ids=str)
def test_large_noise_has_its_deviation_and_its_quantile(draw: Draw, noise: Noise) -> None:
    """False alarm: 5.7 standard errors of a variance with the kurtosis of either, and of a share of 5 %, below 1e-6 each."""
    found = draw(noise).astype(float)
    kurtosis = 6.0 if isinstance(noise, Laplace) else 3.0
    assert abs((found**2).mean() / noise.deviation**2 - 1) < (Z + 0.6) * math.sqrt((kurtosis - 1) / DRAWS)
    outside = (np.abs(found) > noise.half_width(0.95)).mean()
    assert abs(outside - 0.05) < (Z + 0.6) * math.sqrt(0.05 * 0.95 / DRAWS)


@EVERY
def test_the_deviation_is_that_of_theory(noise: Noise) -> None:
    x, p = chances(noise)
    assert noise.deviation == pytest.approx(math.sqrt((x**2 * p).sum()), rel=1e-9)


def test_noise_is_added_to_the_values_and_not_put_in_their_place() -> None:
    """False alarm: P(|X| > 25) at scale 1 is below 2e-11 for each of 3 values."""
    exact = np.array([10**12, -5_000, 0], dtype=np.int64)
    for noise in (Laplace(1.0), Gaussian(1.0)):
        noisy = OpenDPNoise().add(exact, noise)
        assert noisy.dtype == np.int64
        assert (np.abs(noisy - exact) <= 25).all()


def test_two_draws_differ_and_no_chunk_repeats_another() -> None:
    """False alarm: two vectors of 32,768 draws at scale 1,000 agree by chance with probability below 1e-100,000."""
    for noise in (Laplace(1000.0), Gaussian(1000.0)):
        found = OpenDPNoise().add(np.zeros(2 * CHUNK + 5, dtype=np.int64), noise)
        assert len(found) == 2 * CHUNK + 5
        assert (found[:CHUNK] != found[CHUNK : 2 * CHUNK]).any()


def test_seeded_noise_repeats_itself_and_says_that_it_is_not_private() -> None:
    zeros = np.zeros(1000, dtype=np.int64)
    for noise in (Laplace(50.0), Gaussian(50.0)):
        assert (SeededNoise(3).add(zeros, noise) == SeededNoise(3).add(zeros, noise)).all()
        assert (SeededNoise(3).add(zeros, noise) != SeededNoise(4).add(zeros, noise)).any()
    assert (OpenDPNoise.private, SeededNoise.private, NoNoise.private) == (True, False, False)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.975])
@pytest.mark.parametrize("scale", [0.05, 0.2, 0.34, 1.0, 2.0, 13.7, 900.0, 5000.0])
@pytest.mark.parametrize("kind", [Laplace, Gaussian])
def test_the_half_width_is_the_smallest_that_covers_its_level(kind: type[Noise], scale: float, level: float) -> None:
    noise = kind(scale)
    x, p = chances(noise)

    def covered(t: int) -> float:
        return float(p[np.abs(x) <= t].sum())

    t = noise.half_width(level)
    assert covered(t) >= level - 1e-9
    assert covered(t - 2 if scale > 1000 else t - 1) < level
