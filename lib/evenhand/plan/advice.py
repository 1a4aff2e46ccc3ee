"""Warnings before the budget is spent, from public numbers only."""

from __future__ import annotations

from evenhand.plan.geometry import STEPS
from evenhand.plan.models import Plan

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
    segments = max(plan.segments.candidates)
    in_segment = privacy.expected_customers / segments
    per_feature = privacy.epsilon * privacy.split.profiles * 0.8 / features
    blur = (STEPS / 2 / per_feature) * 3 / in_segment / STEPS
    if blur > 0.05:
        warnings.append(
            f"Warning: typical values of a segment will be uncertain by about {min(blur, 1):.0%} of the range between a "
            "feature's bounds, 19 times in 20."
        )
    cell = 3 * len(plan.protected) / (privacy.epsilon * privacy.split.fairness)
    groups = max(len(a.group_names) for a in plan.protected)
    if cell > 0.1 * in_segment / groups:
        warnings.append(
            f"Warning: counts of a group in a segment will be uncertain by about {cell:,.0f} customers, where an evenly "
            f"sized cell has {in_segment / groups:,.0f}."
        )
    return warnings
