"""The words of consent: its columns and states by ISO/IEC TS 27560:2023 and the W3C's Data Privacy Vocabulary (DPV) 2.3, and versions of notices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evenhand.plan.base import Column, Model

DPV = "https://w3id.org/dpv#"


class ConsentColumns(Model):
    """What the source calls its columns. Those without a name here are taken by their own, where the table has them."""

    purpose: Column = Field(default="purpose", description="For what the person was asked.")
    state: Column = Field(default="state", description="What the person said.")
    recorded_at: Column = Field(default="recorded_at", description="When it was said.")
    expires_at: Column | None = Field(default=None, description="Until when it holds. Without such a column no consent expires.")
    record_id: Column | None = Field(default=None, description="The id of the record. No run reads it.")
    notice_version: Column | None = Field(
        default=None, description="The version of the notice that it was said under. Read with `minimum_notice_version` only."
    )
    language: Column | None = Field(default=None, description="The language of the notice. No run reads it.")
    method: Column | None = Field(default=None, description="How it was said, such as a form or a call. No run reads it.")
    expressed_by: Column | None = Field(default=None, description="Who said it, such as the person or a parent. No run reads it.")
    attribute: Column | None = Field(
        default=None, description="The column of the person's data that the event is about. Without one it is about all."
    )
    signal: Column | None = Field(
        default=None,
        description="The name of the signal or list, such as `gpc` or `opt_out_list`. Without one somebody has answered a question.",
    )

    @model_validator(mode="before")
    @classmethod
    def _distinct(cls, given: Any) -> Any:
        names = [name.lower() for name in given.values() if isinstance(name, str)] if isinstance(given, dict) else []
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"column {twice[0]} is named twice")
        return given

    def of(self, field: str) -> str:
        """The source's name of a column."""
        return getattr(self, field) or field

    def may_lack(self, field: str) -> bool:
        """Whether the source may be without that column."""
        return getattr(self, field) is None


@dataclass(frozen=True)
class State:
    """What a consent event says."""

    words: tuple[str, ...]  # as events write it; the terms of DPV are understood too
    dpv: str
    yes: bool = False

    @property
    def written(self) -> tuple[str, ...]:
        return (*self.words, self.dpv, f"dpv:{self.dpv}", DPV + self.dpv)


STATES = (
    State(("granted", "given"), "ConsentGiven", yes=True),
    State(("renewed",), "RenewedConsentGiven", yes=True),
    State(("requested",), "ConsentRequested"),
    State(("deferred",), "ConsentRequestDeferred"),
    State(("refused",), "ConsentRefused"),
    State(("withdrawn",), "ConsentWithdrawn"),
    State(("expired",), "ConsentExpired"),
    State(("revoked",), "ConsentRevoked"),
    State(("invalidated",), "ConsentInvalidated"),
    State(("unknown",), "ConsentUnknown"),
    State(("objection",), "ObjectingToProcess"),
)
YES = tuple(word for state in STATES if state.yes for word in state.written)
KNOWN = tuple(word for state in STATES for word in state.written)

DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
NUMBERS = r"[vV]?[0-9]{1,9}([.][0-9]{1,9}){0,7}"


def numbers_of(version: str) -> list[int]:
    """The numbers by which versions such as 2.10 or v3 are compared, without zeros at the end: 2.0 is 2."""
    numbers = [int(part) for part in version.lstrip("vV").split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return numbers


def is_day(version: str) -> bool:
    return re.fullmatch(DAY, version) is not None


def is_lower(version: str, than: str) -> bool:
    """Whether a version is older than another; False where they are of two kinds and cannot be compared."""
    if is_day(version) != is_day(than):
        return False
    return version < than if is_day(version) else numbers_of(version) < numbers_of(than)


def is_same(version: str, other: str) -> bool:
    """Whether two versions are one: 2.0 is 2."""
    return version == other or (not (is_day(version) or is_day(other)) and numbers_of(version) == numbers_of(other))


def _as_written(given: Any) -> Any:
    if isinstance(given, float):
        raise ValueError(f"put it in quotes: without, YAML takes 2.10 for {2.1:g}")
    if isinstance(given, date):
        return given.isoformat()
    return str(given) if isinstance(given, int) and not isinstance(given, bool) else given


def _comparable(version: str) -> str:
    if not is_day(version) and not re.fullmatch(NUMBERS, version):
        raise ValueError(
            "a version that can be compared is needed: numbers with points, such as 2.10, or a day, such as 2026-03-01"
        )
    return version


NoticeVersion = Annotated[str, BeforeValidator(_as_written), AfterValidator(_comparable)]
