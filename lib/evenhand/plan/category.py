"""One category of an entry of `kind: categories`: a feature that is 100 % or 0 %, made of the values of a column."""

from __future__ import annotations

from pydantic import Field

from evenhand.plan.base import Column, Model, Name, Value, written
from evenhand.plan.expressions import quoted_column

HUNDRED = 100.0  # percent


class Category(Model):
    """Whether a customer is in one category of those `of` a name: has one of the `values`, or with `others` none of them.

    A customer is in one of the categories of a name: the privacy of what is counted over them hangs on that
    (`consistency` holds it). Null is among the others.
    """

    of: Name = Field(description="The name of the entry.")
    column: Column = Field(description="The column of the customer table.")
    values: list[Value] = Field(description="Values of the column.")
    others: bool = Field(default=False, description="Whether it is of all who have none of the values.")

    @property
    def expression(self) -> str:
        values = ", ".join(f'"{value}"' if "'" in value else f"'{value}'" for value in map(written, self.values))
        inside, outside = (0, int(HUNDRED)) if self.others else (int(HUNDRED), 0)
        return f"if(cast({quoted_column(self.column)} as string) in ({values}), {inside}, {outside})"
