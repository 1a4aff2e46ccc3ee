"""What noise may have made is not drawn as a finding, and what nobody should act on says so before anything else."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_report import LABELS, alternatives, deviations, facts, profile

from evenhand.ask import assessment as tallies
from evenhand.describe.distances import read_distances
from evenhand.describe.everybody import read_everybody
from evenhand.describe.profiles import read_profiles
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import made_up
from evenhand.report import plots
from evenhand.report.doubts import do_not_act, miscounted
from evenhand.report.drawing import specification
from evenhand.report.facts import Facts
from evenhand.report.findings import headline
from evenhand.report.offers import is_sure
from evenhand.report.page import glance, render
from evenhand.report.summary import summary_text
from evenhand.rows.segments import everybody_rows, profile_rows
from sample import plan_yaml

VIEWS = [render, glance, lambda made: summary_text(made, Path("r.html"))]


def terminal(made: Facts) -> str:
    return " ".join(summary_text(made, Path("r.html")).split())


def households(**visits: tuple[float | None, float, float]) -> Facts:
    """The facts with other values of visits by segment, everybody at 5 (4.5 to 5.5), a deviation is 2."""
    made = facts()
    rows = [r for r in made.profiles if r["measure"] != "visits"]
    for name, (value, low, high) in visits.items():
        away = deviations(((low + high if value is None else 2 * value) / 2 - 5) / 2, (low - 5.5) / 2, (high - 4.5) / 2)
        rows.append(profile(int(name[1:]), "visits", 0.0) | {"value": value, "low": low, "high": high} | away)
    return replace(made, profiles=rows)


def all_open() -> Facts:
    """The facts of segments that may all be on either side of everybody."""
    made = facts()
    return replace(made, profiles=[row | deviations(1.25, -0.1, None) for row in made.profiles])


def heat_map(made: Facts, monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, Any]]:
    """What is drawn of visits, by segment."""
    drawn: list[dict[str, Any]] = []

    def draw(name: str, data: dict[str, Any], text: str, paper: Any, **size: Any) -> str:
        drawn.extend(data["rows"] if name.startswith("profiles") else [])
        return ""

    monkeypatch.setattr(plots, "svg", draw)
    plots.plots_of(made)
    return {int(r["name"].split(" ")[0]): r for r in drawn if r["feature"] == "visits"}


def test_color_and_arrow_stand_only_where_the_noise_leaves_everybody_s_value_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = households(s1=(1.0, 0.0, 9.0), s2=(15.0, 12.0, 16.0), s3=(None, 0.0, 16.0))
    drawn = heat_map(made, monkeypatch)
    assert (drawn[1]["away"], drawn[1]["shown"]) == (None, "1")
    assert drawn[2]["away"] == 2.0 and drawn[2]["shown"] == "▲ 15"
    assert (drawn[3]["away"], drawn[3]["shown"]) == (None, "0 to 16")


def test_the_text_alternative_does_not_say_low_of_what_may_be_high() -> None:
    made = households(s1=(1.0, 0.0, 9.0), s2=(15.0, 12.0, 16.0), s3=(None, 0.0, 16.0))
    text = alternatives(made, "Typical value")[0]
    assert "segment 2 has high visits (15)" in text and "low visits" not in text
    page = render(made)
    assert "<td>0 to 16</td>" in page and "Gray means that noise may have put the value on either side" in page


def test_where_the_noise_leaves_everything_open_the_map_is_gray() -> None:
    made = all_open()
    drawn = html.unescape(plots.plots_of(made)["profiles"])
    assert "No segment is surely far from all customers" in drawn and "▲" not in drawn
    assert drawn.count('fill="#d9d9d9"') == len(LABELS) * len(made.plan.features)
    assert not re.search(r'fill="rgb', drawn.split("Symbol")[0].split("mark-rect")[-1].split("</g>")[0])


@pytest.mark.parametrize("view", VIEWS)
def test_a_run_far_below_its_epsilon_leads_with_do_not_act(view: Callable[[Facts], str]) -> None:
    lost = view(facts(plan={"privacy.epsilon": 0.3}))
    said = " ".join(re.sub(r"<[^>]+>", "", lost).split())
    assert re.search(
        r"do not act on this: ε = 0.3 is far too little for about 3,000 customers, 3 features and 3 segments", said, re.I
    )
    assert "it would take ε of 1.5 or more" in said and "mostly noise" in said
    assert "fall into" not in lost
    assert "act on this" not in view(facts()).lower()


def test_do_not_act_stands_before_the_segments() -> None:
    for view in VIEWS:
        lost = view(facts(plan={"privacy.epsilon": 0.3}))
        assert lost.lower().index("do not act on this") < lost.index(LABELS[1])
    assert headline(facts(plan={"privacy.epsilon": 0.3}))[0] == "3 segments were made, mostly from noise."


def test_a_run_in_which_nothing_is_surely_different_is_not_to_be_acted_on() -> None:
    made = all_open()
    assert "no segment is surely different from all customers" in str(do_not_act(made))
    assert do_not_act(facts()) is None


def counted(low: float, high: float, **plan: Any) -> Facts:
    return facts(
        plan={"privacy." + key: value for key, value in plan.items()},
        customers={"value": (low + high) / 2, "low": low, "high": high},
    )


@pytest.mark.parametrize("view", VIEWS)
def test_a_plan_for_eighty_times_as_many_customers_is_noticed(view: Callable[[Facts], str]) -> None:
    """801 households, where the plan expects 65,000: by its own numbers ε = 1 would do."""
    said = " ".join(re.sub(r"<[^>]+>", "", view(counted(712.3, 888.8, expected_customers=65_000))).split())
    assert "The plan expects about 65,000 customers, but there are 710 to 890: noise matters more than --check said." in said
    assert "State expected_customers: 800 in the next plan." in said
    assert re.search(r"do not act on this: ε = 1 is far too little for about 890 customers", said, re.I)
    assert "712 to" not in said and "to 888" not in said


@pytest.mark.parametrize(
    ("low", "high", "expected", "noticed"),
    [(100, 1_499, 3_000, True), (100, 1_501, 3_000, False), (2_000, 5_000, 3_000, False), (5_999, 9_000, 3_000, False), (6_001, 9_000, 3_000, True)],
)  # fmt: skip
def test_less_than_twice_as_many_or_within_the_noise_is_not(low: float, high: float, expected: int, noticed: bool) -> None:
    assert (miscounted(counted(low, high, expected_customers=expected)) is not None) == noticed


def test_far_more_customers_than_expected_are_told_and_do_no_harm() -> None:
    made = counted(240_100, 240_900)
    assert "there are 240,000 to 250,000: more could be learned with the true number" in str(miscounted(made))
    assert do_not_act(made) is None and "State expected_customers: 240000 in" in terminal(made)


def test_a_notebook_sees_the_warnings_too() -> None:
    assert "too few customers for ε = 1" in glance(facts())


def test_an_offer_says_of_which_segments_the_noise_may_have_decided() -> None:
    offer = {"name": "gift", "why": "test", "where": {"tenure": [10, None]}}
    plan = parse_plan(plan_yaml({"fairness.offers": [offer]}))
    ends = {1: (11.0, 13.0), 2: (9.0, 12.0), 3: (2.0, 4.0)}
    rows = {s: {"centers_low": [low, 0.0, 0.0], "centers_high": [high, 1.0, 1.0]} for s, (low, high) in ends.items()}
    assert [s for s, row in rows.items() if not is_sure(plan.fairness.offers[0], row, plan)] == [2]
    page = render(facts(plan={"fairness.offers": [offer]}, offers={"gift": [1, 2]}, unsure_offers={"gift": [2]}))
    assert "2 (not seen for long); for 2 noise may have decided</td>" in page
    assert "may have decided</td>" not in render(facts(plan={"fairness.offers": [offer]}, offers={"gift": [1, 2]}))


def test_a_typical_value_that_may_be_anything_is_not_published_and_the_spread_is_that_of_the_customers() -> None:
    """Forty customers at ε = 0.1, and a hundred thousand whose third feature is in one narrow place; its boxes would not know how narrow."""
    plan = parse_plan(plan_yaml({"privacy.minimum_cell": 1}))
    parts = tallies.assessment_parts(3, plan)

    def released(customers: int, epsilon: float) -> Any:
        of = parse_plan(plan_yaml({"privacy.epsilon": epsilon, "privacy.population_total": 200.0, "privacy.minimum_cell": 1}))
        offsets = np.random.default_rng(1).normal([0, 0, 9_000], [8_000, 8_000, 300], (customers, 3)).astype(np.int64)
        exact = {part.name: np.zeros(part.cells, dtype=np.int64) for part in parts}
        segment = np.arange(customers) % 3
        exact[tallies.SIZE] = np.bincount(segment, minlength=3)
        exact[tallies.SUMS] = np.stack([np.bincount(segment, o, 3) for o in offsets.T], axis=1).astype(np.int64).ravel()
        exact[tallies.SQUARES] = (offsets**2).sum(axis=0)
        return made_up(exact, tallies.assessment_parts(3, of), SeededNoise(1))

    few = profile_rows(
        read_profiles(released(40, 0.1), plan), read_distances(released(40, 0.1), plan), list("abc"), plan
    ).to_pylist()
    values = [r for r in few if r["measure"] in plan.feature_names and not r["suppressed"]]
    assert values and all(r["value"] is None and r["low"] < r["high"] for r in values)
    found = everybody_rows(read_everybody(released(100_000, 100.0), plan, 3), {}, plan).to_pylist()
    assert found[0]["figure"] == "customers" and found[0]["low"] <= 100_000 <= found[0]["high"]
    narrow = next(r for r in found if r["feature"] == "visits")
    assert narrow["low"] <= 300 / 65_536 * 16 <= narrow["high"] and narrow["value"] == pytest.approx(0.0732, rel=0.2)


def test_the_charts_are_valid() -> None:
    for name in ("profiles", "profiles_narrow", "fairness", "segments", "curve", "tradeoff"):
        assert json.loads(specification(name))
