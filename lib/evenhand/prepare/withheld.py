"""What people do not let be used of them: a consent event may name a column ("do not use my income")."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from evenhand.plan.columns import CUSTOMERS, id_columns
from evenhand.plan.expressions import quoted_column
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, LATEST, identified, is_blank, is_no, latest_decision
from evenhand.prepare.ids import trimmed
from evenhand.prepare.sources import Sources

WITHHELD = "_withheld"


def as_permitted(sources: Sources, plan: Plan, as_of: Column) -> Sources:
    """The sources in which every column that a person withholds is null on that person's rows, before any expression sees it.

    An event names a column of whatever source has it (`income`), or of one source (`purchases.amount`), without regard to case.
    Who withholds the id of a source is in that source as if without an id, and so nobody.
    """
    found = withheld(sources.consent, plan, as_of)
    if found is None:
        return sources
    ids = id_columns(plan)

    def permitted(name: str, rows: DataFrame) -> DataFrame:
        known = identified(rows, ids[name]).join(found, ID, "left")
        return known.select([F.when(~_is_withheld(name, c), F.col(quoted_column(c))).alias(c) for c in rows.columns])

    events = {name: permitted(name, rows) for name, rows in sources.events.items()}
    return replace(sources, customers=permitted(CUSTOMERS, sources.customers), events=events)


def withheld(consent: DataFrame, plan: Plan, as_of: Column) -> DataFrame | None:
    """One row a person who withholds anything: the id and `_withheld`, the names of columns in lower case.

    The latest event of a person on a column decides, as for the person as a whole; without one it may be used. None where the
    events have no column that could name one.
    """
    if "attribute" not in consent.columns:
        return None
    events = identified(consent, plan.sources.consent.id)
    named = events.where(~is_blank(events, "attribute")).withColumn("attribute", F.lower(trimmed(F.col("attribute"))))
    refused = latest_decision(named, plan, as_of, [ID, "attribute"]).where(is_no(F.col(LATEST)))
    return refused.groupBy(ID).agg(F.collect_set("attribute").alias(WITHHELD))


def _is_withheld(source: str, column: str) -> Column:
    names = F.array(F.lower(F.lit(column)), F.lower(F.lit(f"{source}.{column}")))
    return F.coalesce(F.arrays_overlap(F.col(WITHHELD), names), F.lit(False))
