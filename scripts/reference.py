"""The tables of docs/plan.md and docs/tables.md, and conf/plan.schema.json, made from the plan's models and the catalog.

    python scripts/reference.py            # writes them anew
    python scripts/reference.py --check    # exit code 1 where a file and the code differ

A page says where a table goes by two comments, such as `<!-- keys of features -->` and `<!-- end -->`; all else is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticUndefined

from evenhand.plan.base import Column, Model, Name, Number, Share, Text, Value
from evenhand.plan.categories import Categories
from evenhand.plan.models import Plan
from evenhand.plan.notice import Language
from evenhand.plan.places import PlanPath
from evenhand.plan.rfm import Prefix, Rfm
from evenhand.plan.schema import schema_text
from evenhand.plan.spans import Span
from evenhand.tables.catalog import ALL, TableSpec
from evenhand.tables.meanings import MEANINGS, Meaning

ROOT = Path(__file__).resolve().parents[1]
OPEN, END = r"<!-- ((?:keys|tables) of \w+) -->\n", "<!-- end -->"
# One name of the code each. What a name is must be said once on the page.
KINDS: list[tuple[Any, str]] = [
    (Span, "span"),
    (Language, "language"),
    (Name, "name"),
    (Prefix, "name"),
    (Text, "text"),
    (Column, "column"),
    (Number, "number"),
    (Share, "share"),
    (PlanPath, "path"),
    (Value, "value"),
    (int, "whole number"),
    (float, "number"),
    (bool, "true or false"),
    (str, "text"),
]
ENTRIES = {"rfm": Rfm, "categories": Categories}
LIMITS = {Ge: ("at least", "ge"), Gt: ("above", "gt"), Le: ("at most", "le"), Lt: ("below", "lt")}


def keys(model: type[Model], path: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Key, type, default and meaning of every key of a model and of those below it, in the order of the code."""
    hints = get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        if any(isinstance(mark, SkipJsonSchema) for mark in field.metadata):
            continue  # not for a plan's text
        key = path + (field.alias or name)
        if not field.description:
            raise SystemExit(f"reference: {model.__name__}.{name} has no description")
        yield key, kind(hints[name], field), default(field), field.description
        for suffix, inner in models(hints[name]):
            yield from keys(inner, key + suffix + ".")


def models(hint: Any, suffix: str = "") -> Iterator[tuple[str, type[Model]]]:
    """The models inside a type, each with what a path to it needs: `[]` for an item of a list, `.NAME` for a name of one's own."""
    if isinstance(hint, type) and issubclass(hint, Model):
        yield suffix, hint
    elif get_origin(hint) is Annotated:
        yield from models(get_args(hint)[0], suffix)
    elif get_origin(hint) is list:
        yield from models(get_args(hint)[0], suffix + "[]")
    elif get_origin(hint) is dict:
        yield from models(get_args(hint)[1], suffix + ".NAME")
    elif get_origin(hint) in (Union, UnionType):
        for one in get_args(hint):
            yield from models(one, suffix)


def kind(hint: Any, field: FieldInfo | None = None) -> str:
    """A type in a reader's words, with its limits: lists as [name, …], mappings as {name: number}."""
    found = next((word for known, word in KINDS if hint == known), "")
    if get_origin(hint) is Annotated and not found:
        inner, *extras = get_args(hint)
        return kind(inner) + limits([m for extra in extras for m in getattr(extra, "metadata", [])])
    is_said = hint in (Name, Text, Column, Share)  # with its limits, once, at the head of the page
    return (found or _composed(hint)) + ("" if field is None or is_said else limits(field.metadata))


def _composed(hint: Any) -> str:
    of, inner = get_origin(hint), get_args(hint)
    if of is Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if of is list:
        return f"[{kind(inner[0])}, …]"
    if of is dict:
        return f"{{{kind(inner[0])}: {kind(inner[1])}}}"
    if of is tuple:
        return f"[{', '.join(kind(one) for one in inner)}]"
    if of in (Union, UnionType):
        return " or ".join(kind(one) for one in inner if one is not NoneType)
    if isinstance(hint, type) and issubclass(hint, Model):
        return "keys"
    if hint is datetime:
        return "timestamp"
    raise SystemExit(f"reference: no words for the type {hint}; add them to KINDS")


