"""What every job shares: arguments, the plan, one line for an error, the exit code."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import FrameType

from evenhand.arguments import EXAMPLES, point_in_time
from evenhand.errors import ArgumentError, EvenhandError, Interrupted
from evenhand.plan.explain import explain
from evenhand.plan.load import load_plan
from evenhand.plan.models import Plan
from evenhand.terminal import say, show


def main(steps: Sequence[str], description: str, arguments: Sequence[str] | None = None) -> int:
    """Run the steps of a plan and return the exit code: 0 published or done, else that of the error."""
    return _exit_code(lambda: _run_or_check(steps, _parse(steps, description, arguments)))


def verify_main(arguments: Sequence[str] | None = None) -> int:
    """Check the records of a plan's zones and return the exit code: 0 when they agree, else that of the error."""
    return _exit_code(lambda: _verify(_plan_parser("Check audit log, budget and published runs.").parse_args(arguments)))


def _exit_code(work: Callable[[], None]) -> int:
    try:
        work()
    except EvenhandError as wrong:
        say(str(wrong))
        return wrong.exit_code
    except KeyboardInterrupt:
        say(str(Interrupted(None)))
        return Interrupted.exit_code
    return 0


def _run_or_check(steps: Sequence[str], options: argparse.Namespace) -> None:
    plan = load_plan(options.plan)
    if options.check:
        show(explain(plan))
        return
    _run(plan, steps, options)


def _verify(options: argparse.Namespace) -> None:
    from evenhand.governance.verify import verify
    from evenhand.session import start

    plan = load_plan(options.plan)
    show(verify(plan, start(f"evenhand verify {plan.name}")))


def _run(plan: Plan, steps: Sequence[str], options: argparse.Namespace) -> None:
    # Imported late: --check answers without loading Spark.
    from evenhand.api import run
    from evenhand.run_identity import checked_id
    from evenhand.session import start

    ids = [] if options.run_id is None else [checked_id(options.run_id)]
    spark = start(f"evenhand {plan.name}")
    with _ctrl_c_tells(ids):
        result = run(plan, spark, as_of=options.as_of, run_id=options.run_id, steps=steps, say=say, begun=ids.append)
    done = steps[-1] == "report"
    show(str(result) if done else f"run {result.run_id}: {', '.join(steps)} done")


@contextmanager
def _ctrl_c_tells(ids: list[str]) -> Iterator[None]:
    """On Ctrl-C say how the run of the last id goes on, and end at once.

    Nothing is tidied up: a run stands being killed at any moment, and PySpark's own way waits until the job is done.
    """

    def end(number: int, frame: FrameType | None) -> None:
        say(str(Interrupted(ids[-1] if ids else None)))
        os._exit(Interrupted.exit_code)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _parse(steps: Sequence[str], description: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _plan_parser(description)
    parser.add_argument(
        "--as-of",
        type=_moment,
        metavar="TIME",
        help="point in time for consent and events, in UTC unless it has an offset (default: now)",
    )
    alone = len(steps) == 1 and steps[0] != "prepare"
    parser.add_argument("--run-id", required=alone, metavar="ID", help="resume this run, or give the new one this id")
    parser.add_argument("--check", action="store_true", help="validate and explain the plan; no data, no Spark")
    return parser.parse_args(arguments)


def _plan_parser(description: str) -> _Parser:
    parser = _Parser(description=description)
    parser.add_argument("--plan", required=True, metavar="FILE", help="the plan, a YAML file")
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise ArgumentError(f"{message}; see --help")

    def _print_message(self, message: str, file: object = None) -> None:
        show(message.rstrip("\n"))


def _moment(text: str) -> datetime:
    try:
        return point_in_time(text)
    except ArgumentError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as {EXAMPLES}") from None
