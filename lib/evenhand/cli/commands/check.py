"""`evenhand check`: what a plan reads, does and costs, in words. Touches no data and starts no Spark."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import add_plan
from evenhand.cli.talk import Talk

if TYPE_CHECKING:
    from evenhand.plan.models import Plan


def explained(plan: Plan) -> Answer:
    """A sound plan in words; its fingerprint and what should be thought of before anything is spent."""
    from evenhand.plan.advice import advice
    from evenhand.plan.explain import explain
    from evenhand.plan.load import fingerprint

    facts = {"status": "sound", "plan": plan.name, "fingerprint": fingerprint(plan), "findings": advice(plan)}
    return Answer(explain(plan), facts)


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.plan.load import load_plan

    return explained(load_plan(options.plan))


COMMAND = Command(
    "check",
    "Validate a plan and explain it: what is read and why, what it costs, what to expect. No data, no Spark.",
    ("evenhand check --plan conf/demo.yaml", "evenhand check --plan conf/demo.yaml --json"),
    add_plan,
    _run,
    only_answers=True,
)
