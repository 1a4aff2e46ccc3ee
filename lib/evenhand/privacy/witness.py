"""A record of the spending outside the ledger, in the other zone: a ledger that was rolled back or replaced contradicts it.

Each spending is witnessed after it and before any noise. A process that dies in between leaves a spending without
a witness, which is no contradiction; resumed, the run is witnessed. The audit log is to take this record over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pyarrow as pa
from pyspark.sql import functions as F

from evenhand.errors import IntegrityError
from evenhand.privacy.account import SLACK, Account
from evenhand.tables.catalog import BUDGET, LEDGER_WITNESS
from evenhand.tables.store import Store, timestamp


class Witness:
    def __init__(self, store: Store, population: str) -> None:
        self._store, self._population = store, population

    def seen(self) -> dict[str, float]:
        """The ε that each run was seen to spend."""
        if not self._store.exists(LEDGER_WITNESS):
            return {}
        mine = self._store.read(LEDGER_WITNESS).where(F.col("population") == self._population)
        return {row.run_id: row.epsilon for row in mine.select("run_id", "epsilon").collect()}

    def record(self, run_id: str, epsilon: float) -> None:
        """One small append, which conflicts with nobody else's."""
        row = {"population": [self._population], "run_id": [run_id], "epsilon": [epsilon], "at": timestamp(datetime.now(UTC))}
        self._store.append_once(LEDGER_WITNESS, pa.table(row), f"{self._population}/{run_id}")

    def check(self, seen: Mapping[str, float], account: Account) -> None:
        """Compare what was seen with the ledger's account, which must have been read after it.

        Raises:
            IntegrityError: the ledger does not know of a spending that was witnessed.
        """
        known = account.losses
        gone = sorted(run for run, epsilon in seen.items() if run not in known or abs(known[run].epsilon - epsilon) > SLACK)
        if gone:
            shown = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
            raise IntegrityError(
                f"the ledger of population {self._population} ({self._store.address(BUDGET)}) lacks spending that was "
                f"witnessed, of run {shown}: it was rolled back or replaced; put the newest back; nothing was released"
            )
