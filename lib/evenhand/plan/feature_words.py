"""What is said of a customer, in words: how each feature is computed, and how much it counts."""

from __future__ import annotations

from evenhand.plan.categories import blocks
from evenhand.plan.features import Feature
from evenhand.plan.metric import shares, weights
from evenhand.plan.models import Plan


def feature_in_words(feature: Feature) -> str:
    """How it is computed, and between which values customers are told apart."""
    of = f"{feature.column} of the customer table" if feature.column else str(feature.expression)
    bounds = f"{feature.bounds[0]:,.10g} to {feature.bounds[1]:,.10g}" if feature.bounds else "bounds found with noise"
    scale, over = ", log scale" if feature.scale == "log" else "", f" over {feature.events}" if feature.events else ""
    return f"{feature.name}: {of}{over}; {' '.join((bounds, feature.unit)).strip()}{scale}, missing counts as {feature.missing:,.10g}"


def weights_in_words(plan: Plan) -> str:
    """What each feature has of the greatest squared distance; empty where all have the same."""
    stated, share = weights(plan.features), shares(plan.features)
    if len(set(stated.values())) == 1 and not blocks(plan.features):
        return ""
    each = [f"{name} {weight:g} ({share[name] * 100:.3g}%)" for name, weight in stated.items()]
    return f", by weights of {', '.join(each)} of the greatest squared distance"
