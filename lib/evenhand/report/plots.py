"""The report's plots: Vega-Lite specifications kept as data beside this file, rendered to static SVG.

A chart is changed in its JSON file; here it only gets its data and its words.
"""

from __future__ import annotations

import json
import re
import textwrap
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import altair as alt
import vl_convert

from evenhand.describe.label import NOTICEABLE
from evenhand.plan.groups import group_tables
from evenhand.report.facts import Facts, sure_deviations
from evenhand.report.words import Rows, among, estimate, interval, isolated, number, percents, sure_distance

WRAP, LEGEND, NARROW = 30, 22, 11  # characters in a line: of a segment's name, of a group's, below a column of the heat map
# Around a chart: its texts are measured in Helvetica, and the reader may have a wider font.
ROOM = {"left": 32, "right": 28, "top": 5, "bottom": 5}
MOST_RATIO = 20.0
ENDS = {"": "value", "_low": "low", "_high": "high"}
LINE = "\u2028"  # where the charts break a label: the line separator of Unicode, which no name needs


def plots_of(facts: Facts) -> dict[str, str]:
    """Name to SVG, each with its text alternative."""
    plots = {"segments": _segments(facts), "profiles": _profiles(facts)}
    for table in group_tables(facts.plan):
        plots[f"fairness of {table.name}"] = _fairness(facts, table.name, worst_first=False)
        plots[f"fairness of {table.name}, worst first"] = _fairness(facts, table.name, worst_first=True)
    if facts.curve:
        plots["number of segments"] = _curve(facts)
    if curve := [row for row in facts.tradeoff if row["stage"] == "curve" and row["metric"] == "price"]:
        plots["price of fairness"] = _tradeoff(curve)
    return plots


def _segments(facts: Facts) -> str:
    rows = [r | {"name": _name(facts, r["segment"])} for r in facts.measure("size") if not r["suppressed"]]
    said = "; ".join(f"segment {r['segment']} ({isolated(r['label'])}): about {interval(r, step=1)} customers" for r in rows)
    return _svg(
        "segments", {"rows": rows}, f"Sizes of the segments. {said or 'No figures shown'}.", height=44 * max(len(rows), 1)
    )


def _profiles(facts: Facts) -> str:
    """The sign says what the color says: color alone must not carry it. Gray where the noise may have put the value there.

    Labels speak of what has a sign, and of nothing else.
    """
    rows, said = [], []
    for feature in facts.plan.features:
        title = (
            f"{feature.name.replace('_', ' ')}{f' ({feature.unit})' if feature.unit else ''}{' (log)' * (feature.scale == 'log')}"
        )
        for row in facts.measure(feature.name):
            if row["suppressed"]:
                continue
            away = sure_deviations(row)
            shown = (
                interval(row)
                if row["value"] is None
                else number(row["value"], max(row["high"] - row["low"], abs(row["value"]) * 0.01))
            )
            sign = "" if away is None or abs(away) < NOTICEABLE else "▲ " if away > 0 else "▼ "
            rows.append(
                {
                    "name": _name(facts, row["segment"]),
                    "feature": _lines(title, NARROW),
                    "away": None if away is None else max(-2.0, min(2.0, away)),
                    "shown": sign + shown,
                }
            )
            if sign and away is not None:
                said.append(f"segment {row['segment']} has {'high' if away > 0 else 'low'} {feature.name} ({shown})")
    none = "No segment is surely far from everybody" if rows else "No figures shown"
    text = f"Typical value of each feature in each segment, against everybody. {'; '.join(said) or none}."
    return _svg("profiles", {"rows": rows}, text, width=92 * len(facts.plan.features), height=48 * len(facts.labels))


