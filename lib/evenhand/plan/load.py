"""From a YAML file to a valid `Plan`, or to every mistake in it at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from evenhand.errors import ArgumentError, PlanError
from evenhand.plan.consistency import contradictions
from evenhand.plan.models import Plan
from evenhand.plan.places import beside

MOST_SHOWN = 120  # characters of a value that is wrong
MOST_BITS = 1_000  # Python writes no number of several thousand digits
MERGE = "tag:yaml.org,2002:merge"


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
        raise PlanError([_in_words(e, raw) for e in wrong.errors(include_url=False)], where) from None
    if problems := contradictions(plan):
        raise PlanError(problems, where)
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


def _in_words(error: ErrorDetails, raw: Mapping[str, Any]) -> str:
    place = [part for part in error["loc"] if not _is_union_branch(part)]
    path = ".".join(str(p) for p in place) or "the plan"
    match error["type"]:
        case "extra_forbidden":
            known = _keys_beside(error["loc"])
            near = get_close_matches(str(error["loc"][-1]), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known keys: {', '.join(known)}" if known else ""
            return f"{path}: unknown key{hint}"
        case "missing":
            return f"{path}: missing, must be stated"
        case "value_error":
            return f"{path}: {error['msg'].removeprefix('Value error, ')}{_found(error)}"
        case _:
            return f"{path}: {error['msg'][0].lower()}{error['msg'][1:]}{_found(error)}"


def _found(error: ErrorDetails) -> str:
    value = error.get("input")
    shown = "a very large number" if isinstance(value, int) and value.bit_length() > MOST_BITS else repr(value)
    shown = shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]} …"
    return "" if isinstance(value, dict | BaseModel) else f" (found: {shown})"


def _is_union_branch(part: int | str) -> bool:
    return part in {"plain", "by-keys"}


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model allows at the place of an unknown key, found by walking the model's JSON schema."""
    schema = _schema()
    node = schema
    for part in location[:-1]:
        node = _resolve(schema, node)
        if isinstance(part, int):
            node = node.get("items", {})
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        elif isinstance(node.get("additionalProperties"), dict):
            node = node["additionalProperties"]
    return sorted(_resolve(schema, node).get("properties", {}))


@cache
def _schema() -> dict[str, Any]:
    return Plan.model_json_schema(by_alias=True)


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in [node, *node.get("anyOf", []), *node.get("allOf", [])]:
        if "$ref" in option:
            found: dict[str, Any] = schema["$defs"][option["$ref"].rsplit("/", 1)[-1]]
            return found
    return node
