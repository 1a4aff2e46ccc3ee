"""What a person's page says of one person's rows, in data and in words."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from evenhand.assignment.nearest import CENTER_BITS
from evenhand.people.person import PAGE, RunFacts, person
from evenhand.people.published import PublishedRun
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import parse_plan
from sample import NOW, plan_yaml
from survey import SURVEY

CENTERS = np.rint(np.array([[0.1, 0.5, 0.1], [0.7, 0.5, 0.2], [0.4, 0.5, 0.8]]) * STEPS * 2**CENTER_BITS).astype(np.int64)
BALANCED = {
    "fairness.mitigation": {"method": "balanced", "attributes": ["gender"], "justification": "To reach all alike."},
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "customer": [{"years": 2.4, "sex": "f", "age": 40}],
    "values": [{"spent": 77.0, "visits": 33}],
    "consent": [{"purpose": "offers", "state": "<granted>", "recorded_at": "2026-01-30"}],
    "prepared": [
        {"run_id": "run-1", "imputed": 2, "clipped": 4, "tenure": int(0.12 * STEPS), "spent": 0, "visits": int(0.11 * STEPS),
         "gender": 0, "age_band": 1},
    ],
    "segments": [{"run_id": "run-1", "segment": 2}],
    "activated": [{"activation_id": "act-1", "segment": 2, "held_back": False}],
    "recalled": [{"activation_id": "act-1", "reason": "withdrawn or objected", "at": "2026-03-02"}],
}  # fmt: skip
HEADERS = {"act-1": {"run_id": "run-1", "offer": "preview", "destination": "crm.out", "at": "2026-03-01 12:00:00"}}


def made(changes: dict[str, Any], rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    plan = parse_plan(plan_yaml(changes))
    run = RunFacts(PublishedRun("run-1", plan, NOW, CENTERS), {2: "long tenure"})
    return person(plan, "cust-7 <b>", rows, [run], HEADERS, ["email"], NOW)


def test_values_as_used_stand_beside_those_in_the_source_with_what_was_done_to_them() -> None:
    values = {v["feature"]: v for v in made({}, ROWS)["runs"][0]["values"]}
    assert (values["tenure"]["used"], values["tenure"]["in_source"], values["tenure"]["was_missing"]) == (2.4, 2.4, False)
    assert (values["spent"]["in_source"], values["spent"]["was_missing"], values["spent"]["was_clipped"]) == (77.0, True, False)
    assert (values["visits"]["in_source"], values["visits"]["was_missing"], values["visits"]["was_clipped"]) == (33, False, True)


def test_balanced_segments_say_that_the_group_was_read_and_which_segment_is_nearer() -> None:
    run = made(BALANCED, ROWS)["runs"][0]
    assert (run["segment"], run["nearest"], run["against"]) == (2, 1, 1)
    assert run["group_was_read"] == (
        "Your group (gender) was read too, to spread the groups more evenly over the segments: To reach all alike."
    )
    assert made({}, ROWS)["runs"][0]["group_was_read"] is None


def test_the_page_renders_with_everything_and_with_nothing_and_takes_no_markup_from_data() -> None:
    page = re.sub(r"\s+", " ", PAGE.render(made(BALANCED, ROWS)))
    for words in (
        "For customer cust-7 &lt;b&gt;", "&lt;granted&gt;", "segment 2, long tenure", "By your data alone segment 1 would be nearer",
        "(was missing)", "(cut to its bounds)", "handed to crm.out, for segment 2 and the offer preview",
        "Taken back on 2026-03-02: withdrawn or objected", "Not read: email", "tell whoever gave you this page",
    ):  # fmt: skip
        assert words in page, words
    nothing = PAGE.render(made({}, {}))
    for words in ("Nothing is kept about this id", "You are in no segment", "Your id was handed to nobody"):
        assert words in nothing


def test_who_answers_for_it_and_how_to_say_no_are_the_plan_s() -> None:
    page = PAGE.render(made({"contact": {"controller": "Example Ltd", "reach": "privacy@example.com"}}, ROWS))
    assert "Example Ltd answers for it." in page
    assert "privacy@example.com" in page


def test_answers_to_surveys_and_responses_to_offers_are_among_what_is_read() -> None:
    outcome = {
        "name": "response",
        "source": {"path": "r", "id": "customer_id", "time": "at"},
        "options": ["bought"],
        "share": 0.1,
    }
    page = re.sub(r"\s+", " ", PAGE.render(made({"surveys": [SURVEY], "outcomes": [outcome]}, ROWS)))
    assert "which of the plan&#39;s options was chosen" in page
    assert "what came of the offer" in page


def test_rows_that_retention_has_taken_leave_the_segment_without_a_reason() -> None:
    run = made({}, {"segments": ROWS["segments"]})["runs"][0]
    assert (run["segment"], run["values"], run["because"]) == (2, [], [])
