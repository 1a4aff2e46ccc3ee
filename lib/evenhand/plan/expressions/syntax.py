"""The tree of an expression, in which every function stands as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError
from sqlglot.parsers.spark import SparkParser

from evenhand.plan.expressions.errors import ExpressionError
from evenhand.plan.expressions.functions import DIFFERENCES, OF_THE_RUN, TEXTUAL, UNITS
from evenhand.plan.expressions.texts import refuse_clock

AS_OF = "as_of"  # stands for the run's point in time in every expression

# Comments end elsewhere for Spark, which puts environment variables and settings in the place of ${…}, even inside quotes.
MISREAD = {"--": "a comment", "/*": "a comment", "\\": "a backslash", "${": "a variable", "\0": "a null character"}

DEEPEST = 100  # Spark's own parser has a stack too


class Parser(SparkParser):
    """Knows the syntax of Spark SQL and no function, so that it puts none in the place of another."""

    FUNCTIONS: ClassVar = {}
    NO_PAREN_FUNCTIONS: ClassVar = {}
    FUNCTION_PARSERS: ClassVar = {name: SparkParser.FUNCTION_PARSERS[name] for name in ("CAST", "EXTRACT", "TRIM", "TRY_CAST")}


class Dialect(Spark):
    Parser = Parser


def parsed(text: str) -> exp.Expression:
    """The tree of one expression.

    Raises:
        ExpressionError: it is none, or a text in it could be taken for another by Spark.
    """
    for mark, what in MISREAD.items():
        if mark in text:
            raise ExpressionError(f"{what} ({mark}) is not allowed")
    try:
        statements = sqlglot.parse(text, dialect=Dialect)
    except (SqlglotError, RecursionError) as wrong:
        raise ExpressionError(f"not a Spark SQL expression: {str(wrong).splitlines()[0]}") from None
    if len(statements) != 1 or statements[0] is None:
        raise ExpressionError("one expression is needed")
    tree = statements[0]
    if not isinstance(tree, exp.Expression) or isinstance(tree, exp.Command | exp.Alias | exp.Query | exp.DDL | exp.DML):
        raise ExpressionError("an expression is needed, not a statement or an alias")
    if any(node.depth > DEEPEST for node in tree.walk()):
        raise ExpressionError(f"it is nested more than {DEEPEST} deep")
    if tree.find(exp.Query, exp.Subquery, exp.Window, exp.Lambda):
        raise ExpressionError("subqueries, windows and lambdas are not allowed")
    if tree.find(exp.Dot, exp.Parameter, exp.Placeholder):
        raise ExpressionError("names with a dot and parameters are not allowed")
    for call in list(tree.find_all(exp.Anonymous)):
        _set_unit_apart(call)
    for column in tree.find_all(exp.Column):
        _check_column(column)
    for literal in tree.find_all(exp.Literal):
        if literal.is_string:
            refuse_clock(literal.this)
    for node in tree.walk():
        _refuse_spelled(node)
    return tree


def columns_in(tree: exp.Expr) -> Iterator[exp.Column]:
    """The columns of a source, in order of appearance; `as_of` is none of them."""
    return (c for c in tree.find_all(exp.Column, bfs=False) if c.name.lower() != AS_OF)


def called(node: exp.Expr) -> str:
    """The name of the function that is called here, in lower case; empty where none is."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower()
    return next((name for kind, name in SPECIAL.items() if isinstance(node, kind)), "")


# Calls for which SQL has a syntax of their own.
SPECIAL: dict[type[exp.Expression], str] = {
    exp.Any: "any",
    exp.Case: "if",
    exp.Concat: "concat",
    exp.DPipe: "concat",
    exp.If: "if",
    exp.Trim: "trim",
}


def _set_unit_apart(call: exp.Anonymous) -> None:
    """The unit of timestampdiff(MONTH, a, b) is a word, no column."""
    arguments = call.expressions
    if called(call) in {"timestampdiff", *DIFFERENCES} and len(arguments) == 3:
        first = arguments[0]
        if isinstance(first, exp.Column) and not first.this.quoted and first.name.lower() in UNITS:
            first.replace(exp.var(first.name.upper()))


def _check_column(column: exp.Column) -> None:
    if column.table:
        raise ExpressionError(f"write the column {column.sql(dialect='spark')} without a table or a struct before it")
    if not column.this.quoted and column.name.lower() in OF_THE_RUN:
        raise ExpressionError(f"{column.name} can give another result on the same rows; use as_of")


def _refuse_spelled(node: exp.Expr) -> None:
    """Refuse a text that is put together of constants: 'n' || 'ow' is now to Spark, which works out constants first.

    Of what holds a column Spark makes no such date (SpecialDatetimeValues takes what is foldable).
    """
    if isinstance(node, exp.If) and isinstance(node.parent, exp.Case):
        return  # a branch; the whole is looked at
    to_text = isinstance(node, exp.Cast) and node.to.this in exp.DataType.TEXT_TYPES
    if not (to_text or called(node) in TEXTUAL | {"string"}) or next(columns_in(node), None) is not None:
        return
    if any(literal.is_string for literal in node.find_all(exp.Literal)):
        raise ExpressionError("a text that is put together of constants is not allowed; write it as one")
