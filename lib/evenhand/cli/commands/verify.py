"""`evenhand verify`: whether audit log, ledger and published runs agree. Writes nothing."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import add_scheduled
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.governance.verify import verify
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand verify {plan.name}", talk)
    talk.wait_for("reading the records of both zones")
    found = verify(plan, spark)
    return Answer(found, {"status": "sound", "plan": plan.name, "findings": found.splitlines()})


COMMAND = Command(
    "verify",
    "Check that audit log, budget ledger, answers and published runs agree with each other. Writes nothing.",
    ("evenhand verify --plan conf/demo.yaml",),
    add_scheduled,
    _run,
    only_answers=True,
)
