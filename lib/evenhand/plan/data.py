"""Which tables a run reads and writes, and where the key is. Paths are relative to the plan's file."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, Tag, field_validator, model_validator

from evenhand.plan.apart import nested
from evenhand.plan.base import Column, EitherForm, Model, Name, Text, checked
from evenhand.plan.expressions import inspect_condition
from evenhand.plan.places import PlanPath


class Table(Model):
    """A Delta table, by `path` or by catalog `name`, now or at a stated `version` or `timestamp`."""

    path: PlanPath | None = None
    name: Text | None = None
    version: int | None = Field(default=None, ge=0)
    timestamp: datetime | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.path is None) == (self.name is None):
            raise ValueError("state either path or name")
        if self.version is not None and self.timestamp is not None:
            raise ValueError("state version or timestamp, not both")
        return self

    @property
    def address(self) -> str:
        return self.path or self.name or ""


class KeepLatest(Model):
    """Of several rows with one id the one with the greatest value in `keep_latest_by` stays."""

    keep_latest_by: Column


class Customers(Table):
    """The customer table: one row a customer."""

    id: Column
    # Of an id with several rows: one where all say the same, none where they contradict each other, unless the plan says which.
    duplicates: Annotated[Annotated[Literal["leave_out"], Tag("plain")] | Annotated[KeepLatest, Tag("by-keys")], EitherForm] = (
        "leave_out"
    )


class Events(Table):
    """A table with many rows a customer. Rows at or after the run's `as_of` are not read."""

    id: Column
    time: Column
    where: Text | None = None

    @field_validator("where")
    @classmethod
    def _condition(cls, text: str | None) -> str | None:
        if text is not None:
            checked(inspect_condition, text)
        return text


class Consent(Table):
    """The consent events, in the columns of the design: purpose, state, recorded_at, expires_at and the id."""

    id: Column = "customer_id"


class Ids(Model):
    """How ids are brought into one form before they are compared, in every source alike; as they are unless stated."""

    trim: bool = False  # blanks at either end
    casefold: bool = False  # in upper case, in which ß is SS
    normalize: Literal["NFC"] | None = None  # one form for a letter with its marks (Unicode Standard Annex 15)


class Sources(Model):
    customers: Customers
    consent: Consent
    events: dict[Name, Events] = Field(default_factory=dict)
    ids: Ids = Ids()


class Pseudonyms(Model):
    """Where the key is: a reference, never the key. `key_id` stands beside each pseudonym, so that keys can change."""

    key_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
    key_file: PlanPath | None = None
    key_env: Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.key_file is None) == (self.key_env is None):
            raise ValueError("state either key_file or key_env")
        return self


class Output(Model):
    """Where the two zones are: a folder (`path`) or a catalog schema (`schema`) each, and the folder for reports."""

    restricted: Place
    open: Place
    reports: PlanPath = Field(default="reports", validate_default=True)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        a, b = self.restricted, self.open
        if a.path and b.path and nested(a.path, b.path):
            raise ValueError("the restricted and the open zone must not lie inside each other")
        if a.path and nested(a.path, self.reports):
            raise ValueError("the restricted zone and the folder of reports must not lie inside each other")
        if a.catalog_schema and b.catalog_schema and _schema(a.catalog_schema) == _schema(b.catalog_schema):
            raise ValueError("the restricted and the open zone must be two schemas")
        return self


class Place(Model):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    path: PlanPath | None = None
    catalog_schema: Text | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.path is None) == (self.catalog_schema is None):
            raise ValueError("state either path or schema")
        return self


def _schema(name: str) -> str:
    """A schema's name as Spark compares it: without regard to case, and in its own catalog where none is named."""
    return name.lower().replace("`", "").removeprefix("spark_catalog.")
