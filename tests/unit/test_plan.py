"""The plan: every mistake is found at once, and said so that it can be corrected."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evenhand.errors import PlanError
from evenhand.plan.columns import needed_columns, reasons
from evenhand.plan.explain import explain
from evenhand.plan.load import fingerprint, load_plan, parse_plan
from evenhand.plan.mistakes import allowed_name
from evenhand.plan.models import RESERVED
from evenhand.tables.catalog import PREPARED, PRIVATE_SUMMARY, SEGMENT_CENTERS, TableSpec
from sample import BASE, REMOVED, as_yaml, plan_dict, plan_yaml

EXPRESSION, WHERE = "features.1.expression", "sources.events.purchases.where"
OF_CUSTOMERS: dict[str, Any] = {"features.0.column": REMOVED}


def problems_of(changes: dict[str, Any]) -> str:
    with pytest.raises(PlanError) as wrong:
        parse_plan(plan_yaml(changes), "p.yaml")
    assert str(wrong.value).startswith("p.yaml: ")
    assert all(re.match(r"line \d+: ", problem) for problem in wrong.value.problems)
    return "\n".join(problem.split(": ", 1)[1] for problem in wrong.value.problems)


def test_the_base_plan_of_the_tests_is_sound() -> None:
    assert parse_plan(plan_yaml()).feature_names == ["tenure", "spent", "visits"]


def test_every_mistake_is_told_in_one_go() -> None:
    with pytest.raises(PlanError) as wrong:
        parse_plan(
            plan_yaml({"segments.k": 1, "privacy.epsilon": 0, "features.0.bounds": [20, 0], "purpsoe": "x", "purpose": REMOVED})
        )
    assert sorted(re.sub(r"^(?:line \d+: )?(\S+):.*", r"\1", problem) for problem in wrong.value.problems) == [
        "features.tenure.bounds",
        "privacy.epsilon",
        "purpose",
        "purpsoe",
        "segments.k",
    ]


@pytest.mark.parametrize("spec", [PREPARED, PRIVATE_SUMMARY, SEGMENT_CENTERS], ids=lambda spec: spec.name)
def test_no_feature_and_no_attribute_is_named_like_a_column_beside_which_it_stands(spec: TableSpec) -> None:
    names = [column.split()[0] for column in spec.columns.split(", ")]
    assert "run_id" in names
    assert set(names) <= RESERVED


WRONG = {
    "a_misspelled_key_gets_a_suggestion": ({"segments.restart": 3}, "segments.restart: unknown key; did you mean restarts?"),
    "an_unknown_key_far_from_all_lists_the_known_ones": ({"segments.zzz": 3}, "known keys: distribution, k, mllib_seeds, movement, prefer, restarts"),
    "an_unknown_key_inside_a_feature_lists_those_of_a_feature": ({"features.0.colum": "x"}, "did you mean column?"),
    "one_segment_is_not_a_segmentation": ({"segments.k": 1}, "segments.k:"),
    "a_k_range_of_one_is_not_a_range": ({"segments.k": {"at_least": 3, "at_most": 3}}, "at_least must be smaller than at_most"),
    "k_beyond_the_summary": ({"segments.k": 80}, "segments.k: 80 segments are more than the private summary can carry"),
    "a_k_range_beyond_the_summary": ({"segments.k": {"at_least": 2, "at_most": 80}}, "segments.k: 80 segments are more"),
    "reversed_bounds": ({"features.0.bounds": [20, 0]}, "features.tenure.bounds: the bounds are reversed; write [0, 20]"),
    "equal_bounds": ({"features.0.bounds": [3, 3]}, "features.tenure.bounds: the bounds are equal (3)"),
    "nan_as_a_bound": ({"features.0.bounds": [0, float("nan")]}, "features.tenure.bounds, entry 2: a finite number is needed"),
    "a_text_where_keys_stand": (
        {"retention": "13 months"},
        "retention: keys are needed: activations, findings, leases, prepared, segments, unfinished (found: '13 months')",
    ),
    "infinity_as_a_bound": ({"features.0.bounds": [float("-inf"), 1]}, "features.tenure.bounds, entry 1: a finite number is needed"),
    "infinity_as_text_as_a_bound": ({"features.0.bounds": [0, "inf"]}, "features.tenure.bounds, entry 2: a finite number is needed"),
    "infinity_as_text_where_the_bounds_are_to_be_found": (
        {"features.0.missing": "1e999", "features.0.bounds": REMOVED},
        "features.tenure.missing: a finite number is needed",
    ),
    "nan_as_text_as_a_band": ({"protected.1.bands": ["nan"]}, "protected.age_band.bands, entry 1: a finite number is needed"),
    "nan_as_text_as_a_share": ({"privacy.split.summary": "nan"}, "privacy.split.summary: a finite number"),
    "bounds_whose_distance_has_no_reciprocal": ({"features.0.bounds": [0, 1e-320], "features.0.missing": 0}, "too close together"),
    "bounds_whose_distance_overflows": ({"features.0.bounds": [-1.7e308, 1.7e308]}, "too far apart"),
    "missing_outside_the_bounds": ({"features.0.missing": 21}, "missing is 21, outside the bounds [0, 20]"),
    "a_date_as_a_bound": ({"features.0.bounds": [date(1970, 1, 3), 20]}, "a number is needed; 1970-01-03 is day 2 since 1970-01-01"),
    "true_is_not_a_bound": ({"features.0.bounds": [False, True]}, "features.tenure.bounds, entry 1: a number is needed"),
    "no_privacy_loss_at_all": ({"privacy.epsilon": 0}, "privacy.epsilon:"),
    "negative_epsilon": ({"privacy.epsilon": -1}, "privacy.epsilon:"),
    "nan_epsilon": ({"privacy.epsilon": float("nan")}, "privacy.epsilon: a finite number is needed"),
    "nan_epsilon_as_text": ({"privacy.epsilon": "nan"}, "privacy.epsilon:"),
    "infinite_epsilon": ({"privacy.epsilon": float("inf")}, "privacy.epsilon: a finite number is needed"),
    "epsilon_beyond_the_population_total": ({"privacy.epsilon": 4}, "epsilon 4 is more than population_total 3"),
    "more_customers_than_floating_point_can_hold": (
        {"privacy.expected_customers": 10**310},
        "privacy.expected_customers: input should be less than or equal to 1000000000000",
    ),
    "shares_that_do_not_add_up": ({"privacy.split": {"summary": 0.5, "profiles": 0.2, "fairness": 0.2}}, "add up to 0.9"),
    "a_share_of_nothing": ({"privacy.split": {"summary": 0.8, "profiles": 0.2, "fairness": 0}}, "privacy.split.fairness:"),
    "a_protected_column_as_a_feature": ({"features.0.column": "age"}, "column age is the protected attribute age_band"),
    "a_protected_column_in_other_case": ({"features.0.column": "AGE"}, "column AGE is the protected attribute age_band"),
    "a_protected_column_that_decides_which_events_count": ({WHERE: "SEX = 'f'"}, "purchases.where: column SEX is the protected attribute gender"),
    "a_protected_column_inside_an_expression": ({EXPRESSION: "max(sex)"}, "column sex is the protected attribute gender"),
    "a_protected_column_inside_an_expression_over_customers": (
        OF_CUSTOMERS | {"features.0.expression": "if(SEX = 'f', 1, 0)"}, "features.tenure: column SEX is the protected attribute gender"),
    "an_aggregate_without_events": (OF_CUSTOMERS | {"features.0.expression": "sum(years)"},
                                    "features.tenure.expression: sum aggregates; a condition and a feature without events look at one row"),
    "a_number_that_is_the_same_for_everybody": (OF_CUSTOMERS | {"features.0.expression": "datediff(as_of, date '2020-01-01')"},
                                                "features.tenure.expression: it names no column of the customer table"),
    "chance_in_an_expression_over_customers": (OF_CUSTOMERS | {"features.0.expression": "years + rand()"},
                                               "features.tenure.expression: rand can give another result on the same rows"),
    "the_clock_in_an_expression_over_customers": (OF_CUSTOMERS | {"features.0.expression": "datediff(current_date, joined_on)"}, "use as_of"),
    "a_column_and_an_expression": ({"features.0.expression": "years"}, "features.tenure: state either column or expression"),
    "neither_column_nor_expression": ({EXPRESSION: REMOVED}, "features.spent: state either column or expression"),
    "events_of_a_column": ({"features.0.events": "purchases"}, "features.tenure: events take an expression, such as count(*)"),
    "two_features_of_one_name": ({"features.2.name": "spent"}, "features.spent.name: spent is named twice"),
    "a_feature_named_like_an_attribute": ({"features.0.name": "gender"}, "gender is named twice"),
    "a_feature_named_like_our_own_column": ({"features.0.name": "pseudonym"}, "pseudonym is a name in Evenhand's own tables"),
    "a_feature_named_like_a_measure": ({"features.0.name": "size"}, "size is a name in Evenhand's own tables"),
    "an_unknown_event_source": ({"features.1.events": "purchase"}, "no event source purchase; did you mean purchases?"),
    "a_source_that_no_feature_needs": (
        {"sources.events.visits": {"path": "v", "id": "i", "time": "t"}},
        "sources.events.visits: no feature uses it",
    ),
    "a_source_named_like_another": (
        {"sources.events.consent": {"path": "v", "id": "i", "time": "t"}, "features.1.events": "consent"},
        "consent is the name of another source",
    ),
    "a_group_in_two_places": (
        {"protected.0.groups": {"a": ["f"], "b": ["f"]}},
        "a value is in two groups",
    ),
    "bands_that_do_not_ascend": ({"protected.1.bands": [60, 30]}, "the bands must ascend"),
    "the_open_zone_inside_the_restricted_one": (
        {"output.restricted.path": "/d/out", "output.open.path": "/d/out/open"},
        "must not lie inside each other",
    ),
    "the_restricted_zone_inside_the_open_one": (
        {"output.restricted.path": "/d/out/r", "output.open.path": "/d/out"},
        "must not lie inside each other",
    ),
    "a_zone_in_a_source": (
        {"output.open.path": "/d/customers/open", "sources.customers.path": "/d/customers"},
        "output.open.path: /d/customers/open lies in the table of sources.customers (/d/customers); name a folder apart",
    ),
    "a_zone_that_is_a_source": (
        {"output.restricted.path": "s3a://b/buys/", "sources.events.purchases.path": "s3://b/buys"},
        "output.restricted.path: s3a://b/buys/ lies in the table of sources.purchases",
    ),
    "reports_in_a_source": (
        {"output.reports": "/d/consent/reports", "sources.consent.path": "/d/consent"},
        "output.reports: /d/consent/reports lies in the table of sources.consent",
    ),
    "one_zone_for_both": ({"output.restricted.path": "/d/out", "output.open.path": "/d/out/"}, "must not lie inside each other"),
    "one_zone_for_both_by_a_detour": ({"output.restricted.path": "/d/x/../out", "output.open.path": "/d/out"}, "inside each other"),
    "one_zone_for_both_by_a_scheme": ({"output.restricted.path": "/d/out", "output.open.path": "file:/d/out"}, "inside each other"),
    "one_zone_for_both_by_a_scheme_with_an_empty_host": (
        {"output.restricted.path": "file:///d/out", "output.open.path": "//d/out/open"},
        "inside each other",
    ),
    "one_zone_for_both_by_a_relative_path": (
        {"output.restricted.path": "out", "output.open.path": str(Path("out").absolute())},
        "inside each other",
    ),
    "one_bucket_for_both_zones": ({"output.restricted.path": "s3://b/out", "output.open.path": "s3://b/out/"}, "inside each other"),
    "one_schema_for_both_zones_in_other_case": (
        {"output.restricted": {"schema": "Zone"}, "output.open": {"schema": "`zone`"}},
        "must be two schemas",
    ),
    "one_schema_for_both_zones_by_spark_s_own_catalog": (
        {"output.restricted": {"schema": "spark_catalog.zone"}, "output.open": {"schema": "zone"}},
        "must be two schemas",
    ),
    "one_schema_for_both_zones": (
        {"output.restricted": {"schema": "z"}, "output.open": {"schema": "z"}},
        "must be two schemas",
    ),
    "an_unknown_time_zone": ({"time_zone": "Europe/Atlantis"}, "time_zone: a time zone such as Europe/Berlin"),
    "a_folder_of_time_zones": ({"time_zone": "Europe"}, "time_zone: a time zone such as Europe/Berlin"),
    "a_path_of_the_system_s_time_zones": ({"time_zone": "posix/UTC"}, "time_zone: a time zone such as Europe/Berlin"),
    "the_machine_s_own_time_zone": ({"time_zone": "localtime"}, "time_zone: a time zone such as Europe/Berlin"),
    "a_time_zone_that_java_does_not_know": ({"time_zone": "Factory"}, "time_zone: a time zone such as Europe/Berlin"),
    "a_key_in_two_places": ({"pseudonyms.key_env": "KEY"}, "state either key_file or key_env"),
    "a_table_by_path_and_name": ({"sources.customers.name": "t"}, "state either path or name"),
    "an_unknown_legal_basis": ({"legal_basis": "curiosity"}, "legal_basis:"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_plan_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert expected in problems_of(changes)


MISTAKEN = """\
name: demo
features:
  - name: Total Spent (€)
    why: x
    column: a
    missing: 0
  - why: its name is missing
    column: b
    missing: 0
  - {name: visits, why: x, column: c, bounds: [3, 3], missing: 3}
