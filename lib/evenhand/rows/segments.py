"""What was learned: bounds, boxes, centers, fits and profiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from evenhand.ask.bounds import BoundIntervals
from evenhand.assignment.nearest import CENTER_BITS, Centers
from evenhand.describe.distances import Distances
from evenhand.describe.everybody import Everybody
from evenhand.describe.fifths import Fifths
from evenhand.describe.profiles import Profiles
from evenhand.learn.learn import Learned
from evenhand.learn.numbers import Earlier, Numbers, in_both
from evenhand.plan.geometry import to_fixed, to_unit
from evenhand.plan.metric import stretch
from evenhand.plan.models import Plan
from evenhand.records.last import LastRun
from evenhand.rows.typed import number, typed
from evenhand.tables.catalog import SEGMENT_CENTERS
from evenhand.tables.store import Store

Floats = NDArray[np.float64]
CUSTOMERS, SPREAD, ENDS = "customers", "standard deviation", ("value", "low", "high")
DEVIATIONS = "deviations", "deviations_low", "deviations_high"
FIFTH = "fifth_low", "fifth_high"
SILHOUETTES = "silhouette", "silhouette_low", "silhouette_high", "silhouette_evenly"
OUTSIDE = "share outside of the fullest eighth of the bounds"


def bound_rows(plan: Plan, intervals: Mapping[str, BoundIntervals]) -> pa.Table:
    """The bounds that were found privately, each with its interval."""
    columns: dict[str, list[object]] = {"feature": [f.name for f in plan.to_find]}
    for i, bound in enumerate(("low", "high")):
        ends = [getattr(intervals[f.name], bound) for f in plan.to_find]
        columns |= {bound: [f.limits[i] for f in plan.to_find]}
        columns |= {f"{bound}_{end}": [e[j] for e in ends] for j, end in enumerate(("low", "high"))}
    return pa.table(columns)


def summary_rows(learned: Learned, plan: Plan) -> pa.Table:
    """The boxes that are not below the plan's minimum; learning uses all. The ends of means in the plan's order of features."""
    found, intervals = learned.summary, learned.intervals
    shown = found.weights >= plan.privacy.minimum_cell
    means = to_unit(found.points[shown], plan.features)
    columns = {"box": found.boxes[shown], "noisy_count": found.weights[shown].astype(np.int64)}
    for end in ("low", "high"):
        columns[f"noisy_count_{end}"] = getattr(intervals, f"count_{end}")[shown]
        ends = to_unit(getattr(intervals, f"mean_{end}")[shown], plan.features, -1 if end == "low" else 1)
        columns[f"means_{end}"] = pa.array(ends.tolist(), pa.list_(pa.float64()))
    return pa.table(columns | {name: means[:, j] for j, name in enumerate(plan.feature_names)})


def center_rows(fixed: Centers, ends: tuple[Floats, Floats] | None, numbers: Numbers, plan: Plan) -> pa.Table:
    """A row a segment, by its number. The ends of the centers in the plan's order of features, null where they are no means of
    their customers.
    """
    units = to_unit(fixed / 2**CENTER_BITS, plan.features)
    columns = {
        "segment": numbers.now,
        "was": pa.array([number or None for number in numbers.was.tolist()], pa.int32()),
        "was_in": pa.array([numbers.run_id] * len(fixed), pa.string()),
        "fixed_point": fixed.tolist(),
    }
    for end, of in zip(("low", "high"), ends or (None, None), strict=True):
        listed = [None] * len(fixed) if of is None else to_unit(of, plan.features, -1 if end == "low" else 1).tolist()
        columns[f"centers_{end}"] = pa.array(listed, pa.list_(pa.float64()))
    table = pa.table(columns | {name: units[:, j] for j, name in enumerate(plan.feature_names)})
    return table.sort_by("segment")


def read_centers(stored: DataFrame) -> Centers:
    """The centers as they were rounded, shape (k, features)."""
    found = stored.orderBy("segment").select("fixed_point").collect()
    return np.array([row.fixed_point for row in found], dtype=np.int64)


def read_earlier(store: Store, last: LastRun | None, plan: Plan) -> Earlier | None:
    """The segments of an earlier run on the scale of today's plan."""
    if last is None:
        return None
    columns = in_both(plan, last.plan)
    features = [plan.features[j] for j in columns]
    stored = store.read(SEGMENT_CENTERS, last.run_id).orderBy("segment").collect()
    units = np.array([[row[feature.name] for feature in features] for row in stored])
    places = to_fixed(units, features) if columns else units.astype(np.int64)
    return Earlier(last.run_id, places, columns, stretch(features))


