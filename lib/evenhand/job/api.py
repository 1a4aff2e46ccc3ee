"""What a notebook uses: `run(plan, spark)`, and the session that is already there."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic

from pyspark.sql import SparkSession

from evenhand.errors import AdviceWarning
from evenhand.job.arguments import checked_minutes, checked_noise, checked_say, checked_steps, derived_id, point_in_time
from evenhand.job.ended import ended
from evenhand.job.flow import DOING, STEPS
from evenhand.job.result import Result
from evenhand.job.state import Run
from evenhand.job.waiting import wait_for_others
from evenhand.plan.advice import advice
from evenhand.plan.load import checked_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoiseSource, OpenDPNoise
from evenhand.spark.advised import lacking
from evenhand.spark.errors import no_values_in_errors
from evenhand.spark.session import require_delta, start


def run(
    plan: Plan,
    spark: SparkSession | None = None,
    *,
    as_of: datetime | str | None = None,
    run_id: str | None = None,
    steps: Sequence[str] = tuple(STEPS),
    wait: float = 0.0,
    noise: NoiseSource | None = None,
    say: Callable[[str], None] | None = None,
    begun: Callable[[str], None] = lambda run_id: None,
    took: Callable[[str, float], None] = lambda step, seconds: None,
) -> Result:
    """Run a plan, or some of its steps, on a classic or a Spark Connect session.

    `as_of` is the point in time for consent and events (default: now), a datetime or ISO text, in UTC where it has no offset.
    `run_id` resumes a run; one that is published already is not done again. "auto" is the id that this plan as of this moment always
    has. Where another process is at the run it is waited for, `wait` minutes at most. `begun` hears the id of the run, `took`
    how long each step took, in seconds, also one that fails. `say` hears first
    what `--check` would warn of, then progress; without it the warnings are Python's own (`AdviceWarning`), before anything is
    spent.

    Raises:
        EvenhandError: one line; nothing was published.
    """
    plan, steps = checked_plan(plan), checked_steps(steps, STEPS)
    say = None if say is None else checked_say(say)
    source = OpenDPNoise() if noise is None else checked_noise(noise)
    moment, wait = None if as_of is None else point_in_time(as_of), checked_minutes(wait)
    run_id = None if run_id is None else derived_id(plan, run_id, moment)
    spark = start(f"evenhand {plan.name}") if spark is None else spark
    require_delta(spark)
    hears = say or (lambda line: None)
    with no_values_in_errors("evenhand"):
        if run_id is not None and (before := ended(plan, spark, run_id, moment, steps, hears)) is not None:
            return before
        waited = wait > 0 and wait_for_others(plan, spark, run_id, wait, hears)
        if run_id is not None and waited and (before := ended(plan, spark, run_id, moment, steps, hears)) is not None:
            return before
        for line in lacking(spark):
            hears(line)
        for warning in advice(plan) if set(steps) != {"report"} else []:  # the page says it by itself
            if say is None:
                warnings.warn(warning, AdviceWarning, stacklevel=2)
            else:
                say(warning)
        return _run(plan, spark, moment, run_id, steps, source, hears, begun, took)


def _run(
    plan: Plan,
    spark: SparkSession,
    as_of: datetime | None,
    run_id: str | None,
    steps: Sequence[str],
    noise: NoiseSource,
    say: Callable[[str], None],
    begun: Callable[[str], None],
    took: Callable[[str, float], None],
) -> Result:
    with Run.open(plan, spark, run_id, as_of, noise, say, "prepare" in steps) as this:
        begun(this.run_id)
        if this.found is None:
            say(f"run {this.run_id}: if it is cut off, start it again under this id and it goes on where it stopped")
        else:
            say(f"run {this.run_id}: resumed, as of {this.as_of:%Y-%m-%d %H:%M} UTC; it goes on with the step {this.stands_at}")
        for number, step in enumerate(steps, 1):
            say(f"[{number}/{len(steps)}] {DOING[step]}")
            this.steps.append(step)
            began = monotonic()
            try:
                STEPS[step](this)
            finally:
                took(step, monotonic() - began)
            say(f"[{number}/{len(steps)}] {step}: done after {monotonic() - began:.0f} s")
        return Result(this.bounded, this.store, this.run_id)
