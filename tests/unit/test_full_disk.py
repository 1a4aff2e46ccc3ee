"""A full disk ends each command that writes a file in one line with the path and the cause, and with "try again"."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import in_folder
from disk import small_disk
from evenhand.cli.commands.init import write_new
from evenhand.cli.main import main
from evenhand.erasure import certificate
from evenhand.errors import TRY_AGAIN, EvenhandError, NoRoom
from evenhand.people import access, receipt
from evenhand.people.notice import notice
from evenhand.plan.load import parse_plan
from evenhand.report import page
from sample import plan_yaml

FULL = "No space left on device"
TOLD = {
    "notice": {"version": "2026-11-01", "languages": ["en"], "recipients": []},
    "contact": {"controller": "Shop", "reach": "privacy@example.com"},
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk on which files can be made and nothing fits into them."""
    with small_disk(tmp_path / "disk", "16k") as place:
        (place / "ballast").write_bytes(bytes(16 * 1024))
        yield place


Writes = Callable[[Path, pytest.MonkeyPatch], Any]


def the_page(disk: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(page, "gather", lambda *_: None)
    patch.setattr(page, "render", lambda _: "page")
    page.write_report(Any, parse_plan(plan_yaml(in_folder(disk))), "run-1")  # type: ignore[arg-type]


def the_notice(disk: Path, _: pytest.MonkeyPatch) -> None:
    notice(parse_plan(plan_yaml(in_folder(disk.parent) | TOLD)), str(disk / "notice"))


# What is written, where that is named, and what stays of it: nothing, or what the next start writes anew.
WRITERS: dict[str, tuple[Writes, str, set[str]]] = {
    "a page of access": (
        lambda disk, _: access._write(disk / "person-0001.html", "text"),
        "person-0001.html",
        set(),
    ),
    "a receipt": (lambda disk, _: receipt._write(disk / "receipt.json", "text"), "receipt.json", set()),
    "a proposed plan": (lambda disk, _: write_new(disk / "plan.yaml", "text"), "plan.yaml", set()),
    "a certificate": (lambda disk, _: certificate.write({"a": 1}, disk / "erase-1.json"), "erase-1.json", set()),
    "a report": (the_page, "reports/run-1.html", {"reports"}),
    "a notice": (the_notice, "notice", {"notice"}),
}


@pytest.mark.parametrize(("write", "named", "left"), WRITERS.values(), ids=WRITERS)
def test_a_file_that_has_no_room_is_told_and_may_be_tried_again(
    disk: Path, monkeypatch: pytest.MonkeyPatch, write: Writes, named: str, left: set[str]
) -> None:
    with pytest.raises(NoRoom) as wrong:
        write(disk, monkeypatch)
    assert wrong.value.exit_code == TRY_AGAIN
    assert f"{disk}/{named} cannot be written: {FULL}" in str(wrong.value) and "\n" not in str(wrong.value)
    assert {str(path.relative_to(disk)) for path in disk.rglob("*")} - {"ballast"} == left
    (disk / "ballast").unlink()
    write(disk, monkeypatch)  # and that goes on
    assert any(path.is_file() and path.stat().st_size for path in disk.rglob("*"))


def test_where_nothing_may_be_written_nobody_is_told_to_try_again(tmp_path: Path) -> None:
    """Nor where a folder lacks; the account of a container may write anywhere, so it is that which is tried."""
    for write in (receipt._write, write_new, access._write):
        with pytest.raises(EvenhandError) as wrong:
            write(tmp_path / "nowhere" / "file", "text")
        assert wrong.value.exit_code in (1, 2)
        assert f"{tmp_path}/nowhere/file cannot be written: No such file or directory" in str(wrong.value)


def test_an_answer_that_no_disk_can_hold_is_no_success_where_it_is_all_that_was_asked_for(disk: Path) -> None:
    with (disk / "schema.json").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "evenhand", "schema"], stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == TRY_AGAIN
    assert done.stderr == f"evenhand: standard output cannot be written: {FULL}\n"
    read, write = os.pipe()
    os.close(read)  # a reader who has seen enough, such as head -1, is no fault
    with os.fdopen(write, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "evenhand", "schema"], stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_notice_says_so_in_one_line(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.yaml").write_text(plan_yaml(in_folder(tmp_path) | TOLD), encoding="utf-8")
    assert main(["notice", "--plan", f"{tmp_path}/plan.yaml", "--to", f"{disk}/notice"]) == TRY_AGAIN
    said = capsys.readouterr()
    assert said.err == (
        f"evenhand: --to: {disk}/notice cannot be written: {FULL}; start it again, and it writes all pages anew\n"
    )
    assert said.out == ""
