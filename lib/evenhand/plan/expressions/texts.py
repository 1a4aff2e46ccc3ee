"""Texts that stand in an expression, where Spark reads more than letters in them: times, formats and patterns.

What Spark cannot make sense of there would stop the run at the first row that comes to it, and so tell whether a row does.
"""

from __future__ import annotations

import re

from evenhand.plan.expressions.errors import ExpressionError

# Spark takes such a text for a date, whatever blanks are before it and zone is behind it (SparkDateTimeUtils.convertSpecialDate).
CLOCK = re.compile(r"[\x00-\x20]*(now|today|tomorrow|yesterday)(?![a-z])[\x00-\x20]*[a-z0-9+\-:/_]*[\x00-\x20]*", re.IGNORECASE)
# Runs of one letter: years to fractions of a second; each letter once, for Java refuses times that contradict themselves.
FIELDS = frozenset("yyyy M MM d dd H HH m mm s ss S SS SSS SSSS SSSSS SSSSSS".split())
BETWEEN = frozenset(" -/.:,_")
# Characters, classes and a dot, each repeated or not; parentheses are not repeated, so that Java's stack stays flat.
CHARACTER = r"[^\\()\[\]{}*+?|^$.]"
CLASS = r"\[\^?(?:[A-Za-z0-9_ ]-[A-Za-z0-9_ ]|[^\\\[\]^&-])+-?\]"
PATTERN = re.compile(rf"(?:\^?(?:(?:{CHARACTER}|{CLASS}|\.)(?:[*+?]|\{{\d{{1,3}}(?:,\d{{0,3}})?\}})?|[|(]|\)(?![*+?{{]))*\$?)")
LONGEST_PATTERN = 200


def refuse_clock(text: str) -> None:
    if CLOCK.fullmatch(text):
        raise ExpressionError(f"'{text}' is the day on which the plan runs; use as_of")


def refuse_format(text: str) -> None:
    runs = [run.group() for run in re.finditer(r"(.)\1*", text, re.DOTALL)]
    fields = [run for run in runs if run[0] not in BETWEEN]
    once = len({field[0] for field in fields}) == len(fields)
    dashes = re.search(r"(?<![A-Za-z])-", text)  # one that is not behind a field looks like a sign
    if not fields or dashes or not once or not FIELDS.issuperset(fields):
        raise ExpressionError(
            f"the format '{text}' is not allowed; it may have yyyy, MM, dd, HH, mm, ss and SSS, once each, blanks and any of - / . : , _"
        )


def refuse_pattern(text: str) -> None:
    """Refuse a regular expression that Java may not take, or may need a deep stack for."""
    fits = len(text) <= LONGEST_PATTERN and PATTERN.fullmatch(text) is not None
    if fits:
        try:
            re.compile(text)
        except re.error:
            fits = False
    if not fits:
        raise ExpressionError(
            f"the pattern '{text}' is not allowed; it may have characters, [classes] and dots, each with * + ? or {{n,m}}, and | ( ) ^ $"
        )
