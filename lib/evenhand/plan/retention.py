"""How long what is about people is kept, and who answers for it."""

from __future__ import annotations

from pydantic import Field

from evenhand.plan.base import Model, Text
from evenhand.plan.spans import Span

KEPT = "13 months"  # a year, and a month to compare it with the same month of the last

GONE_ON_WITH = "30 days"  # whoever schedules runs each month still finds that of the last one


class Retention(Model):
    """From the day on which a run wrote its last state, or an activation was made; what is due is removed by `jobs/retain.py`."""

    prepared: Span = Field(default=KEPT, description="How long the prepared rows of customers are kept.")
    segments: Span = Field(default=KEPT, description="How long it is kept who is in which segment.")
    activations: Span = Field(default=KEPT, description="How long it is kept who was handed out, held back and taken back.")
    findings: Span = Field(default=KEPT, description="How long the counts of what was wrong with the input are kept.")
    leases: Span = Field(default=KEPT, description="How long it is kept which process worked on a run.")
    unfinished: Span = Field(
        default=GONE_ON_WITH,
        description="How long a run that stopped may be gone on with. `evenhand maintain` gives it up afterwards and removes what it had staged.",
    )


class Contact(Model):
    """Who decides about the use of the data, and where a customer turns to."""

    controller: Text = Field(description="Who decides, such as the company's name and address.")
    reach: Text = Field(description="How a customer asks, objects or complains: a mail address, a telephone number, a page.")
