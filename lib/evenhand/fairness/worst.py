"""Statistics of the worst group or cell, with intervals.

The end of the interval on the uneven side is the worst of the ends of the single figures: the figure that is truly the
worst is missed on that side with 2.5 % at most, whichever it is. The end on the even side comes from tables between even
and what was seen (fairness/intervals.py), since the best guess for the worst of many noisy figures is not the noisiest.
So these intervals hold at least 19 times in 20; more often where many figures are equally uneven.

A summary does not contradict a figure that it sums up. Where a single cell, or pair of rates, is surely uneven among all of
them, no distance is said to be possibly none; and the value of the worst cell is no nearer to even than the range of any.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.apart import surely_apart
from evenhand.fairness.intervals import estimates
from evenhand.fairness.rates import Interval, difference, rate, ratio
from evenhand.fairness.statistics import (
    balance,
    cramers_v,
    jensen_shannon,
    jensen_shannons,
    mutual_information,
    selection_difference,
    selection_ratio,
    total_variation,
    total_variations,
    worst_representation,
)
from evenhand.privacy.intervals import LEVEL, Estimate
from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SURELY = 0.005  # the chance that any of the cells is called uneven wrongly; what the end on the even side may take of it


def segment_share(noisy: Floats, noise: Noise, level: float = LEVEL) -> Interval:
    """Share of each group inside each segment, shape (groups, segments)."""
    variance, others = noise.deviation**2, noisy.shape[0] - 1
    return rate(noisy, noisy.sum(axis=0, keepdims=True) - noisy, variance, others * variance, noise.excess_kurtosis, level)


def representation(noisy: Floats, noise: Noise, level: float = LEVEL) -> Interval:
    """Representation ratio of each cell, r_gj / r_g, shape (groups, segments).

    The rate at which a group is in a segment over everybody else's; then over everybody's, of whom the group is a part.
    """
    groups, segments = noisy.shape
    variance, excess = noise.deviation**2, noise.excess_kurtosis
    group, segment = noisy.sum(axis=1, keepdims=True), noisy.sum(axis=0, keepdims=True)
    total, others = noisy.sum(), max(groups - 1, 1)
    own = rate(noisy, group - noisy, variance, (segments - 1) * variance, excess, level)
    rest = segment - noisy
    theirs = rate(rest, total - group - rest, others * variance, others * (segments - 1) * variance, excess / others, level)
    weight = np.clip(group / max(float(total), 1.0), 0.0, 1.0)

    def over_everybody(r: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.isinf(r), 1 / weight, r / (weight * r + 1 - weight))  # type: ignore[no-any-return]

    found = ratio(own, theirs)
    return Interval(*(over_everybody(r) for r in (found.value, found.low, found.high)))


def selection_rates(noisy: Floats, noise: Noise, chosen: Mask, level: float = LEVEL) -> Interval:
    """The share of each group that is in the chosen segments, shape (groups,)."""
    variance, many, few = noise.deviation**2, int(chosen.sum()), int((~chosen).sum())
    got = noisy[:, chosen].sum(axis=1)
    return rate(got, noisy.sum(axis=1) - got, many * variance, few * variance, noise.excess_kurtosis / max(many, 1), level)


def table_estimates(noisy: Floats, noise: Noise) -> dict[str, Estimate]:
    """All statistics of a table of at least two groups, shape (groups, segments)."""
    path = estimates(
        {
            "representation_ratio": worst_representation,
            "balance": _relative_balance,
            "total_variation": total_variation,
            "jensen_shannon": jensen_shannon,
            "cramers_v": cramers_v,
            "mutual_information": mutual_information,
        },
        noisy,
        noise,
    )
    path["representation_ratio"] = _worst_cell(noisy, noise, path["representation_ratio"])
    path["balance"] = _balance(noisy, noise, path["balance"])
    for name, apart in surely_apart(noisy, noise, SURELY).items():
        path[name] = _at_least(path[name], apart)
    if len(noisy) == 2:  # each is the other's everybody else
        return path
    by_group = [_against_the_others(noisy, noise, g) for g in range(len(noisy))]
    for name in ("total_variation", "jensen_shannon"):
        path[name] = _reaching(path[name], high=max(one[name].high for one in by_group))
    return path


def _worst_cell(noisy: Floats, noise: Noise, path: Estimate) -> Estimate:
    """Of min(r, 1/r) over all cells. Where a single cell is surely uneven among all of them (Bonferroni), so is the worst."""
    own, surely = representation(noisy, noise), representation(noisy, noise, 1 - SURELY / noisy.size)
    lowest = float(np.nanmin(np.fmin(own.low, 1 / np.maximum(own.high, 1e-12))))
    high = min(path.high, float(np.nanmin(near_ends(surely))))
    value = min(path.value, high, float(np.nanmin(near_ends(own))))
    return _reaching(Estimate(value, min(path.low, high), high), low=lowest)


def near_ends(ratios: Interval) -> Floats:
    """The end of each range that is nearer to even, as min(r, 1/r); 1 where the range holds 1."""
    with np.errstate(divide="ignore"):
        return np.where(ratios.high < 1, ratios.high, np.where(ratios.low > 1, 1 / ratios.low, 1.0))  # type: ignore[no-any-return]


def selection_estimates(noisy: Floats, noise: Noise, chosen: Mask) -> dict[str, Estimate]:
    """Lowest over highest, and highest less lowest, selection rate of groups."""
    columns = np.stack([chosen, ~chosen], axis=1).astype(np.float64)
    statistics = {"selection_ratio": selection_ratio, "selection_difference": selection_difference}
    path = estimates(statistics, noisy, noise, columns=columns)
    one, other = _pairs(selection_rates(noisy, noise, chosen))
    lowest, highest = float(np.nanmin(ratio(one, other).low)), float(np.nanmax(difference(one, other).high))
    one, other = _pairs(selection_rates(noisy, noise, chosen, 1 - SURELY / (len(noisy) * (len(noisy) - 1))))
    at_most, at_least = float(np.nanmin(ratio(one, other).high)), float(np.nanmax(difference(one, other).low))
    return {
        "selection_ratio": _reaching(_at_most(path["selection_ratio"], at_most), low=lowest),
        "selection_difference": _reaching(_at_least(path["selection_difference"], at_least), high=highest),
    }


def _pairs(figures: Interval) -> tuple[Interval, Interval]:
    """Every figure against every other, the first axis."""
    one, other = np.nonzero(~np.eye(len(figures.value), dtype=bool))
    return figures[one], figures[other]


def _against_the_others(noisy: Floats, noise: Noise, group: int) -> dict[str, Estimate]:
    """The distances between one group's distribution and that of all others."""
    rows = np.zeros((2, len(noisy)))
    rows[0, group], rows[1] = 1.0, 1.0 - np.eye(len(noisy))[group]
    own = {"total_variation": lambda t: total_variations(t)[..., 0], "jensen_shannon": lambda t: jensen_shannons(t)[..., 0]}
    return estimates(own, noisy, noise, rows, few=False)


