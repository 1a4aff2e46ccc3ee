"""What Spark is given for an expression on one row: it never stops on a value, and where it cannot compute it is null.

Written anew from the tree, node by node; what is not named here is refused. The session runs without ANSI errors
(`session.settings`), which leaves what fails or wraps around in spite of it: sums beyond an integer, dates beyond the
calendar, patterns and formats. Each is given to Spark in a form that is null there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from sqlglot import exp

from evenhand.plan.expressions.errors import ExpressionError
from evenhand.plan.expressions.functions import (
    AGGREGATES,
    ALLOWED,
    BY_ORDER,
    CASTS,
    DIFFERENCES,
    OF_THE_RUN,
    SAME_AS,
    SCALARS,
    UNITS,
)
from evenhand.plan.expressions.syntax import AS_OF, called
from evenhand.plan.expressions.texts import refuse_format, refuse_pattern

# Within some 27,000 years of 1970: what is added to a date afterwards keeps it where Spark can make a timestamp of it.
DATE = "date_from_unix_date(try_cast(try_cast(unix_date(try_cast({} as date)) as decimal(7, 0)) as int))"
TIMESTAMP = "timestamp_micros(try_cast(try_cast(unix_micros(try_cast({} as timestamp)) as decimal(18, 0)) as bigint))"
DAYS = "try_cast(try_cast({} as decimal(6, 0)) as int)"
MONTHS = "try_cast(try_cast({} as decimal(4, 0)) as int)"
SECONDS = "try_cast(try_cast({} as decimal(12, 0)) as bigint)"
# A text to be read by a format: without a sign, behind which Java takes a year of any length, and fails on it.
UNSIGNED = "regexp_extract(try_cast({} as string), '^(?!.*[+])(?!.*(?<![0-9])-).*$', 0)"
MOST_DIGITS = 18  # that round and its like may be asked for; of more Spark makes numbers as long as memory lasts
LONGEST_INTERVAL = 999_999  # days
UNIT_DAYS = {"year": 366, "quarter": 92, "month": 31, "week": 7, "day": 1}  # shorter units are counted as days
COMPARISONS: dict[type[exp.Expression], str] = {
    exp.And: "and",
    exp.Or: "or",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.NullSafeEQ: "<=>",
    exp.IntDiv: "div",
    exp.BitwiseAnd: "&",
    exp.BitwiseOr: "|",
    exp.BitwiseXor: "^",
    exp.DPipe: "||",
}
ARITHMETIC: dict[type[exp.Expression], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
READERS = frozenset(("to_date", "to_timestamp", "unix_timestamp"))  # of times in texts
TRIED = {"+": "try_add", "-": "try_subtract", "*": "try_multiply", "/": "try_divide", "%": "try_mod"}
TYPES = frozenset("bigint boolean date decimal double float int smallint string text timestamp tinyint varchar".split())


class Row:
    """Writes expressions on one row."""

    def __init__(self, as_of_sql: str) -> None:
        self._as_of_sql = as_of_sql

    def sql(self, node: exp.Expression) -> str:
        """What Spark is given.

        Raises:
            ExpressionError: something in it is not allowed.
        """
        if write := WRITERS.get(type(node)):
            return write(self, node)
        if operator := COMPARISONS.get(type(node)):
            return f"({self.sql(node.this)} {operator} {self.sql(node.expression)})"
        if operator := ARITHMETIC.get(type(node)):
            return self.arithmetic(operator, node.this, node.expression)
        if name := called(node):
            return self.call(name, _arguments(node))
        raise ExpressionError(f"{node.sql(dialect='spark')[:60]}: {type(node).__name__.lower()} is not allowed")

    def column(self, node: exp.Column) -> str:
        if node.name.lower() == AS_OF:
            return self._as_of_sql
        return quoted(node.name)

    def call(self, name: str, arguments: Sequence[exp.Expression]) -> str:
        if name in SAME_AS and SAME_AS[name] in TRIED:
            first, second = self._exactly(name, arguments, 2)
            return self.arithmetic(SAME_AS[name], first, second)
        name = SAME_AS.get(name, name)
        if name in CASTS:
            (value,) = self._exactly(name, arguments, 1)
            return converted(self.sql(value), name)
        if name == "negative":
            return f"try_multiply({self.sql(self._exactly(name, arguments, 1)[0])}, -1)"
        if name in DIFFERENCES:
            return self._difference(arguments)
        if name in AGGREGATES:
            raise ExpressionError(f"{name} aggregates; a condition looks at one row, and so does what stands inside an aggregate")
        if name not in SCALARS:
            raise _unknown(name)
        written = [
            self._argument(kind, a, name) for kind, a in zip(kinds(name, SCALARS[name], arguments), arguments, strict=True)
        ]
        if name in READERS and len(written) == 2:
            written[0] = UNSIGNED.format(written[0])
        if name in READERS and len(written) == 1:
            as_type = "date" if name == "to_date" else "timestamp"
            time = converted(written[0], as_type)
            return f"unix_seconds({time})" if name == "unix_timestamp" else time
        if name == "replace" and len(arguments[2].this) > len(arguments[1].this):
            raise ExpressionError("replace takes a text that is no longer than what it replaces; else texts may outgrow memory")
        text = f"{name}({', '.join(written)})"
        return converted(text, name.removeprefix("to_")) if name in ("to_date", "to_timestamp") else text

    def arithmetic(self, operator: str, left: exp.Expression, right: exp.Expression) -> str:
        a, b = self.sql(left), self.sql(right)
        if operator in "+-" and not (isinstance(left, exp.Interval) or isinstance(right, exp.Interval) or a == self._as_of_sql):
            a, b = f"positive({a})", f"positive({b})"  # numbers: to a date, so many days may be added as leave the calendar
        return f"{TRIED[operator]}({a}, {b})"

    def _argument(self, kind: str, node: exp.Expression, name: str) -> str:
        if kind in "irfpx":
            return _written_out(kind, node, name)
        if kind == "u":
            return _unit(node, name)
        text = self.sql(node)
        return {"d": DATE, "t": TIMESTAMP, "n": DAYS, "m": MONTHS, "s": SECONDS}.get(kind, "{}").format(text)

    def _difference(self, arguments: Sequence[exp.Expression]) -> str:
        if len(arguments) == 3:
            return self.call("timestampdiff", arguments)
        end, start = self._exactly("datediff", arguments, 2)
        return f"datediff({DATE.format(self.sql(end))}, {DATE.format(self.sql(start))})"

    @staticmethod
    def _exactly(name: str, arguments: Sequence[exp.Expression], number: int) -> Sequence[exp.Expression]:
        if len(arguments) != number:
            raise ExpressionError(f"{name} takes {number} argument{'s' if number > 1 else ''}, not {len(arguments)}")
        return arguments


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def converted(text: str, to: str) -> str:
    """The value as another type; null where it is none of that type."""
    return {"date": DATE, "timestamp": TIMESTAMP}.get(to, f"try_cast({{}} as {to})").format(text)


def kinds(name: str, signature: str, arguments: Sequence[exp.Expression]) -> str:
    """One letter an argument, out of the function's signature."""
    needed, _, optional = signature.partition("?")
    if needed.endswith("*"):
        needed = needed[:-1] + needed[-2] * (len(arguments) - len(needed) + 1)
    if not len(needed) <= len(arguments) <= len(needed) + len(optional):
        raise ExpressionError(f"{name} takes another number of arguments than {len(arguments)}")
    return (needed + optional)[: len(arguments)]


