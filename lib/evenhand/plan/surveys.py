"""What a plan says about surveys: which questions with which public options, where the answers are, and what a wave may cost."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from evenhand.plan.base import Column, Model, Name, Share, Text, Value, written
from evenhand.plan.data import Events
from evenhand.plan.retention import KEPT
from evenhand.plan.spans import Span

MOST_QUESTIONS, MOST_OPTIONS = 20, 20
Label = Annotated[Text, StringConstraints(max_length=100)]


def refuse_twice(options: list[str | int | bool]) -> list[str | int | bool]:
    """The options; raises ValueError where one stands twice, as the source writes it."""
    names = [written(option) for option in options]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"option {twice[0]} is named twice")
    return options


class Answers(Events):
    """A table with a row an answer: whose, to which question, what, and when. Other columns, such as free text, are not read."""

    time: Column = Field(description="When it was given. Only answers before the wave began count; one without a time does not.")
    where: Text | None = Field(
        default=None, description="A condition that an answer must meet. It may not read a protected attribute."
    )
    question: Column = Field(default="question", description="The column with the question's name.")
    answer: Column = Field(default="answer", description="The column with the answer: text, a whole number or a boolean.")


class SurveyQuestion(Model):
    """A question with the answers that one can choose from, a scale or a choice. They are public and fixed here."""

    name: Label = Field(description="The question as the answers name it.")
    asks: Text = Field(description="What people were asked, in words.")
    options: list[Value] = Field(
        min_length=2,
        max_length=MOST_OPTIONS,
        description="The answers that count, of a scale its steps in order. Any other, free text too, is neither counted nor stored.",
    )

    @field_validator("options")
    @classmethod
    def _each_once(cls, options: list[str | int | bool]) -> list[str | int | bool]:
        return refuse_twice(options)

    @property
    def option_names(self) -> list[str]:
        return [written(option) for option in self.options]


class Survey(Model):
    """A survey about the use of data, counted by segment in waves: `evenhand feedback`."""

    name: Name = Field(description="What the survey is called in tables and reports.")
    purpose: Name = Field(
        description="The purpose in the consent events for which people were asked. Only whoever said yes to it counts, whatever the "
        "`legal_basis`; and whoever may not be used for the plan's own purpose any more does not count either."
    )
    source: Answers = Field(description="The table of the answers, a row an answer. The latest of a person to a question counts.")
    questions: list[SurveyQuestion] = Field(
        min_length=1, max_length=MOST_QUESTIONS, description="The questions that are counted. Others in the table are not read."
    )
    share: Share = Field(
        description="What a wave takes from `privacy.population_total`, as a share of `privacy.epsilon` and beside what runs take. The "
        "questions divide it evenly."
    )
    max_age: Span = Field(default=KEPT, description="An answer that is older does not count.")

    @model_validator(mode="after")
    def _questions_once(self) -> Self:
        names = [question.name for question in self.questions]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"question {twice[0]} is named twice")
        return self
