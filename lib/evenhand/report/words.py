"""Figures and findings in words, no more exact than they are."""

from __future__ import annotations

import math
import re
import statistics
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from evenhand.plan.groups import TIMES

Row = dict[str, Any]
Rows = list[Row]

METRIC_NAMES = {
    "representation_ratio": "the most uneven share of a group in a segment (representation ratio)",
    "balance": "smallest group over largest, in the most lopsided segment (balance)",
    "total_variation": "share of a group that would have to change segment to be spread like everybody else (total variation)",
    "jensen_shannon": "distance between a group and everybody else (Jensen–Shannon)",
    "cramers_v": "how closely group and segment go together, from 0 to 1 (Cramér's V)",
    "mutual_information": "bits that the segment tells about the group (mutual information)",
    "selection_ratio": "how often the group with the fewest offers gets one, over the group with the most (selection ratio)",
    "selection_difference": "gap between the groups that get an offer most and least often (selection difference)",
    "cost_ratio": "how far the worst-served group is from the segments' centers, over all others (cost ratio)",
    "all": "all statistics",
}
SPARED = "how often the group that is spared least often is spared, over the group that is spared most often (selection ratio)"
SHORT_NAMES = {  # where there is no room, and for who knows them
    "representation_ratio": "representation ratio",
    "balance": "balance",
    "total_variation": "total variation",
    "jensen_shannon": "Jensen–Shannon distance",
    "cramers_v": "Cramér's V",
    "mutual_information": "mutual information",
    "selection_ratio": "selection ratio",
    "selection_difference": "selection difference",
    "cost_ratio": "cost ratio",
    "all": "all statistics",
}
PLAIN = ("representation_ratio", "selection_ratio", "cost_ratio", "all")  # the first layer of the page; the rest is folded away
NOT_SHOWN = "not shown"
TOO_SMALL = "too small to report"
ALONE = "– (no other group to compare with)"
VALUE = ("value", "low", "high")
SURE = 0.1  # a range of which half is at most this part of the value leaves "about" the value to be said
FRACTIONS = {
    "a tenth": 0.1,
    "a fifth": 0.2,
    "a quarter": 0.25,
    "a third": 1 / 3,
    "half": 0.5,
    "two thirds": 2 / 3,
    "three quarters": 0.75,
}
NEAR = 0.02  # how far a figure may be from a fraction that stands for it


def metric_name(row: Row, burdens: Collection[str]) -> str:
    """What a statistic says; of an offer that is a burden the ratio is about those who are spared."""
    return SPARED if row["metric"] == "selection_ratio" and row["offer"] in burdens else METRIC_NAMES[row["metric"]]


