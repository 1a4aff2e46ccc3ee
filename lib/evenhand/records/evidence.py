"""What other tables than the ledger know of spending: put back from an old copy, the ledger does not know of it."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.records.book import Evidence
from evenhand.records.runs import ENDED
from evenhand.tables.catalog import BUDGET_ENTRIES, RELEASES, RUNS
from evenhand.tables.store import Store


def evidence(store: Store) -> list[Evidence]:
    """Each run that has spent, by each table that knows so: an answer is stored, priced, or the run has ended."""
    not_private, unknown = F.col("not_private"), F.lit(None).cast("boolean")
    says = {RELEASES: (F.lit(True), not_private), BUDGET_ENTRIES: (F.lit(True), unknown)}
    # Of another status it need not have spent anything, and with the centers of another run it has not.
    says[RUNS] = (F.col("status").isin(*ENDED) & F.col("centers_of").isNull(), not_private)
    found: list[DataFrame] = [
        store.read(table).where(which).select(F.lit(store.address(table)), "run_id", flag)
        for table, (which, flag) in says.items()
        if store.exists(table)
    ]
    return [tuple(row) for row in reduce(DataFrame.unionAll, found).distinct().collect()] if found else []
