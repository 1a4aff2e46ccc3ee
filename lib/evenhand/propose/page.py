"""YAML for people: comments broken at 80 columns, questions, and keys without a value that a person must fill in."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass

import yaml

from evenhand.terminal import WIDTH


@dataclass(frozen=True)
class Gap:
    """What a person must state: the line that the plan has for it, its key, and the question."""

    line: int
    key: str
    question: str


class Page:
    """Lines of YAML, with comments broken at 80 columns."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.gaps: list[Gap] = []

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def add(self, *lines: str) -> None:
        self.lines += [part for line in lines for part in line.splitlines() or [""]]

    def note(self, comment: str, indent: int = 0) -> None:
        pad = " " * indent
        self.lines += textwrap.wrap(printable(comment), WIDTH, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}# ")

    def ask(self, question: str, indent: int = 0) -> None:
        self.note(f"QUESTION: {question}", indent)

    def fill(self, key: str, line: str, question: str, indent: int = 0) -> None:
        """A key without a value, which a person must state."""
        self.note(f"FILL IN: {question}", indent)
        self.add(" " * indent + line)
        self.gaps.append(Gap(len(self.lines), key, question))

    def take(self, other: Page) -> None:
        self.gaps += [Gap(gap.line + len(self.lines), gap.key, gap.question) for gap in other.gaps]
        self.lines += other.lines


def scalar(text: str) -> str:
    """A text as YAML writes it in one line."""
    if not text.isprintable():
        return json.dumps(text)
    return yaml.safe_dump(text, allow_unicode=True, width=10**6, default_flow_style=True).splitlines()[0]


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
