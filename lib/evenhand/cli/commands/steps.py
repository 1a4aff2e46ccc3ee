"""`evenhand prepare`, `segment`, `assess`, `report`: each step of a run alone, in that order, under one run id."""

from __future__ import annotations

from argparse import Namespace
from functools import partial

from evenhand.cli.command import Answer, Command
from evenhand.cli.commands.run import add_run, run_steps
from evenhand.cli.talk import Talk

DOES = {
    "prepare": "Step 1: keep the customers and columns that the purpose may use, under pseudonyms.",
    "segment": "Step 2: learn the segments from a private summary and assign every customer.",
    "assess": "Step 3: measure profiles and fairness, pass the gates, publish.",
    "report": "Step 4: write the page of a run that is published or blocked.",
}


def _run(step: str, options: Namespace, talk: Talk) -> Answer:
    return run_steps([step], options, talk)


def _command(step: str) -> Command:
    example = f"evenhand {step} --plan conf/demo.yaml --run-id autumn"
    return Command(step, DOES[step], (example,), partial(add_run, needs_id=step != "prepare"), partial(_run, step))


COMMANDS = tuple(map(_command, DOES))
