"""`evenhand run`: a whole run, from the sources to the report."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from evenhand.cli.command import Answer, Command
from evenhand.cli.commands.check import explained
from evenhand.cli.interrupt import ctrl_c_tells
from evenhand.cli.parser import Parser, add_scheduled, add_wait, moment
from evenhand.cli.spark import session
from evenhand.cli.talk import Talk
from evenhand.errors import Blocked, BudgetExhausted, EvenhandError
from evenhand.job.arguments import checked_id, derived_id

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from evenhand.plan.models import Plan

STEPS = ("prepare", "segment", "assess", "report")


def add_run(parser: Parser, needs_id: bool = False) -> None:
    """The arguments of a run and of each of its steps."""
    add_scheduled(parser)
    parser.add_argument(
        "--as-of",
        type=moment,
        metavar="TIME",
        help="point in time for consent and events, in UTC unless it has an offset (default: now)",
    )
    parser.add_argument(
        "--run-id",
        required=needs_id,
        type=checked_id,
        metavar="ID",
        help="resume this run, or give the new one this id; auto: the id that this plan as of this time always has",
    )
    # By default longer than a process that died on another machine has the run: lease.LASTS.
    add_wait(parser, 3, "another process that is at this run")
    parser.add_argument("--check", action="store_true", help="explain the plan and stop: no data, no Spark")


def run_steps(steps: Sequence[str], options: Namespace, talk: Talk) -> Answer:
    """Some steps of a run, or with `--check` the plan in words."""
    from evenhand.plan.load import load_plan

    plan = load_plan(options.plan)
    run_id = None if options.run_id is None else derived_id(plan, options.run_id, options.as_of)
    if options.check:
        return explained(plan)
    from evenhand.job.api import run

    spark = session(f"evenhand {plan.name}", talk)
    if run_id is not None:
        talk.begun(run_id)
    talk.wait_for("looking at sources and zones")
    with ctrl_c_tells(talk):
        with budget_known(plan, spark, talk):
            result = run(
                plan,
                spark,
                as_of=options.as_of,
                run_id=run_id,
                steps=steps,
                wait=options.wait,
                say=talk.say,
                begun=talk.begun,
                took=talk.took,
            )
        if steps[-1] != "report":
            done = f"run {result.run_id}: {', '.join(steps)} done"
            return Answer(done, {"status": "done", "run_id": result.run_id, "plan": plan.name, "steps": list(steps)})
        return Answer(str(result), result.as_facts())


@contextmanager
def budget_known(plan: Plan, spark: SparkSession, talk: Talk) -> Iterator[None]:
    """Where a gate or the budget stops the run, programs are told what is left of the budget: Spark is there to ask."""
    from evenhand.report.budget import read_budget
    from evenhand.spark.errors import SPARK_ERRORS
    from evenhand.tables.store import Store

    try:
        yield
    except (Blocked, BudgetExhausted):
        with suppress(EvenhandError, *SPARK_ERRORS):
            talk.known["budget"] = read_budget(Store(spark, plan.output), plan, talk.run_id or "").as_facts(plan.privacy)
        raise


COMMAND = Command(
    "run",
    "Do a whole run: prepare customers, learn segments, measure fairness, publish all of it or nothing, write the report.",
    (
        "evenhand run --plan conf/demo.yaml --as-of 2026-11-01",
        "evenhand run --plan conf/demo.yaml --run-id autumn    # again: goes on",
        "evenhand run --plan conf/demo.yaml --as-of today --run-id auto --json",
    ),
    add_run,
    lambda options, talk: run_steps(STEPS, options, talk),
)