protected:
  - name: gender
    why: x
    column: g
    groups:
      female: [f, 1.5]
pseudonyms:
  key_id: a b
"""


def test_a_mistake_is_told_with_its_line_and_the_name_of_what_it_is_about() -> None:
    with pytest.raises(PlanError) as wrong:
        parse_plan(MISTAKEN)
    found = {problem.split(": ")[1]: problem for problem in wrong.value.problems if problem.startswith("line ")}
    said = {
        "features, entry 1, name": "line 3: features, entry 1, name: a name has small letters a to z, digits and _, begins with a letter, "
        "and has at most 40 of them; write total_spent (found: 'Total Spent (€)')",
        "features, entry 2, name": "line 7: features, entry 2, name: missing, must be stated",
        "features.visits.bounds": "line 10: features.visits.bounds: the bounds are equal (3); the second must be greater than the first (found: [3, 3])",
        "protected.gender.groups.female, entry 2": "line 16: protected.gender.groups.female, entry 2: a text, a whole number or a boolean is "
        "needed; who has no value is in `unknown` (found: 1.5)",
        "pseudonyms.key_id": "line 18: pseudonyms.key_id: letters, digits, dots, - and _ are allowed, at most 40 (found: 'a b')",
    }
    assert found == said
    assert "segments: missing, must be stated" in wrong.value.problems
    assert "[a-z]" not in str(wrong.value)


@pytest.mark.parametrize(
    ("given", "proposed"),
    [
        ("Total Spent", "total_spent"),
        ("Größe in cm", "grosse_in_cm"),
        ("3 months", "n_3_months"),
        ("x" * 60, "x" * 40),
        ("日本", ""),
    ],
)
def test_a_name_that_is_proposed_is_allowed(given: str, proposed: str) -> None:
    assert allowed_name(given) == proposed
    assert proposed == "" or parse_plan(plan_yaml({"features.0.name": proposed})).feature_names[0] == proposed


REFUSED = {
    "rand": ("sum(rand())", "rand can give another result on the same rows"),
    "rand_in_capitals": ("sum(RAND())", "rand can give another result"),
    "reflect": ("max(reflect('java.lang.System', 'getenv', 'HOME'))", "function reflect is not allowed"),
    "java_method": ("max(java_method('java.lang.Runtime', 'x'))", "function java_method is not allowed"),
    "subquery": ("sum((select max(x) from secrets))", "subqueries"),
    "window": ("sum(sum(amount)) over (partition by item)", ""),
    "current_date": ("max(datediff(current_date, purchased_at))", "use as_of"),
    "current_date_as_a_call": ("max(datediff(current_date(), purchased_at))", "use as_of"),
    "current_timestamp": ("max(current_timestamp)", "use as_of"),
    "now": ("max(now())", "now can give another result"),
    "unknown_function": ("sum(amunt_of(amount))", "function amunt_of is not allowed"),
    "misspelled_function": ("summ(amount)", "function summ is not allowed; did you mean sum?"),
    "first_depends_on_order": ("first(amount)", "first can give another result"),
    "collect_list_depends_on_order": ("array_size(collect_list(amount))", "collect_list can give another result"),
    "no_aggregate": ("amount + 1", "an aggregate is needed"),
    "bare_column_beside_an_aggregate": ("sum(amount) + amount", "column amount stands outside an aggregate"),
    "a_statement": ("drop table customers", ""),
    "two_statements": ("sum(amount); drop table customers", ""),
    "an_alias": ("sum(amount) as total", "an expression is needed"),
    "unbalanced": ("sum(amount", "not a Spark SQL expression"),
    "a_function_of_a_schema": ("max(mydb.abs(amount))", "names with a dot"),
    "a_quoted_function": ("max(`1x`(amount))", "function 1x is not allowed"),
    "a_variable_of_the_environment": ("max(if('${env:SECRET_KEY}' like 's3%', 7, 0))", "a variable (${) is not allowed"),
    "a_setting": ("max(length('${spark.app.name}'))", "a variable (${) is not allowed"),
    "a_comment_that_goes_on": ("sum(amount)*0 -- \\\n|| '\n+ max((select max(x) from t)) -- '", "a comment (--) is not allowed"),
    "a_comment": ("sum(amount) /* all */", "a comment (/*) is not allowed"),
    "a_backslash": ("max(if(item = 'a\\'b', 1, 0))", "a backslash"),
    "today": ("max(datediff(date 'today', purchased_at))", "use as_of"),
    "today_without_a_type": ("count_if(purchased_at > ' Today ')", "use as_of"),
    "session_user": ("max(if(session_user = 'x', 1, 0))", "use as_of"),
    "every_column": ("max(length(concat(*)))", "only count(*) may use it"),
    "every_column_in_count": ("count(distinct *)", "only count(*) may use it"),
    "a_parameter": ("sum(:amount)", "parameters are not allowed"),
    "a_lambda": ("sum(aggregate(array(1), 0, (a, b) -> a + b))", ""),
}


@pytest.mark.parametrize(("expression", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_an_expression_that_is_not_known_to_be_harmless_is_refused(expression: str, reason: str) -> None:
    found = problems_of({EXPRESSION: expression})
    assert found.startswith("features.spent.expression: ")
    assert reason in found


@pytest.mark.parametrize(
    "condition",
    [
        "rand() < 0.5",
        "item = '${env:HOME}'",
        "amount > 1 -- x",
        "purchased_at > 'yesterday'",
        "db.f(amount) > 1",
        "amount > (select 1)",
        "purchased_at > now()",
        "sum(amount) > 3",
        "amount >",
    ],
)
def test_a_condition_that_is_not_known_to_be_harmless_is_refused(condition: str) -> None:
    assert problems_of({WHERE: condition}).startswith("sources.events.purchases.where: ")


ALLOWED = {
    "count(*)": [],
    "sum(amount) / count(*)": ["amount"],
    "datediff(as_of, max(purchased_at))": [],
    "avg(if(item in ('web', 'rand()'), 1, 0))": ["item"],
    "count(distinct item)": ["item"],
    "sum(amount) filter (where item = 'as_of')": ["amount", "item"],
    "sum(case when item = 'x' then amount else 0 end)": ["item", "amount"],
    "max(`two words`)": ["two words"],
    "avg(if(item = 'now and then', 1, 0))": ["item"],
    "sum(amount * -1.5) / count(*)": ["amount"],
}


@pytest.mark.parametrize(("expression", "columns"), ALLOWED.items(), ids=ALLOWED.keys())
def test_a_useful_expression_is_allowed_and_reads_only_its_columns(expression: str, columns: list[str]) -> None:
    only = [plan_dict({EXPRESSION: expression})["features"][1]]
    read = needed_columns(parse_plan(plan_yaml({"features": only})))["purchases"]
    assert sorted(read) == sorted({"customer_id", "purchased_at", *columns})


def test_a_column_is_read_once_however_often_it_is_used() -> None:
    read = needed_columns(parse_plan(plan_yaml({EXPRESSION: "sum(amount)", "features.2.expression": "max(AMOUNT)"})))
    assert read["purchases"] == ["customer_id", "purchased_at", "amount"]


def test_what_every_feature_is_for_is_told_also_of_one_that_counts_rows_and_reads_no_column() -> None:
    plan = parse_plan(plan_yaml())
    assert plan.features[2].columns == ()
    told = list(reasons(plan))
    assert [f.name for f in plan.features if not any(why.startswith(f"feature {f.name}: ") for _, _, why in told)] == []
    assert ("purchases", "how many rows", "feature visits: test") in told
    assert "    how many rows: feature visits: test" in explain(plan).splitlines()


YAML_MISTAKES = {
    "a_tab": ("name: x\npurpose:\n\t- y\n", "line 3, column 1: not valid YAML"),
    "an_open_bracket": ("name: [x\npurpose: y\n", "line 2"),
    "a_key_twice": ("name: x\npurpose: a\nname: y\n", "line 3, column 1: not valid YAML: key name stands twice"),
    "a_key_twice_deep_inside": ("privacy:\n  epsilon: 1\n  epsilon: 2\n", "line 3, column 3: not valid YAML: key epsilon stands twice"),
    "a_python_object": ("name: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    "a_control_character": ("name: \x00\n", "not valid YAML"),
    "nothing": ("", "a mapping of keys to values is needed"),
    "a_list": ("- name: x\n", "a mapping of keys to values is needed"),
    "a_list_as_a_key": ("? [a, b]\n: c\n", "a key must be plain text"),
    "an_alias_to_nowhere": ("name: *there\n", "not valid YAML"),
    "a_date_that_does_not_exist": ("name: 2026-02-31\n", "not valid YAML"),
    "an_endless_number": ("name: " + "9" * 5000 + "\n", ""),
    "an_endless_hexadecimal_number": ("name: 0x" + "f" * 5000 + "\n", "name: input should be a valid string (found: a very large number)"),
    "a_merged_mapping": ("a: &a {b: c}\nd:\n  <<: *a\n", "line 3, column 3: not valid YAML: << is not allowed; write the keys out"),
    "an_alias_to_itself": ("name: &a [*a]\n", ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), YAML_MISTAKES.values(), ids=YAML_MISTAKES.keys())
def test_broken_yaml_is_told_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(PlanError) as wrong:
        parse_plan(text, "p.yaml")
    assert expected in str(wrong.value)


def test_a_plan_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no such file"):
        load_plan(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("content", [b"name: \xff\xfe", None], ids=["not_utf8", "a_folder"])
def test_a_plan_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "plan.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(PlanError, match="cannot be read: (not UTF-8 text|is a directory); name the plan"):
        load_plan(path)


def test_paths_begin_where_the_plan_lies_and_the_fingerprint_does_not_depend_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        (folder / "plan.yaml").write_text(
            plan_yaml({"sources.customers.path": "../customers", "output.open.path": "s3://b/open"})
        )
        monkeypatch.chdir(folder)
        for name in (folder / "plan.yaml", "plan.yaml"):
            plan = load_plan(name)
            assert plan.sources.customers.path == f"{tmp_path}/customers"
            assert plan.sources.events["purchases"].path == f"{folder}/purchases"
            assert (plan.output.restricted.path, plan.output.open.path) == (f"{folder}/restricted", "s3://b/open")
            assert (plan.output.reports, plan.pseudonyms.key_file) == (f"{folder}/reports", f"{folder}/key")
            found.append(fingerprint(plan))
    (tmp_path / "a/plan.yaml").write_text(plan_yaml({"output": {"restricted": {"path": "r"}, "open": {"path": "o"}}}))
    assert load_plan(tmp_path / "a/plan.yaml").output.reports == f"{tmp_path}/a/reports"  # what is left out is no other place
    text = parse_plan(plan_yaml({"sources.customers.path": "../customers", "output.open.path": "s3://b/open"}))
    assert {*found, fingerprint(text)} == {found[0]}
    assert text.sources.customers.path == "../customers"


def test_reordered_keys_comments_and_spelled_out_defaults_keep_the_fingerprint() -> None:
    reordered = yaml.safe_dump(dict(reversed(BASE.items())), sort_keys=True)
    same = "# a comment\n" + reordered + "time_zone: UTC\n"
    assert fingerprint(parse_plan(same)) == fingerprint(parse_plan(plan_yaml()))


CHANGES = [
    {"features.0.bounds": [0, 20.5]},
    {"features.0.missing": 1},
    {"privacy.epsilon": 1.5},
    {"purpose": "other"},
    {"segments.k": 4},
    {"protected.1.bands": [30, 61]},
    {"sources.customers.version": 0},
    {"features": list(reversed(BASE["features"]))},  # the first feature's bits stand highest in a box key
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: next(iter(c)))
def test_a_change_that_changes_results_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert fingerprint(parse_plan(plan_yaml(change))) != fingerprint(parse_plan(plan_yaml()))


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
    | st.sampled_from(["count(*)", "sum(", "'", "a.b", "as_of", "nan", "1e999", "../x"])
)  # fmt: skip
KEYS = st.sampled_from([*BASE, "k", "path", "id", "name", "bounds", "column", "groups", "bands", "at_least"]) | st.text(
    max_size=5
)
JUNK = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)


def paths(node: Any, before: tuple[str, ...] = ()) -> list[str]:
    found = [".".join(before)] if before else []
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return found + [p for key, child in children for p in paths(child, (*before, str(key)))]


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(KEYS, JUNK, max_size=6))
def test_junk_is_a_plan_error_and_never_another_exception(junk: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        parse_plan(as_yaml(junk))


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(paths(BASE)), JUNK)
def test_junk_at_any_place_of_a_sound_plan_is_a_plan_error_or_a_plan(path: str, junk: Any) -> None:
    try:
        found = parse_plan(as_yaml(plan_dict({path: junk})))
    except PlanError:
        return
    assert len(fingerprint(found)) == 64
