"""In which fifth of all customers the typical value of a segment lies, in words."""

from __future__ import annotations

from evenhand.describe.fifths import FIFTHS
from evenhand.report.facts import Facts
from evenhand.report.words import NOT_SHOWN, Row

CANNOT_TELL = "cannot tell"


def fifths_in_words(facts: Facts) -> dict[int, dict[str, str]]:
    """By segment and feature "4" or "4 to 5". Empty where the run asked for no histograms. Categories have no order, and so no fifths."""
    names = [feature.name for feature in facts.plan.features if feature.category is None]
    rows = [row for name in names for row in facts.measure(name)]
    if all(row["fifth_low"] is None for row in rows):
        return {}
    return {s: {row["measure"]: _words(row) for row in rows if row["segment"] == s} for s in facts.labels}


def _words(row: Row) -> str:
    low, high = row["fifth_low"], row["fifth_high"]
    if low is None:
        return NOT_SHOWN
    if high - low == FIFTHS - 1:
        return CANNOT_TELL
    return f"{low}" if low == high else f"{low} to {high}"
