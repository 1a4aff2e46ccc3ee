"""Spans of time in a plan, and what is refused for its age."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from evenhand.cli.main import main
from evenhand.errors import PlanError, RunConflict
from evenhand.people.published import PublishedRun, require_fresh
from evenhand.plan.explain import explain
from evenhand.plan.load import parse_plan
from evenhand.plan.spans import before
from evenhand.records.audit import RETAIN, Entry
from sample import NOW, plan_yaml


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("1 month", datetime(2026, 2, 28, 7, tzinfo=UTC)),
        ("13 months", datetime(2025, 2, 28, 7, tzinfo=UTC)),
        ("3 months", datetime(2025, 12, 31, 7, tzinfo=UTC)),
        ("31 days", datetime(2026, 2, 28, 7, tzinfo=UTC)),
        ("2 years", datetime(2024, 3, 31, 7, tzinfo=UTC)),
    ],
)
def test_a_span_is_counted_by_the_calendar(span: str, expected: datetime) -> None:
    assert before(datetime(2026, 3, 31, 7, tzinfo=UTC), span) == expected


@pytest.mark.parametrize("span", ["0 days", "3", "soon", "101 years", "-1 days", "1.5 months", 90])
def test_what_is_no_span_is_refused_with_an_example(span: Any) -> None:
    with pytest.raises(PlanError, match=r"activation\.max_age"):
        parse_plan(plan_yaml({"activation.max_age": span}))


@pytest.mark.parametrize("share", [1.0, -0.1])
def test_a_holdout_is_a_share_of_some(share: float) -> None:
    with pytest.raises(PlanError, match=r"activation\.holdout"):
        parse_plan(plan_yaml({"activation.holdout": share}))


def test_a_run_older_than_the_plan_allows_is_refused() -> None:
    plan = parse_plan(plan_yaml())
    old = PublishedRun("old", plan, NOW.replace(year=2020), np.zeros((3, 3), dtype=np.int64))
    with pytest.raises(RunConflict, match=r"as of 2020-03-01, older than activation\.max_age \(3 months\)"):
        require_fresh(old, plan, [])


def test_a_run_whose_rows_are_kept_no_longer_is_refused_by_what_the_log_says() -> None:
    """Not by a look at the rows: that nobody is in them is nobody's to know."""
    plan = parse_plan(plan_yaml())
    run = PublishedRun("autumn", plan, datetime.now(UTC), np.zeros((3, 3), dtype=np.int64))
    removed = {"autumn": {"segments": ["autumn"]}, "others": {"segments": ["spring"], "prepared": ["autumn"]}}
    entries = {of: [Entry(1, 0, "me", "retain-1", RETAIN, json.dumps(details), "")] for of, details in removed.items()}
    with pytest.raises(RunConflict, match="the rows of run autumn in segments are not kept any more"):
        require_fresh(run, plan, entries["autumn"])
    require_fresh(run, plan, entries["others"])


def test_a_key_id_stands_for_one_key() -> None:
    with pytest.raises(PlanError, match="key_id test-1 is named twice"):
        parse_plan(plan_yaml({"pseudonyms.older": [{"key_id": "test-1", "key_file": "other"}]}))


@pytest.mark.parametrize("bad", [["--segments", "1,x"], ["--offer", "a", "--segments", "1"], []])
def test_wrong_arguments_end_in_one_line(bad: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["activate", "--plan", "plan.yaml", "--run-id", "r", "--to", "x", *bad]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_check_says_how_long_people_are_kept_unless_the_plan_says() -> None:
    said = " ".join(explain(parse_plan(plan_yaml({"retention.segments": "6 months"}))).split())
    assert "kept: prepared rows 13 months, segments 6 months, activations 13 months" in said
