"""The map of the segments: where they are in the plane in which they differ most, and what its directions mean in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evenhand.describe.plane import Plane, plane_of
from evenhand.plan.features import Feature
from evenhand.plan.metric import stretch
from evenhand.report.drawing import LINE, LINE_HEIGHT, Paper, svg
from evenhand.report.everyone import on_unit_scale
from evenhand.report.facts import Facts
from evenhand.report.words import Row, Rows, isolated

HOLDS = 0.75  # of the spread between segments, at least and whatever the noise: below, a plane shows near what is far
FEWEST = 3  # segments: two are on a line
MATTERS, MOST = 0.15, 3  # of an axis, a feature that is named; and how many are
RADIUS = {"wide": 30.0, "narrow": 20.0}  # pixels, of the largest segment
LEAST = 4.0  # pixels, of the smallest
TALLEST = {"wide": 340.0, "narrow": 300.0}
LETTER, GAP = 7.5, 5.0  # pixels: of a letter, and around a label
RINGS, ANGLES = (0.0, 14.0, 30.0, 50.0, 80.0, 120.0), 16
MOST_NAMED = 12  # segments; of more the numbers stand alone


@dataclass(frozen=True)
class SegmentMap:
    """The segments that are shown, by number, with their customers; `ends` are the words at the left, right, bottom and top."""

    plane: Plane
    segments: list[int]
    sizes: list[float]
    ends: tuple[str, str, str, str]

    @property
    def sentence(self) -> str:
        """How much of what differs the map shows."""
        value, low, high = (math.floor(100 * share) for share in self.plane.held)
        share = f"about {value}% ({low}% to {min(high + 1, 100)}%)" if high > low else f"{value}%"
        return f"Its two directions hold {share} of how the segments differ."


def map_of(facts: Facts) -> SegmentMap | None:
    """None where two directions do not bear it, or noise leaves that open."""
    sizes = [row for row in facts.measure("size") if not row["suppressed"] and row["value"] > 0]
    features = facts.plan.features
    if len(sizes) < FEWEST or len(features) < 2:
        return None
    numbers = [row["segment"] for row in sizes]
    of_feature = [{row["segment"]: row for row in facts.measure(feature.name)} for feature in features]
    scaled = [[on_unit_scale(rows[s], f) for f, rows in zip(features, of_feature, strict=True)] for s in numbers]
    centers, low, high = (
        np.array([[cell[end] for cell in line] for line in scaled]) * stretch(features) for end in ("value", "low", "high")
    )
    plane = plane_of(centers, low, high, np.array([row["value"] for row in sizes]))
    if plane is None or plane.held[1] < HOLDS:
        return None
    across, up = (_ends(axis, features) for axis in plane.axes)
    return SegmentMap(plane, numbers, [row["value"] for row in sizes], (*across, *up))


def _ends(axis: np.ndarray, features: list[Feature]) -> tuple[str, str]:
    """What is at the lower and at the upper end of an axis, by the features that make most of it."""
    order = [j for j in np.argsort(-(axis**2)).tolist() if axis[j] ** 2 >= MATTERS][:MOST]
    words = [(features[j].in_words, axis[j] > 0) for j in order]
    lower, upper = ([w.high if rises == is_upper else w.low for w, rises in words] for is_upper in (False, True))
    return ", ".join(lower), ", ".join(upper)


def drawn_map(found: SegmentMap, labels: dict[int, str], paper: Paper) -> str:
    """Area is size; a cross is how far noise reaches. Labels keep clear of each other, with a line to their segment where needed."""
    width, largest = paper.width - 2.0 * paper.room, RADIUS[paper.kind]
    left, right, bottom, top = found.ends
    half = int(width / 2 / LETTER) - 3
    above = _lines(f"↑ {top}", paper, 2 * half)
    head = LINE_HEIGHT * (1 + above.count(LINE)) + GAP
    scale, height = _scale(found.plane.places, width - 2 * (largest + GAP), TALLEST[paper.kind] - 2 * largest)
    height += 2 * (largest + 2 * GAP)
    middle = (found.plane.places.max(axis=0) + found.plane.places.min(axis=0)) / 2
    spots: Rows = []
    for segment, place, reach, size in zip(found.segments, found.plane.places, found.plane.reach, found.sizes, strict=True):
        x, y = width / 2 + scale * (place[0] - middle[0]), head + height / 2 - scale * (place[1] - middle[1])
        radius = max(largest * math.sqrt(size / max(found.sizes)), LEAST)
        noise = {
            "left": x - scale * reach[0],
            "right": x + scale * reach[0],
            "low": y + scale * reach[1],
            "high": y - scale * reach[1],
        }
        spots.append({"segment": segment, "x": x, "y": y, "radius": radius, "area": 4 * radius**2, **noise})
    named = paper.kind == "wide" and len(spots) <= MOST_NAMED
    texts = {
        s["segment"]: paper.lines(f"{s['segment']} · {isolated(labels[s['segment']])}") if named else str(s["segment"])
        for s in spots
    }
    placed = _placed(spots, texts, (0.0, head, width, head + height))
    below = _lines(f"↓ {bottom}", paper, 2 * half)
    foot = head + height + LINE_HEIGHT
    row = foot + LINE_HEIGHT * (1 + below.count(LINE)) + GAP
    ends = [
        {"x": width / 2, "y": LINE_HEIGHT / 2, "name": above, "align": "center"},
        {"x": width / 2, "y": foot, "name": below, "align": "center"},
        {"x": 0.0, "y": row, "name": _lines(f"← {left}", paper, half), "align": "left"},
        {"x": width, "y": row, "name": _lines(f"→ {right}", paper, half), "align": "right"},
    ]
    total = row + LINE_HEIGHT * (1 + max(str(end["name"]).count(LINE) for end in ends[2:]))
    frame = [{"left": 0.0, "right": width, "top": head, "bottom": head + height}]
    params = [{"name": "across", "value": width}, {"name": "down", "value": total}]
    data = {"spots": spots, "texts": placed + ends, "leaders": [t for t in placed if t["led"]], "frame": frame}
    return svg("map", data, _said(found, labels), paper, height=total, params=params)


def _scale(places: np.ndarray, width: float, tallest: float) -> tuple[float, float]:
    """Pixels of a step, the same in both directions, and the height that the places then take."""
    across, up = (max(float(np.ptp(places[:, axis])), 1e-12) for axis in (0, 1))
    scale = min(width / across, tallest / up)
    return scale, scale * up


def _placed(spots: Rows, texts: dict[int, str], inside: tuple[float, float, float, float]) -> Rows:
    """A place for the text of each spot, the largest spots first: the nearest that is free of other texts and, if there is one, of spots."""
    taken: list[tuple[float, float, float, float]] = []
    found: Rows = []
    for spot in sorted(spots, key=lambda s: -s["radius"]):
        text = texts[spot["segment"]]
        wide, tall = LETTER * max(map(len, text.split(LINE))), LINE_HEIGHT * (1 + text.count(LINE))
        free = [c for c in _candidates(spot, wide, tall) if _inside(c[1], inside) and not any(_meet(c[1], t) for t in taken)]
        clear = [c for c in free if not any(_meet(c[1], _box(other)) for other in spots if other is not spot)]
        if not (clear or free):
            continue
        distance, box = min(clear or free, key=lambda c: c[0])
        taken.append(box)
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        end = {
            "to_x": min(max(spot["x"], box[0]), box[2]),
            "to_y": min(max(spot["y"], box[1]), box[3]),
            **_edge(spot, x, y),
        }
        first_line = y - text.count(LINE) * (LINE_HEIGHT - 1) / 2
        found.append({"x": x, "y": first_line, "name": text, "align": "center", "led": distance >= RINGS[1], **end})
    return found


def _candidates(spot: Row, wide: float, tall: float) -> Iterator[tuple[float, tuple[float, float, float, float]]]:
    """Boxes around a spot, and how far they are from where a label stands best; a short text fits inside."""
    if math.hypot(wide, tall) / 2 < spot["radius"]:
        yield -1.0, (spot["x"] - wide / 2, spot["y"] - tall / 2, spot["x"] + wide / 2, spot["y"] + tall / 2)
    for ring in RINGS:
        for step in range(ANGLES):
            angle = 2 * math.pi * step / ANGLES
            off = spot["radius"] + GAP + ring
            x = spot["x"] + math.cos(angle) * (off + wide / 2)
            y = spot["y"] + math.sin(angle) * (off + tall / 2)
            yield ring + 0.01 * step, (x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)


def _edge(spot: Row, x: float, y: float) -> dict[str, float]:
    """Where the line from a spot to a place leaves the spot."""
    part = spot["radius"] / max(math.hypot(x - spot["x"], y - spot["y"]), 1.0)
    return {"from_x": spot["x"] + part * (x - spot["x"]), "from_y": spot["y"] + part * (y - spot["y"])}


def _box(spot: Row) -> tuple[float, float, float, float]:
    r = spot["radius"]
    return spot["x"] - r, spot["y"] - r, spot["x"] + r, spot["y"] + r


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] + GAP and b[0] < a[2] + GAP and a[1] < b[3] and b[1] < a[3]


def _inside(box: tuple[float, float, float, float], of: tuple[float, float, float, float]) -> bool:
    return box[0] >= of[0] and box[1] >= of[1] and box[2] <= of[2] and box[3] <= of[3]


def _lines(text: str, paper: Paper, width: int) -> str:
    return paper.lines(isolated(text), width)


def _said(found: SegmentMap, labels: dict[int, str]) -> str:
    across, up = (np.argsort(found.plane.places[:, axis]).tolist() for axis in (0, 1))
    left, right, bottom, top = found.ends
    rows = "; ".join(
        f"from {low} to {high}: {', '.join(f'{found.segments[i]} ({isolated(labels[found.segments[i]])})' for i in order)}"
        for order, low, high in ((across, left, right), (up, bottom, top))
    )
    return f"Map of the segments. {found.sentence} Segments {rows}."