def _unknown(name: str) -> ExpressionError:
    if name in OF_THE_RUN:
        return ExpressionError(f"{name} can give another result on the same rows; use as_of for the time of the run")
    if name in BY_ORDER:
        return ExpressionError(
            f"{name} can give another result on the same rows, by the order in which they are read; {BY_ORDER[name]}"
        )
    near = get_close_matches(name, sorted(ALLOWED), n=1)
    return ExpressionError(f"function {name} is not allowed" + (f"; did you mean {near[0]}?" if near else ""))


def _arguments(node: exp.Expression) -> Sequence[exp.Expression]:
    if isinstance(node, exp.Anonymous):
        return list(node.expressions)
    names = ("this", "expressions", "true", "false")
    if more := [key for key, value in node.args.items() if value and key not in names]:
        raise ExpressionError(f"{called(node)} with {more[0]} is not allowed")
    found = [node.args.get(name) for name in names]
    return [a for part in found for a in (part if isinstance(part, list) else [part]) if a is not None]


def _written_out(kind: str, node: exp.Expression, name: str) -> str:
    """An argument that must stand in the plan, so that it is the same for every row, and known to be sound."""
    if kind == "i":
        if not (text := _whole(node)) or abs(int(text)) > MOST_DIGITS:
            raise ExpressionError(f"{name} takes a whole number from -{MOST_DIGITS} to {MOST_DIGITS} there, written out")
        return text
    if not (isinstance(node, exp.Literal) and node.is_string):
        raise ExpressionError(
            f"{name} takes a text there that is written out, such as 'yyyy-MM-dd' or 'a%'; another may fail on a row"
        )
    if kind == "f":
        refuse_format(node.this)
    if kind == "x":
        refuse_pattern(node.this)
    return text_sql(node.this)


def _whole(node: exp.Expression) -> str:
    sign, number = ("-", node.this) if isinstance(node, exp.Neg) else ("", node)
    return sign + number.this if isinstance(number, exp.Literal) and not number.is_string and number.this.isdecimal() else ""


def _unit(node: exp.Expression, name: str) -> str:
    if not isinstance(node, exp.Var):
        raise ExpressionError(f"{name} takes a unit first, one of {', '.join(sorted(UNITS))}")
    return str(node.this)


def text_sql(text: str) -> str:
    """In the quotes that are not in it: whether two of them are one is a setting of Spark's."""
    if "'" in text and '"' in text:
        raise ExpressionError("a text with both kinds of quotes is not allowed")
    return f'"{text}"' if "'" in text else f"'{text}'"


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
        found = f"({row.sql(node.this)} {operator} {_written_out(kind, node.expression, operator)})"
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
