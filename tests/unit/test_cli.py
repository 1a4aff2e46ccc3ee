"""The command `evenhand`: help, versions, what a program reads, and what a terminal shows. No Spark is started."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evenhand.cli.clock import Clock
from evenhand.cli.main import COMMANDS, main
from evenhand.cli.talk import Talk
from evenhand.errors import Blocked
from evenhand.plan.models import Plan
from evenhand.version import __version__

ROOT = Path(__file__).parents[2]
NAMES = [command.name for command in COMMANDS]


def helped(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as done:
        main([*arguments, "--help"])
    assert done.value.code == 0
    return capsys.readouterr().out


def test_the_installed_command_and_the_module_say_the_version() -> None:
    for command in ([str(Path(sys.executable).parent / "evenhand")], [sys.executable, "-m", "evenhand"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"evenhand {__version__}\n", "")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    said = helped(capsys)
    assert [name for name in NAMES if f"\n    {name} " not in said] == []


@pytest.mark.parametrize("command", [*NAMES, "runs list", "runs show", "runs open", "runs compare"])
def test_help_of_a_command_has_examples_and_fits_80_columns(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = helped(capsys, *command.split())
    assert [line for line in said.splitlines() if len(line) > 80] == []
    assert f"examples:\n  evenhand {command} " in said
    assert "--json" in said or command == "runs"


def test_no_command_and_an_unknown_one_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, expected in (([], "COMMAND"), (["chek"], "'check'")):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and expected in said and "evenhand --help" in said


@pytest.mark.parametrize("command", ["run", "prepare", "segment"])
def test_a_check_refuses_a_run_id_that_the_run_would_refuse(
    plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str], command: str
) -> None:
    line = [command, "--plan", str(plan_file()), "--check", "--run-id"]
    assert main([*line, "autumn 2026"]) == 2
    assert "--run-id 'autumn 2026': letters, digits, - and _ are allowed" in capsys.readouterr().err
    assert main([*line, "autumn-2026"]) == 0


@pytest.mark.parametrize("minutes", ["nan", "inf", "-1", "soon"])
def test_an_erasure_waits_for_a_number_of_minutes(minutes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", "--plan", "plan.yaml", f"--wait={minutes}"]) == 2
    assert f"argument --wait: '{minutes}' is no number of minutes; 0 refuses at once" in capsys.readouterr().err


def test_an_explanation_fits_80_columns_but_for_paths(plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    changes = {"privacy.renews": "quarterly", "privacy.delta": 1e-6, "privacy.population_delta": 1e-5, "features.0.bounds": None}
    assert main(["check", "--plan", str(plan_file(changes))]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > 80 and "/" not in line] == []


def test_a_program_reads_a_sound_plan_and_a_wrong_one_from_standard_output(
    plan_file: Callable[..., Path], capsys: pytest.CaptureFixture[str], plan: Callable[..., Plan]
) -> None:
    assert main(["check", "--json", "--plan", str(plan_file())]) == 0
    sound = json.loads(capsys.readouterr().out)
    assert (sound["exit_code"], sound["status"], sound["plan"]) == (0, "sound", "small")
    assert any("too few customers" in finding for finding in sound["findings"])
    assert main(["check", "--json", "--plan", str(plan_file({"segments.k": 1, "privacy.epsilon": -1}))]) == 2
    captured = capsys.readouterr()
    wrong = json.loads(captured.out)
    assert (wrong["exit_code"], wrong["status"], len(wrong["problems"])) == (2, "failed", 2)
    assert captured.err.startswith("evenhand: ")
    assert main(["check", "--json"]) == 2
    assert "--plan" in json.loads(capsys.readouterr().out)["error"]


def test_a_program_reads_why_a_run_is_blocked(capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk(as_json=True)
    talk.begun("r1")
    talk.fail(Blocked("run r1 is blocked, nothing was published: too uneven", ["too uneven"]))
    found = json.loads(capsys.readouterr().out)
    assert (found["run_id"], found["status"], found["findings"], found["exit_code"]) == ("r1", "blocked", ["too uneven"], 3)


@pytest.mark.parametrize(
    ("level", "told"),
    {"info": ["progress", "Warning: few"], "warning": ["Warning: few"], "error": []}.items(),
    ids=["info", "warning", "error"],
)
def test_a_level_chooses_what_is_told(capsys: pytest.CaptureFixture[str], level: str, told: list[str]) -> None:
    talk = Talk(as_json=False)
    with talk.at(level):
        talk.say("progress")
        talk.say("Warning: few")
    assert capsys.readouterr().err.splitlines() == [f"evenhand: {line}" for line in told]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_what_is_waited_for_and_since_when_and_a_file_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenhand.cli.clock.EVERY", 0.01)
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stderr", stream)
        talk = Talk(as_json=False)
        with talk.at("info"):
            talk.say("[2/4] segment: Learn the segments from a private summary, assign everybody.")
            time.sleep(0.3)
            talk.say("learned: 5 segments")
        said = stream.getvalue()
        assert ("  … [2/4] segment, 0 s" in said) == stream.isatty()
        assert "\x1b[K" in said or not stream.isatty()
        kept = re.sub(r"\r\x1b\[K(  … [^\r]*)?", "", said)
        assert kept.endswith("everybody.\nevenhand: learned: 5 segments\n")  # what was drawn is gone


def test_a_quiet_clock_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenhand.cli.clock.EVERY", 0.01)
    monkeypatch.setattr("sys.stderr", stream := Terminal())
    clock = Clock()
    with clock.running(False):
        clock.wait_for("Spark")
        time.sleep(0.1)
    assert stream.getvalue() == ""


def test_a_long_line_is_broken_on_a_terminal_alone(tmp_path: Path) -> None:
    job = [sys.executable, "-m", "evenhand", "run", "--plan", "x", "--run-id", "no id " * 20]
    piped = subprocess.run(job, capture_output=True, text=True)
    assert piped.stderr.count("\n") == 1
    shown, terminal = pty.openpty()
    assert subprocess.run(job, stderr=terminal).returncode == 2
    os.close(terminal)
    lines = os.read(shown, 4096).decode().splitlines()
    os.close(shown)
    assert len(lines) > 1 and all(line.startswith("    ") for line in lines[1:])


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_neither_the_plan_nor_spark(arguments: list[str]) -> None:
    code = f"import sys; sys.argv = ['evenhand', *{arguments!r}]\nfrom evenhand.cli.main import main\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
    code += "print([m for m in ('pydantic', 'sqlglot', 'numpy', 'pyspark') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.splitlines()[-1] == "[]"


def test_every_job_is_a_command() -> None:
    jobs = {job.name: re.search(r'\["(\w+)", \*', job.read_text()) for job in (ROOT / "jobs").glob("*.py")}
    assert len(jobs) > 5
    assert [name for name, found in jobs.items() if found is None or found[1] not in NAMES] == []
