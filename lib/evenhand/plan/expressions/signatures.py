"""What stands between the parentheses of a call, held against the function's signature (`functions.SCALARS`)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from evenhand.plan.expressions.errors import ExpressionError
from evenhand.plan.expressions.forms import text_sql
from evenhand.plan.expressions.functions import UNITS
from evenhand.plan.expressions.syntax import called
from evenhand.plan.expressions.texts import refuse_format, refuse_pattern

MOST_DIGITS = 18  # that round and its like may be asked for; of more Spark makes numbers as long as memory lasts


def arguments_of(node: exp.Expression) -> Sequence[exp.Expression]:
    """The arguments of a call, of one that has a syntax of its own too."""
    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    names = ("this", "expressions", "true", "false")
    if more := [key for key, value in node.args.items() if value and key not in names]:
        raise ExpressionError(f"{called(node)} with {more[0]} is not allowed")
    found = [node.args.get(name) for name in names]
    return [a for part in found for a in (part if isinstance(part, list) else [part]) if a is not None]


def kinds(name: str, signature: str, arguments: Sequence[exp.Expression]) -> str:
    """One letter an argument, out of the function's signature."""
    needed, _, optional = signature.partition("?")
    if needed.endswith("*"):
        needed = needed[:-1] + needed[-2] * (len(arguments) - len(needed) + 1)
    if not len(needed) <= len(arguments) <= len(needed) + len(optional):
        raise ExpressionError(f"{name} takes another number of arguments than {len(arguments)}")
    return (needed + optional)[: len(arguments)]


def written_out(kind: str, node: exp.Expression, name: str) -> str:
    """An argument that must stand in the plan, so that it is the same for every row, and known to be sound."""
    if kind == "i":
        digits = node.this if isinstance(node, exp.Literal) and not node.is_string and node.this.isdecimal() else ""
        # Not fewer than none: rounded up so, the longest DECIMAL is no DECIMAL any more, and Spark fails.
        if not digits or int(digits) > MOST_DIGITS:
            raise ExpressionError(
                f"{name} takes a whole number from 0 to {MOST_DIGITS} there, written out; to whole hundreds, write round(x / 100) * 100"
            )
        return str(digits)
    if not (isinstance(node, exp.Literal) and node.is_string):
        raise ExpressionError(
            f"{name} takes a text there that is written out, such as 'yyyy-MM-dd' or 'a%'; another may fail on a row"
        )
    if kind == "f":
        refuse_format(node.this)
    if kind == "x":
        refuse_pattern(node.this)
    return text_sql(node.this)


def unit(node: exp.Expression, name: str) -> str:
    """The word for a unit, such as MONTH, that stands first in a call."""
    if not isinstance(node, exp.Var):
        raise ExpressionError(f"{name} takes a unit first, one of {', '.join(sorted(UNITS))}")
    return str(node.this)
