"""Fairness of real runs: intersections, offers, a reference from outside, small groups by name, change since the last run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conftest import write_key
from evenhand.job.api import run
from evenhand.job.result import Result
from evenhand.plan.load import parse_plan
from evenhand.privacy.noise import SeededNoise
from evenhand.records.last import last_published
from evenhand.report.page import render
from sample import KEY, NOW, customer, in_folder, plan_yaml, write_sources

CENSUS = {"name": "census 2021", "shares": {"female": 0.5, "male": 0.25}}


def made_people(count: int = 6_000, seed: int = 1) -> list[tuple[Any, ...]]:
    """Women are long with the shop far more often than men, old women most of all; five customers say something else."""
    random = np.random.default_rng(seed)
    found = []
    for i in range(count):
        sex = "x" if i < 5 else str(random.choice(["f", "m"]))
        age = int(random.choice([20, 45, 70]))
        faithful = random.random() < (0.6 if sex == "f" else 0.2) + (0.2 if sex == "f" and age == 70 else 0.0)
        found.append(customer(f"c{i:05d}", float(np.clip(random.normal(16 if faithful else 3, 1), 0, 20)), sex, age))
    return found


@pytest.fixture(scope="module")
def results(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("fairness")
    write_key(folder / "key", KEY)
    write_sources(spark, folder, made_people())
    changes = {
        "segments.k": 2,
        "privacy.epsilon": 8.0,
        "privacy.population_total": 40.0,
        "privacy.expected_customers": 6_000,
        "fairness.intersections": [["gender", "age_band"]],
        "fairness.offers": [
            {"name": "thanks", "why": "who stayed", "where": {"tenure": [10, None]}},
            {"name": "nobody", "why": "no center lies there", "where": {"tenure": [19.9, None]}},
        ],
        "protected.0.reference": CENSUS,
        "protected.1.reference": "last_run",
    }
    plan = parse_plan(plan_yaml(in_folder(folder) | changes))
    steps = ["prepare", "segment", "assess"]
    return [run(plan, spark, as_of=NOW, run_id=f"fair-{i}", steps=steps, noise=SeededNoise(i)) for i in (1, 2)]


def judged(result: Result) -> dict[tuple[str, str, str | None], Any]:
    return {(r.attribute, r.metric, r.offer): r for r in result.fairness_summary.collect()}


def test_intersections_are_judged_and_find_what_no_attribute_alone_shows(results: list[Result]) -> None:
    both = judged(results[0])["gender × age_band", "selection_ratio", "thanks"]
    alone = judged(results[0])["gender", "selection_ratio", "thanks"]
    assert both.verdict == alone.verdict == "uneven"
    assert both.value < alone.value
    assert both.low <= 0.2 / 0.8 <= both.high


def test_selection_rates_of_an_offer_are_those_of_the_people(results: list[Result]) -> None:
    rates = {r.group: r for r in results[0].fairness_groups.where("attribute = 'gender' and offer = 'thanks'").collect()}
    exact = {s: np.mean([c[1] > 10 for c in made_people() if c[2] == s]) for s in "fm"}
    assert rates["female"].low <= exact["f"] <= rates["female"].high
    assert rates["male"].low <= exact["m"] <= rates["male"].high
    assert rates["female"].high - rates["female"].low < 0.1


def test_groups_that_are_too_small_are_named_and_have_no_figures(results: list[Result]) -> None:
    row = judged(results[0])["gender", "balance", None]
    assert row.too_small == ["other", "unknown"]
    small = results[0].fairness_groups.where("attribute = 'gender' and `group` = 'other'").collect()
    assert small
    assert all(r.suppressed and r.value is None and r.low is None and r.high is None for r in small)


def test_a_reference_from_outside_is_what_shares_are_held_against(results: list[Result]) -> None:
    row = judged(results[0])["gender", "representation_ratio", None]
    assert row.reference == "census 2021"
    shares = {
        (r.group, r.segment): (r.share, r.representation_ratio)
        for r in results[0].fairness_stats.where("attribute = 'gender' and not suppressed").collect()
    }
    assert shares
    for (group, _), (share, ratio) in shares.items():
        among_judged = CENSUS["shares"][group] / 0.75  # type: ignore[index]  # the census' others are too few here to judge
        assert ratio == pytest.approx(share / among_judged)


def test_the_feature_that_carries_the_attribute_is_ranked_first(results: list[Result]) -> None:
    ranked = results[0].fairness_proxies.where("attribute = 'gender'").orderBy("rank").collect()
    assert [r.rank for r in ranked] == [1, 2, 3]
    assert ranked[0].feature == "tenure"
    people = [c for c in made_people() if c[2] in "fm"]
    tenure = {s: [c[1] for c in people if c[2] == s] for s in "fm"}
    everybody = np.array([c[1] for c in people])
    between = sum(len(v) * (np.mean(v) - everybody.mean()) ** 2 for v in tenure.values()) / len(people)
    assert ranked[0].low <= (between / everybody.var()) ** 0.5 <= ranked[0].high


def test_the_second_run_says_what_has_changed_since_the_first(results: list[Result]) -> None:
    first, second = judged(results[0]), judged(results[1])
    assert all(r.change is None for r in first.values())
    assert second.pop(("age_band", "representation_ratio", None)).change is None  # held against something else each time
    known = {key: row for key, row in second.items() if row.value is not None and first[key].value is not None}
    assert {"balance", "selection_ratio", "cramers_v"} <= {metric for _, metric, _ in known}
    assert all(second[key].change is None for key in second.keys() - known.keys())  # there is nothing to compare
    for key, row in known.items():
        assert row.change == pytest.approx(row.value - first[key].value)
        assert row.change_low <= 0 <= row.change_high, key
    assert judged(results[1])["age_band", "representation_ratio", None].reference == "customers of run fair-1"
    assert first["age_band", "representation_ratio", None].reference == "all customers of this run"


def test_an_offer_that_no_segment_gets_is_named_and_not_judged(results: list[Result]) -> None:
    assert judged(results[0])["gender", "balance", None].unjudged_offers == ["nobody"]
    assert not any(offer == "nobody" for _, _, offer in judged(results[0]))


def test_a_run_that_is_resumed_later_still_compares_with_what_was_there_when_it_began(spark: Any, results: list[Result]) -> None:
    before = judged(results[0])
    again = run(results[0].plan, spark, as_of=NOW, run_id="fair-1", steps=["assess"], noise=SeededNoise(9))
    assert judged(again) == before
    assert all(row.change is None for row in before.values())


def test_a_run_that_is_not_private_is_no_reference_for_one_that_is(spark: Any, results: list[Result]) -> None:
    found = results[1]
    assert last_published(found.store, found.plan, "another", private=False) is not None
    assert last_published(found.store, found.plan, "another", private=True) is None


def test_the_report_says_it_in_words_and_can_be_read_worst_first(results: list[Result]) -> None:
    page = render(results[1].facts)
    for said in ("in the reference, census 2021", "worst first", "Change since the last run", "Selection rate for thanks",
                 "too small to report without risking privacy", "Which features reveal a protected attribute"):  # fmt: skip
        assert said in page, said
    assert "surely treat people unevenly by gender" in page
