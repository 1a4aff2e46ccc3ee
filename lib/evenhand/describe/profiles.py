"""Segment profiles from the release: size, share and typical value of each feature, each with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.assessment import SIZE, SUMS, feature_sums, small_segments
from evenhand.plan.geometry import STEPS, to_unit
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import EACH_OF_TWO, LEVEL, quotient_ends, share_bounds
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]


MOST_WIDTH = 0.5  # of the way between a feature's bounds, on its scale; of a wider interval no value is told


@dataclass(frozen=True)
class Profiles:
    """Arrays of shape (segments,) for sizes and shares, (segments, features) for values, in the units of the plan.

    A value is NaN where its ends are all that can be told.
    """

    size: Floats
    size_low: Floats
    size_high: Floats
    share: Floats
    share_low: Floats
    share_high: Floats
    value: Floats
    value_low: Floats
    value_high: Floats
    suppressed: NDArray[np.bool_]


def read_profiles(release: Release, plan: Plan) -> Profiles:
    """Post-processing of the release. A log-scaled feature's value is the mean on the log scale, so nearer the median.

    The intervals of values hold with 95 % since both noisy figures lie in theirs with 97.5 % (Bonferroni).

    They hold among the segments that are shown, too: whom only the noise lifts above the plan's minimum may be nobody, so
    they begin at zero unless the count exceeds the minimum by as much as the noise reaches.
    """
    noisy = release[SIZE].astype(np.float64)
    reach, wide = (release.noise(SIZE).half_width(level) for level in (LEVEL, EACH_OF_TWO))
    size, high = np.maximum(noisy, 0.0), np.maximum(noisy + reach, 0.0)
    low, least = (_size_from(noisy, r, plan) for r in (reach, wide))
    share = size / np.maximum(size.sum(), 1.0)
    share_low, share_high = share_bounds(noisy, release.noise(SIZE))
    share_low, share_high = np.where(least > 0, np.fmin(share_low, share), 0.0), np.fmax(share_high, share)
    fixed = mean_ends(release, plan)
    value, value_low, value_high = (to_unit(m, plan.features, end) for m, end in zip(fixed, (0, -1, 1), strict=True))
    value = np.where(fixed[2] - fixed[1] > MOST_WIDTH * STEPS, np.nan, value)
    suppressed = small_segments(release, plan)
    return Profiles(size, low, high, share, share_low, share_high, value, value_low, value_high, suppressed)


def mean_ends(release: Release, plan: Plan, each: float = EACH_OF_TWO) -> tuple[Floats, Floats, Floats]:
    """The means of the segments and their ends in fixed point, shape (segments, features) each; inside the bounds whatever the noise.

    Sum and size lie in their intervals with `each`.
    """
    noisy, wide = release[SIZE].astype(np.float64), release.noise(SIZE).half_width(each)
    rows, sizes, least = feature_sums(release, SUMS, plan), noisy[:, None], _size_from(noisy, wide, plan)
    slack = rows.reach(each)
    low, high = quotient_ends(rows.sums - slack, rows.sums + slack, least[:, None], sizes + wide)
    value, low, high = (np.clip(m + rows.origin, 0, STEPS - 1) for m in (rows.sums / np.maximum(sizes, 1.0), low, high))
    return value, low, high


def _size_from(noisy: Floats, reach: float, plan: Plan) -> Floats:
    """From how many customers on; of a segment that only the noise may have lifted above the plan's minimum, from nobody."""
    return np.where(noisy >= plan.privacy.minimum_cell + reach, np.maximum(noisy - reach, 0.0), 0.0)
