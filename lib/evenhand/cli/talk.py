"""What a command says while it works: progress, warnings and errors on standard error, the answer on standard output."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from evenhand.cli.clock import Clock
from evenhand.errors import Blocked, EvenhandError, PlanError
from evenhand.terminal import say, show

LOG = logging.getLogger("evenhand")
STEP = re.compile(r"\[\d+/\d+\] ")  # how the line begins by which a run says what it does from now on
WARNING = "Warning: "


class Talk:
    """Lines go through the logger `evenhand`; `run_id` is that of the run which has begun, if any."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.run_id: str | None = None
        self._clock = Clock()

    @contextmanager
    def at(self, level: str) -> Iterator[None]:
        """Tell what is of this level or above, and on a terminal what is waited for, until the command is done."""
        handler = _Lines(self._clock)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s" if level == "debug" else "%(message)s", "%H:%M:%S"))
        before = LOG.level, LOG.propagate
        LOG.addHandler(handler)
        LOG.setLevel(level.upper())
        LOG.propagate = False
        try:
            with self._clock.running(LOG.isEnabledFor(logging.INFO)):
                yield
        finally:
            LOG.removeHandler(handler)
            LOG.setLevel(before[0])
            LOG.propagate = before[1]

    def say(self, line: str) -> None:
        """Progress, or a warning where the line says so."""
        if STEP.match(line):
            self._clock.wait_for(line.split(": ", 1)[0])
        LOG.log(logging.WARNING if line.startswith(WARNING) else logging.INFO, line)

    def begun(self, run_id: str) -> None:
        self.run_id = run_id

    def wait_for(self, what: str) -> None:
        """What takes a while: a terminal shows it, and for how long it has taken."""
        self._clock.wait_for(what)

    def answer(self, text: str, facts: Mapping[str, object]) -> None:
        show(_as_json({"exit_code": 0} | dict(facts)) if self.as_json else text)

    def fail(self, wrong: EvenhandError) -> None:
        """The error in one line, and for programs on standard output too."""
        self._clock.clear()
        say(str(wrong))
        if self.as_json:
            facts: dict[str, object] = {"exit_code": wrong.exit_code, "run_id": self.run_id, "error": str(wrong)}
            facts["status"] = "blocked" if isinstance(wrong, Blocked) else "failed"
            facts["findings"] = wrong.findings if isinstance(wrong, Blocked) else []
            show(_as_json(facts | ({"problems": wrong.problems} if isinstance(wrong, PlanError) else {})))


class _Lines(logging.Handler):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def emit(self, record: logging.LogRecord) -> None:
        with self._clock.paused():
            say(self.format(record))


def _as_json(facts: Mapping[str, object]) -> str:
    return json.dumps(facts, ensure_ascii=False, indent=2, default=str)
