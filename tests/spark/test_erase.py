"""Erasure: who asks is gone from every table and every byte, stays gone, and nobody is named on the way."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from conftest import write_key
from erasing import SIGNED, SMALL, World, name
from evenhand.cli.main import main
from evenhand.erasure.certificate import is_genuine
from evenhand.erasure.erase import erase
from evenhand.erasure.listed import listed
from evenhand.erasure.requests import read_requests
from evenhand.erasure.whom import RESTRICTED, known_by
from evenhand.errors import EvenhandError, IntegrityError, KeyFileError, OutputError, SourceError, StorageError
from evenhand.governance.verify import verify
from evenhand.job.api import run
from evenhand.people.activate import activate
from evenhand.people.consent_import import import_consent
from evenhand.people.recall import recall
from evenhand.plan.load import parse_plan
from evenhand.prepare.consent import ID
from evenhand.spark.session import settings
from evenhand.tables.catalog import ACTIVATED, PREPARED, RECALLED, SEGMENTS
from evenhand.tables.paths import quoted
from sample import KEY, NOW, REMOVED, in_folder, plan_yaml, write_source

pytestmark = pytest.mark.long  # some twenty erasures, each with its proof


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as given:
        given.setenv(*SIGNED)
        yield World(spark, tmp_path_factory.mktemp("erase"))


def test_who_asks_is_gone_everybody_else_is_there_and_the_certificate_names_nobody(world: World) -> None:
    before, opened = world.store.read(SEGMENTS).count(), world.open_files()
    assert world.there(name(7)) == ["prepared", "segments"]
    done = world.erase(name(7), "nobody-knows-them", name(7))
    assert world.there(name(7)) == []
    assert world.store.read(SEGMENTS).count() == before - 1
    assert world.open_files() == opened  # nothing about people is in there
    text = done.certificate.read_text()
    found = json.loads(text)
    assert oct(done.certificate.stat().st_mode & 0o777) == "0o600"
    assert len(found["requests"]) == 2 and all(re.fullmatch("[0-9a-f]{64}", request) for request in found["requests"])
    tables = {table["table"]: table for table in found["tables"]}
    assert tables.keys() >= {"prepared", "segments"}
    for spec in (PREPARED, SEGMENTS):
        newest = world.spark.sql(f"DESCRIBE HISTORY {world.store.address(spec)} LIMIT 1").first()
        assert newest is not None and tables[spec.name]["version_after"] == newest.version > tables[spec.name]["version_before"]
    assert found["searched"]["files"] > found["searched"]["decoded"] > 0 and found["searched"]["found"] == 0
    assert {"commit", "checksum", "checkpoint", "sidecar", "deletion vector", "change feed"} <= set(found["control_found_in"])
    assert is_genuine(found, world.plan())
    assert not is_genuine(found | {"at": "2020-01-01"}, world.plan())
    assert not is_genuine({k: v for k, v in found.items() if k != "signature"}, world.plan())
    # Intent first, then what came of it; nobody is named in either, nor in the commits.
    assert world.logged("erase") and world.logged("erased")[-1]["listed"]
    pseudonym = world.pseudonym(name(7))
    said = text + json.dumps(world.logged("erase") + world.logged("erased"))
    said += "".join(p.read_text() for p in (world.folder / "restricted").rglob("*.json"))
    assert not [s for s in (name(7), pseudonym.hex(), pseudonym.hex().upper()) if s in said]
    assert "audit log" in verify(world.plan(), world.spark)


def test_rows_of_a_first_write_that_was_cut_off_are_gone_too(world: World) -> None:
    """No commit names them, so the table is not there for Delta."""
    left = world.folder / "restricted" / "activated"
    assert not left.exists()
    rows = world.spark.createDataFrame([("a", world.pseudonym(name(5)), "test-1", 1, False)], ACTIVATED.columns)
    rows.coalesce(1).write.parquet(str(world.folder / "written"))
    left.mkdir()
    (part,) = (world.folder / "written").glob("part-*.parquet")
    part.rename(left / f"part-00000-{uuid.uuid4()}.c000.snappy.parquet")
    world.erase(name(5))
    assert not left.exists()


def test_who_is_asked_for_again_or_was_never_there_changes_nothing(world: World) -> None:
    world.erase(name(8), at=None)
    rows, known = world.store.read(PREPARED).count(), listed(world.store).count()
    again = world.erase(name(8), at=None)
    assert (world.store.read(PREPARED).count(), listed(world.store).count()) == (rows, known)
    assert again.certificate.exists() and not world.logged("erased")[-1]["listed"]


def test_who_was_erased_stays_gone_after_a_restored_backup_and_in_a_new_run_unless_they_consent_anew(world: World) -> None:
    for table in ("prepared", "segments"):
        shutil.copytree(world.folder / "restricted" / table, world.folder / "backup" / table)
    asked = datetime.now(UTC) - timedelta(hours=2)
    world.erase(name(10), name(11), at=asked)
    for table in ("prepared", "segments"):
        shutil.rmtree(world.folder / "restricted" / table)
        shutil.copytree(world.folder / "backup" / table, world.folder / "restricted" / table)
    world.forget()
    assert world.there(name(10)) == ["prepared", "segments"]
    anew = (name(11), "offers", "granted", asked + timedelta(hours=1), None, "web")
    world.spark.createDataFrame([anew], world.spark.read.format("delta").load(f"{world.folder}/consent").schema).write.format(
        "delta"
    ).mode("append").save(f"{world.folder}/consent")
    lines: list[str] = []
    # A moment after the erasure, so that the run may know of the new consent.
    moment = datetime.now(UTC)
    run(world.plan(), world.spark, as_of=moment, run_id="second", steps=["prepare"], say=lines.append)
    assert any("back in the restricted zone" in line for line in lines)
    assert world.there(name(10)) == []
    assert world.there(name(11), run_id="first") == [] and world.there(name(11), run_id="second") == ["prepared"]
    # As of a moment before they asked nobody has consented anew.
    run(world.plan(), world.spark, as_of=NOW, run_id="past", steps=["prepare"])
    assert world.there(name(10), run_id="past") == world.there(name(11), run_id="past") == []
    assert world.there(name(12), run_id="past") == ["prepared"]
    # The old request, which still stands in its table, does not reach what they have consented to since.
    world.erase(name(10), name(11), at=asked)
    assert world.there(name(11), run_id="second") == ["prepared"]


def test_who_was_handed_out_before_they_were_erased_is_taken_back_and_no_table_here_gets_them_again(world: World) -> None:
    plan = world.plan({"activation.max_age": "3000 days"})
    every = sorted({row.segment for row in world.store.read(SEGMENTS, "first").select("segment").distinct().collect()})
    out = str(world.folder / "handed-out")
    activation = activate(plan, world.spark, "first", out, segments=every)
    gone = name(15)
    assert not world.spark.read.format("delta").load(out).where(F.col("id") == gone).isEmpty()
    world.erase(gone)
    for _ in range(2):  # once, however often it runs
        place = recall(plan, world.spark, activation)
        taken_back = world.spark.read.format("delta").load(place).where(F.col("id") == gone)
        assert [row.reason for row in taken_back.collect()] == ["erased"]
        for spec in (ACTIVATED, RECALLED):
            mine = F.col("pseudonym") == F.lit(world.pseudonym(gone))
            assert not world.store.exists(spec) or world.store.read(spec).where(mine).isEmpty()
    # The source still has them.
    activate(plan, world.spark, "first", str(world.folder / "again"), segments=every)
    again = world.spark.read.format("delta").load(str(world.folder / "again"))
    assert again.where(F.col("id") == gone).isEmpty() and not again.isEmpty()


def test_without_the_list_of_the_erased_nothing_goes_on(world: World) -> None:
    world.erase(name(20))
    kept = world.folder / "restricted_erasures"
    kept.rename(world.folder / "lost")
    world.forget()
    try:
        for start in (lambda: run(world.plan(), world.spark, as_of=NOW, run_id="third"), lambda: world.erase(name(21))):
            with pytest.raises(IntegrityError, match=r"the list of the erased \(output.erasures\) lacks erasure"):
                start()
    finally:
        (world.folder / "lost").rename(kept)
        world.forget()
    assert world.there(name(21)) == ["prepared", "segments"]


def test_what_survives_outside_of_the_rows_is_told_and_not_certified(world: World) -> None:
    left = world.folder / "restricted" / "input_quality" / "export.txt"
    left.write_text(f"copied by somebody: {name(80)}", encoding="utf-8")
    try:
        with pytest.raises(IntegrityError, match=r"still stands in 1 files, such as .*input_quality/export.txt"):
            world.erase(name(80))
    finally:
        left.unlink()
    assert world.there(name(80)) == []
    assert world.erase(name(80)).certificate.exists()


def bad(world: World) -> Iterable[tuple[type[EvenhandError], str, Any, dict[str, Any]]]:
    """Error, its words, the table of requests, and what the plan says otherwise."""
    later = datetime.now(UTC) + timedelta(days=1)
    yield SourceError, r"--requests: .*/missing cannot be read", lambda: f"{world.folder}/missing", {}
    yield SourceError, r"has a row without an id", lambda: world.ask(name(90), None), {}
    yield SourceError, r"has a row without an id", lambda: world.ask(name(90), ""), {}
    yield SourceError, r"still to come", lambda: world.ask(name(90), at=later), {}
    yield SourceError, r"customer_id of .* is int", lambda: world.ask(90, schema="customer_id INT, requested_at TIMESTAMP"), {}
    yield (
        SourceError,
        r"has no column customer_id; it has person",
        lambda: world.ask("a", schema="person STRING, at TIMESTAMP"),
        {},
    )
    schemas = {"output.restricted.path": REMOVED, "output.restricted.schema": "default"}
    yield OutputError, r"output.erasures: state where", lambda: world.ask(name(90)), schemas


def test_bad_input_is_one_line_and_nothing_is_begun(world: World) -> None:
    begun = len(world.logged("erase"))
    for kind, words, table, changes in bad(world):
        with pytest.raises(kind, match=words) as wrong:
            erase(world.plan(changes), world.spark, table())
        assert wrong.value.exit_code == 2 and "\n" not in str(wrong.value)
    assert len(world.logged("erase")) == begun
    assert world.there(name(90)) == ["prepared", "segments"]


def test_a_number_too_large_for_the_customers_type_is_refused_and_not_somebody_else_s(spark: Any, tmp_path: Path) -> None:
    customers = spark.createDataFrame([(7,)], f"{ID} BIGINT")
    write_source(spark, tmp_path / "asked", [(Decimal(2**64 + 7),)], "customer_id DECIMAL(38,0)")
    plan = parse_plan(plan_yaml(SMALL))
    with settings(spark, "UTC"), pytest.raises(SourceError, match=r"with one that no customer can have.* nothing was deleted"):
        read_requests(spark, plan, str(tmp_path / "asked"), customers)


def test_where_rows_may_not_be_removed_nothing_is_deleted(world: World) -> None:
    address, begun = quoted(f"{world.folder}/restricted/segments"), len(world.logged("erase"))
    world.spark.sql(f"ALTER TABLE {address} SET TBLPROPERTIES ('delta.appendOnly' = 'true')")
    try:
        with pytest.raises(StorageError, match=r"append-only .* an administrator has to set that to false; nothing was deleted"):
            world.erase(name(91))
    finally:
        world.spark.sql(f"ALTER TABLE {address} SET TBLPROPERTIES ('delta.appendOnly' = 'false')")
    assert world.there(name(91)) == ["prepared", "segments"] and len(world.logged("erase")) == begun


def test_the_command_says_where_the_certificate_is(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.yaml").write_text(plan_yaml(in_folder(world.folder) | SMALL), encoding="utf-8")
    arguments = [
        "erase",
        "--plan",
        str(tmp_path / "plan.yaml"),
        "--requests",
        world.ask(name(95)),
        "--to",
        str(tmp_path / "proofs"),
    ]
    assert main([*arguments, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert os.listdir(tmp_path / "proofs") == [Path(answer["certificate"]).name]
    assert "signature" not in json.loads(Path(answer["certificate"]).read_text())
    assert world.there(name(95)) == []


EVENTS = """customer_id,purpose,state,recorded_at
{0},offers,perhaps,2026-03-01
{1},offers,perhaps,2026-03-01
"{2},offers,granted,2026-03-01,more,columns,than,names
,offers,perhaps,{0}
,offers,perhaps,{1}
"""


def test_nobody_is_left_in_any_table_that_the_catalog_has(world: World) -> None:
    """A new table of people is either emptied of them, or this fails. Late, since each table is looked at by every erasure from then on."""
    gone, stays = name(1), name(2)
    (world.folder / "events.csv").write_text(EVENTS.format(gone, stays, gone), encoding="utf-8")
    import_consent(world.plan(), world.spark, f"{world.folder}/events.csv")
    assert len(world.quarantine()) == 5
    of_people = [spec for spec in RESTRICTED if known_by(spec) == "pseudonym"]
    for spec in of_people:
        if not world.store.exists(spec):
            world.fill(spec, gone, stays)
    assert {spec.name for spec in RESTRICTED if world.store.exists(spec)} >= {spec.name for spec in RESTRICTED if known_by(spec)}
    done = world.erase(gone)
    for spec in of_people:
        found = {bytes(row.pseudonym) for row in world.store.read(spec).select("pseudonym").collect()}
        assert world.pseudonym(gone) not in found and world.pseudonym(stays) in found, spec.name
    left = world.quarantine()
    assert len(left) == 2 and all(stays in text for text in left)
    assert {table["table"] for table in json.loads(done.certificate.read_text())["tables"]} >= {spec.name for spec in of_people}
    # The same file again does not bring them back.
    import_consent(world.plan(), world.spark, f"{world.folder}/events.csv")
    assert sorted(world.quarantine()) == sorted(left)


def test_people_of_an_older_key_are_erased_too_and_without_that_key_nobody_is(world: World) -> None:
    """The last one here: from now on the list of the erased knows a key that the other plans do not name."""
    older = {"key_id": "test-1", "key_file": f"{world.folder}/key"}
    write_key(world.folder / "key-2", KEY[::-1])
    turned = {"pseudonyms.key_id": "test-2", "pseudonyms.key_file": f"{world.folder}/key-2"}
    table = world.ask(name(70))
    with pytest.raises(KeyFileError, match=r"test-1"):
        erase(world.plan(turned), world.spark, table)
    assert world.there(name(70)) == ["prepared", "segments"]
    erase(world.plan(turned | {"pseudonyms.older": [older]}), world.spark, table)
    assert world.there(name(70)) == []
