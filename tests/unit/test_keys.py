"""The pseudonym key is refused when it is weak or others can read it; no message repeats it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evenhand.errors import KeyFileError
from evenhand.plan.data import Pseudonyms
from evenhand.prepare.keys import read_key
from sample import KEY


def from_file(path: Path) -> bytes:
    return read_key(Pseudonyms(key_id="k", key_file=str(path)))


def from_env(name: str) -> bytes:
    return read_key(Pseudonyms(key_id="k", key_env=name))


def test_a_sound_key_file_is_read(key_file: Path) -> None:
    assert from_file(key_file) == KEY


def test_the_newline_that_editors_and_openssl_write_is_no_part_of_the_key(key_file: Path) -> None:
    key_file.write_bytes(KEY + b"\n")
    assert from_file(key_file) == KEY


def test_a_missing_key_file_is_told_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="key is missing; make one with: .*openssl rand -hex 32"):
        from_file(tmp_path / "key")


@pytest.mark.parametrize("key", [b"", b"x" * 31, b"x" * 31 + b"\n"], ids=["empty", "31_bytes", "31_bytes_and_a_newline"])
def test_a_short_key_is_refused(key_file: Path, key: bytes) -> None:
    key_file.write_bytes(key)
    with pytest.raises(KeyFileError, match="too short; at least 32 bytes"):
        from_file(key_file)


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o601, 0o644, 0o666], ids=oct)
def test_a_key_that_others_can_reach_is_refused(key_file: Path, mode: int) -> None:
    os.chmod(key_file, mode)
    with pytest.raises(KeyFileError, match="run: chmod 600") as wrong:
        from_file(key_file)
    assert KEY.decode() not in str(wrong.value)


def test_read_only_for_the_owner_is_fine(key_file: Path) -> None:
    os.chmod(key_file, 0o400)
    assert from_file(key_file) == KEY


def test_a_folder_is_not_a_key(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        from_file(tmp_path)


def test_the_key_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_FOR_TESTS", KEY.decode())
    assert from_env("SECRET_FOR_TESTS") == KEY


def test_a_variable_that_is_not_set_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_FOR_TESTS", raising=False)
    with pytest.raises(KeyFileError, match="SECRET_FOR_TESTS is not set"):
        from_env("SECRET_FOR_TESTS")


def test_a_short_variable_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_FOR_TESTS", "hunter2")
    with pytest.raises(KeyFileError, match="too short") as wrong:
        from_env("SECRET_FOR_TESTS")
    assert "hunter2" not in str(wrong.value)


def test_a_variable_that_is_no_text_is_refused_in_one_line_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"SECRET_FOR_TESTS", b"hunter2" + b"\xff" * 32)
    with pytest.raises(KeyFileError, match="SECRET_FOR_TESTS is not UTF-8 text; export the key as text") as wrong:
        from_env("SECRET_FOR_TESTS")
    assert "hunter2" not in str(wrong.value)
    assert "\n" not in str(wrong.value)
