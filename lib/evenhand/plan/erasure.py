"""What a plan says about erasing people: `jobs/erase.py`."""

from __future__ import annotations

from pydantic import Field

from evenhand.plan.base import Model
from evenhand.plan.data import Key


class Erasure(Model):
    """How an erasure is certified."""

    signing_key: Key | None = Field(
        default=None, description="The key that signs certificates of erasure. They are not signed unless it is stated."
    )
