"""How each piece of syntax is written anew that is neither an operator nor a call (`total`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from evenhand.plan.expressions.errors import ExpressionError
from evenhand.plan.expressions.forms import converted, text_sql
from evenhand.plan.expressions.functions import CASTS, UNITS
from evenhand.plan.expressions.signatures import written_out

if TYPE_CHECKING:
    from evenhand.plan.expressions.total import Row

LONGEST_INTERVAL = 999_999  # days
UNIT_DAYS = {"year": 366, "quarter": 92, "month": 31, "week": 7, "day": 1}  # shorter units are counted as days
TYPES = CASTS | {"text", "varchar"}  # of a cast that is spelled out; both are strings to Spark


def _literal(row: Row, node: Any) -> str:
    return text_sql(node.this) if node.is_string else str(node.this)


def _cast(row: Row, node: Any) -> str:
    to, value = node.to, row.sql(node.this)
    text = to.sql(dialect="spark").lower()
    if text.partition("(")[0] not in TYPES or node.args.get("format"):
        raise ExpressionError(f"a cast to {text} is not allowed; to {', '.join(sorted(TYPES))} it is")
    written = isinstance(node.this, exp.Literal) and node.this.is_string and not isinstance(node, exp.TryCast)
    if written and text in ("date", "timestamp"):  # Spark has literals of no other type with a name before them
        return f"{text} {value}"  # a text that is no date is told before a row is read
    return converted(value, "string" if text.startswith(("text", "varchar")) else text)


def _case(row: Row, node: Any) -> str:
    parts = ["case", *([row.sql(node.this)] if node.this is not None else [])]
    for branch in node.args["ifs"]:
        parts += ["when", row.sql(branch.this), "then", row.sql(branch.args["true"])]
    default = node.args.get("default")
    return " ".join([*parts, *(["else", row.sql(default)] if default is not None else []), "end"])


def _in(row: Row, node: Any) -> str:
    if not node.expressions:
        raise ExpressionError("in takes a list of values")
    return f"({row.sql(node.this)} in ({', '.join(row.sql(e) for e in node.expressions)}))"


def _between(row: Row, node: Any) -> str:
    if node.args.get("symmetric"):
        raise ExpressionError("between symmetric is not allowed; write the lower value first")
    return f"({row.sql(node.this)} between {row.sql(node.args['low'])} and {row.sql(node.args['high'])})"


def _matches(operator: str, kind: str) -> Callable[[Row, Any], str]:
    def write(row: Row, node: Any) -> str:
        found = f"({row.sql(node.this)} {operator} {written_out(kind, node.expression, operator)})"
        return f"(not {found})" if node.args.get("negate") else found

    return write


def _interval(row: Row, node: Any) -> str:
    unit = str(node.args.get("unit") or "").lower().rstrip("s")
    number = node.this.this if isinstance(node.this, exp.Literal) else ""
    if unit not in UNITS or not number.isdecimal() or int(number) * UNIT_DAYS.get(unit, 1) > LONGEST_INTERVAL:
        raise ExpressionError(
            f"an interval is a whole number and a unit, such as interval 30 days, of up to {LONGEST_INTERVAL:,} days"
        )
    return f"interval '{number}' {unit}"


def _extract(row: Row, node: Any) -> str:
    if not isinstance(node.this, exp.Var):
        raise ExpressionError("extract takes a field, such as extract(year from purchased_at)")
    return f"extract({node.this.this} from {row.sql(node.expression)})"


def _negative(row: Row, node: Any) -> str:
    inner = row.sql(node.this)
    return f"-{inner}" if isinstance(node.this, exp.Literal) and not node.this.is_string else f"try_multiply({inner}, -1)"


def _trim(row: Row, node: Any) -> str:
    where, letters = str(node.args.get("position") or "both").lower(), node.expression
    return f"trim({where} {row.sql(letters)} from {row.sql(node.this)})" if letters is not None else f"trim({row.sql(node.this)})"


def _is(row: Row, node: Any) -> str:
    if not isinstance(node.expression, exp.Null | exp.Boolean):
        raise ExpressionError("is takes null, true or false")
    return f"({row.sql(node.this)} is {row.sql(node.expression)})"


def _star(row: Row, node: Any) -> str:
    raise ExpressionError("* stands for every column; only count(*) may use it")


WRITERS: dict[type[exp.Expression], Callable[[Row, Any], str]] = {
    exp.Column: lambda row, node: row.column(node),
    exp.Paren: lambda row, node: f"({row.sql(node.this)})",
    exp.Literal: _literal,
    exp.Boolean: lambda row, node: str(bool(node.this)).lower(),
    exp.Null: lambda row, node: "null",
    exp.Not: lambda row, node: f"(not {row.sql(node.this)})",
    exp.Neg: _negative,
    exp.BitwiseNot: lambda row, node: f"(~{row.sql(node.this)})",
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Star: _star,
    exp.Case: _case,
    exp.In: _in,
    exp.Between: _between,
    exp.Like: _matches("like", "p"),
    exp.ILike: _matches("ilike", "p"),
    exp.RegexpLike: _matches("rlike", "x"),
    exp.Interval: _interval,
    exp.Extract: _extract,
    exp.Trim: _trim,
    exp.Is: _is,
}
