"""The page and the last lines of a job, from made facts: what a reader must find, and what must never stand there."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from evenhand.plan.load import fingerprint, parse_plan
from evenhand.report.budget import Budget
from evenhand.report.everyone import Typical, everybody
from evenhand.report.facts import Facts
from evenhand.report.findings import fairness_words, headline
from evenhand.report.page import glance, render
from evenhand.report.plots import plots_of
from evenhand.report.summary import summary_text
from evenhand.report.words import NOT_SHOWN, interval
from sample import plan_yaml

LABELS = {1: "buys often, spends much", 2: "not seen for long", 3: "bought lately"}


def facts(**changes: Any) -> Facts:
    plan = parse_plan(plan_yaml(changes.pop("plan", {})))
    profiles = [
        profile(s, m, v) for m, v in (("size", 1200.0), ("share", 0.3), *((f, 7.5) for f in plan.feature_names)) for s in LABELS
    ]
    stats = [
        {"attribute": a.name, "group": g, "segment": s, "suppressed": False, **figures("count", 250), **figures("share", 0.3),
         **figures("representation_ratio", 0.9)}
        for a in plan.protected for g in a.group_names for s in LABELS
    ]  # fmt: skip
    verdicts = [
        {"attribute": a.name, "metric": m, "offer": None, "value": 0.7, "low": 0.6, "high": 0.75, "threshold": 0.2 if m == "total_variation" else 0.8, "verdict": v,
         "reference": "all customers of this run", "over": [], "too_small": ["unknown"], "unjudged_offers": ["gift"], "change": None, "change_low": None,
         "change_high": None}
        for a in plan.protected for m, v in (("representation_ratio", "uneven"), ("balance", "even"), ("total_variation", "cannot tell"))
    ]  # fmt: skip
    part = {
        "question": "summary",
        "name": "count",
        "cells": 64,
        "sensitivity": 1,
        "epsilon": 0.24,
        "scale": 4.2,
        "because": "one box",
    }
    made = Facts(
        run_id="run-1",
        plan=plan,
        plan_fingerprint=fingerprint(plan),
        status="published",
        reasons=[],
        as_of=datetime(2026, 3, 1, tzinfo=UTC),
        versions={"customers": 3, "consent": 1, "purchases": 9},
        not_private=False,
        version="1.2.3",
        made=date(2026, 3, 2),
        profiles=profiles,
        customers={"value": 3600.0, "low": 3550.0, "high": 3650.0},
        everyone=dict.fromkeys(plan.feature_names, Typical(5.0, 4.5, 5.5)),
        outside={"visits": 0.4},
        fits=[
            {
                "k": 3,
                "method": "MLlib KMeans, seed 1",
                "cost": 9.0,
                "cost_low": 8.0,
                "cost_high": 10.0,
                "silhouette": None,
                "chosen": True,
            }
        ],
        curve=[],
        fairness=stats,
        groups=[
            {
                "attribute": a.name,
                "group": g,
                "measure": "share of customers",
                "offer": None,
                "value": 0.3,
                "low": 0.2,
                "high": 0.4,
            }
            for a in plan.protected
            for g in a.group_names
        ],
        verdicts=verdicts,
        proxies=[{"attribute": "gender", "feature": "spent", "rank": 1, "value": 0.2, "low": 0.1, "high": 0.3}],
        budget=Budget(3.0, 1.0, [part]),
    )
    return replace(made, **changes)


def profile(segment: int, measure: str, value: float) -> dict[str, Any]:
    row = {
        "segment": segment,
        "label": LABELS[segment],
        "measure": measure,
        "value": value,
        "low": value * 0.9,
        "high": value * 1.1,
    }
    return row | {"fifth_low": 4, "fifth_high": 5, "unit": "", "suppressed": False} | deviations(1.25, 0.8, 1.6)


def deviations(value: float | None, low: float | None, high: float | None) -> dict[str, float | None]:
    """How far a profile row says that a segment is from everybody."""
    return {"deviations": value, "deviations_low": low, "deviations_high": high}


def figures(name: str, value: float) -> dict[str, float]:
    return {name: float(value), f"{name}_low": value * 0.9, f"{name}_high": value * 1.1}


@cache
def base_page() -> str:
    return render(facts())


def test_the_page_needs_neither_network_nor_script() -> None:
    assert not re.search(r"<script|<link|\bsrc=|\bhref=|@import|url\((?!#)", base_page())


def test_words_of_the_plan_cannot_become_markup() -> None:
    page = render(facts(plan={"description": "<script>alert(1)</script>", "protected.0.why": "<b>bold</b>"}))
    assert "<script>" not in page
    assert "<b>bold" not in page
    assert "&lt;script&gt;" in page


def test_every_plot_says_in_words_what_it_shows_and_ids_are_unique() -> None:
    page = base_page()
    said = re.findall(r'<svg role="img" aria-label="([^"]*)"', page)
    assert len(said) == 2 * 6  # for a wide and for a narrow screen
    assert all(len(text) > 40 for text in said)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_every_segment_and_group_stands_in_a_table() -> None:
    page = base_page()
    for name in (*LABELS.values(), *(g for a in facts().plan.protected for g in a.group_names)):
        assert re.search(rf"<t[hd][^>]*>{re.escape(name)}</t[hd]>", page), name


def test_every_figure_about_customers_stands_with_its_range() -> None:
    cells = re.findall(r"<td[^>]*>([^<]*\d[^<]*)</td>", base_page().split("What data was used")[0])
    assert "30% (27% to 33%)" in cells
    public = re.compile(r"\d+|at (least|most) [\d.]+")  # a segment's number, a threshold
    told = re.compile(r"about \S+|\S+ \(\S+ (to \S+|or more)\)|[1-5] to [1-5]")  # and in which fifths a segment is
    assert [c for c in cells if not public.fullmatch(c) and not told.fullmatch(c)] == []


def test_verdicts_are_words_and_left_out_groups_are_named() -> None:
    page = base_page()
    for word in (
        "uneven",
        "even",
        "cannot tell",
        "These groups are too small to report without risking privacy: gender: unknown; age band: unknown.",
    ):
        assert word in page
    assert "the segments surely treat people unevenly by age band and gender" in page


def test_a_verdict_without_figures_says_that_they_are_not_shown() -> None:
    made, nothing = facts(), dict.fromkeys(("value", "low", "high"))
    verdicts = [row | nothing if row["attribute"] == "gender" else row for row in made.verdicts]
    page = render(replace(made, verdicts=verdicts))
    assert re.search(
        '<td class="verdict uneven">uneven</td><td>[^<]*</td><td class="figure">not shown</td><td class="figure">at least 0.80</td>',
        page,
    )
    assert "Some verdicts stand without a figure: the figure would reveal how few customers" in page
    assert "By gender, of the figures shown, the group “female” is most clearly under-represented" in page
    assert "By age band, the group “under 30” is most clearly under-represented" in page
    assert "reveal how few" not in base_page() and "of the figures shown" not in base_page()


def test_a_range_that_is_all_that_can_be_told_stands_alone() -> None:
    made = facts()
    verdicts = [row | {"value": None, "low": 0.31, "high": 0.97, "verdict": "cannot tell"} for row in made.verdicts]
    stats = [row | {"representation_ratio": None} | ({"representation_ratio_low": 0.2, "representation_ratio_high": None}) for row in made.fairness]  # fmt: skip
    rates = [row | {"value": None, "low": 0.0, "high": 1.0} for row in made.groups]
    page = render(replace(made, verdicts=verdicts, fairness=stats, groups=rates))
    assert ">0.31 to 0.97</td>" in page and "<td>0.20 or more</td>" in page and "<td>0.00 to 1.00</td>" in page
    assert "None" not in page and "Some verdicts stand without" not in page


def test_the_page_names_the_groups_that_a_verdict_is_not_over() -> None:
    made = facts()
    verdicts = [row | ({"over": ["female", "male"]} if row["attribute"] == "gender" else {}) for row in made.verdicts]
    of_offer = verdicts[0] | {"metric": "selection_ratio", "offer": "gift", "over": ["female", "male", "unknown"]}
    page = " ".join(render(replace(made, verdicts=[*verdicts, of_offer])).split())
    assert "Verdicts on segments by gender leave these groups out: other. They are so small that their noise would hide" in page
    assert "No verdict is about them, except on offers. An offer goes to several segments together," in page
    assert "so it can also be judged for gender: unknown." in page
    even = [row | {"verdict": "even"} for row in verdicts]
    assert (
        "some groups are too small to judge (gender: unknown, other; age band: unknown)"
        in headline(replace(made, verdicts=even))[1]
    )
    assert "leave these groups out" not in base_page() and "except on offers" not in base_page()


def test_a_feature_that_fills_little_of_its_bounds_is_told_on_the_page_where_that_is_sure() -> None:
    assert "an eighth of the bounds" not in base_page()
    assert "an eighth of the bounds of visits, so it hardly counts" in render(facts(outside={"visits": 0.09}))


def test_a_page_about_nobody_is_written() -> None:
    """Where noise alone was found and every size is nothing, everybody has no typical value either."""
    assert "<table" in render(facts(everyone={}))


def test_a_suppressed_segment_shows_no_figure() -> None:
    hidden = {"value": None, "low": None, "high": None, "suppressed": True}
    made = facts()
    rows = [row | hidden if row["segment"] == 2 else row for row in made.profiles]
    page, text = render(replace(made, profiles=rows)), summary_text(replace(made, profiles=rows), Path("r.html"))
    assert page.count(f">{NOT_SHOWN}<") == 4 + len(made.plan.features)  # size and share twice
    assert f"  2  not seen for long: {NOT_SHOWN}" in text


def test_a_run_of_which_no_segment_or_no_box_is_shown_still_gives_a_page() -> None:
    made = facts()
    hidden = [row | {"value": None, "low": None, "high": None, "suppressed": True} for row in made.profiles]
    page = render(replace(made, profiles=hidden, everyone=everybody(hidden, made.plan)))
    assert "compared with all customers. No figures shown." in page and "all customers</th>" not in page
    assert "all customers</th>" in render(replace(made, everyone=everybody(made.profiles, made.plan)))


@pytest.mark.parametrize(
    "curve",
    [
        [],
        [
            {
                "k": k,
                "method": "curve over k",
                "cost": 9.0,
                "cost_low": 8.0,
                "cost_high": 10.0,
                "silhouette": k / 10,
                "silhouette_low": k / 10 - 0.05,
                "silhouette_high": k / 10 + 0.05,
                "silhouette_evenly": 0.2,
                "chosen": k == 4,
            }
            for k in (3, 4)
        ],
    ],
)
def test_the_curve_over_k_is_shown_when_the_plan_gave_a_range(curve: list[dict[str, Any]]) -> None:
    assert ("number of segments" in plots_of(facts(curve=curve))) == bool(curve)


def test_what_a_notebook_shows_is_a_part_of_the_page() -> None:
    shown = glance(facts())
    assert "buys often, spends much" in shown
    assert not re.search(r"<script|<link|\bsrc=", shown)


def test_a_run_without_private_noise_says_so_everywhere() -> None:
    made = facts(not_private=True)
    assert "Not private." in render(made)
    assert "NOT PRIVATE" in summary_text(made, Path("r.html"))
    assert "Not private." not in base_page()


def test_too_few_customers_are_warned_of_on_the_page() -> None:
    assert "too few customers for ε = 1" in base_page()
    assert "too few customers" not in render(facts(plan={"privacy.expected_customers": 1_000_000}))


@pytest.mark.parametrize(
    ("zone", "said"), [("UTC", "as of 2026-03-01 00:00 UTC."), ("America/New_York", "as of 2026-02-28 19:00 America/New_York.")]
)
def test_the_point_in_time_stands_with_the_plan_s_time_zone(zone: str, said: str) -> None:
    assert said in render(facts(plan={"time_zone": zone}))


def test_the_last_lines_fit_a_terminal_and_end_with_the_report() -> None:
    lines = summary_text(facts(), Path("reports/run-1.html")).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 25
    assert lines[-1] == "report: reports/run-1.html"
    assert any("ε = 1 spent, 2 of 3 left (2 such runs)" in line for line in lines)


def test_a_budget_that_renews_says_when_and_that_periods_add_up() -> None:
    made = facts(plan={"privacy.renews": "yearly"}, budget=Budget(3.0, 2.0, [], "2026"))
    page = re.sub(r"\s+", " ", render(made))
    assert "a year, 2 is spent in 2026 and 1 is left, enough for 1 more run like it. It renews on 2027-01-01." in page
    assert "holds for each year by itself: over several, what they spent adds up" in page
    assert "1 of 3 left (1 such run), renews 2027-01-01" in summary_text(made, Path("r.html"))
    assert "renews" not in base_page()


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (24310.0, 24260.0, 24360.0, "24,310 (24,260 to 24,360)"),
        (0.3512, 0.349, 0.353, "0.351 (0.349 to 0.353)"),
        (7.5, 2.0, 13.0, "8 (2 to 13)"),
        (0.0003, 0.0002, 0.0004, "0.0003 (0.0002 to 0.0004)"),
        (0.0003, 0.0, 0.0006, "0.0003 (0.0000 to 0.0006)"),
        (0.00031234, 0.00031233, 0.00031235, "0.00031"),
        (0.0, 0.0, 0.0, "0"),
        (None, None, None, NOT_SHOWN),
    ],
)
def test_figures_are_no_more_exact_than_they_are(value: float | None, low: float | None, high: float | None, said: str) -> None:
    assert interval({"value": value, "low": low, "high": high}) == said


def cells(made: Facts, ratios: dict[tuple[str, int], tuple[float, float, float | None]], table: str = "gender") -> Facts:
    """The facts with other representation ratios for some cells of a table, by group and segment; the rest include 1."""
    named = ("representation_ratio", "representation_ratio_low", "representation_ratio_high")
    rows = [
        row | dict(zip(named, ratios.get((row["group"], row["segment"]), (1.0, 0.9, 1.1)), strict=True))
        if row["attribute"] == table
        else row
        for row in made.fairness
    ]
    return replace(made, fairness=rows)


def test_the_cell_that_is_named_is_the_surest_and_not_the_most_extreme() -> None:
    made = cells(facts(), {("female", 3): (0.5, 0.2, 1.2), ("female", 2): (0.6, 0.55, 0.65), ("male", 2): (1.3, 1.25, 1.35)})
    said = fairness_words(made)[-1]
    assert said == (
        "By gender, the group “female” is most clearly under-represented in segment 2 (not seen for long): "
        "40% fewer than its share of all customers (35% to 45%)."
    )
    assert [(r["group"], r["segment"]) for r in made.worst_first("gender")[:3]] == [("female", 2), ("male", 2), ("female", 3)]


@pytest.mark.parametrize(
    "made",
    [
        cells(facts(), {("female", 3): (0.94, 0.75, 1.15)}),
        # A cell that leaves 1 out by chance, in a table that may well be even.
        replace(
            cells(facts(), {("female", 3): (0.94, 0.9, 0.99)}),
            verdicts=[r | ({"high": 1.0} if r["metric"] == "representation_ratio" else {}) for r in facts().verdicts],
        ),
    ],
    ids=["no range leaves 1 out", "only one of many does"],
)
def test_no_cell_is_named_where_noise_may_have_made_it_the_worst(made: Facts) -> None:
    uneven = [r | {"verdict": "uneven"} if r["metric"] == "balance" else r for r in made.verdicts]
    said = fairness_words(replace(made, verdicts=uneven))[-1]
    assert "female" not in said
    assert "in the most lopsided segment (balance): 0.70 (0.60 to 0.75), where at least 0.8 would be even" in said


def left_out(made: Facts, groups: list[str]) -> Facts:
    """The facts with other groups of gender too small to judge, as the tables hold them: rows without figures."""
    verdicts = [row | {"too_small": groups} if row["attribute"] == "gender" else row for row in made.verdicts]
    gone: dict[str, Any] = {"value": None, "low": None, "high": None}
    hidden = {key: None for key in made.fairness[0] if key.startswith(("count", "share", "representation"))} | {
        "suppressed": True
    }
    stats = [row | hidden if row["attribute"] == "gender" and row["group"] in groups else row for row in made.fairness]
    by_group = [row | gone if row["attribute"] == "gender" and row["group"] in groups else row for row in made.groups]
    return replace(made, verdicts=verdicts, fairness=stats, groups=by_group)


def by_gender(page: str) -> str:
    return page.split("<h3>By gender</h3>")[1].split("<h3>By age band</h3>")[0]


def test_shares_say_among_which_groups_they_are() -> None:
    page = by_gender(render(left_out(facts(), ["other", "unknown"])))
    assert page.count(". Shares are among the groups that are large enough: female, male</caption>") == 2
    assert "Shares are among" not in by_gender(render(left_out(facts(), [])))


def test_a_group_that_is_alone_has_no_shares_and_no_ratios() -> None:
    page = by_gender(render(left_out(facts(), ["female", "other", "unknown"])))
    alone = "<td>– (no other group to compare with)</td>"
    assert page.count(alone) == 2 * len(LABELS) + 1
    assert '<th scope="row">male</th><td>1</td><td>250 (220 to 280)</td>' + alone + alone in page
    assert "male in segment" not in page and "30.0%" not in page


def test_what_is_hidden_is_not_called_small_and_a_group_is_small_for_the_noise_only() -> None:
    made = left_out(facts(), ["other", "unknown"])
    hidden = {key: None for key in made.fairness[0] if key.startswith(("count", "share", "representation"))} | {
        "suppressed": True
    }
    rows = [row | hidden if (row["group"], row["segment"]) in {("male", 1), ("female", 1)} else row for row in made.fairness]
    page = render(replace(made, fairness=rows))
    assert '<th scope="row">male</th><td>1</td><td>not shown</td>' in page
    assert '<th scope="row">other</th><td>1</td><td>too small to report</td>' in page
    assert "too few" not in page.split("<main>")[1]
    along = "Some larger counts are not shown either, so that nobody can compute the small ones"
    assert along in " ".join(page.split()) and along not in " ".join(render(made).split())


def shares(*ranges: tuple[float, float, float]) -> Facts:
    made = facts()
    of = {s: dict(zip(("value", "low", "high"), r, strict=True)) for s, r in zip(LABELS, ranges, strict=True)}
    return replace(made, profiles=[r | of[r["segment"]] if r["measure"] == "share" else r for r in made.profiles])


def test_the_headline_names_the_largest_segment_with_its_range_and_only_where_it_surely_is() -> None:
    sure = shares((0.2, 0.15, 0.25), (0.5, 0.45, 0.55), (0.3, 0.28, 0.44))
    assert "the largest, “not seen for long”, is 45% to 55% of them" in headline(sure)[0]
    assert (
        headline(shares((0.844, 0.0, 1.0), (0.1, 0.0, 1.0), (0.056, 0.0, 1.0)))[0]
        == "About 3,600 customers fall into 3 segments."
    )


def judged(**verdicts: list[str]) -> Facts:
    made = facts()
    rows = [
        r | {"verdict": v, "attribute": table} for table, of in verdicts.items() for r, v in zip(made.verdicts, of, strict=False)
    ]
    return replace(made, verdicts=rows)


def test_the_headline_says_nothing_can_be_told_where_nothing_can() -> None:
    said = headline(judged(gender=["cannot tell", "cannot tell"], age_band=["even", "cannot tell"]))[1]
    assert said == (
        "Fairness: for gender nothing can be said, because noise and chance are too large; "
        "for age band some statistics are too uncertain to judge."
    )


def test_the_headline_of_an_even_run_names_the_groups_of_whom_it_says_nothing() -> None:
    even = judged(gender=["even"], age_band=["even"])
    said = (
        "every statistic is surely within its limit, but some groups are too small to judge (gender: unknown; age band: unknown)"
    )
    assert said in headline(even)[1]
    many = [row | {"too_small": list("abcdefg")} for row in even.verdicts[:1]]
    assert "(gender: a, b, c, d and 3 more)" in headline(replace(even, verdicts=many))[1]
    nobody = [row | {"too_small": []} for row in even.verdicts]
    assert headline(replace(even, verdicts=nobody))[1] == "Fairness: every statistic is surely within its limit."


@pytest.mark.parametrize("view", [render, glance])
def test_a_run_that_is_not_published_says_so_first_and_why(view: Callable[[Facts], str]) -> None:
    blocked = view(replace(facts(), status="blocked", reasons=["age_band: balance is 0.10 (0.08 to 0.12), at least 0.2 is even"]))
    assert "<strong>Blocked.</strong>" in blocked
    assert "<li>age band: balance is 0.10 (0.08 to 0.12), at least 0.2 is even</li>" in blocked
    assert blocked.index("<strong>Blocked.") < blocked.index("customers fall into")
    assert "<strong>Running.</strong>" in view(replace(facts(), status="running"))
    assert 'class="banner"><p><strong>' not in view(facts())


def test_a_run_without_private_noise_is_not_said_to_protect_anybody() -> None:
    private, made = base_page(), render(facts(not_private=True))
    for promise in ("protects each", "differentially private", "What is promised"):
        assert promise in private and promise not in made, promise
    assert made.index("Not private.") < made.index("customers fall into")


def test_tables_that_are_folded_are_printed() -> None:
    """Chromium hides what is folded by `content-visibility`, whatever the display of the parts."""
    printed = base_page().split("@media print")[1].split("</style>")[0]
    assert "details::details-content { content-visibility: visible; display: block; }" in printed


def alternatives(made: Facts, of: str) -> list[str]:
    return [html.unescape(t) for t in re.findall(r'<svg role="img" aria-label="([^"]*)"', render(made)) if t.startswith(of)]


def test_a_text_alternative_says_the_figures_and_not_where_the_chart_ends() -> None:
    made = cells(facts(), {("female", 1): (0.0, 0.0, 0.01), ("male", 1): (40.0, 25.0, None)})
    text = alternatives(made, "Representation ratio of each group of gender")[0]
    assert "female in segment 1 (buys often, spends much): 0.0000 (0.0000 to 0.0100)" in text
    assert "male in segment 1 (buys often, spends much): 40.00 (25.00 or more)" in text
    even = cells(facts(), {("female", 3): (0.5, 0.2, 1.2)})
    assert "No figure is surely different from 1." in alternatives(even, "Representation ratio of each group of gender")[0]
    alone = left_out(facts(), ["female", "other", "unknown"])
    assert "No figures shown." in alternatives(alone, "Representation ratio of each group of gender")[0]


def test_names_stand_in_plots_as_they_are() -> None:
    made = facts(plan={"protected.0.groups": {"مجموعة": ["f"], "a|b": ["m"]}})
    labels = {1: "seldom|rarely", 2: "قديم", 3: "bought lately"}
    plots = plots_of(replace(made, profiles=[row | {"label": labels[row["segment"]]} for row in made.profiles]))
    drawn = plots["fairness of gender"]
    assert ">a|b<" in drawn and "1 · seldom|rarely" in drawn
    assert "⁨مجموعة⁩ in segment 2 (⁨قديم⁩)" in drawn.split(">")[0]  # isolated, so that the figures stay where they belong
    assert "among everybody" not in drawn
    long = "a name of a group that is much longer than what a legend has room for by itself"
    drawn = plots_of(facts(plan={"protected.0.groups": {long: ["f"], "male": ["m"]}}))["fairness of gender"]
    assert "itself</tspan>" in drawn and "…" not in drawn


def test_the_page_says_which_segments_an_offer_reaches_and_by_what_rule() -> None:
    offers = [
        {"name": "gift", "why": "thanks for <loyalty>", "where": {"tenure": [10, None], "visits": [2, 4]}},
        {"name": "coupon", "why": "to win back", "segments": [2]},
        {"name": "trip", "why": "for the few", "where": {"spent": [None, 0]}},
    ]
    plan = {"fairness": {"offers": offers}, "features.0.unit": "years"}
    page = render(facts(plan=plan, offers={"gift": [1, 3], "coupon": [2], "trip": []}))
    row = '<th scope="row">gift</th><td>thanks for &lt;loyalty&gt;</td><td>1 (buys often, spends much), 3 (bought lately)</td>'
    assert row + "<td>center with tenure at least 10 years and visits from 2 to 4</td>" in page
    assert "<td>to win back</td><td>2 (not seen for long)</td><td>named by number in the plan</td>" in page
    assert "<td>for the few</td><td>none</td><td>center with spent at most 0</td>" in page
    assert "These offers are not judged, because no segment gets them or every segment does: gift." in page
    assert "Who gets which offer" not in base_page()


def test_delta_is_spent_and_left_beside_epsilon_and_both_limit_what_is_left() -> None:
    plan = {"privacy.delta": 1e-6, "privacy.population_delta": 3e-6}
    part = facts().budget.parts[0] | {"rho": 0.01}
    made = facts(plan=plan, budget=Budget(9.0, 2.0, [part], delta_total=3e-6, delta_spent=2e-6))
    page = re.sub(r"\s+", " ", render(made))
    assert (
        "Of ε = 9 and δ = 3e-06 for population testers, 2 and 2e-06 is spent and 7 and 1e-06 is left, enough for 1 more run like it."
        in page
    )
    assert "ε = 1 and δ = 1e-06 spent, 7 of 9 left (1 such run), δ = 1e-06 of 3e-06" in " ".join(
        summary_text(made, Path("r.html")).split()
    )
    assert "7 and 1e-06 left" in glance(made)
    assert "δ" not in base_page().split("Privacy budget")[1]


def test_customers_are_counted_in_whole_ones_however_little_noise_there_is() -> None:
    made = facts()
    rows = [row | {"count": 64.0, "count_low": 64.0, "count_high": 64.0} for row in made.fairness]
    sizes = [r | dict.fromkeys(("value", "low", "high"), 64.0) if r["measure"] == "size" else r for r in made.profiles]
    page = render(replace(made, fairness=rows, profiles=sizes))
    assert page.count(">64<") == len(LABELS) * (2 + len(made.judged("gender")) + len(made.judged("age_band")))
    assert "64 customers" in page
