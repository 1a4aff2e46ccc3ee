"""The arguments of the command line: a mistake is one line and exit code 2, help fits 80 columns."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from evenhand.errors import ArgumentError
from evenhand.job.arguments import EXAMPLES, checked_minutes, point_in_time
from evenhand.terminal import WIDTH, show

LEVELS = ("debug", "info", "warning", "error")


class Parser(argparse.ArgumentParser):
    """argparse, which loads in a few milliseconds, with the project's way to tell a mistake."""

    def __init__(self, *, examples: Sequence[str] = (), **given: Any) -> None:
        shape = partial(argparse.RawDescriptionHelpFormatter, width=WIDTH)
        epilog = "\n".join(["examples:", *(f"  {line}" for line in examples)]) if examples else None
        described = textwrap.fill(given.pop("description", None) or "", WIDTH)
        super().__init__(formatter_class=shape, description=described, epilog=epilog, allow_abbrev=False, **given)

    def error(self, message: str) -> None:  # type: ignore[override]
        raise ArgumentError(f"{message}; see {self.prog} --help")

    def _print_message(self, message: str, file: object = None) -> None:
        show(message.rstrip("\n"))


def add_plan(parser: Parser) -> None:
    parser.add_argument("--plan", required=True, metavar="FILE", help="the plan, a YAML file")


def add_scheduled(parser: Parser) -> None:
    """What each command takes that works on a plan and that a scheduler starts."""
    add_plan(parser)
    parser.add_argument(
        "--metrics", metavar="FILE", help="how it went, however it ended, for Prometheus: a file for the textfile collector"
    )


def add_wait(parser: Parser, default: float, what: str) -> None:
    parser.add_argument(
        "--wait", type=_minutes, default=default, metavar="MINUTES", help=f"how long to wait for {what} (default: {default:g})"
    )


def _minutes(text: str) -> float:
    try:
        return checked_minutes(float(text))
    except (ValueError, ArgumentError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of minutes; 0 refuses at once where another process is at work"
        ) from None


def add_output(parser: Parser) -> None:
    """What every command takes: how much it says, and in which form it answers."""
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="answer as JSON on standard output, for programs")
    output.add_argument("--quiet", action="store_true", help="no progress: only warnings, errors and the answer")
    output.add_argument(
        "--log-level",
        choices=LEVELS,
        default="info",
        metavar="LEVEL",
        help=f"what is told on standard error: {', '.join(LEVELS)} (default: info)",
    )


def moment(text: str) -> datetime:
    """The type of `--as-of`."""
    try:
        return point_in_time(text)
    except ArgumentError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as {EXAMPLES}") from None
