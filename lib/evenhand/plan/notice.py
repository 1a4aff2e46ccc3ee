"""What a plan says for the notice to customers (GDPR art. 13 and 14): `evenhand notice`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from evenhand.plan.base import LANGUAGE, Column, Model, Text
from evenhand.plan.consent import NoticeVersion
from evenhand.plan.languages import languages

Language = Annotated[str, StringConstraints(pattern=LANGUAGE)]


class Recipient(Model):
    """Somebody who gets data about customers, or a kind of recipients."""

    name: Text = Field(description="Who gets data, such as a company or a kind of companies.")
    why: Text = Field(description="What they get it for.")
    transfer: Text | None = Field(  # GDPR art. 13(1)(f)
        default=None, description="Where the recipient is outside of the European Economic Area: why data may go there."
    )


class Notice(Model):
    """What customers are told, beside what the other sections of the plan say."""

    version: NoticeVersion = Field(
        description="The version of the notice, to which consent events refer: numbers with points, in quotes, or a day. A notice that "
        "changed in substance needs a higher one."
    )
    languages: list[Language] = Field(
        default=["en"],
        min_length=1,
        description="The languages of the page. The first is that of the plan's own texts; `words` has them in the others.",
    )
    recipients: list[Recipient] = Field(description="Who gets data about customers. `[]` where nobody does.")
    never_used: list[Column] = Field(
        default_factory=list,
        description="Columns that the page promises never to read. A plan that reads one is refused.",
    )
    authority: Text | None = Field(
        default=None, description="The data protection authority to complain to. Unless stated the page says how to find it."
    )
    words: dict[Language, dict[Text, Text]] = Field(
        default_factory=dict,
        description="By language, what the page says in place of a text of the plan. Names of columns, sources and attributes may have "
        "words in each language; sentences must have them in each but the first.",
    )

    @field_validator("languages")
    @classmethod
    def _there(cls, given: list[str]) -> list[str]:
        if twice := [language for language in given if given.count(language) > 1]:
            raise ValueError(f"{twice[0]} is named twice")
        if unknown := [language for language in given if language not in languages()]:
            raise ValueError(f"the page cannot be written in {unknown[0]}; known: {', '.join(languages())}")
        return given

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for key, names in (
            ("recipients", [r.name.casefold() for r in self.recipients]),
            ("never_used", [c.lower() for c in self.never_used]),
        ):
            if twice := [name for name in names if names.count(name) > 1]:
                raise ValueError(f"{key}: {twice[0]} is named twice")
        if other := [language for language in self.words if language not in self.languages]:
            raise ValueError(f"words: {other[0]} is not among languages")
        return self
