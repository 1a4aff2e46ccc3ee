"""Features and protected attributes of a proposed plan, column by column."""

from __future__ import annotations

from evenhand.plan.expressions import quoted_column
from evenhand.propose.page import Page, scalar
from evenhand.propose.roles import (
    TIMES,
    WHOLE,
    Names,
    Unused,
    amount_of,
    bands_of,
    id_of,
    is_protected,
    time_of,
    why_no_feature,
    why_not_measured,
)
from evenhand.propose.schemas import Column, Schema

MOST_ATTRIBUTES = 20
NONE = "    missing: 0  # QUESTION: bounds"
PARTS = ("recency", "frequency", "monetary")
YEAR = "    bounds: [0, 365]\n    missing: 365\n    unit: days"


def customer_columns(
    features: Page, attributes: Page, customers: Schema, names: Names, room: int
) -> tuple[tuple[int, int], list[Unused]]:
    """Writes what is proposed; hands back how many features and attributes that is, and the columns that are not used."""
    unused: list[Unused] = []
    of_features, of_attributes = 0, 0
    for column in customers.columns:
        if column.name == id_of(customers):
            continue
        if is_protected(column):
            why = why_not_measured(column) or ("a plan has at most 20 attributes" if of_attributes == MOST_ATTRIBUTES else None)
            if why is None:
                _attribute(attributes, column, names)
                of_attributes += 1
        else:
            why = why_no_feature(column) or ("a plan has at most 60 features" if of_features >= room else None)
            if why is None:
                _column_feature(features, column, names)
                of_features += 1
        if why is not None:
            unused.append(Unused(column, f"of customers: {why}"))
    return (of_features, of_attributes), unused


def _attribute(page: Page, column: Column, names: Names) -> None:
    name, bands = names.take(column.name), bands_of(column)
    page.add(f"  - name: {scalar(name)}", "    why: equal treatment law", f"    column: {scalar(column.name)}")
    if bands is not None:
        page.ask("Between which ages, or years, are groups told apart?", 4)
        page.add(f"    bands: {bands}")
    elif column.kind == "boolean":
        page.add('    groups: {"yes": [true], "no": [false]}', "    others: null")
    else:
        example = "{female: [female, f], male: [male, m]}" if column.kind == "string" else "{first: [1], second: [2]}"
        question = f"Which values are which group? Rows were not read. For instance {example}"
        page.fill(f"protected.{name}.groups", "groups:", question, 4)


def _column_feature(page: Page, column: Column, names: Names) -> None:
    page.add(f"  - name: {scalar(names.take(column.name))}")
    page.add(
        f"    why: {scalar(f'{_human(column.name)}, as the customer table has it')}  # QUESTION",
        f"    column: {scalar(column.name)}",
    )
    if column.kind == "boolean":
        page.add("    bounds: [0, 1]", "    missing: 0")
        return
    page.add("    missing: 0  # QUESTION: bounds, missing")


def event_columns(page: Page, source: Schema, name: str, customers: Schema, names: Names, room: int) -> tuple[int, list[Unused]]:
    time, unused = time_of(source), list[Unused]()
    used = {time, id_of(source), *(source.find(found) for found in [id_of(customers)] if found)}
    guarded = {c.name.lower() for c in customers.columns if is_protected(c)}
    amount = amount_of(source)
    made = 0
    if time is not None and amount is not None and amount not in used and amount.lower() not in guarded and room >= len(PARTS):
        made = _rfm(page, name, amount, names)
    if made:
        used, room = {*used, amount}, room - made
    proposed = [] if made else [(f"{name}_count", "count(*)", NONE, f"how often a customer is in {_human(name)}")]
    if time is not None and not made:
        proposed.append(
            (
                f"{name}_days_since",
                f"datediff(as_of, max({quoted_column(time)}))",
                YEAR,
                f"how lately a customer was in {_human(name)}",
            )
        )
    for column in source.columns:
        if column.name in used:
            continue
        why = "another time" if column.kind in TIMES else why_no_feature(column)
        if column.kind in WHOLE and column.name.lower() in (name.lower(), name.lower().removesuffix("s")):
            why = "named like its table: a number that names something and measures nothing"
        if column.name.lower() in guarded:
            why = "has the name of a protected attribute of the customers, which must not be a feature"
        if why is None and len(proposed) < room:
            of = quoted_column(column.name)
            value = f"if({of}, 1, 0)" if column.kind == "boolean" else of
            proposed.append(
                (
                    f"{name}_{column.name}",
                    f"sum({value})",
                    NONE,
                    f"how much {_human(column.name)} a customer has in {_human(name)}",
                )
            )
        else:
            unused.append(Unused(column, f"of {name}: {why or 'a plan has at most 60 features'}"))
    for feature, expression, rest, says in proposed[: max(room, 0)]:
        page.add(f"  - name: {scalar(names.take(feature))}")
        page.add(
            f"    why: {scalar(says)}  # QUESTION",
            f"    events: {scalar(name)}",
            f"    expression: {scalar(expression)}",
            rest,
        )
    return made + len(proposed[: max(room, 0)]), unused


def _rfm(page: Page, source: str, amount: str, names: Names) -> int:
    """One entry for three features; how many it made, none where their names are taken."""
    prefix = source[:30].rstrip("_")
    before = next((p for p in ("", prefix) if names.take_all([f"{p}_{part}" if p else part for part in PARTS])), None)
    if before is None:
        return 0
    page.add("  - kind: rfm  # three features: recency, frequency and monetary")
    if before:
        page.add(f"    name: {scalar(before)}")
    page.add(
        f"    why: {scalar(f'how lately, how often and for how much a customer is in {_human(source)}')}  # QUESTION",
        f"    events: {scalar(source)}",
        f"    amount: {scalar(amount)}",
    )
    page.ask("Days, events, and amounts in their unit: between which values are customers told apart?", 4)
    page.add("    bounds: {recency: [0, 365], frequency: [0, 100], monetary: [0, 10000]}")
    return len(PARTS)


def _human(name: str) -> str:
    return name.replace("_", " ")
