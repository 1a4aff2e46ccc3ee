"""Which columns of which source a plan needs: exactly these are read, and `--check` prints them with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from evenhand.plan.data import KeepLatest, Table
from evenhand.plan.expressions import inspect_row
from evenhand.plan.models import Plan

CUSTOMERS, CONSENT = "customers", "consent"
# What a run reads of consent, by the column's own name. Who said it, how, and in which language, no run needs to know.
CONSENT_FIELDS = {
    "purpose": "who may be included",
    "state": "who may be included",
    "recorded_at": "who may be included",
    "expires_at": "who may be included",
    "attribute": "which of somebody's columns may not be used",
    "signal": "whether a signal says so, which is never a yes",
    "notice_version": "a consent under an older notice than minimum_notice_version does not count",
}


def source_tables(plan: Plan) -> dict[str, Table]:
    """The tables that a plan reads, by source."""
    return {CUSTOMERS: plan.sources.customers, CONSENT: plan.sources.consent, **plan.sources.events}


def needed_columns(plan: Plan) -> dict[str, list[str]]:
    """Columns by source, in order of first use, each once (Spark compares names without case)."""
    needed: dict[str, dict[str, str]] = {CUSTOMERS: {}, CONSENT: {}, **{name: {} for name in plan.sources.events}}
    for source, column, _ in reasons(plan):
        needed[source].setdefault(column.lower(), column)
    return {source: list(columns.values()) for source, columns in needed.items()}


def optional_columns(plan: Plan) -> set[tuple[str, str]]:
    """The columns, by source and lower-case name, that are read where they are there."""
    columns = plan.sources.consent.columns
    found = {field for field in CONSENT_FIELDS if columns.may_lack(field)}
    if plan.sources.consent.minimum_notice_version:
        found.discard("notice_version")
    return {(CONSENT, field) for field in found}


def id_columns(plan: Plan) -> dict[str, str]:
    """The column that says whose a row is, by source."""
    sources = plan.sources
    return {CUSTOMERS: sources.customers.id, CONSENT: sources.consent.id, **{n: e.id for n, e in sources.events.items()}}


def reasons(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Every use of a column: source, column, why."""
    customers = plan.sources.customers
    yield CUSTOMERS, customers.id, "who it is; becomes a pseudonym"
    if isinstance(customers.duplicates, KeepLatest):
        yield CUSTOMERS, customers.duplicates.keep_latest_by, "which of several rows of one customer is kept"
    for feature in plan.features:
        for column in feature.columns if feature.events is None else ():
            yield CUSTOMERS, column, f"feature {feature.name}: {feature.why}"
    for attribute in plan.protected:
        yield CUSTOMERS, attribute.column, f"protected attribute {attribute.name}: {attribute.why}"
    yield CONSENT, plan.sources.consent.id, "whose decision it is"
    for field, why in CONSENT_FIELDS.items():
        if field != "notice_version" or plan.sources.consent.minimum_notice_version:
            yield CONSENT, plan.sources.consent.columns.of(field), why
    for name, events in plan.sources.events.items():
        yield name, events.id, "whose event it is"
        yield name, events.time, "only events before the run's point in time count"
        for column in inspect_row(events.where) if events.where else ():
            yield name, column, f"which events count: {events.where}"
        for feature in plan.features:
            if feature.events == name:
                for column in feature.columns:
                    yield name, column, f"feature {feature.name}: {feature.why}"
