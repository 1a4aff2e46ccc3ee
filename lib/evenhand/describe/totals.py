"""Who brings the total: the share of each segment in a sum over all customers, for features that can be added up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.assessment import MIDDLE, SIZE, SUMS, feature_sums
from evenhand.ask.distribution import AMOUNT, TOTALS, added_up, furthest_off
from evenhand.describe.profiles import MOST_WIDTH
from evenhand.plan.distribution import is_additive
from evenhand.plan.features import Feature
from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import EACH_OF_TWO, LEVEL, sum_reach
from evenhand.privacy.noise import Noise
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
SURELY = 0.999  # how many customers there are at most, for the rounding of their amounts: of no weight beside the noise
EACH = (LEVEL + 1 - SURELY) ** 0.5  # own total and that of the others have independent noise, and lie in their bounds together


@dataclass(frozen=True)
class Shares:
    """Of a total, by segment, shape (segments,) each; every interval holds with 95 %. A value is NaN where its ends are all
    that can be told.
    """

    value: Floats
    low: Floats
    high: Floats


def read_totals(release: Release, plan: Plan, amounts: Release | None) -> dict[str, Shares]:
    """By feature, of values as they count, inside the bounds. Post-processing of the assessment's release, and of that of
    `distribution` (`amounts`) for features on log scales; without it these are left out.
    """
    found, asked, sums = dict[str, Shares](), added_up(plan), feature_sums(release, SUMS, plan).sums
    # Whom only the noise lifts above the plan's minimum may be nobody.
    is_lifted = release[SIZE] < plan.privacy.minimum_cell + release.noise(SIZE).half_width(EACH_OF_TWO)
    for j, feature in enumerate(plan.features):
        if feature.scale == "log" and amounts is not None and j in asked:
            shares = _of_amounts(amounts, asked.index(j), release, feature)
        elif feature.scale == "linear" and is_additive(feature):
            shares = _of_sums(release, sums[:, j], feature)
        else:
            continue
        found[feature.name] = replace(shares, low=np.where(is_lifted, 0.0, shares.low))
    return found


def _of_sums(release: Release, sums: Floats, feature: Feature) -> Shares:
    """Of a feature without a log scale: the sum of its offsets from the middle, and the middle for each customer."""
    (low, high), sizes = feature.limits, release[SIZE].astype(np.float64)
    step = (high - low) / STEPS
    middle = low + (MIDDLE + 0.5) * step
    noise = [(step, release.noise(SUMS)), (middle, release.noise(SIZE))]
    return _shares(step * sums + middle * sizes, noise, 0.0, step / 2 * _at_most(release))


def _of_amounts(amounts: Release, column: int, release: Release, feature: Feature) -> Shares:
    (low, high), sizes = feature.limits, release[SIZE].astype(np.float64)
    step, (relative, absolute) = (high - low) / AMOUNT, furthest_off(feature)
    sums = amounts[TOTALS].reshape(len(sizes), -1)[:, column].astype(np.float64)
    noise = [(step, amounts.noise(TOTALS)), (low, release.noise(SIZE))]
    return _shares(step * sums + low * sizes, noise, relative, step * absolute * _at_most(release))


def _at_most(release: Release) -> Floats:
    return np.maximum(release[SIZE] + release.noise(SIZE).half_width(SURELY), 0.0)


def _shares(noisy: Floats, noise: list[tuple[float, Noise]], relative: float, absolute: Floats) -> Shares:
    """A share a / (a + others) grows with a and falls with the others. Rounding may have moved an amount by a part of itself
    (`relative`), and the amounts of a segment by so much together (`absolute`).
    """
    of_one = _reach(noise, 1)
    of_others = _reach(noise, len(noisy) - 1) if len(noisy) > 1 else 0.0

    def ends(total: Floats, reach: float, rounding: Floats) -> tuple[Floats, Floats]:
        low, high = total - reach, total + reach
        return np.maximum(low * (1 - relative) - rounding, 0.0), np.maximum(high * (1 + relative) + rounding, 0.0)

    low, high = ends(noisy, of_one, absolute)
    least, most = ends(noisy.sum() - noisy, of_others, absolute.sum() - absolute)
    least_share = np.divide(low, low + most, out=np.zeros_like(low), where=low + most > 0)
    most_share = np.divide(high, high + least, out=np.ones_like(high), where=high + least > 0)
    above = np.maximum(noisy, 0.0)
    value = np.clip(above / above.sum() if above.any() else least_share, least_share, most_share)
    return Shares(np.where(most_share - least_share > MOST_WIDTH, np.nan, value), least_share, most_share)


def _reach(noise: list[tuple[float, Noise]], segments: int) -> float:
    """How far the sum over so many segments may be moved. Of several kinds of noise the heaviest tails are taken for all."""
    deviations = np.array([factor * of.deviation for factor, of in noise] * segments)
    return float(sum_reach(deviations, max(0.0, *(of.excess_kurtosis for _, of in noise)), EACH))
