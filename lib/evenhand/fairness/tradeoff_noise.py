"""How far the noise moves what a trade-off says: intervals for the noise alone, 95 % for each figure.

Centers, the places of points and who goes where are taken as they were chosen; bounded is what they come to on the exact
counts of the summary's boxes. Which boxes those are was decided by the noise of the summary, not by that of the groups'
counts, so sums over all of them, the negative counts too, are right on average and their noise has a known spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.cells import Cells, coarse_cells, distances
from evenhand.fairness.statistics import distributions, total_variation
from evenhand.plan.geometry import STEPS
from evenhand.privacy.groups import COUNTS
from evenhand.privacy.intervals import sum_reach
from evenhand.privacy.noise import Noise
from evenhand.privacy.release import Release
from evenhand.privacy.summary import Summary

Floats = NDArray[np.float64]
Ends = tuple[float, float]
INSIDE = np.linspace(0.0, 1.0, 5)  # a representation ratio may be greatest between the ends of its own count
DRAWS = 2_000
REACH = 2.0  # standard deviations of the noise of a group's total
HELD = 0.98  # the rest to 0.95 is for the assignment, which was made for the very noise that it is judged under


@dataclass(frozen=True)
class Ground:
    """The summary's boxes: `points` (boxes, features) in the unit cube, `counts` (boxes, joint groups) as released, with `noise`
    on each; `cells`, those that were read as having customers, stand at `places`.
    """

    points: Floats
    counts: Floats
    noise: Noise
    cells: Cells
    places: tuple[NDArray[np.int64], NDArray[np.int64]]  # box and joint group of each cell

    @classmethod
    def of(cls, release: Release, summary: Summary, counts: Floats) -> Ground:
        """`counts` (boxes, joint groups) are those read from the `release`."""
        box, group = np.nonzero(counts > 0)
        noisy = release[COUNTS].reshape(-1, counts.shape[1])[summary.boxes].astype(np.float64)
        return cls(summary.points / STEPS, noisy, release.noise(COUNTS), coarse_cells(summary, counts), (box, group))

    @property
    def reach(self) -> float:
        """How far a group's total may be from the truth."""
        return REACH * self.noise.deviation * float(np.sqrt(len(self.points)))


@dataclass(frozen=True)
class Sums:
    """What a rule of assignment comes to on the noisy counts: `table` (joint groups, k) of customers, `squares` (joint groups,
    k) the variance of its noise over that of a count, `paid` (boxes, joint groups) what a customer there costs.
    """

    table: Floats
    squares: Floats
    paid: Floats

    @classmethod
    def of(cls, ground: Ground, centers: Floats, prices: Floats | None = None, shares: Floats | None = None) -> Sums:
        """The cells by `shares` (n, k) where there are any; all others where distance and price, (joint groups, k), are least."""
        away, joint = distances(ground.points, centers), ground.counts.shape[1]
        box, of_group = ground.places
        tables, squares, paid = [], [], []
        for group in range(joint):
            due = away if prices is None else away + prices[group]
            goes = (due.argmin(axis=1)[:, None] == np.arange(len(centers))).astype(np.float64)
            if shares is not None:
                goes[box[of_group == group]] = shares[of_group == group]
            tables.append(ground.counts[:, group] @ goes)
            squares.append((goes**2).sum(axis=0))
            paid.append((goes * away).sum(axis=1))
        return cls(np.array(tables), np.array(squares), np.stack(paid, axis=1))


def quotient(counts: Floats, noise: Noise, above: Floats, below: Floats, level: float = HELD) -> Ends:
    """Ends of sum(n above) / sum(n below) over exact counts n, which the noisy `counts` stand for; all of one shape.

    Those quotients r for which the noise may take sum(counts (above - r below)) as far from 0 as it is (Fieller, "Some
    problems in interval estimation", 1954): what both sums share cancels. No upper end where the lower sum may be 0.
    """
    a, b = float((counts * above).sum()), float((counts * below).sum())
    spread = np.abs(above - a / b * below).ravel() if b > 0 else below.ravel()
    unit = float(np.linalg.norm(spread))
    z = float(sum_reach(spread, noise.excess_kurtosis, level)) / unit if unit > 0 else 0.0
    variance = (z * noise.deviation) ** 2
    of_below = b * b - variance * float((below**2).sum())
    if b <= 0 or of_below <= 0:
        return 0.0, np.inf
    middle, rest = a * b - variance * float((above * below).sum()), a * a - variance * float((above**2).sum())
    reach = max(middle * middle - of_below * rest, 0.0) ** 0.5
    return max((middle - reach) / of_below, 0.0), max((middle + reach) / of_below, 0.0)


