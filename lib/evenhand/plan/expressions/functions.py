"""The functions that a plan's expressions may use, and what each of their arguments must be.

An allow-list, since a deny-list would miss `reflect`, user functions, or whatever the next Spark version brings.
"""

from __future__ import annotations

from dataclasses import dataclass

# Arguments, by letter; those after ? may be left out, the last before * may stand any number of times.
#   .  any expression                    d  a date, t  a timestamp: made one, and null far outside of the calendar
#   n  a number of days, m  of months, s  of seconds: null where adding them would leave the calendar
#   i  a small whole number, written out f  the format of a time, written out   r  a text, written out
#   p  a pattern of LIKE, written out    x  a regular expression, written out  u  a unit such as MONTH
SCALARS: dict[str, str] = {
    **dict.fromkeys(
        "abs acos array_size asin atan cbrt char_length cos cosh degrees exp expm1 initcap isnan isnotnull isnull length ln "
        "log10 log1p log2 lower nullifzero radians rint sign signum sin sinh size sqrt tan tanh upper zeroifnull".split(),
        ".",
    ),
    **dict.fromkeys("day dayofmonth dayofweek dayofyear month quarter unix_date weekday weekofyear year".split(), "d"),
    **dict.fromkeys("hour minute second unix_micros unix_millis unix_seconds".split(), "t"),
    **dict.fromkeys("atan2 contains endswith ifnull instr nanvl nullif nvl pmod pow power startswith".split(), ".."),
    **dict.fromkeys("coalesce concat greatest least".split(), ".*"),
    **dict.fromkeys("ceil ceiling floor round".split(), ".?i"),
    **dict.fromkeys("ltrim rtrim".split(), ".?."),
    **dict.fromkeys("date_add date_sub".split(), "dn"),
    **dict.fromkeys("substr substring".split(), "..?."),
    "add_months": "dm",
    "date_format": "tf",
    "date_part": "r.",
    "date_trunc": "rt",
    "from_unixtime": "s?f",
    "if": "...",
    "left": "..",
    "like": ".p",
    "log": ".?.",
    "months_between": "tt?.",
    "nvl2": "...",
    "positive": ".",
    "regexp_like": ".x",
    "replace": ".rr",
    "timestampdiff": "utt",
    "to_date": ".?f",
    "to_timestamp": ".?f",
    "trim": ".",
    "trunc": "dr",
    "unix_timestamp": ".?f",
}
# Under other names than what Spark is given: an operator, or a function that is null where this one fails.
SAME_AS = {
    "dateadd": "date_add",
    "len": "length",
    "mod": "%",
    "try_add": "+",
    "try_divide": "/",
    "try_mod": "%",
    "try_multiply": "*",
    "try_subtract": "-",
}
CASTS = frozenset("bigint boolean date decimal double float int smallint string timestamp tinyint".split())
DIFFERENCES = frozenset("datediff date_diff".split())  # of two dates, or with a unit before them
# What may give a text out of texts: without a column they may spell a word for the day on which the plan runs.
TEXTUAL = frozenset(
    "coalesce concat date_format from_unixtime greatest if ifnull initcap least left lower ltrim nullif nullifzero nvl nvl2 replace "
    "rtrim string substr substring trim upper zeroifnull".split()
)


@dataclass(frozen=True)
class Fold:
    """How an aggregate function goes over a customer's rows, in whatever order they come."""

    kind: str
    arguments: str = "."
    distinct: bool = False  # whether DISTINCT says anything


AGGREGATES: dict[str, Fold] = {
    **dict.fromkeys(("sum", "try_sum"), Fold("sum", distinct=True)),
    **dict.fromkeys(("avg", "mean", "try_avg"), Fold("avg", distinct=True)),
    **dict.fromkeys(("bool_and", "every"), Fold("all")),
    **dict.fromkeys(("bool_or", "any", "some"), Fold("any")),
    "count": Fold("count", ".*", distinct=True),
    "count_if": Fold("count_if"),
    "min": Fold("min", distinct=True),
    "max": Fold("max", distinct=True),
    "median": Fold("percentile"),
    "percentile": Fold("percentile", ".q"),  # q: a number from 0 to 1, written out
    "approx_count_distinct": Fold("approx_count_distinct"),
}
ALLOWED = frozenset([*SCALARS, *SAME_AS, *CASTS, *DIFFERENCES, *AGGREGATES, "extract", "cast", "try_cast", "negative"])

# Refused since the order in which Spark happens to read a customer's rows would decide, and what to write instead.
SPREAD = "write sqrt(greatest(avg(x * x) - avg(x) * avg(x), 0)), or a difference of two percentiles"
BY_ORDER = {
    **dict.fromkeys("std stddev stddev_pop stddev_samp".split(), SPREAD),
    **dict.fromkeys("var_pop var_samp variance".split(), "write avg(x * x) - avg(x) * avg(x)"),
    **dict.fromkeys("kurtosis skewness".split(), "write percentile(x, 0.9) and others, whose distances say how it leans"),
    **dict.fromkeys("approx_percentile percentile_approx".split(), "write percentile(x, 0.5), which is exact"),
    **dict.fromkeys("corr covar_pop covar_samp regr_slope".split(), "write avg(x * y) - avg(x) * avg(y)"),
    **dict.fromkeys("any_value first first_value last last_value".split(), "write min or max"),
    **dict.fromkeys("max_by min_by mode".split(), "write max(if(condition, x, null)), or percentile"),
    **dict.fromkeys("array_agg collect_list collect_set listagg string_agg".split(), "write count(distinct x), or max"),
}
OF_THE_RUN = frozenset(
    "curdate current_catalog current_database current_date current_role current_schema current_time current_timestamp "
    "current_timezone current_user input_file_name localtimestamp monotonically_increasing_id now rand randn random randstr "
    "session_user shuffle spark_partition_id uniform user uuid".split()
)
UNITS = frozenset("microsecond millisecond second minute hour day week month quarter year".split())
