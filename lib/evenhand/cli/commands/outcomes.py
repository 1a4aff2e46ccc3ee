"""`evenhand outcomes`: what came of an offer, by segment, protected group and holdout."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_scheduled
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_scheduled(parser)
    parser.add_argument("--outcome", required=True, metavar="NAME", help="the outcome of the plan")
    parser.add_argument("--activation", required=True, metavar="ID", help="the activation whose people are counted")
    parser.add_argument("--wave", metavar="ID", help="go on with this count, or give the new one this id")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.people.outcomes import outcomes
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand outcomes {plan.name}", talk)
    talk.wait_for("counting responses")
    wave = outcomes(plan, spark, options.outcome, options.activation, wave_id=options.wave, say=talk.say)
    facts = {
        "status": "counted",
        "plan": plan.name,
        "outcome": options.outcome,
        "activation_id": options.activation,
        "wave": wave,
    }
    return Answer(
        f"wave {wave}: what came of activation {options.activation} is in the open tables outcome_rates and outcome_verdicts",
        facts,
    )


COMMAND = Command(
    "outcomes",
    "Count what came of an activation by segment, protected group and holdout, with noise, at the ε that the plan states for a count.",
    ("evenhand outcomes --plan plan.yaml --outcome response --activation ID",),
    _arguments,
    _run,
)
