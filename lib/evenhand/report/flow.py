"""The plot of who went where: bands from the segments of the last run to those of this one, as thick as many may have gone."""

from __future__ import annotations

from evenhand.report.drawing import BETWEEN, LINE, LINE_HEIGHT, Paper, svg
from evenhand.report.movement import COUNT, Moved
from evenhand.report.words import Row, Rows, interval

THICK, LEAST, GAP = 300.0, 1.5, 10.0  # pixels: all bands together, the thinnest, and between two segments
STEPS = 24  # straight pieces of a band's edge
BAR = 8.0  # pixels, the width of a segment's bar
SIDES = {"wide": 230.0, "narrow": 46.0}  # pixels for the names on either side
TOP = 30.0  # pixels for the names of the runs


def flow(moved: Moved, names: dict[int, str], paper: Paper) -> str:
    """Drawn is what noise alone would not have made: the core of a band is the fewest that may have gone, its pale edge the most.

    `names` are of this run's segments.
    """
    rows, side = moved.sure, SIDES[paper.kind]
    inner = paper.width - 2 * paper.room - 2 * side
    then = list(dict.fromkeys(row["before"] for row in moved.rows))
    scale = THICK / max(sum(row["count_high"] for row in rows), 1.0)
    thick = {_key(row): max(row["count_high"] * scale, LEAST) for row in rows}
    short = paper.kind == "narrow"

    def label(name: str) -> str:
        return paper.lines(name.split(" · ")[0] if short else name, 8 if short else paper.name)

    left = _column([(b, label(moved.name_before(b))) for b in then], [(row["before"], thick[_key(row)]) for row in rows])
    right = _column([(n, label(names[n])) for n in sorted(names)], [(row["segment"], thick[_key(row)]) for row in rows])
    bands: Rows = []
    at_left, at_right = ({of: top for of, (_, top, _) in column.items()} for column in (left, right))
    for row in rows:
        width = thick[_key(row)]
        a, b = at_left[row["before"]] + width / 2, at_right[row["segment"]] + width / 2
        at_left[row["before"]] += width
        at_right[row["segment"]] += width
        bands += _band(row, moved, a, b, width, (side, inner))
    bars, texts = [], []
    for column, x, text_x, align in ((left, side, side - BAR, "right"), (right, side + inner, side + inner + BAR, "left")):
        bars += [{"from": x - BAR / 2, "to": x + BAR / 2, "top": top, "bottom": bottom} for _, top, bottom in column.values()]
        texts += [{"x": text_x, "y": _middle(*of), "name": of[0], "align": align} for of in column.values()]
    runs = ("before", "now") if short else (f"run {moved.since}", "this run")
    titles = [{"x": x, "y": TOP / 3, "name": name} for x, name in zip((side, side + inner), runs, strict=True)]
    height = max(bottom for column in (left, right) for _, _, bottom in column.values()) + GAP
    data = {"bands": bands, "bars": bars, "texts": texts, "titles": titles}
    params = [{"name": "across", "value": 2 * side + inner}, {"name": "down", "value": height}]
    return svg("flow", data, _said(moved), paper, height=height, params=params)


def _key(row: Row) -> tuple[int | None, int]:
    return row["before"], row["segment"]


def _column(
    labels: list[tuple[int | None, str]] | list[tuple[int, str]], thick: list[tuple[int | None, float]]
) -> dict[int | None, tuple[str, float, float]]:
    """By segment its name, and from where to where its bar reaches: as thick as its bands, and no nearer to the next than names need."""
    found, y = {}, TOP
    for of, name in labels:
        own, room = sum(width for to, width in thick if to == of), LINE_HEIGHT * (1 + name.count(LINE)) + BETWEEN
        top = y + max(room - own, 0.0) / 2
        found[of] = name, top, top + max(own, LEAST)
        y += max(own, room) + GAP
    return found


def _middle(name: str, top: float, bottom: float) -> float:
    """The height of the first line of a name whose lines are to stand beside the middle of a bar."""
    return (top + bottom) / 2 - name.count(LINE) * (LINE_HEIGHT - 1) / 2


def _band(row: Row, moved: Moved, a: float, b: float, width: float, across: tuple[float, float]) -> Rows:
    """The points of a band's edge and of its core, from the height `a` on the left to `b` on the right."""
    kind = "new" if row["before"] is None else "stayed" if moved.stayed(row) else "went"
    core, (start, length) = width * row["count_low"] / row["count_high"], across
    points: Rows = []
    for i in range(STEPS + 1):
        t = i / STEPS
        middle = a + (b - a) * t * t * (3 - 2 * t)
        for part, of in (("most", width), ("fewest", core)):
            points.append(
                {"band": f"{row['before']}-{row['segment']}", "part": part, "kind": kind, "x": start + length * t}
                | {"top": middle - of / 2, "bottom": middle + of / 2}
            )
    return points


def _said(moved: Moved) -> str:
    def one(row: Row) -> str:
        figure = interval(row, *COUNT, step=1)
        if row["before"] is None:
            return f"not there before, now in {row['segment']}: {figure}"
        return f"from {row['before']} to {row['segment']}: {figure}"

    listed = "; ".join(one(row) for row in moved.sure)
    return f"Customers by their segment in run {moved.since} and in this run. {listed or 'No figure stands out of the noise'}."
