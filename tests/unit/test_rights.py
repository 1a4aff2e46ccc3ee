"""The commands of docs/rights.md are commands, and no customer's id is among their arguments."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from evenhand.cli import main as cli

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/rights.md").read_text(encoding="utf-8")
COMMANDS = [
    line for block in re.findall(r"```bash\n(.*?)```", PAGE, flags=re.S) for line in block.splitlines() if "spark-submit" in line
]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_job_takes_the_arguments_that_the_page_shows(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the job's file to the parsed arguments; what the command does is tested where that is."""
    _, job, *arguments = shlex.split(line.partition("#")[0])
    given: list[list[str]] = []
    monkeypatch.setattr(cli, "main", lambda arguments: given.append(arguments) or 0)
    monkeypatch.setattr(sys, "argv", [job, *arguments])
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / job), run_name="__main__")
    options = cli.parsed(given[0])
    assert options.command.name == given[0][0]
    assert Path(options.plan).name == "demo.yaml"


NOTICES = [
    line for block in re.findall(r"```bash\n(.*?)```", PAGE, flags=re.S) for line in block.splitlines() if "notice" in line
]


@pytest.mark.parametrize("line", NOTICES)
def test_the_notice_is_written_as_the_page_shows(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(line.removeprefix("spark-submit jobs/notice.py ").removeprefix("evenhand notice "))
    assert cli.main(["notice", *arguments]) == 0
    german, english = ((tmp_path / f"notice/notice.{code}.html").exists() for code in ("de", "en"))
    assert german and english == ("--language" not in line)


def test_no_command_takes_a_customer_s_id() -> None:
    for command in cli.COMMANDS:
        parser = cli.Parser()
        command.arguments(parser)
        named = {option for action in parser._actions for option in action.option_strings}
        assert not named & {"--id", "--customer", "--customer-id", "--pseudonym"}
