"""What is waited for and for how long, in the last line of a terminal. Nothing moves where output is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread
from time import monotonic

from evenhand.terminal import WIDTH, is_terminal

CLEAR = "\r\x1b[K"
EVERY = 1.0  # seconds


class Clock:
    """Draws and clears one line; whoever writes others does so while it is paused."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._what, self._since, self._drawn = "", monotonic(), False

    def wait_for(self, what: str) -> None:
        with self._lock:
            self._what, self._since = what, monotonic()

    @contextmanager
    def running(self, wanted: bool) -> Iterator[None]:
        if not (wanted and is_terminal(sys.stderr)):
            yield
            return
        done = Event()
        thread = Thread(target=self._tick, args=(done,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self.clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        with self._lock:
            self.clear()
            yield

    def clear(self) -> None:
        with self._lock:
            if self._drawn:
                sys.stderr.write(CLEAR)
                sys.stderr.flush()
                self._drawn = False

    def _tick(self, done: Event) -> None:
        while not done.wait(EVERY):
            with self._lock:
                if self._what:
                    line = f"  … {self._what}, {monotonic() - self._since:.0f} s"
                    sys.stderr.write(CLEAR + line[: WIDTH - 1])
                    sys.stderr.flush()
                    self._drawn = True
