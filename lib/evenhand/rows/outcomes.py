"""What came of an offer: rates of response by segment and group, what the offer added, and how even the groups are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from evenhand.ask.outcomes import SEGMENT, Table
from evenhand.fairness.outcomes import response_verdicts, responses
from evenhand.plan.models import Plan
from evenhand.plan.outcomes import Outcome
from evenhand.privacy.noise import Noise
from evenhand.rows.typed import number, typed

ENDS = "", "_low", "_high"
RATES = "rate", "held_back_rate", "added"
Counts = Mapping[str, np.ndarray]


def outcome_rows(
    tables: Sequence[Table], noisy: Counts, noises: Mapping[str, Noise], outcome: Outcome, plan: Plan, said: Mapping[str, object]
) -> pa.Table:
    """A row a table's row and option; what is too little known, or would give a small count away, keeps its row without figures."""
    found: list[dict[str, object]] = []
    minimum, threshold = plan.privacy.minimum_cell, plan.fairness.thresholds.selection_ratio
    for table in tables:
        of_options = responses(noisy[table.name], noises[table.name], outcome.option_names, minimum, threshold)
        for position, of in enumerate(of_options, 1):
            for i, row in enumerate(table.rows):
                figures: dict[str, object] = {}
                for name, interval in zip(RATES, (of.given, of.held, of.added), strict=True):
                    ends = (interval.value[i], interval.low[i], interval.high[i])
                    figures |= {name + end: number(value) for end, value in zip(ENDS, ends, strict=True)}
                found.append({**said, "attribute": table.name, "group": row, "option": of.option, "position": position} | figures)
    return typed(found, {name + end: pa.float64() for name in RATES for end in ENDS} | _types())


def verdict_rows(
    tables: Sequence[Table], noisy: Counts, noises: Mapping[str, Noise], outcome: Outcome, plan: Plan, said: Mapping[str, object]
) -> pa.Table:
    """A row an attribute or intersection, option and metric; segments are meant to differ, and are not judged."""
    found: list[dict[str, object]] = []
    for table in tables:
        if table.name == SEGMENT:
            continue
        judged = response_verdicts(
            noisy[table.name], noises[table.name], table.rows, outcome.option_names, plan.privacy.minimum_cell, plan.fairness
        )
        for of in judged:
            estimate = of.estimate
            ends = {end: number(getattr(estimate, end)) if estimate else None for end in ("value", "low", "high")}
            about = {"attribute": table.name, "option": of.option, "metric": of.metric}
            found.append({**said, **about, **ends, "threshold": of.threshold, "verdict": of.verdict, "over": of.over})
    return typed(found, dict.fromkeys(("value", "low", "high"), pa.float64()) | {"over": pa.list_(pa.string())} | _types())


def _types() -> dict[str, pa.DataType]:
    return {"as_of": pa.timestamp("us", "UTC"), "offer": pa.string()}
