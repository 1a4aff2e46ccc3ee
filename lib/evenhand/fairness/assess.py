"""Fairness from a release: every statistic with its interval for the noise, and a verdict that may be "cannot tell"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.intervals import BOUNDS, ratio_bounds
from evenhand.fairness.statistics import METRICS, representation_ratio, segment_shares
from evenhand.plan.models import Attribute, Plan
from evenhand.privacy.intervals import LEVEL, SEGMENT, share_bounds
from evenhand.privacy.release import Release
from evenhand.privacy.suppression import suppressed_cells
from evenhand.privacy.tallies import group_part, small_segments

Floats = NDArray[np.float64]
LOWER_IS_EVEN = {"total_variation"}
EVEN, UNEVEN, CANNOT_TELL = "even", "uneven", "cannot tell"


@dataclass(frozen=True)
class Interval:
    """A noisy figure with the interval that covers the noise with 95 %; arrays of one shape."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Judgment:
    metric: str
    value: float
    low: float
    high: float
    threshold: float
    verdict: str


@dataclass(frozen=True)
class AttributeFairness:
    """All statistics of one protected attribute; arrays have the shape (groups, segments).

    Shares and ratios are among the groups that are large enough to judge, NaN for the others.
    """

    attribute: str
    groups: list[str]
    counts: Interval
    shares: Interval
    ratios: Interval
    suppressed: NDArray[np.bool_]
    too_small: list[str]  # groups that are too small to judge, left out of the judgments and named
    judgments: list[Judgment]


def assess_fairness(release: Release, plan: Plan, segments: int) -> list[AttributeFairness]:
    """Fairness by protected attribute; post-processing of the release, at no further budget."""
    return [_assessed(release, plan, attribute, segments) for attribute in plan.protected]


def _assessed(release: Release, plan: Plan, attribute: Attribute, segments: int) -> AttributeFairness:
    part, groups = group_part(attribute.name), attribute.group_names
    noisy = release[part].reshape(len(groups), segments).astype(np.float64)
    noise = release.noise(part)
    reach = float(noise.half_width(LEVEL))
    counts = Interval(np.maximum(noisy, 0), np.maximum(noisy - reach, 0), np.maximum(noisy + reach, 0))
    large = noisy.sum(axis=1) >= max(plan.privacy.minimum_cell, reach) * segments
    judged, within = noisy[large], np.maximum(noisy[large], 0)
    shares = ratios = Interval(*([np.full(noisy.shape, np.nan)] * 3))
    hidden = np.ones(noisy.shape, dtype=bool)
    if large.any():
        # Among the groups that are large enough: what the others add would be told by the shares, and is mostly noise.
        shares = _among(large, segment_shares(within), *share_bounds(judged, noise, SEGMENT))
        ratios = _among(large, representation_ratio(within), *ratio_bounds(judged, noise))
        small = (judged < plan.privacy.minimum_cell) | small_segments(release, plan)
        hidden[large] = suppressed_cells(small, judged)
    judgments = []
    if large.sum() >= 2:
        for metric, statistic in METRICS.items():
            judgments.append(_judged(metric, float(statistic(within)), *BOUNDS[metric](judged, noise), plan))
    too_small = [g for g, is_large in zip(groups, large, strict=True) if not is_large]
    return AttributeFairness(attribute.name, groups, counts, shares, ratios, hidden, too_small, judgments)


def _among(large: NDArray[np.bool_], *figures: Floats) -> Interval:
    """The figures of the large groups in the table of all, NaN for the others."""
    tables = []
    for figure in figures:
        table = np.full((len(large), figure.shape[1]), np.nan)
        table[large] = figure
        tables.append(table)
    return _interval(*tables)


def _interval(value: Floats, low: Floats, high: Floats) -> Interval:
    """The bounds, and the noisy figure itself, which lies outside of them only where counts were cut off at zero."""
    return Interval(value, np.fmin(low, value), np.fmax(high, value))


def _judged(metric: str, value: float, low: float, high: float, plan: Plan) -> Judgment:
    threshold = float(getattr(plan.fairness.thresholds, metric))
    low, high = float(np.fmin(low, value)), float(np.fmax(high, value))
    return Judgment(metric, value, low, high, threshold, verdict(low, high, threshold, metric in LOWER_IS_EVEN))


def verdict(low: float, high: float, threshold: float, lower_is_even: bool) -> str:
    """Even or uneven when the whole interval says so, else "cannot tell"."""
    if lower_is_even:
        low, high, threshold = -high, -low, -threshold
    if low >= threshold:
        return EVEN
    return UNEVEN if high < threshold else CANNOT_TELL


def unevenness(fairness: list[AttributeFairness]) -> list[str]:
    """One line for each statistic that is surely uneven; empty when nothing is."""
    return [
        f"{of.attribute}: {j.metric.replace('_', ' ')} {j.value:.2f} [{j.low:.2f}, {j.high:.2f}], threshold {j.threshold:g}"
        for of in fairness
        for j in of.judgments
        if j.verdict == UNEVEN
    ]
