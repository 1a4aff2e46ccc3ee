"""The words of consent: what a plan may name, and that the page says what the code does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from evenhand.cli.main import parsed
from evenhand.errors import PlanError
from evenhand.plan.columns import CONSENT, needed_columns
from evenhand.plan.consent import KNOWN, STATES, ConsentColumns
from evenhand.plan.explain import explain
from evenhand.plan.load import parse_plan
from sample import plan_yaml

PAGE = (Path(__file__).parents[2] / "docs/rights.md").read_text(encoding="utf-8")
SOURCE = "sources.consent"


def test_every_state_stands_on_the_page_with_its_term_and_what_it_counts_as() -> None:
    rows = re.findall(r"^\| (`.*`) \| `(\w+)` \| (yes|no) \|$", PAGE, flags=re.M)
    found = [(tuple(re.findall(r"`(\w+)`", words)), term, says == "yes") for words, term, says in rows]
    assert found == [(state.words, state.dpv, state.yes) for state in STATES]
    assert len(set(KNOWN)) == len(KNOWN)


def test_every_column_stands_on_the_page() -> None:
    table = PAGE[PAGE.index("| column |") : PAGE.index("A source that calls")]
    assert [field for field in ConsentColumns.model_fields if f"`{field}`" not in table] == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"columns": {"state": "s", "method": "S"}}, "sources.consent.columns: column s is named twice"),
        ({"columns": {"stat": "s"}}, "did you mean state?"),
        ({"columns": {"state": "Customer_Id"}}, "customer_id is the name of another column of consent"),
        ({"id": "Purpose"}, "Purpose is the name of another column of consent"),
        ({"minimum_notice_version": 2.10}, "put it in quotes"),
        ({"minimum_notice_version": "draft"}, "a version that can be compared is needed"),
        ({"minimum_notice_version": True}, "string"),
        ({"signals": "gpc"}, "list"),
    ],
)
def test_what_cannot_be_meant_is_told(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(PlanError) as wrong:
        parse_plan(plan_yaml({f"{SOURCE}.{key}": value for key, value in changes.items()}))
    assert SOURCE in str(wrong.value) and expected in str(wrong.value)


def test_a_run_reads_of_consent_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    plain, strict = (
        parse_plan(plan_yaml()),
        parse_plan(plan_yaml({f"{SOURCE}.minimum_notice_version": 3, f"{SOURCE}.signals": ["gpc"]})),
    )
    assert needed_columns(plain)[CONSENT] == [
        "customer_id", "purpose", "state", "recorded_at", "expires_at", "attribute", "signal",
    ]  # fmt: skip
    assert needed_columns(strict)[CONSENT] == [*needed_columns(plain)[CONSENT], "notice_version"]
    text = " ".join(explain(strict).split())
    assert "A consent under a notice older than 3 does not count. Signals honored: gpc." in text
    assert "Signals honored: all." in " ".join(explain(plain).split())


@pytest.mark.parametrize(("given", "taken"), [("v2.10", "v2.10"), ("2026-03-01", "2026-03-01"), (3, "3")])
def test_a_minimum_is_a_version_or_a_day(given: Any, taken: str) -> None:
    assert parse_plan(plan_yaml({f"{SOURCE}.minimum_notice_version": given})).sources.consent.minimum_notice_version == taken


def test_the_page_s_commands_are_ones() -> None:
    lines = re.findall(r"^spark-submit jobs/consent\.py (.+)$", PAGE, flags=re.M)
    found = [parsed(["consent", *shlex.split(line)]).does.__name__ for line in lines]
    assert found == ["_import", "_import", "_receipt"]
