"""Everybody's typical values, on the scale on which those of the segments are means.

A log-scaled feature's mean is one of logarithms: held against an average of the units, nearly every segment would look low.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from evenhand.plan.features import Feature
from evenhand.plan.models import Plan
from evenhand.report.words import Rows
from evenhand.tables import catalog
from evenhand.tables.store import Store


@dataclass(frozen=True)
class Typical:
    """A feature's mean over everybody in the segments that are shown, with the range of the noise, in the plan's units.

    `deviation` is the standard deviation of customers, on the feature's scale.
    """

    value: float
    low: float
    high: float
    deviation: float

    def away(self, value: float, feature: Feature) -> float:
        """How many standard deviations a value is above everybody's mean, on the feature's scale."""
        return (_scaled(value, feature) - _scaled(self.value, feature)) / (self.deviation or 1.0)


def everybody(profiles: Rows, deviations: dict[str, float], plan: Plan) -> dict[str, Typical]:
    """By feature, from the segments' profiles: their means weighted by their sizes. Empty where no segment is shown."""
    shown = [row for row in profiles if not row["suppressed"]]
    sizes = [row for row in shown if row["measure"] == "size"]
    total = sum(row["value"] for row in sizes)
    if total <= 0:
        return {}
    return {
        f.name: _typical([r for r in shown if r["measure"] == f.name], sizes, total, deviations[f.name], f) for f in plan.features
    }


def _typical(rows: Rows, sizes: Rows, total: float, deviation: float, feature: Feature) -> Typical:
    """The segments' noise is independent: their parts in the range add up as squares, those of a mean and of its weight do not."""
    by_segment = {row["segment"]: row for row in rows}
    of = [(size, by_segment[size["segment"]]) for size in sizes]
    mean = sum(size["value"] * _scaled(row["value"], feature) for size, row in of) / total
    weights = math.hypot(*((_scaled(r["value"], feature) - mean) * (size["high"] - size["value"]) / total for size, r in of))
    below, above = (
        math.hypot(*(size["value"] * (_scaled(row[end], feature) - _scaled(row["value"], feature)) / total for size, row in of))
        for end in ("low", "high")
    )
    low, high = _in_units(mean - below - weights, feature), _in_units(mean + above + weights, feature)
    return Typical(_in_units(mean, feature), low, high, deviation)


def deviations(store: Store, plan: Plan, run_id: str) -> dict[str, float]:
    """Standard deviation of each feature on its scale, from the private summary's boxes; 0 where none of them is shown."""
    weight = F.col("noisy_count")
    weighed = [
        (F.sum(of * weight) / F.sum(weight)).alias(f"{f.name}{power}")
        for f in plan.features
        for power, of in ((1, _column(f)), (2, _column(f) * _column(f)))
    ]
    row = store.read(catalog.PRIVATE_SUMMARY, run_id).agg(*weighed).first()
    assert row is not None
    names = plan.feature_names
    return {n: math.sqrt(max(row[f"{n}2"] - row[f"{n}1"] ** 2, 0.0)) if row[f"{n}1"] is not None else 0.0 for n in names}


def _column(feature: Feature) -> Column:
    value = F.col(feature.name)
    return F.log1p(F.greatest(value - F.lit(feature.limits[0]), F.lit(0.0))) if feature.scale == "log" else value


def _scaled(value: float, feature: Feature) -> float:
    return math.log1p(max(value - feature.limits[0], 0.0)) if feature.scale == "log" else value


def _in_units(scaled: float, feature: Feature) -> float:
    low, high = feature.limits
    return min(max(low + math.expm1(scaled) if feature.scale == "log" else scaled, low), high)
