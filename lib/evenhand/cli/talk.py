"""What a command says while it works: progress, warnings and errors on standard error, the answer on standard output.

What programs read of it, JSON and metrics, is put together here too.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evenhand.cli.clock import Clock
from evenhand.errors import TRY_AGAIN, Blocked, EvenhandError, PlanError
from evenhand.terminal import say, show

if TYPE_CHECKING:
    from evenhand.cli.metrics import Metrics

LOG = logging.getLogger("evenhand")
STEP = re.compile(r"\[\d+/\d+\] ")  # how the line begins by which a run says what it does from now on
WARNING = "Warning: "


class Talk:
    """Lines go through the logger `evenhand`.

    `run_id` is that of the run which has begun, if any, `seconds` how long each of its steps took. `known` is what else programs
    are told should it fail, and `metrics` what is written at the end, where that is asked for.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.run_id: str | None = None
        self.seconds: dict[str, int] = {}
        self.known: dict[str, object] = {}
        self.metrics: Metrics | None = None
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

    def took(self, step: str, seconds: float) -> None:
        """In whole seconds, as it is said: running times hang on the data, and no finer than that is anybody's business."""
        self.seconds[step] = round(seconds)

    def wait_for(self, what: str) -> None:
        """What takes a while: a terminal shows it, and for how long it has taken."""
        self._clock.wait_for(what)

    def answer(self, text: str, facts: Mapping[str, object]) -> OSError | None:
        """Hands back why the answer could not be shown, where somebody still reads."""
        told = {"exit_code": 0, "status": "done"} | self._timed() | dict(facts)
        self._measure(told)
        return show(_as_json(told) if self.as_json else text)

    def fail(self, wrong: EvenhandError) -> None:
        """The error in one line, and for programs on standard output too."""
        self._clock.clear()
        facts: dict[str, object] = {"exit_code": wrong.exit_code, "run_id": self.run_id, "error": str(wrong)}
        facts["status"] = "blocked" if isinstance(wrong, Blocked) else "failed"
        facts["findings"] = wrong.findings if isinstance(wrong, Blocked) else []
        facts["retry"] = wrong.exit_code == TRY_AGAIN
        facts |= self._timed() | self.known | ({"problems": wrong.problems} if isinstance(wrong, PlanError) else {})
        self._measure(facts)
        say(str(wrong))
        if self.as_json:
            show(_as_json(facts))

    def crash(self, wrong: BaseException) -> None:
        """What is a bug: for programs its kind, whose words may hold anything; where it happened is Python's to show."""
        self._clock.clear()
        told: dict[str, object] = {
            "exit_code": 1,
            "status": "failed",
            "run_id": self.run_id,
            "error": type(wrong).__name__,
            "retry": False,
        }
        told |= self._timed()
        self._measure(told)
        if self.as_json:
            show(_as_json(told))

    def _timed(self) -> dict[str, object]:
        return {"seconds": self.seconds} if self.seconds else {}

    def _measure(self, facts: Mapping[str, object]) -> None:
        """What was done is done, whether that can be measured or not."""
        if self.metrics is not None:
            try:
                self.metrics.write(facts)
            except OSError as wrong:
                say(
                    f"{WARNING}the metrics cannot be written to {self.metrics.file} ({wrong.strerror}); the command itself is not touched"
                )


class _Lines(logging.Handler):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def emit(self, record: logging.LogRecord) -> None:
        with self._clock.paused():
            say(self.format(record))


def _as_json(facts: Mapping[str, object]) -> str:
    """On one line: the last of standard output, also where a launcher writes lines of its own before it."""
    return json.dumps(facts, ensure_ascii=False, default=str)
