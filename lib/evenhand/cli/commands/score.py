"""`evenhand score`: assign today's customers to the centers of a published run."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_scheduled, moment
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_scheduled(parser)
    parser.add_argument("--run-id", required=True, metavar="ID", help="the published run whose centers are taken")
    parser.add_argument(
        "--as-of",
        type=moment,
        metavar="TIME",
        help="point in time for consent and events, in UTC unless it has an offset (default: now)",
    )
    parser.add_argument("--scoring", metavar="ID", help="go on with this scoring, or give the new one this id")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.people.score import score
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand score {plan.name}", talk)
    talk.wait_for("preparing and assigning customers")
    found = score(plan, spark, options.run_id, as_of=options.as_of, scoring_id=options.scoring, say=talk.say)
    facts = {"status": "published", "plan": plan.name, "run_id": found, "centers_of": options.run_id}
    return Answer(f"run {found}: today's customers are in the segments of run {options.run_id}", facts)


COMMAND = Command(
    "score",
    "Assign the customers of today to the centers of a published run. Learns nothing and spends no budget.",
    (
        "evenhand score --plan conf/demo.yaml --run-id autumn",
        "evenhand score --plan conf/demo.yaml --run-id autumn --scoring december",
    ),
    _arguments,
    _run,
)
