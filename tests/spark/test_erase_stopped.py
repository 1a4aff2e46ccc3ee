"""Erasure beside other work, two at once, and killed at any point: the person is gone in the end, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from erasing import SIGNED, SMALL, World, name
from evenhand.erasure import erase as erasing
from evenhand.erasure.erase import Erased, erase
from evenhand.errors import IntegrityError, RunConflict
from evenhand.job.api import run
from evenhand.people.activate import activate
from evenhand.people.consent_import import import_consent
from evenhand.records.lease import ALONE, Lease
from sample import NOW, in_folder, plan_yaml

pytestmark = pytest.mark.long  # a dozen erasures, each with its proof


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as given:
        given.setenv(*SIGNED)
        yield World(spark, tmp_path_factory.mktemp("erase"))


def test_nobody_is_erased_while_a_run_goes_on_and_no_run_begins_meanwhile(world: World) -> None:
    at_work = Lease(world.store, "going-on")
    at_work.take()
    try:
        with pytest.raises(RunConflict, match=r"run going-on is being worked on by process .* nothing was deleted"):
            world.erase(name(30))
        assert world.there(name(30)) == ["prepared", "segments"]
        lines: list[str] = []
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(world.erase, name(30), wait=3, say=lambda line: (lines.append(line), at_work.end(release=True)))
            assert waiting.result().certificate.exists()
        assert lines[0].startswith("waiting for what is going on")
    finally:
        at_work.end(release=True)
    assert world.there(name(30)) == []
    other = Lease(world.store, ALONE)
    other.take()
    try:
        (world.folder / "late.csv").write_text(f"customer_id\n{name(31)}\n", encoding="utf-8")
        starts = (
            lambda: run(world.plan(), world.spark, as_of=NOW, run_id="fourth"),
            lambda: world.erase(name(31)),
            lambda: import_consent(world.plan(), world.spark, f"{world.folder}/late.csv", signal="opt_out_list"),
            lambda: activate(
                world.plan({"activation.max_age": "3000 days"}), world.spark, "first", f"{world.folder}/out", segments=[1]
            ),
        )
        for start in starts:
            with pytest.raises(RunConflict, match=r"rows are being removed for good by process \d+ on "):
                start()
    finally:
        other.end(release=True)


def test_of_two_erasures_at_once_one_is_refused_or_both_do_what_they_are_asked(world: World) -> None:
    table = world.ask(name(40), name(41))

    def start(session: Any) -> Erased | str:
        try:
            return erase(world.plan(), session, table)
        except RunConflict as wrong:
            return str(wrong)

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(start, [world.spark.newSession(), world.spark.newSession()]))
    assert [end for end in ends if isinstance(end, Erased)]
    assert all("rows are being removed for good" in end for end in ends if isinstance(end, str))
    assert world.there(name(40)) == world.there(name(41)) == []


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(step: str) -> Iterator[None]:
    """Ends before a step of an erasure; of those that are done for each table, after the first."""

    def end(*given: Any) -> None:
        if step in ("delete_rows", "remove_old") and not ends:
            ends.append(1)
            real(*given)
            return
        raise Killed

    ends: list[int] = []
    real = getattr(erasing, step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasing, step, end)
        yield


def test_kills_at_any_point_after_the_intent_leave_erasures_that_the_next_start_completes(world: World) -> None:
    steps = ["delete_rows", "remove_old", "search", "write"]
    for number, step in enumerate(steps, 50):
        with killed_at(step), pytest.raises(Killed):
            world.erase(name(number))
        assert not (world.folder / "restricted" / "prepared" / "_erasure_control").exists()
    # Even where the requests are not asked again.
    done = erase(world.plan(), world.spark)
    assert [world.there(name(number)) for number, _ in enumerate(steps, 50)] == [[]] * len(steps)
    assert len(json.loads(done.certificate.read_text())["completes"]) == len(steps)


def test_whoever_a_killed_erasure_listed_is_searched_for_by_the_next_start_and_named_as_completed_once(world: World) -> None:
    with killed_at("search"), pytest.raises(Killed):
        world.erase(name(65))
    copy = world.folder / "restricted" / "copy.txt"  # beside the tables
    copy.write_text(world.pseudonym(name(65)).hex())
    with pytest.raises(IntegrityError, match=r"still stands in 1 files, such as .*restricted/copy.txt"):
        erase(world.plan(), world.spark)
    copy.unlink()
    begun = json.loads(erase(world.plan(), world.spark).certificate.read_text())["completes"]
    assert len(begun) == 1 and begun[0].startswith("erasure-")
    assert json.loads(erase(world.plan(), world.spark).certificate.read_text())["completes"] == []


def test_a_kill_before_anybody_is_listed_leaves_all_as_it_was(world: World) -> None:
    with killed_at("add_new"), pytest.raises(Killed):
        world.erase(name(60))
    assert world.there(name(60)) == ["prepared", "segments"]
    world.erase(name(60))
    assert world.there(name(60)) == []


ANOTHER = """
import pathlib, sys, time
from evenhand.cli.main import main
from evenhand.erasure import erase

def wait(*given):
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(600)

erase.remove_old = wait
sys.exit(main(["erase", *sys.argv[2:]]))
"""


def test_of_another_process_no_run_begins_while_it_lives_and_once_it_is_killed_the_next_completes_its_erasure(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "plan.yaml").write_text(plan_yaml(in_folder(world.folder) | SMALL), encoding="utf-8")
    options = "--master local[2] --driver-memory 1500m --conf spark.databricks.delta.snapshotPartitions=1"
    environment = os.environ | {"PYSPARK_SUBMIT_ARGS": f"{options} --conf spark.sql.shuffle.partitions=2 pyspark-shell"}
    deleting = tmp_path / "deleting"
    arguments = ["--plan", str(tmp_path / "plan.yaml"), "--requests", world.ask(name(100)), "--quiet"]
    with subprocess.Popen([sys.executable, "-c", ANOTHER, str(deleting), *arguments], env=environment) as other:
        try:
            for _ in range(3000):
                if deleting.exists():
                    break
                assert other.poll() is None, f"ended with {other.returncode}"
                time.sleep(0.1)
            with pytest.raises(RunConflict, match=f"rows are being removed for good by process {other.pid} on "):
                run(world.plan(), world.spark, as_of=NOW, run_id="fifth")
        finally:
            other.kill()
    world.forget()
    done = erase(world.plan(), world.spark)
    assert done.certificate.exists() and world.there(name(100)) == []
