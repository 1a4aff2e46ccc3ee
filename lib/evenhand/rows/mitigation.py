"""What mitigation found: how balanced segments are assigned, within which bounds, whether they are kept, and the trade-off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from evenhand.assignment.fair_map import FairMap
from evenhand.mitigate.bounds import Bound
from evenhand.mitigate.kept import Kept
from evenhand.mitigate.tradeoff import Point
from evenhand.rows.typed import number, typed


def map_rows(found: FairMap) -> pa.Table:
    """One row a joint group; `moved` and `far` hold the cells of which a share moves."""
    groups, integers = len(found.prices), pa.list_(pa.int64())
    columns = {
        "joint_group": pa.array(np.arange(groups), pa.int32()),
        "centers": pa.array([found.centers.tolist()] * groups, pa.list_(integers)),
        "numbers": pa.array([found.numbers.tolist()] * groups, integers),
        "prices": pa.array(found.prices.tolist(), integers),
        "edges": pa.array([found.edges.tolist()] * groups, integers),
        "reach": pa.array(found.reach.tolist(), integers),
    }
    for name, shares in (("moved", found.moved), ("far", found.far)):
        maps = [[(int(cell), int(row[cell])) for cell in np.flatnonzero(row)] for row in shares.reshape(len(shares), -1)]
        columns[name] = pa.array(maps, pa.map_(pa.int32(), pa.int32()))
    return pa.table(columns)


def read_map(stored: DataFrame) -> FairMap:
    found = stored.orderBy("joint_group").collect()
    prices, reach = (np.array([row[name] for row in found], dtype=np.int64) for name in ("prices", "reach"))
    centers, edges, numbers = (np.array(found[0][name], dtype=np.int64) for name in ("centers", "edges", "numbers"))
    groups, k = prices.shape
    moved, far = (np.zeros((groups, cells), dtype=np.int64) for cells in (k * k * len(edges), k * k))
    for group, row in enumerate(found):
        for shares, of_row in ((moved, row.moved), (far, row.far)):
            shares[group, list(of_row)] = list(of_row.values())
    return FairMap(centers, prices, edges, reach, moved.reshape(groups, k, k, len(edges)), far.reshape(groups, k, k), numbers)


def bounded_rows(bounds: Sequence[Bound]) -> pa.Table:
    """A row a group that has a bound; none where no group is large enough for one."""
    table: list[dict[str, object]] = [
        {
            "attribute": of.attribute,
            "group": of.group,
            "asked_low": of.asked[0],
            "asked_high": of.asked[1],
            "used_low": of.used[0],
            "used_high": of.used[1],
            "share": of.share,
            "share_low": of.ends[0],
            "share_high": of.ends[1],
            "feasible": of.feasible,
        }
        for of in bounds
    ]
    texts, ends = ("attribute", "group", "feasible"), ("asked_low", "asked_high", "used_low", "used_high")
    floats = (*ends, "share", "share_low", "share_high")
    return typed(table, dict.fromkeys(texts, pa.string()) | dict.fromkeys(floats, pa.float64()), (*texts[:2], *floats, texts[2]))


def read_bounded(stored: DataFrame) -> list[tuple[str, str]]:
    """The groups that have a bound, as attribute and group."""
    return [(row.attribute, row.group) for row in stored.select("attribute", "group").orderBy("attribute", "group").collect()]


def verdict_rows(kept: Sequence[Kept]) -> pa.Table:
    """A row a group that has a bound; figures are null where all its cells are suppressed."""
    table: list[dict[str, object]] = [
        {
            "attribute": of.attribute,
            "group": of.group,
            "segment": of.segment,
            "of_segment": None if of.share is None else of.share.value,
            "of_segment_low": None if of.share is None else of.share.low,
            "of_segment_high": None if of.share is None else number(of.share.high),
            "verdict": of.verdict,
        }
        for of in kept
    ]
    names, floats = ("attribute", "group", "segment"), ("of_segment", "of_segment_low", "of_segment_high")
    types = dict.fromkeys((*names, "verdict"), pa.string()) | {"segment": pa.int32()} | dict.fromkeys(floats, pa.float64())
    return typed(table, types, (*names, *floats, "verdict"))


def tradeoff_rows(points: list[Point]) -> pa.Table:
    """Long: a row a point, attribute, metric and offer, the price among the metrics.

    An upper end that nothing bounds is null, and so are figures of fewer than two groups.
    """
    table: list[dict[str, object]] = []
    for point in points:
        for of in point.statistics:
            for (metric, offer), estimate in {("price", ""): point.price, **of.figures}.items():
                row: dict[str, object] = {
                    "stage": point.stage,
                    "bound": point.bound,
                    "attribute": of.attribute,
                    "left_out": of.left_out,
                }
                ends = {end: number(getattr(estimate, end)) for end in ("value", "low", "high")}
                table.append(row | {"metric": metric, "offer": offer or None} | ends)
    names = ("stage", "bound", "attribute", "left_out", "metric", "offer", "value", "low", "high")
    floats = dict.fromkeys(("bound", "value", "low", "high"), pa.float64())
    return typed(table, floats | {"left_out": pa.list_(pa.string()), "offer": pa.string()}, names)
