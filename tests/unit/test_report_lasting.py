"""What page, terminal and comparison say of segments that the last run had, of new ones, and of those that have ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from test_report import LABELS, facts

from evenhand.past.compare import Comparison
from evenhand.report.facts import Facts
from evenhand.report.lasting import Lasting
from evenhand.report.page import glance, render
from evenhand.report.summary import summary_text

SAME = Lasting("autumn", {1: 1, 2: 2, 3: 3}, {})
CHANGED = Lasting("autumn", {1: 1, 2: None, 3: 5}, {2: "buys often", 4: "bought lately"})
ALL_NEW = Lasting("autumn", {1: None, 2: None, 3: None}, {1: "a", 2: "b"})
OFFERS = [{"name": "gift", "why": "test", "segments": [1, 2, 3]}]


def with_numbers(lasting: Lasting | None) -> Facts:
    return facts(lasting=lasting, plan={"fairness.offers": OFFERS}, offers={"gift": [1, 2, 3]})


def sentence_of(page: str, segment: int) -> str:
    return page.split(f'<li value="{segment}">')[1].split("</li>")[0]


def test_a_first_run_says_nothing_of_numbers() -> None:
    page = render(with_numbers(None))
    assert "autumn" not in page
    assert "numbers:" not in summary_text(with_numbers(None), Path("page.html"))


def test_where_all_is_as_before_one_line_says_so() -> None:
    page = render(with_numbers(SAME))
    assert page.count("autumn") == 1
    assert "<p>Segments keep the numbers that they had in run autumn.</p>" in page


def test_what_is_new_was_another_or_has_ended_is_said_where_the_segments_are_described() -> None:
    page = render(with_numbers(CHANGED))
    assert (
        "Segments keep the numbers that they had in run autumn, where they were found again; fairness is not compared with that run."
        in page
    )
    assert "autumn" not in sentence_of(page, 1)
    assert sentence_of(page, 2).endswith(" New since run autumn.")
    assert sentence_of(page, 3).endswith(" Segment 5 in run autumn.")
    assert "<p>Not found again: segments 2 (buys often), 4 (bought lately) of run autumn.</p>" in page


def test_an_offer_by_number_says_which_of_its_segments_are_not_as_before() -> None:
    assert "<td>named by number in the plan; against run autumn 2 is new, 3 was 5</td>" in render(with_numbers(CHANGED))
    assert "<td>named by number in the plan</td>" in render(with_numbers(SAME))


def test_where_no_segment_was_found_again_that_is_said_once() -> None:
    page = render(with_numbers(ALL_NEW))
    assert "No segment of run autumn was found again, so no number means what it meant there." in page
    assert "New since" not in page
    assert "Not found again" not in page


@pytest.mark.parametrize(
    ("lasting", "line"),
    [
        (SAME, "as in run autumn"),
        (CHANGED, "as in run autumn, but 2 is new, 3 was 5; not found again: 2, 4"),
        (ALL_NEW, "no segment of run autumn was found again"),
    ],
    ids=["as before", "not all", "none"],
)
def test_the_terminal_and_a_comparison_say_it_in_a_line(lasting: Lasting, line: str) -> None:
    now, then = with_numbers(lasting), replace(with_numbers(None), run_id="autumn")
    lines = summary_text(now, Path("page.html"))
    assert f"  numbers: {line}" in lines.splitlines()
    assert Comparison(then, now).numbers == Comparison(now, then).numbers == f"in run {now.run_id} {line}"
    assert f"<p>Segment numbers: {line}.</p>" in glance(now)
    assert "neither run was held against the other" in Comparison(now, now).numbers
    assert f"labels: 1 {LABELS[1]}; 2 {LABELS[2]}" in " ".join(str(Comparison(then, now)).split())
