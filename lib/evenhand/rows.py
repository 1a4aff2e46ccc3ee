"""Results on the driver as rows of the open tables, and centers back. Everything here has passed the door."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.fairness.assess import SHARE, TableFairness
from evenhand.fairness.assignment import FairMap
from evenhand.fairness.change import Last
from evenhand.fairness.intervals import Estimate
from evenhand.fairness.tradeoff import Point
from evenhand.plan.geometry import to_unit
from evenhand.plan.models import Plan
from evenhand.privacy.bounds import BoundIntervals
from evenhand.privacy.summary import BoxIntervals, Summary
from evenhand.segment.assign import CENTER_BITS, Centers
from evenhand.segment.choose_k import Choice
from evenhand.segment.cluster import Fit
from evenhand.segment.intervals import Ends
from evenhand.segment.profiles import Profiles
from evenhand.tables import catalog
from evenhand.tables.store import Store

Floats = NDArray[np.float64]
ENDS = ("value", "low", "high")
TRADEOFF = ("price", "representation_ratio", "balance", "total_variation", "worst_group_cost")
JUDGED = (*ENDS, "threshold", "change", "change_low", "change_high")


def feature_bounds(plan: Plan, intervals: Mapping[str, BoundIntervals]) -> pa.Table:
    """The bounds that were found privately, each with its interval."""
    columns: dict[str, list[object]] = {"feature": [f.name for f in plan.to_find]}
    for i, bound in enumerate(("low", "high")):
        ends = [getattr(intervals[f.name], bound) for f in plan.to_find]
        columns |= {bound: [f.limits[i] for f in plan.to_find]}
        columns |= {f"{bound}_{end}": [e[j] for e in ends] for j, end in enumerate(("low", "high"))}
    return pa.table(columns)


def summary(found: Summary, intervals: BoxIntervals, plan: Plan) -> pa.Table:
    """The boxes that are not below the plan's minimum; learning uses all. The ends of means in the plan's order of features."""
    shown = found.weights >= plan.privacy.minimum_cell
    means = to_unit(found.points[shown], plan.features)
    columns = {"box": found.boxes[shown], "noisy_count": found.weights[shown].astype(np.int64)}
    for end in ("low", "high"):
        columns[f"noisy_count_{end}"] = getattr(intervals, f"count_{end}")[shown]
        ends = to_unit(getattr(intervals, f"mean_{end}")[shown], plan.features)
        columns[f"means_{end}"] = pa.array(ends.tolist(), pa.list_(pa.float64()))
    return pa.table(columns | {name: means[:, j] for j, name in enumerate(plan.feature_names)})


def centers(fixed: Centers, labels: list[str], ends: tuple[Floats, Floats] | None, plan: Plan) -> pa.Table:
    """The ends of the centers in the plan's order of features, null where they are no means of their customers."""
    units = to_unit(fixed / 2**CENTER_BITS, plan.features)
    columns = {"segment": np.arange(1, len(fixed) + 1), "label": labels, "fixed_point": fixed.tolist()}
    for end, of in zip(("low", "high"), ends or (None, None), strict=True):
        listed = [None] * len(fixed) if of is None else to_unit(of, plan.features).tolist()
        columns[f"centers_{end}"] = pa.array(listed, pa.list_(pa.float64()))
    return pa.table(columns | {name: units[:, j] for j, name in enumerate(plan.feature_names)})


def read_centers(stored: DataFrame) -> tuple[Centers, list[str]]:
    """The centers as they were rounded, shape (k, features), and the segments' labels."""
    found = stored.orderBy("segment").select("fixed_point", "label").collect()
    return np.array([row.fixed_point for row in found], dtype=np.int64), [row.label for row in found]


