"""What a run's records say of it, and which run may go on under an id."""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import Row

from conftest import write_key
from evenhand.assignment.fair_map import FairMap, assignment_fingerprint
from evenhand.errors import KeyFileError, RunConflict
from evenhand.plan.load import canonical_json, parse_plan
from evenhand.prepare.keys import check_value, refuse_other_key
from evenhand.privacy.question import fingerprint_of
from evenhand.records.audit import Entry, known_keys
from evenhand.records.runs import check_goes_on
from evenhand.records.statement import statement
from evenhand.version import __version__
from sample import KEY, NOW, plan_yaml


def state(**changes: Any) -> Row:
    return Row(**({"not_private": False, "version": __version__, "status": "failed"} | changes))


def test_a_run_goes_on_with_the_version_and_the_kind_of_noise_that_it_began_with() -> None:
    check_goes_on(state(), private=True)
    check_goes_on(state(not_private=True), private=False)
    with pytest.raises(RunConflict, match=r"Evenhand 0.0.1 began this run.*finish it with that version, or take another id"):
        check_goes_on(state(version="0.0.1"), private=True)
    for began, private, said in (
        (True, True, "not private, and this noise is;"),
        (False, False, "private, and this noise is not;"),
    ):
        with pytest.raises(RunConflict, match=said) as wrong:
            check_goes_on(state(not_private=began), private)
        assert wrong.value.exit_code == 2


def test_the_log_says_with_which_key_a_run_began_and_why_its_people_moved_and_not_what_the_key_is() -> None:
    plan = parse_plan(plan_yaml({"privacy.population_moved": {"from": "members", "reason": "renamed"}}))
    said = canonical_json(statement(plan, NOW, {}, True, check_value(KEY)))
    found = json.loads(said)
    assert found["key"] == {"id": "test-1", "check": check_value(KEY)}
    assert found["population_moved"] == {"from": "members", "reason": "renamed"}
    assert found["version"] == __version__
    assert KEY.decode() not in said
    assert "key" not in statement(plan, NOW, {}, True)  # resumed, it need not have the key


def started(number: int, key_id: str, key: bytes) -> Entry:
    details = canonical_json({"key": {"id": key_id, "check": check_value(key)}})
    return Entry(number, 0, "ada", f"run-{number}", "start", details, "")


def test_one_key_id_with_two_keys_is_refused(tmp_path: Path) -> None:
    plan = parse_plan(plan_yaml({"pseudonyms.key_file": str(write_key(tmp_path / "key", KEY))}))
    other = KEY[::-1]
    known = known_keys([started(1, "test-1", KEY), started(2, "test-2", other), started(3, "test-1", KEY)])
    assert refuse_other_key(plan.pseudonyms, known) == refuse_other_key(plan.pseudonyms, {}) == check_value(KEY)
    with pytest.raises(KeyFileError, match="key_id: test-1 stood for another key .* a key_id of its own") as wrong:
        refuse_other_key(plan.pseudonyms, known_keys([started(1, "test-1", other)]))
    assert wrong.value.exit_code == 2


def test_a_check_value_is_no_pseudonym_and_tells_keys_apart() -> None:
    assert check_value(KEY) != check_value(KEY[::-1])
    assert len(check_value(KEY)) == 16
    assert not hmac.new(KEY, b"", "sha256").hexdigest().startswith(check_value(KEY))


def test_what_a_question_is_about_is_another_for_other_centers_other_shapes_and_another_map() -> None:
    centers = np.arange(6).reshape(2, 3)
    assert fingerprint_of(centers) == fingerprint_of(centers.copy())
    fair_map = FairMap.of(centers, np.zeros((2, 2)), np.array([0.1]), np.zeros((2, 2)))
    dearer = FairMap.of(centers, np.full((2, 2), 0.5), np.array([0.1]), np.zeros((2, 2)))
    found = [
        fingerprint_of(centers),
        fingerprint_of(centers.T),
        fingerprint_of(centers + 1),
        fingerprint_of(centers.ravel()),
        *(assignment_fingerprint(at, m) for at in (centers, centers + 1) for m in (fair_map, dearer)),
    ]
    assert len(set(found)) == len(found)
    assert assignment_fingerprint(centers, None) == fingerprint_of(centers)
