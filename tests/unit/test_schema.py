"""The plan's JSON Schema: complete, current, and of the same mind as the plan's own check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from evenhand.cli.main import main
from evenhand.plan.schema import plan_schema, schema_text
from sample import REMOVED, plan_dict

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "conf/plan.schema.json"
PLANS = sorted((ROOT / "conf").glob("*.yaml"))


def mistakes(plan: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(plan_schema()).iter_errors(plan)]


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, inner in node.items() if isinstance(node, dict) else ():
        if key == "properties":
            yield from ((f"{path}.{name}", told) for name, told in inner.items())
        yield from properties(inner, f"{path}.{key}")


def test_the_committed_schema_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema_text() + "\n", "python scripts/reference.py"


def test_every_key_has_a_description() -> None:
    found, models = dict(properties(plan_schema())), plan_schema()["$defs"]
    assert len(found) > 60

    def described(told: dict[str, Any]) -> str:  # of a key that says the same as its model, only the model has it
        return told.get("description") or models[told["$ref"].rsplit("/", 1)[-1]]["description"]

    assert [path for path, told in found.items() if len(described(told)) < 10] == []


@pytest.mark.parametrize("plan", PLANS, ids=lambda p: p.name)
def test_a_ready_plan_fits_and_names_the_schema_for_editors(plan: Path) -> None:
    text = plan.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=plan.schema.json\n")
    assert mistakes(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"segments.k": 1},
        {"segments.restart": 3},
        {"features.0.name": "Total Spent"},
        {"purpose": REMOVED},
        {"features.0.bounds": ["a", 1]},
        {"legal_basis": "curiosity"},
        {"protected.0.reference": "census"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_editor_sees_what_the_check_would_refuse(changes: dict[str, Any]) -> None:
    assert mistakes(plan_dict()) == []
    assert mistakes(plan_dict(changes)) != []


def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == plan_schema()