def _fairness(facts: Facts, table: str, worst_first: bool) -> str:
    cells = [r for r in facts.worst_first(table) if r["representation_ratio_low"] is not None and facts.compares(table)]
    rows: Rows = [
        {
            "name": _name(facts, r["segment"]),
            "group": _lines(isolated(r["group"]), LEGEND),
            "ratio": None if r["representation_ratio"] is None else _inside(r["representation_ratio"]),  # the range alone
            "low": _inside(r["representation_ratio_low"]),
            "high": _inside(r["representation_ratio_high"]),
        }
        for r in cells
    ]
    if not worst_first:
        segments, groups = (
            [_name(facts, s) for s in sorted(facts.labels)],
            [_lines(isolated(r["group"]), LEGEND) for r in facts.fairness if r["attribute"] == table],
        )
        rows.sort(key=lambda r: (segments.index(r["name"]), groups.index(r["group"])))
    order = "the segment with the worst case first" if worst_first else "by segment"
    text = f"Representation ratio of each group of {table} in each segment, {order}; 1 means the same share as {among(facts.references[table])}. {_farthest(facts, cells)}."
    threshold = facts.plan.fairness.thresholds.representation_ratio
    band = [{"from": threshold, "to": 1 / threshold}]
    count = len({r["group"] for r in rows})
    return _svg("fairness", {"rows": rows, "band": band}, text, height=max(44, 13 * count) * len(facts.labels))


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


def _curve(facts: Facts) -> str:
    said = "; ".join(f"{r['k']} segments: {r['silhouette']:.3f}" for r in facts.curve)
    return _svg("curve", {"rows": facts.curve}, f"Simplified silhouette by number of segments. {said}.")


def _tradeoff(curve: Rows) -> str:
    priced = [r for r in curve if r["attribute"] == curve[0]["attribute"] and r["value"] is not None]
    rows: Rows = [{"bound": r["bound"]} | {f"more{e}": _more(r[end]) for e, end in ENDS.items()} for r in priced]
    said = "; ".join(f"at least {r['bound']:g}: {_more_in_words(r)}" for r in rows)
    top = max((r[f"more{e}"] for r in rows for e in ENDS if r[f"more{e}"] is not None), default=0.0)
    rows = [r | {"more_high": top if r["more_high"] is None else r["more_high"]} for r in rows]  # nothing bounds it: to the top
    text = f"Cost of the segments by the bound on representation, over unconstrained ones. {said or 'No figures shown'}."
    return _svg("tradeoff", {"rows": rows}, text)


def _more(price: float | None) -> float | None:
    return None if price is None else price - 1


def _more_in_words(row: dict[str, Any]) -> str:
    if row["more_low"] > 0:
        return percents(row, "more", "more_low", "more_high", " more")
    return "cannot tell" if row["more_high"] is None else f"at most {100 * row['more_high']:.1f}% more"


def _name(facts: Facts, segment: int) -> str:
    return _lines(f"{segment} · {isolated(facts.labels[segment])}")


def _lines(text: str, width: int = WRAP) -> str:
    return LINE.join(textwrap.wrap(text, width, break_long_words=width > NARROW))


@cache
def _specification(name: str) -> str:
    """Checked against the Vega-Lite schema, which Altair has; the renderer alone would draw nonsense in silence."""
    text = (files("evenhand.report") / "charts" / f"{name}.json").read_text(encoding="utf-8")
    alt.Root.validate(json.loads(text))
    return text


def _svg(name: str, data: dict[str, list[dict[str, Any]]], text: str, **size: int) -> str:
    chart = json.loads(_specification(name)) | size | {"datasets": data, "padding": ROOM}
    svg = _drawn(json.dumps(chart, default=str))
    unique = re.sub(r"\W+", "-", f"{name}-{text[:60]}").lower()
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{unique}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{unique}-\1)", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label={quoteattr(text)} ', 1).replace(
        ">", f"><title>{escape(text)}</title>", 1
    )


@lru_cache(maxsize=64)
def _drawn(chart: str) -> str:
    """The page, the part of it that a notebook shows and the plots as attributes are of the same charts."""
    return str(vl_convert.vegalite_to_svg(chart))
