"""Check examples/schedules with the software that they are for: `scripts/check-schedules` makes the environment and calls this."""

from __future__ import annotations

import json
import os
import stat
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

SCHEDULES = Path(__file__).parents[1] / "examples/schedules"
# Says what it was given, and ends as it is told: the first time with the first exit code, and so on.
SPARK_SUBMIT = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["GIVEN"], "a+") as given:
    given.write(json.dumps(sys.argv[1:]) + "\\n")
    given.seek(0)
    times = len(given.readlines())
sys.exit(int(os.environ["ENDS"].split()[times - 1]))
"""


def main(folder: Path) -> None:
    check_cron_job()
    check_spark_application()
    check_databricks()
    check_alerts()
    check_airflow(folder)


def told(what: str, is_so: bool, why: object = "") -> None:
    """To file descriptor 3: Airflow says a great deal on the others."""
    os.write(3, f"{'ok' if is_so else 'WRONG'}  {what}{'' if is_so else f': {why}'}\n".encode())
    if not is_so:
        sys.exit(1)


def lost(given: Any, kept: Any, at: str = "") -> list[str]:
    """Keys of a document that a model does not know: read by the model and written again, they are gone."""
    if isinstance(given, dict) and isinstance(kept, dict):
        gone = [f"{at}.{key}" for key in given if key not in kept]
        return gone + [way for key in given if key in kept for way in lost(given[key], kept[key], f"{at}.{key}")]
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return [way for i, (one, other) in enumerate(zip(given, kept, strict=True)) for way in lost(one, other, f"{at}[{i}]")]
    return [] if given == kept else [f"{at}: {given!r} became {kept!r}"]


def check_cron_job() -> None:
    from kubernetes.client import ApiClient

    document, api = yaml.safe_load((SCHEDULES / "kubernetes-cronjob.yaml").read_text()), ApiClient()
    job = api.deserialize(json.dumps(document), "V1CronJob", "application/json")
    gone = lost(document, api.sanitize_for_serialization(job))
    told("kubernetes-cronjob.yaml: the Kubernetes client knows every key", not gone, gone)


def check_spark_application() -> None:
    from kubeflow_spark_api.models import SparkV1beta2ScheduledSparkApplication as Scheduled

    document = yaml.safe_load((SCHEDULES / "scheduled-spark-application.yaml").read_text())
    gone = lost(document, Scheduled.from_dict(document).to_dict())
    told("scheduled-spark-application.yaml: the operator's models know every key", not gone, gone)


def check_databricks() -> None:
    from databricks.bundles.jobs import Job

    for name, document in yaml.safe_load((SCHEDULES / "databricks.yml").read_text())["resources"]["jobs"].items():
        gone = lost(document, Job.from_dict(document).as_dict())
        told(f"databricks.yml: Databricks' models know every key of the job {name}", not gone, gone)


def check_alerts() -> None:
    import promql_parser

    for group in yaml.safe_load((SCHEDULES / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            try:
                promql_parser.parse(rule["expr"])
            except ValueError as wrong:
                told(f"alerts.yml: {rule['alert']}", False, wrong)
    told("alerts.yml: every expression is PromQL", True)


def check_airflow(folder: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(SCHEDULES / "airflow_dag.py"))
    told("airflow_dag.py: imported", not bag.import_errors, bag.import_errors)
    told("airflow_dag.py: two DAGs", sorted(bag.dags) == ["evenhand_retention", "evenhand_segments"], sorted(bag.dags))
    submit = folder / "bin/spark-submit"
    submit.parent.mkdir()
    submit.write_text(SPARK_SUBMIT)
    submit.chmod(submit.stat().st_mode | stat.S_IXUSR)
    os.environ["PATH"] = f"{submit.parent}:{os.environ['PATH']}"
    dag = bag.dags["evenhand_segments"]
    for task in dag.tasks:
        told(
            f"airflow_dag.py: {task.task_id} is tried again after a pause",
            task.retries == 3 and task.retry_delay > timedelta(minutes=1),
        )
        task.retry_delay, task.retry_exponential_backoff = timedelta(seconds=1), False  # not in a check
    # How the jobs end one after the other, how the first task ends, and how many jobs were started.
    for ends, state, jobs in (("0 0", "success", 2), ("75 137 0 0", "success", 4), ("2", "failed", 1)):
        given = folder / f"given-{ends}"
        os.environ |= {"GIVEN": str(given), "ENDS": ends}
        run = dag.test()
        states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
        told(f"airflow_dag.py: after the exit codes {ends} the first task is {state}", states["segments"] == state, states)
        lines = [json.loads(line) for line in given.read_text().splitlines()]
        told(f"airflow_dag.py: after the exit codes {ends} {jobs} of its jobs were started", len(lines) == jobs, lines)
        points = {datetime.fromisoformat(line[line.index("--as-of") + 1]) for line in lines if "--as-of" in line}
        told("airflow_dag.py: every try is as of the moment of the DAG run", points == {run.run_after}, points)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
