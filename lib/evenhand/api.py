"""What a notebook uses: `run(plan, spark)`, and the session that is already there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from pyspark.sql import SparkSession

from evenhand.arguments import checked_noise, checked_plan, checked_say, checked_steps, point_in_time
from evenhand.flow import STEPS
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoiseSource, OpenDPNoise
from evenhand.result import Result
from evenhand.run_identity import checked_id
from evenhand.run_state import Run
from evenhand.session import require_delta, start
from evenhand.tables.spark_errors import no_values_in_errors


def run(
    plan: Plan,
    spark: SparkSession | None = None,
    *,
    as_of: datetime | str | None = None,
    run_id: str | None = None,
    steps: Sequence[str] = tuple(STEPS),
    noise: NoiseSource | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Result:
    """Run a plan, or some of its steps, on a classic or a Spark Connect session.

    `as_of` is the point in time for consent and events (default: now), a datetime or ISO text, in UTC where it has no offset.
    `run_id` resumes a run, `say` hears progress.

    Raises:
        EvenhandError: one line; nothing was published.
    """
    plan, steps, say = checked_plan(plan), checked_steps(steps, STEPS), checked_say(say)
    source = OpenDPNoise() if noise is None else checked_noise(noise)
    run_id = None if run_id is None else checked_id(run_id)
    moment = None if as_of is None else point_in_time(as_of)
    spark = start(f"evenhand {plan.name}") if spark is None else spark
    require_delta(spark)
    with (
        no_values_in_errors("evenhand"),
        Run.open(plan, spark, run_id, moment, source, say, "prepare" in steps) as this,
    ):
        say(f"run {this.run_id}: if it is cut off, start it again under this id and it goes on where it stopped")
        for number, step in enumerate(steps, 1):
            say(f"[{number}/{len(steps)}] {step}: {(STEPS[step].__doc__ or '').strip().splitlines()[0]}")
            STEPS[step](this)
        return Result(this.bounded, this.store, this.run_id)
