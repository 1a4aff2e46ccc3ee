"""Lines for a person, on a terminal or into a pipe whose reader may have seen enough."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def show(text: str) -> None:
    """What was asked for, on standard output."""
    _write(text, sys.stdout)


def say(line: str) -> None:
    """Progress, a warning or an error, on standard error."""
    _write(f"evenhand: {line}", sys.stderr)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is None:  # closed before the job began
        return
    encoding = stream.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except OSError:
        # Nobody reads on, or a disk is full: no run is worse for it. Python would complain of what is left when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