def limits(metadata: list[Any]) -> str:
    of = {type(m): m for m in metadata}
    if Ge in of and Le in of:
        found = [f"{figure(of[Ge].ge)} to {figure(of[Le].le)}"]
    else:
        found = [f"{word} {figure(getattr(of[t], end))}" for t, (word, end) in LIMITS.items() if t in of]
    if MinLen in of and MaxLen in of:
        found.append(f"{of[MinLen].min_length} to {of[MaxLen].max_length} of them")
    elif MinLen in of and of[MinLen].min_length > 0:
        found.append("not empty")
    elif MaxLen in of:
        found.append(f"at most {of[MaxLen].max_length} of them")
    return f" ({', '.join(found)})" if found else ""


def figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or isinstance(value, Model) or value in ([], {}, ""):
        return "–"
    if isinstance(value, tuple):
        return f"`[{', '.join(f'{one:g}' for one in value)}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else f'{value:g}' if isinstance(value, float) else value}`"


def keys_of(section: str) -> str:
    """The table of one section of the plan; `plan` is what stands beside the sections."""
    rows = list(keys(Plan))
    if section in ENTRIES:  # an entry beside features, which it becomes
        return _keys_table(list(keys(ENTRIES[section], "features[].")))
    inside = {key for key, *_ in rows if "." in key or "[" in key}
    sections = {key.split(".")[0].removesuffix("[]") for key in inside}
    wanted = [row for row in rows if _section(row[0], sections) == section]
    if not wanted:
        raise SystemExit(f"reference: docs/plan.md asks for the keys of {section}; known: plan, {', '.join(sorted(sections))}")
    return _keys_table(wanted)


def _keys_table(rows: list[tuple[str, str, str, str]]) -> str:
    return _table(("key", "type", "default", "meaning"), [(f"`{key}`", *rest) for key, *rest in rows])


def _section(key: str, sections: set[str]) -> str:
    first = key.split(".")[0].removesuffix("[]")
    return first if first in sections else "plan"


def tables_of(zone: str) -> str:
    """Every table of a zone, with its columns."""
    return "\n".join(_described(spec) for spec in ALL if spec.zone == zone)


def _described(spec: TableSpec) -> str:
    if spec.name not in MEANINGS:
        raise SystemExit(f"reference: nothing says what the table {spec.name} means; add it to lib/evenhand/tables/meanings.py")
    meaning, columns = MEANINGS[spec.name], columns_of(spec)
    rows = [(f"`{name}`", f"`{kind}`", _of(meaning, spec.name, name)) for name, kind in columns.items()]
    if unknown := set(meaning.columns) - set(columns):
        raise SystemExit(f"reference: {spec.name} has no column {', '.join(sorted(unknown))}")
    more = f"\n{meaning.more}\n" if meaning.more else ""
    return f"### {spec.name}\n\n{meaning.table}\n\n{_table(('column', 'type', 'meaning'), rows)}{more}"


def _of(meaning: Meaning, table: str, column: str) -> str:
    try:
        return meaning.of(column)
    except KeyError:
        raise SystemExit(
            f"reference: nothing says what {table}.{column} means; add it to lib/evenhand/tables/meanings.py"
        ) from None


def columns_of(spec: TableSpec) -> dict[str, str]:
    """The types of a table's columns, by name; a comma inside of a type does not part two columns."""
    fields = [""]
    for piece in spec.columns.split(", "):
        is_inside = fields[-1].count("<") > fields[-1].count(">")
        fields = [*fields[:-1], f"{fields[-1]}, {piece}"] if is_inside else [*fields, piece]
    return {name.strip("`"): kind for name, kind in (each.split(" ", 1) for each in fields[1:])}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def page(text: str, parts: Mapping[str, Any]) -> str:
    """A page with the tables that it asks for as the code has them."""

    def table(asked: re.Match[str]) -> str:
        what, _, of = asked[1].partition(" of ")
        return f"<!-- {asked[1]} -->\n\n{parts[what](of)}\n{END}"

    return re.sub(OPEN + r".*?" + END, table, text, flags=re.S)


def made() -> dict[str, str]:
    """What each file should hold, by its path in the repository."""
    parts = {"keys": keys_of, "tables": tables_of}
    pages = {
        f"docs/{name}.md": page((ROOT / f"docs/{name}.md").read_text(encoding="utf-8"), parts) for name in ("plan", "tables")
    }
    return pages | {"conf/plan.schema.json": schema_text() + "\n"}


def main(arguments: list[str]) -> int:
    is_check, differing = "--check" in arguments, []
    for name, text in made().items():
        if (ROOT / name).read_text(encoding="utf-8") != text:
            differing.append(name)
            if not is_check:
                (ROOT / name).write_text(text, encoding="utf-8")
    for name in differing:
        print(f"{name} {'differs from the code; run python scripts/reference.py' if is_check else 'written'}")
    return int(bool(differing) and is_check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
