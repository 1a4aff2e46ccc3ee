"""One run of a plan: its id, its point in time, its pinned sources, and what is visible of it.

A run that is started again under its id resumes: what is stored is read back, the budget is not spent twice, noise is
not drawn again. Nothing of it counts as published before the one row in `runs` that says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any, TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from evenhand.ask.bounds import magnitude_histograms, with_found_bounds
from evenhand.erasure.erase import clean_restored
from evenhand.erasure.listed import heeding
from evenhand.errors import Busy, RunConflict
from evenhand.job.arguments import checked_id
from evenhand.job.end import logged, to_its_end
from evenhand.job.ended import blocked
from evenhand.job.writes import AT_ONCE, Write, beside
from evenhand.plan.load import canonical, fingerprint
from evenhand.plan.method import questions_of
from evenhand.plan.models import Plan
from evenhand.prepare.keys import refuse_other_key
from evenhand.prepare.magnitudes import magnitudes
from evenhand.prepare.sources import Sources
from evenhand.privacy.noise import NoiseSource
from evenhand.privacy.question import Question
from evenhand.privacy.release import Ask, Door, Release
from evenhand.records.account import Loss
from evenhand.records.audit import APPROVE, BLOCK, PUBLISH, RESUME, START, AuditLog, Entry, known_keys, spent_by
from evenhand.records.lease import Lease
from evenhand.records.ledger import Ledger
from evenhand.records.notice import refuse_silent_change
from evenhand.records.origin import Origin
from evenhand.records.runs import (
    BLOCKED,
    ENDED,
    PUBLISHED,
    RUNNING,
    check_goes_on,
    end_key,
    last_state,
    left_behind,
    new_id,
    resumed,
)
from evenhand.records.statement import statement
from evenhand.report.page import report_path
from evenhand.sources.open import open_sources, people_of, pin_versions
from evenhand.spark.session import settings
from evenhand.tables.arrow import timestamp
from evenhand.tables.catalog import INPUT_QUALITY, RUNS, SEGMENT_CENTERS, TableSpec
from evenhand.tables.paths import require_file
from evenhand.tables.store import Store
from evenhand.version import __version__

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """What every step works on."""

    plan: Plan
    spark: SparkSession
    store: Store
    audit: AuditLog
    run_id: str
    as_of: datetime
    sources: Sources
    found: Any | None  # its row in `runs` where it is resumed
    noise: NoiseSource
    say: Callable[[str], None]
    keys: Mapping[str, str]  # by key_id the check value of its key, as the audit log has it
    ledger: Ledger
    _door: Door
    lease: Lease
    _pool: ThreadPoolExecutor
    begun: list[Future[None]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)  # how, once it has come to its end
    origin: Origin | None = None  # the run whose centers it takes, learning nothing and spending nothing
    steps: list[str] = field(default_factory=list)  # begun by this process, for the audit log, should one fail

    @classmethod
    @contextmanager
    def open(
        cls,
        plan: Plan,
        spark: SparkSession,
        run_id: str | None,
        as_of: datetime | None,
        noise: NoiseSource,
        say: Callable[[str], None],
        may_start: bool = True,
        origin: Origin | None = None,
    ) -> Iterator[Run]:
        """Start a run if that is allowed, or resume the one with this id; the session's settings are put back at the end.

        With an `origin` it takes that run's centers: it can ask nothing, and needs no budget.

        Raises:
            RunConflict: the id belongs to another plan or another `as_of`, or to no run and none may be started.
            Busy: another process has the run.
            SourceError, OutputError: a table does not fit; nothing was written.
        """
        private = noise.private if origin is None else origin.private
        given, run_id = run_id is not None, checked_id(run_id) if run_id is not None else new_id(plan)
        if origin is None:
            require_file(report_path(plan, run_id), "output.reports")  # found out after the work, it would have cost the budget
        with settings(spark, plan.time_zone), ThreadPoolExecutor(AT_ONCE) as pool:
            store = Store(spark, plan.output)
            newest = pool.submit(pin_versions, spark, plan)  # beside the checks: both are mostly waiting
            people = pool.submit(people_of, spark, plan)
            store.refuse_foreign_content()
            audit = AuditLog(store)
            if people.exception() is not None:
                newest.result()  # which says of every source what is wrong with it
            ledger = Ledger(store, audit, plan.privacy, people.result(), private)
            unbroken = pool.submit(audit.check)
            spends = Loss.of(plan.privacy), partial(_spent, unbroken)
            affordable = pool.submit(ledger.refuse, run_id, *spends) if origin is None else None
            left_over = pool.submit(left_behind, store, run_id) if given else None
            told = pool.submit(refuse_silent_change, store, plan)
            found = last_state(store, run_id)
            if found is None and not may_start:
                raise RunConflict(f"--run-id: there is no run {run_id}; run the step prepare first, under the same id")
            if found is None and left_over and (left := left_over.result()):
                raise RunConflict(f"--run-id: {left} holds rows of run {run_id}, which is not in `runs`; take another id")
            if found is None:
                told.result()
                moment, versions = as_of or datetime.now(UTC), newest.result()
            else:
                moment, versions, status = resumed(found, plan, as_of, None if origin is None else origin.run_id)
                if status in ENDED:
                    raise Busy(f"--run-id: another process has just brought run {run_id} to its end; start it again")
                check_goes_on(found, private)
            clean_restored(plan, store, audit, unbroken.result(), say)
            sources = open_sources(spark, plan, versions)  # refuses a source that does not fit before anything is written
            keys = known_keys(unbroken.result())
            # A key that cannot be used is refused before anything is written.
            check = refuse_other_key(plan.pseudonyms, keys) if found is None else None
            door = Door(store, ledger, noise, run_id, {} if origin else questions_of(plan), found is not None)
            lease, said = Lease(store, run_id), statement(plan, moment, versions, private, check, origin)
            given_over = (store, audit, run_id, moment, sources, found, noise, say, keys, ledger, door, lease, pool)
            this = cls(plan, spark, *given_over, origin=origin)
            with logged(this), to_its_end(this):
                if affordable is not None:
                    affordable.result()
                this._start(said)
                yield this
                this.begin()

    def _start(self, said: Mapping[str, object]) -> None:
        """Take the run, then write down that it has begun, or goes on."""
        taken = self._pool.submit(self.take)

        def written(write: Callable[[], None]) -> None:
            taken.result()
            write()

        action = START if self.found is None else RESUME
        self.begun.append(self._pool.submit(written, lambda: self.audit.add(self.run_id, action, said)))
        if self.found is None or self.found.status != RUNNING:
            self.begun.append(self._pool.submit(written, lambda: self.record(RUNNING)))

    def take_first(self) -> None:
        """Take the run before anything of it is written, where it has not begun."""
        self.begun.append(self._pool.submit(self.take))

    def take(self) -> None:
        """Raises Busy when another process has the run, or has had it since its state was read."""
        if self.lease.take():
            return
        now = last_state(self.store, self.run_id)
        if _standing(now) != _standing(self.found):
            raise Busy(f"--run-id: another process was at run {self.run_id} until this moment; start it again")

    @property
    def option(self) -> str:
        """By which it is started again."""
        return "--run-id" if self.origin is None else "--scoring"

    @property
    def stands_at(self) -> str:
        """The step that a resumed run goes on with."""
        if self.store.rows(SEGMENT_CENTERS, self.run_id) is not None:
            return "assess"
        # Not whether there are customers: that is theirs to keep.
        return "prepare" if self.store.rows(INPUT_QUALITY, self.run_id) is None else "segment"

    def ask_about(self, people: DataFrame) -> Ask:
        """Ask about these rows, by the door; it opens once the run has begun: a log that takes no entry costs no budget."""

        def ask(*questions: Question) -> list[Release]:
            self.begin()
            self.lease.require()
            return self._door.release(people, *questions)

        return ask

    def begin(self) -> None:
        """Wait until the audit log and `runs` say that the run has begun.

        Before it leaves anything: started again, it would else be taken for a new run, with what it left of another moment.
        """
        for written in self.begun:
            written.result()

    @cached_property
    def heeded(self) -> Sources:
        """The sources, with an objection of everybody who was erased; read once the run is taken, after which nobody can be."""
        self.begin()
        return heeding(self.sources, self.plan, self.store, self.keys, self.as_of)

    @cached_property
    def bounded(self) -> Plan:
        """The plan with bounds for every feature: what it leaves out is found privately, once, and read back afterwards.

        With an origin they are those that it has found.

        Raises:
            DataError: the noise is too large to find them.
        """
        if self.origin is not None:
            return self.origin.bounded(self.plan)
        return with_found_bounds(self.magnitudes, self.plan) if self.plan.to_find else self.plan

    @cached_property
    def magnitudes(self) -> Release:
        """The noisy histograms of the features whose bounds the plan leaves out."""
        (found,) = self.ask_about(magnitudes(self.heeded, self.plan, self.as_of))(magnitude_histograms(self.plan))
        return found

    def write(self, spec: TableSpec, rows: DataFrame | pa.Table) -> None:
        """Write rows of the run into a table; those that stand there already stay."""
        self.store.write(spec, rows, self.run_id)

    def writes(self) -> AbstractContextManager[Write]:
        """Writes beside each other, all done when the block ends; rows that take long to make may be given as a function."""
        return beside(self._pool, self.write)

    def meanwhile(self, read: Callable[[], T]) -> Callable[[], T]:
        """Do a small read beside the work on the people; what is handed back waits for it."""
        return self._pool.submit(read).result

    def record(self, status: str, reasons: list[str] | None = None) -> None:
        """Add the run's new status to `runs`, in one commit; with `published` everything of it becomes visible at once."""
        row = {
            "run_id": [self.run_id],
            "status": [status],
            "reasons": pa.array([reasons or []], pa.list_(pa.string())),
            "version": [__version__],
            "plan_name": [self.plan.name],
            "plan_fingerprint": [fingerprint(self.plan)],
            "plan": [canonical(self.plan)],
            "sources": [json.dumps(self.sources.versions, sort_keys=True)],
            "as_of": timestamp(self.as_of),
            "centers_of": pa.array([self.origin and self.origin.run_id], pa.string()),
            "centers_as_of": pa.array([self.origin and self.origin.as_of], pa.timestamp("us", "UTC")),
            "epsilon": [0.0 if self.origin else self.plan.privacy.epsilon],
            "delta": pa.array([None if self.origin else self.plan.privacy.delta], pa.float64()),
            "not_private": [not (self.origin or self.noise).private],
            "at": timestamp(datetime.now(UTC)),
        }
        if status in ENDED:  # once, whoever else has come to the end meanwhile
            self.store.append_once(RUNS, pa.table(row), end_key(self.run_id))
            self.ended.append(status)
        else:
            self.store.write(RUNS, pa.table(row), self.run_id)

    def publish(self, findings: list[str], blocking: list[str]) -> None:
        """Make the run visible with its findings, or block it for some of them.

        Raises:
            Blocked: with those that block; nothing is visible.
        """
        self.begin()
        self._log_once(BLOCK if blocking else APPROVE, findings)  # nothing is visible that the log lacks
        self.lease.require()
        self.record(BLOCKED if blocking else PUBLISHED, findings)
        self.lease.end(release=False)  # nobody else goes on with what has ended
        if blocking:
            raise blocked(self.run_id, blocking)
        self._log_once(PUBLISH, findings)

    def _log_once(self, action: str, findings: list[str]) -> None:
        add = self.audit.add if self.found is None else self.audit.add_once  # a new run has no entry yet
        add(self.run_id, action, {"findings": findings})


def _standing(state: Any | None) -> tuple[str, int] | None:
    return None if state is None else (state.status, state.as_of)


def _spent(entries: Future[list[Entry]]) -> dict[str, float]:
    return spent_by(entries.result())
