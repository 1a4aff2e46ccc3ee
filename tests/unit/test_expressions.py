"""What Spark is given for an expression: nothing that the order of rows, the clock or a value could turn into another answer."""

from __future__ import annotations

import pytest

from evenhand.plan.expressions import ExpressionError, folded, inspect_aggregate, inspect_row, row_sql
from evenhand.plan.expressions.functions import AGGREGATES, ALLOWED, BY_ORDER, SCALARS

AS_OF = "timestamp_micros(5L)"


def refusal(text: str) -> str:
    with pytest.raises(ExpressionError) as wrong:
        folded(text, AS_OF)
    return str(wrong.value)


@pytest.mark.parametrize("name", sorted(BY_ORDER))
def test_what_the_order_of_rows_decides_is_refused_with_what_to_write_instead(name: str) -> None:
    found = refusal(f"{name}(amount)")
    assert found.startswith(f"{name} can give another result on the same rows, by the order in which they are read; write ")
    assert name not in ALLOWED


TOTAL = {
    "amount / 0 > 1": "(try_divide(`amount`, 0) > 1)",
    "a + b * -c": "try_add(positive(`a`), positive(try_multiply(`b`, try_multiply(`c`, -1))))",
    "mod(a, b) = try_mod(a, -2)": "(try_mod(`a`, `b`) = try_mod(`a`, -2))",
    "cast(item as int) > 5": "(try_cast(`item` as int) > 5)",
    "int(item) = item::decimal(9, 2)": "(try_cast(`item` as int) = try_cast(`item` as decimal(9, 2)))",
    "cast('5' as int) < '12.5'::double": "(try_cast('5' as int) < try_cast('12.5' as double))",
    "amount > int '5'": "(`amount` > try_cast('5' as int))",
    "at > date '2024-01-31' or at < timestamp '2024-01-31'": "((`at` > date '2024-01-31') or (`at` < timestamp '2024-01-31'))",
    "cast('x' as int) is null or item = cast(5 as string)": "((try_cast('x' as int) is null) or (`item` = try_cast(5 as string)))",
    '`a``b` = "it\'s"': '(`a``b` = "it\'s")',
    "not a and b or c": "(((not `a`) and `b`) or `c`)",
    "at >= as_of - interval 365 days": f"(`at` >= try_subtract({AS_OF}, interval '365' day))",
    "a is not null and b is not distinct from c": "((not (`a` is null)) and (`b` <=> `c`))",
    "item not like '%x' and item rlike '^[a-z]+$'": "((not (`item` like '%x')) and (`item` rlike '^[a-z]+$'))",
}


@pytest.mark.parametrize(("text", "sql"), TOTAL.items())
def test_a_condition_is_null_where_it_cannot_be_computed(text: str, sql: str) -> None:
    assert row_sql(text, AS_OF) == sql


def test_what_is_added_to_a_date_is_bounded_and_so_is_the_date() -> None:
    found = row_sql("date_add(bought, days) > as_of", AS_OF)
    assert "try_cast(try_cast(`days` as decimal(6, 0)) as int)" in found
    assert "try_cast(unix_date(try_cast(`bought` as date)) as decimal(7, 0))" in found


def test_sums_and_averages_of_one_value_share_its_fold_where_they_can() -> None:
    found = folded("sum(amount) / nullif(count(amount), 0) + sum(amount) filter (where item = 'x') - sum(AMOUNT)", AS_OF)
    kinds = [(f.kind, f.values) for f in found.folds]
    filtered = ("sum", ("if((`item` = 'x'), `amount`, null)",))
    assert kinds == [("sum", ("`amount`",)), ("count", ("`amount`",)), filtered, ("sum", ("`AMOUNT`",))]
    assert found.sql(["a", "b", "c", "d"]).endswith("positive(d))")


# Spark takes these texts for the day on which it runs, whether they stand there or are made of constants.
CLOCKS = [
    "'now'", "' Today '", "'now UTC'", "'tomorrow+01:00'", "'yesterday\tCET'", "'n' || 'ow'", "concat('n', 'ow')", "'no' 'w'",
    "replace('nxow', 'x', '')", "lower('NOW')", "upper(lower('Now'))", "left('nowhere', 3)", "substring('nowhere', 1, 3)",
    "trim('now')", "trim(both 'x' from 'xnowx')", "coalesce(null, 'no') || 'w'", "if(as_of is null, 'n', 'no') || 'w'",
    "concat('n', 'ow', left(string(as_of), 0))", "case when true then 'n' end || 'ow'", "date_format(as_of, 'yyyy') || 'x'",
    "cast('no' as string) || 'w'",
]  # fmt: skip


