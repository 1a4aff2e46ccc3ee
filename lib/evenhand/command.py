"""What every job shares: arguments, the plan, one line for an error, the exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime

from evenhand.errors import ArgumentError, EvenhandError
from evenhand.plan.advice import advice
from evenhand.plan.explain import explain
from evenhand.plan.load import load_plan


def main(steps: Sequence[str], description: str, arguments: Sequence[str] | None = None) -> int:
    """Run the steps of a plan and return the exit code: 0 published or done, else that of the error."""
    try:
        options = _parse(steps, description, arguments)
        plan = load_plan(options.plan)
        if options.check:
            print(explain(plan))
            return 0
        for warning in advice(plan):
            _say(warning)
        return _run(plan, steps, options)
    except EvenhandError as wrong:
        _say(str(wrong))
        return wrong.exit_code


def _run(plan: object, steps: Sequence[str], options: argparse.Namespace) -> int:
    # Imported late: --check answers without loading Spark.
    from evenhand.api import run
    from evenhand.plan.models import Plan

    assert isinstance(plan, Plan)
    result = run(plan, as_of=options.as_of, run_id=options.run_id, steps=steps, say=_say)
    done = steps[-1] == "report"
    print(str(result) if done else f"run {result.run_id}: {', '.join(steps)} done")
    return 0


def _parse(steps: Sequence[str], description: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(description=description)
    parser.add_argument("--plan", required=True, metavar="FILE", help="the plan, a YAML file")
    parser.add_argument("--as-of", type=_moment, metavar="TIME", help="point in time for consent and events (default: now)")
    alone = len(steps) == 1 and steps[0] != "prepare"
    parser.add_argument("--run-id", required=alone, metavar="ID", help="resume this run, or give the new one this id")
    parser.add_argument("--check", action="store_true", help="validate and explain the plan; no data, no Spark")
    return parser.parse_args(arguments)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise ArgumentError(f"{message}; see --help")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-10-31 or 2026-10-31T18:00:00+01:00") from None


def _say(line: str) -> None:
    print(f"evenhand: {line}", file=sys.stderr, flush=True)
