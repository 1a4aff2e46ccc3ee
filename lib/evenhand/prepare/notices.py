"""Whether a consent was given under a notice that is too old."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from evenhand.plan.consent import DAY, NUMBERS, is_day, numbers_of
from evenhand.prepare.ids import trimmed


def is_older(version: Column, minimum: str) -> Column:
    """Whether a version is older than the minimum, or cannot be compared with it, which counts as older; never null.

    Days are compared with days (2026-03-01). Numbers with points are compared with such, number by number: 2.10 is newer than
    2.9, 2.0 is 2, and a v before them says nothing.
    """
    text = trimmed(version)
    if is_day(minimum):
        reached = text.rlike(f"^{DAY}$") & (text >= minimum)
    else:
        bare = F.regexp_replace(F.regexp_replace(text, "^[vV]", ""), "([.]0+)+$", "")
        least = F.array(*[F.lit(number).cast("bigint") for number in numbers_of(minimum)])
        reached = text.rlike(f"^{NUMBERS}$") & (F.split(bare, "[.]").cast("array<bigint>") >= least)
    return ~F.coalesce(reached, F.lit(False))
