"""What the project says of itself to those who install it and to those who change it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_the_license_is_the_one_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in project["license-files"]]
    assert ["Apache License" in text and "Version 2.0, January 2004" in text for text in texts] == [True]


def test_hooks_on_a_commit_fetch_nothing_and_use_the_project_s_own_tools() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    tools = [hook["entry"].split()[0] for hook in hooks[0]["hooks"]]
    assert {hook["language"] for hook in hooks[0]["hooks"]} == {"system"}
    assert [tool for tool in tools if not tool.startswith(".venv/bin/")] == []


def test_no_two_files_of_tests_have_one_name() -> None:
    """Python imports them by their names alone: of two that share one, the second is not collected, and only with --all."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
