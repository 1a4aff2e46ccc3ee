"""Figures and findings in words, no more exact than they are."""

from __future__ import annotations

import math

METRIC_NAMES = {
    "representation_ratio": "representation ratio of the worst group and segment",
    "balance": "balance of the worst segment",
    "total_variation": "distance between a group and everybody (total variation)",
    "all": "all statistics",
}
SUPPRESSED = "too few to show"


def number(value: float | None, spread: float = 0.0) -> str:
    """Rounded to what the uncertainty leaves of it, at most three digits after the point; "" for none."""
    if value is None:
        return ""
    if not spread:
        spread = abs(value) * 0.01
    digits = max(0, min(3, -math.floor(math.log10(spread)))) if spread > 0 else 0
    return f"{value:,.{digits}f}"


def interval(row: dict[str, object], name: str = "value", low: str = "low", high: str = "high") -> str:
    """ "24,310 (24,260 to 24,360)", or the words for a suppressed figure."""
    value, a, b = (row.get(key) for key in (name, low, high))
    if value is None or a is None or b is None:
        return SUPPRESSED
    assert isinstance(value, float) and isinstance(a, float) and isinstance(b, float)
    spread = max(b - a, abs(value) * 1e-4)
    return f"{number(value, spread)} ({number(a, spread)} to {number(b, spread)})"


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
