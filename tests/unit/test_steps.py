"""Steps that do not exist are refused before anything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evenhand.errors import ArgumentError
from evenhand.job.api import run
from evenhand.plan.models import Plan


def test_a_step_that_does_not_exist_is_refused_before_anything_is_started(plan: Callable[..., Plan]) -> None:
    with pytest.raises(ArgumentError, match="steps: there is no asess; known: prepare, segment, assess, report"):
        run(plan(), steps=["prepare", "asess"])
