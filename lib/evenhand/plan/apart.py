"""Whether two folders lie inside each other, by whatever name they are called."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath


def nested(one: str, other: str) -> bool:
    """Whether two folders are the same, or one lies in the other."""
    return within(one, other) or within(other, one)


def within(inner: str, outer: str) -> bool:
    """Whether a folder is another one or lies in it.

    Symbolic links are followed; where a folder is there, it is known again under another mount and in another case of letters.
    """
    a, b = _parts(inner), _parts(outer)
    return a[: len(b)] == b or (_is_local(inner) and _is_local(outer) and _holds(b, a))


def _parts(path: str) -> tuple[str, ...]:
    """The parts of a path, the same for /out, file:/out, file:///out and out in the root, and for s3://, s3a:// and s3n://."""
    if _is_local(path):
        return PurePath(os.path.realpath(_local(path))).parts
    return PurePath(os.path.normpath(re.sub(r"^s3[an]:", "s3:", path, flags=re.IGNORECASE))).parts


def _local(path: str) -> str:
    return re.sub(r"^(file:)?/+", "/", path, flags=re.IGNORECASE)


def _is_local(path: str) -> bool:
    return ":/" not in _local(path)


def _holds(outer: tuple[str, ...], inner: tuple[str, ...]) -> bool:
    """Whether the inner folder, or one above it, is the outer one itself, for the file system."""
    folder, lower = Path(*outer), Path(*inner)
    try:
        return os.path.isdir(folder) and any(
            os.path.exists(above) and folder.samefile(above) for above in (lower, *lower.parents)
        )
    except OSError:  # whoever may not look into a folder learns by its name alone
        return False
