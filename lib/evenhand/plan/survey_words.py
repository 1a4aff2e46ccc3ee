"""What `--check` says of a plan's surveys, outcomes and rewards: what a wave reads and why, who counts, what it costs, how far the noise reaches."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from evenhand.plan.accounting import half_width
from evenhand.plan.columns import all_uses
from evenhand.plan.groups import group_tables
from evenhand.plan.models import Plan
from evenhand.plan.outcomes import Outcome
from evenhand.plan.surveys import Survey
from evenhand.terminal import WIDTH

LEVEL = 0.95
WHY = {"id": "whose answer it is", "time": "the latest answer before the wave began counts"}


def surveys_in_words(plan: Plan) -> list[str]:
    """Lines for people on surveys and outcomes; none where the plan has neither."""
    found: list[str] = []
    if plan.surveys:
        found += ["", "Surveys, read and paid for by evenhand feedback and by no run"]
        found += [line for survey in plan.surveys for line in _lines(plan, survey, _survey(plan, survey))]
    if plan.outcomes:
        found += ["", "Outcomes of offers, read and paid for by evenhand outcomes and by no run"]
        found += [line for outcome in plan.outcomes for line in _lines(plan, outcome, _outcome(plan, outcome))]
    return found


def rewards_in_words(plan: Plan) -> str:
    """What is given for taking part; empty where nothing is."""
    given = plan.rewards
    if given is None:
        return ""
    parts = [f"{given.survey} for each survey"] * bool(given.survey) + [f"{given.review} for a review of one's choices"] * bool(
        given.review
    )
    return f"Points a month for taking part, whatever was said: {' and '.join(parts)}; evenhand rewards hands them out."


def _lines(plan: Plan, asked: Survey | Outcome, said: str) -> Iterator[str]:
    yield f"  {asked.name}: {asked.source.address}"
    for use in all_uses(plan):
        if use.source == asked.name:
            line = f"{use.column}: {WHY.get(use.kind, use.in_words) if isinstance(asked, Survey) else use.in_words}"
            yield from textwrap.wrap(line, WIDTH, initial_indent="    ", subsequent_indent="      ")
    yield from textwrap.wrap(said, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _survey(plan: Plan, survey: Survey) -> str:
    questions = "; ".join(f"{q.name} ({', '.join(q.option_names)})" for q in survey.questions)
    return (
        f"Counted are the latest answers, no older than {survey.max_age}, of customers who said yes to {survey.purpose} and may be used for "
        f"{plan.purpose} at that moment. Questions, with the only answers that count: {questions}. A wave costs "
        f"{_cost(plan, survey, len(survey.questions), 'a question')}"
    )


def _outcome(plan: Plan, outcome: Outcome) -> str:
    tables = len(group_tables(plan)) + 1
    return (
        f"Counted is the farthest response of whoever was handed out or held back and may be used for {plan.purpose} at that moment, by segment "
        f"and protected group: {', '.join(outcome.option_names)}, or none. A count costs {_cost(plan, outcome, tables, 'a table')}"
    )


def _cost(plan: Plan, asked: Survey | Outcome, parts: int, part: str) -> str:
    each = plan.wave_budget(asked) / parts
    return (
        f"ε = {plan.wave_budget(asked):.4g} of the {plan.privacy.population_total:g} of population {plan.privacy.population}, beside what runs take, "
        f"ε = {each:.4g} {part}; each count is then within {half_width(each, 'epsilon', LEVEL):,.0f}, 19 times in 20."
    )
