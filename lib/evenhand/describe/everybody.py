"""How many customers there are, and how far each feature spreads over them, from the release: what segments are held against."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.assessment import SIZE, SQUARES, SUMS, feature_sums
from evenhand.plan.categories import blocks, numbers
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan
from evenhand.plan.parted import FULL
from evenhand.privacy.intervals import LEVEL, sum_half_width
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
STANDS_OUT = 3.0  # standard errors that a feature's variance must be, for the noise to leave something of it
REACH = 1.96  # standard errors, 19 times in 20


@dataclass(frozen=True)
class Everybody:
    """`customers` and the standard deviation of each feature on its scale, (features,), each with its value and ends.

    The interval of `customers` covers the noise, that of a spread sampling too. The value of a spread is NaN where the noise
    leaves little of it.
    """

    customers: tuple[float, float, float]
    spread: tuple[Floats, Floats, Floats]


def read_everybody(release: Release, plan: Plan, segments: int) -> Everybody:
    """Post-processing of the assessment's release."""
    total, reach = float(release[SIZE].sum()), sum_half_width(release.noise(SIZE), segments, LEVEL)
    step = np.array([_width(*f.limits, f.scale) / STEPS for f in plan.features])
    value, low, high = (figure * step for figure in spreads(release, plan, segments))
    return Everybody((max(total, 0.0), max(total - reach, 0.0), max(total + reach, 0.0)), (value, low, high))


def spreads(release: Release, plan: Plan, segments: int) -> tuple[Floats, Floats, Floats]:
    """The standard deviation of each feature over everybody in steps of fixed point, (features,) each: value, from and to.

    No noise that happens to make a variance negative brings its end below what the noise alone may hide.
    """
    found, errors = variances(release, plan, segments)
    low, high = (np.sqrt(np.maximum(end, 0.0)) for end in (found - REACH * errors, np.maximum(found, 0.0) + REACH * errors))
    return np.where(found >= STANDS_OUT * errors, np.sqrt(np.maximum(found, 0.0)), np.nan), low, high


def _width(low: float, high: float, scale: str) -> float:
    return math.log1p(high - low) if scale == "log" else high - low


def variances(release: Release, plan: Plan, segments: int) -> tuple[Floats, Floats]:
    """Of each feature over everybody, from the noisy sums and squares; and how far sampling and noise put each off (standard errors)."""
    n, of_n = max(float(release[SIZE].sum()), 1.0), release.noise(SIZE).deviation * segments**0.5
    rows, of_numbers = feature_sums(release, SUMS, plan), numbers(plan.features)
    every, of_every = rows.sums.sum(axis=0) / n, np.sqrt((rows.deviation**2).sum(axis=0)) / n
    means, of_means = every[of_numbers], of_every[of_numbers]
    squares, of_squares = release[SQUARES] / n, release.noise(SQUARES).deviation / n
    variances, errors = np.empty(len(every)), np.empty(len(every))
    variances[of_numbers] = own = squares - means**2
    by_n = (2 * means**2 - squares) * of_n / n
    sampled = 2 * np.maximum(own, 0.0) ** 2 / n  # of a normal distribution
    errors[of_numbers] = np.sqrt(of_squares**2 + (2 * means * of_means) ** 2 + by_n**2 + sampled)
    for columns in (list(block.columns) for block in blocks(plan.features)):
        share, off = np.clip(every[columns] / FULL, 0.0, 1.0), np.hypot(of_every[columns], every[columns] * of_n / n) / FULL
        off = np.sqrt(off**2 + share * (1 - share) / n)
        variances[columns] = FULL**2 * share * (1 - share)
        # The derivative of p (1 - p) is 1 - 2 p, give or take what p itself is off.
        errors[columns] = FULL**2 * (np.abs(1 - 2 * share) + 2 * off) * off
    return variances, errors
