"""The examples for schedulers: each line in them is one that Evenhand takes, secrets are named only, retries fit the exit codes."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from evenhand.cli.main import parsed
from evenhand.cli.metrics import LAST_START, STANDS
from evenhand.errors import TRY_AGAIN, EvenhandError

ROOT = Path(__file__).parents[2]
SCHEDULES = ROOT / "examples/schedules"
CRON_JOB, SPARK_APPLICATION, DATABRICKS = (
    yaml.safe_load((SCHEDULES / name).read_text(encoding="utf-8"))
    for name in ("kubernetes-cronjob.yaml", "scheduled-spark-application.yaml", "databricks.yml")
)
FILLED_IN = {  # what each scheduler puts in place of what it replaces
    "$(JOB_NAME)": "evenhand-segments-29412345",
    "{{ dag_run.run_after.isoformat() }}": "2026-11-09T04:00:00+00:00",
    "{{job.run_id}}": "123456789",
    "${var.plan}": "/Volumes/main/evenhand/plans/plan.yaml",
}


def of_job(file: str, arguments: list[str]) -> list[str]:
    """The command line that a file of `jobs/` makes of its arguments."""
    return [re.search(r'\["(\w+)", \*', (ROOT / "jobs" / Path(file).name).read_text())[1], *arguments]  # type: ignore[index]


def of_airflow() -> Iterator[list[str]]:
    """The lists that tasks are called with, without running Airflow."""
    tree = ast.parse((SCHEDULES / "airflow_dag.py").read_text(encoding="utf-8"))
    given: dict[str, Any] = {"PLAN": "/srv/evenhand/plan.yaml", "METRICS": "/metrics"}
    (run,) = (node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RUN")
    given["RUN"] = eval(ast.unparse(run), dict(given))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Call) and call.args:
            file, *arguments = eval(ast.unparse(call.args[0]), dict(given))
            yield of_job(file, arguments)


def of_cron() -> Iterator[list[str]]:
    for line in (SCHEDULES / "crontab").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "PATH", "MAILTO")):
            assert "%" not in line  # to cron it is a line break
            words = shlex.split(line.partition(">>")[0])
            assert words[5:8] == ["evenhand", "/opt/evenhand/locked", "/srv/evenhand/lock"] and words[8] == "evenhand"
            yield words[9:]


def container() -> dict[str, Any]:
    return CRON_JOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]  # type: ignore[no-any-return]


LINES = {
    "airflow": list(of_airflow()),
    "cron": list(of_cron()),
    "kubernetes": [container()["args"]],
    "spark operator": [
        of_job(SPARK_APPLICATION["spec"]["template"]["mainApplicationFile"], SPARK_APPLICATION["spec"]["template"]["arguments"])
    ],
    "databricks": [
        of_job(task["spark_python_task"]["python_file"], task["spark_python_task"]["parameters"])
        for task in DATABRICKS["resources"]["jobs"]["segments"]["tasks"]
    ],
}


@pytest.mark.parametrize("scheduler", LINES)
def test_every_line_is_one_that_evenhand_takes_and_a_retry_of_a_run_is_that_run(scheduler: str) -> None:
    assert LINES[scheduler]
    for line in LINES[scheduler]:
        assert all(isinstance(word, str) for word in line), line  # YAML has numbers where they are not quoted
        for theirs, filled in FILLED_IN.items():
            line = [word.replace(theirs, filled) for word in line]
        assert not re.search(r"[{}$]", " ".join(line)), line
        options = parsed(line)
        if options.command.name == "run":
            assert options.run_id is not None and (options.run_id != "auto" or options.as_of is not None)


def test_there_is_a_run_in_each_example() -> None:
    assert [name for name, lines in LINES.items() if "run" not in {line[0] for line in lines}] == []


def test_secrets_are_named_and_not_held() -> None:
    of_pod, of_driver = (
        next(entry for entry in where["env"] if entry["name"] == "EVENHAND_KEY")
        for where in (container(), SPARK_APPLICATION["spec"]["template"]["driver"])
    )
    for entry in (of_pod, of_driver):
        assert set(entry) == {"name", "valueFrom"} and set(entry["valueFrom"]) == {"secretKeyRef"}
    (cluster,) = DATABRICKS["resources"]["jobs"]["segments"]["job_clusters"]
    assert re.fullmatch(r"\{\{secrets/[\w-]+/[\w-]+\}\}", cluster["new_cluster"]["spark_env_vars"]["EVENHAND_KEY"])
    for name in ("airflow_dag.py", "crontab", "locked"):
        assert not re.search(r"EVENHAND_KEY|[0-9a-f]{32}", (SCHEDULES / name).read_text(encoding="utf-8"))


def test_a_job_of_kubernetes_is_not_tried_again_after_what_no_retry_mends() -> None:
    rules = CRON_JOB["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    fails = next(rule["onExitCodes"] for rule in rules if rule["action"] == "FailJob")
    codes = {kind.exit_code for kind in EvenhandError.__subclasses__()} - {TRY_AGAIN, 130}
    assert (set(fails["values"]), fails["containerName"], fails["operator"]) == (codes, container()["name"], "In")


def test_alerts_ask_for_gauges_and_labels_that_metrics_have() -> None:
    (group,) = yaml.safe_load((SCHEDULES / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    asked = {name for rule in group["rules"] for name in re.findall(r"evenhand_\w+", rule["expr"])}
    assert (
        {"evenhand_exit_code", "evenhand_last_success_timestamp_seconds", "evenhand_runs_left"} <= asked <= {*LAST_START, *STANDS}
    )
    for rule in group["rules"]:
        labels = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) | set(re.findall(r"(\w+)=\"", rule["expr"]))
        assert labels <= {"plan", "command", "attribute", "verdict"}
    assert f"!= {TRY_AGAIN}" in group["rules"][0]["expr"]


def locked(tmp_path: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [SCHEDULES / "locked", tmp_path / "lock", *command]
    return subprocess.run(line, capture_output=True, text=True, env=os.environ | environment, check=False)


def test_cron_runs_a_command_under_the_lock_and_hands_its_exit_code_on(tmp_path: Path) -> None:
    check = [sys.executable, "-m", "evenhand", "check", "--json", "--plan"]
    sound = locked(tmp_path, *check, str(ROOT / "conf/demo.yaml"))
    assert sound.returncode == 0 and '"status": "sound"' in sound.stdout
    assert locked(tmp_path, *check, str(tmp_path / "none.yaml"), PAUSES="60").returncode == 2  # at once


def test_cron_tries_again_after_exit_code_75_and_gives_up_with_it(tmp_path: Path) -> None:
    counts = f"echo x >>{tmp_path}/tries; [ $(wc -l <{tmp_path}/tries) -ge 3 ] || exit 75"
    assert locked(tmp_path, "sh", "-c", counts, PAUSES="0 0").returncode == 0
    assert (tmp_path / "tries").read_text().count("x") == 3
    assert locked(tmp_path, "sh", "-c", "exit 75", PAUSES="").returncode == 75


def test_cron_starts_nothing_while_another_job_has_the_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            SCHEDULES / "locked",
            tmp_path / "lock",
            "sh",
            "-c",
            f"touch {tmp_path}/began; while [ ! -e {tmp_path}/done ]; do sleep 0.1; done",
        ]
    ):
        try:
            while not (tmp_path / "began").exists():
                time.sleep(0.05)
            late = locked(tmp_path, "touch", str(tmp_path / "second"), LOCK_WAIT="0")
        finally:
            (tmp_path / "done").touch()
    assert late.returncode == TRY_AGAIN and "another job has" in late.stderr
    assert not (tmp_path / "second").exists()
