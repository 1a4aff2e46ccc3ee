"""Which tables a run reads and writes, and where the key is. Paths are relative to the plan's file."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, Tag, field_validator, model_validator

from evenhand.plan.apart import nested
from evenhand.plan.base import ENVIRONMENT, KEY_ID, Column, EitherForm, Model, Name, Text, checked
from evenhand.plan.consent import ConsentColumns, NoticeVersion
from evenhand.plan.expressions import inspect_row
from evenhand.plan.places import PlanPath


class Table(Model):
    """A Delta table, by `path` or by catalog `name`, now or at a stated `version` or `timestamp`."""

    path: PlanPath | None = Field(default=None, description="The folder of the Delta table. Either this or `name`.")
    name: Text | None = Field(default=None, description="The table's name in the catalog. Either this or `path`.")
    version: int | None = Field(
        default=None, ge=0, description="The version of the table that is read; the newest unless stated. Not beside `timestamp`."
    )
    timestamp: datetime | None = Field(
        default=None,
        description="The table is read as it was then; without an offset in `time_zone`. Not beside `version`.",
    )

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

    keep_latest_by: Column = Field(
        description="A column with a timestamp, a date or a number. Of the rows of an id the one with the greatest value counts."
    )


class Customers(Table):
    """The customer table: one row a customer."""

    id: Column = Field(description="The column with the customer's id.")
    duplicates: Annotated[Annotated[Literal["leave_out"], Tag("plain")] | Annotated[KeepLatest, Tag("by-keys")], EitherForm] = (
        Field(
            default="leave_out",
            description="What becomes of an id on several rows. `leave_out`: it is one customer where the rows say the same in all "
            "columns that the plan reads, and nobody where they contradict each other.",
        )
    )


class Events(Table):
    """A table with many rows a customer. Rows at or after the run's `as_of` are not read."""

    id: Column = Field(description="The column with the customer's id.")
    time: Column = Field(description="When the event was. Only rows before `as_of` count; one without a time does not.")
    where: Text | None = Field(
        default=None, description="A condition that a row must meet. It may not read a protected attribute."
    )

    @field_validator("where")
    @classmethod
    def _condition(cls, text: str | None) -> str | None:
        if text is not None:
            checked(inspect_row, text)
        return text


class Consent(Table):
    """The consent events, one row each: whose, for which purpose, which state, when, and what else `ConsentColumns` names."""

    id: Column = Field(default="customer_id", description="The column with the customer's id.")
    columns: ConsentColumns = Field(default=ConsentColumns(), description="What the source calls its columns otherwise.")
    signals: list[Text] | None = Field(default=None, description="Which signals are honored. All unless stated; `[]` is none.")
    minimum_notice_version: NoticeVersion | None = Field(
        default=None,
        description="A consent under an older notice does not count: numbers with points, in quotes, or a day.",
    )

    @model_validator(mode="after")
    def _id_apart(self) -> Self:
        fields = ConsentColumns.model_fields
        if self.id.lower() in {*fields, *(self.columns.of(field).lower() for field in fields)}:
            raise ValueError(f"id: {self.id} is the name of another column of consent")
        return self


class Ids(Model):
    """How ids are brought into one form before they are compared, in every source alike; as they are unless stated."""

    trim: bool = Field(default=False, description="Blanks at either end do not count.")
    casefold: bool = Field(default=False, description="Case does not count. Ids become upper case, in which ß is SS.")
    normalize: Literal["NFC"] | None = Field(  # Unicode Standard Annex 15
        default=None, description="One Unicode form for a letter with its marks."
    )


class Sources(Model):
    """The Delta tables that may be read."""

    customers: Customers = Field(description="The customer table: one row a customer.")
    consent: Consent = Field(
        description="The consent events, with the columns `purpose`, `state`, `recorded_at`, the id, and `expires_at` unless grants "
        "never expire."
    )
    events: dict[Name, Events] = Field(
        default_factory=dict, description="Tables with many rows a customer, such as purchases, by a name of your own."
    )
    ids: Ids = Field(default=Ids(), description="How ids of every source are brought into one form before they are compared.")


