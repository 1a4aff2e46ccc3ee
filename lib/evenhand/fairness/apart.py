"""How far apart a table is at least, by its single cells: so that no summary calls alike what a cell of it is surely not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.rates import rate
from evenhand.fairness.statistics import cramers_v, jensen_shannon, mutual_information, total_variation
from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]


def surely_apart(noisy: Floats, noise: Noise, chance: float) -> dict[str, float]:
    """What the distances and associations are at least, by the single cell that is the farthest from even for sure: wrong with
    that chance for all cells together (Bonferroni).

    A segment against all others and a group against all others make a table of two by two, in which nothing is farther apart
    than in the whole table (data processing; Cover and Thomas, "Elements of Information Theory", 2006, section 2.8).
    """
    groups, segments = noisy.shape
    variance, excess, level = noise.deviation**2, noise.excess_kurtosis, 1 - chance / (2 * noisy.size)
    group, segment, others = noisy.sum(axis=1, keepdims=True), noisy.sum(axis=0, keepdims=True), groups - 1
    own = rate(noisy, group - noisy, variance, (segments - 1) * variance, excess, level)
    rest, spread = segment - noisy, others * variance
    theirs = rate(rest, noisy.sum() - group - rest, spread, (segments - 1) * spread, excess / others, level)
    # The nearest that both rates can be: the same where their ranges meet.
    one = np.where(own.low > theirs.high, own.low, np.where(own.high < theirs.low, own.high, 0.0))
    other = np.where(own.low > theirs.high, theirs.high, np.where(own.high < theirs.low, theirs.low, 0.0))
    weight = np.clip(group / max(float(noisy.sum()), 1.0), 0.0, 1.0)
    weights = np.stack(np.broadcast_arrays(weight, 1 - weight), axis=-1)[..., None]
    rates = np.stack([np.stack([one, 1 - one], axis=-1), np.stack([other, 1 - other], axis=-1)], axis=-2)
    statistics = {"total_variation": total_variation, "jensen_shannon": jensen_shannon, "mutual_information": mutual_information}
    found = {name: float(np.nanmax(statistic(weights * rates))) for name, statistic in statistics.items()}
    # Of two by two V is chi-squared over the customers; that of the whole table is divided by its smaller side.
    return found | {"cramers_v": float(np.nanmax(cramers_v(weights * rates))) / max(min(groups, segments) - 1, 1) ** 0.5}
