"""Which segments get an offer; decided on the centers, which have passed the door."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.assignment.nearest import CENTER_BITS, Centers
from evenhand.plan.fairness import Offer
from evenhand.plan.geometry import to_unit
from evenhand.plan.models import Plan


def burdens(plan: Plan) -> set[str]:
    """The offers of which those are better off who are spared."""
    return {offer.name for offer in plan.fairness.offers if offer.kind == "burden"}


def chosen_segments(offer: Offer, centers: Centers, plan: Plan, numbers: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
    """Shape (segments,). Centers stand by their `numbers` (segments,), unless those are given."""
    numbers = np.arange(1, len(centers) + 1) if numbers is None else numbers
    if offer.segments is not None:
        return np.isin(numbers, offer.segments)
    chosen = np.ones(len(centers), dtype=bool)
    values = to_unit(centers / 2**CENTER_BITS, plan.features)
    for name, (low, high) in (offer.where or {}).items():
        value = values[:, plan.feature_names.index(name)]
        chosen &= (value >= (-np.inf if low is None else low)) & (value <= (np.inf if high is None else high))
    return chosen
