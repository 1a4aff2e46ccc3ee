"""Lines for a person, on a terminal or into a pipe whose reader may have seen enough."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TextIO

WIDTH = 80


def show(text: str) -> OSError | None:
    """What was asked for, on standard output; hands back why it could not be written there, where somebody still reads."""
    return _write(text, sys.stdout)


def say(line: str) -> None:
    """Progress, a warning or an error, on standard error: broken to 80 columns on a terminal, one line where programs read."""
    text = f"evenhand: {line}"
    _write("\n".join(map(_broken, text.splitlines())) if is_terminal(sys.stderr) else text, sys.stderr)


def hanging(text: str, indent: str = "  ") -> list[str]:
    """A sentence in lines of 80 columns, indented, and two more from its second line on. A figure stays with its letter: ε = 1."""
    joined, wide = re.sub("([ερδ]) = ", "\\1\u00a0=\u00a0", text), f"{indent}  "
    lines = textwrap.wrap(
        joined, WIDTH, initial_indent=indent, subsequent_indent=wide, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\u00a0", " ") for line in lines]


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _broken(line: str) -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _write(text: str, stream: TextIO | None) -> OSError | None:
    if stream is None:  # closed before the job began
        return None
    encoding = stream.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except OSError as wrong:
        # Nobody reads on, or a disk is full: no run is worse for it. Python would complain of what is left when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return None if isinstance(wrong, BrokenPipeError) else wrong
    return None
