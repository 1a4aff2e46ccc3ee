"""The text of a proposed plan: YAML with a comment for each choice, and what a person must fill in before it is sound."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evenhand.plan.data import Table
from evenhand.plan.entries import MOST_FEATURES
from evenhand.plan.expressions import quoted_column
from evenhand.plan.mistakes import allowed_name
from evenhand.propose.columns import customer_columns, event_columns
from evenhand.propose.page import Gap, Page, printable, scalar
from evenhand.propose.roles import PEOPLE, Names, Unused, id_of, time_of, words
from evenhand.propose.schemas import Schema
from evenhand.terminal import WIDTH

A_SOURCE = 2  # features at least: how often, how lately
CONSENT = ("purpose", "state", "recorded_at")


@dataclass(frozen=True)
class Proposal:
    text: str
    gaps: tuple[Gap, ...]
    features: int
    attributes: int
    unused: int


def propose(customers: Schema, events: Sequence[Schema], consent: Schema | None, out: Path) -> Proposal:
    """A plan for these tables. Tables below the plan's folder are named by relative paths."""
    page, attributes, features, names = Page(), Page(), Page(), Names()
    _head(page, out)
    _sources(page, customers, events, consent, out)
    room = MOST_FEATURES - A_SOURCE * len(events)
    (made, measured), unused = customer_columns(features, attributes, customers, names, room)
    for number, (source, name) in enumerate(zip(events, source_names(events), strict=True), 1):
        room = MOST_FEATURES - made - A_SOURCE * (len(events) - number)
        more, left = event_columns(features, source, name, customers, names, room)
        made, unused = made + more, unused + left
    _part(page, "features", features, FEATURES, _NO_FEATURE)
    _part(page, "protected", attributes, ["Measured for each segment, never a feature."], _NO_ATTRIBUTE)
    _not_used(page, unused)
    _rest(page)
    _output(page, customers.table, out)
    _notice(page, unused)
    return Proposal(page.text, tuple(page.gaps), made, measured, len(unused))


FEATURES = [
    "Segments are learned from these alone.",
    "QUESTION, for each: does the purpose need it, and why? Take out what it does not need.",
    "QUESTION, for each without bounds: between which values are customers told apart? Stated bounds, such as bounds: [0, 100], are finer and cost "
    "nothing; they come from the business, never from a look at the data. Without them a tenth of ε finds them.",
    "QUESTION, for each: as which value does a customer without one count (missing)?",
]
_NO_FEATURE = "No column looks like a number that says something of a customer. State at least one feature."
_NO_ATTRIBUTE = "No column looks like a protected attribute. Between which groups must segments be even? State at least one."


def _head(page: Page, out: Path) -> None:
    page.note("Proposed from the names and types of columns; no row was read. FILL IN: the plan is not sound without it.")
    page.note("QUESTION: somebody who knows the business, or the data protection officer, should decide.")
    page.add("", f"name: {scalar(allowed_name(out.stem) or 'segments')}")
    page.fill("purpose", "purpose:", "The purpose as the consent table names it, for instance loyalty_offers.")
    page.ask("What are the segments for? Reports begin with this sentence.")
    page.add("description: Segments of customers.")
    page.ask("consent means opt-in: no event means no. legitimate_interest means opt-out: no event means yes.")
    page.add("legal_basis: consent", "")


def _sources(page: Page, customers: Schema, events: Sequence[Schema], consent: Schema | None, out: Path) -> None:
    page.add("sources:", "  customers:", f"    {_address(customers.table, out)}")
    own = _id(page, customers, "sources.customers.id", 4)
    if consent is None:
        question = "The table with consents and objections: purpose, state, recorded_at, expires_at and the customer's id."
        page.fill("sources.consent", "consent:", question, 2)
        page.add("    path:")
    else:
        page.add("  consent:", f"    {_address(consent.table, out)}")
        found = consent.find(own or "customer_id", "customer_id") or id_of(consent)
        if found is None:
            _id(page, consent, "sources.consent.id", 4)
        elif found != "customer_id":
            page.add(f"    id: {scalar(found)}")
        if lacking := [name for name in CONSENT if consent.find(name) is None]:
            page.add("    columns:")
        for column in lacking:
            page.fill(f"sources.consent.columns.{column}", f"{column}:", f"What does the table call the column {column}?", 6)
        if consent.find("expires_at") is None:
            page.note("Without a column expires_at a consent holds until it is withdrawn.", 4)
    if events:
        page.add("  events:")
    for source, name in zip(events, source_names(events), strict=True):
        page.add(f"    {scalar(name)}:", f"      {_address(source.table, out)}")
        found = source.find(own) if own else None
        if found:
            page.add(f"      id: {scalar(found)}")
        else:
            _id(page, source, f"sources.events.{name}.id", 6)
        time = time_of(source)
        if time is None:
            page.fill(f"sources.events.{name}.time", "time:", "No column holds a time or a date. When did the event happen?", 6)
            continue
        if sum(column.kind in ("timestamp", "timestamp_ntz", "date") for column in source.columns) > 1:
            page.ask("Is this the time at which the event happened? The table has other times too.", 6)
        page.add(f"      time: {scalar(time)}")
        page.ask("How far back do events count?", 6)
        page.add(f"      where: {scalar(f'{quoted_column(time)} >= as_of - interval 365 days')}")
    page.add("")


