"""Results on the driver as rows of the open tables, and centers back. Everything here has passed the door."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from evenhand.fairness.assess import AttributeFairness
from evenhand.fairness.assignment import FairMap
from evenhand.fairness.tradeoff import Point
from evenhand.plan.geometry import to_unit
from evenhand.plan.models import Plan
from evenhand.privacy.summary import Summary
from evenhand.segment.assign import CENTER_BITS, Centers
from evenhand.segment.choose_k import Choice
from evenhand.segment.cluster import Fit
from evenhand.segment.profiles import Profiles


def summary(found: Summary, plan: Plan) -> pa.Table:
    """The boxes that are not below the plan's minimum; learning uses all."""
    shown = found.weights >= plan.privacy.minimum_cell
    means = to_unit(found.points[shown], plan.features)
    columns = {"box": found.boxes[shown], "noisy_count": found.weights[shown].astype(np.int64)}
    return pa.table(columns | {name: means[:, j] for j, name in enumerate(plan.feature_names)})


def centers(fixed: Centers, labels: list[str], plan: Plan) -> pa.Table:
    units = to_unit(fixed / 2**CENTER_BITS, plan.features)
    columns = {"segment": np.arange(1, len(fixed) + 1), "label": labels, "fixed_point": fixed.tolist()}
    return pa.table(columns | {name: units[:, j] for j, name in enumerate(plan.feature_names)})


def read_centers(stored: DataFrame) -> tuple[Centers, list[str]]:
    """The centers as they were rounded, shape (k, features), and the segments' labels."""
    found = stored.orderBy("segment").select("fixed_point", "label").collect()
    return np.array([row.fixed_point for row in found], dtype=np.int64), [row.label for row in found]


def assignment_map(found: FairMap) -> pa.Table:
    """One row a joint group; `moved` holds the cells of which a share moves."""
    moved = found.moved.reshape(len(found.prices), -1)
    maps = [[(int(cell), int(row[cell])) for cell in np.flatnonzero(row)] for row in moved]
    columns = {
        "joint_group": pa.array(np.arange(len(moved)), pa.int32()),
        "prices": pa.array(found.prices.tolist(), pa.list_(pa.int64())),
        "edges": pa.array([found.edges.tolist()] * len(moved), pa.list_(pa.int64())),
        "moved": pa.array(maps, pa.map_(pa.int32(), pa.int32())),
    }
    return pa.table(columns)


def read_assignment_map(stored: DataFrame) -> FairMap:
    found = stored.orderBy("joint_group").select("prices", "edges", "moved").collect()
    prices, edges = np.array([row.prices for row in found], dtype=np.int64), np.array(found[0].edges, dtype=np.int64)
    groups, k = prices.shape
    moved = np.zeros((groups, k * k * len(edges)), dtype=np.int64)
    for group, row in enumerate(found):
        for cell, share in row.moved.items():
            moved[group, cell] = share
    return FairMap(prices, edges, moved.reshape(groups, k, k, len(edges)))


def tradeoff(points: list[Point]) -> pa.Table:
    table: list[dict[str, object]] = [
        {"stage": point.stage, "bound": point.bound, "price": point.price} | vars(statistics)
        for point in points
        for statistics in point.statistics
    ]
    return _typed(table, {"bound": pa.float64()})


def fits(best: Fit, candidates: list[Fit], curve: list[Choice]) -> pa.Table:
    """The fits that competed for the chosen k, and the curve over k where the plan gave a range."""
    tried: list[tuple[object, ...]] = [(f.k, f.method, f.cost, None, f is best) for f in candidates]
    tried += [(c.k, "curve over k", c.cost, c.silhouette, c.k == best.k) for c in curve]
    names = ("k", "method", "cost", "silhouette", "chosen")
    types = (pa.int32(), pa.string(), pa.float64(), pa.float64(), pa.bool_())
    return pa.table({n: pa.array(list(v), t) for n, v, t in zip(names, zip(*tried, strict=True), types, strict=True)})


def profiles(found: Profiles, labels: list[str], plan: Plan) -> pa.Table:
    """Long: a row a segment and measure; a suppressed segment keeps its rows, without figures."""
    measures = [("size", "customers", found.size, found.size_low, found.size_high)]
    measures += [("share", "", found.share, found.share_low, found.share_high)]
    for j, feature in enumerate(plan.features):
        measures.append((feature.name, feature.unit, found.value[:, j], found.value_low[:, j], found.value_high[:, j]))
    table: list[dict[str, object]] = [
        {
            "segment": s + 1,
            "label": label,
            "measure": measure,
            "value": None if found.suppressed[s] else float(value[s]),
            "low": None if found.suppressed[s] else float(low[s]),
            "high": None if found.suppressed[s] else float(high[s]),
            "unit": unit,
            "suppressed": bool(found.suppressed[s]),
        }
        for measure, unit, value, low, high in measures
        for s, label in enumerate(labels)
    ]
    return _typed(table, {"value": pa.float64(), "low": pa.float64(), "high": pa.float64()})


def fairness_stats(fairness: list[AttributeFairness]) -> pa.Table:
    table, floats = [], {}
    for of in fairness:
        for g, group in enumerate(of.groups):
            for s in range(of.counts.value.shape[1]):
                row: dict[str, object] = {"attribute": of.attribute, "group": group, "segment": s + 1}
                for name, interval in (("count", of.counts), ("share", of.shares), ("representation_ratio", of.ratios)):
                    for suffix, figure in (("", interval.value), ("_low", interval.low), ("_high", interval.high)):
                        hidden = of.suppressed[g, s] or np.isnan(figure[g, s])
                        row[name + suffix] = None if hidden else float(figure[g, s])
                        floats[name + suffix] = pa.float64()
                table.append(row | {"suppressed": bool(of.suppressed[g, s])})
    return _typed(table, floats)


def fairness_summary(fairness: list[AttributeFairness]) -> pa.Table:
    table = []
    for of in fairness:
        note = f"too small to judge: {', '.join(of.too_small)}" if of.too_small else ""
        if not of.judgments:
            table.append(_judgment(of.attribute, "all", None, None, None, None, "cannot tell", note))
        table += [_judgment(of.attribute, j.metric, j.value, j.low, j.high, j.threshold, j.verdict, note) for j in of.judgments]
    return _typed(table, {name: pa.float64() for name in ("value", "low", "high", "threshold")})


def _judgment(*cells: object) -> dict[str, object]:
    names = ("attribute", "metric", "value", "low", "high", "threshold", "verdict", "note")
    return dict(zip(names, cells, strict=True))


def _typed(table: list[dict[str, object]], types: dict[str, pa.DataType]) -> pa.Table:
    columns = {name: [row[name] for row in table] for name in table[0]}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})
