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
    done = maintain(plan, spark, wait=options.wait, say=talk.say)
    lines = [f"{run}: given up, nobody had gone on with it for {plan.retention.unfinished}" for run in done.abandoned]
    lines += [f"{table}: {count} fewer files to read" for table, count in done.fewer.items()]
    facts = {"status": "done", "plan": plan.name, "fewer": done.fewer, "abandoned": done.abandoned}
    return Answer("\n".join(lines) or "there is nothing to write together", facts)


COMMAND = Command(
    "maintain",
    "Write the small files of the zones' tables together, remove those that are needed no longer, give up runs that nobody goes on with.",
    ("evenhand maintain --plan conf/demo.yaml",),
    _arguments,
    _run,
)