class Key(Model):
    """Where a key is: a reference, never the key. `key_id` stands beside each pseudonym, so that keys can change."""

    key_id: Annotated[str, StringConstraints(pattern=KEY_ID)] = Field(
        description="The name of the key. It stands beside each pseudonym; a new key needs a new name."
    )
    key_file: PlanPath | None = Field(
        default=None,
        description="A file of at least 32 bytes that only its owner can read. Either this or `key_env`; never the key itself.",
    )
    key_env: Annotated[str, StringConstraints(pattern=ENVIRONMENT)] | None = Field(
        default=None, description="The name of the environment variable that holds the key. Either this or `key_file`."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.key_file is None) == (self.key_env is None):
            raise ValueError("state either key_file or key_env")
        return self


class Pseudonyms(Key):
    """The key of new runs; `older` ones are kept as long as rows under them are, to find the people of earlier runs again."""

    older: list[Key] = Field(
        default_factory=list,
        max_length=20,
        description="The keys of earlier runs, as long as people must be found in those: when segments are handed out or taken back, "
        "and when somebody asks what is kept.",
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [self.key_id, *(key.key_id for key in self.older)]
        if twice := [i for i in ids if ids.count(i) > 1]:
            raise ValueError(f"key_id {twice[0]} is named twice")
        return self


class Output(Model):
    """Where the two zones are: a folder (`path`) or a catalog schema (`schema`) each, and the folder for reports."""

    restricted: Place = Field(description="The zone of the tables about people, under pseudonyms.")
    open: Place = Field(description="The zone of the tables that passed the noise. It lies apart from the restricted zone.")
    erasures: Place | None = Field(
        default=None,
        description="Where it is kept who was erased, by keyed hash, so that a restored backup of the restricted zone brings nobody "
        "back. Unless stated a folder beside that zone, with `_erasures` at the end of its name; beside a schema it must be stated.",
    )
    reports: PlanPath = Field(
        default="reports",
        validate_default=True,
        description="The folder of the reports, on the driver's own file system and apart from the restricted zone.",
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        a, b = self.restricted, self.open
        if a.path and b.path and nested(a.path, b.path):
            raise ValueError("the restricted and the open zone must not lie inside each other")
        if a.path and nested(a.path, self.reports):
            raise ValueError("the restricted zone and the folder of reports must not lie inside each other")
        c = self.kept_erasures
        if c and any(c.path and zone.path and nested(c.path, zone.path) for zone in (a, b)):
            raise ValueError("erasures must lie apart from both zones, since it outlives a backup of them")
        if (
            c
            and c.catalog_schema
            and _schema(c.catalog_schema) in [_schema(z.catalog_schema) for z in (a, b) if z.catalog_schema]
        ):
            raise ValueError("erasures must be another schema than the zones")
        if a.catalog_schema and b.catalog_schema and _schema(a.catalog_schema) == _schema(b.catalog_schema):
            raise ValueError("the restricted and the open zone must be two schemas")
        return self

    @property
    def kept_erasures(self) -> Place | None:
        """Where the list of the erased is; None where the plan has to say so and does not."""
        if self.erasures is not None or self.restricted.path is None:
            return self.erasures
        return Place(path=f"{self.restricted.path.rstrip('/')}_erasures")


class Place(Model):
    """A zone: a folder, or a schema of the catalog."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    path: PlanPath | None = Field(default=None, description="The folder of the zone's tables. Either this or `schema`.")
    catalog_schema: Text | None = Field(
        default=None, alias="schema", description="The catalog's schema for the zone's tables. Either this or `path`."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.path is None) == (self.catalog_schema is None):
            raise ValueError("state either path or schema")
        return self


def _schema(name: str) -> str:
    """A schema's name as Spark compares it: without regard to case, and in its own catalog where none is named."""
    return name.lower().replace("`", "").removeprefix("spark_catalog.")
