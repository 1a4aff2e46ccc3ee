"""Intervals of statistics of a whole table (a distance, an association, the worst cell), which cover sampling and noise.

Such a statistic is pushed towards unevenness by whatever moves the counts: the worst of twenty noisy cells is far from
even although all twenty are even. Resampling around the noisy table would push it once more. So tables from even to very
uneven are tried, each with the margins that were seen; each is sampled and noised many times; and the interval holds
those under which the figure that was seen is no surprise (inversion of a test; Neyman, "Outline of a theory of
statistical estimation", 1937). What is reported as the value is the one under which the figure seen is the median.

How much noise adds depends on how many cells are truly even: in a cell that is far from even it adds as often as it takes
away. So there are two ways from even: all cells go, as far as they were seen, or only those go that stand out of noise and
sampling, and all others stay even. The interval holds what either way allows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from evenhand.privacy.intervals import Estimate
from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
# How far from even, as a multiple of what was seen, or of what sampling and noise alone let expect where that is more.
STEPS = np.array([0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.5, 3, 4, 6, 10])
LEVEL = 0.965  # of the test that is inverted: the rest to 0.95 is for not knowing in which direction a table is uneven
SIMULATIONS, MOST_DRAWS = 1_000, 4_000_000
FITTINGS = 30
FEW = 12
APART = 3.0  # deviations from even, to stand out; with fewer, cells that are far by luck take too much noise for unevenness
FAINT, LEAST = 3.0, 1.0  # deviations of its noise, below which a segment is little known; customers that are anywhere at least


def estimates(
    statistics: Mapping[str, Statistic],
    noisy: Floats,
    noise: Noise,
    rows: Floats | None = None,
    columns: Floats | None = None,
    few: bool = True,
) -> dict[str, Estimate]:
    """Each statistic of the table with its interval; `noisy` has the shape (groups, segments).

    A statistic maps (..., groups, segments) to (...), and grows or falls with unevenness all the way. `rows` (sums, groups)
    and `columns` (segments, sums) of zeros and ones add groups and segments up first. Without `few` all cells are taken to
    be uneven, which is enough for the end on the uneven side. A figure that does not exist in the table seen, as where nobody
    is, may be anything that was tried.
    """
    before = np.eye(noisy.shape[0]) if rows is None else rows
    after = np.eye(noisy.shape[1]) if columns is None else columns
    seen, cells = before @ noisy @ after, np.outer(before.sum(axis=1), after.sum(axis=0)).astype(np.int64)
    even, away = _even(seen, cells, noise)
    far = np.abs(away) / _deviations(even, cells, noise)
    apart = far >= min(APART, float(far.max()))
    both = few and not apart.all()
    random, many = np.random.default_rng(1), max(200, min(SIMULATIONS, MOST_DRAWS // (seen.size * len(STEPS))))
    noises, clean, found = _noises(noise, random, many, cells), np.maximum(seen, 0.0), []
    for way in (away, np.where(apart, away, 0.0)) if both else (away,):
        tables = _tables(even, way, np.sqrt(even + noise.deviation**2 * cells))
        drawn = _drawn(statistics, tables, noises, random)
        found.append({name: inverted(float(_figures(s, clean)), s(tables), drawn[name]) for name, s in statistics.items()})
    # How much of what the other cells were seen away from even is more than noise and sampling.
    rest = float(np.mean(far[~apart] ** 2)) if both else 1.0
    real = max(0.0, 1 - 1 / max(rest, 1e-12)) ** 0.5
    return {name: _either(found[0][name], found[-1][name], real) for name in statistics}


def _either(all_cells: Estimate, few: Estimate, real: float) -> Estimate:
    value = few.value + real * (all_cells.value - few.value)
    return Estimate(value, min(all_cells.low, few.low), max(all_cells.high, few.high))


def _drawn(statistics: Mapping[str, Statistic], tables: Floats, noises: Floats, random: np.random.Generator) -> dict[str, Floats]:
    """Each statistic of each table, sampled and noised again and again, shape (steps, many)."""
    many, total = len(noises), max(round(float(tables[0].sum())), 1)
    drawn = {name: np.empty((len(tables), many)) for name in statistics}
    for i, table in enumerate(tables):
        sampled = random.multinomial(total, (table / table.sum()).ravel(), many).reshape(noises.shape)
        disturbed = np.maximum(sampled + noises, 0.0)
        for name, statistic in statistics.items():
            drawn[name][i] = _figures(statistic, disturbed)
    return drawn


def _figures(statistic: Statistic, tables: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the noise may leave nobody in a table; that one has no figure
        return statistic(tables)


def steps(away: Floats, expected: Floats) -> Floats:
    """What to multiply the distances seen from even with, shape (steps,), given their standard deviations.

    A table may be seen as even by chance. Multiples of that alone would end near even, and call even what nobody can tell.
    """
    return STEPS * max(1.0, float(np.linalg.norm(expected)) / max(float(np.linalg.norm(away)), 1e-12))


def _even(seen: Floats, cells: NDArray[np.int64], noise: Noise) -> tuple[Floats, Floats]:
    """An even table with the margins that were seen, and how far from even each cell was seen; shape (groups, segments) each.

    From the sums as they are: of cells that were cut off at 0, those of rare segments would be too large.
    """
    total, columns = max(float(seen.sum()), 1.0), seen.sum(axis=0)
    away = seen - np.outer(seen.sum(axis=1), columns) / total
    if not away.any():  # exactly even, or nobody seen at all: there is no direction to go in, so any will do
        away = (-1.0) ** np.add.outer(*(np.arange(n) for n in seen.shape))
    deviations = noise.deviation * np.sqrt(cells.sum(axis=0))
    faint = columns < FAINT * deviations
    # Segments in which nobody may be, all together, would only bring their noise into the sizes of groups.
    nobody = not faint.all() and columns[faint].sum() < FAINT * np.linalg.norm(deviations[faint])
    columns = np.where(faint, max(float(columns[faint].mean()), LEAST) if faint.any() else LEAST, np.maximum(columns, LEAST))
    rows = np.maximum((seen[:, ~faint] if nobody else seen).sum(axis=1), LEAST)
    return np.outer(rows / rows.sum(), columns), away


def _deviations(even: Floats, cells: NDArray[np.int64], noise: Noise) -> Floats:
    """How far from even a cell is seen that is even, by sampling and noise: adjusted residuals (Haberman, 1973)."""
    sampling, of_noise = even.copy(), np.full(even.shape, noise.deviation**2)
    for axis in (1, 0):
        share = even.sum(axis=axis, keepdims=True) / even.sum()
        many = cells.take([0], axis=axis)  # how many are added up along the other axis; the same all along this one
        sampling *= 1 - share
        of_noise *= ((1 - share) ** 2 * many + share**2 * (many.sum() - many)) / (1.0 if axis else float(cells[0, 0]))
    found: Floats = np.sqrt(np.maximum(sampling + of_noise, 1e-12))
    return found


def _tables(even: Floats, away: Floats, expected: Floats) -> Floats:
    """From even to uneven with the same margins, shape (steps, groups, segments)."""
    scale = np.sqrt(even)  # the cells as chi-squared weighs them
    factors = steps(away / scale, expected / scale)
    tables: Floats = np.maximum(even + factors[:, None, None] * away, even * 1e-6)
    rows, columns = even.sum(axis=1, keepdims=True), even.sum(axis=0, keepdims=True)
    for _ in range(FITTINGS):  # iterative proportional fitting (Deming and Stephan, 1940) restores the margins
        tables *= rows / tables.sum(axis=2, keepdims=True)
        tables *= columns / tables.sum(axis=1, keepdims=True)
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
    if np.isnan(seen):
        return Estimate(float(truths[0]), float(truths[0]), float(truths[-1]))
    quantiles = np.nanquantile(drawn, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=1)
    below, middle, above = np.maximum.accumulate(quantiles, axis=1)
    low, value = (float(np.interp(seen, _rising(q), truths)) for q in (above, middle))
    high = float(np.interp(max(seen, middle[0]), _rising(below), truths))
    return Estimate(min(max(value, low), high), low, high)


def _rising(quantiles: Floats) -> Floats:
    return quantiles + np.arange(len(quantiles)) * 1e-12
