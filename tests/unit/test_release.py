"""The door: nobody else makes a Release, and a part that is not private by its own numbers is refused."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evenhand.errors import ClosedDoor, EvenhandError, RunConflict
from evenhand.privacy import release
from evenhand.privacy.noise import NoNoise, OpenDPNoise
from evenhand.privacy.question import Part
from evenhand.privacy.release import Release, made_up

PART = Part("count", 2, 1, 0.5, "a customer is in one cell")


def passed() -> Release:
    return Release(release._KEY, "q", (PART,), {"count": np.array([1, 2])}, private=True)


@pytest.mark.parametrize("key", [None, object(), "key", True, PART], ids=lambda key: type(key).__name__)
def test_a_release_cannot_be_made_elsewhere(key: object) -> None:
    with pytest.raises(ClosedDoor):
        Release(key, "q", (PART,), {"count": np.array([1, 2])}, private=True)


def test_no_other_module_knows_the_key_or_brings_an_aggregate_to_the_driver_as_a_table() -> None:
    library = Path(release.__file__).parents[1]
    for word in ("_KEY", ".toArrow(", ".toPandas("):
        knows = {str(p.relative_to(library)) for p in library.rglob("*.py") if word in p.read_text(encoding="utf-8")}
        assert knows <= {"privacy/release.py"}, word


def test_an_answer_that_is_made_up_is_never_private_and_no_run_makes_one() -> None:
    with pytest.raises(ClosedDoor, match="private noise"):
        made_up({"count": np.array([1, 2])}, (PART,), OpenDPNoise())
    assert not made_up({"count": np.array([1, 2])}, (PART,), NoNoise()).private
    library = Path(release.__file__).parents[1]
    for word in ("made_up(", "asking("):
        makes = {
            str(p.relative_to(library))
            for p in library.rglob("*.py")
            if re.search(rf"(?<![.\w]){re.escape(word)}", p.read_text())
        }
        assert makes == {"privacy/release.py"}, word


def test_a_closed_door_is_a_bug_and_not_an_error_of_the_user() -> None:
    assert not issubclass(ClosedDoor, EvenhandError)


def test_a_release_cannot_be_changed_afterwards() -> None:
    found = passed()
    with pytest.raises(ValueError, match="read-only"):
        found["count"][0] = 7
    with pytest.raises(TypeError):
        found.parts["count"] = PART  # type: ignore[index]


def test_a_release_does_not_show_figures_of_a_part_that_was_not_asked() -> None:
    with pytest.raises(KeyError):
        passed()["sum"]


@pytest.mark.parametrize(
    "change",
    [{"cells": 0}, {"sensitivity": 0}, {"sensitivity": -1}, {"cost": 0.0}, {"cost": -1.0}, {"cost": float("inf")},
     {"cost": float("nan")}],
    ids=str,
)  # fmt: skip
def test_a_part_without_a_finite_positive_price_is_refused(change: dict[str, Any]) -> None:
    sound: dict[str, Any] = {"name": "x", "cells": 2, "sensitivity": 1, "cost": 0.5, "because": "test"}
    with pytest.raises(ClosedDoor, match="part x"):
        Part(**(sound | change))


@pytest.mark.parametrize("sensitivity", [1, 3, 12, 32768])
@pytest.mark.parametrize("epsilon", [0.25, 0.1, 0.24, 1 / 3, 0.6 * 0.6 * 1e-3, 20.0])
def test_the_scale_is_sensitivity_over_epsilon_and_not_a_rounding_error_less(sensitivity: int, epsilon: float) -> None:
    scale = Part("x", 4, sensitivity, epsilon, "test").noise.scale
    assert scale == pytest.approx(sensitivity / epsilon, rel=1e-15)
    assert Fraction(scale) * Fraction(epsilon) >= sensitivity


@pytest.mark.parametrize(
    "values", [np.zeros(3, dtype=np.int64), np.zeros(2), np.zeros((2, 1), dtype=np.int64)], ids=["cells", "floats", "shape"]
)
def test_what_is_not_the_stated_vector_of_integers_gets_no_noise_and_no_release(values: np.ndarray) -> None:
    with pytest.raises(ClosedDoor, match="part count"):
        made_up({"count": values}, (PART,), NoNoise())


@pytest.mark.parametrize(
    ("resumed", "paid_by_another", "refused"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_a_run_that_another_process_has_paid_draws_nothing_unless_it_is_resumed(
    resumed: bool, paid_by_another: bool, refused: bool
) -> None:
    """With one open zone and two restricted ones neither process sees the lease or the answers of the other."""
    ledger: Any = SimpleNamespace(
        reserve=lambda run_id, questions: None, paid_by_another=lambda run_id: paid_by_another, log=lambda run_id: None
    )
    door = release.Door(None, ledger, NoNoise(), "r1", {}, resumed)  # type: ignore[arg-type]
    if refused:
        with pytest.raises(RunConflict, match="another process has begun run r1 with this open zone and another restricted one"):
            door.spend([])
    else:
        door.spend([])
