"""A mistake in a plan, in words: the line of the file, the key with the name of its feature or group, and what would be right."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from evenhand.plan.base import ENVIRONMENT, KEY_ID, LANGUAGE, NAME
from evenhand.plan.entries import written_at
from evenhand.plan.schema import plan_schema

Place = Sequence[int | str]
MOST_SHOWN = 120  # characters of a value that is wrong
MOST_BITS = 1_000  # Python writes no number of several thousand digits
UNION_BRANCHES = {"plain", "by-keys", "Feature", "Rfm", "Categories"}
PATH = re.compile(r"([a-z_]+(?:\.[^\s.:]+)*): ")  # how a contradiction begins
RULES = {
    NAME: "a name has small letters a to z, digits and _, begins with a letter, and has at most 40 of them",
    KEY_ID: "letters, digits, dots, - and _ are allowed, at most 40",
    LANGUAGE: "the code of a language is needed, such as en, de or pt_BR",
    ENVIRONMENT: "the name of an environment variable is needed, of capital letters, digits and _",
}


class Mistakes:
    """Tells mistakes of one plan, given as YAML text and as what YAML made of it."""

    def __init__(self, text: str, raw: dict[Any, Any]) -> None:
        self._raw, self._root = raw, yaml.compose(text, Loader=yaml.CSafeLoader)
        self._written_at = written_at(raw.get("features"))

    def of_model(self, error: ErrorDetails) -> str:
        """A value that its key does not allow."""
        place = [part for part in error["loc"] if part not in UNION_BRANCHES and part != "[key]"]
        return self._told(place, _reason(error))

    def of_whole(self, contradiction: str) -> str:
        """What `consistency` says, which begins with a key's path by numbers, such as `features.0.name: `."""
        begins = PATH.match(contradiction)
        if begins is None:
            return contradiction
        place = [int(part) if part.isdigit() else part for part in begins[1].split(".")]
        if place[0] == "features" and len(place) > 1:
            place[1] = self._written_at[int(place[1])]
        return self._told(place, contradiction[begins.end() :])

    def _told(self, place: Place, reason: str) -> str:
        line = self._line(place)
        where = f"line {line}: " if line else ""
        return f"{where}{self._path(place) or 'the plan'}: {reason}"

    def _line(self, place: Place) -> int | None:
        """The line of the key, or of what it is missing from; None for a key that the plan as a whole lacks."""
        node, line = self._root, None
        for part in place:
            if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            elif isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            else:
                break
        return line

    def _path(self, place: Place) -> str:
        """Keys with dots between them; an entry of a list by its name, or by its number from 1 where it has none."""
        said, node, by_number = "", self._raw, False
        for part in place:
            node = _below(node, part)
            name = node.get("name", node.get("kind")) if isinstance(node, dict) and isinstance(part, int) else part
            if isinstance(name, str) and (not isinstance(part, int) or re.match(NAME, name)):
                said += f"{', ' if by_number else '.'}{name}" if said else name
                by_number = False
            else:
                said += f", entry {int(part) + 1}"
                by_number = True
        return said


def _below(node: Any, part: int | str) -> Any:
    if isinstance(node, dict):
        return node.get(part)
    return node[part] if isinstance(node, list) and isinstance(part, int) and part < len(node) else None


def _reason(error: ErrorDetails) -> str:
    match error["type"]:
        case "extra_forbidden":
            known = _keys_beside(error["loc"])
            near = get_close_matches(str(error["loc"][-1]), known, n=1)
            return "unknown key" + (
                f"; did you mean {near[0]}?" if near else f"; known keys: {', '.join(known)}" if known else ""
            )
        case "missing":
            return "missing, must be stated"
        case "model_type":
            return f"keys are needed: {', '.join(_keys_beside((*error['loc'], '')))}{_found(error)}"
        case "value_error":
            return f"{error['msg'].removeprefix('Value error, ')}{_found(error)}"
        case "string_pattern_mismatch":
            pattern, given = error["ctx"]["pattern"], error["input"]
            proposed = f"; write {name}" if pattern == NAME and (name := allowed_name(given)) else ""
            return f"{RULES[pattern]}{proposed}{_found(error)}"
        case _:
            return f"{error['msg'][0].lower()}{error['msg'][1:]}{_found(error)}"


def allowed_name(given: str) -> str:
    """The nearest name that a plan allows: "Größe in cm" is `grosse_in_cm`; empty where nothing of it can stand."""
    plain = unicodedata.normalize("NFKD", given.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    joined = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (f"n_{joined}" if joined[:1].isdigit() else joined)[:40].rstrip("_")


def _found(error: ErrorDetails) -> str:
    value = error.get("input")
    shown = "a very large number" if isinstance(value, int) and value.bit_length() > MOST_BITS else repr(value)
    shown = shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]} …"
    return "" if isinstance(value, dict | BaseModel) else f" (found: {shown})"


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model allows at the place of an unknown key, found by walking the model's JSON schema."""
    schema = plan_schema()
    node = schema
    for part in location[:-1]:
        node = _resolve(schema, node)
        if part in UNION_BRANCHES and part in schema["$defs"]:
            node = schema["$defs"][part]
        elif isinstance(part, int):
            node = node.get("items", {})
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        elif isinstance(node.get("additionalProperties"), dict):
            node = node["additionalProperties"]
    return sorted(_resolve(schema, node).get("properties", {}))


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in [node, *node.get("anyOf", []), *node.get("allOf", [])]:
        if "$ref" in option:
            found: dict[str, Any] = schema["$defs"][option["$ref"].rsplit("/", 1)[-1]]
            return found
    return node
