"""The whole ledger of a zone, as it stands at one moment: the entries of all populations, numbered as one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import Row

from evenhand.errors import IntegrityError, OutputError
from evenhand.plan.privacy import Privacy
from evenhand.records.account import SLACK, Account
from evenhand.records.people import People, check_people

Evidence = tuple[str, str, bool | None]  # a table, a run, and whether the table says of it that it is not private


@dataclass(frozen=True)
class Book:
    """All rows of `budget`, in order; `address` names the table in errors."""

    entries: tuple[Row, ...]
    address: str

    @classmethod
    def of(cls, entries: Iterable[Row], address: str) -> Book:
        """Raises IntegrityError where an entry is missing or stands twice; they are numbered from 1."""
        found = tuple(sorted(entries, key=lambda e: e.number))
        if [e.number for e in found] != list(range(1, len(found) + 1)):
            raise IntegrityError(
                f"the ledger ({address}) lacks an entry, or has one twice: its {len(found)} entries are not numbered from 1 to "
                f"{len(found)}; put the newest version back; nothing was spent, nothing was released"
            )
        return cls(found, address)

    def account(self, privacy: Privacy) -> Account:
        """Of the plan's population; without any entry, as the plan opens it."""
        return Account.of([e for e in self.entries if e.population == privacy.population], privacy)

    @cached_property
    def of_run(self) -> dict[str, Row]:
        return {e.run_id: e for e in self.entries}

    def check_people(self, privacy: Privacy, mine: People) -> None:
        """Raises PlanError as `people.check_people`."""
        spent = [(e.population, People(e.customers_table, e.customers_location, e.id_column)) for e in self.entries]
        check_people(spent, privacy, mine)

    def check_noise(self, private: bool) -> None:
        """All entries of a zone are of one kind: spent with private noise, or all without.

        Raises:
            OutputError: exact answers beside private ones would pass for such.
        """
        if any(e.not_private == private for e in self.entries):
            if private:
                holds, which = "answers that are not private, and a private run would stand beside them", "this run"
            else:
                holds, which = "a ledger, and noise that is not private does not enter its zone", "runs without private noise"
            raise OutputError(f"{self.address} holds {holds}; name other zones for {which}; nothing was spent")

    def check_logged(self, logged: Mapping[str, float]) -> None:
        """Compare with the ε that each run spent by the audit log, which must have been read before the ledger.

        Raises:
            IntegrityError: the ledger does not know of it.
        """
        gone = [r for r, epsilon in logged.items() if r not in self.of_run or abs(self.of_run[r].epsilon - epsilon) > SLACK]
        self._refuse_lack("stands in the audit log", gone)

    def check_evidence(self, evidence: Sequence[Evidence]) -> None:
        """Compare with what other tables know of spending, which must have been read before the ledger.

        Raises:
            IntegrityError: the ledger does not know of a run, or knows that its noise was of the other kind.
        """
        for table in dict.fromkeys(table for table, *_ in evidence):
            unknown = {run for where, run, _ in evidence if where == table and run not in self.of_run}
            self._refuse_lack(f"stands in {table}", unknown)
        for table, run, not_private in sorted(evidence, key=lambda e: e[:2]):
            if not_private is not None and not_private != self.of_run[run].not_private:
                says, spent = ("not private", "private") if not_private else ("private", "not private")
                raise IntegrityError(
                    f"{table} says of run {run} that it is {says}, and the ledger ({self.address}) that it is {spent}; find out who "
                    "wrote it; nothing was released"
                )

    def _refuse_lack(self, stands: str, runs: Collection[str]) -> None:
        if runs:
            gone = sorted(runs)
            shown = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
            raise IntegrityError(
                f"the ledger ({self.address}) lacks spending that {stands}, of run {shown}: it was rolled back or replaced, or is "
                "that of another zone; put the newest back; nothing was released"
            )
