"""From a YAML file to a valid `Plan`, or to every mistake in it at once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from evenhand.errors import ArgumentError, PlanError
from evenhand.plan.consistency import contradictions
from evenhand.plan.mistakes import Mistakes
from evenhand.plan.models import Plan
from evenhand.plan.places import beside

MERGE = "tag:yaml.org,2002:merge"


def checked_plan(given: object) -> Plan:
    """Raises ArgumentError where it is no plan, but what one is read from."""
    if not isinstance(given, Plan):
        raise ArgumentError(f"plan: a {type(given).__name__} is no plan; read one first: evenhand.load_plan('conf/demo.yaml')")
    return given


def load_plan(path: str | Path) -> Plan:
    """Read and validate a plan.

    Raises:
        PlanError: with every problem found: the key's path, what was found, what is allowed.
        ArgumentError: it is no path.
    """
    if not isinstance(path, str | Path):
        raise ArgumentError(f"load_plan: the path of a YAML file is needed, not a {type(path).__name__}")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlanError(["no such file"], str(path)) from None
    except UnicodeDecodeError:
        raise PlanError(["cannot be read: not UTF-8 text; name the plan, a YAML file"], str(path)) from None
    except ValueError:  # a zero byte
        raise PlanError(["cannot be read: there can be no such path; name the plan, a YAML file"], str(path)) from None
    except OSError as wrong:
        raise PlanError([f"cannot be read: {str(wrong.strerror).lower()}; name the plan, a YAML file"], str(path)) from None
    return parse_plan(text, str(path), Path(path))


def parse_plan(text: str, where: str = "plan", file: Path | None = None) -> Plan:
    """Validate the YAML text of a plan; `where` names it in errors.

    Its relative paths begin in the folder of the `file` that it is from; where there is none, in the working directory.
    """
    if not isinstance(text, str):
        raise ArgumentError(f"parse_plan: the YAML text of a plan is needed, not a {type(text).__name__}")
    try:
        raw = yaml.load(text, Loader=_Strict)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark
        line = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise PlanError([f"{line}not valid YAML: {wrong.problem}"], where) from None
    except yaml.YAMLError as wrong:
        raise PlanError([f"not valid YAML: {str(wrong).splitlines()[0]}"], where) from None
    except (ValueError, RecursionError) as wrong:  # a date that does not exist, a number without end, nesting without end
        raise PlanError([f"not valid YAML: {str(wrong).splitlines()[0]}"], where) from None
    if not isinstance(raw, dict):
        raise PlanError(["a mapping of keys to values is needed; see conf/demo.yaml"], where)
    try:
        plan = Plan.model_validate(raw, context=beside(file) if file else None)
    except ValidationError as wrong:
        raise PlanError([*map(Mistakes(text, raw).of_model, wrong.errors(include_url=False))], where) from None
    if problems := contradictions(plan):
        raise PlanError([*dict.fromkeys(map(Mistakes(text, raw).of_whole, problems))], where)  # an entry may stand for several
    return plan


def canonical(plan: Plan) -> str:
    """The plan as JSON with every default written out and sorted keys: equal plans are equal text."""
    return canonical_json(plan.model_dump(mode="json", by_alias=True))


def canonical_json(value: object) -> str:
    """JSON in one way only, for a hash: sorted keys, no spaces."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def fingerprint(plan: Plan) -> str:
    """SHA-256 of the canonical form, 64 hexadecimal digits; it stands on everything that a run produces."""
    return hashlib.sha256(canonical(plan).encode()).hexdigest()


class _Strict(yaml.CSafeLoader):
    """Refuses a key written twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == MERGE:
                raise yaml.MarkedYAMLError(problem="<< is not allowed; write the keys out", problem_mark=key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool | None):
                raise yaml.MarkedYAMLError(problem="a key must be plain text", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key} stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
