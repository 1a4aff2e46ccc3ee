"""The session of a command: said, waited for, and without the JVM's own words where they mean nothing."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Thread
from typing import TYPE_CHECKING

from evenhand.cli.talk import Talk

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Spark asks the JVM for a module that is still called incubating, and the JVM warns of it on every start. MLlib looks for a native
# BLAS, which need not be there. The rest is what Ivy says when it looks for Delta's jar; that it cannot be had is told by our own line.
MEANS_NOTHING = re.compile(
    rb"WARNING: Using incubator modules: jdk\.incubator\.vector|netlib-blas: JNI_OnLoad: dlopen\(|::|\t(?!at )|"
    rb"Ivy Default Cache set to|The jars for the packages stored in|\S+#\S+ added as a dependency|downloading "
)


def session(name: str, talk: Talk) -> SparkSession:
    """The session that is there, or a new one.

    Raises:
        SessionError: Spark does not start, or without Delta.
    """
    from pyspark.sql import SparkSession

    from evenhand.spark.machine import brings_delta, configured_defaults
    from evenhand.spark.session import start, starts_jvm

    if SparkSession.getActiveSession() is not None:
        return start(name)
    own = starts_jvm()
    talk.say(
        "starting Spark" if not own or brings_delta(configured_defaults()) else "starting Spark; Delta's jar is fetched once"
    )
    talk.wait_for("starting Spark")
    with without_noise() if own else nullcontext():
        return start(name)


@contextmanager
def without_noise() -> Iterator[None]:
    """A JVM that is started meanwhile writes all it says through a pipe to standard error, without the lines that mean nothing.

    For as long as the JVM lives: the pipe is its standard output and error, and the thread ends when the JVM does. Ivy writes to
    standard output, which is for results.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    reading, writing = os.pipe()
    Thread(target=_pass_on, args=(reading, os.dup(kept[2])), daemon=True).start()
    for stream in kept:
        os.dup2(writing, stream)
    os.close(writing)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, before in kept.items():
            os.dup2(before, stream)
            os.close(before)


def _pass_on(reading: int, to: int) -> None:
    with os.fdopen(reading, "rb") as lines, os.fdopen(to, "wb", buffering=0) as out:
        for line in lines:
            if not MEANS_NOTHING.match(line):
                out.write(line)
