"""How far each segment is from everybody, and from each other segment, with what the noise leaves open of it.

From the assessment's release alone, which knows people and no boxes. Labels, colors and arrows all go by these figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.assessment import SIZE, SUMS, feature_sums, small_segments
from evenhand.describe.everybody import spreads, variances
from evenhand.describe.profiles import mean_ends
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL, sum_reach
from evenhand.privacy.release import Release

Floats = NDArray[np.float64]
ALL_SIDES = 0.99  # of a run's segments and features together: that none is said to be on the wrong side of everybody


@dataclass(frozen=True)
class Distances:
    """In standard deviations of customers, on each feature's scale. "Everybody" are the customers of the segments that are shown.

    `value`, `low`, `high` (segments, features): how far a segment's mean is above everybody's, negative below. The value takes
    the deviation a standard error larger than it was found, so it is rather too near to 0. That `low` or `high` are on one side
    of 0 holds for all of them together with 99 %; they are infinite where the noise bounds nothing. `pairs` (segments, segments,
    features): how far the first is surely above the second, negative below, 0 where either may be. `size` (segments,): noisy.
    Of a segment that is not shown all are NaN.
    """

    value: Floats
    low: Floats
    high: Floats
    pairs: Floats
    size: Floats

    @property
    def sure(self) -> Floats:
        """How far above everybody a segment is at least, negative below; 0 where either may be, or nothing is shown."""
        return _nearer(self.low, self.high)


def read_distances(release: Release, plan: Plan) -> Distances:
    """Post-processing of the assessment's release.

    A mean S / n whose sum has the noise s and whose size x is (s - m x) / n off, with m the mean without noise: so errors of
    means add up like those of sums. Everybody's mean is made of the same sums, and moves with them. A segment that noise
    alone may have made is bounded by nothing. Where the published intervals of a segment and of everybody meet, 0 is among
    what may be.
    """
    shown, sizes = ~small_segments(release, plan), release[SIZE].astype(np.float64)
    k, d, some = len(sizes), len(plan.features), int(shown.sum())
    n = np.maximum(sizes[shown], 1.0)[:, None]
    rows = feature_sums(release, SUMS, plan)
    means = rows.sums[shown] / n
    share = n / max(float(n.sum()), 1.0)
    mean = (share * means).sum(axis=0)
    of_sum, of_size = rows.deviation[shown] / n, release.noise(SIZE).deviation / n
    level = 1 - (1 - ALL_SIDES) / (k * d)
    reached = partial(_reached, rows.excess, release.noise(SIZE).excess_kurtosis, level)
    # The noise of segment i in the distance of segment j, (i, j, features): of its sum, and of its size.
    own = np.eye(some)[:, :, None]
    by_sum, by_size = (own - share[:, None]) * of_sum[:, None], (own * means - share[:, None] * mean) * of_size[:, None]
    reach = np.where(n > release.noise(SIZE).half_width(level), reached(by_sum, by_size), np.inf)
    away, meet = means - mean, _meet(release, plan, shown)
    of_two = (np.stack(np.broadcast_arrays(of[:, None], of)) for of in (of_sum, means * of_size))
    reach_of_two = np.where(np.isinf(reach[:, None] + reach), np.inf, reached(*of_two))
    spread = _spread(release, plan, k)
    full = [
        _filled(figure, shown) for figure in _in_deviations(away, np.where(meet, np.maximum(reach, np.abs(away)), reach), *spread)
    ]
    _, low, high = _in_deviations(means[:, None] - means, reach_of_two, *spread)
    pairs = np.full((k, k, d), np.nan)
    pairs[np.ix_(shown, shown)] = _nearer(low, high)
    return Distances(full[0], full[1], full[2], pairs, np.where(shown, sizes, np.nan))


def _meet(release: Release, plan: Plan, shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of which segments that are shown the interval meets that of everybody in them, as the page has both; (shown, features)."""
    # As they are published: the ends as far out as what fixed point has rounded.
    value, low, high = (of[shown] + end / 2 for of, end in zip(mean_ends(release, plan), (0, -1, 1), strict=True))
    sizes, reach = np.maximum(release[SIZE][shown, None].astype(np.float64), 0.0), release.noise(SIZE).half_width(LEVEL)
    share = sizes / max(float(sizes.sum()), 1.0)
    mean = (share * value).sum(axis=0)
    of_weights = np.sqrt((((value - mean) * reach / max(float(sizes.sum()), 1.0)) ** 2).sum(axis=0))
    below, above = (np.sqrt(((share * (end - value)) ** 2).sum(axis=0)) + of_weights for end in (low, high))
    return (low <= mean + above) & (high >= mean - below)  # type: ignore[no-any-return]


def _reached(excess: Floats, of_sizes: float, level: float, by_sum: Floats, by_size: Floats) -> Floats:
    """How far noise of these deviations, added up over their first axes, reaches with that chance."""
    of_sum, of_size = ((of**4).sum(axis=0) for of in (by_sum, by_size))
    tails = excess * of_sum + of_sizes * of_size
    return sum_reach(np.concatenate([by_sum, by_size]), tails / np.maximum(of_sum + of_size, 1e-300), level)


def _spread(release: Release, plan: Plan, segments: int) -> tuple[Floats, Floats, Floats]:
    """The features' deviations: a standard error larger than found, then from and to."""
    found, errors = variances(release, plan, segments)
    _, low, high = spreads(release, plan, segments)
    return np.sqrt(np.maximum(found, 0.0) + errors), low, high


def _in_deviations(away: Floats, reach: Floats, spread: Floats, least: Floats, most: Floats) -> tuple[Floats, Floats, Floats]:
    """Value and ends of a distance, over a deviation between its own ends."""
    low, high = away - reach, away + reach
    under_low, under_high = np.where(low > 0, most, least), np.where(high > 0, least, most)
    with np.errstate(divide="ignore", invalid="ignore"):  # beyond a deviation that may be nothing an end is infinite
        return away / spread, np.where(low == 0, 0.0, low / under_low), np.where(high == 0, 0.0, high / under_high)


def _nearer(low: Floats, high: Floats) -> Floats:
    """The end of an interval that is nearer to 0; 0 where it holds that, or is none."""
    return np.where(low > 0, low, np.where(high < 0, high, 0.0))


def _filled(figure: Floats, shown: NDArray[np.bool_]) -> Floats:
    full = np.full((len(shown), figure.shape[1]), np.nan)
    full[shown] = figure
    return full
