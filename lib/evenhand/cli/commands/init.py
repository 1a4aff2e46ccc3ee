"""`evenhand init`: a commented plan, proposed from the columns of the tables. Reads schemas, no row."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from evenhand.cli.command import Answer, Command
from evenhand.cli.parser import Parser
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk
from evenhand.errors import ArgumentError, cannot_write
from evenhand.terminal import hanging


def _arguments(parser: Parser) -> None:
    table = "a Delta table: a path, or a name in the catalog"
    parser.add_argument("--customers", required=True, metavar="TABLE", help=f"one row a customer; {table}")
    parser.add_argument("--events", action="append", default=[], metavar="TABLE", help="many rows a customer; may be repeated")
    parser.add_argument("--consent", metavar="TABLE", help="consents and objections, one row an event")
    parser.add_argument("--out", required=True, metavar="FILE", help="the plan to write; a file that is there is left alone")


def _run(options: Namespace, talk: Talk) -> Answer:
    out = Path(options.out)
    if out.exists():
        raise ArgumentError(f"--out {out}: there is such a file, and it was left as it is; name another")
    if not out.absolute().parent.is_dir():
        raise ArgumentError(f"--out {out}: there is no folder {out.absolute().parent}; make it first")
    from evenhand.propose.plan import propose
    from evenhand.propose.schemas import read_schema

    spark = session("evenhand init", talk)
    talk.wait_for("reading schemas")
    customers = read_schema(spark, options.customers, "--customers")
    events = [read_schema(spark, table, "--events") for table in options.events]
    consent = read_schema(spark, options.consent, "--consent") if options.consent else None
    made = propose(customers, events, consent, out)
    write_new(out, made.text)
    lines = [
        f"{out}: no row was read",
        f"  {made.features} features, {made.attributes} protected attributes, {made.unused} columns not used",
        "Fill in first:",
        *(line for gap in made.gaps for line in hanging(f"line {gap.line}, {gap.key}: {gap.question}")),
        f"Then answer its questions, and: evenhand check --plan {out}",
    ]
    missing = [{"line": gap.line, "key": gap.key, "question": gap.question} for gap in made.gaps]
    facts = {"status": "written", "plan": str(out), "features": made.features, "attributes": made.attributes}
    return Answer("\n".join(lines), facts | {"not_used": made.unused, "fill_in": missing})


def write_new(out: Path, text: str) -> None:
    """Write a file that is not there yet, whole or not at all; raises ArgumentError or NoRoom."""
    try:
        file = out.open("x", encoding="utf-8")
    except OSError as wrong:
        raise cannot_write(f"--out {out}", wrong, otherwise=ArgumentError) from None
    try:
        with file:
            file.write(text)
    except OSError as wrong:
        out.unlink()
        raise cannot_write(f"--out {out}", wrong, "; nothing was written", ArgumentError) from None


COMMAND = Command(
    "init",
    "Write a first plan for own tables: every column is proposed as feature, protected or not used, with questions.",
    (
        "evenhand init --customers data/customers --consent data/consent \\",
        "    --events data/orders --events data/visits --out plan.yaml",
        "evenhand init --customers crm.customers --consent crm.consent --out plan.yaml",
    ),
    _arguments,
    _run,
)
