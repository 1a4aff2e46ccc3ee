"""`evenhand maintain`: keep the zones quick to read."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_scheduled, add_wait
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_scheduled(parser)
    add_wait(parser, 30, "runs that are going on")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.governance.maintain import maintain
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand maintain {plan.name}", talk)
    talk.wait_for("writing small files together")
    fewer = maintain(plan, spark, wait=options.wait, say=talk.say)
    lines = [f"{table}: {count} fewer files to read" for table, count in fewer.items()]
    return Answer("\n".join(lines) or "there is nothing to write together", {"status": "done", "plan": plan.name, "fewer": fewer})


COMMAND = Command(
    "maintain",
    "Write the small files of the zones' tables together, and remove those that are needed no longer.",
    ("evenhand maintain --plan conf/demo.yaml",),
    _arguments,
    _run,
)
