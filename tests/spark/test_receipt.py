"""A receipt: one person's own record, valid against its schema, and nobody else's."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from conftest import write_key
from evenhand.cli.main import main
from evenhand.plan.load import parse_plan
from evenhand.tables import catalog
from evenhand.tables.store import Store
from sample import CUSTOMERS, KEY, NOW, customer, in_folder, plan_yaml, write_source

SCHEMA = json.loads((Path(__file__).parents[1] / "receipt.schema.json").read_text(encoding="utf-8"))
COLUMNS = (
    "customer_id STRING, purpose STRING, status STRING, recorded_at TIMESTAMP, expires_at TIMESTAMP, record_id INT, notice_version STRING, "
    "language STRING, method STRING, expressed_by STRING, attribute STRING, signal STRING"
)
THEN = datetime(2020, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("receipt")
    write_key(folder / "key", KEY)
    write_source(spark, folder / "customers", [customer("C-7"), customer("silent")], CUSTOMERS)
    rows = [
        ("c-7 ", "offers", "maybe", THEN - timedelta(days=1), None, None, "", None, None, None, None, None),
        ("C-7", "offers", "given", THEN, NOW + timedelta(days=9999), 12, "2.1", "de", "web form", "the person", None, None),
        ("C-7", "offers", "objection", THEN, None, None, None, None, None, None, "years", None),
        ("C-7", None, None, None, None, None, None, None, None, None, None, "gpc"),
        ("C-7", "research", "refused", THEN, None, 13, None, None, None, None, None, None),
        ("other", "offers", "given", THEN, None, 99, None, None, "SECRET", None, None, None),
    ]
    write_source(spark, folder / "consent", rows, COLUMNS)
    changes = {"sources.consent.columns": {"state": "status"}, "sources.ids": {"trim": True, "casefold": True}}
    (folder / "plan.yaml").write_text(plan_yaml(in_folder(folder) | changes), encoding="utf-8")
    return folder


def receipt_of(folder: Path, id: bytes, to: Path) -> int:
    (folder / "who").write_bytes(id)
    return main(
        ["consent", "receipt", "--plan", str(folder / "plan.yaml"), "--customer-from", str(folder / "who"), "--to", str(to)]
    )


def test_a_receipt_is_the_person_s_record_in_dpv_terms_and_nobody_else_s(spark: Any, folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "r.json"
    assert receipt_of(folder, "\ufeffc-7\r\n".encode(), to) == 0
    text = to.read_text(encoding="utf-8")
    found = json.loads(text)
    Draft202012Validator(SCHEMA).validate(found)
    assert to.stat().st_mode & 0o777 == 0o600
    assert "SECRET" not in text and "other" not in text
    record = found["dpv:hasRecordOfActivity"]
    told = record["dpv:hasConsentStatus"]
    assert [e["@type"].removeprefix("dpv:") for e in told] == [
        "ConsentUnknown",
        "ConsentGiven",
        "ObjectingToProcess",
        "ObjectingToProcess",
    ]
    given = told[1]
    assert given["dpv:isIndicatedAtTime"] == THEN.isoformat() and given["dct:identifier"] == "12"
    assert given["dpv:hasNotice"] == {"@type": "dpv:ConsentNotice", "dct:hasVersion": "2.1", "dct:language": "de"}
    assert (given["dpv:hasIndicationMethod"], given["dpv:isIndicatedBy"]) == ("web form", "the person")
    assert told[2]["dpv:hasPersonalData"]["dct:identifier"] == "years"
    assert told[3]["evenhand:signal"] == "gpc" and told[3]["evenhand:forEveryPurpose"] is True
    assert (record["evenhand:mayBeUsed"], record["evenhand:columnsNotUsed"]) == (False, ["years"])
    assert "customers.years" in [d["dct:identifier"] for d in record["dpv:hasProcess"]["dpv:hasPersonalData"]]
    plan = parse_plan((folder / "plan.yaml").read_text(encoding="utf-8"))
    last = Store(spark, plan.output).read(catalog.AUDIT_LOG).orderBy("sequence").collect()[-1]
    assert last.action == "consent receipt" and "7" not in last.details


def test_who_has_said_nothing_has_an_empty_record(folder: Path, tmp_path: Path, spark: Any) -> None:
    assert receipt_of(folder, b"silent", tmp_path / "r.json") == 0
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    Draft202012Validator(SCHEMA).validate(found)
    record = found["dpv:hasRecordOfActivity"]
    assert (record["dpv:hasConsentStatus"], record["evenhand:mayBeUsed"]) == ([], False)


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        (b"stranger-7", "no customer and no consent event has that id"),
        (b"", "has no id; write one id"),
        (b"a\nb\n", "has too many ids; write one id"),
        (b"\xff\xfea\x00", "is not UTF-8 text"),
    ],
)
def test_an_id_that_is_none_is_one_line_without_it_and_writes_nothing(
    spark: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], id: bytes, expected: str
) -> None:
    assert receipt_of(folder, id, tmp_path / "r.json") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("evenhand: --customer-from") and expected in said and "stranger" not in said
    assert not (tmp_path / "r.json").exists()


def test_a_file_that_is_there_is_left_alone(folder: Path, tmp_path: Path, spark: Any) -> None:
    (tmp_path / "r.json").write_text("mine", encoding="utf-8")
    assert receipt_of(folder, b"C-7", tmp_path / "r.json") == 2
    assert (tmp_path / "r.json").read_text(encoding="utf-8") == "mine"
