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

from evenhand.plan.groups import group_tables
from evenhand.report.facts import Facts
from evenhand.report.words import interval, number

WRAP, NARROW = 30, 11  # characters in a line: of a segment's name, and below a column of the heat map
# Around a chart: its texts are measured in Helvetica, and the reader may have a wider font.
ROOM = {"left": 32, "right": 28, "top": 5, "bottom": 5}
MOST_RATIO = 20.0
LINE = "|"  # where the charts break a label


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
    said = "; ".join(f"segment {r['segment']} ({r['label']}): about {interval(r)} customers" for r in rows)
    return _svg("segments", {"rows": rows}, f"Sizes of the segments. {said}.", height=44 * max(len(rows), 1))


def _profiles(facts: Facts) -> str:
    rows, said = [], []
    for feature in facts.plan.features:
        for row in facts.measure(feature.name):
            if row["suppressed"]:
                continue
            spread = facts.deviation[feature.name] or 1.0
            mean = facts.everyone[feature.name]
            away = 0.0 if mean is None else (row["value"] - mean) / spread
            shown = number(row["value"], max(row["high"] - row["low"], abs(row["value"]) * 0.01))
            title = LINE.join(
                textwrap.wrap(
                    f"{feature.name.replace('_', ' ')}{f' ({feature.unit})' if feature.unit else ''}",
                    NARROW,
                    break_long_words=False,
                )
            )
            rows.append(
                {"name": _name(facts, row["segment"]), "feature": title, "away": max(-2.0, min(2.0, away)), "shown": shown}
            )
            if abs(away) >= 1:
                said.append(f"segment {row['segment']} has {'high' if away > 0 else 'low'} {feature.name} ({shown})")
    text = "Typical value of each feature in each segment, against everybody. " + "; ".join(said) + "."
    return _svg("profiles", {"rows": rows}, text, width=92 * len(facts.plan.features), height=48 * len(facts.labels))


def _fairness(facts: Facts, table: str, worst_first: bool) -> str:
    rows = [
        {
            "name": _name(facts, r["segment"]),
            "group": r["group"],
            "ratio": _shown(r["representation_ratio"]),
            "low": _shown(r["representation_ratio_low"]),
            "high": _shown(r["representation_ratio_high"]),
        }
        for r in facts.worst_first(table)
        if r["representation_ratio"] is not None
    ]
    said = "; ".join(
        f"{r['group']} in segment {r['name'].replace(LINE, ' ')}: {r['ratio']:.2f} ({r['low']:.2f} to {r['high']:.2f})"
        for r in rows[:3]
    )
    order = "the segment with the worst case first" if worst_first else "by segment"
    text = f"Representation ratio of each group of {table} in each segment, {order}; 1 is even. Farthest from even: {said or 'none'}."
    if not worst_first:
        segments, groups = [_name(facts, s) for s in sorted(facts.labels)], [r["group"] for r in facts.fairness]
        rows.sort(key=lambda r: (segments.index(r["name"]), groups.index(r["group"])))
    threshold = facts.plan.fairness.thresholds.representation_ratio
    band = [{"from": threshold, "to": 1 / threshold}]
    count = len({r["group"] for r in rows})
    return _svg("fairness", {"rows": rows, "band": band}, text, height=max(44, 13 * count) * len(facts.labels))


def _shown(ratio: float | None) -> float:
    """Inside the chart, whose axis is logarithmic; an end that nothing bounds is at its edge."""
    return MOST_RATIO if ratio is None else min(max(ratio, 1 / MOST_RATIO), MOST_RATIO)


def _curve(facts: Facts) -> str:
    said = "; ".join(f"{r['k']} segments: {r['silhouette']:.3f}" for r in facts.curve)
    return _svg("curve", {"rows": facts.curve}, f"Simplified silhouette by number of segments. {said}.")


def _tradeoff(curve: list[dict[str, Any]]) -> str:
    rows = [{"bound": r["bound"], "more": r["value"] - 1} for r in curve if r["attribute"] == curve[0]["attribute"]]
    said = "; ".join(f"at least {r['bound']:g}: {r['more']:.1%} more" for r in rows)
    return _svg(
        "tradeoff", {"rows": rows}, f"Cost of the segments by the bound on representation, over unconstrained ones. {said}."
    )


def _name(facts: Facts, segment: int) -> str:
    return LINE.join(textwrap.wrap(f"{segment} · {facts.labels[segment]}", WRAP))


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
