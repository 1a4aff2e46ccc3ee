"""The Spark SQL expressions of a plan: what they touch, and what Spark is given for them. Found without Spark.

What Spark runs is written anew from the tree that is checked here (`total`), so that nothing in the text can mean one
thing to the check and another to Spark; a function or a piece of syntax that is not known to be harmless is refused.
"""

from __future__ import annotations

from functools import cache

from sqlglot import exp

from evenhand.plan.expressions.errors import ExpressionError
from evenhand.plan.expressions.folds import NO_AGGREGATE, Folded, FoldOf, Folds
from evenhand.plan.expressions.forms import quoted_column
from evenhand.plan.expressions.syntax import called, columns_in, parsed
from evenhand.plan.expressions.total import Row

__all__ = [
    "ExpressionError",
    "FoldOf",
    "Folded",
    "adds_up",
    "folded",
    "inspect_aggregate",
    "inspect_row",
    "quoted_column",
    "row_sql",
    "summed_column",
]

SOME_TIME = "timestamp_micros(0L)"  # for as_of, where only the form of an expression matters


@cache
def inspect_aggregate(text: str) -> tuple[str, ...]:
    """Columns of an aggregate over event rows, in order of appearance, `as_of` not among them; every column must stand inside an aggregate function."""
    tree = parsed(text)
    _folded(tree, SOME_TIME)
    return _inspected(tree)


@cache
def inspect_row(text: str) -> tuple[str, ...]:
    """Columns of an expression on single rows: the `where` of an event source, or a feature of the customer table."""
    tree = parsed(text)
    Row(SOME_TIME).sql(tree)
    return _inspected(tree)


def row_sql(text: str, as_of_sql: str) -> str:
    """What Spark is given for an expression on single rows; null, as a condition no, where it cannot be computed. `as_of_sql` is a TIMESTAMP."""
    return Row(as_of_sql).sql(parsed(text))


def folded(text: str, as_of_sql: str) -> Folded:
    """What Spark is given for an aggregate."""
    return _folded(parsed(text), as_of_sql)


def summed_column(text: str) -> str | None:
    """The column of which the aggregate is the sum and nothing else, under whatever condition; None of other aggregates."""
    tree = parsed(text)
    inner = tree.expressions[0] if called(tree) == "sum" and tree.expressions else None
    if isinstance(inner, exp.If):
        inner = inner.args["true"]
    return inner.name if isinstance(inner, exp.Column) else None


def adds_up(text: str) -> bool:
    """Whether the aggregate is a sum or a count of rows and nothing else, so that those of all customers can be added up."""
    tree = parsed(text)
    return called(tree) in ("sum", "count") and tree.find(exp.Distinct) is None


def _folded(tree: exp.Expression, as_of_sql: str) -> Folded:
    folds = Folds(as_of_sql)
    result = folds.sql(tree)
    if not folds.found:
        raise ExpressionError(NO_AGGREGATE)
    return Folded(tuple(folds.found), result)


def _inspected(tree: exp.Expression) -> tuple[str, ...]:
    return tuple(dict.fromkeys(c.name for c in columns_in(tree)))
