"""Consent and other events whose id is no customer's: how many there are, and how many miss a customer only
because their id is written in another way.
"""

from __future__ import annotations

from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from evenhand.plan.columns import CONSENT, id_columns
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, counts, has_id, identified, is_grant
from evenhand.prepare.customers import with_ids
from evenhand.prepare.ids import folded, trimmed
from evenhand.prepare.sources import Sources

GRANT, OBJECTION, EVENT = "grant", "objection", "event"
NEAR = ["blanks", "case", "Unicode form", "leading zeros", ".0 at the end", "several of these"]
FEW = 1_000_000  # so many ids fit into the memory of every executor


def unmatched(sources: Sources, plan: Plan) -> DataFrame:
    """Restricted: item, finding, count. How many events match no customer, and how many would but for one difference.

    The customers are compared by a hash of 64 bits: that a stranger's id shares one with a customer's is less likely than one
    in 100,000 at ten million of each, and would lower a count by one.
    """
    missing = _of_nobody(sources, plan)
    found = {(r[0], r[1]): r[2] for r in missing.groupBy("item", "noun").agg(F.count("*")).collect()}
    nouns = [(CONSENT, OBJECTION), (CONSENT, GRANT), *((name, EVENT) for name in plan.sources.events)]
    counts = {(item, f"{noun} that matches no customer"): found.get((item, noun), 0) for item, noun in nouns}
    if isinstance(missing.schema[ID].dataType, StringType):
        near = _near(missing, sources, plan, sum(found.values())) if found else {}
        counts |= {
            (item, f"{noun} that matches no customer but for {kind}"): near.get((item, noun, position), 0)
            for item, noun in nouns
            for position, kind in enumerate(NEAR)
        }
    items, findings = zip(*counts, strict=True)
    return missing.sparkSession.createDataFrame(pa.table({"item": items, "finding": findings, "count": list(counts.values())}))


def said_in_consent(events: DataFrame) -> Column:
    """What a consent event is: a grant, or an objection, which is all else."""
    return F.when(is_grant(events), F.lit(GRANT)).otherwise(F.lit(OBJECTION))


def _of_nobody(sources: Sources, plan: Plan) -> DataFrame:
    """The events with an id that no customer has: item, noun, id."""
    ids = id_columns(plan)
    decisions = sources.consent.where(counts(sources.consent, plan))
    said = said_in_consent(decisions).alias("noun")
    parts = [identified(decisions, ids[CONSENT]).select(ID, F.lit(CONSENT).alias("item"), said)]
    parts += [
        identified(events, ids[name]).select(ID, F.lit(name).alias("item"), F.lit(EVENT).alias("noun"))
        for name, events in sources.events.items()
    ]
    events = reduce(DataFrame.unionByName, parts)
    hashed = events.where(has_id(events)).withColumn("_hash", F.xxhash64(ID))
    customers = with_ids(sources, plan).select(F.xxhash64(ID).alias("_hash"))
    return hashed.join(customers, "_hash", "left_anti").drop("_hash")


def _near(missing: DataFrame, sources: Sources, plan: Plan, events: int) -> dict[tuple[str, str, int], int]:
    """Of the events that match no customer how many would but for a difference of `NEAR`, by item, noun and its position."""
    strangers = missing.groupBy("item", "noun", ID).agg(F.count("*").alias("n")).withColumn("_loose", _loose(F.col(ID)))
    customers = with_ids(sources, plan).select(F.col(ID).alias("_known"), _loose(F.col(ID)).alias("_loose"))
    similar = customers.join(F.broadcast(strangers) if events < FEW else strangers, "_loose")
    kind = F.min(_difference(F.col(ID), F.col("_known"))).alias("kind")
    by_id = similar.groupBy("item", "noun", ID, "n").agg(kind)
    return {(r[0], r[1], r[2]): r[3] for r in by_id.groupBy("item", "noun", "kind").agg(F.sum("n")).collect()}


def _loose(text: Column) -> Column:
    """The id without any of the differences of `NEAR`."""
    return _unicode(_without_zeros(_without_fraction(folded(trimmed(text)))))


def _difference(one: Column, other: Column) -> Column:
    """The position in `NEAR` of what tells two ids apart that are the same loosely."""
    found = F.lit(len(NEAR) - 1)
    alike = [trimmed, folded, _unicode, _without_zeros, _without_fraction]
    for position, form in reversed(list(enumerate(alike))):
        found = F.when(form(one) == form(other), F.lit(position)).otherwise(found)
    return found


def _unicode(text: Column) -> Column:
    """Compared by ICU, for which a letter and its mark are the same as the letter with its mark."""
    return F.collate(text, "UNICODE")


def _without_zeros(text: Column) -> Column:
    return F.regexp_replace(text, "^0+", "")


def _without_fraction(text: Column) -> Column:
    """As a whole number that was once read as a DOUBLE."""
    return F.regexp_replace(text, r"\.0+$", "")
