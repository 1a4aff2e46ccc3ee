"""`evenhand consent`: take events in, and give a person a receipt of theirs."""

from __future__ import annotations

from argparse import Namespace

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser, add_output, add_plan, add_scheduled
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk

EXAMPLES = (
    "evenhand consent import --plan conf/demo.yaml --from events.csv",
    "evenhand consent import --plan conf/demo.yaml --from list.csv --signal gpc",
    "evenhand consent receipt --plan conf/demo.yaml --customer-from id --to r.json",
)


def _arguments(parser: Parser) -> None:
    several = parser.add_subparsers(title="what", metavar="import | receipt", required=True, parser_class=Parser)
    taking = several.add_parser(
        "import", help="add events of a file to the consent table", description=_import.__doc__, examples=EXAMPLES[:2]
    )
    add_scheduled(taking)
    taking.add_argument("--from", dest="path", required=True, metavar="FILE", help="a file or folder of events")
    taking.add_argument("--as", dest="form", metavar="FORM", help="csv, jsonl or parquet (default: by its name)")
    taking.add_argument("--signal", metavar="NAME", help="the rows are objections: a list, or a signal such as gpc")
    taking.add_argument("--create", action="store_true", help="make the consent table where it is missing")
    giving = several.add_parser(
        "receipt", help="write a person's consent record", description=_receipt.__doc__, examples=EXAMPLES[2:]
    )
    add_plan(giving)
    giving.add_argument("--customer-from", required=True, metavar="FILE", help="a file that holds the id, and nothing else")
    giving.add_argument("--to", required=True, metavar="FILE", help="the receipt, readable by its owner only")
    for own, does in ((taking, _import), (giving, _receipt)):
        add_output(own)
        own.set_defaults(does=does)


def _import(options: Namespace, talk: Talk) -> Answer:
    """Add the events of a file to the plan's consent table, each once; what cannot be understood is never taken for a yes."""
    from evenhand.people.consent_import import import_consent
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand consent {plan.name}", talk)
    talk.wait_for("taking events in")
    found = import_consent(plan, spark, options.path, form=options.form, signal=options.signal, create=options.create)
    # The same words whatever the file holds: how many rows were not understood is a figure about people.
    lines = [
        f"{found.table} has the events of {options.path}, each once",
        f"rows that could not be understood, if any, with the reason: SELECT * FROM {found.quarantine} WHERE run_id = '{found.import_id}'",
    ]
    if found.added_columns:
        lines.append(f"new columns of the table: {', '.join(found.added_columns)}")
    facts = {
        "status": "imported",
        "plan": plan.name,
        "import_id": found.import_id,
        "table": found.table,
        "quarantine": found.quarantine,
    }
    return Answer("\n".join(lines), facts | {"added_columns": list(found.added_columns)})


def _receipt(options: Namespace, talk: Talk) -> Answer:
    """Write what a person has said about the plan's purpose, as JSON-LD in the terms of the W3C's Data Privacy Vocabulary."""
    from evenhand.people.receipt import write_receipt
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    spark = session(f"evenhand consent {plan.name}", talk)
    talk.wait_for("looking up the consent record")
    write_receipt(plan, spark, options.customer_from, options.to)
    return Answer(f"receipt: {options.to}", {"status": "written", "receipt": options.to})


COMMAND = Command(
    "consent",
    "Take consent events in, or write a person's own record of them.",
    EXAMPLES,
    _arguments,
    lambda options, talk: options.does(options, talk),
)
