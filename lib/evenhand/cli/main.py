"""The tool: which commands there are, and how one of them ends. Jobs for spark-submit call the same function."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from evenhand.cli.command import Command
from evenhand.cli.commands import (
    access,
    activate,
    check,
    consent,
    erase,
    feedback,
    init,
    maintain,
    notice,
    outcomes,
    recall,
    retain,
    rewards,
    run,
    runs,
    schema,
    score,
    steps,
    verify,
)
from evenhand.cli.parser import Parser, add_output
from evenhand.cli.talk import Talk
from evenhand.errors import EvenhandError, Interrupted, cannot_write
from evenhand.terminal import say
from evenhand.version import __version__

COMMANDS: tuple[Command, ...] = (
    init.COMMAND,
    check.COMMAND,
    run.COMMAND,
    *steps.COMMANDS,
    verify.COMMAND,
    runs.COMMAND,
    score.COMMAND,
    activate.COMMAND,
    consent.COMMAND,
    recall.COMMAND,
    access.COMMAND,
    feedback.COMMAND,
    outcomes.COMMAND,
    rewards.COMMAND,
    notice.COMMAND,
    retain.COMMAND,
    erase.COMMAND,
    maintain.COMMAND,
    schema.COMMAND,
)
EXAMPLES = (
    "evenhand check --plan conf/demo.yaml",
    "evenhand run --plan conf/demo.yaml --as-of 2026-11-01",
    "evenhand run --help",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit code: 0 where it is done, else that of the error (`evenhand.errors`)."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    talk = Talk(as_json="--json" in given)
    try:
        options = parsed(given)
        if getattr(options, "metrics", None) and not getattr(options, "check", False):
            from evenhand.cli.metrics import metrics

            talk.metrics = metrics(options.metrics, options.command.name, options.plan)
        with talk.at("warning" if options.quiet and options.log_level != "error" else options.log_level):
            answer = options.command.run(options, talk)
    except EvenhandError as wrong:
        talk.fail(wrong)
        return wrong.exit_code
    except KeyboardInterrupt:
        talk.fail(Interrupted(talk.run_id))
        return Interrupted.exit_code
    except Exception as bug:
        talk.crash(bug)
        raise
    unsaid = talk.answer(answer.text, answer.facts)
    if unsaid is None or not options.command.only_answers:
        return 0  # what was done is done, whether that can be told or not
    lost = cannot_write("standard output", unsaid)
    say(str(lost))
    return lost.exit_code


def parsed(given: Sequence[str]) -> Namespace:
    parser = Parser(
        prog="evenhand",
        description="Customer segments on Spark: private, measured for fairness, and explained.",
        examples=EXAMPLES,
    )
    parser.add_argument("--version", action="version", version=f"evenhand {__version__}")
    several = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        own = several.add_parser(command.name, help=command.does, description=command.does, examples=command.examples)
        command.arguments(own)
        if not command.is_several:
            add_output(own)
        own.set_defaults(command=command)
    return parser.parse_args(given)
