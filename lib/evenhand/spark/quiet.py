"""What a JVM that is started here writes to the terminal, without the lines that mean nothing."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

# Spark asks the JVM for a module that is still called incubating, and the JVM warns of it on every start. MLlib looks for a native
# BLAS, which need not be there. VACUUM counts folders. The rest is what Ivy says when it looks for Delta's jar; that it cannot be had
# is told by our own line.
MEANS_NOTHING = re.compile(
    rb"WARNING: Using incubator modules: jdk\.incubator\.vector|netlib-blas: JNI_OnLoad: dlopen\(|Deleted \d+ files and director|::|\t(?!at )|"
    rb"Ivy Default Cache set to|The jars for the packages stored in|\S+#\S+ added as a dependency|downloading "
)


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
