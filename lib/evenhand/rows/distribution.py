"""How features are distributed by segment: a row a segment, feature and figure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from evenhand.describe.quartiles import QUARTILES, Quartiles
from evenhand.describe.totals import Shares
from evenhand.plan.categories import numbers
from evenhand.plan.models import Plan
from evenhand.rows.typed import number, typed

Floats = NDArray[np.float64]
TOTAL = "share of the total"
TYPES = {"segment": pa.int32(), "feature": pa.string(), "figure": pa.string(), "unit": pa.string(), "suppressed": pa.bool_()}
TYPES |= dict.fromkeys(("value", "low", "high"), pa.float64())


def distribution_rows(
    totals: Mapping[str, Shares], quartiles: Quartiles | None, suppressed: NDArray[np.bool_], plan: Plan
) -> pa.Table:
    """Without quartiles, which the plan asks for, the shares of totals alone. A suppressed segment keeps its rows, without figures."""
    found: list[tuple[str, str, str, tuple[Floats, Floats, Floats]]] = []
    found += [(name, TOTAL, "", (of.value, of.low, of.high)) for name, of in totals.items()]
    if quartiles is not None:
        for j, position in enumerate(numbers(plan.features)):
            feature = plan.features[position]
            for i, figure in enumerate(QUARTILES):
                value, low, high = (of[i, :, j] for of in (quartiles.value, quartiles.low, quartiles.high))
                found.append((feature.name, figure, feature.unit, (value, low, high)))
    table: list[dict[str, object]] = [
        {
            "segment": s + 1,
            "feature": feature,
            "figure": figure,
            "value": None if hidden else number(value[s]),
            "low": None if hidden else float(low[s]),
            "high": None if hidden else float(high[s]),
            "unit": unit,
            "suppressed": bool(hidden),
        }
        for feature, figure, unit, (value, low, high) in found
        for s, hidden in enumerate(suppressed)
    ]
    return typed(table, TYPES, list(TYPES))
