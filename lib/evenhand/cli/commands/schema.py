"""`evenhand schema`: the plan's JSON Schema, for editors."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    pass


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.plan.schema import plan_schema, schema_text

    return Answer(schema_text(), {"status": "done", "schema": plan_schema()})


COMMAND = Command(
    "schema",
    "Print the plan's JSON Schema, with a description of every key, for editors that check and complete YAML.",
    ("evenhand schema > plan.schema.json",),
    _arguments,
    _run,
    only_answers=True,
)
