"""Rates, and their differences and ratios, with intervals that cover the sampling of customers and the added noise.

The customers of a run are taken for a sample of all that the plan is meant for: a group of 40 says less about how such
people are treated than one of 40,000, even when both are counted without noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evenhand.privacy.intervals import LEVEL

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Interval:
    """A figure with the interval that holds what it estimates with 95 %; arrays of one shape."""

    value: Floats
    low: Floats
    high: Floats

    def __getitem__(self, rows: Any) -> Interval:
        """The figures of these rows, whatever NumPy takes for rows."""
        return Interval(self.value[rows], self.low[rows], self.high[rows])


def among(chosen: Mask, figures: Interval) -> Interval:
    """The figures of the chosen among all, along the first axis, NaN for the others."""
    ends = []
    for end in (figures.value, figures.low, figures.high):
        everyone = np.full((len(chosen), *end.shape[1:]), np.nan)
        everyone[chosen] = end
        ends.append(everyone)
    return Interval(*ends)


def rate(
    part: Floats, rest: Floats, part_variance: Floats | float, rest_variance: Floats | float, excess: float, level: float = LEVEL
) -> Interval:
    """part / (part + rest), for noisy counts whose noises are independent, of those variances; arrays of one shape.

    The interval holds all rates p that the counts do not speak against: Wilson's score interval (1927) for the linear
    statistic (1 - p) part - p rest, whose variance is that of a binomial plus that of the noise. `excess` is the noise's
    excess kurtosis for a single cell (Laplace 3, Gaussian 0): a heavier tail asks for a wider interval. A whole that does
    not stand out of its own noise gives 0 to 1.
    """
    whole = part + rest
    z = _critical(part, rest, part_variance, rest_variance, excess, NormalDist().inv_cdf((1 + level) / 2))
    # (part - p whole)² = z² (whole p (1 - p) + (1 - p)² a + p² b), solved for p.
    a, b, n = np.asarray(part_variance), np.asarray(rest_variance), np.maximum(whole, 0.0)
    square = whole**2 + z**2 * (n - a - b)
    linear = -2 * part * whole - z**2 * (n - 2 * a)
    constant = part**2 - z**2 * a
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0.0))
        low, high = (-linear - root) / (2 * square), (-linear + root) / (2 * square)
        value = np.where(whole > 0, np.clip(part / whole, 0.0, 1.0), np.nan)
    known = (whole > 0) & (square > 0)
    low = np.where(known, np.clip(low, 0.0, 1.0), 0.0)
    high = np.where(known, np.clip(high, 0.0, 1.0), 1.0)
    return Interval(value, np.fmin(low, value), np.fmax(high, value))


def _critical(part: Floats, rest: Floats, a: Floats | float, b: Floats | float, excess: float, z: float) -> Floats:
    """How many standard deviations: the normal quantile z, corrected for heavy tails (Cornish and Fisher, 1938).

    The excess kurtosis of a sum weighs each term by its squared share of the variance; the rest is a sum of several cells.
    """
    whole = np.maximum(part + rest, 1.0)
    p = np.clip(part / whole, 0.0, 1.0)
    of_part, of_rest, sampling = (1 - p) ** 2 * a, p**2 * b, whole * p * (1 - p)
    cells = np.maximum(np.asarray(b) / np.maximum(np.asarray(a), 1e-12), 1.0)
    total = np.maximum(of_part + of_rest + sampling, 1e-12)
    kurtosis = excess * ((of_part / total) ** 2 + (of_rest / total) ** 2 / cells)
    critical: Floats = z + (z**3 - 3 * z) * kurtosis / 24
    return critical


def difference(one: Interval, other: Interval) -> Interval:
    """one - other, for independent figures: each limit moves by what the figures' own limits are away (MOVER).

    Newcombe, "Interval estimation for the difference between independent proportions", 1998, method 10.
    """
    value = one.value - other.value
    low = value - np.hypot(one.value - one.low, other.high - other.value)
    high = value + np.hypot(one.high - one.value, other.value - other.low)
    return Interval(value, low, high)


def ratio(one: Interval, other: Interval) -> Interval:
    """one / other, for independent figures that are not negative: the difference of their logarithms."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = difference(_log(one), _log(other))
        value, low, high = (np.exp(x) for x in (logs.value, logs.low, logs.high))
    return Interval(
        np.where(other.value > 0, value, np.nan),
        np.where(one.low > 0, np.nan_to_num(low, nan=0.0), 0.0),
        np.where(other.low > 0, high, np.inf),
    )


def _log(figure: Interval) -> Interval:
    value = np.maximum(figure.value, 1e-300)
    return Interval(np.log(value), np.log(np.maximum(figure.low, 1e-300)), np.log(np.maximum(figure.high, 1e-300)))
