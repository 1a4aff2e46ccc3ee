"""Paths in a plan: relative to the folder that the plan's file is in, whatever folder a job is started in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer, ValidationInfo

from evenhand.plan.base import Text


class Located(str):
    """An absolute path that knows how the plan writes it: the fingerprint must not depend on where the plan lies."""

    __slots__ = ("written",)
    written: str


def beside(plan: Path) -> dict[str, str]:
    """The context in which a plan's file is validated."""
    return {"folder": str(plan.absolute().parent)}


def _located(path: str, info: ValidationInfo) -> str:
    """Text that is no file's, as in a notebook, has no folder: its paths stay relative to the working directory."""
    folder = (info.context or {}).get("folder")
    if folder is None or ":/" in path or os.path.isabs(path):
        return path
    found = Located(os.path.normpath(os.path.join(folder, path)))
    found.written = path
    return found


def _as_written(path: str) -> str:
    return path.written if isinstance(path, Located) else path


PlanPath = Annotated[Text, AfterValidator(_located), PlainSerializer(_as_written)]