@dataclass(frozen=True)
class Form:
    """How the figures of one column are written: all in steps of a power of ten, as fine as the noise leaves them.

    `rough` are the steps of figures without a range.
    """

    step: float
    rough: float
    times: float = 1.0  # 100 for percents
    unit: str = ""

    @classmethod
    def of(cls, rows: Rows, keys: tuple[str, str, str] = VALUE, least: float = 0.0, percent: bool = False) -> Form:
        """By half the width of the median range, at most three digits after the point, or two that count.

        Shares are whole percents, with one digit where the noise leaves it.
        """
        value, low, high = keys
        known, times = [row for row in rows if row[low] is not None and row[high] is not None], 100.0 if percent else 1.0
        if not known:
            return cls(1.0, 1.0, times, "%" if percent else "")
        half = statistics.median(times * (row[high] - row[low]) / 2 for row in known)
        size = statistics.median(times * max(abs(row[value] or 0.0), abs(row[high])) for row in known)
        if half == 0:
            half = size / 100
        fewest = min(0.001, 10.0 ** (math.floor(math.log10(size)) - 1)) if size > 0 else 1.0
        exponents = (math.floor(math.log10(half)), round(math.log10(half))) if half > 0 else (0, 0)
        step, rough = (max(10.0**exponent, fewest, least, 0.1 if percent else 0.0) for exponent in exponents)
        return cls(min(step, 1.0), min(rough, 1.0), times, "%") if percent else cls(step, rough)

    def number(self, value: float, step: float = 0.0) -> str:
        step = step or self.step
        digits = max(0, -round(math.log10(step)))
        return f"{round(value * self.times / step) * step + 0.0:,.{digits}f}{self.unit}"

    def ranged(self, row: Row, keys: tuple[str, str, str] = VALUE) -> str:
        """ "60,100 (60,000 to 60,200)"; without the range where that says nothing more in these steps, as "25.7% (25.7% to 25.8%)"."""
        value, low, high = (row[key] for key in keys)
        if low is None or high is None:
            return NOT_SHOWN
        if value is None:
            return self._range(low, high)
        if max(value - low, high - value) * self.times <= self.step:
            return self.number(value)
        return f"{self.number(value)} ({self._range(low, high)})"

    def about(self, row: Row, keys: tuple[str, str, str] = VALUE) -> str:
        """ "about 60,100"; the range alone where the noise leaves more than a tenth on either side."""
        value, low, high = (row[key] for key in keys)
        if low is None or high is None:
            return NOT_SHOWN
        if value is None or (high - low) / 2 > SURE * value:
            return self._range(low, high)
        return self.number(value) if low == high else f"about {self.number(value, self.rough)}"

    def _range(self, low: float, high: float) -> str:
        one, other = self.number(low), self.number(high)
        return one if one == other else f"{one} to {other}"


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
    a suppressed figure. In a column, `Form` gives all figures the same precision.
    """
    keys = (name, low, high)
    return Form.of([row], keys, step).ranged(row, keys)


def plain(value: float) -> str:
    """A number of the plan as a person writes it: "5,000", "0.25"."""
    return f"{value:,.10g}"


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def percents(row: Row, name: str = "value", low: str = "low", high: str = "high", unit: str = "") -> str:
    """ "41.8% (39.9% to 43.7%)"; "" for none. An end that nothing bounds is left open."""
    value, a, b = (row.get(key) for key in (name, low, high))
    if not (isinstance(value, float) and isinstance(a, float)):
        return ""
    top = f"to {percent(b)}" if isinstance(b, float) else "or more"
    return f"{percent(value)}{unit} ({percent(a)} {top})"


def estimate(
    row: Row, name: str = "value", low: str = "low", high: str = "high", sign: str = "-", digits: int | None = None
) -> str:
    """ "0.82 (0.79 to 0.85)", two digits unless it is small; "" for none. An end that nothing bounds is left open.

    The range alone where it is all that can be told: "0.31 to 0.97". In a column the digits are the same for all.
    """
    value, a, b = (row.get(key) for key in (name, low, high))
    if not isinstance(a, float):
        return ""
    if digits is None:
        digits = 4 if max(abs(value or 0.0), abs(a), abs(b or 0.0) if value is None else 0.0) < 0.1 else 2
    ends = f"{a:{sign}.{digits}f} {f'to {b:.{digits}f}' if isinstance(b, float) else 'or more'}"
    return f"{value:{sign}.{digits}f} ({ends})" if isinstance(value, float) else ends


def away_from_even(row: Row, share: str) -> str:
    """A representation ratio that is surely not 1, in words: "a third fewer than its share (29% to 37%)", "2.1 times its share
    (2.0 to 2.3)".

    A fraction stands for a figure that is within two points of it, and inside of the range.
    """
    ratio, low, high = (row[f"representation_ratio{end}"] for end in ("", "_low", "_high"))
    if high is not None and high < 1:
        return _in_parts({"value": None if ratio is None else 1 - ratio, "low": 1 - high, "high": 1 - low}, "fewer", share)
    if high is not None and high < 2:
        return _in_parts({"value": None if ratio is None else ratio - 1, "low": low - 1, "high": high - 1}, "more", share)
    ends = f"{low:.1f} or more" if high is None else f"{low:.1f} to {high:.1f}"
    return f"{ends} times {share}" if ratio is None else f"{ratio:.1f} times {share} ({ends})"


def _in_parts(row: Row, word: str, share: str) -> str:
    form, value = Form.of([row], percent=True), row["value"]
    ends = f"{form.number(row['low'])} to {form.number(row['high'])}"
    if value is None:
        return f"{ends} {word} than {share}"
    near = min(FRACTIONS, key=lambda name: abs(FRACTIONS[name] - value))
    told = abs(FRACTIONS[near] - value) <= NEAR and row["low"] <= FRACTIONS[near] <= row["high"]
    return f"{near if told else form.number(value)} {word} than {share} ({ends})"


def among(reference: str) -> str:
    """What an even share is the share among: "among all customers of this run"; a name from outside is no phrase of ours."""
    ours = reference.startswith(("all customers", "customers of run"))
    return f"among {reference}" if ours else f"in the reference, {isolated(reference)}"


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
