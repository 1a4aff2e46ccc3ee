"""Social fairness: how far the customers of a group are from the center that stands for them, on average.

Ghadiri, Samadi, Vempala, "Socially Fair k-Means Clustering", FAccT 2021, section 1: the group that is served worst counts.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.assessment import COST_STEPS, cost_part, cost_unit, group_part
from evenhand.fairness.intervals import STEPS, inverted, steps
from evenhand.fairness.rates import Interval, ratio
from evenhand.plan.geometry import STEPS as FIXED_STEPS
from evenhand.plan.groups import GroupTable
from evenhand.privacy.intervals import LEVEL, Estimate
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
SIMULATIONS = 2_000
STANDS_OUT = 3.0  # standard errors
LEAST = 1.0  # step of a cost, of those that are divided by


def mean_costs(release: Release, table: GroupTable, greatest: float, segments: int) -> Interval:
    """Mean squared distance to the assigned center in the unit cube, shape (groups,); far ones count as the bound.

    The value is NaN where it may be none at all.
    """
    sums, counts, errors = _sums(release, table, segments)
    scale = cost_unit(greatest) / FIXED_STEPS**2
    mean = np.clip(_over(sums, counts), 0, COST_STEPS - 1)
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * errors
    found = Interval(*((np.clip(v, 0, COST_STEPS - 1) + 0.5) * scale for v in (mean, mean - reach, mean + reach)))
    return Interval(np.where(mean > reach, found.value, np.nan), found.low, found.high)


def cost_ratio(release: Release, table: GroupTable, segments: int, judged: NDArray[np.bool_]) -> Estimate:
    """The mean cost of a judged group over that of all others, of the group where it is greatest; 1 is even.

    Over the others' and not over everybody's, of whom a large group is the most part. No upper end where a mean that it may be
    held against is lost in noise.
    """
    sums, counts, errors = (v[judged] for v in _sums(release, table, segments))
    if sums.sum() < STANDS_OUT * np.linalg.norm(errors * counts):
        return Estimate(1.0, 1.0, np.inf)
    means, everybody = np.maximum(_over(sums, counts), 0.0), max(float(sums.sum() / max(counts.sum(), 1.0)), 1.0)

    def greatest(means: Floats) -> Floats:
        """Of means of shape (..., groups)."""
        others = (means @ counts)[..., None] - means * counts
        return (means / np.maximum(_over(others, counts.sum() - counts), LEAST)).max(axis=-1)  # type: ignore[no-any-return]

    truths = np.maximum(everybody + steps(means - everybody, errors)[:, None] * (means - everybody), LEAST)
    random = np.random.default_rng(1)
    drawn = truths[:, None, :] + random.normal(0.0, 1.0, (len(STEPS), SIMULATIONS, len(means))) * errors
    found = inverted(float(greatest(means)), greatest(truths), greatest(np.maximum(drawn, 0.0)))
    own, rest = _interval(means, errors), _interval(*_of_the_others(means, counts, errors))
    reach = float(ratio(own, rest).high.max())
    return Estimate(max(found.value, 1.0), max(found.low, 1.0), max(found.high, reach, 1.0))


def _of_the_others(means: Floats, counts: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """The mean cost of all but each group, and its standard error, shape (groups,)."""
    rest = np.maximum(counts.sum() - counts, 1.0)
    squares = (errors * counts) ** 2
    return (means @ counts - means * counts) / rest, np.sqrt(squares.sum() - squares) / rest


def _interval(means: Floats, errors: Floats) -> Interval:
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * errors
    return Interval(means, np.maximum(means - reach, 0.0), means + reach)


def _sums(release: Release, table: GroupTable, segments: int) -> tuple[Floats, Floats, Floats]:
    """Sums of costs, counts, and the standard error of their ratio from sampling and noise, shape (groups,) each."""
    cells = release[group_part(table.name)].reshape(table.size, segments).astype(np.float64)
    counts, costs = np.maximum(cells.sum(axis=1), 1.0), release[cost_part(table.name)].reshape(table.size, 2).astype(np.float64)
    sums, squares = costs[:, 0], costs[:, 1] * 2**16
    mean = np.clip(_over(sums, counts), 0, COST_STEPS - 1)
    # Whatever the noise, a cost between 0 and C with mean m varies by m (C - m) at most (Bhatia and Davis, 2000).
    spread = np.clip(_over(squares, counts) - mean**2, 0.0, mean * (COST_STEPS - 1 - mean))
    noise, of_counts = release.noise(cost_part(table.name)), release.noise(group_part(table.name))
    variance = spread / counts + (noise.deviation / counts) ** 2 + segments * (mean * of_counts.deviation / counts) ** 2
    return sums, counts, np.sqrt(variance)


def _over(a: Floats, b: Floats) -> Floats:
    return a / np.maximum(b, 1.0)
