"""Pseudonyms in native SQL are the HMAC-SHA-256 of the standard."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from pyspark.sql import functions as F

from evenhand.prepare.consent import ID
from evenhand.prepare.pseudonym import INNER, OUTER, Pads, hmac_sha256, with_pseudonym
from sample import KEY

# RFC 4231, sections 4.2 to 4.8; case 5 is truncated and has no place here.
RFC_4231 = {
    "case_1": (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    "case_2": (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    "case_3": (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    "case_4": (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    "case_6": (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    "case_7": (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed "
        b"before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
}


@pytest.mark.parametrize(("key", "message", "digest"), RFC_4231.values(), ids=RFC_4231.keys())
def test_the_published_digests_come_out(spark: Any, key: bytes, message: bytes, digest: str) -> None:
    rows = spark.createDataFrame([(bytearray(message),)], "message BINARY").crossJoin(Pads.of(key).table(spark))
    found = rows.select(hmac_sha256(F.col("message"), F.col(INNER), F.col(OUTER))).first()[0]
    assert bytes(found).hex() == digest


IDS = ["", " ", "a", "cust-0007", "cust-0007-ünï", "日本語", "🙂", "e\u0301", "é", "x" * 200, "'; drop table", "\n", "a\x00b"]


def pseudonyms(spark: Any, ids: list[Any], kind: str = "STRING", purpose: str = "offers") -> dict[Any, bytes]:
    rows = spark.createDataFrame([(i, i) for i in ids], f"{ID} {kind}, raw {kind}")
    found = with_pseudonym(rows, Pads.of(KEY, purpose, "customer", "k1").table(spark), "k1")
    assert sorted(found.columns) == ["key_id", "pseudonym", "raw"]
    return {r.raw: bytes(r.pseudonym) for r in found.collect()}


def expected(message: str, purpose: str = "offers") -> bytes:
    start = b"".join(len(f).to_bytes(4, "big") + f.encode() for f in (purpose, "customer", "k1"))
    return hmac.new(KEY, start + message.encode(), "sha256").digest()


def test_empty_ascii_and_multi_byte_ids_equal_pythons_hmac(spark: Any) -> None:
    assert pseudonyms(spark, IDS) == {i: expected(i) for i in IDS}


def test_a_numeric_id_is_hashed_as_its_decimal_text(spark: Any) -> None:
    ids = [0, 7, -3, 2**63 - 1]
    assert pseudonyms(spark, ids, "BIGINT") == {i: expected(str(i)) for i in ids}


def test_two_purposes_cannot_be_joined(spark: Any) -> None:
    offers, research = pseudonyms(spark, IDS), pseudonyms(spark, IDS, purpose="research")
    assert research == {i: expected(i, "research") for i in IDS}
    assert not set(offers.values()) & set(research.values())


def test_the_plan_of_the_query_shows_no_key(spark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pads = Pads.of(KEY, "offers", "customer", "k1")
    with_pseudonym(spark.createDataFrame([("a",)], f"{ID} STRING"), pads.table(spark), "k1").explain("extended")
    shown = capsys.readouterr().out
    assert "BroadcastNestedLoopJoin" in shown or "CartesianProduct" in shown
    for secret in (KEY, pads.inner, pads.outer):
        assert secret.hex() not in shown.lower()
        assert KEY.decode() not in shown
