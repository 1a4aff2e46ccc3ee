"""Intervals of statistics of a whole table (a distance, an association, the worst cell), which cover sampling and noise.

Such a statistic is pushed towards unevenness by whatever moves the counts: the worst of twenty noisy cells is far from
even although all twenty are even. Resampling around the noisy table would push it once more. So tables from even to very
uneven are tried, each with the margins that were seen; each is sampled and noised many times; and the interval holds
those under which the figure that was seen is no surprise (inversion of a test; Neyman, "Outline of a theory of
statistical estimation", 1937). What is reported as the value is the one under which the figure seen is the median.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
# How far from even, as a multiple of what was seen, or of what sampling and noise alone let expect where that is more.
STEPS = np.array([0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5, 3, 4, 6, 10])
LEVEL = 0.965  # of the test that is inverted: the rest to 0.95 is for not knowing in which direction a table is uneven
SIMULATIONS, MOST_DRAWS = 1_000, 4_000_000
FITTINGS = 30
FEW = 12


@dataclass(frozen=True)
class Estimate:
    value: float
    low: float
    high: float


def estimates(
    statistics: Mapping[str, Statistic], noisy: Floats, noise: Noise, rows: Floats | None = None, columns: Floats | None = None
) -> dict[str, Estimate]:
    """Each statistic of the table with its interval; `noisy` has the shape (groups, segments).

    A statistic maps (..., groups, segments) to (...), and grows or falls with unevenness all the way. `rows` (sums, groups)
    and `columns` (segments, sums) of zeros and ones add groups and segments up first.
    """
    before = np.eye(noisy.shape[0]) if rows is None else rows
    after = np.eye(noisy.shape[1]) if columns is None else columns
    seen, cells = before @ noisy @ after, np.outer(before.sum(axis=1), after.sum(axis=0)).astype(int)
    tables = _tables(seen, noise.deviation * np.sqrt(cells))
    random, total = np.random.default_rng(1), max(round(float(tables[0].sum())), 1)
    many = max(200, min(SIMULATIONS, MOST_DRAWS // (seen.size * len(STEPS))))
    drawn = {name: np.empty((len(STEPS), many)) for name in statistics}
    for i, table in enumerate(tables):
        sampled = random.multinomial(total, (table / table.sum()).ravel(), many).reshape(many, *table.shape)
        disturbed = np.maximum(sampled + _noises(noise, random, many, cells), 0.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the noise may leave nobody in a draw; that one has no figure
            for name, statistic in statistics.items():
                drawn[name][i] = statistic(disturbed)
    clean = np.maximum(seen, 0.0)
    return {name: inverted(float(s(clean)), s(tables), drawn[name]) for name, s in statistics.items()}


def steps(away: Floats, expected: Floats) -> Floats:
    """What to multiply the distances seen from even with, shape (steps,), given their standard deviations.

    A table may be seen as even by chance. Multiples of that alone would end near even, and call even what nobody can tell.
    """
    return STEPS * max(1.0, float(np.linalg.norm(expected)) / max(float(np.linalg.norm(away)), 1e-12))


def _tables(seen: Floats, deviations: Floats) -> Floats:
    """From even to uneven with the margins of the table that was seen, shape (steps, groups, segments)."""
    clean = np.maximum(seen, 0.0)
    rows, sums = (np.maximum(clean.sum(axis=axis, keepdims=True), 1e-9) for axis in (1, 0))
    even = rows * sums / max(float(clean.sum()), 1.0)
    scale = np.sqrt(even)  # the cells as chi-squared weighs them
    factors = steps((clean - even) / scale, np.hypot(scale, deviations) / scale)
    tables: Floats = np.maximum(even + factors[:, None, None] * (clean - even), even * 1e-6)
    for _ in range(FITTINGS):  # iterative proportional fitting (Deming and Stephan, 1940) restores the margins
        tables *= rows / tables.sum(axis=2, keepdims=True)
        tables *= sums / tables.sum(axis=1, keepdims=True)
    return tables


def _noises(noise: Noise, random: np.random.Generator, many: int, cells: NDArray[np.int64]) -> Floats:
    """The noise of sums over so many cells each, shape (many, groups, segments); of very many it is normal."""
    found = np.empty((many, *cells.shape))
    for count in np.unique(cells):
        where, size = cells == count, int((cells == count).sum())
        if count <= FEW:
            drawn = noise.simulated(random, many * size * int(count)).reshape(many, size, count).sum(axis=-1)
        else:
            drawn = random.normal(0.0, noise.deviation * float(count) ** 0.5, (many, size))
        found[:, where] = drawn
    return found


def inverted(seen: float, truths: Floats, drawn: Floats) -> Estimate:
    """The truths under which the figure seen lies between the quantiles of what was drawn.

    `truths` (steps,) from even to uneven, `drawn` (steps, many) what was seen under each. The end on the uneven side is not
    nearer to even than a table that is even would put it at the median: a figure that is low by luck, lower than evenness
    explains, would leave nothing between the ends (Cowan, Cranmer, Gross, Vitells, "Power-constrained limits", 2011).
    """
    if truths[-1] < truths[0]:  # falls with unevenness
        found = inverted(-seen, -truths, -drawn)
        return Estimate(-found.value, -found.high, -found.low)
    truths = np.maximum.accumulate(truths)
    quantiles = np.nanquantile(drawn, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=1)
    below, middle, above = np.maximum.accumulate(quantiles, axis=1)
    low, value = (float(np.interp(seen, _rising(q), truths)) for q in (above, middle))
    high = float(np.interp(max(seen, middle[0]), _rising(below), truths))
    return Estimate(min(max(value, low), high), low, high)


def _rising(quantiles: Floats) -> Floats:
    return quantiles + np.arange(len(quantiles)) * 1e-12