def assignment_map(found: FairMap) -> pa.Table:
    """One row a joint group; `moved` and `far` hold the cells of which a share moves."""
    groups, integers = len(found.prices), pa.list_(pa.int64())
    columns = {
        "joint_group": pa.array(np.arange(groups), pa.int32()),
        "centers": pa.array([found.centers.tolist()] * groups, pa.list_(integers)),
        "prices": pa.array(found.prices.tolist(), integers),
        "edges": pa.array([found.edges.tolist()] * groups, integers),
        "reach": pa.array(found.reach.tolist(), integers),
    }
    for name, shares in (("moved", found.moved), ("far", found.far)):
        maps = [[(int(cell), int(row[cell])) for cell in np.flatnonzero(row)] for row in shares.reshape(len(shares), -1)]
        columns[name] = pa.array(maps, pa.map_(pa.int32(), pa.int32()))
    return pa.table(columns)


def read_assignment_map(stored: DataFrame) -> FairMap:
    found = stored.orderBy("joint_group").collect()
    prices, reach = (np.array([row[name] for row in found], dtype=np.int64) for name in ("prices", "reach"))
    centers, edges = (np.array(found[0][name], dtype=np.int64) for name in ("centers", "edges"))
    groups, k = prices.shape
    moved, far = (np.zeros((groups, cells), dtype=np.int64) for cells in (k * k * len(edges), k * k))
    for group, row in enumerate(found):
        for shares, of_row in ((moved, row.moved), (far, row.far)):
            shares[group, list(of_row)] = list(of_row.values())
    return FairMap(centers, prices, edges, reach, moved.reshape(groups, k, k, len(edges)), far.reshape(groups, k, k))


def tradeoff(points: list[Point]) -> pa.Table:
    """A row a point and attribute; an upper end that nothing bounds is null."""
    table: list[dict[str, object]] = []
    for point in points:
        for of in point.statistics:
            row: dict[str, object] = {
                "stage": point.stage,
                "bound": point.bound,
                "attribute": of.attribute,
                "left_out": of.left_out,
            }
            for name in TRADEOFF:
                estimate = point.price if name == "price" else getattr(of, name)
                row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": _number(estimate.high)}
            table.append(row)
    names = ["stage", "bound", "attribute", "left_out", *(f"{n}{end}" for n in TRADEOFF for end in ("", "_low", "_high"))]
    types = {"stage": pa.string(), "attribute": pa.string(), "left_out": pa.list_(pa.string())}
    return _typed(table, dict.fromkeys(names, pa.float64()) | types, names)


def fits(
    best: Fit,
    candidates: list[Fit],
    curve: list[Choice],
    cost_ends: Callable[[Fit], Ends],
    silhouette_ends: Callable[[Fit], Ends],
) -> pa.Table:
    """The fits that competed for the chosen k, and the curve over k where the plan gave a range."""
    nothing: tuple[float | None, ...] = (None, None, None)
    tried = [(f, f.method, nothing, f is best) for f in candidates]
    tried += [(c.fit, "curve over k", (c.silhouette, *silhouette_ends(c.fit)), c.k == best.k) for c in curve]
    table: list[dict[str, object]] = []
    for fit, method, silhouette, chosen in tried:
        low, high = cost_ends(fit)
        costs = {"cost": fit.cost, "cost_low": low, "cost_high": high}
        apart = dict(zip(("silhouette", "silhouette_low", "silhouette_high"), silhouette, strict=True))
        table.append({"k": fit.k, "method": method} | costs | apart | {"chosen": chosen})
    figures = ("silhouette", "silhouette_low", "silhouette_high")
    return _typed(table, dict.fromkeys(figures, pa.float64()) | {"k": pa.int32()})


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


def fairness_stats(fairness: list[TableFairness]) -> pa.Table:
    table, floats = [], {}
    for of in fairness:
        for g, group in enumerate(of.groups):
            for s in range(of.counts.value.shape[1]):
                row: dict[str, object] = {"attribute": of.table, "group": group, "segment": s + 1}
                for name, interval in (("count", of.counts), ("share", of.shares), ("representation_ratio", of.ratios)):
                    for suffix, figure in (("", interval.value), ("_low", interval.low), ("_high", interval.high)):
                        row[name + suffix] = None if of.suppressed[g, s] else _number(figure[g, s])
                        floats[name + suffix] = pa.float64()
                table.append(row | {"suppressed": bool(of.suppressed[g, s])})
    return _typed(table, floats)


