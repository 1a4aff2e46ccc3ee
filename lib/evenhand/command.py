"""What every job shares: arguments, the plan, one line for an error, the exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from evenhand.errors import ArgumentError, EvenhandError
from evenhand.plan.advice import advice
from evenhand.plan.explain import explain
from evenhand.plan.load import load_plan
from evenhand.plan.models import Plan


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
        _say(str(wrong))
        return wrong.exit_code
    return 0


def _run_or_check(steps: Sequence[str], options: argparse.Namespace) -> None:
    plan = load_plan(options.plan)
    if options.check:
        print(explain(plan))
        return
    for warning in advice(plan):
        _say(warning)
    _run(plan, steps, options)


def _verify(options: argparse.Namespace) -> None:
    from evenhand.governance.verify import verify
    from evenhand.session import start

    plan = load_plan(options.plan)
    print(verify(plan, start(f"evenhand verify {plan.name}")))


def _run(plan: Plan, steps: Sequence[str], options: argparse.Namespace) -> None:
    # Imported late: --check answers without loading Spark.
    from evenhand.api import run

    result = run(plan, as_of=options.as_of, run_id=options.run_id, steps=steps, say=_say)
    done = steps[-1] == "report"
    print(str(result) if done else f"run {result.run_id}: {', '.join(steps)} done")


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


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-10-31 or 2026-10-31T18:00:00+01:00") from None


def _say(line: str) -> None:
    print(f"evenhand: {line}", file=sys.stderr, flush=True)
