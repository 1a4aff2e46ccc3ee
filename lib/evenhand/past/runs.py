"""The runs of an open zone: which there are, how each stands, and its results."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from pydantic import ValidationError
from pyspark.sql import Row, SparkSession

from evenhand.errors import ArgumentError, RunConflict
from evenhand.job.ended import bounded
from evenhand.job.result import Result
from evenhand.past.compare import Comparison
from evenhand.plan.data import Output, Place
from evenhand.plan.load import fingerprint
from evenhand.plan.models import Plan
from evenhand.records.runs import ENDED, last_states, started_as_of
from evenhand.spark.errors import no_values_in_errors
from evenhand.spark.session import require_delta, start
from evenhand.tables.store import Store


@dataclass(frozen=True)
class PastRun:
    """How a run stands, as the table `runs` says."""

    run_id: str
    status: str
    plan: str  # its name
    fingerprint: str
    as_of: datetime
    at: datetime  # the day on which it came to this status
    epsilon: float
    findings: tuple[str, ...]
    version: str
    centers_of: str | None  # the run whose segments it put customers into, where it only scored

    def __str__(self) -> str:
        scored = f", scored into the segments of {self.centers_of}" if self.centers_of else ""
        return f"{self.run_id}  {self.status}, plan {self.plan}, as of {self.as_of:%Y-%m-%d %H:%M}{scored}"

    def as_facts(self) -> dict[str, object]:
        return self.__dict__ | {"as_of": self.as_of.isoformat(), "at": self.at.isoformat(), "findings": list(self.findings)}


def runs(where: Plan | str | Path, spark: SparkSession | None = None) -> Runs:
    """The runs in the open zone of a plan, or in the open zone at a path or in a catalog schema; the last day's first, of one
    day the later point in time.

    Raises:
        EvenhandError: one line; the session has no Delta, or the table `runs` cannot be read.
    """
    spark = start("evenhand runs") if spark is None else spark
    require_delta(spark)
    return Runs(where, spark)


class Runs:
    """A list of runs (`PastRun`); `open` hands back the results of one, `compare` those of two side by side."""

    def __init__(self, where: Plan | str | Path, spark: SparkSession) -> None:
        if not isinstance(where, Plan | str | Path):
            raise ArgumentError(f"runs: a plan is needed, or the open zone's path or schema, not a {type(where).__name__}")
        self._plan = where if isinstance(where, Plan) else None
        self._open = where.output.open if isinstance(where, Plan) else _place(str(where))
        restricted = where.output.restricted if isinstance(where, Plan) else self._open  # not known; nothing is read of it here
        self._store = Store(spark, Output.model_construct(restricted=restricted, open=self._open, reports="reports"))
        with no_values_in_errors("runs", "nothing was changed"):
            rows = last_states(self._store)
        # The open zone has no more than the day of `at`.
        self._rows = {row.run_id: row for row in sorted(rows, key=lambda r: (-r.at, -r.as_of, r.run_id))}
        self._list = [_past(row) for row in self._rows.values()]

    def __iter__(self) -> Iterator[PastRun]:
        return iter(self._list)

    def __len__(self) -> int:
        return len(self._list)

    def __getitem__(self, run_id: str) -> PastRun:
        return _past(self._row(run_id))

    def __str__(self) -> str:
        zone = self._open.path or self._open.catalog_schema
        return "\n".join([f"{len(self)} runs in {zone}, the newest first, times in UTC", *(f"  {run}" for run in self)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("run", "status", "plan", "as of (UTC)", "segments of", "ε", "findings"))
        cells = [
            (
                r.run_id,
                r.status,
                r.plan,
                f"{r.as_of:%Y-%m-%d %H:%M}",
                r.centers_of or r.run_id,
                f"{r.epsilon:g}",
                "; ".join(r.findings),
            )
            for r in self
        ]
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells)
        return f"<table><tr>{head}</tr>{rows}</table>"

    def open(self, run_id: str) -> Result:
        """The results of a run that is published or blocked, by the plan that it was done with.

        Where the runs were found by a zone, `segments` and `report` are looked for where that plan's text says; relative paths
        in it then begin in the working directory.

        Raises:
            RunConflict: there is no such run, it has not come to its end or has only scored, or another version's plan cannot be read.
        """
        row = self._row(run_id)
        if row.status not in ENDED:
            raise RunConflict(f"run {run_id} is {row.status}, and has no results yet; start it again and it goes on")
        if row.centers_of is not None:
            raise RunConflict(
                f"run {run_id} put customers into the segments of run {row.centers_of} and measured nothing; open that"
            )
        plan = self._plan_of(row)
        store = Store(self._store.spark, plan.output)
        return Result(bounded(store, plan, run_id), store, run_id)

    def compare(self, first: str, second: str) -> Comparison:
        """Two runs side by side: their plans, their segments, and each statistic of fairness with its interval.

        Raises:
            RunConflict: as `open`.
        """
        return Comparison(self.open(first).facts, self.open(second).facts)

    def _row(self, run_id: str) -> Row:
        if run_id not in self._rows:
            known = ", ".join(list(self._rows)[:5]) or "none"
            raise RunConflict(f"there is no run {run_id} here; the newest: {known}")
        return self._rows[run_id]

    def _plan_of(self, row: Row) -> Plan:
        if self._plan is not None and fingerprint(self._plan) == row.plan_fingerprint:
            return self._plan
        try:
            stored = Plan.model_validate(json.loads(row.plan))
        except (ValidationError, ValueError):
            raise RunConflict(
                f"run {row.run_id} was done by Evenhand {row.version}, whose plan this version cannot read; use that one"
            ) from None
        ours = stored.output.model_copy(update={"open": self._open}) if self._plan is None else self._plan.output
        return stored.model_copy(update={"output": ours})


def _place(zone: str) -> Place:
    return Place(path=zone) if "/" in zone or os.path.isdir(zone) else Place(schema=zone)


def _past(row: Row) -> PastRun:
    at = datetime.fromtimestamp(row.at / 1_000_000, UTC)
    of_plan = (row.plan_name, row.plan_fingerprint)
    as_of, findings = started_as_of(row), tuple(row.reasons or ())
    return PastRun(row.run_id, row.status, *of_plan, as_of, at, row.epsilon, findings, row.version, row.centers_of)
