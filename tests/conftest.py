"""One Spark session for all tests of a file, and a folder with a key and a plan in it."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from jvm import Jvm
from sample import KEY, in_folder, plan_yaml

# How fast a machine is, and what else it does, is no property of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "spark.driver.memory": "3g",  # Delta keeps the plans of every table that a test made; full, Java collects garbage only
    "spark.sql.shuffle.partitions": "2",  # tiny tables; each partition is a task to schedule
    "spark.databricks.delta.snapshotPartitions": "1",  # Delta reads even an empty log in as many tasks
    "spark.sql.codegen.cache.maxEntries": "2000",  # the tests ask the same small queries again and again
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="the long tests too: many runs, many draws, several processes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --all leave out what is long and seldom breaks."""
    if not config.getoption("--all"):
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in set(long)]
        config.hook.pytest_deselected(items=long)


JVM = pytest.StashKey[Jvm]()


@pytest.fixture(scope="session")
def jvm(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Jvm]:
    """This process's JVM; the jar of Delta comes from the venv's spark-defaults.conf, which scripts/setup writes."""
    folder = tmp_path_factory.mktemp("jvm")
    running = Jvm(SETTINGS | {"spark.sql.warehouse.dir": str(folder / "warehouse")}, folder / "log")
    request.config.stash[JVM] = running
    yield running
    running.stop()


@pytest.fixture(scope="module")
def spark(jvm: Jvm) -> Any:
    """A local session with Delta. Files share it as long as the JVM does not keep too much of what they did."""
    return jvm.session()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell with a failure why the JVM died, if it did: the test itself only sees a refused connection."""
    report = yield
    running = item.config.stash.get(JVM, None)
    if report.failed and running is not None and (words := running.last_words()):
        report.sections.append(("the JVM died", words))
    return report


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A sound key, readable by its owner only."""
    return write_key(tmp_path / "key", KEY)


@pytest.fixture
def plan_file(tmp_path: Path, key_file: Path) -> Callable[..., Path]:
    """Writes the base plan, changed by dotted path, with everything in the test's folder; hands back its path."""

    def write(changes: dict[str, Any] | None = None) -> Path:
        path = tmp_path / "plan.yaml"
        path.write_text(plan_yaml(in_folder(tmp_path) | (changes or {})), encoding="utf-8")
        return path

    return write


@pytest.fixture
def plan(tmp_path: Path, key_file: Path) -> Callable[..., Plan]:
    """The base plan, changed by dotted path, with everything in the test's folder."""

    def build(changes: dict[str, Any] | None = None) -> Plan:
        return parse_plan(plan_yaml(in_folder(tmp_path) | (changes or {})))

    return build


def write_key(path: Path, key: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(key)
    os.chmod(path, mode)
    return path


def make_demo(folder: Path, customers: int) -> Path:
    """The demo's tables at reduced size, as `scripts/demo` makes them, in the session of the tests; hands back their folder."""
    sources = folder / "sources"
    with pytest.MonkeyPatch.context() as given:
        given.setattr(sys, "argv", ["generate_demo", "--out", str(sources), "--customers", str(customers)])
        runpy.run_path(str(ROOT / "scripts/generate_demo.py"), run_name="__main__")
    return sources


def demo_plan(sources: Path, folder: Path, expected: int) -> Path:
    """The demo's plan with key, zones and reports in a folder; hands back its path."""
    folder.mkdir(exist_ok=True)
    write_key(folder / "key", KEY)
    plan = (ROOT / "conf/demo.yaml").read_text(encoding="utf-8").replace("../data/demo/sources", str(sources))
    plan = plan.replace("../data/demo", str(folder)).replace("expected_customers: 200000", f"expected_customers: {expected}")
    path = folder / "plan.yaml"
    path.write_text(plan, encoding="utf-8")
    return path
