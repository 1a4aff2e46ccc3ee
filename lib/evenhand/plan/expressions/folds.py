"""An aggregate over a customer's rows in three steps: values of single rows, folds of these, a number made of the folds.

A fold is a sum, a count, a maximum or a percentile, never anything that the order of rows or their way through Spark
could change (`prepare.folds`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from evenhand.plan.expressions.errors import ExpressionError
from evenhand.plan.expressions.functions import AGGREGATES
from evenhand.plan.expressions.signatures import kinds
from evenhand.plan.expressions.syntax import AS_OF, called
from evenhand.plan.expressions.total import Row

NO_AGGREGATE = "an aggregate is needed, such as count(*), sum(amount) or max(purchased_at)"
MARK = re.compile(r"\x00(\d+)\x00")  # no text of a plan may have such a character


@dataclass(frozen=True)
class FoldOf:
    """One fold: its kind (`functions.AGGREGATES`), the SQL of its values on a row, and what else decides it."""

    kind: str
    values: tuple[str, ...]
    distinct: bool = False
    fraction: float = 0.5  # of a percentile


@dataclass(frozen=True)
class Folded:
    """The folds of an aggregate, and the SQL of its result, in which fold i stands as the i-th mark."""

    folds: tuple[FoldOf, ...]
    result: str

    def sql(self, names: Sequence[str]) -> str:
        """The result, from the columns of these names, one a fold."""
        return MARK.sub(lambda mark: names[int(mark[1])], self.result)


class Folds(Row):
    """Writes the result of an aggregate, and puts every fold that is in it apart."""

    def __init__(self, as_of_sql: str) -> None:
        super().__init__(as_of_sql)
        self._row = Row(as_of_sql)
        self.found: dict[FoldOf, int] = {}

    def sql(self, node: exp.Expression) -> str:
        if isinstance(node, exp.Filter):
            if called(node.this) not in AGGREGATES:
                raise ExpressionError("filter stands behind an aggregate function")
            return self._fold(node.this, self._row.sql(node.expression.this))
        if called(node) in AGGREGATES:
            return self._fold(node)
        return super().sql(node)

    def column(self, node: exp.Column) -> str:
        if node.name.lower() != AS_OF:
            if not any(called(other) in AGGREGATES for other in node.root().walk()):
                raise ExpressionError(NO_AGGREGATE)
            raise ExpressionError(f"column {node.name} stands outside an aggregate function")
        return super().column(node)

    def _fold(self, node: exp.Expression, where: str | None = None) -> str:
        name, (arguments, distinct) = called(node), _arguments_of(node)
        known = AGGREGATES[name]
        if distinct and not known.distinct:
            raise ExpressionError(f"{name} takes no distinct")
        if name == "count" and len(arguments) == 1 and isinstance(arguments[0], exp.Star):
            if distinct:
                raise ExpressionError("* stands for every column; only count(*) may use it")
            arguments = [exp.Literal.number(1)]
        letters = kinds(name, known.arguments, arguments)
        fraction = _fraction(name, arguments[letters.index("q")]) if "q" in letters else 0.5
        values = [self._row.sql(a) for letter, a in zip(letters, arguments, strict=True) if letter != "q"]
        if where is not None:  # every fold passes over null
            values = [f"if({where}, {value}, null)" for value in values]
        fold = FoldOf(known.kind, tuple(values), distinct and known.kind not in ("min", "max"), fraction)
        return f"\0{self.found.setdefault(fold, len(self.found))}\0"


def _arguments_of(node: exp.Expression) -> tuple[Sequence[exp.Expression], bool]:
    """The arguments of an aggregate, and whether they are distinct."""
    arguments = list(node.expressions) if isinstance(node, exp.Anonymous) else [node.this]
    if len(arguments) == 1 and isinstance(arguments[0], exp.Distinct):
        return list(arguments[0].expressions), True
    return arguments, False


def _fraction(name: str, node: exp.Expression) -> float:
    if isinstance(node, exp.Literal) and not node.is_string and 0 <= float(node.this) <= 1:
        return float(node.this)
    raise ExpressionError(f"{name} takes a number from 0 to 1 there, written out")