def worst_quotient(quotients: list[Ends]) -> Ends:
    """Of the greatest of several, which all lie between their ends."""
    return max(low for low, _ in quotients), max(high for _, high in quotients)


@dataclass(frozen=True)
class NoisyTable:
    """`counts` (groups, segments), sums over boxes; `squares` the variance of their `noise` over that of one box's count."""

    counts: Floats
    squares: Floats
    noise: Noise

    @property
    def representation(self) -> Ends:
        """Of the worst representation ratio. Every count and every sum of the others in its row, in its column and elsewhere is
        within reach (Bonferroni); the ratio is taken at all their ends."""
        own, terms = self.counts, self.squares
        row, column, everyone = _sums(own)
        in_row, in_column, in_all = _sums(terms)
        parts = (
            (own, terms),
            (row - own, in_row - terms),
            (column - own, in_column - terms),
            (everyone - row - column + own, in_all - in_row - in_column + terms),
        )
        level = 1 - (1 - HELD) / (len(parts) * own.size)
        (least, most), *others = (self._within(*part, level) for part in parts)
        ratios = [_ratio(least + inside * (most - least), *corner) for inside in INSIDE for corner in product(*others)]
        low, high = np.min(ratios, axis=0), np.max(ratios, axis=0)
        with np.errstate(divide="ignore"):
            nearest = np.where(high < 1, high, np.where(low > 1, 1 / low, 1.0))
            farthest = np.minimum(low, np.where(high > 0, 1 / high, 0.0))
        return float(farthest.min()), float(nearest.min())

    @property
    def balance(self) -> Ends:
        """Of the worst segment's smallest over largest group, each count within reach (Bonferroni)."""
        least, most = self._within(self.counts, self.squares, 1 - (1 - HELD) / self.counts.size)
        lows, highs = [], []
        for group in range(len(least)):
            others = np.delete(np.arange(len(least)), group)
            lows.append(_over(least[group], np.maximum(least[group], most[others].max(axis=0))))
            highs.append(_over(most[group], np.maximum(most[group], least[others].max(axis=0)), nobody=1.0))
        return float(np.min(lows)), float(np.min(highs))

    @property
    def total_variation(self) -> Ends:
        """A distance: it changes no more than the distributions move, by how much is simulated."""
        clean = np.maximum(self.counts, 0.0)
        if not (clean.sum(axis=1) > 0).all():
            return 0.0, 1.0
        drawn = np.random.default_rng(1).normal(0.0, 1.0, (DRAWS, *clean.shape)) * self.noise.deviation * np.sqrt(self.squares)
        moved = _from_the_others(np.maximum(self.counts + drawn, 0.0)) - _from_the_others(clean)
        reach = float(np.quantile(np.abs(moved).sum(axis=2).max(axis=1) / 2, HELD))
        seen = float(total_variation(clean))
        return max(seen - reach, 0.0), min(seen + reach, 1.0)

    def _within(self, values: Floats, terms: Floats, level: float) -> tuple[Floats, Floats]:
        """Sums of noise with the variance of so many boxes' counts; of few boxes it has the tails of one box's."""
        excess = self.noise.excess_kurtosis / np.maximum(terms, 1.0)
        reach = sum_reach(self.noise.deviation * np.sqrt(np.maximum(terms, 0.0))[None], excess, level)
        return np.maximum(values - reach, 0.0), np.maximum(values + reach, 0.0)


def _sums(table: Floats) -> tuple[Floats, Floats, Floats]:
    return table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True), table.sum(keepdims=True)


def _ratio(own: Floats, row: Floats, column: Floats, rest: Floats) -> Floats:
    """Representation ratio from a count, the others in its row (group) and column (segment), and all else; 1 where nobody is."""
    return _over(own * (own + row + column + rest), (own + row) * (own + column), nobody=1.0)


def _over(a: Floats, b: Floats, nobody: float = 0.0) -> Floats:
    return np.where(b > 0, a / np.where(b > 0, b, 1.0), nobody)


def _from_the_others(tables: Floats) -> Floats:
    """Each group's distribution over the segments less that of the others, shape (..., groups, segments); 1 where either is gone."""
    group, others = distributions(tables)
    return np.nan_to_num(group - others, nan=1.0)
