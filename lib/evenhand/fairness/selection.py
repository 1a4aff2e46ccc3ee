"""Who gets an offer: the rate of each group, and what they are judged by.

A rate is about a group's customers in several segments together. So a group that is too few to know a single cell of may well
be known to get an offer seldom.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.known import with_rates
from evenhand.fairness.rates import Interval, among, ratio
from evenhand.fairness.worst import selection_estimates, selection_rates
from evenhand.privacy.intervals import Estimate
from evenhand.privacy.noise import Noise
from evenhand.privacy.suppression import withheld_rates

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
MOST_WIDTH = 0.5  # of a rate's interval: wider, it says nothing but the interval


@dataclass(frozen=True)
class Offered:
    """`rates` of all groups, shape (groups,): NaN for those too few to tell, and where one would give a suppressed cell away.

    `over` (groups,) are those that it is judged by, `estimates` what it comes to: empty where they are fewer than two, and
    not to be `shown` where a rate is not.
    """

    rates: Interval
    over: Mask
    estimates: Mapping[str, Estimate]
    shown: bool


def offered(
    noisy: Floats,
    noise: Noise,
    hidden: Mask,
    large: Mask,
    offers: Mapping[str, Mask],
    minimum: float,
    threshold: float,
    burdens: Collection[str] = (),
) -> dict[str, Offered]:
    """By offer, from a table of shape (groups, segments) with its `hidden` cells and the groups `large` enough to show cells of.

    Of `burdens` the rates are those of who gets them, and what is judged are those of who is spared: four fifths is a rule for
    what people are better off by.
    """
    well = with_rates(noisy, noise, minimum)
    known = large | well
    withheld = withheld_rates(hidden[large], list(offers.values())) if large.any() else [large[large]] * len(offers)
    found = {}
    for (offer, chosen), of_large in zip(offers.items(), withheld, strict=True):
        gets, gets_not = noisy[:, chosen].sum(axis=1), noisy[:, ~chosen].sum(axis=1)
        secret = np.minimum(gets, gets_not) < (minimum if not chosen.all() else -np.inf)
        secret[large] = of_large
        rates = among(known, selection_rates(noisy[known], noise, chosen))
        is_burden = offer in burdens
        over = _judged_by(_spared(rates) if is_burden else rates, well & known, known, threshold)
        estimates = selection_estimates(noisy[over], noise, ~chosen if is_burden else chosen) if over.sum() >= 2 else {}
        shown = Interval(*(np.where(secret, np.nan, end) for end in (rates.value, rates.low, rates.high)))
        found[offer] = Offered(_told(shown), over, estimates, not secret[over].any())
    return found


def _judged_by(rates: Interval, well: Mask, known: Mask, threshold: float) -> Mask:
    """The groups well known; and others whose rate is surely uneven beside one of theirs. All, where fewer than two are."""
    if well.sum() < 2:
        return known
    one, other = rates[:, None], rates[None, well]
    with np.errstate(invalid="ignore"):
        apart = (ratio(one, other).high < threshold) | (ratio(other, one).high < threshold)
    return well | (known & apart.any(axis=1))


def _spared(rates: Interval) -> Interval:
    return Interval(1 - rates.value, 1 - rates.high, 1 - rates.low)


def _told(rates: Interval) -> Interval:
    with np.errstate(invalid="ignore"):
        return Interval(np.where(rates.high - rates.low > MOST_WIDTH, np.nan, rates.value), rates.low, rates.high)
