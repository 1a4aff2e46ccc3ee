"""Warnings before the budget is spent, from public numbers only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evenhand.plan.magnitudes import customers_needed
from evenhand.plan.models import SIZE_SHARE, Plan

REACH = math.log(20)  # Laplace noise stays within that many scales 19 times in 20
ENOUGH = 10_000  # n ε >= 10^4 d keeps the cost within 5 % of clustering without noise (trials, DESIGN)


def needed_epsilon(plan: Plan) -> float:
    """The ε from which on the segments are within a few percent of those without noise."""
    return ENOUGH * len(plan.features) / plan.privacy.expected_customers


def is_too_small(plan: Plan) -> bool:
    """Whether the noise is expected to shape the segments more than the customers do."""
    return plan.privacy.epsilon < needed_epsilon(plan)


def advice(plan: Plan) -> list[str]:
    """One sentence a warning; empty when the plan asks for what its population can give."""
    privacy, features, warnings = plan.privacy, len(plan.features), []
    if is_too_small(plan):
        most = int(privacy.expected_customers * privacy.epsilon / ENOUGH)
        fewer = f", or at most {most} feature{'s' * (most > 1)} at this ε" if most >= 1 else ""
        warnings.append(
            f"Warning: too few customers for ε = {privacy.epsilon:g}. About {privacy.expected_customers:,} customers and "
            f"{features} features would need ε of {needed_epsilon(plan):.2g} or more{fewer}. Below that the noise shapes the "
            "segments; read them as a hint, not as a finding."
        )
    if plan.to_find:
        each = plan.bounds_epsilon / len(plan.to_find)
        if (needed := customers_needed(each)) > privacy.expected_customers:
            warnings.append(
                f"Warning: the bounds of {_names(plan)} will hardly be found: ε = {each:.2g} for each needs some {needed:,} "
                "customers. State bounds, or raise privacy.split.bounds; when they are not found, the run stops and its ε is spent."
            )
    for e in expectations(plan):
        if e.error > e.enough:
            warnings.append(
                f"Warning: {e.figure} will be uncertain by about {min(e.error, 9.99):.0%} of {e.of}, 19 times in 20. "
                f"ε = {e.needed(plan):.2g} would bring that to {e.enough:.0%}."
            )
    return warnings


@dataclass(frozen=True)
class Expectation:
    """How far noise moves a kind of figure, 19 times in 20, as a fraction; and what would be good enough."""

    figure: str
    of: str
    error: float
    enough: float

    def needed(self, plan: Plan) -> float:
        """The ε of a whole run at which the figure would be good enough: the noise is inverse to ε."""
        return plan.privacy.epsilon * self.error / self.enough

    def sentence(self, plan: Plan) -> str:
        """For `--check`."""
        good = f"{self.enough:.0%} from ε = {self.needed(plan):.2g}"
        return f"{self.figure}: within {_percent(self.error)} of {self.of}; {good}"


def expectations(plan: Plan) -> list[Expectation]:
    """The expected error of the profile and fairness figures, for evenly sized segments and groups."""
    privacy, split = plan.privacy, plan.privacy.split
    segment = privacy.expected_customers / max(plan.segments.candidates)
    cell = segment / max(len(a.group_names) for a in plan.protected)
    size = plan.shared_epsilon * split.profiles * SIZE_SHARE
    feature = plan.shared_epsilon * split.profiles * (1 - SIZE_SHARE) / len(plan.features)
    group = plan.shared_epsilon * split.fairness / len(plan.protected)
    return [
        Expectation("sizes", f"an evenly sized segment ({segment:,.0f} customers)", REACH / size / segment, 0.05),
        Expectation("typical values", "the range between a feature's bounds", REACH / 2 / feature / segment, 0.05),
        Expectation("counts of a group in a segment", f"an evenly sized cell ({cell:,.0f})", REACH / group / cell, 0.1),
    ]


def _names(plan: Plan) -> str:
    return " and ".join(f.name for f in plan.to_find)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}" if share >= 0.001 else "0.1%"
