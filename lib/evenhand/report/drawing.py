"""Vega-Lite specifications, kept as data in the folder `charts`, drawn as static SVG with a text alternative."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import altair as alt
import vl_convert

LINE = "\u2028"  # where the charts break a label: the line separator of Unicode, which no name needs
LONG = 12  # letters in a line that most words fit
LINE_HEIGHT, BETWEEN = 17, 12  # pixels of a label's line, and between two labels


@dataclass(frozen=True)
class Paper:
    """What a chart is drawn for: a chart fills its width, so that its letters are as large as those around it.

    `name` and `legend` are the letters in a line of a segment's name and of a group's.
    """

    kind: str
    width: int  # pixels, of the whole chart
    name: int
    legend: int
    columns: int  # of a legend
    room: int  # left and right: texts are measured in Helvetica, and the reader may have a wider font

    def lines(self, text: str, width: int | None = None) -> str:
        """The text broken for a label; a word is torn apart only where a whole line is too short for it."""
        return LINE.join(textwrap.wrap(text, width or self.name, break_long_words=(width or self.name) >= LONG))


WIDE = Paper("wide", width=940, name=30, legend=22, columns=4, room=30)
NARROW = Paper("narrow", width=340, name=16, legend=18, columns=2, room=4)  # a telephone's


def row_height(labels: list[str], least: int) -> int:
    """The height of a row with the longest of the labels, in pixels."""
    return max(least, *(LINE_HEIGHT * (1 + label.count(LINE)) + BETWEEN for label in labels)) if labels else least


def svg(name: str, data: dict[str, list[dict[str, Any]]], text: str, paper: Paper, **size: Any) -> str:
    """The chart of that name with its data; `text` says what it shows to whoever does not see it."""
    around = {"left": paper.room, "right": paper.room, "top": 5, "bottom": 5}
    fits = {"width": paper.width, "autosize": {"type": "fit-x", "contains": "padding"}, "padding": around}
    chart = json.loads(specification(name)) | fits | size | {"datasets": data}
    # The picture has one text for all of it; Vega's roles for its parts would have no text.
    drawn = re.sub(r'\s(?:role|aria-[a-z]+)="[^"]*"', "", _drawn(json.dumps(chart, default=str)))
    unique = re.sub(r"\W+", "-", f"{paper.kind}-{name}-{text[:60]}").lower()
    drawn = re.sub(r'\bid="([^"]+)"', rf'id="{unique}-\1"', drawn)
    drawn = re.sub(r"url\(#([^)]+)\)", rf"url(#{unique}-\1)", drawn)
    # Letters of a wide font reach over the edge of the picture, into the margin around it.
    return drawn.replace("<svg ", f'<svg role="img" aria-label={quoteattr(text)} overflow="visible" ', 1).replace(
        ">", f"><title>{escape(text)}</title>", 1
    )


@cache
def specification(name: str) -> str:
    """Checked against the Vega-Lite schema, which Altair has; the renderer alone would draw nonsense in silence."""
    chart, config = (
        json.loads((files("evenhand.report") / "charts" / f"{of}.json").read_text("utf-8")) for of in (name, "config")
    )
    alt.Root.validate(chart | {"config": config})
    return json.dumps(chart | {"config": config})


@lru_cache(maxsize=64)
def _drawn(chart: str) -> str:
    """The page, the part of it that a notebook shows and the plots as attributes are of the same charts."""
    return str(vl_convert.vegalite_to_svg(chart))
