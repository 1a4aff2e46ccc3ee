"""What the page says of an offer's outcome: rates by segment and group, what the offer adds, and nothing of what is not shown."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from test_report import facts

from evenhand.report.outcomes import Counted, Responded
from evenhand.report.page import render
from evenhand.report.words import NOT_SHOWN


def row(group: str, option: str, rate: float | None, added: tuple[float, float, float] | None = None) -> dict[str, Any]:
    ends = (None, None, None) if rate is None else (rate, rate - 0.02, rate + 0.02)
    found: dict[str, Any] = {"group": group, "option": option}
    found |= dict(zip(("rate", "rate_low", "rate_high"), ends, strict=True))
    return found | dict(zip(("added", "added_low", "added_high"), added or (None, None, None), strict=True))


def judged(option: str, verdict: str, value: float | None = 0.6, metric: str = "selection_ratio") -> dict[str, Any]:
    ends = (None, None, None) if value is None else (value, value - 0.12, value + 0.12)
    return {"option": option, "metric": metric, "verdict": verdict, **dict(zip(("value", "low", "high"), ends, strict=True))}


BY_SEGMENT = [
    row("2", "opened", 0.62),
    row("2", "bought", None),
    row("10", "opened", 0.5, (0.01, -0.02, 0.04)),
    row("10", "bought", 0.2, (0.05, 0.01, 0.09)),
]
BY_GENDER = [row("female", "bought", 0.2), row("male", "bought", 0.3)]


def page_of(*attributes: Responded, offer: str | None = "free_trial") -> str:
    return render(facts(outcomes=[Counted("response", "act-1", offer, "autumn", date(2026, 11, 30), list(attributes))]))


def section(page: str) -> str:
    return page.split("What came of offers</h2>")[1].split("</section>")[0]


def test_a_page_without_a_count_says_nothing_of_offers_outcomes() -> None:
    assert "What came of offers" not in render(facts())


def test_each_segment_has_its_rates_and_what_the_offer_adds() -> None:
    said = section(page_of(Responded("segment", BY_SEGMENT, [])))
    assert "response to free trial</h3>" in said and "Activation act-1, count autumn of 2026-11-30." in said
    heads = re.findall(r'<th scope="col">(.*?)</th>', said)
    assert heads == ["Segment", "opened", "opened: the offer adds", "bought", "bought: the offer adds"]
    assert re.findall(r'<th scope="row">(.*?)</th>', said) == ["2", "10"]
    cells = re.findall(r"<td>(.*?)</td>", said)
    assert cells[:4] == ["62% (60% to 64%)", NOT_SHOWN, NOT_SHOWN, NOT_SHOWN]
    assert cells[4:] == ["50% (48% to 52%)", "-2.0 to +4.0 points", "20% (18% to 22%)", "+5.0 points (+1.0 to +9.0)"]
    assert "cannot be told" not in said  # segments are meant to differ


def test_without_a_holdout_nothing_is_said_of_what_the_offer_adds() -> None:
    said = section(page_of(Responded("gender", BY_GENDER, []), offer=None))
    assert re.findall(r'<th scope="col">(.*?)</th>', said) == ["Group", "bought"]
    assert re.findall(r'<th scope="row">(.*?)</th>', said) == ["female", "male"]
    assert "<h3>response</h3>" in said


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            judged("bought", "uneven"),
            "bought: uneven; the group that responds least does so 0.6 (0.5 to 0.7) times as often as the one that responds most",
        ),
        (judged("bought", "even", None), "bought: even by how much less the group that responds least does so"),
        (
            judged("bought", "uneven", 0.31, "selection_difference"),
            "bought: uneven; the gap between these two is 31% (19% to 43%) of customers",
        ),
        (judged("bought", "cannot tell"), None),
    ],
)
def test_a_verdict_is_said_only_where_there_is_one(verdict: dict[str, Any], sentence: str | None) -> None:
    said = section(page_of(Responded("gender", BY_GENDER, [verdict])))
    found = [re.sub("<.*?>", "", line) for line in re.findall(r"<li>(.*?)</li>", said)]
    assert found == ([] if sentence is None else [sentence])
    assert ("Whether these groups respond alike cannot be told from these figures." in said) == (sentence is None)
