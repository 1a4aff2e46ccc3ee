"""What a statistic can come to at all, given how many customers are in each group and segment.

A small group hardly moves an association of everybody, however it is treated; where nearly all customers are in one segment no
group can be far from the others; and an offer for very few can make no large difference. Held against a fixed threshold, such a
figure could not be anything but even.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evenhand.fairness.statistics import cramers_v, jensen_shannon, mutual_information, selection_difference, total_variation

Floats = NDArray[np.float64]
OF_BALANCE = 0.8  # of the balance of everybody, which no segmentation can surpass: a small group would make the fairest uneven
OF_ASSOCIATION = 0.25  # of the distance or association where groups are as much apart as the sizes allow
ASSOCIATIONS = {
    "total_variation": total_variation,
    "jensen_shannon": jensen_shannon,
    "cramers_v": cramers_v,
    "mutual_information": mutual_information,
}
FEWEST = 1.0  # customers of a group or segment


def balance_of_everybody(counts: Floats) -> float:
    """Smallest over largest group, from a table of shape (groups, segments)."""
    totals = np.maximum(counts.sum(axis=1), FEWEST)
    return float(totals.min() / totals.max())


def thresholds(counts: Floats) -> dict[str, float]:
    """How much may be asked of balance at most, and what distances and associations may be allowed at most."""
    apart = _apart(np.maximum(counts.sum(axis=1), FEWEST), np.maximum(counts.sum(axis=0), FEWEST))
    found = {name: OF_ASSOCIATION * float(statistic(apart)) for name, statistic in ASSOCIATIONS.items()}
    return found | {"balance": OF_BALANCE * balance_of_everybody(counts)}


def offer_thresholds(outcomes: Floats) -> dict[str, float]:
    """What the difference of selection rates may be allowed at most, from a table of shape (groups, 2): gets the offer, does not."""
    apart = _apart(np.maximum(outcomes.sum(axis=1), FEWEST), np.maximum(outcomes.sum(axis=0), FEWEST))
    return {"selection_difference": OF_ASSOCIATION * float(selection_difference(apart))}


def _apart(groups: Floats, segments: Floats) -> Floats:
    """A table of these margins in which groups meet as little as can be: the smallest fills the smallest segments first.

    The northwest corner rule of transport problems (Dantzig, "Linear Programming and Extensions", 1963, section 15-1).
    """
    rows, columns = np.sort(groups) / groups.sum(), np.sort(segments) / segments.sum()
    edges = [np.concatenate([[0.0], np.cumsum(side)]) for side in (rows, columns)]
    low = np.maximum(edges[0][:-1, None], edges[1][None, :-1])
    high = np.minimum(edges[0][1:, None], edges[1][None, 1:])
    return np.maximum(high - low, 0.0)  # type: ignore[no-any-return]
