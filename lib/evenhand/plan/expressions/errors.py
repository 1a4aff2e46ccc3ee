"""Why an expression of the plan cannot be used."""

from __future__ import annotations


class ExpressionError(Exception):
    """The expression cannot be used, and why."""
