"""The zones lie apart, whatever their folders are called."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evenhand.errors import PlanError
from evenhand.plan.apart import nested
from evenhand.plan.models import Plan


def test_a_symbolic_link_does_not_get_around_it(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for restricted, opened in (
        ("data", "link"),
        ("link/zone", "data"),
        ("link/not/yet/there", "data/not"),
        ("data", "link/open"),
    ):
        with pytest.raises(PlanError, match="the restricted and the open zone must not lie inside each other"):
            plan({"output.restricted.path": f"{tmp_path}/{restricted}", "output.open.path": f"{tmp_path}/{opened}"})
    plan({"output.restricted.path": f"{tmp_path}/link/restricted", "output.open.path": f"{tmp_path}/data/open"})


def test_reports_do_not_lie_beside_the_rows_of_people(tmp_path: Path, plan: Callable[..., Plan]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "restricted")
    for reports in ("restricted/reports", "link", "."):
        with pytest.raises(PlanError, match="the restricted zone and the folder of reports must not lie inside each other"):
            plan({"output.reports": f"{tmp_path}/{reports}"})


@pytest.fixture
def mounted_twice(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """One folder under two paths that are no links, as a container may see it."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "--bind", str(one), str(other)], capture_output=True).returncode:
        pytest.skip("this account may not mount a folder twice")
    yield one, other
    subprocess.run(["umount", str(other)], check=True)


def test_a_second_mount_does_not_get_around_it(mounted_twice: tuple[Path, Path]) -> None:
    one, other = mounted_twice
    assert nested(str(one), f"{other}/open")
    assert nested(f"{other}/restricted", str(one))
    assert not nested(f"{one}/restricted", f"{other}/open")


SAME = [
    ("/d/x", "file:///d/x"),
    ("/d/x", "file:/d/x/y"),
    ("FILE:/d/x", "/d"),
    ("s3://b/x", "s3a://b/x/y"),
    ("s3://b/x/../y", "s3n://b/y"),
]
APART = [("/d/x", "/d/xy"), ("s3://b/x", "s3://c/x"), ("s3://b/x", "/b/x"), ("abfss://c@a/x", "abfss://c@b/x")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_place_in_two_spellings_is_one(one: str, other: str) -> None:
    assert nested(one, other)
    assert nested(other, one)


@pytest.mark.parametrize(("one", "other"), APART)
def test_two_places_are_two(one: str, other: str) -> None:
    assert not nested(one, other)
    assert not nested(other, one)


def test_a_folder_that_may_not_be_looked_into_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, whom nothing keeps out: the system's answer is given in its place."""

    def closed(*paths: object) -> bool:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "data").mkdir()
    monkeypatch.setattr(os.path, "samefile", closed)
    monkeypatch.setattr(Path, "samefile", closed)
    assert not nested(f"{tmp_path}/data", f"{tmp_path}/open")
    assert nested(f"{tmp_path}/data", f"{tmp_path}/data/open")