def _relative_balance(counts: Floats) -> Floats:
    """Balance over that of everybody together, 1 where the segments are even."""
    totals: Floats = np.maximum(counts.sum(axis=-1), 1e-12)
    return np.asarray(balance(counts) / (totals.min(axis=-1) / totals.max(axis=-1)))


def _balance(noisy: Floats, noise: Noise, relative: Estimate) -> Estimate:
    """From the relative balance and that of everybody; the end on the even side takes both at their most even."""
    variance, segments = noise.deviation**2, noisy.shape[1]
    totals = np.maximum(noisy.sum(axis=1), 0.0)
    smallest, largest = totals[[totals.argmin()]], totals[[totals.argmax()]]
    everybody = _odds(rate(smallest, largest, segments * variance, segments * variance, noise.excess_kurtosis / segments))
    pairs = [_odds(rate(noisy[[g]], noisy, variance, variance, noise.excess_kurtosis)) for g in range(len(noisy))]
    lowest = min(float(np.nanmin(np.delete(pair.low, g, axis=0))) for g, pair in enumerate(pairs))
    highest = min(relative.high * float(everybody.high[0]), 1.0)
    of_everybody = float(np.nan_to_num(everybody.value[0], nan=1.0))  # where nobody is, nobody is more than another
    return _reaching(Estimate(relative.value * of_everybody, lowest, highest), low=lowest)


def _odds(share: Interval) -> Interval:
    with np.errstate(divide="ignore"):
        return Interval(*(x / (1 - x) for x in (share.value, share.low, share.high)))


def _at_least(of: Estimate, least: float) -> Estimate:
    """The interval without what is below; what is above is not known any better."""
    return Estimate(max(of.value, least), max(of.low, least), max(of.high, least))


def _at_most(of: Estimate, most: float) -> Estimate:
    return Estimate(min(of.value, most), min(of.low, most), min(of.high, most))


def _reaching(of: Estimate, low: float | None = None, high: float | None = None) -> Estimate:
    """The interval with another end, the value inside."""
    bottom, top = (of.low if low is None else min(low, of.high)), (of.high if high is None else max(high, of.low))
    return Estimate(min(max(of.value, bottom), top), bottom, top)
