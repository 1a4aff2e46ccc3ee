"""The report's plots: what each shows, in figures and in words. How they look stands in the JSON files of the folder `charts`."""

from __future__ import annotations

from typing import Any

from evenhand.describe.label import NOTICEABLE
from evenhand.plan.features import Feature
from evenhand.plan.groups import group_tables
from evenhand.report.drawing import WIDE, Paper, row_height, svg
from evenhand.report.facts import Facts, sure_deviations
from evenhand.report.flow import flow
from evenhand.report.segment_map import drawn_map, map_of
from evenhand.report.words import Row, Rows, among, estimate, interval, isolated, number, percents, sure_distance

MOST_RATIO = 20.0
ENDS = {"": "value", "_low": "low", "_high": "high"}
NAMES, LEGEND, LETTER = 240, 200, 8.0  # pixels beside the columns of the heat map, and of a letter


def plots_of(facts: Facts, paper: Paper = WIDE) -> dict[str, str]:
    """Name to SVG, each with its text alternative."""
    plots = {"segments": _segments(facts, paper), "profiles": _profiles(facts, paper)}
    if (found := map_of(facts)) is not None:
        plots["map"] = drawn_map(found, facts.labels, paper)
    for table in group_tables(facts.plan):
        plots[f"fairness of {table.name}"] = _fairness(facts, table.name, paper, worst_first=False)
        plots[f"fairness of {table.name}, worst first"] = _fairness(facts, table.name, paper, worst_first=True)
    if facts.movement is not None and facts.movement.sure:
        names = {segment: f"{segment} · {isolated(label)}" for segment, label in facts.labels.items()}
        plots["movement"] = flow(facts.movement, names, paper)
    if facts.curve:
        plots["number of segments"] = _curve(facts, paper)
    if curve := [row for row in facts.tradeoff if row["stage"] == "curve" and row["metric"] == "price"]:
        plots["price of fairness"] = _tradeoff(curve, paper)
    return plots


def _segments(facts: Facts, paper: Paper) -> str:
    rows = [r | {"name": _name(facts, r["segment"], paper)} for r in facts.measure("size") if not r["suppressed"]]
    said = "; ".join(f"segment {r['segment']} ({isolated(r['label'])}): {interval(r, step=1)} customers" for r in rows)
    height = row_height([r["name"] for r in rows], 44) * max(len(rows), 1)
    return svg("segments", {"rows": rows}, f"Sizes of the segments. {said or 'No figures shown'}.", paper, height=height)


def _profiles(facts: Facts, paper: Paper) -> str:
    """The sign says what the color says: color alone must not carry it. Gray where the noise may have put the value there.

    Labels speak of what has a sign, and of nothing else. Where there is no room for the values the signs stand alone.
    """
    features, said = facts.plan.features, []
    column = paper.name if paper.kind == "narrow" else int((paper.width - NAMES - LEGEND) / len(features) / LETTER)
    rows = [_cell(facts, row, feature, paper, column) for feature in features for row in facts.measure(feature.name)]
    rows = [row for row in rows if row]
    for row in rows:
        if row["sign"]:
            said.append(f"segment {row['segment']} has {'high' if row['away'] > 0 else 'low'} {row['of']} ({row['value']})")
    none = "No segment is surely far from all customers" if rows else "No figures shown"
    text = f"Typical value of each feature in each segment, compared with all customers. {'; '.join(said) or none}."
    kept = ("segment", "name", "feature", "away", "sign", "shown")
    data = {"rows": [{key: row[key] for key in kept} for row in rows]}
    labels = [row["feature" if paper.kind == "narrow" else "name"] for row in rows]
    height = row_height(labels, 48) * (len(features) if paper.kind == "narrow" else len(facts.labels))
    return svg("profiles_narrow" if paper.kind == "narrow" else "profiles", data, text, paper, height=height)


def _cell(facts: Facts, row: Row, feature: Feature, paper: Paper, column: int) -> Row:
    """A cell of the heat map, empty where nothing is shown of the segment."""
    if row["suppressed"]:
        return {}
    unit = f" ({feature.unit})" if feature.unit else ""
    title = f"{feature.name.replace('_', ' ')}{unit}{' (log)' * (feature.scale == 'log')}"
    away, value = sure_deviations(row), row["value"]
    shown = interval(row) if value is None else number(value, max(row["high"] - row["low"], abs(value) * 0.01))
    sign = "" if away is None or abs(away) < NOTICEABLE else "▲" if away > 0 else "▼"
    return {
        "segment": row["segment"],
        "name": _name(facts, row["segment"], paper),
        "of": feature.name,
        "feature": paper.lines(title, column),
        "away": None if away is None else max(-2.0, min(2.0, away)),
        "sign": sign,
        "value": shown,
        "shown": f"{sign} {shown}".strip(),
    }


