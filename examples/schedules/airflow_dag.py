"""Airflow 3: segments once a week, the records checked after that, and every night what is kept no longer is removed.

The worker has `spark-submit`, the package, and the pseudonym key in the environment variable that the plan names (`key_env`), from
its own secret store. Nothing secret is here.
"""

from __future__ import annotations

import subprocess
from datetime import timedelta

import pendulum
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

JOBS, PLAN, METRICS = "/opt/evenhand/jobs", "/srv/evenhand/plan.yaml", "/var/lib/node_exporter/textfile"
SPARK = ["spark-submit", "--properties-file", "/opt/evenhand/cluster.conf"]
TRY_AGAIN, ENDED_FROM_OUTSIDE = 75, 128
START = pendulum.datetime(2026, 11, 2, tz="UTC")


@task(retries=3, retry_delay=timedelta(minutes=10), retry_exponential_backoff=True)
def evenhand(line: list[str]) -> None:
    """A job of `jobs/` and its arguments, whose templates Airflow has filled in. Only what may pass is tried again."""
    code = subprocess.run([*SPARK, f"{JOBS}/{line[0]}", *line[1:]], check=False).returncode
    if code == TRY_AGAIN or code < 0 or code > ENDED_FROM_OUTSIDE:
        raise RuntimeError(f"exit code {code}: the same line goes on where it stopped")
    if code:
        raise AirflowFailException(f"exit code {code}: somebody has to look, see the log")


# `run_after` is the same in every try of one run of the DAG, so that `--run-id auto` finds what the first try began and paid.
RUN = ["pipeline.py", "--plan", PLAN, "--as-of", "{{ dag_run.run_after.isoformat() }}", "--run-id", "auto", "--wait", "120"]


@dag(schedule="0 4 * * 1", start_date=START, catchup=False, max_active_runs=1)
def evenhand_segments() -> None:
    segments = evenhand.override(task_id="segments")([*RUN, "--json", "--metrics", f"{METRICS}/evenhand_run.prom"])
    records = evenhand.override(task_id="records")(["verify.py", "--plan", PLAN, "--metrics", f"{METRICS}/evenhand_verify.prom"])
    segments >> records


@dag(schedule="30 2 * * *", start_date=START, catchup=False, max_active_runs=1)
def evenhand_retention() -> None:
    evenhand.override(task_id="retention")(["retain.py", "--plan", PLAN, "--metrics", f"{METRICS}/evenhand_retain.prom"])


evenhand_segments()
evenhand_retention()
