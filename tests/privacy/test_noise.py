"""The noise has the distribution that the privacy proof assumes, and the intervals cover what they promise.

Laplace: P(X = x) proportional to exp(-|x| / scale); Gaussian: to exp(-x² / 2 scale²); both on the integers. Cube: to
exp(-max |x_j| / scale) on rows of integers, of which the first cell is looked at where single cells are tested.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest

from evenhand.errors import ClosedDoor
from evenhand.privacy import noise as source
from evenhand.privacy.cube import Cube
from evenhand.privacy.noise import Gaussian, Laplace, Noise, NoNoise, OpenDPNoise, SeededNoise

DRAWS, ROWS = 100_000, 20_000  # of a cube fewer: at a small scale most of its radii are drawn for nothing
Z = 5.1  # P(|N(0,1)| > 5.1) < 4e-7
NOISES: list[Noise] = [kind(scale) for kind in (Laplace, Gaussian) for scale in (0.3, 1.0, 7.5, 400.0)]
NOISES += [Cube(0.3, 2), Cube(1.0, 3), Cube(7.5, 6), Cube(400.0, 2)]
LARGE: list[Noise] = [Laplace(5e6), Gaussian(5e6), Cube(5e6, 4)]


@cache
def chances(noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    """The integers that matter, and their probabilities, from the definition."""
    most = math.ceil(60 * noise.scale) + 60
    x = np.arange(-most, most + 1, dtype=np.float64)
    weights = np.exp(-(x**2) / (2 * noise.scale**2) if isinstance(noise, Gaussian) else -np.abs(x) / noise.scale)
    if isinstance(noise, Cube):
        # A cell at x and the largest at m > |x|: so many places for the others that one of them is at m; at m = |x|: anywhere within.
        m, others = np.arange(most + 1, dtype=np.float64), noise.width - 1
        at = ((2 * m + 1) ** others - np.abs(2 * m - 1) ** others) * np.exp(-m / noise.scale)
        farther = at.sum() - np.cumsum(at)
        side = np.abs(x).astype(int)
        weights = weights * (2 * m[side] + 1) ** others + farther[side]
    return x, weights / weights.sum()


def first_cells(noise: Noise, draw: Callable[[int], np.ndarray]) -> np.ndarray:
    """Cells, each of a row of its own."""
    width = noise.width if isinstance(noise, Cube) else 1
    return draw((DRAWS if width == 1 else ROWS) * width)[::width]


@cache
def opendp(noise: Noise) -> np.ndarray:
    return first_cells(noise, lambda n: OpenDPNoise().add(np.zeros(n, dtype=np.int64), noise))


@cache
def simulated(noise: Noise) -> np.ndarray:
    return first_cells(noise, lambda n: noise.simulated(np.random.default_rng(), n))


SOURCES = pytest.mark.parametrize("draw", [opendp, simulated])
EVERY = pytest.mark.parametrize("noise", NOISES, ids=str)
Draw = Callable[[Noise], np.ndarray]


@SOURCES
@EVERY
def test_the_mean_is_zero(draw: Draw, noise: Noise) -> None:
    """False alarm: normal approximation of a mean of 20,000 draws or more, 5.1 standard errors, 4e-7 each."""
    (x, p), found = chances(noise), draw(noise)
    assert abs(found.mean()) < Z * math.sqrt((x**2 * p).sum() / len(found))


@SOURCES
@EVERY
def test_the_variance_is_that_of_theory(draw: Draw, noise: Noise) -> None:
    """False alarm: 5.1 standard errors of the mean of squares plus a fifth for its skewness, below 1e-6 each."""
    (x, p), found = chances(noise), draw(noise).astype(float)
    variance, fourth = float((x**2 * p).sum()), float((x**4 * p).sum())
    assert abs((found**2).mean() - variance) < 1.2 * Z * math.sqrt((fourth - variance**2) / len(found))


@SOURCES
@EVERY
@pytest.mark.parametrize("sign", [1, -1])
def test_each_tail_has_the_weight_that_the_promise_needs(draw: Draw, noise: Noise, sign: int) -> None:
    """False alarm: normal approximation of a binomial with an expected count of 300 or more, 5.1 + 0.6, below 1e-6 each."""
    (x, p), found = chances(noise), sign * draw(noise)
    t = max(1, round(2 * noise.scale))
    share, draws = float(p[x >= t].sum()), len(found)
    assert abs(int((found >= t).sum()) - draws * share) < (Z + 0.6) * math.sqrt(draws * share * (1 - share))


@SOURCES
@pytest.mark.parametrize("noise", LARGE, ids=str)
def test_large_noise_has_its_deviation_and_its_quantile(draw: Draw, noise: Noise) -> None:
    """False alarm: 5.7 standard errors of a variance with the kurtosis of either, and of a share of 5 %, below 1e-6 each."""
    found = draw(noise).astype(float)
    kurtosis = 6.0 if isinstance(noise, Laplace) else 3.0
    assert abs((found**2).mean() / noise.deviation**2 - 1) < (Z + 0.6) * math.sqrt((kurtosis - 1) / len(found))
    outside = (np.abs(found) > noise.half_width(0.95)).mean()
    assert abs(outside - 0.05) < (Z + 0.6) * math.sqrt(0.05 * 0.95 / len(found))


@EVERY
def test_the_deviation_is_that_of_theory(noise: Noise) -> None:
    x, p = chances(noise)
    assert noise.deviation == pytest.approx(math.sqrt((x**2 * p).sum()), rel=1e-9)


def test_noise_is_added_to_the_values_and_not_put_in_their_place() -> None:
    """False alarm: P(|X| > 25) is below 2e-11 for each of 3 values; of a row of three at scale 1/2 below 1e-16."""
    exact = np.array([10**12, -5_000, 0], dtype=np.int64)
    for noise in (Laplace(1.0), Gaussian(1.0), Cube(0.5, 3)):
        noisy = OpenDPNoise().add(exact, noise)
        assert noisy.dtype == np.int64
        assert (np.abs(noisy - exact) <= 25).all()


def test_no_draws_repeat_others_within_a_chunk_or_across(monkeypatch: pytest.MonkeyPatch) -> None:
    """False alarm: two of 1,473 windows of 64 draws at scale 1,000 agree by chance with probability below 1e-150."""
    monkeypatch.setattr(source, "CHUNK", 512)
    for noise in (Laplace(1000.0), Gaussian(1000.0), Cube(1000.0, 3)):
        found = OpenDPNoise().add(np.zeros(3 * 512, dtype=np.int64), noise)
        windows = np.lib.stride_tricks.sliding_window_view(found, 64)
        assert len(np.unique(windows, axis=0)) == len(windows) == 3 * 512 - 63


def test_seeded_noise_repeats_itself_and_says_that_it_is_not_private() -> None:
    zeros = np.zeros(1000, dtype=np.int64)
    for noise in (Laplace(50.0), Gaussian(50.0), Cube(50.0, 4)):
        assert (SeededNoise(3).add(zeros, noise) == SeededNoise(3).add(zeros, noise)).all()
        assert (SeededNoise(3).add(zeros, noise) != SeededNoise(4).add(zeros, noise)).any()
    assert (OpenDPNoise.private, SeededNoise.private, NoNoise.private) == (True, False, False)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.975])
@pytest.mark.parametrize("scale", [0.05, 0.2, 0.34, 1.0, 2.0, 13.7, 900.0, 5000.0])
@pytest.mark.parametrize("kind", [Laplace, Gaussian, partial(Cube, width=3)])
def test_the_half_width_is_the_smallest_that_covers_its_level(kind: Callable[[float], Noise], scale: float, level: float) -> None:
    noise = kind(scale)
    x, p = chances(noise)

    def covered(t: int) -> float:
        return float(p[np.abs(x) <= t].sum())

    t = noise.half_width(level)
    assert covered(t) >= level - 1e-9
    assert covered(t - 2 if scale > 1000 else t - 1) < level


@pytest.mark.parametrize("adder", [OpenDPNoise(), SeededNoise(3)], ids=["OpenDP", "seeded"])
def test_rows_fall_on_every_point_as_often_as_the_cube_says(adder: OpenDPNoise | SeededNoise) -> None:
    """All of the points with |x_j| <= 3 and what is beyond. False alarm: 5.7 standard errors of a binomial each, 50 of them, below 1e-6."""
    noise, side = Cube(0.8, 2), np.arange(-60, 61)
    weights = np.exp(-np.maximum(np.abs(side)[:, None], np.abs(side)[None, :]) / noise.scale)
    wanted = weights / weights.sum()
    rows = adder.add(np.zeros(2 * ROWS, dtype=np.int64), noise).reshape(-1, 2)
    near = np.abs(rows).max(axis=1) <= 3
    seen = np.zeros((7, 7))
    np.add.at(seen, tuple((rows[near] + 3).T), 1)
    middle = wanted[57:64, 57:64]
    assert (np.abs(seen - ROWS * middle) < (Z + 0.6) * np.sqrt(ROWS * middle * (1 - middle)) + 1).all()
    assert abs((~near).mean() - (1 - middle.sum())) < (Z + 0.6) * math.sqrt(middle.sum() * (1 - middle.sum()) / ROWS)


def test_the_cube_of_one_cell_is_laplace_noise_and_its_figures_are_those_of_theory() -> None:
    for scale in (0.3, 7.5, 5e6):
        assert Cube(scale, 1).deviation == pytest.approx(Laplace(scale).deviation, rel=1e-6)
        assert Cube(scale, 1).half_width(0.95) == pytest.approx(Laplace(scale).half_width(0.95), abs=1)
    assert Cube(5e6, 1).excess_kurtosis == Laplace(5e6).excess_kurtosis
    assert Cube(5e6, 6).deviation < 0.51 * 6 * Laplace(5e6).deviation  # where ε was split among six figures


def test_more_noise_than_integers_hold_is_refused() -> None:
    with pytest.raises(ClosedDoor, match="64-bit"):
        Cube(2.0**51, 3)