def _id(page: Page, schema: Schema, key: str, indent: int) -> str | None:
    found = id_of(schema)
    if found is None:
        page.fill(key, "id:", "Which column is the customer's id?", indent)
    else:
        page.add(" " * indent + f"id: {scalar(found)}")
    return found


def _part(page: Page, key: str, part: Page, says: Sequence[str], lacks: str) -> None:
    for sentence in says:
        page.note(sentence)
    if part.lines:
        page.add(f"{key}:")
        page.take(part)
    else:
        page.fill(key, f"{key}:", lacks)
    page.add("")


def _not_used(page: Page, unused: Sequence[Unused]) -> None:
    if not unused:
        return
    page.note("Not used, so a run does not read them:")
    for one in unused:
        lines = textwrap.wrap(
            printable(f"{one.column.name} ({one.column.kind}), {one.why}"),
            WIDTH,
            initial_indent="#   ",
            subsequent_indent="#     ",
        )
        page.add(*lines)
    page.add("")


def _rest(page: Page) -> None:
    page.add("segments:", "  k: {at_least: 3, at_most: 8}", "", "privacy:")
    page.ask("How much may one run tell about a customer? 1 is common; `evenhand check` says what the noise leaves.", 2)
    page.add("  epsilon: 1.0")
    page.ask("Who are these people? Plans on the same people name the same population and share the open zone.", 2)
    page.add("  population: customers")
    page.ask("How much may all runs together tell about a customer?", 2)
    page.add("  population_total: 10.0")
    question = "About how many customers may be used? A public estimate, not a count of the table."
    page.fill("privacy.expected_customers", "expected_customers:", question, 2)
    page.add("", "pseudonyms:", "  key_id: key-1")
    page.note("Make it once, readable for you alone: (umask 077; openssl rand -hex 32 > key)", 2)
    page.add("  key_file: key", "", "fairness:")
    page.ask("Is an uneven run reported, or blocked so that nothing is published?", 2)
    page.add("  when_uneven: report", "")


def _output(page: Page, customers: Table, out: Path) -> None:
    """Folders for tables by path, schemas for tables by name."""
    page.add("output:")
    place = "folder" if customers.name is None else "schema"
    page.ask(f"Who may read which {place}? The restricted one holds rows about people, under pseudonyms.", 2)
    if customers.name is None:
        page.add("  restricted: {path: restricted}", "  open: {path: open}")
    else:
        page.note("Schemas of the catalog. Make them first; nobody but Evenhand writes there.", 2)
        catalog, _, _ = customers.name.rpartition(".")[0].rpartition(".")
        own = re.sub(r"\W", "_", allowed_name(out.stem) or "segments")
        for zone in ("restricted", "open", "erasures"):
            name = scalar(f"{catalog}.{own}_{zone}" if catalog else f"{own}_{zone}")
            page.add(f"  {zone}: {{schema: {name}}}")
    page.add("  reports: reports")


def _notice(page: Page, unused: Sequence[Unused]) -> None:
    """What the notice to customers needs, as a comment: a plan is sound without it."""
    page.add("")
    page.note("What customers are told of all this: take the # away from here on, write in who you are, and make the page by")
    page.add("# evenhand notice --plan PLAN --to FOLDER")
    page.add(
        "# contact:",
        "#   controller: The company that decides, and its address",
        "#   reach: Where customers ask, object and complain",
    )
    page.add("# notice:", '#   version: "1.0"', "#   languages: [en]")
    page.add("#   recipients: []  # who else gets data about customers, and why")
    names = {one.column.name.lower(): one.column.name for one in unused if words(one.column.name) & PEOPLE}
    if promised := [scalar(name) for name in names.values() if name.isprintable()]:
        page.add("#   never_used:  # columns that you promise never to read", *(f"#     - {name}" for name in promised))


def source_names(events: Sequence[Schema]) -> list[str]:
    """A name for each table of events, from the last part of its path or name."""
    names, taken = list[str](), {"customers", "consent"}
    for number, source in enumerate(events, 1):
        last = source.table.address.rstrip("/").replace("/", ".").rsplit(".", 1)[-1].strip("`")
        name = allowed_name(last) or f"events_{number}"
        names.append(name if name not in taken else f"{name[:36]}_{number}")
        taken.add(names[-1])
    return names


def _address(table: Table, out: Path) -> str:
    if table.path is None:
        return f"name: {scalar(str(table.name))}"
    if ":/" in table.path:
        return f"path: {scalar(table.path)}"
    near = os.path.relpath(table.path, out.absolute().parent)
    return f"path: {scalar(os.path.abspath(table.path) if near.startswith('..') else near)}"