@pytest.mark.parametrize("text", CLOCKS)
@pytest.mark.parametrize("form", ["cast({} as timestamp)", "to_date({})", "datediff(as_of, {})", "at > {}"])
def test_no_text_of_the_plan_reads_the_clock(text: str, form: str) -> None:
    refusal(f"count_if({form.format(text)} is not null)")


@pytest.mark.parametrize("text", ["'now and then'", "'nowhere'", "'todays'", "concat('now and then ', item)", "'2024-01-01'"])
def test_other_texts_are_texts(text: str) -> None:
    inspect_row(f"item = {text}")


FAILS_ON_A_ROW = {
    "a_format_of_the_row": "max(date_format(at, item))",
    "a_format_that_is_none": "max(to_date(item, 'bananas'))",
    "a_letter_too_many": "max(to_date(item, 'yyyyyyyy'))",
    "a_format_that_contradicts_itself": "max(to_timestamp(item, 'dd dd'))",
    "a_text_in_a_format": "max(date_format(at, '''now'''))",
    "a_pattern_of_the_row": "count_if(item like other)",
    "a_pattern_with_an_escape": "count_if(item like 'a!' escape '!')",
    "a_pattern_that_is_none": "count_if(item rlike '(')",
    "a_pattern_that_java_reads_otherwise": "count_if(regexp_like(item, '[a&&b]'))",
    "a_pattern_that_fills_the_stack": "count_if(item rlike '(a|b)*')",
    "a_longer_text_at_each_replacement": "max(length(replace(item, 'a', 'aa')))",
    "a_replacement_of_the_row": "max(length(replace(item, 'a', other)))",
    "digits_without_end": "max(round(amount, 2000000000))",
    "digits_of_the_row": "max(round(amount, n))",
    "a_frequency_below_zero": "percentile(amount, 0.5, n)",
    "a_percentile_of_the_row": "percentile(amount, n)",
    "a_percentile_above_one": "percentile(amount, 1.5)",
    "an_interval_without_end": "max(at + interval 999999999 days)",
    "an_element_of_an_array": "max(a[5])",
    "a_json_path": "max(get_json_object(item, '$.a'))",
    "a_collation": "max(item collate UNICODE_CI)",
}


@pytest.mark.parametrize("text", FAILS_ON_A_ROW.values(), ids=FAILS_ON_A_ROW.keys())
def test_what_can_fail_on_a_row_is_refused(text: str) -> None:
    refusal(text)


HARMLESS = [
    "max(try_cast(item as int))", "max(size(tags))", "count(distinct date_format(at, 'yyyy-MM'))", "max(add_months(at, 3))",
    "count_if(left(item, 2) = 'ab')", "count_if(regexp_like(item, '^ab+[0-9]{2,}$'))", "max(unix_timestamp(at))",
    "percentile(amount, 0.9) - percentile(amount, 0.1)", "sqrt(greatest(avg(x * x) - avg(x) * avg(x), 0))",
    "avg(distinct amount)", "bool_or(amount > 5)", "any(amount > 5)", "count(distinct item, amount)",
    "max(timestampdiff(HOUR, at, as_of))", "max(datediff(DAY, at, as_of))", "max(extract(year from at))",
    "count(*) filter (where item in ('a', 'b'))", "sum(replace(item, ',', '.'))", "max(round(amount, 2))",
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_is_allowed(text: str) -> None:
    inspect_aggregate(text)


def test_a_unit_is_no_column() -> None:
    assert inspect_aggregate("max(timestampdiff(MONTH, at, as_of))") == ("at",)
    assert inspect_aggregate("max(timestampdiff(MONTH, month, as_of))") == ("month",)


@pytest.mark.parametrize("name", sorted([*SCALARS, *AGGREGATES]))
def test_a_wrong_number_of_arguments_is_told_with_the_plan(name: str) -> None:
    if "*" not in {**SCALARS, **{n: f.arguments for n, f in AGGREGATES.items()}}[name]:
        refusal(f"max({name}(a, b, c, d, e))" if name in SCALARS else f"{name}(a, b, c, d, e)")
