"""What a receipt of consent says, for every state and whatever the source leaves out, is valid against its schema."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from evenhand.people.receipt import receipt
from evenhand.plan.consent import STATES
from evenhand.plan.load import parse_plan
from sample import plan_yaml

SCHEMA = json.loads((Path(__file__).parents[1] / "receipt.schema.json").read_text(encoding="utf-8"))
AT = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)
FULL: dict[str, Any] = {
    "purpose": "offers", "state": "given", "recorded_at": AT, "expires_at": AT, "record_id": "r-1", "notice_version": "2.1", "language": "de",
    "method": "form", "expressed_by": "a parent", "attribute": None, "signal": None,
}  # fmt: skip


def events(said: list[dict[str, Any]], basis: str = "consent") -> list[dict[str, Any]]:
    found = receipt(parse_plan(plan_yaml({"legal_basis": basis})), "c-7", said, True, ["years"], AT)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(found)
    assert json.loads(json.dumps(found)) == found
    return found["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"]


@pytest.mark.parametrize("word", [word for state in STATES for word in state.written])
def test_every_way_to_write_a_state_is_its_term(word: str) -> None:
    wanted = next(state.dpv for state in STATES if word in state.written)
    assert events([FULL | {"state": word}])[0]["@type"] == f"dpv:{wanted}"


def test_what_the_source_leaves_out_is_left_out_and_an_unknown_state_is_unknown() -> None:
    nothing = dict.fromkeys(FULL)
    bare, unknown, signal = events([nothing, nothing | {"state": "maybe"}, nothing | {"signal": "gpc"}], "legitimate_interest")
    assert bare == {"@type": "dpv:ConsentUnknown", "evenhand:forEveryPurpose": True}
    assert (unknown["@type"], unknown["evenhand:stateAsWritten"]) == ("dpv:ConsentUnknown", "maybe")
    assert signal == {"@type": "dpv:ObjectingToProcess", "evenhand:forEveryPurpose": True, "evenhand:signal": "gpc"}


def test_a_term_that_is_none_is_not_valid() -> None:
    found = receipt(parse_plan(plan_yaml()), "c-7", [FULL], True, [], AT)
    found["dpv:hasRecordOfActivity"]["dpv:hasConsentStatus"][0]["@type"] = "dpv:ConsentMaybe"
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(found)]
