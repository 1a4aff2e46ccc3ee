"""`evenhand retain`: remove what the plan keeps no longer."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import add_scheduled
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.people.retain import retain
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand retain {plan.name}", talk)
    talk.wait_for("removing what is due")
    removed = retain(plan, spark)
    lines = [f"{table}: removed {', '.join(ids)}" for table, ids in removed.items()]
    return Answer("\n".join(lines) or "nothing is due", {"status": "done", "plan": plan.name, "removed": removed})


COMMAND = Command(
    "retain",
    "Remove, with its files, what the plan's retention keeps no longer.",
    ("evenhand retain --plan conf/demo.yaml",),
    add_scheduled,
    _run,
)
