"""`evenhand notice`: the page that tells customers what a plan does with their data. Touches no data and starts no Spark."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_plan
from evenhand.cli.talk import Talk


def _arguments(parser: Parser) -> None:
    add_plan(parser)
    parser.add_argument("--to", required=True, metavar="FOLDER", help="where the pages go, one a language")
    parser.add_argument("--language", metavar="CODE", help="one of the plan's languages, such as de (default: all of them)")


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.people.notice import notice
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    pages = [str(path) for path in notice(plan, options.to, options.language)]
    version = plan.notice.version if plan.notice else ""
    facts = {"status": "written", "plan": plan.name, "version": version, "pages": pages}
    return Answer("\n".join([f"notice {version}:", *(f"  {path}" for path in pages)]), facts)


COMMAND = Command(
    "notice",
    "Write the notice to customers, from the plan alone: what is read and why, for how long, who gets it, their rights.",
    (
        "evenhand notice --plan conf/demo.yaml --to notice",
        "evenhand notice --plan conf/demo.yaml --to notice --language de",
    ),
    _arguments,
    _run,
)
