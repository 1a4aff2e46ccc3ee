"""What the plan as a whole can get wrong about its surveys: names that clash, protected columns as conditions, too little budget."""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.plan.accounting import LEAST_SHARE, SYMBOL
from evenhand.plan.columns import source_tables
from evenhand.plan.expressions import inspect_row
from evenhand.plan.models import Plan


def contradictions_of_surveys(plan: Plan) -> list[str]:
    """One line for each, with the key's path; none where the plan has no survey."""
    return list(_contradictions(plan))


def _contradictions(plan: Plan) -> Iterator[str]:
    if plan.rewards is not None and plan.rewards.survey and not plan.surveys:
        yield "rewards.survey: the plan names no survey; name one under surveys, or leave this out"
    seen = set(source_tables(plan))
    protected = {a.column.lower(): a.name for a in plan.protected}
    for i, survey in enumerate(plan.surveys):
        path = f"surveys.{i}"
        if survey.name in seen:
            yield f"{path}.name: {survey.name} is the name of another survey or source; choose another"
        seen.add(survey.name)
        for column in inspect_row(survey.source.where) if survey.source.where else ():
            if attribute := protected.get(column.lower()):
                yield (
                    f"{path}.source.where: column {column} is the protected attribute {attribute}; a protected attribute may be "
                    "measured, not decide which answers count"
                )
        if plan.rewards is not None and plan.rewards.survey and survey.source.where:
            yield (
                f"rewards.survey: surveys.{survey.name}.source.where chooses which answers count, and a reward hangs on nothing that was said; "
                "leave the condition out, and have the survey in a table of its own"
            )
        each, least = plan.survey_budget(survey) / len(survey.questions), LEAST_SHARE["epsilon"]
        if each < least:
            yield (
                f"{path}.share: each question gets {SYMBOL['epsilon']} = {each:.1g}; its noise fits 64-bit integers from {least:g} on, "
                "and says something of people far above that"
            )
