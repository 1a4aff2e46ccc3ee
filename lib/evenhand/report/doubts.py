"""What must stand before anything else: that a page is mostly noise, and that the plan was written for another number of customers.

From the released figures and the plan, at no budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from evenhand.plan.advice import is_far_too_small, needed_epsilon
from evenhand.plan.categories import independent
from evenhand.plan.models import Plan
from evenhand.report.facts import Facts, sure_deviations

# What a run comes to depends on customers × ε: with twice or half as many, --check would have said something else. Less is
# within what a public estimate can be wrong by.
MISCOUNTED = 2.0


def do_not_act(facts: Facts) -> str | None:
    """Why nobody should act on the segments, where that is so."""
    plan, epsilon = _as_counted(facts), facts.plan.privacy.epsilon
    if is_far_too_small(plan):
        return (
            f"ε = {epsilon:g} is far too little for about {plan.privacy.expected_customers:,} customers, {independent(plan.features)} features and "
            f"{len(facts.labels)} segments; it would take ε of {needed_epsilon(plan):.2g} or more. The figures below are mostly noise."
        )
    rows = [row for feature in plan.features for row in facts.measure(feature.name)]
    if not any(sure_deviations(row) is not None for row in rows):
        return "no segment is surely different from all customers in any feature. Noise alone may have made the figures below."
    return None


def miscounted(facts: Facts) -> str | None:
    """That there are far more or fewer customers than the plan expects, beyond what the noise may have made of them."""
    expected, (low, high) = facts.plan.privacy.expected_customers, _counted(facts)
    if low <= MISCOUNTED * expected and high >= expected / MISCOUNTED:
        return None
    counted = f"{_rounded(low, math.floor):,} to {_rounded(high, math.ceil):,}"
    effect = "noise matters more than --check said" if high < expected else "more could be learned with the true number"
    return (
        f"The plan expects about {expected:,} customers, but there are {counted}: {effect}. State expected_customers: "
        f"{_rounded((low + high) / 2, round)} in the next plan."
    )


def _as_counted(facts: Facts) -> Plan:
    """The plan, or, where there are far fewer customers than it expects, the plan for as many as there may be."""
    _, high = _counted(facts)
    few = high < facts.plan.privacy.expected_customers / MISCOUNTED
    return facts.plan.for_customers(max(_rounded(high, math.ceil), 1)) if few else facts.plan


def _counted(facts: Facts) -> tuple[float, float]:
    return float(facts.customers["low"]), float(facts.customers["high"])


def _rounded(value: float, to: Callable[[float], int]) -> int:
    """To two digits that count: no more is said of a noisy number."""
    step: int = 10 ** max(math.floor(math.log10(max(value, 1.0))) - 1, 0)
    return to(value / step) * step
