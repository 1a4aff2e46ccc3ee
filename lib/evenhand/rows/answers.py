"""What people said in a survey, by segment, beside the wave before: a row a question, segment and option."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from evenhand.ask.answers import AnswerShare
from evenhand.fairness.rates import Interval, difference
from evenhand.plan.surveys import Survey
from evenhand.privacy.intervals import Estimate
from evenhand.records.runs import last_state
from evenhand.rows.typed import typed
from evenhand.tables.catalog import FEEDBACK, SEGMENT_CENTERS
from evenhand.tables.store import Store

FIGURES = "count", "count_low", "count_high", "share", "share_low", "share_high"
CHANGES = "change", "change_low", "change_high"


@dataclass(frozen=True)
class Before:
    """The wave before: its shares by question, option and segment, of questions that have not changed, segments by today's numbers."""

    wave_id: str
    shares: Mapping[tuple[str, str, int], Estimate] = field(default_factory=dict)

    def change(self, now: AnswerShare) -> Estimate | None:
        """Now less then, whose noises are independent; None where one of the two is not there or not shown."""
        then = self.shares.get((now.question, now.option, now.segment))
        if then is None or now.suppressed:
            return None
        found = difference(*(Interval(*(np.array(end) for end in (of.value, of.low, of.high))) for of in (now.share, then)))
        return Estimate(float(found.value), float(found.low), float(found.high))


def feedback_rows(
    found: Iterable[AnswerShare], survey: Survey, plan_name: str, segments_of: str, as_of: datetime, before: Before | None
) -> pa.Table:
    """A suppressed cell keeps its row, without figures. `position` is the option's place in the plan, from 1."""
    asked = {q.name: q for q in survey.questions}
    table: list[dict[str, object]] = []
    for cell in found:
        change = before.change(cell) if before else None
        table.append(
            {
                "plan_name": plan_name,
                "survey": survey.name,
                "segments_of": segments_of,
                "as_of": as_of,
                "question": cell.question,
                "asks": asked[cell.question].asks,
                "option": cell.option,
                "position": asked[cell.question].option_names.index(cell.option) + 1,
                "segment": cell.segment,
                **dict(zip(FIGURES, _ends(None if cell.suppressed else [cell.count, cell.share], 2), strict=True)),
                "suppressed": cell.suppressed,
                "before": before.wave_id if before and change else None,
                **dict(zip(CHANGES, _ends([change] if change else None, 1), strict=True)),
            }
        )
    types = dict.fromkeys((*FIGURES, *CHANGES), pa.float64())
    return typed(table, types | {"as_of": pa.timestamp("us", "UTC"), "before": pa.string()})


def _ends(estimates: list[Estimate] | None, number: int) -> Sequence[float | None]:
    if estimates is None:
        return [None] * 3 * number
    return [float(end) for of in estimates for end in (of.value, of.low, of.high)]


def read_before(store: Store, survey: Survey, plan_name: str, learned: str, as_of: datetime) -> Before | None:
    """The newest wave of a survey that began before a moment; None where there is none. `learned` is the run that learned today's segments."""
    if not store.exists(FEEDBACK):
        return None
    ours = (F.col("plan_name") == plan_name) & (F.col("survey") == survey.name)
    earlier = store.read(FEEDBACK).where(ours & (F.unix_micros("as_of") < round(as_of.timestamp() * 1_000_000)))
    last = earlier.orderBy(F.col("as_of").desc(), "run_id").select("run_id", "segments_of").first()
    if last is None:
        return None
    state = last_state(store, last.segments_of)
    segments = same_segments(store, learned, (state and state.centers_of) or last.segments_of)
    rows = store.read(FEEDBACK, last.run_id).collect()
    options: dict[str, dict[int, str]] = {}
    for row in rows:
        options.setdefault(row.question, {})[row.position] = row.option
    same = {q.name for q in survey.questions if options.get(q.name) == dict(enumerate(q.option_names, 1))}
    shares = {
        (row.question, row.option, segments[row.segment]): Estimate(row.share, row.share_low, row.share_high)
        for row in rows
        if row.question in same and row.segment in segments and not row.suppressed
    }
    return Before(last.run_id, shares)


def same_segments(store: Store, learned: str, before: str) -> dict[int, int]:
    """By the number of a segment in an earlier run its number in `learned`, over all runs in between; empty where they are not connected."""
    run_id: str | None = learned
    numbers: dict[int, int] | None = None
    while run_id is not None:
        rows = store.read(SEGMENT_CENTERS, run_id).select("segment", "was", "was_in").collect()
        if numbers is None:
            numbers = {row.segment: row.segment for row in rows}
        if run_id == before:
            return numbers
        numbers = {row.was: numbers[row.segment] for row in rows if row.was is not None and row.segment in numbers}
        run_id = rows[0].was_in if rows else None
    return {}
