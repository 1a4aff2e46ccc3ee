"""`evenhand runs`: the runs of a plan's zones: list, show, compare, and where the page of one is."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_output, add_plan
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk
from evenhand.errors import OutputError

# What is asked for, which runs it names, and what it does.
WHAT = {
    "list": ((), "List the runs, the newest first."),
    "show": (("RUN",), "Show the summary of a run again."),
    "open": (("RUN",), "Print where the page of a run is, to open it with."),
    "compare": (("FIRST", "SECOND"), "Hold two runs against each other: plans, segments, statistics of fairness."),
}


def _arguments(parser: Parser) -> None:
    several = parser.add_subparsers(title="what", dest="what", metavar="WHAT", required=True, parser_class=Parser)
    for what, (named, does) in WHAT.items():
        example = " ".join(["evenhand runs", what, *("autumn", "winter")[: len(named)], "--plan conf/demo.yaml"])
        own = several.add_parser(what, help=does, description=does, examples=(example,))
        for name in named:
            own.add_argument(name.lower(), metavar=name, help="the id of a run")
        add_plan(own)
        add_output(own)


def _run(options: Namespace, talk: Talk) -> Answer:
    from evenhand.past.runs import runs
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session("evenhand runs", talk)
    talk.wait_for("reading runs")
    found = runs(plan, spark)
    if options.what == "list":
        return Answer(str(found), {"status": "done", "runs": [past.as_facts() for past in found]})
    if options.what == "compare":
        compared = found.compare(options.first, options.second)
        return Answer(str(compared), compared.as_facts())
    result = found.open(options.run)
    if options.what == "show":
        return Answer(str(result), result.as_facts())
    if not result.report.exists():
        raise OutputError(f"output.reports: {result.report} is not there; make it anew: evenhand report --run-id {options.run}")
    return Answer(str(result.report), result.as_facts())


COMMAND = Command(
    "runs",
    "List the runs of a plan's zones, show one, print where its page is (open), or compare two.",
    ("evenhand runs list --plan conf/demo.yaml", "evenhand runs compare autumn winter --plan conf/demo.yaml"),
    _arguments,
    _run,
    is_several=True,
    only_answers=True,
)
