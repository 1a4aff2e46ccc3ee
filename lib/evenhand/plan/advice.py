"""Warnings before the budget is spent, from public numbers only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

from evenhand.plan.accounting import SYMBOL, epsilon_of, half_width, like_laplace
from evenhand.plan.categories import independent, numbers
from evenhand.plan.crowded import wide
from evenhand.plan.distribution import TOTALS_SHARE
from evenhand.plan.geometry import BIN_BITS
from evenhand.plan.groups import group_tables
from evenhand.plan.magnitudes import customers_needed
from evenhand.plan.method import strength
from evenhand.plan.models import Plan
from evenhand.plan.privacy import SIZE_SHARE, TABLES_SHARE

LEVEL = 0.95
# All measured cases came within 5 % of clustering without noise at a strength of 180 and more; below 110 they were from 11 %
# to three times as much above it (docs/evidence/accuracy.md). Some room is left for tables that were not measured.
ENOUGH = 300.0
# Below a third of that no measured case was near, and the noise decides what the segments look like.
FAR_BELOW = 100.0


def needed_epsilon(plan: Plan) -> float:
    """The ε from which on the segments are within a few percent of those without noise."""
    return epsilon_for(plan, ENOUGH / strength(plan))


def is_too_small(plan: Plan) -> bool:
    """Whether the noise is expected to shape the segments more than a little."""
    return strength(plan) < ENOUGH


def is_far_too_small(plan: Plan) -> bool:
    """Whether the segments are expected to be more noise than finding."""
    return strength(plan) < FAR_BELOW


def epsilon_for(plan: Plan, times: float) -> float:
    """The ε of a whole run, at its δ if it has one, with so many times less noise."""
    privacy = plan.privacy
    if privacy.delta is None:
        return privacy.epsilon * times
    return epsilon_of(privacy.budget * times**2, privacy.delta)


def remedy(plan: Plan, customers: float) -> str:
    """Which ε or k would do for so many customers, by their released count in place of the plan's estimate."""
    enough = strength(plan) * max(customers, 1.0) / plan.privacy.expected_customers / ENOUGH
    if enough >= 1:
        return "state bounds inside which customers differ more"
    most = int(max(plan.segments.candidates) * enough)
    fewer = f", or at most {most} segments at this ε" if most >= 2 else ""
    return f"ε of {epsilon_for(plan, 1 / enough):.2g} or more would do{fewer}"


def advice(plan: Plan, *, spread_is_known: bool = False) -> list[str]:
    """One sentence a warning; empty when the plan asks for what its population can give.

    Where released histograms say how features are spread, nothing is guessed of that.
    """
    privacy, features, warnings = plan.privacy, independent(plan.features), []
    if is_too_small(plan):
        # The noise of a mean grows with the features, or with their square root where they share Gaussian noise.
        most = int(features * (strength(plan) / ENOUGH) ** (1 if privacy.delta is None else 2))
        fewer = f", or at most {most} feature{'s' * (most > 1)} at this ε" if most >= 1 else ""
        warnings.append(
            f"Warning: too few customers for ε = {privacy.epsilon:g}. About {privacy.expected_customers:,} customers, "
            f"{features} features and {max(plan.segments.candidates)} segments would need ε of {needed_epsilon(plan):.2g} or more"
            f"{fewer}, or fewer segments. Below that the noise shapes the segments; read them as a hint, not as a finding."
        )
    if plan.to_find:
        each, unit = plan.bounds_budget / len(plan.to_find), privacy.unit
        if (needed := customers_needed(each, unit)) > privacy.expected_customers:
            warnings.append(
                f"Warning: the bounds of {' and '.join(f.name for f in plan.to_find)} will hardly be found: {SYMBOL[unit]} = "
                f"{each:.2g} for each needs some {needed:,} customers. State bounds, or raise privacy.split.bounds; when they are "
                "not found, the run stops and its ε is spent."
            )
    warnings += [] if spread_is_known else wide(plan)
    warnings += _unbound(plan)
    for e in expectations(plan):
        if e.error > e.enough:
            warnings.append(
                f"Warning: {e.figure} will be uncertain by about {min(e.error, 9.99):.0%} of {e.of}, 19 times in 20. "
                f"ε = {e.needed(plan):.2g} would bring that to {e.enough:.0%}."
            )
    return warnings


def _unbound(plan: Plan) -> list[str]:
    """One warning where balanced segments are even by each of several attributes, and nobody looks at them together."""
    names = [a.name for a in plan.mitigated] if plan.is_balanced else []
    seen = [set(stated) for stated in plan.fairness.intersections]
    unseen = [pair for pair in combinations(names, 2) if not any(set(pair) <= stated for stated in seen)]
    if not unseen:
        return []
    pairs = " and ".join(f"[{one}, {other}]" for one, other in unseen)
    return [
        f"Warning: balanced keeps its bounds by each of {', '.join(names)} alone. Groups of several together, such as old women, may be far "
        f"from even all the same. State {pairs} in fairness.intersections to have them measured; a bound on them cannot be stated."
    ]


@dataclass(frozen=True)
class Expectation:
    """How far noise moves a kind of figure, 19 times in 20, as a fraction; and what would be good enough."""

    figure: str
    of: str
    error: float
    enough: float

    def needed(self, plan: Plan) -> float:
        """The ε of a whole run at which the figure would be good enough."""
        return epsilon_for(plan, self.error / self.enough)

    def sentence(self, plan: Plan) -> str:
        """For `--check`."""
        good = f"{self.enough:.0%} from ε = {self.needed(plan):.2g}"
        return f"{self.figure}: within {_percent(self.error)} of {self.of}; {good}"


def expectations(plan: Plan) -> list[Expectation]:
    """The expected error of the profile and fairness figures, for evenly sized segments and groups."""
    privacy, split, budget = plan.privacy, plan.privacy.split, plan.shared_budget
    segment = privacy.expected_customers / max(plan.segments.candidates)
    cell = segment / max(table.size for table in group_tables(plan))

    def off(cost: float, width: int = 1) -> float:
        return half_width(cost, privacy.unit, LEVEL, width)

    size = off(budget * split.profiles * SIZE_SHARE)
    of_numbers = len(numbers(plan.features))
    value = off(budget * split.profiles * (1 - SIZE_SHARE) * of_numbers / independent(plan.features), of_numbers) / 2
    group = off(budget * split.fairness * TABLES_SHARE / len(group_tables(plan)))
    found = [
        Expectation("sizes", f"an evenly sized segment ({segment:,.0f} customers)", size / segment, 0.05),
        Expectation("typical values", "the range between a feature's bounds", value / segment, 0.05),
        Expectation("counts of a group in a segment", f"an evenly sized cell ({cell:,.0f})", group / cell, 0.1),
    ]
    if plan.segments.distribution is not None:
        each = plan.distribution_budget * (1 - TOTALS_SHARE) / len(numbers(plan.features))
        bins = 1.96 * math.sqrt(2 * 2**BIN_BITS) * like_laplace(each, privacy.unit) / 2  # the median weighs each bin by half
        of = f"an evenly sized segment ({segment:,.0f} customers)"
        found.append(Expectation("customers below a median", of, bins / segment, 0.05))
    if plan.segments.movement is not None:
        tenth = segment / 10
        of = f"a tenth of an evenly sized segment ({tenth:,.0f})"
        found.append(Expectation("counts of who changed segment", of, off(plan.movement_budget) / tenth, 0.25))
    return found


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}" if share >= 0.001 else "0.1%"
