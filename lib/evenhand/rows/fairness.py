"""The fairness statistics of a run, and those of the last one back."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.fairness.assess import SHARE, TableFairness
from evenhand.fairness.change import Last, basis
from evenhand.fairness.judgment import CANNOT_TELL
from evenhand.privacy.intervals import Estimate
from evenhand.records.last import run_named
from evenhand.rows.typed import number, typed
from evenhand.tables import catalog
from evenhand.tables.store import Store

ENDS = ("value", "low", "high")
JUDGED = (*ENDS, "threshold", "change", "change_low", "change_high")


def fairness_stats(fairness: list[TableFairness]) -> pa.Table:
    table, floats = [], {}
    for of in fairness:
        for g, group in enumerate(of.groups):
            for s in range(of.counts.value.shape[1]):
                row: dict[str, object] = {"attribute": of.table, "group": group, "segment": s + 1}
                for name, interval in (("count", of.counts), ("share", of.shares), ("representation_ratio", of.ratios)):
                    for suffix, figure in (("", interval.value), ("_low", interval.low), ("_high", interval.high)):
                        row[name + suffix] = None if of.suppressed[g, s] else number(figure[g, s])
                        floats[name + suffix] = pa.float64()
                table.append(row | {"suppressed": bool(of.suppressed[g, s])})
    return typed(table, floats)


def fairness_groups(fairness: list[TableFairness]) -> pa.Table:
    """Long: a row a group and measure; what is suppressed keeps its row, without figures. A value that says nothing is null."""
    table: list[dict[str, object]] = [
        {
            "attribute": of.table,
            "group": group,
            "measure": by.measure,
            "offer": by.offer or None,
            "suppressed": bool(np.isnan(by.figures.low[g])),
        }
        | {end: number(getattr(by.figures, end)[g]) for end in ENDS}
        for of in fairness
        for by in of.by_group
        for g, group in enumerate(of.groups)
    ]
    names = ("attribute", "group", "measure", "offer", *ENDS, "suppressed")
    return typed(table, dict.fromkeys(ENDS, pa.float64()) | {"offer": pa.string()}, names)


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
            figures = {end: number(getattr(j.estimate, end, math.nan)) for end in ENDS} | {"threshold": j.threshold}
            change = {
                f"change{end}": getattr(j.change, name, None) for end, name in (("", "value"), ("_low", "low"), ("_high", "high"))
            }
            said = {"metric": j.metric, "offer": j.offer or None, "verdict": j.verdict, "over": list(j.over)}
            table.append(common | said | figures | change)
        if not of.judgments:
            table.append(common | {"metric": "all", "offer": None, "verdict": CANNOT_TELL, "over": []} | dict.fromkeys(JUDGED))
    lists = dict.fromkeys(("over", "too_small", "unjudged_offers"), pa.list_(pa.string()))
    return typed(table, dict.fromkeys(JUDGED, pa.float64()) | {"offer": pa.string()} | lists)


def fairness_proxies(fairness: list[TableFairness]) -> pa.Table:
    table: list[dict[str, object]] = [
        {"attribute": of.table, "feature": proxy.feature, "rank": rank}
        | {end: number(getattr(proxy.strength, end)) for end in ENDS}
        for of in fairness
        for rank, proxy in enumerate(of.proxies, 1)
    ]
    return typed(table, dict.fromkeys(ENDS, pa.float64()) | {"rank": pa.int32()}, ("attribute", "feature", "rank", *ENDS))


def read_last(store: Store, centers: DataFrame) -> Last | None:
    """The run that these centers have their numbers from, None for those of a first run.

    Without its judgments where a segment is new or has ended: the two runs' segments then mean something else.
    """
    now = centers.select("segment", "was", "was_in").collect()
    if now[0].was_in is None:
        return None
    last = run_named(store, now[0].was_in)
    shares = store.read(catalog.FAIRNESS_GROUPS, last.run_id).where((F.col("measure") == SHARE) & F.col("value").isNotNull())
    by_group = {(r.attribute, r.group): Estimate(r.value, r.low, r.high) for r in shares.collect()}
    called = store.read(catalog.SEGMENT_PROFILES, last.run_id).select("segment", "label").distinct().collect()
    then = {row.segment: row.label for row in called}
    labels = {row.segment: then[row.was] for row in now if row.was in then}
    if len(now) != store.read(catalog.SEGMENT_CENTERS, last.run_id).count() or any(row.was is None for row in now):
        return Last(last.run_id, {}, by_group, labels)
    judged = store.read(catalog.FAIRNESS_SUMMARY, last.run_id).where("value is not null and high is not null").collect()
    keys = {(r.attribute, r.metric, r.offer or ""): r for r in judged}
    figures = {k: (Estimate(r.value, r.low, r.high), basis(last.plan, k, r.reference, r.over)) for k, r in keys.items()}
    return Last(last.run_id, figures, by_group, labels)
