"""Where the list of the erased is, what of a Delta log is old, and a certificate that nobody can change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from evenhand.erasure.certificate import is_genuine, require_folder, signed, write
from evenhand.erasure.files import File
from evenhand.erasure.rewrite import _older
from evenhand.erasure.whom import RESTRICTED, known_by
from evenhand.errors import OutputError, PlanError
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.tables.catalog import ALL, ERASED
from sample import REMOVED, plan_yaml


def plan(changes: dict[str, Any] | None = None) -> Plan:
    return parse_plan(plan_yaml(changes))


def test_the_list_of_the_erased_lies_beside_the_restricted_zone_unless_the_plan_says_where() -> None:
    kept = plan({"output.restricted.path": "/zones/people/"}).output.kept_erasures
    assert kept is not None and kept.path == "/zones/people_erasures"
    stated = plan({"output.erasures": {"schema": "gone"}}).output.kept_erasures
    assert stated is not None and stated.catalog_schema == "gone"
    assert plan({"output.restricted.path": REMOVED, "output.restricted.schema": "people"}).output.kept_erasures is None


@pytest.mark.parametrize(
    "changes",
    [
        {"output.erasures": {"path": "restricted/erased"}},
        {"output.erasures": {"path": "."}},
        {"output.erasures": {"path": "open"}},
        {"output.open.path": "restricted_erasures"},
        {"output.restricted.path": REMOVED, "output.restricted.schema": "a", "output.erasures": {"schema": "spark_catalog.A"}},
    ],
)
def test_the_list_of_the_erased_is_in_no_zone(changes: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match=r"erasures must (lie apart from both zones|be another schema)"):
        plan(changes)


def test_of_a_log_all_is_old_that_is_before_its_newest_checkpoint_and_nothing_else() -> None:
    version = "00000000000000000007"
    old = [
        "00000000000000000006.json",
        ".00000000000000000006.json.crc",
        "00000000000000000000.crc",
        "00000000000000000005.checkpoint.parquet",
        "00000000000000000005.checkpoint.0000000001.0000000002.parquet",
        "00000000000000000000.00000000000000000006.compacted.json",
    ]
    new = [f"{version}.json", f"{version}.checkpoint.parquet", f".{version}.crc.crc", "_last_checkpoint", "notes.json"]
    found = [File(f"file:/t/_delta_log/{name}", 1) for name in (*old, *new)]
    assert {file.name for file in _older(found, 7)} == set(old)


NOBODY = {"input_quality", "releases", "audit_log", "leases", "activations"}  # tables in which no row is a person's


def test_an_erasure_knows_by_which_column_people_stand_in_each_restricted_table() -> None:
    """A new table is either one of nobody, or rows are found in it."""
    assert {spec.name for spec in RESTRICTED if known_by(spec) is None} == NOBODY
    assert {spec for spec in ALL if "pseudonym" in spec.columns} == {s for s in RESTRICTED if known_by(s) == "pseudonym"} | {
        ERASED
    }


def test_a_certificate_is_genuine_only_as_it_was_signed_with_the_plans_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DPO", "a signing key of thirty-two bytes or more")
    signing = plan({"erasure": {"signing_key": {"key_id": "dpo", "key_env": "DPO"}}})
    content = {
        "erasure": "erasure-1",
        "requests": ["ab"],
        "at": "2026-11-30",
        "out_of_reach": ["source customers: /läden/kunden"],
    }
    write(signed(content, signing), tmp_path / "one.json")
    found = json.loads((tmp_path / "one.json").read_text())
    assert is_genuine(found, signing)
    assert not is_genuine(found | {"requests": []}, signing)
    assert not is_genuine(content, signing)
    monkeypatch.setenv("DPO", "another key of thirty-two bytes or more!!")
    assert not is_genuine(found, signing)
    assert signed(content, plan()) == content
    assert oct((tmp_path / "one.json").stat().st_mode & 0o777) == "0o600" and os.listdir(tmp_path) == ["one.json"]


def test_a_place_where_no_certificate_can_be_written_is_told_before_anything_is_deleted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/folder: a certificate cannot be written: .*; nothing was deleted"):
        require_folder(tmp_path / "file" / "folder", plan())
