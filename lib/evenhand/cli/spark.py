"""The session of a command: said, waited for, and without the JVM's own words where they mean nothing."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from evenhand.cli.talk import Talk

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark asks the JVM for a module that is still called incubating, and the JVM warns of it on every start. MLlib looks for a
# native BLAS, which need not be there.
MEANS_NOTHING = re.compile(rb"WARNING: Using incubator modules: jdk\.incubator\.vector|netlib-blas: JNI_OnLoad: dlopen\(")


def session(name: str, talk: Talk) -> SparkSession:
    """The session that is there, or a new one.

    Raises:
        SessionError: Spark does not start, or without Delta.
    """
    from pyspark.sql import SparkSession

    from evenhand.spark.session import start

    if SparkSession.getActiveSession() is not None:
        return start(name)
    talk.say("starting Spark")
    talk.wait_for("starting Spark")
    if "PYSPARK_GATEWAY_PORT" in os.environ:  # spark-submit has started the JVM
        return start(name)
    with without_noise():
        return start(name)


@contextmanager
def without_noise() -> Iterator[None]:
    """A JVM that is started meanwhile writes its standard error through a pipe, from which lines that mean nothing are taken.

    For as long as the JVM lives: the pipe is its standard error, and the thread ends when the JVM does.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    reading, writing = os.pipe()
    Thread(target=_pass_on, args=(reading, os.dup(kept)), daemon=True).start()
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def _pass_on(reading: int, to: int) -> None:
    with os.fdopen(reading, "rb") as lines, os.fdopen(to, "wb", buffering=0) as out:
        for line in lines:
            if not MEANS_NOTHING.match(line):
                out.write(line)
