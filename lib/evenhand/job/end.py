"""What is left of a run that is stopped: a word on how it stands, what it has spent, and a lease that is given back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from evenhand.errors import TRY_AGAIN, Blocked, BudgetExhausted, DataError, EvenhandError, Interrupted, RunConflict, StorageError
from evenhand.records.account import Loss
from evenhand.records.audit import FAIL
from evenhand.records.runs import FAILED, REFUSED
from evenhand.spark.errors import SPARK_ERRORS, no_values_in_errors
from evenhand.tables.catalog import INPUT_QUALITY, PREPARED

if TYPE_CHECKING:
    from evenhand.job.state import Run


@contextmanager
def logged(run: Run) -> Iterator[None]:
    """When a run ends by an error, the audit log gets the kind of error and the step, never its message, which may tell of people.

    If the entry cannot be written, the error is raised all the same.
    """
    try:
        yield
    except Blocked:
        raise  # that is in the log already, with the findings
    except BaseException as wrong:
        begun = run.begun and all(written.done() and written.exception() is None for written in run.begun)
        if begun or isinstance(wrong, BudgetExhausted):
            with suppress(Exception):
                run.audit.add(run.run_id, FAIL, {"error": type(wrong).__name__, "step": run.steps[-1] if run.steps else "start"})
        raise


@contextmanager
def to_its_end(run: Run) -> Iterator[None]:
    """Whatever stops the run, `runs` says how it stands, its error what was spent, and another process may go on with it."""
    try:
        with no_values_in_errors("evenhand"):
            yield
    except BudgetExhausted as wrong:
        _refuse(run, str(wrong))
        raise
    except (DataError, StorageError) as wrong:
        _fail(run)
        again = f"; start it again with {run.option} {run.run_id}, and it goes on at no further charge"
        raise type(wrong)(f"{wrong}; {_spending(run)}{again if wrong.exit_code == TRY_AGAIN else ''}") from None
    except (Blocked, RunConflict):
        raise
    except EvenhandError:
        _fail(run)
        raise
    except KeyboardInterrupt:
        raise Interrupted(run.run_id, run.option) from None
    finally:
        wait(run.begun)  # what is still being written is this process's
        run.lease.end(release=True)


def _fail(run: Run) -> None:
    if run.begun and not run.ended and all(written.exception() is None for written in run.begun):
        with suppress(EvenhandError, OSError, *SPARK_ERRORS):  # OSError: Spark is gone already
            run.record(FAILED)


def _refuse(run: Run, why: str) -> None:
    """Take the people out of a run that cannot be paid: nothing can come of them, unless the budget renews."""
    if not run.begun:
        if run.found is None or run.found.status == REFUSED:
            return
        run.take_first()
    if all(written.exception() is None for written in run.begun):
        with suppress(EvenhandError, OSError, *SPARK_ERRORS):  # the next start tries again
            for people in (PREPARED, INPUT_QUALITY):
                run.store.withdraw(people, run.run_id)
            run.record(REFUSED, [why])


def _spending(run: Run) -> str:
    try:
        paid = run.ledger.has_paid(run.run_id)
    except (EvenhandError, OSError, *SPARK_ERRORS):
        return f"whether run {run.run_id} has spent its ε cannot be read"
    return f"run {run.run_id} has spent its {Loss.of(run.plan.privacy)}" if paid else "no budget was spent"
