"""Who may be included: the latest consent event at or before the run's point in time decides."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, StringType

from evenhand.plan.consent import YES
from evenhand.plan.expressions import quoted_column
from evenhand.plan.models import Plan
from evenhand.prepare.ids import trimmed
from evenhand.prepare.notices import is_older

ID = "_evenhand_id"  # the customer's id, until it becomes a pseudonym; no source has a column of that name
LATEST = "_latest"
EARLIEST = -(2**62)  # some 146,000 years before 1970, in microseconds; what is said to be older counts as that old


def may_be_used(rows: DataFrame, consent: DataFrame, plan: Plan, as_of: Column) -> DataFrame:
    """The rows, with their `_evenhand_id`, of the people who may be used at that moment for the plan's purpose.

    Who they are is decided here alone, by every run and by whatever hands people out later. `consent` is that of
    `prepare.sources.Sources`: further events, such as objections kept elsewhere, are added to it before. What they do not
    let be used of them is decided in `withheld`.
    """
    events = identified(consent, plan.sources.consent.id)
    about_all = events.where(is_blank(events, "attribute"))
    return keep_allowed(rows, latest_decision(about_all, plan, as_of), plan.opt_in)


def identified(rows: DataFrame, id_column: str) -> DataFrame:
    """The rows with their id under `_evenhand_id` too; an expression of the plan may still name the column itself."""
    return rows.withColumn(ID, F.col(quoted_column(id_column)))


def has_id(rows: DataFrame) -> Column:
    """Whether a row's id says who it is: not null, and not empty where it is text or bytes (a number never is)."""
    there, kind = F.col(ID).isNotNull(), rows.schema[ID].dataType
    if isinstance(kind, StringType | BinaryType):
        return there & (F.col(ID) != F.lit("").cast(kind))
    return there


def latest_decision(events: DataFrame, plan: Plan, as_of: Column, by: Sequence[str] = (ID,)) -> DataFrame:
    """One row a customer who ever decided on the plan's purpose: the id and `_latest`, an even number for yes, odd for no.

    Time and answer are packed into one BIGINT, micros * 2 + no, so that the maximum is the latest event and, on a
    tie, the "no"; `max(struct(...))` says the same but makes Spark sort all events.

    Under opt-in whatever is not a grant valid at `as_of` is a no: a withdrawal, an expired grant, an unknown state.
    Under opt-out only an expired grant is no objection. A "no" without a time counts as just recorded; a "yes"
    without a time does not count. A date stands for the start of that day in the plan's zone: on one day the "no" wins, and
    a grant that expires on a day is none on it.
    """
    granted = is_grant(events)
    expired = F.coalesce(F.col("expires_at") <= as_of, F.lit(False))
    no = ~granted | expired if plan.opt_in else ~granted
    time = F.coalesce(F.col("recorded_at"), F.when(no, as_of))
    micros = F.greatest(F.unix_micros(time), F.lit(EARLIEST))  # twice the smallest number of all would be no number
    packed = micros * 2 + no.cast("bigint")
    relevant = counts(events, plan) & F.col(ID).isNotNull() & (time <= as_of)
    # Shuffled before it is counted: most customers have an event or two, so counting on both sides of the shuffle costs more.
    decisions = events.where(relevant).select(*by, packed.alias(LATEST)).repartition(*by)
    return decisions.groupBy(*by).agg(F.max(LATEST).alias(LATEST))


def counts(events: DataFrame, plan: Plan) -> Column:
    """Whether an event is one that the plan heeds, at whatever time; never null.

    Its purpose is the plan's; a "no" without a purpose is one to every purpose. A signal is honored, and says no: that one has
    ended is no consent. A grant was given under a notice that is new enough.
    """
    granted, asked = is_grant(events), plan.sources.consent
    heeded = F.coalesce(F.col("purpose") == plan.purpose, F.lit(False)) | (is_blank(events, "purpose") & ~granted)
    if "signal" in events.columns:
        honored = F.lit(True)
        if asked.signals is not None:
            honored = F.lower(trimmed(F.col("signal"))).isin([name.lower() for name in asked.signals])
        heeded &= is_blank(events, "signal") | (honored & ~granted)
    if asked.minimum_notice_version is not None:
        heeded &= ~(granted & is_older(F.col("notice_version"), asked.minimum_notice_version))
    return heeded


def is_grant(events: DataFrame) -> Column:
    """Whether an event's state is one that counts as a yes (`plan.consent.STATES`); never null."""
    return F.coalesce(F.col("state").isin(*YES), F.lit(False))


def is_blank(events: DataFrame, column: str) -> Column:
    """Whether a column of consent says nothing; so does one that is not there. Never null."""
    if column not in events.columns:
        return F.lit(True)
    return F.coalesce(trimmed(F.col(column)) == "", F.lit(True))


def is_no(decision: Column) -> Column:
    """Whether a packed decision is a no."""
    return decision.bitwiseAND(F.lit(1).cast("bigint")) == 1


def keep_allowed(customers: DataFrame, decisions: DataFrame, opt_in: bool) -> DataFrame:
    """The customers who said yes (opt-in), or who did not say no (opt-out). No event under opt-in means no."""
    no = is_no(F.col(LATEST))
    if opt_in:
        return customers.join(decisions.where(~no).select(ID), ID, "left_semi")
    return customers.join(decisions.where(no).select(ID), ID, "left_anti")
