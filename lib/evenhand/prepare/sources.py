"""The tables that a run reads, once they are open."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Sources:
    """The plan's sources at the pinned versions, each with the plan's columns and no others, ids as they are compared.

    The columns of consent have their own names (`plan.consent.ConsentColumns`), whatever the source calls them.
    """

    customers: DataFrame
    consent: DataFrame
    events: dict[str, DataFrame]
    versions: dict[str, int]
    expires: bool = True  # whether consent has a column that says until when
