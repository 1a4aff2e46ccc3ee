"""What a command is: its words, its arguments, what it does, and the answer that it hands back."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evenhand.cli.parser import Parser
from evenhand.cli.talk import Talk


@dataclass(frozen=True)
class Answer:
    """What was asked for, on standard output: a text for a person, or with `--json` the facts for a program."""

    text: str
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """A command of the tool.

    `arguments` adds its options to a parser. `run` does it and hands back the answer, or raises an EvenhandError; what is heavy
    to load (Spark, scikit-learn) it imports itself, so that help and checks answer at once.
    """

    name: str
    does: str
    examples: tuple[str, ...]
    arguments: Callable[[Parser], None]
    run: Callable[[Namespace, Talk], Answer]
    only_answers: bool = False  # what it is for is its answer: where nothing can hold that, nothing is done
    is_several: bool = False  # commands of its own, each with a plan, an output and an example
