"""What all models of the plan are made of: names, texts, numbers that are finite, and how mistakes are told."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints

from evenhand.plan.expressions import ExpressionError

# What they say in words stands in mistakes.py.
NAME = r"^[a-z][a-z0-9_]{0,39}$"
KEY_ID = r"^[A-Za-z0-9_.-]{1,40}$"
ENVIRONMENT = r"^[A-Z_][A-Z0-9_]*$"
LANGUAGE = r"^[a-z]{2,3}(_[A-Z]{2})?$"

Name = Annotated[str, StringConstraints(pattern=NAME)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Column = Annotated[str, StringConstraints(min_length=1, max_length=255)]


def _finite(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")
    if isinstance(value, date):
        raise ValueError(
            f"a number is needed; {value:%Y-%m-%d} is day {value.toordinal() - date(1970, 1, 1).toordinal()} since 1970-01-01"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number is needed")
    return value


def _value(value: Any) -> Any:
    if not isinstance(value, str | int):
        raise ValueError("a text, a whole number or a boolean is needed; who has no value is in `unknown`")
    return value


Value = Annotated[str | int | bool, BeforeValidator(_value)]  # one line for a mistake, not one for each type that it could be


def written(value: str | int | bool) -> str:
    """A value of a column as Spark writes it: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


# Checked before and after: true would become 1.0, and text, as which YAML reads 1e999, becomes infinite.
Number = Annotated[float, BeforeValidator(_finite), AfterValidator(_finite)]
Share = Annotated[Number, Field(gt=0, lt=1)]


def _kind(value: Any) -> str:
    return "by-keys" if isinstance(value, dict | BaseModel) else "plain"


# A value that is either plain or a mapping: mistakes are told for the form that was written, not for both.
EitherForm = Discriminator(_kind)


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


def checked(inspect: Callable[[str], object], text: str) -> None:
    try:
        inspect(text)
    except ExpressionError as wrong:
        raise ValueError(str(wrong)) from None
