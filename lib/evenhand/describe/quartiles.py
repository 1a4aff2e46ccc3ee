"""Median and quartiles of each feature in each segment, from noisy histograms by segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.distribution import histogram_part
from evenhand.ask.histograms import BINS, WIDTH, without_negatives
from evenhand.describe.profiles import MOST_WIDTH
from evenhand.plan.categories import numbers
from evenhand.plan.geometry import STEPS, to_unit
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL, sum_reach
from evenhand.privacy.noise import Noise
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
QUARTILES = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}


@dataclass(frozen=True)
class Quartiles:
    """In the units of the plan, shape (quartiles, segments, numbers), of the features that are no categories. Each interval holds for the noise with 95 %.

    A value is NaN where its ends are all that can be told.
    """

    value: Floats
    low: Floats
    high: Floats


def read_quartiles(release: Release, plan: Plan) -> Quartiles:
    """Post-processing of the histograms by segment. A quartile is the least value that so many customers do not exceed."""
    by_feature = []
    features = [plan.features[j] for j in numbers(plan.features)]
    for name in (feature.name for feature in features):
        part = histogram_part(name)
        histograms = release[part].astype(np.float64).reshape(-1, BINS)
        by_feature.append([[_quartile(h, release.noise(part), at) for h in histograms] for at in QUARTILES.values()])
    value, low, high = np.moveaxis(np.array(by_feature), (0, 3), (3, 0))  # (ends, quartiles, segments, features)
    told = np.where(high - low > MOST_WIDTH * STEPS, np.nan, value)
    # Ends are edges of bins, so no rounding can move anybody over them: to_unit adds what takes its half step away.
    return Quartiles(*(to_unit(of - 0.5, features) for of in (told, low, high)))


def _quartile(noisy: Floats, noise: Noise, at: float) -> tuple[float, float, float]:
    """Value and ends in fixed point, of one histogram.

    A bin can hold the quartile where the noise leaves it possible that fewer than `at` are below the bin, and that no fewer are
    up to its end. Of the true bin each of the two fails with 2.5 % at most, whatever happens at others (a confidence set
    by inversion of tests: Casella, Berger, Statistical Inference, section 9.2). Shown is all from the first such bin to the last.
    """
    upto = np.arange(BINS + 1)
    left = np.concatenate([[0.0], np.cumsum(noisy)])
    surplus = (1 - at) * left - at * (noisy.sum() - left)  # at each edge: above zero where more than `at` are below it
    weights = np.where(np.arange(BINS)[:, None] < upto, 1 - at, at) * noise.deviation
    reach = sum_reach(weights, noise.excess_kurtosis, LEVEL)
    possible = np.flatnonzero((surplus[:-1] <= reach[:-1]) & (surplus[1:] >= -reach[1:]))
    shares = without_negatives(noisy)
    below = np.concatenate([[0.0], np.cumsum(shares)])
    bin_number = min(int(np.searchsorted(below[1:], at)), BINS - 1)
    inside = (at - below[bin_number]) / shares[bin_number] if shares[bin_number] > 0 else 0.5
    first, last = (possible[0], possible[-1]) if len(possible) else (bin_number, bin_number)
    value = float(np.clip((bin_number + min(max(inside, 0.0), 1.0)) * WIDTH, first * WIDTH, (last + 1) * WIDTH))
    return value, float(first * WIDTH), float((last + 1) * WIDTH)
