"""How far the noise moves what a trade-off says: intervals for the noise alone, 95 % for each figure.

Centers, the places of points and who goes where are taken as they were chosen; bounded is what they come to on the exact
counts of the summary's boxes. Which boxes those are was decided by the noise of the summary, not by that of the groups'
counts, so sums over all of them, the negative counts too, are right on average and their noise has a known spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.boxes import Summary
from evenhand.ask.groups import COUNTS
from evenhand.mitigate.cells import Cells, coarse_cells, distances
from evenhand.privacy.intervals import sum_reach
from evenhand.privacy.noise import Noise
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
Ends = tuple[float, float]
REACH = 2.0  # standard deviations of the noise of a group's total
HELD = 0.98  # the rest to 0.95 is for the assignment, which was made for the very noise that it is judged under


@dataclass(frozen=True)
class Ground:
    """The summary's boxes: `points` (boxes, features) in the stretched unit cube, `counts` (boxes, joint groups) as released, with `noise`
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
        return cls(summary.places, noisy, release.noise(COUNTS), coarse_cells(summary, counts), (box, group))

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
