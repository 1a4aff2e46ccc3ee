"""Which run it is: its id, and what a run that is started again must agree with."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from evenhand.errors import RunConflict
from evenhand.plan.load import fingerprint
from evenhand.plan.models import Plan
from evenhand.tables.catalog import BUDGET, PREPARED, RELEASES, RUNS
from evenhand.tables.store import Store
from evenhand.version import __version__

RUNNING, FAILED, REFUSED, PUBLISHED, BLOCKED = "running", "failed", "refused", "published", "blocked"
ABANDONED = "abandoned"  # stopped, and nobody has gone on with it for too long (governance/abandon.py)
ENDED = (PUBLISHED, BLOCKED)  # with an answer to each question
LAST = (*ENDED, ABANDONED)  # one of them once; a run of another status goes on when it is started again


def new_id(plan: Plan) -> str:
    """The plan's name, the time, and four digits so that two runs of one second do not meet."""
    return f"{plan.name.replace('_', '-')}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def last_state(store: Store, run_id: str) -> Any | None:
    """The row of the run in `runs` that counts, None before it began: that of its end; else, of the newest day, one that says
    how it stopped.

    With `as_of` and `at` in microseconds: a timestamp that is collected is in the driver's time zone and does not say so.
    """
    return _what_counts_first(store.read(RUNS, run_id)).first() if store.exists(RUNS) else None


def last_states(store: Store) -> list[Row]:
    """The row that counts of each run, as `last_state` has it."""
    rows = _what_counts_first(store.read(RUNS)).collect() if store.exists(RUNS) else []
    return list({row.run_id: row for row in reversed(rows)}.values())


def last_row(store: Store, run_id: str) -> DataFrame:
    """The row that counts of a run, as it stands in `runs`."""
    return _in_order(store.read(RUNS, run_id)).limit(1)


def _what_counts_first(rows: DataFrame) -> DataFrame:
    return _in_order(rows).withColumns({name: F.unix_micros(name) for name in ("as_of", "at")})


def _in_order(rows: DataFrame) -> DataFrame:
    return rows.orderBy(F.col("status").isin(*LAST).desc(), F.col("at").desc(), F.col("status") == RUNNING, "status")


def started_as_of(state: Any) -> datetime:
    """The `as_of` of a run's state, in UTC."""
    return datetime.fromtimestamp(state.as_of / 1_000_000, UTC)


def written_on(state: Any) -> date:
    """The day of a run's state, in UTC."""
    return datetime.fromtimestamp(state.at / 1_000_000, UTC).date()


def left_behind(store: Store, run_id: str) -> str | None:
    """A table with rows of a run that `runs` does not know: it was lost or put back, and with it what the run had agreed on."""
    tables = (table for table in (PREPARED, RELEASES, BUDGET) if store.rows(table, run_id) is not None)
    return next((store.address(table) for table in tables), None)


def end_key(run_id: str) -> str:
    """Under which the last state of a run is written, once, whoever else has come to it meanwhile."""
    return f"{run_id}/end"


def check_goes_on(found: Any, private: bool) -> None:
    """Look whether this process may go on with a run that has not come to its end, by what began it.

    Raises:
        RunConflict: it was given up; or another version of Evenhand did, or noise that is private where this is not, or the other way round: its
            answers would be of both kinds.
    """
    if found.status == ABANDONED:
        raise RunConflict(
            f"--run-id: this run was given up on {written_on(found)}, since nobody had gone on with it for too long "
            "(retention.unfinished); what it had prepared is removed, what it had spent stays spent; take another id"
        )
    if found.version != __version__:
        raise RunConflict(
            f"--run-id: Evenhand {found.version} began this run, this is {__version__}, whose answers might mean something else; "
            "finish it with that version, or take another id"
        )
    if found.not_private == private:
        was, now = ("not private", "is") if private else ("private", "is not")
        raise RunConflict(f"--run-id: this run was started with noise that is {was}, and this noise {now}; take another id")


def resumed(
    found: Any, plan: Plan, as_of: datetime | None, centers_of: str | None = None
) -> tuple[datetime, dict[str, int], str]:
    """The point in time, the versions of the sources and the status of a run that is started again.

    Raises:
        RunConflict: it was started with another plan, as of another moment, or for other centers than those of `centers_of`
            (None: for its own).
    """
    if found.centers_of != centers_of:
        did = f"scores by the centers of {found.centers_of}" if found.centers_of else "learns its own centers"
        raise RunConflict(f"--{'run-id' if centers_of is None else 'scoring'}: run {found.run_id} {did}; take another id")
    if found.plan_fingerprint != fingerprint(plan):
        raise RunConflict("--run-id: this run was started with another plan; take another id, or the plan as it was")
    moment = started_as_of(found)
    if as_of is not None and as_of != moment:
        raise RunConflict(f"--as-of: this run was started as of {moment.isoformat()}; take another id, or leave it out")
    return moment, json.loads(found.sources), found.status
