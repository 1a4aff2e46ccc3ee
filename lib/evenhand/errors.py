"""What can go wrong, by cause. Each error is one line for a person, and an exit code for the scheduler.

Exit codes: 1 the run failed on its data, or on what somebody must mend, 2 the plan, the arguments or what they name are wrong
(nothing was published), 3 blocked by a gate, 4 the privacy budget is exhausted, 5 an integrity check failed, 75 something around
the run stopped it and may pass, so that the same line may go on, 130 interrupted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: "the user is invited to retry"

# What a system says when it cannot read or write; none of it is a value from a row. The first may pass, the others are somebody's to mend.
PASSING = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ESTALE)]
FORBIDDEN = [os.strerror(number) for number in (errno.EROFS, errno.EACCES, errno.EPERM)]


class EvenhandError(Exception):
    """Base of every error that a user can cause: what is wrong, where, what would be right."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(_one_line(message))


class PlanError(EvenhandError):
    """The plan is wrong. Holds every problem found, one line each."""

    exit_code = 2

    def __init__(self, problems: list[str], where: str = "plan") -> None:
        self.problems = problems
        many = [f"{where}: {len(problems)} problems", *(f"  {p}" for p in problems)]
        Exception.__init__(self, "\n".join(map(_one_line, many if len(problems) > 1 else [f"{where}: {problems[0]}"])))


class ArgumentError(EvenhandError):
    """A command line argument is wrong."""

    exit_code = 2


class SourceError(EvenhandError):
    """A source table does not fit the plan: missing, not Delta, a column absent or of another type."""

    exit_code = 2


class KeyFileError(EvenhandError):
    """The pseudonym key is missing, too short, or readable by others."""

    exit_code = 2


class OutputError(EvenhandError):
    """An output location holds something that Evenhand did not write."""

    exit_code = 2


class RunConflict(EvenhandError):
    """The run id is taken by another plan, or the step that should come before has not run."""

    exit_code = 2


class Busy(RunConflict):
    """Another process is at the same work."""

    exit_code = TRY_AGAIN


class DataError(EvenhandError):
    """Spark could not compute on the data. The message never repeats a value from a row."""


class SparkStopped(DataError):
    """Spark stopped at something around it: an executor or its server is gone, memory or the disk is full."""

    exit_code = TRY_AGAIN


class StorageError(EvenhandError):
    """A table or a file cannot be written, and somebody must do something about it: nothing may be written there."""


class NoRoom(StorageError):
    """A table or a file could not be written now: the disk is full, or does not answer."""

    exit_code = TRY_AGAIN


def cannot_write(place: str, why: str | OSError, left: str = "", otherwise: type[EvenhandError] = StorageError) -> EvenhandError:
    """The error to raise where something cannot be written: `NoRoom` where that may pass, else of the kind `otherwise`.

    `why` is what the system said, or what to do about it; `left` says how things stand then.
    """
    said = why if isinstance(why, str) else why.strerror or type(why).__name__
    return (NoRoom if said in PASSING else otherwise)(f"{place} cannot be written: {said}{left}")


class InfeasibleBounds(DataError):
    """The plan bounds the shares of groups in segments in a way that no assignment can meet."""


class Blocked(EvenhandError):
    """A gate did not pass. Holds what was found, one sentence each."""

    exit_code = 3

    def __init__(self, message: str, findings: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.findings = list(findings)


class BudgetExhausted(EvenhandError):
    """The population's privacy budget does not cover the run."""

    exit_code = 4


class Interrupted(EvenhandError):
    """Somebody stopped the run (Ctrl-C)."""

    exit_code = 130  # as a shell says of what SIGINT ended

    def __init__(self, run_id: str | None, option: str = "--run-id") -> None:
        again = f"start it again with {option} {run_id}, and it goes on where it stopped; what it has spent is not spent again"
        super().__init__(f"interrupted; {again if run_id else 'no run had begun, nothing was written'}")


class IntegrityError(EvenhandError):
    """Stored records contradict each other."""

    exit_code = 5


def _one_line(text: str) -> str:
    """The text with a line break, or what else cannot be printed, written as in Python: a path may hold one."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class ClosedDoor(RuntimeError):
    """A bug in Evenhand: something tried to pass around `privacy.release`."""


class AdviceWarning(UserWarning):
    """What a plan asks for is more than its population can give; told before anything is spent."""
