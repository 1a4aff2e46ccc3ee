"""Everybody's typical values, on the scale on which those of the segments are means.

A log-scaled feature's mean is one of logarithms: held against an average of the units, nearly every segment would look low.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from evenhand.plan.features import Feature
from evenhand.plan.models import Plan
from evenhand.report.words import Row, Rows


@dataclass(frozen=True)
class Typical:
    """A feature's mean over everybody in the segments that are shown, with the range of the noise, in the plan's units."""

    value: float
    low: float
    high: float


def everybody(profiles: Rows, plan: Plan) -> dict[str, Typical]:
    """By feature, from the segments' profiles: their means weighted by their sizes. Empty where no segment is shown."""
    shown = [row for row in profiles if not row["suppressed"]]
    sizes = [row for row in shown if row["measure"] == "size"]
    total = sum(row["value"] for row in sizes)
    if total <= 0:
        return {}
    return {f.name: _typical([r for r in shown if r["measure"] == f.name], sizes, total, f) for f in plan.features}


def _typical(rows: Rows, sizes: Rows, total: float, feature: Feature) -> Typical:
    """The segments' noise is independent: their parts in the range add up as squares, those of a mean and of its weight do not."""
    by_segment = {row["segment"]: _on_scale(row, feature) for row in rows}
    of = [(size, by_segment[size["segment"]]) for size in sizes]
    mean = sum(size["value"] * row["value"] for size, row in of) / total
    weights = math.hypot(*((row["value"] - mean) * (size["high"] - size["value"]) / total for size, row in of))
    below, above = (
        math.hypot(*(size["value"] * (row[end] - row["value"]) / total for size, row in of)) for end in ("low", "high")
    )
    low, high = _in_units(mean - below - weights, feature), _in_units(mean + above + weights, feature)
    return Typical(_in_units(mean, feature), low, high)


def _on_scale(row: Row, feature: Feature) -> dict[str, float]:
    """A value and its ends; where the ends are all that is told, the value is half way between them."""
    low, high = _scaled(row["low"], feature), _scaled(row["high"], feature)
    return {"value": (low + high) / 2 if row["value"] is None else _scaled(row["value"], feature), "low": low, "high": high}


def on_unit_scale(row: Row, feature: Feature) -> dict[str, float]:
    """The same, from 0 at the lower bound to 1 at the upper one."""
    low, high = (_scaled(limit, feature) for limit in feature.limits)
    return {end: (value - low) / (high - low) for end, value in _on_scale(row, feature).items()}


def _scaled(value: float, feature: Feature) -> float:
    return math.log1p(max(value - feature.limits[0], 0.0)) if feature.scale == "log" else value


def _in_units(scaled: float, feature: Feature) -> float:
    low, high = feature.limits
    return min(max(low + math.expm1(scaled) if feature.scale == "log" else scaled, low), high)
