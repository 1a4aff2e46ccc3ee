"""`evenhand activate`: hand out the people of segments, of those who may be used today."""

from __future__ import annotations

import argparse
from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_scheduled
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_scheduled(parser)
    parser.add_argument("--run-id", required=True, metavar="ID", help="the published run")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--offer", metavar="NAME", help="an offer of the plan: the segments that it reaches")
    what.add_argument("--segments", type=_numbers, metavar="1,3", help="segments by number")
    parser.add_argument("--to", required=True, metavar="DEST", help="a path, or the name of a Delta table")
    parser.add_argument("--as", dest="form", default="delta", metavar="FORM", help="delta (default), parquet or csv")
    parser.add_argument("--activation", metavar="ID", help="go on with this activation, or give the new one this id")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.people.activate import activate
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand activate {plan.name}", talk)
    talk.wait_for("handing out")
    found = activate(
        plan,
        spark,
        options.run_id,
        options.to,
        form=options.form,
        offer=options.offer,
        segments=options.segments,
        activation_id=options.activation,
        say=talk.say,
    )
    facts = {
        "status": "handed out",
        "plan": plan.name,
        "run_id": options.run_id,
        "activation_id": found,
        "destination": options.to,
    }
    return Answer(f"activation {found}: handed out to {options.to}", facts)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of segments such as 1,3") from None


COMMAND = Command(
    "activate",
    "Hand out ids of chosen segments of a published run, of those customers who may be used at this moment.",
    (
        "evenhand activate --plan plan.yaml --run-id autumn --offer new --to ./out",
        "evenhand activate --plan plan.yaml --run-id autumn --segments 1,3 --to crm.new",
    ),
    _arguments,
    _run,
)