def _fairness(facts: Facts, table: str, paper: Paper, worst_first: bool) -> str:
    cells = [r for r in facts.worst_first(table) if r["representation_ratio_low"] is not None and facts.compares(table)]
    rows: Rows = [
        {
            "name": _name(facts, r["segment"], paper),
            "group": paper.lines(isolated(r["group"]), paper.legend),
            "ratio": None if r["representation_ratio"] is None else _inside(r["representation_ratio"]),  # the range alone
            "low": _inside(r["representation_ratio_low"]),
            "high": _inside(r["representation_ratio_high"]),
        }
        for r in cells
    ]
    if not worst_first:
        segments, groups = (
            [_name(facts, s, paper) for s in sorted(facts.labels)],
            [paper.lines(isolated(r["group"]), paper.legend) for r in facts.fairness if r["attribute"] == table],
        )
        rows.sort(key=lambda r: (segments.index(r["name"]), groups.index(r["group"])))
    order = "the segment with the worst case first" if worst_first else "by segment"
    text = (
        f"Representation ratio of each group of {table} in each segment, {order}; 1 means the same share as "
        f"{among(facts.references[table])}. {_farthest(facts, cells)}."
    )
    threshold = facts.plan.fairness.thresholds.representation_ratio
    data: dict[str, Rows] = {"rows": rows, "band": [{"from": threshold, "to": 1 / threshold}]}
    # All groups, also those with a range alone: a chart names by itself those that have a point.
    shown = list(dict.fromkeys(r["group"] for r in rows))
    params = [{"name": "columns", "value": paper.columns}, {"name": "groups", "value": shown}]
    height = max(row_height([r["name"] for r in rows], 44), 13 * len(shown)) * len(facts.labels)
    return svg("fairness", data, text, paper, height=height, params=params)


def _farthest(facts: Facts, cells: Rows) -> str:
    """The three that are the farthest for sure; what is drawn at the chart's edge is said as it is."""
    sure = [cell for cell in cells if sure_distance(cell) > 0][:3]
    named = "; ".join(
        f"{isolated(r['group'])} in segment {r['segment']} ({isolated(facts.labels[r['segment']])}): "
        f"{estimate(r, 'representation_ratio', 'representation_ratio_low', 'representation_ratio_high')}"
        for r in sure
    )
    if named:
        return f"Most clearly uneven: {named}"
    return "No figure is surely different from 1" if cells else "No figures shown"


def _inside(ratio: float | None) -> float:
    """Inside the chart, whose axis is logarithmic; an end that nothing bounds is at its edge."""
    return MOST_RATIO if ratio is None else min(max(ratio, 1 / MOST_RATIO), MOST_RATIO)


def _curve(facts: Facts, paper: Paper) -> str:
    said = "; ".join(f"{r['k']} segments: {estimate(r, 'silhouette', 'silhouette_low', 'silhouette_high')}" for r in facts.curve)
    return svg(
        "curve", {"rows": facts.curve}, f"How well segments are apart, by their number (simplified silhouette). {said}.", paper
    )


def _tradeoff(curve: Rows, paper: Paper) -> str:
    priced = [r for r in curve if r["attribute"] == curve[0]["attribute"] and r["value"] is not None]
    rows: Rows = [{"bound": r["bound"]} | {f"more{e}": _more(r[end]) for e, end in ENDS.items()} for r in priced]
    said = "; ".join(f"at least {r['bound']:g}: {_more_in_words(r)}" for r in rows)
    top = max((r[f"more{e}"] for r in rows for e in ENDS if r[f"more{e}"] is not None), default=0.0)
    rows = [r | {"more_high": top if r["more_high"] is None else r["more_high"]} for r in rows]  # nothing bounds it: to the top
    text = f"Cost of the segments by the bound on representation, over unconstrained ones. {said or 'No figures shown'}."
    return svg("tradeoff", {"rows": rows}, text, paper)


def _more(price: float | None) -> float | None:
    return None if price is None else price - 1


def _more_in_words(row: dict[str, Any]) -> str:
    if row["more_low"] > 0:
        return percents(row, "more", "more_low", "more_high", " more")
    return "cannot tell" if row["more_high"] is None else f"at most {100 * row['more_high']:.1f}% more"


def _name(facts: Facts, segment: int, paper: Paper) -> str:
    return paper.lines(f"{segment} · {isolated(facts.labels[segment])}")
