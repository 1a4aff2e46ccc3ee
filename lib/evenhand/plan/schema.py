"""The plan's JSON Schema (draft 2020-12), for editors and for whoever checks plans without Python."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from evenhand.plan.models import Plan

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def plan_schema() -> dict[str, Any]:
    """Every key with its type, limits, default and a description.

    What only the plan as a whole can get wrong is not in it: `evenhand check` finds that.
    """
    made = _tidy(Plan.model_json_schema(by_alias=True))
    return {"$schema": DIALECT, "title": "Evenhand plan", **made}


def schema_text() -> str:
    """As it stands in conf/plan.schema.json."""
    return json.dumps(plan_schema(), ensure_ascii=False, indent=2)


def _tidy(node: Any) -> Any:
    """Without titles, which repeat each key's name, and with paragraphs in place of the lines of a docstring."""
    if isinstance(node, list):
        return [_tidy(part) for part in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _tidy(part) for key, part in node.items() if key != "title" or not isinstance(part, str)}
    if isinstance(said := kept.get("description"), str):
        kept["description"] = re.sub(r"(?<!\n)\n(?!\n)", " ", said)
    return kept
