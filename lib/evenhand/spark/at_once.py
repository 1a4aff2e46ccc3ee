"""Small works on a session beside each other: of each it is mostly waiting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
AT_ONCE = 4


def at_once(do: Callable[[S], T], things: Sequence[S]) -> list[T]:
    """Do the same with several, such as tables; what one raises is raised once all are done. Settings of the session are common to all."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(do, things))
