"""What is said of a customer, in words: how each feature is computed, and how much it counts."""

from __future__ import annotations

from evenhand.plan.features import Feature
from evenhand.plan.metric import shares
from evenhand.plan.models import Plan


def feature_in_words(feature: Feature) -> str:
    """How it is computed, and between which values customers are told apart."""
    of = f"{feature.column} of the customer table" if feature.column else str(feature.expression)
    bounds = f"{feature.bounds[0]:,.10g} to {feature.bounds[1]:,.10g}" if feature.bounds else "bounds found with noise"
    scale, over = ", log scale" if feature.scale == "log" else "", f" over {feature.events}" if feature.events else ""
    return f"{feature.name}: {of}{over}; {' '.join((bounds, feature.unit)).strip()}{scale}, missing counts as {feature.missing:,.10g}"


def weights_in_words(plan: Plan) -> str:
    """What each feature has of the greatest squared distance; empty where all weigh the same."""
    if len({f.weight for f in plan.features}) == 1:
        return ""
    each = [f"{f.name} {f.weight:g} ({share:.3g}%)" for f, share in zip(plan.features, shares(plan.features) * 100, strict=True)]
    return f", by weights of {', '.join(each)} of the greatest squared distance"
