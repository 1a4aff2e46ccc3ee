"""What a Spark SQL expression of the plan touches, found without Spark; anything not known to be harmless is refused.

An allow-list, since a deny-list would miss `reflect`, user functions, or whatever the next Spark version brings. It holds
only where what is checked is what Spark runs, so marks that the two may read differently are refused as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

import sqlglot
from sqlglot import exp
from sqlglot.dialects import Spark
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

AS_OF = "as_of"  # stands for the run's point in time in every expression

AGGREGATES = frozenset(
    "approx_count_distinct avg bool_and bool_or count count_if every kurtosis max mean median min percentile "
    "percentile_approx skewness some std stddev stddev_pop stddev_samp sum var_pop var_samp variance".split()
)
SCALARS = frozenset(
    "abs acos array_size asin atan atan2 bigint boolean cast cbrt ceil ceiling char_length coalesce concat cos cosh "
    "date date_add date_diff date_part date_sub date_trunc dateadd datediff day dayofmonth dayofweek dayofyear decimal "
    "degrees div double exp expm1 extract float floor from_unixtime greatest hour if ifnull initcap instr int "
    "isnan isnotnull isnull least length like ln log log10 log1p log2 lower ltrim minute mod month months_between nanvl "
    "negative nullif nullifzero nvl nvl2 pmod positive pow power quarter radians replace rint round rtrim second sign "
    "signum sin sinh sqrt startswith endswith contains string substr substring tan tanh timestamp timestampdiff "
    "to_date to_timestamp trim trunc try_add try_avg try_divide try_multiply try_subtract try_sum unix_date "
    "unix_micros unix_millis unix_seconds upper weekday weekofyear year zeroifnull".split()
)
SYNTAX = frozenset("and or not in between when then else case filter where distinct interval is".split())
ALLOWED = AGGREGATES | SCALARS
RANDOM = frozenset(
    "any_value collect_list collect_set curdate current_date current_time current_timestamp first first_value input_file_name last "
    "last_value localtimestamp max_by min_by mode monotonically_increasing_id now rand randn random randstr shuffle "
    "spark_partition_id uniform unix_timestamp uuid".split()
)


# Comments end elsewhere for Spark, which puts environment variables and settings in the place of ${…}, even inside quotes.
MISREAD = {"--": "a comment", "/*": "a comment", "\\": "a backslash", "${": "a variable"}
CLOCK = re.compile(r"\s*(now|today|tomorrow|yesterday)(\s+\S+)?\s*", re.IGNORECASE)  # Spark takes such a text for a date


class ExpressionError(Exception):
    """The expression cannot be used, and why."""


@dataclass(frozen=True)
class Inspection:
    """The columns that an expression reads, in order of appearance, `as_of` not among them."""

    columns: tuple[str, ...]


def inspect_aggregate(text: str) -> Inspection:
    """Columns of an aggregate over event rows; every column must stand inside an aggregate function."""
    tree = _parsed(text)
    aggregates = [n for n in _calls(text) if n in AGGREGATES or n in {"try_sum", "try_avg"}]
    if not aggregates:
        raise ExpressionError("an aggregate is needed, such as count(*), sum(amount) or max(purchased_at)")
    for column in tree.find_all(exp.Column):
        if column.name.lower() != AS_OF and not _inside_aggregate(column):
            raise ExpressionError(f"column {column.name} stands outside an aggregate function")
    return Inspection(_columns(tree))


def inspect_condition(text: str) -> Inspection:
    """Columns of a condition on single rows, such as the `where` of an event source."""
    tree = _parsed(text)
    if used := [n for n in _calls(text) if n in AGGREGATES]:
        raise ExpressionError(f"{used[0]} aggregates; a condition looks at one row")
    return Inspection(_columns(tree))


def with_as_of(text: str, timestamp_sql: str) -> str:
    """The expression with `as_of` replaced by a timestamp literal; quoted text is left alone."""
    parts, position = [], 0
    for token in _tokens(text):
        if token.token_type in (TokenType.VAR, TokenType.IDENTIFIER) and token.text.lower() == AS_OF:
            parts += [text[position : token.start], timestamp_sql]
            position = token.end + 1
    return "".join([*parts, text[position:]])


def _parsed(text: str) -> exp.Expression:
    for mark, what in MISREAD.items():
        if mark in text:
            raise ExpressionError(f"{what} ({mark}) is not allowed")
    try:
        statements = sqlglot.parse(text, dialect="spark")
    except SqlglotError as wrong:
        raise ExpressionError(f"not a Spark SQL expression: {str(wrong).splitlines()[0]}") from None
    if len(statements) != 1 or statements[0] is None:
        raise ExpressionError("one expression is needed")
    tree = statements[0]
    if not isinstance(tree, exp.Expression) or isinstance(tree, exp.Command | exp.Alias | exp.Query | exp.DDL | exp.DML):
        raise ExpressionError("an expression is needed, not a statement or an alias")
    if tree.find(exp.Query, exp.Subquery, exp.Window, exp.Lambda):
        raise ExpressionError("subqueries, windows and lambdas are not allowed")
    for name in _calls(text):
        if name in ALLOWED:
            continue
        if name in RANDOM:
            raise ExpressionError(f"{name} can give another result on the same rows; use as_of for the time of the run")
        near = get_close_matches(name, sorted(ALLOWED), n=1)
        raise ExpressionError(f"function {name} is not allowed" + (f"; did you mean {near[0]}?" if near else ""))
    for star in tree.find_all(exp.Star):
        if not isinstance(star.parent, exp.Count):
            raise ExpressionError("* stands for every column; only count(*) may use it")
    for column in tree.find_all(exp.Column):
        if column.table:
            raise ExpressionError(f"write the column {column.sql(dialect='spark')} without a table or a struct before it")
        if not column.this.quoted and column.name.lower() in RANDOM:
            raise ExpressionError(f"{column.name} can give another result on the same rows; use as_of")
    for bare in tree.find_all(exp.Func):
        if not bare.args:  # such as current_date and session_user, which need no parentheses
            raise ExpressionError(f"{bare.sql(dialect='spark')} can give another result on the same rows; use as_of")
    if tree.find(exp.Dot, exp.Parameter, exp.Placeholder):
        raise ExpressionError("names with a dot and parameters are not allowed")
    for token in _tokens(text):
        if token.token_type is TokenType.STRING and CLOCK.fullmatch(token.text):
            raise ExpressionError(f"'{token.text}' is the day on which the plan runs; use as_of")
    return tree


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = Spark().tokenize(text)
    return tokens


def _calls(text: str) -> list[str]:
    """Names that stand before a parenthesis, as the user wrote them, without SQL's own words."""
    tokens = _tokens(text)
    names = []
    for token, following in zip(tokens, tokens[1:], strict=False):
        word = token.text.lower()
        is_word = token.token_type is TokenType.IDENTIFIER or re.match(r"\w", word) is not None
        if (
            is_word
            and token.token_type is not TokenType.STRING
            and following.token_type is TokenType.L_PAREN
            and word not in SYNTAX
        ):
            names.append(word)
    return names


def _inside_aggregate(node: exp.Expression) -> bool:
    parent = node.parent
    while parent is not None:
        if isinstance(parent, exp.AggFunc | exp.Filter):  # the condition of `sum(x) filter (where …)` too
            return True
        if isinstance(parent, exp.Anonymous) and parent.name.lower() in AGGREGATES | {"try_sum", "try_avg"}:
            return True
        parent = parent.parent
    return False


def _columns(tree: exp.Expression) -> tuple[str, ...]:
    names = [c.name for c in tree.find_all(exp.Column, bfs=False)]
    return tuple(dict.fromkeys(n for n in names if n.lower() != AS_OF))
