"""A survey about the use of data, for tests: its part of the plan, and a table of answers."""

from __future__ import annotations

from typing import Any

SURVEY: dict[str, Any] = {
    "name": "data_use",
    "purpose": "surveys",
    "source": {"path": "answers", "id": "customer_id", "time": "answered_at"},
    "questions": [
        {"name": "comfort", "asks": "How comfortable are you with what we do with your data?", "options": [1, 2, 3]},
        {"name": "control", "asks": "Do you know how to change your choices?", "options": ["yes", "no"]},
    ],
    "share": 0.2,
}
ANSWERS = "customer_id STRING, question STRING, answer STRING, answered_at TIMESTAMP, comment STRING"
