"""Which columns of which source a plan needs: exactly these are read, and `--check` prints them with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from evenhand.plan.data import KeepLatest, Table
from evenhand.plan.expressions import inspect_row
from evenhand.plan.models import Plan
from evenhand.plan.outcomes import Outcome, Responses
from evenhand.plan.surveys import Answers, Survey

CUSTOMERS, CONSENT = "customers", "consent"
IDS = {CUSTOMERS: "who it is; becomes a pseudonym", CONSENT: "whose decision it is"}
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


Kind = Literal["id", "latest", "feature", "protected", "choice", "time", "where", "question", "answer", "response"]


@dataclass(frozen=True)
class Use:
    """What a run reads a column for. `name` is that of the feature, of the attribute or of consent's field, or the condition; `why`
    is the plan's own reason.
    """

    source: str
    column: str
    kind: Kind
    name: str = ""
    why: str = ""

    @property
    def in_words(self) -> str:
        match self.kind:
            case "id":
                return IDS.get(self.source, "whose event it is")
            case "choice":
                return CONSENT_FIELDS[self.name]
            case "latest":
                return "which of several rows of one customer is kept"
            case "time":
                return "only events before the run's point in time count"
            case "question":
                return "which question it is about"
            case "answer":
                return "which of the plan's options was chosen"
            case "response":
                return "what came of the offer"
            case "where":
                return f"which events count: {self.name}"
            case "feature":
                return f"feature {self.name}: {self.why}"
            case "protected":
                return f"protected attribute {self.name}: {self.why}"


def source_tables(plan: Plan) -> dict[str, Table]:
    """The tables that a run of the plan reads, by source."""
    return {CUSTOMERS: plan.sources.customers, CONSENT: plan.sources.consent, **plan.sources.events}


def all_tables(plan: Plan) -> dict[str, Table]:
    """The tables that a run of the plan, a survey's wave or a count of outcomes reads, by its name."""
    return source_tables(plan) | {asked.name: asked.source for asked in plan.counted_in_waves}


def for_survey(plan: Plan, survey: Survey) -> Plan:
    """The plan of a survey's wave, never to be run: customers and consent for the survey's purpose, and the answers as its only events.

    Only whoever said yes counts.
    """
    return _with_only(plan, survey).model_copy(update={"purpose": survey.purpose, "legal_basis": "consent"})


def for_outcome(plan: Plan, outcome: Outcome) -> Plan:
    """The plan of a count of outcomes, never to be run: customers and consent, and the responses as its only events."""
    return _with_only(plan, outcome)


def _with_only(plan: Plan, asked: Survey | Outcome) -> Plan:
    """Customers are asked for their id alone, so that one who stands on several rows is one."""
    customers = plan.sources.customers.model_copy(update={"duplicates": "leave_out"})
    sources = plan.sources.model_copy(update={"customers": customers, "events": {asked.name: asked.source}})
    return plan.model_copy(update={"sources": sources, "features": [], "protected": []})


def needed_columns(plan: Plan) -> dict[str, list[str]]:
    """Columns by source, in order of first use, each once (Spark compares names without case)."""
    needed: dict[str, dict[str, str]] = {CUSTOMERS: {}, CONSENT: {}, **{name: {} for name in plan.sources.events}}
    for use in uses(plan):
        needed[use.source].setdefault(use.column.lower(), use.column)
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
    """For people every use of what is read: source, column, why. A feature that merely counts rows reads no column, and is told too."""
    yield from ((use.source, use.column, use.in_words) for use in uses(plan))
    for feature in plan.features:
        if feature.events is not None and not feature.columns:
            yield feature.events, "how many rows", f"feature {feature.name}: {feature.why}"


def all_uses(plan: Plan) -> Iterator[Use]:
    """Every use of a column by a run, then those of `later_uses`."""
    yield from uses(plan)
    yield from later_uses(plan)


def later_uses(plan: Plan) -> Iterator[Use]:
    """Every use of a column of the tables of answers to surveys and of responses to offers, which no run reads."""
    for asked in plan.counted_in_waves:
        yield from (use for use in uses(_with_only(plan, asked)) if use.source == asked.name)


def all_reasons(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """As `reasons`, then what is read later."""
    yield from reasons(plan)
    yield from ((use.source, use.column, use.in_words) for use in later_uses(plan))


def uses(plan: Plan) -> Iterator[Use]:
    """Every use of a column, in the order of the plan."""
    customers, consent = plan.sources.customers, plan.sources.consent
    yield Use(CUSTOMERS, customers.id, "id")
    if isinstance(customers.duplicates, KeepLatest):
        yield Use(CUSTOMERS, customers.duplicates.keep_latest_by, "latest")
    for feature in plan.features:
        if feature.category is not None:  # each of a column's features reads it; told once
            if feature.category.others:
                yield Use(CUSTOMERS, feature.category.column, "feature", feature.category.of, feature.why)
            continue
        for column in feature.columns if feature.events is None else ():
            yield Use(CUSTOMERS, column, "feature", feature.name, feature.why)
    for attribute in plan.protected:
        yield Use(CUSTOMERS, attribute.column, "protected", attribute.name, attribute.why)
    yield Use(CONSENT, consent.id, "id")
    for field in CONSENT_FIELDS:
        if field != "notice_version" or consent.minimum_notice_version:
            yield Use(CONSENT, consent.columns.of(field), "choice", field)
    for name, events in plan.sources.events.items():
        yield Use(name, events.id, "id")
        yield Use(name, events.time, "time")
        for column in inspect_row(events.where) if events.where else ():
            yield Use(name, column, "where", events.where or "")
        if isinstance(events, Answers):  # in the plan of a survey's wave
            yield Use(name, events.question, "question")
            yield Use(name, events.answer, "answer")
        if isinstance(events, Responses):  # in the plan of a count of outcomes
            yield Use(name, events.response, "response")
        for feature in plan.features:
            if feature.events == name:
                for column in feature.columns:
                    yield Use(name, column, "feature", feature.name, feature.why)
