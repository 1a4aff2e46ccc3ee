"""What a notebook uses: `run(plan, spark)`, and the session that is already there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from pyspark.sql import SparkSession

from evenhand.errors import ArgumentError
from evenhand.flow import STEPS
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoiseSource, OpenDPNoise
from evenhand.result import Result
from evenhand.run_state import Run
from evenhand.session import require_delta, start
from evenhand.tables.spark_errors import no_values_in_errors


def run(
    plan: Plan,
    spark: SparkSession | None = None,
    *,
    as_of: datetime | None = None,
    run_id: str | None = None,
    steps: Sequence[str] = tuple(STEPS),
    noise: NoiseSource | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Result:
    """Run a plan, or some of its steps, on a classic or a Spark Connect session.

    `as_of` is the point in time for consent and events (default: now), `run_id` resumes a run, `say` hears progress.

    Raises:
        EvenhandError: one line; nothing was published.
    """
    if unknown := [step for step in steps if step not in STEPS]:
        raise ArgumentError(f"steps: there is no {unknown[0]}; known: {', '.join(STEPS)}")
    spark = spark or start(f"evenhand {plan.name}")
    require_delta(spark)
    with (
        no_values_in_errors("evenhand"),
        Run.open(plan, spark, run_id, as_of, noise or OpenDPNoise(), say, "prepare" in steps) as this,
    ):
        say(f"run {this.run_id}: if it is cut off, start it again under this id and it goes on where it stopped")
        for number, step in enumerate(steps, 1):
            say(f"[{number}/{len(steps)}] {step}: {(STEPS[step].__doc__ or '').strip().splitlines()[0]}")
            STEPS[step](this)
        return Result(this.bounded, this.store, this.run_id)
