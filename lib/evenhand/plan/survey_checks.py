"""What the plan as a whole can get wrong about its surveys, outcomes and rewards: names that clash, protected columns as conditions, too little budget."""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.plan.accounting import LEAST_SHARE, SYMBOL
from evenhand.plan.columns import source_tables
from evenhand.plan.expressions import inspect_row
from evenhand.plan.groups import group_tables
from evenhand.plan.models import Plan
from evenhand.plan.outcomes import Outcome
from evenhand.plan.surveys import Survey


def contradictions_of_surveys(plan: Plan) -> list[str]:
    """One line for each, with the key's path; none where the plan has no survey."""
    return list(_contradictions(plan))


def _contradictions(plan: Plan) -> Iterator[str]:
    seen = set(source_tables(plan))
    for i, survey in enumerate(plan.surveys):
        yield from _asked(plan, f"surveys.{i}", survey, len(survey.questions), seen)
        if plan.rewards is not None and plan.rewards.survey and survey.source.where:
            yield (
                f"rewards.survey: surveys.{survey.name}.source.where chooses which answers count, and a reward hangs on nothing that was said; "
                "leave the condition out, and have the survey in a table of its own"
            )
    for i, outcome in enumerate(plan.outcomes):
        yield from _asked(plan, f"outcomes.{i}", outcome, 1 + len(group_tables(plan)), seen)
    if plan.rewards is not None and plan.rewards.survey and not plan.surveys:
        yield "rewards.survey: the plan names no survey; name one under surveys, or leave this out"


def _asked(plan: Plan, path: str, asked: Survey | Outcome, parts: int, seen: set[str]) -> Iterator[str]:
    """What is wrong with a survey or an outcome whose budget so many `parts` divide."""
    if asked.name in seen:
        yield f"{path}.name: {asked.name} is the name of another survey, outcome or source; choose another"
    seen.add(asked.name)
    protected = {a.column.lower(): a.name for a in plan.protected}
    for column in inspect_row(asked.source.where) if asked.source.where else ():
        if attribute := protected.get(column.lower()):
            yield (
                f"{path}.source.where: column {column} is the protected attribute {attribute}; a protected attribute may be "
                "measured, not decide which rows count"
            )
    each, least = plan.wave_budget(asked) / parts, LEAST_SHARE["epsilon"]
    if each < least:
        yield (
            f"{path}.share: each of {parts} gets {SYMBOL['epsilon']} = {each:.1g}; its noise fits 64-bit integers from {least:g} on, "
            "and says something of people far above that"
        )
