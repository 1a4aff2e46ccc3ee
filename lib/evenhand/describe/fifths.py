"""In which fifth of all customers the typical value of a segment lies, by feature: the scores from 1 to 5 that marketers know.

Both the segments' means and the histograms are released, so it costs no ε.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.histograms import BINS, WIDTH
from evenhand.describe.profiles import mean_ends
from evenhand.plan.categories import blocks, numbers
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL, sum_reach
from evenhand.privacy.noise import Noise
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
FIFTHS = 5
# Four noisy figures lie in their intervals together: sum and size of the mean, and how many are below its lower and its upper end.
EACH = 1 - (1 - LEVEL) / 4


@dataclass(frozen=True)
class Fifths:
    """From and to which fifth, 1 having the lowest values, shape (segments, features) each; of categories, which have no order, 0.

    Each pair holds for the noise with 95 %.
    """

    low: Integers
    high: Integers


def read_fifths(release: Release, spread: Release, plan: Plan) -> Fifths:
    """Post-processing of the assessment's release and of the histograms' (`spread`).

    Where in a bin its customers stand nobody knows, so all of them may be below the mean or above it. A value that many share
    is in several fifths at once.
    """
    _, low, high = mean_ends(release, plan, EACH)
    below = np.clip(np.floor(low / WIDTH).astype(np.int64), 0, BINS - 1)  # so many bins are below the mean for sure
    reached = np.clip(np.floor(high / WIDTH).astype(np.int64), 0, BINS - 1) + 1  # and no more than these
    least, most = np.zeros_like(low), np.zeros_like(high)
    for j in numbers(plan.features):
        name = plan.feature_names[j]
        at_least, at_most = _shares_below(spread[name].astype(np.float64), spread.noise(name))
        least[:, j], most[:, j] = at_least[below[:, j]], at_most[reached[:, j]]
    first = np.minimum(np.floor(least * FIFTHS).astype(np.int64) + 1, FIFTHS)
    last = np.maximum(np.ceil(most * FIFTHS).astype(np.int64), 1)
    low_fifth, high_fifth = np.minimum(first, last), np.maximum(first, last)
    for block in blocks(plan.features):
        low_fifth[:, block.columns] = high_fifth[:, block.columns] = 0
    return Fifths(low_fifth, high_fifth)


def _shares_below(noisy: Floats, noise: Noise) -> tuple[Floats, Floats]:
    """Bounds of the share of customers in the first 0, 1, ... bins, shape (bins + 1,), each with `EACH`.

    A share a / (a + b) grows with a and falls with b, whose noises are independent: each of the two lies in its bounds with
    the root of that.
    """
    left = np.concatenate([[0.0], np.cumsum(noisy)])
    right = noisy.sum() - left
    of_left = np.array([sum_reach(np.full(n, noise.deviation), noise.excess_kurtosis, EACH**0.5) for n in range(len(left))])
    of_right = of_left[::-1]
    low, high = np.maximum(left - of_left, 0.0), np.maximum(left + of_left, 0.0)
    least, most = np.maximum(right - of_right, 0.0), np.maximum(right + of_right, 0.0)
    return low / np.maximum(low + most, 1.0), np.minimum(high / np.maximum(high + least, 1.0), 1.0)
