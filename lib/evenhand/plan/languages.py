"""The languages in which customers can be written to: English, in which the code's messages are, and each with a catalog of them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

SOURCE = "en"


def catalogs() -> Traversable:
    """The folder of the catalogs: one gettext file a language, such as `de.po`."""
    return files("evenhand") / "messages"


@cache
def languages() -> tuple[str, ...]:
    """By their codes, English first."""
    return (SOURCE, *sorted(name.removesuffix(".po") for f in catalogs().iterdir() if (name := f.name).endswith(".po")))
