"""The report of a run with mitigation: the justification, before and after, the price, and the curve for all readers."""

from __future__ import annotations

from typing import Any

import pytest
from test_report import base_page, facts

from evenhand.report.page import render

WHY = "The offer must reach <both> sexes alike."
MITIGATION = {"fairness.mitigation": {"method": "balanced", "justification": WHY, "attributes": ["gender"]}}


def point(stage: str, bound: float | None, price: float, ratio: float) -> list[dict[str, Any]]:
    figures = {"price": price, "representation_ratio": ratio, "balance": 0.4, "total_variation": 0.1, "worst_group_cost": 0.03}
    rows = [(metric, None, value) for metric, value in figures.items()]
    rows += [("selection_ratio", offer, value) for offer, value in (("gift", ratio + 0.1), ("voucher", None))]
    return [
        {"stage": stage, "bound": bound, "attribute": "gender", "left_out": ["other"], "metric": metric, "offer": offer}
        | {"value": value, "low": value and value * 0.9, "high": None if metric == "worst_group_cost" else value and value * 1.1}
        for metric, offer, value in rows
    ]


CURVE = [*point("curve", 0.5, 1.01, 0.52), *point("curve", 0.8, 1.0437, 0.8), *point("curve", 1.0, 1.2, 0.999)]
BOUND = {
    "attribute": "gender",
    "group": "female",
    "asked_low": 0.45,
    "asked_high": 0.55,
    "used_low": 0.4016,
    "used_high": 0.55,
    "share": 0.402,
    "share_low": 0.397,
    "share_high": 0.407,
    "feasible": "no",
    "segment": 2,
    "of_segment": 0.391,
    "of_segment_low": 0.38,
    "of_segment_high": 0.402,
    "verdict": "missed",
}
BEFORE_AND_AFTER = [*point("before", None, 1.0, 0.31), *point("after", None, 1.0437, 0.81)]
POINTS = [*BEFORE_AND_AFTER, *CURVE]


@pytest.fixture(scope="module")
def page() -> str:
    return render(facts(plan=MITIGATION, tradeoff=POINTS))


def test_the_page_says_what_was_done_why_and_at_what_price(page: str) -> None:
    assert "The offer must reach &lt;both&gt; sexes alike." in page
    assert "which may be unlawful" in page
    assert "Too small for a bound: other. Too small for these figures: other" in page
    price = '<th scope="row">price of fairness</th><td>at most 1.100</td><td>at most 1.148</td>'
    ratio = "a group in a segment (representation ratio)</th><td>0.31 (0.28 to 0.34)</td><td>0.81 (0.73 to 0.89)</td>"
    assert price in page
    assert f"{ratio}<td>0.70 (0.60 to 0.75)</td>" in page  # and as published
    assert "the group with the most (selection ratio), gift</th><td>0.41 (0.37 to 0.45)</td><td>0.91 (0.82 to 1.00)</td>" in page
    assert "the group with the most (selection ratio), voucher</th><td>no segment gets it, or all do</td>" in page
    assert "<td>0.03 (0.027 or more)</td>" in page


def test_an_intersection_stands_beside_its_attributes_and_has_no_bound_of_its_own() -> None:
    crossed = [row | {"attribute": "gender × age_band", "left_out": ["other × 65 and over"]} for row in BEFORE_AND_AFTER]
    page = render(facts(plan=MITIGATION, tradeoff=[*POINTS, *crossed]))
    assert "Before and after, by gender. Too small for a bound: other" in page
    assert "Before and after, by gender × age band. Too small for these figures: other × 65 and over</caption>" in page


def test_the_curve_is_there_as_a_picture_as_text_and_as_a_table(page: str) -> None:
    assert (
        'aria-label="Cost of the segments by the bound on representation, over unconstrained ones. at least 0.5: at most 11.1% more'
        in page
    )
    assert '<th scope="row">0.8</th><td>at most 1.148</td><td>0.80 (0.72 to 0.88)</td>' in page


def test_without_mitigation_the_page_does_not_speak_of_it() -> None:
    page = base_page()
    assert "Price of fairness" not in page and "more evenly" not in page


def test_group_blind_has_no_curve_and_the_page_is_whole() -> None:
    blind = {"fairness.mitigation": {"method": "group_blind", "attributes": ["gender"]}}
    page = render(facts(plan=blind, tradeoff=BEFORE_AND_AFTER))
    assert "without looking at it" in page and "Price of fairness by bound" not in page


@pytest.mark.parametrize(("feasible", "word"), [("no", "cannot be met"), ("cannot tell", "can hardly be met")])
def test_bounds_that_were_loosened_stand_on_the_page_with_the_range_that_they_must_hold(feasible: str, word: str) -> None:
    page = " ".join(render(facts(plan=MITIGATION, tradeoff=POINTS, bounds=[BOUND | {"feasible": feasible}])).split())
    assert f"the bounds asked for, 45.0% to 55.0% of every segment, {word}." in page
    assert "female are 40.2% (39.7% to 40.7%) of all customers" in page
    assert "Bounds around this whole range can be met. 40.2% to 55.0% was used instead." in page
    assert ("may just reach what was asked" in page) == (feasible == "cannot tell")
    met = render(facts(plan=MITIGATION, tradeoff=POINTS, bounds=[BOUND | {"asked_low": 0.3, "used_low": 0.3, "feasible": "yes"}]))
    assert "be met" not in met and "<td>30.0% to 55.0%</td><td>30.0% to 55.0%</td>" in met


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (("kept", "kept"), "kept"),
        (("kept", "cannot tell"), "cannot tell whether they are kept"),
        (("cannot tell", "missed"), "missed"),
    ],
)
def test_the_page_says_of_each_attribute_whether_its_bounds_are_kept(verdicts: tuple[str, str], words: str) -> None:
    hidden = dict.fromkeys(("segment", "of_segment", "of_segment_low", "of_segment_high"))
    rows = [BOUND | {"verdict": verdicts[0]}, BOUND | hidden | {"group": "male", "verdict": verdicts[1]}]
    page = render(facts(plan=MITIGATION, tradeoff=POINTS, bounds=rows))
    assert f"Bounds on the share of each segment, by gender: {words}</caption>" in page
    assert f"<td>segment 2</td><td>39.1% (38.0% to 40.2%)</td><td>{verdicts[0]}</td>" in page
    assert f"<td>not shown</td><td>not shown</td><td>{verdicts[1]}</td>" in page
