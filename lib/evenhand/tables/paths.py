"""Paths of tables as Delta's SQL needs them."""

from __future__ import annotations

import os


def absolute(path: str) -> str:
    """The path itself when it is absolute or has a scheme (s3://…), else relative to the working directory.

    SQL on delta.`path` finds no table at a relative path, although the DataFrame reader would.
    """
    return path if ":/" in path else os.path.abspath(path)


def quoted(path: str) -> str:
    """The table at a path as a name in SQL."""
    escaped = absolute(path).replace("`", "``")
    return f"delta.`{escaped}`"
