"""Words that a manager reads once, and figures that are written no finer than the noise leaves them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_report import base_page, cells, deviations, facts

from evenhand.job.flow import DOING, STEPS
from evenhand.report.findings import fairness_words
from evenhand.report.limits import adapted
from evenhand.report.number_of_segments import chosen_in_words
from evenhand.report.page import render
from evenhand.report.segment_sentences import segment_sentences
from evenhand.report.summary import summary_text
from evenhand.report.words import Form, away_from_even


def of(value: float | None, low: float | None, high: float | None) -> dict[str, float | None]:
    return {"value": value, "low": low, "high": high}


def ratio(value: float | None, low: float, high: float | None) -> dict[str, float | None]:
    return {"representation_ratio": value, "representation_ratio_low": low, "representation_ratio_high": high}


def test_a_group_that_is_a_third_too_few_is_told_so() -> None:
    said = fairness_words(cells(facts(), {("female", 3): (0.67, 0.62, 0.71)}))
    assert said[-1] == (
        "By gender, the group “female” is most clearly under-represented in segment 3 (bought lately): "
        "a third fewer than its share of all customers (29% to 38%)."
    )


def test_what_is_even_and_who_is_too_small_is_said_in_plain_words() -> None:
    page = " ".join(base_page().split())
    assert "1 means the same share as among all customers of this run" in page
    assert "These groups are too small to report without risking privacy: gender: unknown" in page
    assert "drown" not in page and "held against" not in page


def test_whoever_waits_for_a_step_is_told_what_it_does() -> None:
    assert DOING.keys() == STEPS.keys()
    assert DOING["prepare"] == "Selecting permitted customers and columns, replacing ids"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ratio(0.5, 0.48, 0.52), "half fewer than its share (48% to 52%)"),
        (ratio(0.5, 0.42, 0.49), "50% fewer than its share (51% to 58%)"),  # no fraction outside of its range
        (ratio(0.42, 0.3, 0.5), "58% fewer than its share (50% to 70%)"),
        (ratio(1.26, 1.2, 1.3), "a quarter more than its share (20% to 30%)"),
        (ratio(2.14, 1.9, 2.4), "2.1 times its share (1.9 to 2.4)"),
        (ratio(40.0, 25.0, None), "40.0 times its share (25.0 or more)"),
        (ratio(None, 0.2, 0.7), "30% to 80% fewer than its share"),
    ],
)
def test_an_uneven_share_in_words_stays_within_its_range(row: dict[str, Any], said: str) -> None:
    assert away_from_even(row, "its share") == said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([of(60_103, 60_063, 60_143)], ["about 60,100"]),
        ([of(60_103, 60_063, 60_143), of(1_234, 1_194, 1_274)], ["about 60,100", "about 1,200"]),
        ([of(1_200, 600, 1_800)], ["600 to 1,800"]),  # more than a tenth on either side: no value is said
        ([of(None, 600, 1_800)], ["600 to 1,800"]),
        ([of(64, 64, 64)], ["64"]),
        ([of(None, None, None)], ["not shown"]),
    ],
)
def test_a_size_is_rounded_to_what_the_noise_leaves(rows: list[dict[str, Any]], said: list[str]) -> None:
    form = Form.of(rows, least=1)
    assert [form.about(row) for row in rows] == said


def test_a_column_has_one_precision_and_no_range_that_says_nothing() -> None:
    rows = [of(0.25731, 0.2568, 0.2578), of(0.0512, 0.0507, 0.0517), of(0.5, 0.47, 0.53)]
    form = Form.of(rows, percent=True)
    assert [form.ranged(row) for row in rows] == ["25.7%", "5.1%", "50.0% (47.0% to 53.0%)"]
    assert Form.of(rows[2:], percent=True).ranged(rows[2]) == "50% (47% to 53%)"


def test_a_limit_that_is_not_the_plan_s_is_explained_in_one_sentence() -> None:
    made = facts()
    asked = made.plan.fairness.thresholds.balance
    verdicts = [
        row | {"threshold": asked if row["attribute"] == "gender" else 0.0246} if row["metric"] == "balance" else row
        for row in made.verdicts
    ]
    said = adapted(replace(made, verdicts=verdicts))
    assert len(said) == 1
    assert said[0].startswith(
        "By age band the plan's limit for balance, 0.2, cannot be reached: the smallest group is that small"
    )
    assert "So 0.025 is even here" in said[0]
    assert said[0].replace("'", "&#39;") in render(replace(made, verdicts=verdicts))


def test_technical_statistics_are_folded_away_and_their_verdicts_counted() -> None:
    first, second = base_page().split("<summary>Technical statistics: 2 even, 2 cannot tell</summary>")
    assert "(representation ratio)" in first and "(total variation)" not in first
    assert "(total variation)" in second.split("</details>")[0]


def test_the_last_lines_fit_eighty_columns_and_no_label_is_cut() -> None:
    made = facts()
    long = "buys often, spends very much in each of many baskets, was last seen a long time ago indeed"
    made = replace(made, profiles=[row | {"label": long} for row in made.profiles])
    text = summary_text(made, Path("r.html"))
    assert max(map(len, text.splitlines())) <= 80
    assert len(re.findall(long, " ".join(text.split()))) == 3


def test_every_feature_stands_on_the_page_with_how_it_is_computed_and_why() -> None:
    page = render(facts(plan={"features.2.why": "who comes often", "features.2.bounds": [0, 16000], "features.2.unit": "a year",
                              "sources.events.purchases.where": "amount > 0"}))  # fmt: skip
    assert (
        '<th scope="row">visits</th><td><code>count(*)</code> over purchases</td><td>0 to 16,000 a year</td><td>0</td>'
        "<td>who comes often</td>" in page
    )
    assert "<td><code>years</code> of the customer table</td><td>0 to 20</td>" in page
    assert "<td><code>sum(amount)</code> over purchases</td><td>0 to 1,000, log scale</td>" in page
    assert "Of purchases only rows with <code>amount &gt; 0</code> count." in page


def test_the_page_says_how_many_customers_when_and_by_which_software() -> None:
    page = base_page()
    assert "About 3,600 customers fall into 3 segments" in page
    assert "Run run-1, published on 2026-03-02 (UTC), made by Evenhand 1.2.3." in " ".join(page.split())


def curve(silhouettes: dict[int, float], evenly: float, chosen: int, reach: float = 0.01) -> list[dict[str, Any]]:
    return [
        {"k": k, "silhouette": s, "silhouette_low": s - reach, "silhouette_high": s + reach, "silhouette_evenly": evenly}
        | {"chosen": k == chosen}
        for k, s in silhouettes.items()
    ]


def test_where_the_data_have_no_natural_groups_the_page_says_so_first() -> None:
    flat = facts(curve=curve({3: 0.41, 4: 0.43, 5: 0.42}, evenly=0.4, chosen=4))
    page = render(flat)
    assert "The private summary shows no natural groups" in page.split("<h2>")[0]
    clear = facts(curve=curve({3: 0.41, 4: 0.73, 5: 0.42}, evenly=0.4, chosen=4))
    assert "no natural groups" not in render(clear) and "no natural groups" not in base_page()


@pytest.mark.parametrize(
    ("plan", "silhouettes", "reach", "said"),
    [
        ({}, {3: 0.5, 4: 0.7, 5: 0.6}, 0.01, "4 were chosen. Customers are clearly best apart there on the private summary."),
        ({}, {3: 0.5, 4: 0.7, 5: 0.6}, 0.1, "best apart there on the private summary. Noise may have decided between some of these"),
        ({}, {3: 0.5, 4: 0.7, 5: 0.69}, 0.0, "4 and 5 segments are about as good as each other, and the greatest silhouette decided"),
        ({"segments.prefer": "fewer"}, {3: 0.5, 4: 0.69, 5: 0.7}, 0.0, "4 and 5 segments are about as good as each other, and the plan prefers fewer."),
    ],
)  # fmt: skip
def test_the_page_says_why_there_are_so_many_segments(
    plan: dict[str, Any], silhouettes: dict[int, float], reach: float, said: str
) -> None:
    made = facts(plan={"segments.k": {"at_least": 3, "at_most": 5}} | plan, curve=curve(silhouettes, 0.3, chosen=4, reach=reach))
    assert said in " ".join(chosen_in_words(made))
    assert chosen_in_words(made)[0] == "Of 3 to 5 segments 4 were chosen."


def test_each_segment_has_a_sentence_of_what_surely_sets_it_apart() -> None:
    made = facts(plan={"features.0.unit": "years"})
    rows = [r | deviations(0.2, 0.1, 0.3) if (r["segment"], r["measure"]) == (1, "visits") else r for r in made.profiles]
    rows = [r | deviations(1.5, -0.1, 3.0) if (r["segment"], r["measure"]) == (1, "spent") else r for r in rows]
    rows = [
        r | {"value": None} | deviations(-2.0, -3.0, -1.0) if (r["segment"], r["measure"]) == (2, "visits") else r for r in rows
    ]
    hidden = {"value": None, "low": None, "high": None, "suppressed": True}
    rows = [r | hidden if r["segment"] == 3 else r for r in rows]
    said = segment_sentences(replace(made, profiles=rows))
    assert said[1] == "buys often, spends much: about 1,200 customers. Tenure is 8 years, against 5 for all customers."
    assert "Visits is 6.8 to 8.2, against 5 for all customers; tenure is 8 years" in said[2]
    assert said[3] == "bought lately."
    assert f'<li value="1">{said[1]}</li>' in render(replace(made, profiles=rows))
