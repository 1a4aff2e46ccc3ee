"""`evenhand rewards`: points for taking part, whatever was said."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_scheduled
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_scheduled(parser)
    parser.add_argument("--month", required=True, metavar="YYYY-MM", help="the month, which must be over")
    parser.add_argument("--to", required=True, metavar="DEST", help="a path, or the name of a Delta table")
    parser.add_argument("--as", dest="form", default="delta", metavar="FORM", help="delta (default), parquet or csv")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.people.rewards import rewards
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand rewards {plan.name}", talk)
    talk.wait_for("handing out points")
    place = rewards(plan, spark, options.month, options.to, form=options.form, say=talk.say)
    facts = {"status": "handed out", "plan": plan.name, "month": options.month, "destination": place}
    return Answer(f"the points of {options.month} are in {place}", facts)


COMMAND = Command(
    "rewards",
    "Hand out points for taking part in a survey or reviewing one's choices in a month, the same whatever was said.",
    (
        "evenhand rewards --plan plan.yaml --month 2026-10 --to crm.points",
        "evenhand rewards --plan plan.yaml --month 2026-10 --to ./points --as csv",
    ),
    _arguments,
    _run,
)
