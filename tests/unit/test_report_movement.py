"""What the page says of customers who changed segment: no more than the noise lets anybody say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from test_report import LABELS, facts

from evenhand.ask.movement import CHANGED, STAYED
from evenhand.past.compare import Comparison
from evenhand.report.facts import Facts
from evenhand.report.lasting import Lasting
from evenhand.report.movement import Moved
from evenhand.report.page import glance, render
from evenhand.report.plots import plots_of
from evenhand.report.words import NOT_SHOWN

SAME = Lasting("autumn", {1: 1, 2: 2, 3: 3}, {})
THEN = LABELS | {4: "<b>gone</b>"}
PLAN = {"segments.movement": {"share": 0.1}}


def row(before: int | None, segment: int, count: float | None, reach: float = 150.0, sure: bool = True) -> dict[str, Any]:
    ends = (None, None, None) if count is None else (count, max(count - reach, 0.0), count + reach)
    figures = dict(zip(("count", "count_low", "count_high"), ends, strict=True))
    return (
        {"since": "autumn", "before": before, "segment": segment, "sure": sure and count is not None}
        | figures
        | {"suppressed": count is None}
    )


ROWS = [
    *(row(1, 1, 9_000.0), row(1, 2, 90.0, sure=False), row(1, 3, None)),
    *(row(2, 1, 1_200.0), row(2, 2, 7_000.0), row(2, 3, 310.0)),
    *(row(3, 1, None), row(3, 2, None), row(3, 3, 4_000.0)),
    *(row(4, 1, None), row(4, 2, None), row(4, 3, 800.0)),
    *(row(None, 1, None), row(None, 2, None), row(None, 3, 900.0)),
]


def with_moves(rows: list[dict[str, Any]] = ROWS, lasting: Lasting = SAME) -> Facts:
    return facts(plan=PLAN, lasting=lasting, movement=Moved("autumn", rows, THEN, lasting))


def section(page: str) -> str:
    return page.split("<h2>Who changed segment</h2>")[1].split("</section>")[0]


def test_a_page_of_a_plan_that_does_not_ask_says_nothing_of_it() -> None:
    assert "Who changed segment" not in render(facts())
    assert "movement" not in plots_of(facts())


def test_the_largest_moves_are_said_with_a_figure_where_the_range_bears_one() -> None:
    said = re.findall(r"<li>(.*?)</li>", section(render(with_moves())))
    assert said == [
        "About 1,200 customers (1,050 to 1,350) went from segment 2 to segment 1.",
        "About 800 customers (650 to 950) went from segment 4 to segment 3.",
        "160 to 460 customers went from segment 2 to segment 3.",
        "About 900 customers (750 to 1,050) in segment 3 were not in run autumn.",
    ]


def test_a_figure_is_no_finer_than_the_noise_and_its_range_no_coarser() -> None:
    moved = Moved("autumn", [row(1, 2, 603.0, reach=10.0), row(2, 1, 1_234.0, reach=10.0)], THEN, SAME)
    assert [said.split(" customers ")[0] + said[said.index(" (") : said.index(")") + 1] for said in moved.sentences] == [
        "About 1,230 (1,224 to 1,244)",
        "About 600 (593 to 613)",
    ]


def test_a_segment_under_another_number_is_the_same_and_a_new_one_is_said_to_be_new() -> None:
    other = Lasting("autumn", {1: 2, 2: None, 3: 3}, {1: "buys often"})
    moved = Moved("autumn", [row(1, 2, 5_000.0), row(2, 1, 5_000.0), row(2, 2, 600.0)], THEN, other)
    assert [s.split(") ")[1] for s in moved.sentences] == [
        "went from segment 1 to segment 2, which is new.",
        "went from segment 2 to segment 2, which is new.",
    ]


def test_where_only_noise_may_have_moved_anybody_that_is_said_and_nothing_is_drawn_of_it() -> None:
    found = with_moves([row(1, 1, 9_000.0), row(1, 2, 90.0, sure=False), row(2, 2, 7_000.0)])
    page = section(render(found))
    assert "No move from one segment to another stands out of the noise." in page
    assert "from 1 to 2" not in page
    nobody = with_moves([row(1, 1, 9.0, sure=False)])
    assert "movement" not in plots_of(nobody)
    assert "<figure>" not in section(render(nobody))


def sums(stayed: float | None, changed: float | None) -> Moved:
    found = {figure: row(None, 1, n) for figure, n in ((STAYED, stayed), (CHANGED, changed))}
    return Moved("autumn", ROWS, THEN, SAME, sums=found)


@pytest.mark.parametrize(
    ("stayed", "changed", "said"),
    [
        (
            20_810.0,
            2_310.0,
            "About 20,800 customers (20,700 to 21,000) are in the segment that they were in; about 2,300 customers (2,200 to 2,500) are in another.",
        ),
        (20_810.0, None, "About 20,800 customers (20,700 to 21,000) are in the segment that they were in."),
        (None, 2_310.0, "About 2,300 customers (2,200 to 2,500) who were in run autumn too are in another segment now."),
        (None, None, ""),
    ],
    ids=["both", "who stayed", "who changed", "neither"],
)
def test_how_many_stayed_in_all_is_said_first(stayed: float | None, changed: float | None, said: str) -> None:
    moved = sums(stayed, changed)
    assert moved.in_all == said
    page = section(render(facts(plan=PLAN, lasting=SAME, movement=moved)))
    assert said in page.split("<ul>")[0]


def test_many_moves_are_not_all_sentences() -> None:
    rows = [row(a, b, 1_000.0 + 10 * a + b, reach=50) for a in (1, 2, 3, 4) for b in (1, 2, 3)]
    said = Moved("autumn", rows, THEN, SAME).sentences
    assert len(said) == 6
    assert said[-1] == "4 smaller moves stand in the table."


def test_the_table_has_every_cell_and_no_figure_of_what_is_not_shown() -> None:
    table = section(render(with_moves())).split("<tbody>")[1]
    lines = [re.findall(r"<td>(.*?)</td>", line) for line in table.split("<tr>")[1:]]
    assert [len(line) for line in lines] == [3] * 5
    assert lines[2][:2] == [NOT_SHOWN, NOT_SHOWN]
    assert lines[0][0].startswith("9,000 (")
    assert "<b>gone" not in table and "&lt;b&gt;gone" in table
    assert '<th scope="row">not there</th>' in table


def test_the_plot_says_in_words_what_it_draws_and_only_that() -> None:
    drawn = plots_of(with_moves())["movement"]
    text = drawn.split("<title>")[1].split("</title>")[0]
    assert "from 2 to 1: 1,2" in text
    assert "not there before, now in 3: 9" in text
    assert "from 1 to 2" not in text
    assert "<b>" not in drawn
    assert "movement" in plots_of(with_moves())


@pytest.mark.parametrize("since", [None, "autumn"], ids=["a first run", "another key"])
def test_where_there_is_nothing_to_compare_one_plain_line_says_why(since: str | None) -> None:
    found = facts(plan=PLAN, movement=Moved(since, why="the pseudonyms are under another key"))
    said = section(render(found))
    assert re.findall(r"<p>(.*?)</p>", said) == ["There is nothing to compare: the pseudonyms are under another key."]
    assert "<table" not in said and "<figure" not in said


def test_notebook_and_comparison_go_on_beside_it() -> None:
    assert "Who changed segment" not in glance(with_moves())
    assert "segments.movement" in str(Comparison(facts(), with_moves()))
