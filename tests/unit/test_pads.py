"""HMAC's pads against Python's own hmac module, and that they do not show themselves."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenhand.prepare.pseudonym import Pads
from sample import KEY


def digest(pads: Pads, message: bytes) -> bytes:
    return hashlib.sha256(pads.outer + hashlib.sha256(pads.inner + message).digest()).digest()


def framed(*fields: str) -> bytes:
    return b"".join(len(f.encode()).to_bytes(4, "big") + f.encode() for f in fields)


@pytest.mark.parametrize("length", [32, 63, 64, 65, 131, 1000])
def test_pads_give_pythons_hmac_for_any_length_of_key(length: int) -> None:
    key = bytes(range(256)) * 4
    key = key[:length]
    assert digest(Pads.of(key), b"message") == hmac.new(key, b"message", "sha256").digest()


@given(st.binary(min_size=1, max_size=200), st.lists(st.text(max_size=5), max_size=4), st.binary(max_size=80))
def test_pads_with_fields_give_the_hmac_of_the_framed_message(key: bytes, fields: list[str], message: bytes) -> None:
    assert digest(Pads.of(key, *fields), message) == hmac.new(key, framed(*fields) + message, "sha256").digest()


AMBIGUOUS = [
    (("ab", "c"), ("a", "bc")),
    (("abc",), ("ab", "c")),
    (("a", ""), ("", "a")),
    (("a",), ("a", "")),
    (("ä",), ("a\u0308",)),
]


@pytest.mark.parametrize(("one", "other"), AMBIGUOUS)
def test_fields_that_run_together_give_different_pseudonyms(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert digest(Pads.of(KEY, *one), b"id") != digest(Pads.of(KEY, *other), b"id")


@given(st.lists(st.text(max_size=6), min_size=1, max_size=4), st.lists(st.text(max_size=6), min_size=1, max_size=4))
def test_different_fields_never_share_their_pads(one: list[str], other: list[str]) -> None:
    assert (Pads.of(KEY, *one).inner == Pads.of(KEY, *other).inner) == (one == other)


def test_printing_pads_shows_neither_key_nor_pads() -> None:
    pads = Pads.of(KEY, "offers")
    for shown in (repr(pads), str(pads), f"{pads}", f"{[pads]}", f"{(pads,)!r}"):
        assert "hidden" in shown
        for secret in (KEY, pads.inner, pads.outer):
            assert secret.hex() not in shown
            assert repr(secret)[2:20] not in shown
