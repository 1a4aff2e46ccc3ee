"""Ends of a table's statistics, given the noise of sums over boxes in every cell: where the exact counts may have them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.statistics import METRICS, distributions, total_variation
from evenhand.mitigate.tradeoff_noise import HELD, Ends, quotient
from evenhand.privacy.intervals import sum_reach
from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
INSIDE = np.linspace(0.0, 1.0, 5)  # a representation ratio may be greatest between the ends of its own count
DRAWS = 2_000
NOBODY = 1e-9
SQUARES = {"mutual_information": 2}  # of which the root adds up as lengths do; the others are roots already


@dataclass(frozen=True)
class NoisyTable:
    """`counts` (groups, segments), sums over boxes; `squares` the variance of their `noise` over that of one box's count."""

    counts: Floats
    squares: Floats
    noise: Noise

    @property
    def representation_ratio(self) -> Ends:
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
        moved = _from_the_others(np.maximum(self.counts + self._drawn, 0.0)) - _from_the_others(clean)
        reach = float(np.quantile(np.abs(moved).sum(axis=2).max(axis=1) / 2, HELD))
        seen = float(total_variation(clean))
        return max(seen - reach, 0.0), min(seen + reach, 1.0)

    def length(self, name: str) -> Ends:
        """Of an association or a distance between distributions, on a scale on which it adds up as lengths do at most.

        Noise then takes it no farther than it takes an even table from even; or, where that is more, this table from
        where it is: how far is simulated.
        """
        statistic, power = METRICS[name], SQUARES.get(name, 1)
        most = float(np.log2(min(self.counts.shape))) if name == "mutual_information" else 1.0
        clean = np.maximum(self.counts, 0.0)
        row, column, everyone = _sums(clean)
        if not (row > 0).all():
            return 0.0, most
        seen, away, moved = (
            statistic(np.maximum(around, NOBODY)) ** (1 / power)
            for around in (clean, row * column / everyone + self._drawn, self.counts + self._drawn)
        )
        reach = max(float(np.quantile(far, HELD)) for far in (away, np.abs(moved - seen)))
        return max(float(seen) - reach, 0.0) ** power, min((float(seen) + reach) ** power, most)

    def selection(self, chosen: NDArray[np.bool_]) -> dict[str, Ends]:
        """Of the selection ratio and difference, given the segments (k,) that get an offer; each group's rate within its ends (Bonferroni)."""
        table, roots = (
            np.stack([a[:, chosen].sum(axis=1), a[:, ~chosen].sum(axis=1)], axis=1) for a in (self.counts, self.squares)
        )
        roots = np.maximum(np.sqrt(roots), NOBODY)  # so that each has the noise of one box's count
        level = 1 - (1 - HELD) / len(table)
        rates = [
            quotient(counts / root, self.noise, root * [1.0, 0.0], root, level) for counts, root in zip(table, roots, strict=True)
        ]
        low, high = np.minimum(np.array(rates).T, 1.0)
        ratio = low.min() / max(high.max(), NOBODY), min(high.min() / max(low.max(), NOBODY), 1.0)
        return {
            "selection_ratio": (float(ratio[0]), float(ratio[1])),
            "selection_difference": (float(max(low.max() - high.min(), 0.0)), float(high.max() - low.min())),
        }

    @property
    def _drawn(self) -> Floats:
        """Noise of the whole table, shape (draws, groups, segments)."""
        drawn: Floats = np.random.default_rng(1).normal(0.0, 1.0, (DRAWS, *self.counts.shape))
        return drawn * self.noise.deviation * np.sqrt(self.squares)

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
