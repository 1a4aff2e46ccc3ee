"""Nobody who was erased is left in the bytes of a table, and a search that would not find somebody there says so."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.erasure import files
from evenhand.erasure.control import new_number, new_text
from evenhand.erasure.files import File, Storage
from evenhand.erasure.proof import Proof, search
from evenhand.erasure.rewrite import NO_VECTORS, cut_log, delete_rows, refuse_forbidden, remove_old, table_at
from evenhand.errors import IntegrityError, StorageError
from evenhand.prepare.consent import ID
from evenhand.prepare.pseudonym import Pads, with_pseudonym
from evenhand.tables.purge import given, removing
from sample import KEY

GONE = ["cust-0007-ünï", "cust-0041-ünï"]
OWN = ["f", "segment"]


def people(spark: Any, ids: Collection[Any], kind: str = "STRING") -> tuple[DataFrame, DataFrame]:
    """The ids with that of a control, and their pseudonyms."""
    control: Any = new_number() if kind in ("BIGINT", "DECIMAL(38,0)") else new_text()
    control = control.encode() if kind == "BINARY" else control
    rows = [*((i, False) for i in ids), (control, True)]
    frame = spark.createDataFrame(rows, f"{ID} {'BIGINT' if kind.startswith('DEC') else kind}, control BOOLEAN")
    frame = frame.withColumn(ID, F.col(ID).cast(kind))
    kept = frame.withColumn("kept", F.col(ID))
    return frame, with_pseudonym(kept, Pads.of(KEY, "offers").table(spark), "k").select("pseudonym", "control")


def everybody(spark: Any, count: int = 200) -> DataFrame:
    ids = spark.range(count).select(F.format_string("cust-%04d-ünï", "id").alias(ID))
    return with_pseudonym(ids.withColumn("customer_id", F.col(ID)), Pads.of(KEY, "offers").table(spark), "k")


def searched(spark: Any, folder: Path, ids: Collection[Any] = GONE, kind: str = "STRING") -> Proof:
    return search(Storage(spark), [f"file:{folder}"], *people(spark, ids, kind), OWN)


def places(proof: Proof, folder: Path) -> set[str]:
    return {place.split(f"{folder}/")[1] for place in proof.places}


@pytest.fixture
def talkative(spark: Any, tmp_path: Path) -> Path:
    """A table as Delta makes it by itself, with ids in it; somebody was deleted by a literal, and a writer was killed."""
    folder = tmp_path / "talkative"
    rows = everybody(spark).select("pseudonym", "customer_id", F.lit(3).alias("f"))
    properties = {"delta.enableChangeDataFeed": "true", "delta.enableDeletionVectors": "true"}
    rows.coalesce(1).write.format("delta").options(**properties).save(str(folder))
    spark.sql(f"DELETE FROM delta.`{folder}` WHERE customer_id = 'cust-0007-ünï'")
    rows.limit(1).write.format("delta").mode("append").save(str(folder))
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "0").write_bytes(b"half of a file with cust-0007-\xc3\xbcn\xc3\xaf in it")
    (folder / "_delta_log" / ".00000000000000000009.json.tmp").write_bytes("cust-0041-ünï".encode("utf-16-le"))
    return folder


def test_after_erasing_nobody_is_left_in_any_byte_and_everybody_else_is_there(spark: Any, talkative: Path) -> None:
    before = places(searched(spark, talkative), talkative)
    # A deletion vector hides a row, and the log tells of it; so do a killed writer's files.
    assert {"_temporary/0", "_delta_log/.00000000000000000009.json.tmp", "_delta_log/00000000000000000001.json"} <= before
    assert [place for place in before if place.startswith("part-")]
    table, storage = table_at(spark, "talkative", f"delta.`{talkative}`", by_run=False), Storage(spark)
    gone = people(spark, GONE)[1].select("pseudonym", F.array().cast("array<string>").alias("kept"))
    with given(spark, NO_VECTORS), removing(spark):
        refuse_forbidden(spark, [table])
        delete_rows(spark, table, gone)
        remove_old(spark, storage, table)
    left = places(searched(spark, talkative), talkative)
    assert left and all(place.startswith("_delta_log/") for place in left)  # in statistics, and the condition of a DELETE
    cut_log(spark, storage, table)
    proof = searched(spark, talkative)
    assert proof.places == []
    assert len(proof.searched) > len(proof.decoded) > 0
    rows = spark.read.format("delta").load(str(talkative))
    assert rows.count() == 199 and rows.where(F.col("customer_id").isin(GONE)).isEmpty()
    everybody(spark).limit(1).select("pseudonym", "customer_id", F.lit(3).alias("f")).write.format("delta").mode("append").save(
        str(talkative)
    )


LEFT = {
    "text.json": "cust-0007-ünï".encode(),
    "_delta_log/wide.json": b"x" + "cust-0007-ünï".encode("utf-16-be"),
    ".hidden": b"0" * 5 + "cust-0007-ünï".encode(),
}


@pytest.mark.parametrize("name", LEFT)
def test_an_id_is_found_wherever_it_stands(spark: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / name).write_bytes(LEFT[name])
    assert places(searched(spark, tmp_path), tmp_path) == {name}
    assert places(searched(spark, tmp_path, ["cust-0008-ünï"]), tmp_path) == set()


ODD = 'Zoë "🦊" \\ a/b\x01'  # every sign that some writer of JSON writes otherwise


def test_an_id_is_found_as_json_writes_it_and_in_json_within_json(spark: Any, tmp_path: Path) -> None:
    """By Python's writer, as PHP's and Java's do, and in what Delta keeps of a table: statistics, a predicate, a checkpoint."""
    texts = {
        "lower": json.dumps({"id": ODD}),
        "upper": re.sub(r"\\u\w{4}", lambda code: "\\u" + code[0][2:].upper(), json.dumps({"id": ODD})),
        "raw": json.dumps({"id": ODD}, ensure_ascii=False),
        "php": json.dumps(ODD).replace("/", "\\/"),
        "nested": json.dumps({"stats": json.dumps({"id": ODD})}),
        "nested raw": json.dumps({"stats": json.dumps({"id": ODD}, ensure_ascii=False)}, ensure_ascii=False),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    table = tmp_path / "table"
    write = spark.createDataFrame([(ODD,)], "id STRING").coalesce(1).write.format("delta").mode("append")
    write.option("delta.checkpointInterval", "2").save(str(table))
    written = ODD.replace("\\", "\\\\").replace('"', '\\"')
    spark.sql(f'DELETE FROM delta.`{table}` WHERE id = "{written}"')
    write.save(str(table))
    found = places(searched(spark, tmp_path, [ODD]), tmp_path)
    log = {f"table/_delta_log/{name}" for name in ("00000000000000000000.json", "00000000000000000001.json")}
    assert found >= {*texts, *log}
    checkpoints = {name for name in found if name.endswith(".checkpoint.parquet")}
    assert checkpoints
    assert places(searched(spark, tmp_path, [ODD[::-1]]), tmp_path) == set()


@pytest.mark.parametrize(
    ("kind", "number"), [("BIGINT", 17), ("BIGINT", 123_456_789_012), ("DECIMAL(38,0)", 123_456_789_012), ("BIGINT", -(2**40))]
)
def test_an_id_that_is_a_number_is_found_in_a_column_that_is_not_evenhands(
    spark: Any, tmp_path: Path, kind: str, number: int
) -> None:
    pq.write_table(pa.table({"customer": [number, 5], "f": [number, 5]}), tmp_path / "stray.parquet")
    pq.write_table(pa.table({"f": [17, 5]}), tmp_path / "ours.parquet")
    assert places(searched(spark, tmp_path, [number], kind), tmp_path) == {"stray.parquet"}


def test_a_number_is_found_in_bytes_where_it_is_long_enough_to_be_told_from_chance(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "little").write_bytes(b"123" + (2**40 + 5).to_bytes(8, "little") + b"1")
    (tmp_path / "decimal").write_bytes(b"12345" + (2**40 + 5).to_bytes(16, "big"))
    (tmp_path / "digits").write_bytes(b"id=" + str(2**40 + 5).encode())
    (tmp_path / "short").write_bytes((17).to_bytes(8, "little"))
    assert places(searched(spark, tmp_path, [2**40 + 5, 17], "BIGINT"), tmp_path) == {"little", "decimal", "digits"}


def test_an_id_of_bytes_and_a_pseudonym_are_found_raw_and_written_out(spark: Any, tmp_path: Path) -> None:
    id = os.urandom(16)
    pseudonym = people(spark, [id], "BINARY")[1].where("not control").first()["pseudonym"]
    (tmp_path / "id").write_bytes(b"1" + id)
    (tmp_path / "hex").write_bytes(pseudonym.hex().encode())
    (tmp_path / "raw").write_bytes(b"123" + bytes(pseudonym))
    assert places(searched(spark, tmp_path, [id], "BINARY"), tmp_path) == {"id", "hex", "raw"}


class Blind(Storage):
    """Sees no hidden files, as Spark by itself."""

    def files(self, folder: str) -> list[File]:
        return [file for file in super().files(folder) if not file.hidden]


def test_a_search_that_does_not_see_a_kind_of_place_is_no_proof(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "text.json").write_bytes(b"nothing")
    with pytest.raises(IntegrityError, match=r"not found its control in: .*hidden leftover \(id, UTF-8\)"):
        search(Blind(spark), [f"file:{tmp_path}"], *people(spark, GONE), OWN)
    assert sorted(os.listdir(tmp_path)) == ["text.json"]


def test_a_parquet_file_that_cannot_be_decoded_is_no_proof(spark: Any, tmp_path: Path) -> None:
    (tmp_path / "part-0.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(IntegrityError, match=r"part-0.parquet cannot be decoded"):
        searched(spark, tmp_path)


def test_a_table_that_may_not_be_deleted_from_is_refused_before_anything_is(spark: Any, tmp_path: Path) -> None:
    everybody(spark).write.format("delta").option("delta.appendOnly", "true").save(str(tmp_path / "fixed"))
    table = table_at(spark, "fixed", f"delta.`{tmp_path}/fixed`", by_run=False)
    with pytest.raises(StorageError, match=r"append-only .* an administrator has to set that to false; nothing was deleted"):
        refuse_forbidden(spark, [table])


def test_files_of_older_versions_go_from_a_table_in_which_nobody_is_who_asks(spark: Any, tmp_path: Path) -> None:
    rows = everybody(spark).select("customer_id").where(F.col("customer_id").isin(GONE) | (F.col("customer_id") > "cust-0190"))
    for frame in (rows, rows.where(~F.col("customer_id").isin(GONE))):
        frame.coalesce(1).write.format("delta").option("delta.dataSkippingNumIndexedCols", "0").mode("overwrite").save(
            str(tmp_path / "written")
        )
    table = table_at(spark, "written", f"delta.`{tmp_path}/written`")
    assert len(searched(spark, tmp_path).places) == 1
    with removing(spark):
        remove_old(spark, Storage(spark), table)
    assert searched(spark, tmp_path).places == []
    assert spark.read.table(table.address).count() == 10


def test_files_of_a_storage_that_prints_them_otherwise_are_found_one_by_one(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("of; isDirectory=true", "two\nlines", "_hidden/.crc"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    quick = Storage(spark).files(str(tmp_path))
    monkeypatch.setattr(files, "STATUS", re.compile("nothing"))
    assert Storage(spark).files(str(tmp_path)) == quick
    assert {(file.path.removeprefix(f"file:{tmp_path}/"), file.size) for file in quick} == {
        (name, len(name)) for name in ("of; isDirectory=true", "two\nlines", "_hidden/.crc")
    }
