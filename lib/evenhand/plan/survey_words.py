"""What `--check` says of a plan's surveys and rewards: what a wave reads and why, who counts, what it costs, how far the noise reaches."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from evenhand.plan.accounting import half_width
from evenhand.plan.columns import all_uses
from evenhand.plan.models import Plan
from evenhand.plan.surveys import Survey
from evenhand.terminal import WIDTH

LEVEL = 0.95
WHY = {"id": "whose answer it is", "time": "the latest answer before the wave began counts"}


def surveys_in_words(plan: Plan) -> list[str]:
    """Lines for people; none where the plan has no survey."""
    if not plan.surveys:
        return []
    return [
        "",
        "Surveys, read and paid for by evenhand feedback and by no run",
        *(line for s in plan.surveys for line in _survey(plan, s)),
    ]


def rewards_in_words(plan: Plan) -> str:
    """What is given for taking part; empty where nothing is."""
    given = plan.rewards
    if given is None:
        return ""
    parts = [f"{given.survey} for each survey"] * bool(given.survey) + [f"{given.review} for a review of one's choices"] * bool(
        given.review
    )
    return f"Points a month for taking part, whatever was said: {' and '.join(parts)}; evenhand rewards hands them out."


def _survey(plan: Plan, survey: Survey) -> Iterator[str]:
    table, each = survey.source, plan.survey_budget(survey) / len(survey.questions)
    yield f"  {survey.name}: {table.address}"
    for use in all_uses(plan):
        if use.source == survey.name:
            yield from textwrap.wrap(
                f"{use.column}: {WHY.get(use.kind, use.in_words)}", WIDTH, initial_indent="    ", subsequent_indent="      "
            )
    questions = "; ".join(f"{q.name} ({', '.join(q.option_names)})" for q in survey.questions)
    said = (
        f"Counted are the latest answers, no older than {survey.max_age}, of customers who said yes to {survey.purpose} and may be used for "
        f"{plan.purpose} at that moment. Questions, with the only answers that count: {questions}. A wave costs ε = "
        f"{plan.survey_budget(survey):.4g} of the {plan.privacy.population_total:g} of population {plan.privacy.population}, beside what runs take, "
        f"ε = {each:.4g} a question; each count of an option in a segment is then within {half_width(each, 'epsilon', LEVEL):,.0f}, 19 times in 20."
    )
    yield from textwrap.wrap(said, WIDTH, initial_indent="    ", subsequent_indent="    ")
