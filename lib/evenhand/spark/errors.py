"""Spark's errors in one line, without the values from rows that its messages may quote."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from pyspark.errors import (
    AnalysisException,
    IllegalArgumentException,
    ParseException,
    PySparkException,
    UnsupportedOperationException,
)
from pyspark.logger import PySparkLogger

from evenhand.errors import FORBIDDEN, PASSING, DataError, SparkStopped

try:
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]
except ImportError:  # a Spark Connect client may come without it
    Py4JError = PySparkException

# Delta's write conflicts reach a classic session as Py4J's own error: PySpark does not know how to translate them.
SPARK_ERRORS = (PySparkException, Py4JError)

T = TypeVar("T")
TRIES = 60  # of many writers at once one is done a round
# Delta's refusals of the later of two commits, and of the later of two that create a table. By their names: "concurrent" alone
# stands in every Java stack trace (java.util.concurrent), and an error in the data would be tried again as often.
RACES = re.compile(
    r"io\.delta\.exceptions\.|\bDELTA_(CONCURRENT|PROTOCOL_CHANGED|METADATA_CHANGED)|\b(TABLE_OR_VIEW|DELTA_TABLE|DELTA_LOG)_ALREADY_EXISTS"
)

# What Spark says where it cannot do what it is asked: it would say so again. All else that stops it may be around it.
SAYS_SO_AGAIN = (AnalysisException, IllegalArgumentException, ParseException, UnsupportedOperationException)
BROKEN_FILE = re.compile("FAILED_READ_FILE|CANNOT_READ_FILE_FOOTER|is not a Parquet file")

# PySpark logs the message of an error by itself, with the value from the row that it quotes.
TALKATIVE = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")

# What Spark and Delta say where a file is gone that a table's log names.
NO_FILE = ("FileNotFoundException", "FILE_NOT_EXIST")
GONE = "a file of a table is gone that its Delta log names; put it back, or the whole table from a copy"

_SILENCED, _LOCK = list[list[bool]](), Lock()  # how PySpark's loggers stood, once for each that keeps values out of errors now


def condition_of(wrong: BaseException) -> str:
    """Spark's name for the error, such as TABLE_OR_VIEW_NOT_FOUND; "" when it has none."""
    if isinstance(wrong, PySparkException):
        return (wrong.getCondition() or "").split(".")[0]
    return ""


def retried(commit: Callable[[], T]) -> T:
    """Do a Delta commit, again when another writer was faster (Delta refuses the later of two that touch the same)."""
    attempt = 0
    while True:
        try:
            return commit()
        except SPARK_ERRORS as wrong:
            attempt += 1
            if attempt == TRIES or not RACES.search(f"{condition_of(wrong)} {wrong}"):
                raise
        time.sleep(random.uniform(0.02, 0.1 * 2 ** min(attempt - 1, 4)))


def kind_of(wrong: BaseException) -> str:
    """Spark's name for the error, else its class, of Java's own that of its first cause: no name holds a value, a message may."""
    if condition := condition_of(wrong):
        return condition
    cause = java = getattr(wrong, "java_exception", None)
    while java is not None:
        cause, java = java, java.getCause()
    return type(wrong).__name__ if cause is None else str(cause.getClass().getName())


def system_error(wrong: BaseException) -> str | None:
    """What the system said, such as "No space left on device", where that stopped Spark."""
    return next((said for said in [*PASSING, *FORBIDDEN] if said in str(wrong)), None)


def may_pass(wrong: BaseException) -> bool:
    """Whether the same again may go well: an executor, the disk or Spark itself was gone, and nobody says of the data that it is broken."""
    if system := system_error(wrong):
        return system in PASSING
    said = f"{condition_of(wrong)} {wrong}"
    return not (isinstance(wrong, SAYS_SO_AGAIN) or BROKEN_FILE.search(said) or any(sign in said for sign in NO_FILE))


@contextmanager
def no_values_in_errors(doing: str, left: str = "nothing was published") -> Iterator[None]:
    """Replace Spark's message, which may quote a person's value, by the condition's name and what to do about it.

    `left` says how the run stands then.
    """
    _silence()
    try:
        yield
    except (ConnectionError, *SPARK_ERRORS) as wrong:  # ConnectionError: Spark itself is gone
        system = system_error(wrong)  # first: Java says of a file that it may not open that it is not found
        gone = None if system else next((sign for sign in NO_FILE if sign in str(wrong)), None)
        found = system or gone or kind_of(wrong)
        kind = SparkStopped if may_pass(wrong) else DataError
        raise kind(f"{doing}: Spark stopped with {found}{f'; {GONE}' if gone else ''}; {left}") from None
    finally:
        _let_speak()


def _silence() -> None:
    """PySpark's loggers are those of the process: silent until the last of several runs side by side is done."""
    with _LOCK:
        loggers = [PySparkLogger.getLogger(name) for name in TALKATIVE]
        _SILENCED.append([logger.disabled for logger in loggers] if not _SILENCED else _SILENCED[0])
        for logger in loggers:
            logger.disabled = True


def _let_speak() -> None:
    with _LOCK:
        before = _SILENCED.pop()
        for name, was in zip(TALKATIVE, before, strict=True) if not _SILENCED else ():
            PySparkLogger.getLogger(name).disabled = was
