"""What Spark is given for an expression on one row: it never stops on a value, and where it cannot compute it is null.

Written anew from the tree, node by node; what is not named here is refused. The session runs without ANSI errors
(`session.settings`), which leaves what fails or wraps around in spite of it: sums beyond an integer, dates beyond the
calendar, patterns and formats. Each is given to Spark in a form that is null there.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from sqlglot import exp

from evenhand.plan.expressions.errors import ExpressionError
from evenhand.plan.expressions.forms import DATE, DAYS, MONTHS, NUMBER, SECONDS, TIMESTAMP, UNSIGNED, converted, quoted_column
from evenhand.plan.expressions.functions import AGGREGATES, ALLOWED, BY_ORDER, CASTS, DIFFERENCES, OF_THE_RUN, SAME_AS, SCALARS
from evenhand.plan.expressions.nodes import WRITERS
from evenhand.plan.expressions.signatures import arguments_of, kinds, unit, written_out
from evenhand.plan.expressions.syntax import AS_OF, called

OPERATORS: dict[type[exp.Expression], str] = {
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
        if operator := OPERATORS.get(type(node)):
            return f"({self.sql(node.this)} {operator} {self.sql(node.expression)})"
        if operator := ARITHMETIC.get(type(node)):
            return self.arithmetic(operator, node.this, node.expression)
        if name := called(node):
            return self.call(name, arguments_of(node))
        raise ExpressionError(f"{node.sql(dialect='spark')[:60]}: {type(node).__name__.lower()} is not allowed")

    def column(self, node: exp.Column) -> str:
        if node.name.lower() == AS_OF:
            return self._as_of_sql
        return quoted_column(node.name)

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
            raise ExpressionError(
                f"{name} aggregates; a condition and a feature without events look at one row, and so does what stands inside an aggregate"
            )
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
        if name == "abs":
            written[0] = NUMBER.format(written[0])
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
            return written_out(kind, node, name)
        if kind == "u":
            return unit(node, name)
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


def _unknown(name: str) -> ExpressionError:
    if name in OF_THE_RUN:
        return ExpressionError(f"{name} can give another result on the same rows; use as_of for the time of the run")
    if name in BY_ORDER:
        return ExpressionError(
            f"{name} can give another result on the same rows, by the order in which they are read; {BY_ORDER[name]}"
        )
    near = get_close_matches(name, sorted(ALLOWED), n=1)
    return ExpressionError(f"function {name} is not allowed" + (f"; did you mean {near[0]}?" if near else ""))
