"""`evenhand recall`: list who was handed out and may not be used any more."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_scheduled
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_scheduled(parser)
    parser.add_argument("--activation", required=True, metavar="ID", help="the activation, as it said its id")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.people.recall import recall
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand recall {plan.name}", talk)
    talk.wait_for("looking consent up again")
    place = recall(plan, spark, options.activation, say=talk.say)
    facts = {"status": "looked up", "plan": plan.name, "activation_id": options.activation, "listed_in": place}
    return Answer(f"activation {options.activation}: whoever is to be taken back is listed in {place}", facts)


COMMAND = Command(
    "recall",
    "List the ids of an activation that are to be taken back since they may not be used any more, each once.",
    ("evenhand recall --plan conf/demo.yaml --activation ID",),
    _arguments,
    _run,
)