def fit_rows(found: Learned) -> pa.Table:
    """The fits that competed for the chosen k, and the curve over k where the plan gave a range."""
    nothing: tuple[float | None, ...] = (None, None, None, None)
    tried = [(f, f.method, nothing, f is found.best) for f in found.fits]
    for c in found.curve:
        apart = (c.silhouette, *found.silhouette_ends(c.fit), c.evenly)
        tried.append((c.fit, "curve over k", apart, c.k == found.best.k))
    table: list[dict[str, object]] = []
    for fit, method, silhouette, chosen in tried:
        low, high = found.cost_ends(fit)
        costs = {"cost": fit.cost, "cost_low": low, "cost_high": high}
        criterion = dict(zip(SILHOUETTES, silhouette, strict=True))
        table.append({"k": fit.k, "method": method} | costs | criterion | {"chosen": chosen})
    return typed(table, dict.fromkeys(SILHOUETTES, pa.float64()) | {"k": pa.int32()})


def profile_rows(found: Profiles, distances: Distances, labels: list[str], plan: Plan, fifths: Fifths | None = None) -> pa.Table:
    """Long: a row a segment and measure; a suppressed segment keeps its rows, without figures. A value that says nothing is null.

    `deviations` of a feature are from everybody's mean; an end is null where the noise bounds nothing. `fifths` are of features,
    where histograms were asked for.
    """
    nothing = np.full((3, len(labels)), np.nan)
    names = plan.feature_names
    measures = [("size", "customers", (found.size, found.size_low, found.size_high), nothing)]
    measures += [("share", "", (found.share, found.share_low, found.share_high), nothing)]
    for j, feature in enumerate(plan.features):
        values = found.value[:, j], found.value_low[:, j], found.value_high[:, j]
        away = np.stack([distances.value[:, j], distances.low[:, j], distances.high[:, j]])
        measures.append((feature.name, feature.unit, values, away))
    table: list[dict[str, object]] = [
        {
            "segment": s + 1,
            "label": label,
            "measure": measure,
            "value": None if found.suppressed[s] else number(value[s]),
            "low": None if found.suppressed[s] else float(low[s]),
            "high": None if found.suppressed[s] else float(high[s]),
            **{name: number(end[s]) for name, end in zip(DEVIATIONS, away, strict=True)},
            **_fifth(None if found.suppressed[s] or measure not in names else fifths, s, measure, names),
            "unit": unit,
            "suppressed": bool(found.suppressed[s]),
        }
        for measure, unit, (value, low, high), away in measures
        for s, label in enumerate(labels)
    ]
    return typed(table, dict.fromkeys((*ENDS, *DEVIATIONS), pa.float64()) | dict.fromkeys(FIFTH, pa.int32()))


def _fifth(fifths: Fifths | None, segment: int, feature: str, names: list[str]) -> dict[str, int | None]:
    if fifths is None:
        return dict.fromkeys(FIFTH)
    return {
        name: int(end[segment, names.index(feature)]) or None for name, end in zip(FIFTH, (fifths.low, fifths.high), strict=True)
    }


def everybody_rows(found: Everybody, outside: Mapping[str, tuple[float, float, float]], plan: Plan) -> pa.Table:
    """How many customers there are, then the standard deviation of each feature on its scale, and how many fill its bounds."""
    rows: list[dict[str, object]] = [{"figure": CUSTOMERS, "feature": None} | dict(zip(ENDS, found.customers, strict=True))]
    for j, name in enumerate(plan.feature_names):
        rows.append(
            {"figure": SPREAD, "feature": name} | {end: number(of[j]) for end, of in zip(ENDS, found.spread, strict=True)}
        )
    rows += [{"figure": OUTSIDE, "feature": name} | dict(zip(ENDS, ends, strict=True)) for name, ends in outside.items()]
    return typed(rows, dict.fromkeys(ENDS, pa.float64()) | {"feature": pa.string()})
