"""What the page says of a survey: shares by segment, what has changed, and nothing of what is not shown."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from test_report import facts

from evenhand.ask.answers import AnswerShare
from evenhand.plan.surveys import Survey
from evenhand.privacy.intervals import Estimate
from evenhand.report.feedback import Asked, Wave, points
from evenhand.report.page import render
from evenhand.report.words import NOT_SHOWN
from evenhand.rows.answers import Before, feedback_rows
from sample import NOW
from survey import SURVEY

ASKS = "How comfortable are you with what we do with your data?"


def row(segment: int, option: str, share: float | None, change: tuple[float, float, float] | None = None) -> dict[str, Any]:
    value, low, high = change or (None, None, None)
    ends = (None, None, None) if share is None else (share, share - 0.02, share + 0.02)
    return {
        "segment": segment,
        "option": option,
        "suppressed": share is None,
        "before": "spring" if change else None,
        **dict(zip(("share", "share_low", "share_high"), ends, strict=True)),
        **{"change": value, "change_low": low, "change_high": high},
    }


ROWS = [row(1, "yes", 0.62, (0.05, 0.01, 0.09)), row(1, "no", 0.38), row(2, "yes", None), row(2, "no", None)]


def page_of(rows: list[dict[str, Any]]) -> str:
    return render(facts(waves=[Wave("data_use", "autumn", date(2026, 11, 30), [Asked("comfort", ASKS, rows)])]))


def test_a_page_without_a_survey_says_nothing_of_one() -> None:
    assert "What customers say" not in render(facts())


def test_the_page_shows_the_shares_of_each_segment_and_their_change() -> None:
    page = page_of(ROWS)
    assert f"<caption>{ASKS}</caption>" in page
    cells = re.findall(r"<td>(.*?)</td>", page.split(ASKS)[1].split("</table>")[0])
    assert cells == ["62% (60% to 64%), +5.0 points (+1.0 to +9.0)", "38% (36% to 40%)", NOT_SHOWN, NOT_SHOWN]
    assert "Wave autumn of 2026-11-30; points say how a share has changed since wave spring" in page


def test_without_a_wave_before_nothing_is_said_of_change() -> None:
    page = page_of([row(1, "yes", 0.62), row(1, "no", 0.38)])
    assert "Wave autumn of 2026-11-30.</p>" in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((0.05, 0.01, 0.09), ", +5.0 points (+1.0 to +9.0)"),
        ((-0.05, -0.09, -0.01), ", -5.0 points (-9.0 to -1.0)"),
        ((0.01, -0.02, 0.04), ", -2.0 to +4.0 points"),
        (None, ""),
    ],
)
def test_a_change_that_may_be_noise_is_a_range_alone(change: Any, said: str) -> None:
    assert points(row(1, "yes", 0.5, change)) == said


def share(option: str, value: float, segment: int = 1, suppressed: bool = False) -> AnswerShare:
    return AnswerShare("control", option, segment, Estimate(10, 9, 11), Estimate(value, value - 0.03, value + 0.03), suppressed)


def test_a_share_is_held_against_the_same_option_of_the_same_segment_where_both_are_shown() -> None:
    before = Before("spring", {("control", "yes", 1): Estimate(0.5, 0.46, 0.54), ("control", "no", 2): Estimate(0.5, 0.4, 0.6)})
    found = [share("yes", 0.6), share("no", 0.4), share("yes", 0.6, 2), share("no", 0.4, 2, suppressed=True)]
    rows = feedback_rows(found, Survey.model_validate(SURVEY), "small", "run-1", NOW, before).to_pylist()
    assert [r["before"] for r in rows] == ["spring", None, None, None]
    # Newcombe's: each end is away from the difference by the root of the squares of what the two shares' own ends are.
    assert [rows[0][c] for c in ("change", "change_low", "change_high")] == pytest.approx([0.1, 0.05, 0.15])
    assert [r["count"] for r in rows] == [10, 10, 10, None]
    assert replace(before, shares={}).change(share("yes", 0.6)) is None
