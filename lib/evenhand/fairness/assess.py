"""Fairness from a release: every statistic with its interval, and a verdict that may be "cannot tell"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from evenhand.ask.assessment import group_part, small_segments
from evenhand.assignment.nearest import Centers
from evenhand.fairness.change import Last
from evenhand.fairness.costs import cost_ratio, mean_costs
from evenhand.fairness.judgment import UNEVEN, Judge, Judgment, in_a_line
from evenhand.fairness.known import judged_by, with_cells
from evenhand.fairness.offers import burdens, chosen_segments
from evenhand.fairness.possible import balance_of_everybody, offer_thresholds, thresholds
from evenhand.fairness.proxies import Proxy, proxies
from evenhand.fairness.rates import Interval, among
from evenhand.fairness.reference import Shares, against_reference, customer_shares, reference_shares, worst_against_reference
from evenhand.fairness.selection import Offered, offered
from evenhand.fairness.worst import representation, segment_share, table_estimates
from evenhand.plan.groups import GroupTable, group_tables
from evenhand.plan.metric import greatest
from evenhand.plan.models import Plan
from evenhand.privacy.intervals import LEVEL, Estimate
from evenhand.privacy.noise import Noise
from evenhand.privacy.release import Release
from evenhand.privacy.suppression import suppressed_cells

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SHARE, COST, RATE = "share of customers", "mean squared distance", "selection rate"


@dataclass(frozen=True)
class GroupFigure:
    """A figure of each group; `figures` has the shape (groups,).

    NaN for groups that are too small to judge, and for rates that would give a suppressed cell away; the value alone is NaN
    where the ends are all that can be told.
    """

    measure: str
    offer: str
    figures: Interval


@dataclass(frozen=True)
class TableFairness:
    """All statistics of one protected attribute or intersection; arrays have the shape (groups, segments).

    The intervals of `counts` are for the customers of this run, so they cover the noise; all others cover sampling too.
    Shares and ratios are among the groups that are large enough to judge, NaN for the others; the value of a ratio alone is NaN
    where its ends are all that can be told.
    """

    table: str
    groups: list[str]
    counts: Interval
    shares: Interval
    ratios: Interval
    suppressed: Mask
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
    release: Release, plan: Plan, table: GroupTable, k: int, offers: Mapping[str, Mask], last: Last | None
) -> TableFairness:
    noise, minimum = release.noise(group_part(table.name)), plan.privacy.minimum_cell
    noisy = release[group_part(table.name)].reshape(table.size, k).astype(np.float64)
    large, reference = with_cells(noisy, noise, minimum), reference_shares(table, last)
    hidden = np.ones(noisy.shape, dtype=bool)
    if large.any():
        small = (noisy[large] < minimum) | small_segments(release, plan)
        hidden[large] = suppressed_cells(small, noisy[large])
    judge = Judge(plan, table, k, reference.named(table.groups, large), last)
    given = {offer: chosen for offer, chosen in offers.items() if chosen.any()}
    by_offer = offered(noisy, noise, hidden, large, given, minimum, plan.fairness.thresholds.selection_ratio, burdens(plan))
    unjudged = [offer for offer, chosen in offers.items() if chosen.all() or not chosen.any()]
    selections = [
        judgment
        for offer, of in by_offer.items()
        if offer not in unjudged
        for judgment in _selections(judge, offer, of, noisy, given[offer])
    ]
    nothing = Interval(*([np.full(noisy.shape, np.nan)] * 3))
    too_small = [g for g, is_large in zip(table.groups, large, strict=True) if not is_large]
    rates = [GroupFigure(RATE, offer, of.rates) for offer, of in by_offer.items()]
    counts, name = _counts(noisy, noise), judge.reference
    found = TableFairness(
        table.name, table.groups, counts, nothing, nothing, hidden, too_small, name, unjudged, rates, selections
    )
    return _with_segments(found, release, noisy, large, reference, judge) if large.any() else found


def _selections(judge: Judge, offer: str, of: Offered, noisy: Floats, chosen: Mask) -> list[Judgment]:
    """What is judged of an offer. A threshold that its reach sets would tell of a rate that is withheld: there the plan's stands."""
    if of.estimates and of.shown:
        table = noisy[of.over]
        outcomes = np.stack([table[:, chosen].sum(axis=1), table[:, ~chosen].sum(axis=1)], axis=1)
        judge = replace(judge, allowed=offer_thresholds(outcomes))
    return [judge.of(metric, estimate, of.over, offer, of.shown) for metric, estimate in of.estimates.items()]


def _with_segments(
    found: TableFairness, release: Release, noisy: Floats, large: Mask, reference: Shares, judge: Judge
) -> TableFairness:
    """The figures of segments and what they are judged by, for at least one group that is `large` enough to show cells of."""
    plan, table, k = judge.plan, judge.table, judge.segments
    noise, threshold = release.noise(group_part(table.name)), plan.fairness.thresholds.representation_ratio
    # Among the groups that are large enough: what the others add would be told by the shares, and is mostly noise.
    shown, whole = noisy[large], not found.suppressed[large].any()
    ratios = representation(shown, noise) if reference.shares is None else against_reference(shown, noise, reference, large)
    is_over = judged_by(shown, noise, ratios, threshold)
    # Shares among fewer groups tell more totals, from which a hidden cell might follow.
    if not whole and (reference.base(large) != large).any():
        ratios = Interval(*[np.full(shown.shape, np.nan)] * 3)
    costs = mean_costs(release, table, greatest(plan.features), k)[large]
    by_group = [GroupFigure(SHARE, "", among(large, customer_shares(shown, noise))), GroupFigure(COST, "", among(large, costs))]
    shares, ratios = among(large, segment_share(shown, noise)), among(large, _told(ratios, threshold))
    found = replace(found, shares=shares, ratios=ratios, by_group=by_group + found.by_group)
    if large.sum() < 2:
        return found
    over = large.copy()
    over[large] = is_over
    estimates: dict[str, Estimate | None] = {**table_estimates(noisy[over], noise)}
    if reference.shares is not None:
        estimates["representation_ratio"] = worst_against_reference(shown, noise, reference, large, is_over)
    judge = replace(judge, allowed=thresholds(noisy[over]), balance=balance_of_everybody(noisy[over]))
    judgments = [judge.of(metric, estimate, over, shown=whole) for metric, estimate in estimates.items()]
    judgments.append(judge.of("cost_ratio", cost_ratio(release, table, k, over), over))
    alone = len(table.attributes) == 1
    told = proxies(release, table, plan, k, large) if alone else []
    return replace(found, judgments=judgments + found.judgments, proxies=told)


def _counts(noisy: Floats, noise: Noise) -> Interval:
    reach = float(noise.half_width(LEVEL))
    return Interval(*(np.maximum(end, 0) for end in (noisy, noisy - reach, noisy + reach)))


def _told(ratios: Interval, threshold: float) -> Interval:
    """Without the value of a ratio that may be too low as well as too high: it says nothing."""
    with np.errstate(invalid="ignore"):
        says_nothing = (ratios.low < threshold) & (ratios.high > 1 / threshold)
    return Interval(np.where(says_nothing, np.nan, ratios.value), ratios.low, ratios.high)


def unevenness(fairness: list[TableFairness]) -> list[str]:
    """One line for each statistic that is surely uneven; empty when nothing is."""
    return [in_a_line(of.table, judgment) for of in fairness for judgment in of.judgments if judgment.verdict == UNEVEN]
