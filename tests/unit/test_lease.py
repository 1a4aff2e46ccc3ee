"""Who still holds a run: a process that is dead does not, nor one that has given no sign of life."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from evenhand.errors import RunConflict
from evenhand.records.lease import ALIVE, LASTS, RENEWED, Holder, Lease, machine


def holder(machine_: str = "", pid: int = 0, owner: str = "somebody", for_seconds: float = 3600) -> Holder:
    now = datetime.now(UTC)
    return Holder(1, owner, machine_ or machine(), pid or os.getpid(), now, now + timedelta(seconds=for_seconds))


def test_a_process_of_another_machine_holds_a_run_until_its_lease_ends() -> None:
    assert holder("elsewhere", pid=2**30).works
    assert not holder("elsewhere", for_seconds=-1).works


def test_a_living_process_of_this_machine_holds_a_run_and_a_dead_one_does_not() -> None:
    assert holder(pid=os.getppid()).works
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as dead:
        assert dead.stdout is not None
        dead.stdout.read()
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # dead, and its parent has not asked for it yet
        assert not holder(pid=dead.pid).works
    assert not holder(pid=dead.pid).works


def test_of_this_process_whatever_ended_without_giving_a_run_back_does_not_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not holder(owner="ended").works
    monkeypatch.setattr("evenhand.records.lease.ALIVE", ALIVE | {"at work"})
    assert holder(owner="at work").works


def test_a_lease_outlasts_a_renewal_that_fails_once() -> None:
    assert timedelta(seconds=2 * RENEWED) < LASTS


class Leases:
    """The table of leases of one run: a number is taken once, by whoever comes first."""

    def __init__(self) -> None:
        self.rows: dict[int, Holder] = {}
        self.faster: Holder | None = None  # takes the next number before whoever reads it now

    def append_once(self, spec: Any, rows: pa.Table, run_id: str, number: int) -> None:
        if self.faster is not None:
            self.rows[number] = replace(self.faster, number=number)
        row = rows.to_pylist()[0]
        self.rows.setdefault(number, Holder(*(row[c] for c in ("number", "owner", "machine", "pid", "since", "until"))))

    def look(self) -> dict[str, Holder]:
        return {"r1": self.rows[max(self.rows)]} if self.rows else {}


def test_who_sleeps_through_its_lease_and_is_not_the_first_to_wake_has_lost_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Leases()
    lease = Lease(table, "r1")  # type: ignore[arg-type]
    monkeypatch.setattr(lease, "_look", table.look)
    try:
        assert lease.take()
        lease.require()
        lease._until = datetime.now(UTC) - timedelta(seconds=1)
        table.faster = holder("elsewhere", owner="another")
        with pytest.raises(RunConflict, match="another process has gone on with run r1"):
            lease.require()
    finally:
        lease.end(release=False)
