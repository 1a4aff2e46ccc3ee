"""`evenhand access`: a page for each person who asks what is kept about them."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_plan
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_plan(parser)
    parser.add_argument("--customer-from", required=True, metavar="FILE", help="a text file with the id, or one id a line")
    parser.add_argument("--to", required=True, metavar="FOLDER", help="where the pages go; only their owner can read them")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.people.access import access
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand access {plan.name}", talk)
    talk.wait_for("looking up what is kept")
    folder = access(plan, spark, options.customer_from, options.to)
    return Answer(f"the pages are in {folder}", {"status": "written", "plan": plan.name, "folder": str(folder)})


COMMAND = Command(
    "access",
    "Write a page, HTML and JSON, for each customer in a file: what is kept about them, why, and how to say no.",
    ("evenhand access --plan conf/demo.yaml --customer-from id.txt --to pages",),
    _arguments,
    _run,
)
