"""A plan's surveys: what is refused, what the check says, and which shares follow from noisy counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evenhand.ask.answers import AnswerShare, answer_counts, answer_shares
from evenhand.errors import PlanError
from evenhand.plan.explain import explain
from evenhand.plan.load import parse_plan
from evenhand.plan.surveys import Survey
from evenhand.privacy.noise import SeededNoise
from evenhand.privacy.release import made_up
from sample import plan_yaml
from survey import SURVEY

QUESTION = SURVEY["questions"][0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "purchases"}, "surveys.purchases.name: purchases is the name of another survey, outcome or source"),
        ({"share": 1}, "surveys.data_use.share: input should be less than 1"),
        ({"share": 1e-5}, "surveys.data_use.share: each of 2 gets ε = 5e-06"),
        ({"questions": [QUESTION, QUESTION]}, "surveys.data_use: question comfort is named twice"),
        ({"questions": [QUESTION | {"options": ["1", 1]}]}, "surveys.data_use.questions.comfort.options: option 1 is named twice"),
        ({"questions": [QUESTION | {"options": ["yes"]}]}, "surveys.data_use.questions.comfort.options: list should have at least 2"),
        ({"source": SURVEY["source"] | {"where": "sex = 'f'"}}, "where: column sex is the protected attribute gender"),
        ({"source": SURVEY["source"] | {"comment": "free"}}, "surveys.data_use.source.comment: unknown key"),
    ],
)  # fmt: skip
def test_a_survey_that_cannot_be_counted_as_it_stands_is_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(PlanError, match=r"line \d+: ") as wrong:
        parse_plan(plan_yaml({"surveys": [SURVEY | changes]}))
    assert expected in str(wrong.value)


def test_zones_do_not_lie_in_the_table_of_answers() -> None:
    with pytest.raises(PlanError, match=r"output.open.path: /d/a/open lies in the table of surveys.data_use.source \(/d/a\)"):
        parse_plan(
            plan_yaml({"surveys": [SURVEY | {"source": SURVEY["source"] | {"path": "/d/a"}}], "output.open.path": "/d/a/open"})
        )


def test_the_check_says_what_a_wave_reads_who_counts_and_what_it_costs() -> None:
    said = " ".join(explain(parse_plan(plan_yaml({"surveys": [SURVEY]}))).split())
    assert "Surveys, read and paid for by evenhand feedback and by no run data_use: answers" in said
    assert "answered_at: the latest answer before the wave began counts" in said
    assert "of customers who said yes to surveys and may be used for offers at that moment" in said
    assert "comfort (1, 2, 3); control (yes, no)" in said
    assert "A wave costs ε = 0.2 of the 3 of population testers, beside what runs take, ε = 0.1 a question" in said
    assert "within 30, 19 times in 20" in said  # ln(20) / 0.1
    rewarded = " ".join(explain(parse_plan(plan_yaml({"rewards": {"review": 5}}))).split())
    assert "Points a month for taking part, whatever was said: 5 for a review of one's choices; evenhand rewards" in rewarded
    assert "Surveys" not in explain(parse_plan(plan_yaml()))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rewards": {"survey": 10}}, "rewards.survey: the plan names no survey"),
        ({"rewards": {}}, "rewards: state points for survey, for review, or for both"),
        ({"rewards": {"review": -5}}, "rewards.review: input should be greater than or equal to 0"),
        (
            {"rewards": {"survey": 10}, "surveys": [SURVEY | {"source": SURVEY["source"] | {"where": "answer = 'yes'"}}]},
            "rewards.survey: surveys.data_use.source.where chooses which answers count, and a reward hangs on nothing that was said",
        ),
    ],
)
def test_rewards_that_could_hang_on_what_somebody_says_are_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(PlanError) as wrong:
        parse_plan(plan_yaml(changes))
    assert expected in str(wrong.value)


def shares(counts: list[list[int]], minimum: int, epsilon: float, seed: int = 1) -> list[AnswerShare]:
    """Of the question with three options, by segment."""
    survey = Survey.model_validate(SURVEY | {"questions": [QUESTION]})
    parts = answer_counts(survey, len(counts), epsilon).parts
    exact = {parts[0].name: np.array(counts, dtype=np.int64).ravel()}
    return list(answer_shares(made_up(exact, parts, SeededNoise(seed)), survey, minimum))


def test_shares_are_of_those_in_the_segment_who_answered() -> None:
    found = shares([[100, 300, 600], [0, 0, 50]], 0, 30.0)
    assert [(c.segment, c.option) for c in found] == [(s, o) for s in (1, 2) for o in ("1", "2", "3")]
    assert [c.share.value for c in found] == pytest.approx([0.1, 0.3, 0.6, 0, 0, 1])
    assert [c.count.value for c in found] == [100, 300, 600, 0, 0, 50]


def test_a_count_below_the_minimum_is_not_shown_nor_what_would_give_it_away() -> None:
    found = shares([[5, 300, 600], [100, 100, 100]], 20, 30.0)
    assert [c.suppressed for c in found] == [True, True, False, False, False, False]


def test_intervals_hold_the_counts_and_shares_of_those_who_answered() -> None:
    """Each holds with 95 % at least; false alarm of 1,200 cells below 90 %: less than 1e-6, were they independent."""
    counts = [[40, 60, 5], [200, 0, 30]]
    truth = np.array(counts) / np.sum(counts, axis=1, keepdims=True)
    found = [cell for seed in range(200) for cell in shares(counts, 0, 0.3, seed)]
    expected = list(zip(np.ravel(counts), truth.ravel(), strict=True)) * 200
    for kind in (0, 1):
        of = [((c.count, c.share)[kind], e[kind]) for c, e in zip(found, expected, strict=True)]
        assert np.mean([interval.low <= true <= interval.high for interval, true in of]) > 0.9
        assert all(interval.low <= interval.value <= interval.high for interval, _ in of)
