"""Fairness from a release: every statistic with its interval, and a verdict that may be "cannot tell"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.change import Change, Last, basis, changed
from evenhand.fairness.costs import cost_ratio, mean_costs
from evenhand.fairness.intervals import Estimate
from evenhand.fairness.offers import chosen_segments
from evenhand.fairness.proxies import Proxy, proxies
from evenhand.fairness.rates import Interval
from evenhand.fairness.reference import against_reference, customer_shares, reference_shares, worst_against_reference
from evenhand.fairness.worst import representation, segment_share, selection_estimates, selection_rates, table_estimates
from evenhand.plan.groups import GroupTable, group_tables
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL
from evenhand.privacy.release import Release
from evenhand.privacy.suppression import suppressed_cells, withheld_rates
from evenhand.privacy.tallies import group_part, small_segments
from evenhand.segment.assign import Centers

Floats = NDArray[np.float64]
AT_LEAST = {"representation_ratio", "balance", "selection_ratio"}  # even is at least the threshold; the others, at most
EVEN, UNEVEN, CANNOT_TELL = "even", "uneven", "cannot tell"
# Of the balance of everybody, which no segmentation can surpass: a small group would make the fairest one uneven.
OF_POSSIBLE = 0.8
SHARE, COST, RATE = "share of customers", "mean squared distance", "selection rate"


@dataclass(frozen=True)
class Judgment:
    """`estimate` is None where it would give a suppressed cell or rate away: the verdict counts all cells, its figures do not show.

    `threshold` is None where the reference speaks of too few groups to judge by it.
    """

    metric: str
    offer: str  # of selection rates, else empty
    estimate: Estimate | None
    threshold: float | None
    verdict: str
    change: Change | None = None  # since the last published run


@dataclass(frozen=True)
class GroupFigure:
    """A figure of each group; `figures` has the shape (groups,).

    NaN for groups that are too small to judge, and for rates that would give a suppressed cell away.
    """

    measure: str
    offer: str
    figures: Interval


@dataclass(frozen=True)
class TableFairness:
    """All statistics of one protected attribute or intersection; arrays have the shape (groups, segments).

    The intervals of `counts` are for the customers of this run, so they cover the noise; all others cover sampling too.
    Shares and ratios are among the groups that are large enough to judge, NaN for the others.
    """

    table: str
    groups: list[str]
    counts: Interval
    shares: Interval
    ratios: Interval
    suppressed: NDArray[np.bool_]
    too_small: list[str]  # groups that are too small to judge, left out of the judgments and named
    reference: str  # what is even
    unjudged_offers: list[str]  # offers that no segment gets, or all do; named as well
    by_group: list[GroupFigure] = field(default_factory=list)
    judgments: list[Judgment] = field(default_factory=list)
    proxies: list[Proxy] = field(default_factory=list)


def assess_fairness(release: Release, plan: Plan, centers: Centers, last: Last | None = None) -> list[TableFairness]:
    """Fairness by attribute and intersection; post-processing of the release, at no further budget."""
    offers = {offer.name: chosen_segments(offer, centers, plan) for offer in plan.fairness.offers}
    return [_assessed(release, plan, table, len(centers), offers, last) for table in group_tables(plan)]


def _assessed(
    release: Release, plan: Plan, table: GroupTable, k: int, offers: Mapping[str, NDArray[np.bool_]], last: Last | None
) -> TableFairness:
    part, groups = group_part(table.name), table.groups
    noisy, noise = release[part].reshape(table.size, k).astype(np.float64), release.noise(part)
    reach = float(noise.half_width(LEVEL))
    counts = Interval(np.maximum(noisy, 0), np.maximum(noisy - reach, 0), np.maximum(noisy + reach, 0))
    large = noisy.sum(axis=1) >= max(plan.privacy.minimum_cell, reach) * k
    too_small = [g for g, is_large in zip(groups, large, strict=True) if not is_large]
    nothing = Interval(*([np.full(noisy.shape, np.nan)] * 3))
    hidden, reference = np.ones(noisy.shape, dtype=bool), reference_shares(table, last)
    unjudged = [offer for offer, chosen in offers.items() if chosen.all() or not chosen.any()]
    name = reference.named(groups, large)
    found = TableFairness(table.name, groups, counts, nothing, nothing, hidden, too_small, name, unjudged)
    if not large.any():
        return found
    # Among the groups that are large enough: what the others add would be told by the shares, and is mostly noise.
    judged = noisy[large]
    small = (judged < plan.privacy.minimum_cell) | small_segments(release, plan)
    hidden[large] = suppressed_cells(small, judged)
    whole = not hidden[large].any()
    shares, of_customers = segment_share(judged, noise), customer_shares(judged, noise)
    ratios = representation(judged, noise) if reference.shares is None else against_reference(judged, noise, reference, large)
    if not whole and (reference.base(large) != large).any():
        ratios = _rows(nothing, large)  # shares among fewer groups tell more totals, from which a hidden cell might follow
    by_group = [GroupFigure(SHARE, "", _among(large, of_customers))]
    by_group.append(GroupFigure(COST, "", _among(large, _rows(mean_costs(release, table, len(plan.features), k), large))))
    given = {offer: chosen for offer, chosen in offers.items() if chosen.any()}
    withheld = withheld_rates(hidden[large], list(given.values()))
    for (offer, chosen), not_shown in zip(given.items(), withheld, strict=True):
        rates = _among(~not_shown, _rows(selection_rates(judged, noise, chosen), ~not_shown))
        by_group.append(GroupFigure(RATE, offer, _among(large, rates)))
    found = replace(found, shares=_among(large, shares), ratios=_among(large, ratios), by_group=by_group)
    if large.sum() < 2:
        return found
    estimates: dict[str, Estimate | None] = {**table_estimates(judged, noise)}
    if reference.shares is not None:
        estimates["representation_ratio"] = worst_against_reference(judged, noise, reference, large)

    possible = float(judged.sum(axis=1).min() / judged.sum(axis=1).max())

    def judgment(metric: str, estimate: Estimate | None, offer: str = "", shown: bool = True) -> Judgment:
        asked, key = float(getattr(plan.fairness.thresholds, metric)), (table.name, metric, offer)
        asked = min(asked, OF_POSSIBLE * possible) if metric == "balance" else asked
        found = _judged(metric, offer, estimate, asked, shown)
        if last is None or found.estimate is None:
            return found
        now = basis(plan.model_dump(mode="json", by_alias=True), key, name, too_small)
        return replace(found, change=changed(found.estimate, last, key, now))

    judgments = [judgment(metric, estimate, shown=whole) for metric, estimate in estimates.items()]
    judgments.append(judgment("cost_ratio", cost_ratio(release, table, k, large)))
    for (offer, chosen), not_shown in zip(given.items(), withheld, strict=True):
        if offer not in unjudged:
            of_offer, shown = selection_estimates(judged, noise, chosen), not not_shown.any()
            judgments += [judgment(metric, estimate, offer, shown) for metric, estimate in of_offer.items()]
    alone = len(table.attributes) == 1
    return replace(found, judgments=judgments, proxies=proxies(release, table, plan, k, large) if alone else [])


def _among(large: NDArray[np.bool_], of: Interval) -> Interval:
    """The figures of the large groups among all groups, NaN for the others."""
    tables = []
    for figure in (of.value, of.low, of.high):
        table = np.full((len(large), *figure.shape[1:]), np.nan)
        table[large] = figure
        tables.append(table)
    return Interval(*tables)


def _rows(of: Interval, chosen: NDArray[np.bool_]) -> Interval:
    return Interval(of.value[chosen], of.low[chosen], of.high[chosen])


def _judged(metric: str, offer: str, estimate: Estimate | None, threshold: float, shown: bool) -> Judgment:
    if estimate is None:
        return Judgment(metric, offer, None, None, CANNOT_TELL)
    said = verdict(estimate.low, estimate.high, threshold, metric not in AT_LEAST)
    return Judgment(metric, offer, estimate if shown else None, threshold, said)


def verdict(low: float, high: float, threshold: float, lower_is_even: bool) -> str:
    """Even or uneven when the whole interval says so, else "cannot tell"."""
    if lower_is_even:
        low, high, threshold = -high, -low, -threshold
    if low >= threshold:
        return EVEN
    return UNEVEN if high < threshold else CANNOT_TELL


def unevenness(fairness: list[TableFairness]) -> list[str]:
    """One line for each statistic that is surely uneven; empty when nothing is."""
    return [
        f"{of.table}: {j.metric.replace('_', ' ')}{f' of {j.offer}' if j.offer else ''} {_figures(j.estimate)}, threshold {j.threshold:g}"
        for of in fairness
        for j in of.judgments
        if j.verdict == UNEVEN
    ]


def _figures(of: Estimate | None) -> str:
    return "uneven, figures not shown" if of is None else f"{of.value:.2f} [{of.low:.2f}, {of.high:.2f}]"
