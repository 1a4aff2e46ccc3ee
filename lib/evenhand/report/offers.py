"""Which segments an offer reaches, and by what rule of the plan."""

from __future__ import annotations

import numpy as np
from pyspark.sql import Row

from evenhand.fairness.offers import chosen_segments
from evenhand.plan.fairness import Offer
from evenhand.plan.models import Plan
from evenhand.report.lasting import Lasting
from evenhand.rows.segments import read_centers
from evenhand.tables import catalog
from evenhand.tables.store import Store


def reached(store: Store, plan: Plan, run_id: str) -> dict[str, list[int]]:
    """The numbers of the segments that get each offer, by its name."""
    if not plan.fairness.offers:
        return {}
    centers = read_centers(store.read(catalog.SEGMENT_CENTERS, run_id))
    return {o.name: (np.flatnonzero(chosen_segments(o, centers, plan)) + 1).tolist() for o in plan.fairness.offers}


def unsure(store: Store, plan: Plan, run_id: str) -> dict[str, list[int]]:
    """The segments of which the noise may have decided whether they get an offer, by its name: the range of their center is
    neither all inside the offer's ranges nor all outside of one.
    """
    ranged = [offer for offer in plan.fairness.offers if offer.where]
    if not ranged:
        return {}
    centers = store.read(catalog.SEGMENT_CENTERS, run_id).select("segment", "centers_low", "centers_high").collect()
    return {o.name: sorted(r.segment for r in centers if r.centers_low and not is_sure(o, r, plan)) for o in ranged}


def is_sure(offer: Offer, row: Row, plan: Plan) -> bool:
    inside, outside = True, False
    for name, (least, most) in (offer.where or {}).items():
        j = plan.feature_names.index(name)
        low, high = row["centers_low"][j], row["centers_high"][j]
        inside &= (least is None or low >= least) and (most is None or high <= most)
        outside |= (least is not None and high < least) or (most is not None and low > most)
    return inside or outside


def rule(offer: Offer, plan: Plan, lasting: Lasting | None) -> str:
    """ "center with tenure at least 10 years and visits from 2 to 4"."""
    if offer.segments is not None:
        differs = against_before(offer, lasting)
        return f"named by number in the plan{f'; {differs}' if differs else ''}"
    units = {f.name: f" {f.unit}" if f.unit else "" for f in plan.features}
    ranges = [f"{n.replace('_', ' ')} {_range(*ends)}{units[n]}" for n, ends in (offer.where or {}).items()]
    return f"center with {' and '.join(ranges)}"


def against_before(offer: Offer, lasting: Lasting | None) -> str:
    """ "against run autumn 3 is new, 2 was 5": of the segments that an offer names those whose number is not what it was; "" for none."""
    differs = lasting.unlike(sorted(offer.segments or [])) if lasting else ""
    return f"against run {lasting.run_id} {differs}" if lasting and differs else ""


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high:g}"
    return f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
