"""Who brings the total, in a sentence and a table; median and quartiles by segment as a table."""

from __future__ import annotations

from collections.abc import Iterable

from evenhand.describe.quartiles import QUARTILES
from evenhand.plan.features import Feature
from evenhand.plan.models import Plan
from evenhand.report.facts import Facts
from evenhand.report.words import NOT_SHOWN, Form, Row, Rows
from evenhand.rows.distribution import TOTAL
from evenhand.tables.catalog import SEGMENT_DISTRIBUTION
from evenhand.tables.store import Store

BEARS_A_SENTENCE = 0.25  # of a share: where half of its range is more, it stands in the table alone
SMALL = 0.01  # of the total: a range that is no wider says enough
SUM = "sum("


def read_distribution(store: Store, run_id: str) -> Rows:
    """By segment; empty where the run has none."""
    if not store.exists(SEGMENT_DISTRIBUTION):
        return []
    return sorted((row.asDict() for row in store.read(SEGMENT_DISTRIBUTION, run_id).collect()), key=lambda row: row["segment"])


def totals_by_segment(facts: Facts) -> dict[int, list[str]]:
    """Of each segment the shares of the totals, in the order of `added`."""
    lines = dict[int, list[str]]()
    for feature in added(facts.plan, facts.distribution):
        rows = _of(facts.distribution, feature, TOTAL)
        form = Form.of(rows, percent=True)
        for row in rows:
            lines.setdefault(row["segment"], []).append(NOT_SHOWN if row["suppressed"] else form.ranged(row))
    return lines


def quartiles_by_feature(facts: Facts) -> list[tuple[Feature, dict[int, list[str]]]]:
    """Of each feature, by segment, lower quartile, median and upper quartile. Empty where the plan does not ask for them."""
    found = []
    for feature in facts.plan.features:
        lines = dict[int, list[str]]()
        for figure in QUARTILES:
            for row in _of(facts.distribution, feature, figure):
                lines.setdefault(row["segment"], []).append(NOT_SHOWN if row["suppressed"] else Form.of([row]).ranged(row))
        if lines:
            found.append((feature, lines))
    return found


def brings(facts: Facts, segment: int) -> str:
    """ "Brings about 61% of all monetary (EUR a year)." Of an amount rather than of a count of events; "" where noise says too little."""
    for feature in _amounts_first(added(facts.plan, facts.distribution)):
        rows = _of(facts.distribution, feature, TOTAL)
        row = next(row for row in rows if row["segment"] == segment)
        if row["value"] is None or (row["high"] - row["low"]) / 2 > max(BEARS_A_SENTENCE * row["value"], SMALL):
            return ""
        return f" Brings {Form.of(rows, percent=True).about(row)} of all {_named(feature)}."
    return ""


def added(plan: Plan, rows: Rows) -> list[Feature]:
    """The features whose totals are told."""
    names = {row["feature"] for row in rows if row["figure"] == TOTAL}
    return [feature for feature in plan.features if feature.name in names]


def _amounts_first(features: Iterable[Feature]) -> list[Feature]:
    return sorted(features, key=lambda feature: not (feature.expression or "").strip().lower().startswith(SUM))


def _named(feature: Feature) -> str:
    return f"{feature.name.replace('_', ' ')}{f' ({feature.unit})' if feature.unit else ''}"


def _of(rows: Rows, feature: Feature, figure: str) -> list[Row]:
    return [row for row in rows if row["feature"] == feature.name and row["figure"] == figure]
