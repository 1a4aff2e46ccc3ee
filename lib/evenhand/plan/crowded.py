"""Features that hardly count in a distance, since customers fill little of their bounds: told before a run, and after one."""

from __future__ import annotations

from collections.abc import Mapping

from evenhand.plan.expressions import folded
from evenhand.plan.features import Feature
from evenhand.plan.method import Method
from evenhand.plan.models import Plan

FEW_OUTSIDE = 0.1  # of the customers; a feature that fills so little of its bounds hardly counts in a distance
MAKES_UP = 8.0  # times the weight of every other feature: then an eighth of the bounds counts like the whole of another's
WIDE = 1_000.0  # from there on a long tail is taken to leave most customers in a corner
LONG_TAILS = {"sum", "count"}  # of amounts and of events: many customers with little, few with much
NO_TIME = "timestamp_micros(0L)"  # for as_of, where only the form of an expression matters


def wide(plan: Plan) -> list[str]:
    """One warning for each feature whose stated bounds hardly let it count, by the plan alone: a linear scale over a long tail."""
    return [_warning(f, plan) for f in plan.features if _has_long_tail(f) and not _made_up(f, plan)]


def crowded(outside: Mapping[str, float], plan: Plan) -> list[str]:
    """One sentence for each feature of which nearly all customers are in an eighth of its bounds.

    `outside` is by feature the largest share that may be anywhere else, from released histograms.
    """
    return [
        f"At least nine in ten customers lie within an eighth of the bounds of {f.name}, so it hardly counts in the segments. Narrower "
        f"bounds {'' if f.scale == 'log' else 'or scale: log '}would tell customers apart by it."
        for f in plan.features
        if outside.get(f.name, 1.0) <= FEW_OUTSIDE and not _made_up(f, plan)
    ]


def _has_long_tail(feature: Feature) -> bool:
    if feature.events is None or feature.expression is None or feature.bounds is None or feature.scale == "log":
        return False
    kinds = {fold.kind for fold in folded(feature.expression, NO_TIME).folds}
    return kinds <= LONG_TAILS and feature.bounds[1] - feature.bounds[0] >= WIDE


def _made_up(feature: Feature, plan: Plan) -> bool:
    others = [f.weight for f in plan.features if f is not feature]
    return bool(others) and feature.weight >= MAKES_UP * max(others)


def _warning(feature: Feature, plan: Plan) -> str:
    assert feature.bounds is not None
    low, high = feature.bounds
    hundredth = (high - low) / 100
    unseen = "" if Method.of(plan).marginals else " No histogram is released by this plan, so no run would show it."
    return (
        f"Warning: {feature.name} may hardly count in the segments. Sums and counts of events have long tails, and its bounds are {low:,.10g} to "
        f"{high:,.10g} on a linear scale: customers who are {hundredth:,.10g} apart are a hundredth of the way apart. scale: log, narrower "
        f"bounds, or a weight would let it count.{unseen}"
    )
