"""Ctrl-C while a run is at work: say how it goes on, and end at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from evenhand.cli.talk import Talk
from evenhand.errors import Interrupted


@contextmanager
def ctrl_c_tells(talk: Talk) -> Iterator[None]:
    """On Ctrl-C say how the run that has begun goes on, and end at once.

    Nothing is tidied up: a run stands being killed at any moment, and PySpark's own way waits until the job is done.
    """

    def end(number: int, frame: FrameType | None) -> None:
        talk.fail(Interrupted(talk.run_id))
        os._exit(Interrupted.exit_code)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