def fairness_groups(fairness: list[TableFairness]) -> pa.Table:
    """Long: a row a group and measure; what is suppressed keeps its row, without figures."""
    table: list[dict[str, object]] = [
        {
            "attribute": of.table,
            "group": group,
            "measure": by.measure,
            "offer": by.offer or None,
            "suppressed": bool(np.isnan(by.figures.value[g])),
        }
        | {end: _number(getattr(by.figures, end)[g]) for end in ENDS}
        for of in fairness
        for by in of.by_group
        for g, group in enumerate(of.groups)
    ]
    names = ("attribute", "group", "measure", "offer", *ENDS, "suppressed")
    return _typed(table, dict.fromkeys(ENDS, pa.float64()) | {"offer": pa.string()}, names)


def fairness_summary(fairness: list[TableFairness]) -> pa.Table:
    table: list[dict[str, object]] = []
    for of in fairness:
        common = {
            "attribute": of.table,
            "reference": of.reference,
            "too_small": of.too_small,
            "unjudged_offers": of.unjudged_offers,
        }
        for j in of.judgments:
            figures = {end: getattr(j.estimate, end, None) for end in ENDS} | {"threshold": j.threshold}
            change = {
                f"change{end}": getattr(j.change, name, None) for end, name in (("", "value"), ("_low", "low"), ("_high", "high"))
            }
            table.append(common | {"metric": j.metric, "offer": j.offer or None, "verdict": j.verdict} | figures | change)
        if not of.judgments:
            table.append(common | {"metric": "all", "offer": None, "verdict": "cannot tell"} | dict.fromkeys(JUDGED))
    lists = dict.fromkeys(("too_small", "unjudged_offers"), pa.list_(pa.string()))
    return _typed(table, dict.fromkeys(JUDGED, pa.float64()) | {"offer": pa.string()} | lists)


def fairness_proxies(fairness: list[TableFairness]) -> pa.Table:
    table: list[dict[str, object]] = [
        {"attribute": of.table, "feature": proxy.feature, "rank": rank} | {end: getattr(proxy.strength, end) for end in ENDS}
        for of in fairness
        for rank, proxy in enumerate(of.proxies, 1)
    ]
    return _typed(table, dict.fromkeys(ENDS, pa.float64()) | {"rank": pa.int32()}, ("attribute", "feature", "rank", *ENDS))


def read_last(store: Store, plan: Plan, run_id: str, private: bool) -> Last | None:
    """The last run of a plan with this name that was published before this one began, if any.

    A run that is resumed finds the same one again. One that is not private is no reference for one that is.
    """
    if not store.exists(catalog.RUNS):
        return None
    runs = store.read(catalog.RUNS)
    began = runs.where(F.col("run_id") == run_id).agg(F.min("at").alias("began"))  # null until the run's first row is there
    others = runs.where((F.col("status") == "published") & (F.col("run_id") != run_id) & (F.col("not_private") != private))
    earlier = others.where(F.col("plan_name") == plan.name).crossJoin(began).where("began is null or at < began")
    found = earlier.orderBy(F.col("at").desc()).select("run_id").first()
    if found is None:
        return None
    judged = store.read(catalog.FAIRNESS_SUMMARY, found.run_id).where("value is not null").collect()
    shares = store.read(catalog.FAIRNESS_GROUPS, found.run_id).where((F.col("measure") == SHARE) & F.col("value").isNotNull())
    return Last(
        found.run_id,
        {(r.attribute, r.metric, r.offer or ""): Estimate(r.value, r.low, r.high) for r in judged},
        {(r.attribute, r.group): Estimate(r.value, r.low, r.high) for r in shares.collect()},
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _typed(table: list[dict[str, object]], types: dict[str, pa.DataType], names: Sequence[str] = ()) -> pa.Table:
    columns = {name: [row[name] for row in table] for name in names or table[0]}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})
