"""What whoever installs the package sees first: its version, its names with their words, and the settings of a session."""

from __future__ import annotations

import importlib
import pkgutil
import pydoc
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

import evenhand
from evenhand.plan.load import load_plan
from evenhand.spark.machine import (
    HERE,
    OPTIONS,
    PACKAGES,
    POOLS,
    brings_delta,
    configured_defaults,
    delta_package,
    settings_of_one_machine,
)

ROOT = Path(__file__).parents[2]
DELTA = f"{PACKAGES}=io.delta:delta-spark_4.2_2.13:4.4.0"


def test_the_package_says_its_version_and_its_names() -> None:
    assert evenhand.__version__.count(".") == 2
    assert {"run", "runs", "session", "load_plan", "Plan", "Result", "__version__"} <= set(dir(evenhand))
    helped = pydoc.render_doc(evenhand, renderer=pydoc.plaintext)
    for name, words in (
        ("runs(", "The runs in the open zone of a plan"),
        ("session(", "A Spark session with Delta"),
        ("run(", "Run a plan"),
    ):
        assert name in helped and words in helped


@pytest.mark.parametrize("name", [name for name in evenhand.__all__ if name != "__version__"])
def test_every_public_name_has_words(name: str) -> None:
    assert len(getattr(evenhand, name).__doc__) > 20


def test_no_folder_of_the_package_takes_the_place_of_a_public_name() -> None:
    for module in pkgutil.walk_packages(evenhand.__path__, "evenhand."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert [name for name in evenhand.__all__ if isinstance(getattr(evenhand, name), ModuleType)] == []


def test_a_plan_in_a_console_is_a_line_and_in_a_notebook_what_check_says() -> None:
    plan = load_plan(ROOT / "conf/demo.yaml")
    assert repr(plan) == str(plan) == "<plan demo: 5 features, 2 protected attributes, ε = 1>"
    assert plan._repr_html_().startswith("<pre>Plan demo: ")


@pytest.mark.parametrize("file", ["spark-defaults.conf", "log4j2.properties", "fairscheduler.xml"])
def test_conf_has_the_files_of_the_package(file: str) -> None:
    assert (ROOT / "conf" / file).resolve() == (HERE / file).resolve()


def test_a_session_that_nobody_configured_gets_delta_and_quiet_logs_and_keeps_what_is_configured() -> None:
    made = settings_of_one_machine({"spark.driver.memory": "9g"})
    assert f"{PACKAGES}={made[PACKAGES]}" == f"{PACKAGES}={delta_package()}" == DELTA
    assert made["spark.master"] == "local[*]" and "spark.driver.memory" not in made
    assert Path(made[POOLS]).exists() and Path(made[OPTIONS].split("configurationFile=file://")[1]).exists()


@pytest.mark.parametrize(
    "configured",
    [{"spark.jars": "/opt/io.delta_delta-spark_4.2_2.13-4.4.0.jar"}, {PACKAGES: "io.delta:delta-spark_4.2_2.13:4.4.0"}],
)
def test_a_session_that_is_configured_with_delta_is_left_alone(configured: dict[str, str]) -> None:
    assert brings_delta(configured)
    assert settings_of_one_machine(configured) == {}


def test_the_own_settings_of_a_machine_are_read_from_where_spark_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spark-defaults.conf").write_text("# mine\nspark.master  local[1]\nspark.a=b c\n\n", encoding="utf-8")
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert configured_defaults() == {"spark.master": "local[1]", "spark.a": "b c"}
    assert not brings_delta(configured_defaults())


def test_scripts_package_says_how_it_is_used() -> None:
    done = subprocess.run([ROOT / "scripts/package", "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[0].split(":")[0]) == (0, "usage")
