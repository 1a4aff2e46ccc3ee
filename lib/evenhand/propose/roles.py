"""What a column is proposed as, by its name and type: feature, protected attribute, or not used and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evenhand.plan.expressions import quoted_column
from evenhand.plan.mistakes import allowed_name
from evenhand.plan.models import RESERVED
from evenhand.propose.schemas import Column, Schema

WHOLE = ("tinyint", "smallint", "int", "bigint")
TIMES = ("timestamp", "timestamp_ntz", "date")
IDS = ("customer_id", "customerid", "client_id", "member_id", "user_id", "person_id", "id")
EVENT_TIMES = ("recorded_at", "occurred_at", "event_time", "timestamp", "time", "date")
PROTECTED = frozenset(
    "gender sex age birth born birthdate birthday birthyear dob nationality citizenship ethnicity ethnic race religion belief "
    "disability disabled marital pregnant pregnancy orientation origin union".split()
)
PEOPLE = frozenset(
    "name firstname lastname surname email mail phone mobile address street iban passport ssn ip comment note".split()
)
PLACES = frozenset("zip zipcode postcode postal plz city town district region county language".split())
NUMBERS_OF_THINGS = frozenset("id ids key code number no nr uuid guid hash".split())
SOMEBODY = frozenset("customer client member user person subscriber buyer account kunde kunden".split())
AMOUNTS = frozenset("amount total revenue turnover sales spend spent paid sum betrag umsatz summe price value preis wert".split())
AGES, YEARS = "[25, 40, 55, 65]", "[1960, 1975, 1990, 2005]"


@dataclass(frozen=True)
class Unused:
    """A column that the plan leaves alone, and why."""

    column: Column
    why: str


def words(name: str) -> frozenset[str]:
    """The words of a column's name, in small letters: `birthYear` and `birth_year` have the same."""
    return frozenset(part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name))


def is_number(kind: str) -> bool:
    return kind in (*WHOLE, "float", "double", "boolean") or kind.startswith("decimal(")


def is_protected(column: Column) -> bool:
    return bool(words(column.name) & PROTECTED)


def bands_of(column: Column) -> str | None:
    """Cuts to begin with, of an age or a year of birth; None where the column is measured by its values."""
    found = words(column.name)
    if not is_number(column.kind) or column.kind == "boolean":
        return None
    if "age" in found:
        return AGES
    return YEARS if found & {"birth", "born", "birthyear"} else None


def why_not_measured(column: Column) -> str | None:
    """Why a protected attribute cannot be measured by the column as it is."""
    if column.kind in TIMES:
        return "a date; to measure by age, have the age in years as a column at the source"
    fits = column.kind == "string" or column.kind in (*WHOLE, "boolean") or bands_of(column) is not None
    return None if fits else f"protected, but {column.kind}: text, a whole number or a boolean can be measured"


def why_no_feature(column: Column) -> str | None:
    """Why a column is no feature; None where it may be one."""
    found = words(column.name)
    if found & PROTECTED:
        return "looks like a protected attribute, which may be measured and never be a feature"
    if found & PEOPLE:
        return "tells who somebody is, and nothing that segments need"
    if found & PLACES:
        return "where people live or what they speak often stands for their origin or income"
    if found & NUMBERS_OF_THINGS:
        return "a number that names something and measures nothing"
    if column.kind in TIMES:
        return f"a date; it may be a feature as expression: datediff(as_of, {quoted_column(column.name)})"
    if column.kind == "string":
        return "text; with a few values that are known it may be features by kind: categories"
    return None if is_number(column.kind) else f"{column.kind}: a feature is a number"


def id_of(schema: Schema) -> str | None:
    """The column that looks like the id of the customer."""
    may_be = [(c.name, words(c.name)) for c in schema.columns if c.kind in ("string", "binary", *WHOLE)]
    of_somebody = [name for name, found in may_be if found & SOMEBODY and found & NUMBERS_OF_THINGS]
    called_id = [name for name, found in may_be if "id" in found]
    return schema.find(*IDS) or next(iter(of_somebody + called_id), None)


def time_of(schema: Schema) -> str | None:
    """The column that looks like the time of an event: by its name, else the first with a time, else the first with a date."""
    named = schema.find(*EVENT_TIMES)
    by_kind = [c.name for kind in TIMES for c in schema.columns if c.kind == kind]
    return named if named in by_kind else next(iter(by_kind), None)


def amount_of(schema: Schema) -> str | None:
    """The first column that looks like what an event was worth."""
    named = (c for c in schema.columns if is_number(c.kind) and c.kind != "boolean" and words(c.name) & AMOUNTS)
    return next((c.name for c in named if why_no_feature(c) is None), None)


class Names:
    """Names that a plan allows, each once."""

    def __init__(self) -> None:
        self._taken = set(RESERVED)

    def take(self, wanted: str) -> str:
        name = next(free for free in self._tries(allowed_name(wanted) or "column") if free not in self._taken)
        self._taken.add(name)
        return name

    def take_all(self, wanted: Sequence[str]) -> bool:
        """Whether all of them were free, and are taken now."""
        is_free = not self._taken & set(wanted)
        self._taken |= set(wanted) if is_free else set()
        return is_free

    @staticmethod
    def _tries(name: str) -> Iterator[str]:
        yield name
        yield from (f"{name[:36]}_{i}" for i in range(2, 1000))
