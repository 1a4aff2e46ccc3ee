"""What a kill, a full disk or a power cut leaves: a run goes on from it, or is told what to mend, and no budget is lost."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import write_key
from disk import small_disk
from evenhand.errors import NoRoom, OutputError
from evenhand.job.api import run
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import OpenDPNoise
from evenhand.tables.catalog import BUDGET, PREPARED, RELEASES, RUNS
from evenhand.tables.store import Store
from sample import KEY, NOW, ONE_FEATURE, in_folder, people, plan_yaml, write_sources

pytestmark = pytest.mark.long  # many tables cut off

SMALL = ONE_FEATURE | {"privacy.epsilon": 3.0, "privacy.population_total": 7.0, "privacy.expected_customers": 500}
FIRST, SECOND = "_delta_log/00000000000000000000.json", "_delta_log/00000000000000000001.json"
ENTRY = [(None,) * len(BUDGET.columns.split(", "))]


@pytest.fixture(scope="module")
def ledger(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a table with two commits, without the checksums that a local disk has beside them."""
    folder = tmp_path_factory.mktemp("ledger") / "budget"
    for _ in range(2):
        spark.createDataFrame(ENTRY, BUDGET.columns).coalesce(1).write.format("delta").mode("append").save(str(folder))
    for file in folder.rglob("*.crc"):
        file.unlink()
    return folder


def without_log(table: Path) -> None:
    shutil.rmtree(table / "_delta_log")


def with_empty_log(table: Path) -> None:
    """As a kill leaves it that comes while Delta writes the first commit, under another name until it is whole."""
    without_log(table)
    (table / "_delta_log/_staged_commits").mkdir(parents=True)
    (table / f"_delta_log/.{FIRST[11:]}.0d0e.tmp").write_text('{"commitInfo":')


def with_half_a_row(table: Path) -> None:
    without_log(table)
    for part in table.glob("part-*"):
        part.write_bytes(part.read_bytes()[:40])


@pytest.mark.parametrize("leave", [without_log, with_empty_log, with_half_a_row])
def test_rows_that_no_commit_names_are_no_table_and_the_next_write_makes_one(
    spark: Any, plan: Callable[..., Plan], ledger: Path, tmp_path: Path, leave: Callable[[Path], None]
) -> None:
    shutil.copytree(ledger, tmp_path / "open/budget")
    leave(tmp_path / "open/budget")
    store = Store(spark, plan().output)
    store.refuse_foreign_content()
    assert not store.exists(BUDGET)
    store.append_once(BUDGET, spark.createDataFrame(ENTRY, BUDGET.columns).toArrow(), "testers")
    assert store.read(BUDGET).count() == 1


def test_the_people_of_a_run_that_no_commit_names_are_in_no_table(spark: Any, plan: Callable[..., Plan], tmp_path: Path) -> None:
    """As a real `kill -9` left it within the first write of `prepared`."""
    store = Store(spark, plan().output)
    rows = spark.createDataFrame([(b"a", "test-1", 0, 0)], "pseudonym BINARY, key_id STRING, imputed BIGINT, clipped BIGINT")
    store.write(PREPARED, rows, "r1")
    without_log(tmp_path / "restricted/prepared")
    later = Store(spark, plan().output)
    later.refuse_foreign_content()
    assert later.rows(PREPARED, "r1") is None
    later.write(PREPARED, rows, "r1")
    assert later.read(PREPARED).count() == 1


def first_commit_gone(table: Path) -> None:
    (table / FIRST).unlink()


def first_commit_empty(table: Path) -> None:
    (table / SECOND).unlink()
    (table / FIRST).write_text("")


def second_commit_cut_off(table: Path) -> None:
    whole = (table / SECOND).read_text()
    (table / SECOND).write_text(whole[:-40])


@pytest.mark.parametrize("damage", [first_commit_gone, first_commit_empty, second_commit_cut_off])
def test_a_ledger_that_cannot_be_read_is_to_be_put_back_and_nobody_is_sent_elsewhere(
    spark: Any, plan: Callable[..., Plan], ledger: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    place = tmp_path / "open/budget"
    shutil.copytree(ledger, place)
    damage(place)
    with pytest.raises(OutputError, match=rf"{place}` holds something .* cannot be read: .*put its files back") as wrong:
        Store(spark, plan().output).refuse_foreign_content()
    assert "do not begin elsewhere" in str(wrong.value)
    assert ("its commit 1 (_delta_log/00000000000000000001.json) is incomplete" in str(wrong.value)) == (
        damage is second_commit_cut_off
    )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "6m") as place:
        yield place


class Filling:
    """Noise as in production; with the first draw the disk is full."""

    private = True

    def __init__(self, disk: Path) -> None:
        self.ballast = disk / "ballast"

    def add(self, exact: Any, noise: Any) -> Any:
        if not self.ballast.exists():
            with contextlib.suppress(OSError), self.ballast.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        return OpenDPNoise().add(exact, noise)


def test_a_full_disk_is_told_with_what_was_spent_and_the_run_goes_on_once_there_is_room(
    spark: Any, tmp_path: Path, disk: Path
) -> None:
    write_key(tmp_path / "key", KEY)
    write_sources(spark, tmp_path, people(300)[0])
    zones = {f"output.{zone}.path": f"{disk}/{zone}" for zone in ("restricted", "open")}
    plan = parse_plan(plan_yaml(in_folder(tmp_path) | SMALL | zones))
    steps = ["prepare", "segment", "assess"]
    filling = Filling(disk)
    with pytest.raises(NoRoom) as wrong:
        run(plan, spark, as_of=NOW, run_id="r1", noise=filling, steps=steps)
    assert str(wrong.value) == (
        f"delta.`{disk}/restricted/releases` cannot be written: No space left on device; run r1 has spent its ε = 3; "
        "start it again with --run-id r1, and it goes on at no further charge"
    )
    filling.ballast.unlink()
    store = run(plan, spark, run_id="r1", steps=steps).store
    assert store.read(RUNS, "r1").where("status = 'published'").count() == 1
    assert [entry.epsilon for entry in store.read(BUDGET).collect()] == [3.0]
    assert store.read(RELEASES).count() > 0
