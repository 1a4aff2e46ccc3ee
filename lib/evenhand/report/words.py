"""Figures and findings in words, no more exact than they are."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

from evenhand.plan.groups import TIMES

Row = dict[str, Any]
Rows = list[Row]

METRIC_NAMES = {
    "representation_ratio": "representation ratio of the worst group and segment",
    "balance": "balance of the worst segment",
    "total_variation": "distance between a group and everybody else (total variation)",
    "jensen_shannon": "distance between a group and everybody else (Jensen–Shannon)",
    "cramers_v": "association of segment and group (Cramér's V)",
    "mutual_information": "what the segment tells about the group (bits)",
    "selection_ratio": "lowest over highest selection rate",
    "selection_difference": "highest less lowest selection rate",
    "cost_ratio": "mean squared distance of the worst-served group over that of all others",
    "all": "all statistics",
}
NOT_SHOWN = "not shown"
TOO_SMALL = "too small for this noise"
ALONE = "– (no other group to compare with)"


def number(value: float | None, spread: float = 0.0) -> str:
    """Rounded to what the uncertainty leaves of it, at most three digits after the point, or two that count; "" for none."""
    if value is None:
        return ""
    spread = spread or abs(value) * 0.01
    if spread <= 0:
        return f"{value:,.0f}"
    # Of the spread too: an end of an interval at zero has no size of its own.
    most = max(3, 1 - math.floor(math.log10(max(abs(value), spread))))
    digits = max(0, min(most, -math.floor(math.log10(spread))))
    return f"{value:,.{digits}f}"


def interval(row: Row, name: str = "value", low: str = "low", high: str = "high", step: float = 0.0) -> str:
    """ "24,310 (24,260 to 24,360)", no finer than the step; the range alone where it is all that can be told; or the words for
    a suppressed figure.
    """
    value, a, b = (row.get(key) for key in (name, low, high))
    if a is None or b is None:
        return NOT_SHOWN
    assert isinstance(a, float) and isinstance(b, float)
    spread = max(b - a, abs(value or 0.0) * 1e-4, step)
    ends = f"{number(a, spread)} to {number(b, spread)}"
    return ends if value is None else f"{number(value, spread)} ({ends})"


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def percents(row: Row, name: str = "value", low: str = "low", high: str = "high", unit: str = "") -> str:
    """ "41.8% (39.9% to 43.7%)"; "" for none. An end that nothing bounds is left open."""
    value, a, b = (row.get(key) for key in (name, low, high))
    if not (isinstance(value, float) and isinstance(a, float)):
        return ""
    top = f"to {percent(b)}" if isinstance(b, float) else "or more"
    return f"{percent(value)}{unit} ({percent(a)} {top})"


def estimate(row: Row, name: str = "value", low: str = "low", high: str = "high", sign: str = "-") -> str:
    """ "0.82 (0.79 to 0.85)", two digits unless it is small; "" for none. An end that nothing bounds is left open.

    The range alone where it is all that can be told: "0.31 to 0.97".
    """
    value, a, b = (row.get(key) for key in (name, low, high))
    if not isinstance(a, float):
        return ""
    digits = 4 if max(abs(value or 0.0), abs(a), abs(b or 0.0) if value is None else 0.0) < 0.1 else 2
    ends = f"{a:{sign}.{digits}f} {f'to {b:.{digits}f}' if isinstance(b, float) else 'or more'}"
    return f"{value:{sign}.{digits}f} ({ends})" if isinstance(value, float) else ends


def isolated(text: str) -> str:
    """The parts of a name so that letters written from right to left leave the order of what stands around them alone."""
    return "".join(f"\u2068{part}\u2069" if _from_the_right(part) else part for part in re.split(f"(, |{TIMES})", text))


def _from_the_right(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in text)


def sure_distance(row: Row) -> float:
    """How far from even a cell is for sure: of the near end of its ratio's range, on the log scale; 0 where that holds 1."""
    low, high = row["representation_ratio_low"], row["representation_ratio_high"]
    if low is not None and low > 1:
        return math.log(low)
    if high is not None and high < 1:
        return -math.log(high) if high > 0 else math.inf
    return 0.0
