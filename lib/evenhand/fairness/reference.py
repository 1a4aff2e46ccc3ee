"""What an even share would be: a group's share of all customers, of the last run's, or of a table from outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.change import Last
from evenhand.fairness.intervals import Estimate
from evenhand.fairness.rates import Interval, rate, ratio
from evenhand.fairness.worst import segment_share
from evenhand.plan.features import Reference
from evenhand.plan.groups import GroupTable
from evenhand.privacy.intervals import LEVEL
from evenhand.privacy.noise import Noise

Floats = NDArray[np.float64]
CUSTOMERS = "all customers of this run"


@dataclass(frozen=True)
class Shares:
    """Of each group, shape (groups,), NaN where the reference says nothing; None: of this run's own customers."""

    name: str
    shares: Interval | None


def reference_shares(table: GroupTable, last: Last | None) -> Shares:
    """The reference of an attribute; intersections are held against this run's customers."""
    stated = table.attributes[0].reference if len(table.attributes) == 1 else "customers"
    if isinstance(stated, Reference):
        known = np.array([stated.shares.get(group, np.nan) for group in table.groups])
        return Shares(stated.name, Interval(known, known, known))
    if stated == "last_run" and last is not None:
        then = [last.shares.get((table.name, group)) for group in table.groups]
        if any(then):
            ends = [[getattr(e, end) if e else np.nan for e in then] for end in ("value", "low", "high")]
            return Shares(f"customers of run {last.run_id}", Interval(*(np.array(e) for e in ends)))
    return Shares(CUSTOMERS, None)


def customer_shares(noisy: Floats, noise: Noise, level: float = LEVEL) -> Interval:
    """Each group's share of all customers, shape (groups,), from a table of shape (groups, segments)."""
    (groups, segments), variance = noisy.shape, noise.deviation**2
    totals = noisy.sum(axis=1)
    others = (groups - 1) * segments
    return rate(totals, totals.sum() - totals, segments * variance, others * variance, noise.excess_kurtosis / segments, level)


def against_reference(shares: Interval, reference: Shares, large: NDArray[np.bool_]) -> Interval:
    """Shares of segments, shape (groups, segments), over those of the reference."""
    assert reference.shares is not None
    of = reference.shares
    found = ratio(shares, Interval(of.value[large, None], of.low[large, None], of.high[large, None]))
    unknown = np.isnan(of.value[large, None])
    return Interval(*(np.where(unknown, np.nan, end) for end in (found.value, found.low, found.high)))


def worst_against_reference(noisy: Floats, noise: Noise, reference: Shares, large: NDArray[np.bool_]) -> Estimate:
    """The worst of min(r, 1/r) over all cells whose group the reference knows.

    On the uneven side the worst of the cells' own ends, each at 95 %; on the even side each cell's at a level at which all
    hold at once (Bonferroni).
    """
    own = against_reference(segment_share(noisy, noise), reference, large)
    wide = against_reference(segment_share(noisy, noise, 1 - (1 - LEVEL) / noisy.size), reference, large)
    with np.errstate(divide="ignore"):
        lowest = np.fmin(own.low, 1 / own.high)
        highest = np.where((wide.low <= 1) & (wide.high >= 1), 1.0, np.where(wide.high < 1, wide.high, 1 / wide.low))
        value = np.fmin(own.value, 1 / own.value)
    if np.isnan(value).all():
        return Estimate(1.0, 0.0, 1.0)
    low, high = float(np.nanmin(lowest)), float(np.nanmin(np.where(np.isnan(value), np.nan, highest)))
    return Estimate(min(max(float(np.nanmin(value)), low), high), low, high)
