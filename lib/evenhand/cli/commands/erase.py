"""`evenhand erase`: take people out of the restricted zone for good, and prove it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_scheduled, add_wait
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_scheduled(parser)
    parser.add_argument(
        "--requests",
        metavar="TABLE",
        help="a Delta table of who asks, by a path with a slash or by its name; without it only whoever came back is erased again",
    )
    parser.add_argument("--to", metavar="FOLDER", help="for the certificate (default: erasures in the folder of reports)")
    add_wait(parser, 30, "runs that are going on")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.erasure.erase import erase
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand erase {plan.name}", talk)
    talk.wait_for("erasing")
    folder = Path(options.to) if options.to else None
    done = erase(plan, spark, options.requests, folder=folder, wait=options.wait, say=talk.say)
    facts = {
        "status": "erased",
        "plan": plan.name,
        "erasure_id": done.erasure_id,
        "certificate": str(done.certificate),
        "files_searched": len(done.proof.searched),
    }
    return Answer(
        f"{done.erasure_id}: whoever asked is in none of the {len(done.proof.searched)} files that are left; certificate: "
        f"{done.certificate}",
        facts,
    )


COMMAND = Command(
    "erase",
    "Take people out of the restricted zone for good, search every file that is left for them, and certify it.",
    ("evenhand erase --plan plan.yaml --requests crm.erasure_requests",),
    _arguments,
    _run,
)
