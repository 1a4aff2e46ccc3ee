"""`evenhand feedback`: count a survey's answers by segment, privately."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_scheduled
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_scheduled(parser)
    parser.add_argument("--survey", required=True, metavar="NAME", help="the survey of the plan")
    parser.add_argument("--run-id", metavar="ID", help="the published run whose segments are taken (default: the last)")
    parser.add_argument("--wave", metavar="ID", help="go on with this wave, or give the new one this id")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.people.feedback import feedback
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand feedback {plan.name}", talk)
    talk.wait_for("counting answers")
    wave = feedback(plan, spark, options.survey, run_id=options.run_id, wave_id=options.wave, say=talk.say)
    facts = {"status": "counted", "plan": plan.name, "survey": options.survey, "wave": wave}
    return Answer(f"wave {wave}: the answers to {options.survey} are counted by segment, in the open table feedback", facts)


COMMAND = Command(
    "feedback",
    "Count the latest answers to a survey about the use of data by segment, with noise, at the ε that the plan states for a wave.",
    (
        "evenhand feedback --plan conf/demo.yaml --survey data_use",
        "evenhand feedback --plan conf/demo.yaml --survey data_use --wave december",
    ),
    _arguments,
    _run,
)
