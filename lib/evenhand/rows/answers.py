"""What people said in a survey, by segment: a row a question, segment and option."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa

from evenhand.ask.answers import AnswerShare
from evenhand.plan.surveys import Survey
from evenhand.rows.typed import typed

FIGURES = "count", "count_low", "count_high", "share", "share_low", "share_high"


def feedback_rows(found: Iterable[AnswerShare], survey: Survey, plan_name: str, segments_of: str, as_of: datetime) -> pa.Table:
    """A suppressed cell keeps its row, without figures. `position` is the option's place in the plan, from 1."""
    positions = {(q.name, option): i for q in survey.questions for i, option in enumerate(q.option_names, 1)}
    table: list[dict[str, object]] = [
        {
            "plan_name": plan_name,
            "survey": survey.name,
            "segments_of": segments_of,
            "as_of": as_of,
            "question": cell.question,
            "option": cell.option,
            "position": positions[cell.question, cell.option],
            "segment": cell.segment,
            **dict(zip(FIGURES, _figures(cell), strict=True)),
            "suppressed": cell.suppressed,
        }
        for cell in found
    ]
    return typed(table, dict.fromkeys(FIGURES, pa.float64()) | {"as_of": pa.timestamp("us", "UTC")})


def _figures(cell: AnswerShare) -> list[float | None]:
    if cell.suppressed:
        return [None] * len(FIGURES)
    return [float(end) for of in (cell.count, cell.share) for end in (of.value, of.low, of.high)]
