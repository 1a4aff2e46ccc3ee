"""Whatever is wrong with the input: an exit code, one clear line, nothing published, no budget spent."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from conftest import write_key
from evenhand.cli.main import main
from evenhand.errors import DataError, OutputError
from evenhand.job.api import run
from evenhand.job.result import Result
from evenhand.plan import geometry
from evenhand.plan.load import canonical, parse_plan
from evenhand.plan.models import Plan
from evenhand.prepare.features import group_code, is_ruled_out
from evenhand.report.page import report_path, write_report
from evenhand.spark.errors import no_values_in_errors
from evenhand.tables import catalog
from sample import (
    CONSENT,
    KEY,
    NOW,
    PURCHASES,
    REMOVED,
    customer,
    granted,
    in_folder,
    people,
    plan_yaml,
    sources_in,
    write_source,
    write_sources,
)

pytestmark = pytest.mark.long  # many runs

Write = Callable[..., Path]
ENOUGH = {"privacy.epsilon": 3.0, "privacy.expected_customers": 500}


@pytest.fixture(scope="module")
def alone(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The changes that take sources with one sound customer, which no test changes."""
    folder = tmp_path_factory.mktemp("alone")
    write_sources(spark, folder, [customer("a")], purchases=[("a", NOW - timedelta(days=1), 5.0, "secret-diagnosis")])
    return sources_in(folder)


SAID: list[str] = []  # by the run over odd values
ODD = [None, math.nan, math.inf, -math.inf, -1.0, 20.0, 20.5, 1e300]
KEPT_IDS = [" ", "it's", '"quoted"', "`", "a\nb", "日本", "x" * 500]


@pytest.fixture(scope="module")
def odd(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run over odd values and odd ids that is published and has spent all there is; it has no report yet."""
    folder = tmp_path_factory.mktemp("odd")
    write_key(folder / "key", KEY)
    customers, purchases = people(200)
    bought = [("odd-0", NOW - timedelta(days=1), v, "x") for v in (math.nan, 1.0)]
    bought += [("odd-1", NOW - timedelta(days=1), None, "x"), ("odd-2", NOW - timedelta(days=1), math.inf, "x")]
    bought += [(None, NOW - timedelta(days=1), 1.0, "x")]
    odd = [customer(f"odd-{i}", v, "x" if i == 0 else "f") for i, v in enumerate(ODD)]
    twice = [customer("same"), customer("same"), customer("differs"), customer("differs", 5.0)]
    write_sources(
        spark, folder, [*customers, *odd, *twice, *map(customer, ["", None, *KEPT_IDS])], purchases=[*purchases, *bought]
    )
    plan = parse_plan(
        plan_yaml(
            in_folder(folder) | ENOUGH | {"protected.0.others": None, "privacy.population_total": ENOUGH["privacy.epsilon"]}
        )
    )
    return run(plan, spark, as_of=NOW, run_id="odd", steps=["prepare", "segment", "assess"], say=SAID.append)


@pytest.fixture(scope="module")
def poor(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two customers, each of whom stands twice, for far too many segments."""
    folder = tmp_path_factory.mktemp("poor")
    write_key(folder / "key", KEY)
    write_sources(spark, folder, [customer("a", 10.0), customer("b", 5.0), customer("a", 5.0), customer("b", 10.0)])
    changes = {"segments.k": 30, "privacy.expected_customers": 2000, "sources.customers.duplicates": {"keep_latest_by": "years"}}
    path = folder / "plan.yaml"
    path.write_text(plan_yaml(in_folder(folder) | changes), encoding="utf-8")
    assert main(["run", "--plan", str(path), "--as-of", NOW.isoformat(), "--run-id", "poor"]) == 1
    return folder


@pytest.fixture
def refused(spark: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the job in this process; hands back its one line after checking exit code, silence and emptiness."""

    def attempt(plan: Path, code: int) -> str:
        capfd.readouterr()
        found = main(["run", "--plan", str(plan), "--as-of", NOW.isoformat(), "--run-id", "bad-1"])
        out, err = capfd.readouterr()
        assert found == code, err
        assert out == ""
        lines = [line for line in err.splitlines() if line.startswith("evenhand: ") and "] prepare:" not in line]
        lines = [line for line in lines if "Warning" not in line and "start it again under this id" not in line]
        assert len(lines) == 1, err
        assert "Traceback" not in err
        assert "secret" not in err
        nothing_published(spark, tmp_path)
        return lines[0]

    return attempt


def nothing_published(spark: Any, folder: Path) -> None:
    opened = folder / "open"
    there = {p.name for p in opened.iterdir()} if opened.is_dir() else set()
    assert there <= {"runs"}, there
    if (opened / "runs" / "_delta_log").is_dir():
        assert sorted(r.status for r in spark.read.format("delta").load(f"{opened}/runs").collect()) == ["failed", "running"]
    assert not (folder / "reports").exists()


def test_that_nobody_said_yes_is_told_by_the_noise_alone(
    spark: Any, tmp_path: Path, plan_file: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    """To stop for it would answer whether anybody of a chosen kind consented. The noise alone says whether segments are found."""
    write_sources(spark, tmp_path, [customer("a"), customer("b")], consent=[])
    line = ["--plan", str(plan_file({"segments.k": 30})), "--as-of", NOW.isoformat(), "--run-id", "bad-1"]
    assert main(["prepare", *line]) == 0
    assert spark.read.format("delta").load(f"{tmp_path}/restricted/prepared").count() == 0
    capfd.readouterr()
    assert main(["prepare", *line]) == 0  # again: it is done, as it would be with customers
    ended = main(["segment", *line])  # as jobs do one after the other
    said = capfd.readouterr().err.replace(str(tmp_path), "")
    assert said.count("it goes on with the step segment") == 2
    assert ended in (0, 1)
    assert ("evenhand: segments.k: " in said) == (ended == 1)
    assert "nobody" not in said and "Traceback" not in said


def test_there_are_no_customers_at_all_and_the_session_is_given_back_as_it_was(
    spark: Any, tmp_path: Path, plan_file: Write
) -> None:
    write_sources(spark, tmp_path, [], consent=[])
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    spark.conf.unset("spark.sql.codegen.hugeMethodLimit")
    before = {
        k: spark.conf.get(k)
        for k in ("spark.sql.session.timeZone", "spark.sql.ansi.enabled", "spark.sql.codegen.hugeMethodLimit")
    }
    try:
        path = plan_file({"time_zone": "Europe/Berlin"})
        assert main(["prepare", "--plan", str(path), "--as-of", NOW.isoformat(), "--run-id", "bad-1"]) == 0
        assert {k: spark.conf.get(k) for k in before} == before
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def test_duplicates_are_resolved_when_the_plan_says_how(spark: Any, poor: Path) -> None:
    kept = spark.read.format("delta").load(f"{poor}/restricted/prepared").select("tenure").collect()
    assert kept == [(geometry.STEPS // 2,)] * 2  # 10 of 20 years


def test_too_poor_a_summary_publishes_nothing(spark: Any, poor: Path) -> None:
    """Two customers in 64 boxes without histograms: each is kept by its noise with 1 in 40, so that 30 are with less than 1e-20."""
    runs = spark.read.format("delta").load(f"{poor}/open/runs").collect()
    assert sorted(r.status for r in runs) == ["failed", "running"]
    assert not (poor / "reports").exists()


def test_odd_values_are_fine_and_counted_in_the_restricted_zone(odd: Result) -> None:
    found = {(r.item, r.finding): r["count"] for r in odd.store.read(catalog.INPUT_QUALITY).collect()}
    assert found["tenure", "imputed"] == 2
    assert found["tenure", "clipped"] == 5
    assert found["visits", "imputed"] == 5 + 1 + len(KEPT_IDS)  # no purchase at all
    assert found["spent", "imputed"] == 5 + 1 + 2 + len(KEPT_IDS)  # ... or none that can be added up
    assert found["customers", "gender ruled out by the plan, counted as unknown"] == 1


def test_ids_on_several_rows_are_counted_in_the_restricted_zone_and_stop_nothing(odd: Result) -> None:
    found = {(r.item, r.finding): r["count"] for r in odd.store.read(catalog.INPUT_QUALITY).collect()}
    assert found["customers", "id on several rows"] == 2
    assert found["customers", "left out: rows that contradict each other"] == 1


def test_rows_without_an_id_are_left_out_and_counted(spark: Any, odd: Result, poor: Path) -> None:
    assert odd.segments.count() == 200 + 1 + len(ODD) + len(KEPT_IDS)
    with_odd_ids, with_sound_ids = (
        {r.item: r["count"] for r in quality.where("finding = 'id missing or empty'").collect()}
        for quality in (
            odd.store.read(catalog.INPUT_QUALITY),
            spark.read.format("delta").load(f"{poor}/restricted/input_quality"),
        )
    )
    assert with_odd_ids == {"customers": 2, "consent": 2, "purchases": 1}
    assert with_sound_ids == {"customers": 0, "consent": 0, "purchases": 0}


def test_a_run_says_where_lost_objections_are_counted_and_nothing_of_whether_there_are_any(odd: Result) -> None:
    lines = [line for line in SAID if "with an unknown customer id has no effect" in line]
    assert len(lines) == 1
    query = lines[0][lines[0].index("SELECT") :]
    assert not any(c.isdigit() for c in lines[0].removesuffix(query))
    assert odd.store.spark.sql(query).count() > 0


def test_an_exhausted_budget_is_exit_code_4_and_leaves_the_earlier_run(odd: Result, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(canonical(odd.plan), encoding="utf-8")  # JSON is YAML
    assert main(["run", "--plan", str(path), "--as-of", NOW.isoformat(), "--run-id", "late"]) == 4
    assert odd.store.rows(catalog.PREPARED, "late") is None  # told before the work, not after it
    assert [r.run_id for r in odd.store.read(catalog.RUNS).where("status = 'published'").collect()] == ["odd"]
    assert {r.run_id for r in odd.store.read(catalog.RELEASES).select("run_id").collect()} == {"odd"}
    assert odd.store.read(catalog.BUDGET).select("run_id", "epsilon").collect() == [("odd", pytest.approx(3.0))]


@pytest.mark.parametrize("problem", ["missing", "short", "open_to_others"])
def test_a_bad_key_is_told_before_anything_is_written(
    alone: dict[str, Any], tmp_path: Path, plan_file: Write, key_file: Path, refused: Callable[..., str], problem: str
) -> None:
    plan = plan_file(alone)
    if problem == "missing":
        key_file.unlink()
    elif problem == "short":
        key_file.write_bytes(KEY[:10])
    else:
        os.chmod(key_file, 0o644)
    line = refused(plan, 2)
    assert "pseudonyms.key_file" in line
    assert KEY[:10].decode() not in line
    assert not (tmp_path / "restricted").exists() and not (tmp_path / "open").exists()


@pytest.mark.parametrize("zone", ["open/budget", "restricted/prepared"])
@pytest.mark.parametrize("content", ["parquet", "another_delta_table", "a_file"])
def test_an_output_place_that_holds_something_else_is_left_untouched(
    spark: Any, alone: dict[str, Any], tmp_path: Path, plan: Callable[..., Plan], zone: str, content: str
) -> None:
    place = tmp_path / zone
    if content == "a_file":
        place.mkdir(parents=True)
        (place / "notes.txt").write_text("precious")
    else:
        rows = spark.createDataFrame([("precious",)], "something STRING").coalesce(1)
        rows.write.format("parquet" if content == "parquet" else "delta").save(str(place))
    before = sorted(place.rglob("*"))
    with pytest.raises(OutputError) as wrong:
        run(plan(alone), spark, as_of=NOW, run_id="bad-1")
    assert wrong.value.exit_code == 2
    assert f"{place}` holds something" in str(wrong.value)
    assert sorted(place.rglob("*")) == before
    assert not (tmp_path / "open" / "runs").exists()


@pytest.mark.parametrize("place", ["reports", "reports/deep/below"])
def test_a_file_where_reports_should_go_is_told_before_any_work(
    alone: dict[str, Any], tmp_path: Path, plan_file: Write, capfd: pytest.CaptureFixture[str], place: str
) -> None:
    (tmp_path / "reports").write_text("precious")
    path = plan_file(alone | {"output.reports": f"{tmp_path}/{place}"})
    capfd.readouterr()
    assert main(["run", "--plan", str(path), "--as-of", NOW.isoformat(), "--run-id", "bad-1"]) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if "Warning" not in line]
    assert lines == [f"evenhand: output.reports: {tmp_path}/reports is not a folder; name another"]
    assert (tmp_path / "reports").read_text() == "precious"
    assert not (tmp_path / "open").exists()
    assert not (tmp_path / "restricted").exists()


def test_a_folder_in_the_place_of_the_report_is_told_before_any_work(
    spark: Any, alone: dict[str, Any], tmp_path: Path, plan: Callable[..., Plan]
) -> None:
    built = plan(alone)
    page = report_path(built, "bad-1")
    page.mkdir(parents=True)
    with pytest.raises(OutputError, match="output.reports: .* is a folder, a file must go there"):
        run(built, spark, as_of=NOW, run_id="bad-1")
    assert not (tmp_path / "open").exists()
    assert not (tmp_path / "restricted").exists()


def test_a_report_that_cannot_be_written_leaves_the_run_published_and_the_step_can_run_again(spark: Any, odd: Result) -> None:
    page = odd.report
    page.mkdir(parents=True)
    with pytest.raises(OutputError, match="run odd stays as it is: run the step report again with --run-id odd"):
        write_report(odd.store, odd.plan, "odd")
    page.rmdir()
    assert [p.name for p in page.parent.iterdir()] == []
    run(odd.plan, spark, as_of=NOW, run_id="odd", steps=["report"])
    assert page.is_file()


@pytest.mark.parametrize("zone", ["restricted", "open"])
@pytest.mark.parametrize("content", ["a_file", "a_delta_table"])
def test_a_zone_that_is_no_folder_for_tables_is_told_before_any_work(
    spark: Any, alone: dict[str, Any], tmp_path: Path, plan_file: Write, refused: Callable[..., str], zone: str, content: str
) -> None:
    place = tmp_path / "taken"
    if content == "a_file":
        place.write_text("precious")
    else:
        spark.createDataFrame([("precious",)], "something STRING").coalesce(1).write.format("delta").save(str(place))
    before = sorted(place.rglob("*"))
    line = refused(plan_file(alone | {f"output.{zone}.path": str(place)}), 2)
    assert line.startswith(
        f"evenhand: output.{zone}.path: {place} is a file or itself a table; name the folder of the earlier runs"
    )
    assert sorted(place.rglob("*")) == before
    assert not (tmp_path / "open").exists()
    assert not (tmp_path / "restricted").exists()


def test_a_ledger_of_another_version_is_left_alone_and_no_new_one_is_advised(
    spark: Any, alone: dict[str, Any], tmp_path: Path, plan: Callable[..., Plan]
) -> None:
    older = spark.createDataFrame(
        [("people", 1, "run-1", 0.5)], "population STRING, number BIGINT, run_id STRING, epsilon DOUBLE"
    )
    older.coalesce(1).write.format("delta").save(f"{tmp_path}/open/budget")
    with pytest.raises(OutputError) as wrong:
        run(plan(alone), spark, as_of=NOW, run_id="bad-1")
    assert "budget` lacks the column" in str(wrong.value)
    assert "another version of Evenhand wrote it; go on with that version" in str(wrong.value)
    assert "move" not in str(wrong.value) and "name" not in str(wrong.value)
    assert spark.read.format("delta").load(f"{tmp_path}/open/budget").count() == 1


def test_a_zone_in_a_catalog_that_ends_with_spark_is_told(
    alone: dict[str, Any], plan_file: Write, refused: Callable[..., str]
) -> None:
    line = refused(plan_file(alone | {"output.open.path": REMOVED, "output.open.schema": "default"}), 2)
    assert line == (
        "evenhand: output.open.schema: default is in this session's own memory, and what has been spent would be forgotten when Spark "
        "ends; start Spark with a catalog that lasts, such as spark.sql.catalogImplementation=hive, or name a path"
    )


def test_a_line_break_in_a_path_does_not_break_the_line(
    alone: dict[str, Any], tmp_path: Path, plan_file: Write, refused: Callable[..., str]
) -> None:
    line = refused(plan_file(alone | {"sources.customers.path": "no\nwhere"}), 2)
    assert f"sources.customers: table {tmp_path}/no\\nwhere is missing" in line


@pytest.mark.parametrize("name", ["a[1", "a{1}", "*"])
def test_a_path_is_no_pattern(
    alone: dict[str, Any], tmp_path: Path, plan_file: Write, refused: Callable[..., str], name: str
) -> None:
    assert f"{tmp_path}/{name} is missing" in refused(plan_file(alone | {"sources.customers.path": str(tmp_path / name)}), 2)


def test_a_missing_source_is_told(spark: Any, tmp_path: Path, plan_file: Write, refused: Callable[..., str]) -> None:
    write_source(spark, tmp_path / "consent", granted(["a"]), CONSENT)
    write_source(spark, tmp_path / "purchases", [], PURCHASES)
    assert "sources.customers:" in refused(plan_file(), 2)
    assert not (tmp_path / "open").exists()


def test_malformed_yaml_is_told(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("name: [x\npurpose: y\n")
    assert "line 2" in refused(path, 2)


# Each asks whether a customer of one's choice has a value; once the run stopped where it has, and so answered.
ORACLES = [
    "sum(case when customer_id = 'a' and amount > 4 then amount / 0 end)",
    "sum(if(amount > 4, cast(item as double), null))",
    "sum(if(amount > 4, 9223372036854775807 + cast(amount as bigint), null))",
    "sum(if(amount > 4, cast(amount * 1e9 as int), null))",
    "max(if(amount > 4, datediff(as_of, cast(date_add(purchased_at, cast(amount * 400000000 as int)) as timestamp)), null))",
    "max(if(amount > 4, item, 1) > 3)",
]


def test_an_expression_that_fails_for_one_customer_says_so_in_the_restricted_zone_alone(
    spark: Any, alone: dict[str, Any], tmp_path: Path, plan_file: Write
) -> None:
    feature = {"why": "to know", "events": "purchases", "bounds": [0, 9], "missing": 0}
    asked = [feature | {"name": f"asked_{i}", "expression": text} for i, text in enumerate(ORACLES)]
    path = plan_file(
        alone | {"features": [{"name": "tenure", "why": "t", "column": "years", "bounds": [0, 9], "missing": 0}, *asked]}
    )
    assert main(["prepare", "--plan", str(path), "--as-of", NOW.isoformat(), "--run-id", "asked"]) == 0
    quality = spark.read.format("delta").load(f"{tmp_path}/restricted/input_quality").where("finding = 'imputed'").collect()
    assert {r.item: r["count"] for r in quality} == {"tenure": 0} | {f"asked_{i}": 1 for i in range(len(ORACLES))}


def test_an_error_of_java_itself_is_named_and_its_message_is_not_repeated(spark: Any) -> None:
    with pytest.raises(DataError) as wrong, no_values_in_errors("counting"):
        spark._jvm.java.util.Objects.requireNonNull(None, "secret-diagnosis")
    assert str(wrong.value) == "counting: Spark stopped with java.lang.NullPointerException; nothing was published"


def test_who_is_in_a_group_that_the_plan_rules_out_is_counted_in_another_and_nobody_else_moves(spark: Any) -> None:
    values = spark.createDataFrame([("f", 10.0), ("m", 40.0), ("x", None), (None, float("nan"))], "sex STRING, age DOUBLE")
    expected = {
        (): ([0, 1, 2, 3], [False] * 4),
        ("others",): ([0, 1, 2, 2], [False, False, True, False]),  # the code of `unknown` is one less then
        ("unknown",): ([0, 1, 2, 2], [False, False, False, True]),
        ("others", "unknown"): ([0, 1, 0, 0], [False, False, True, True]),
    }
    for ruled_out, (codes, out) in expected.items():
        gender = parse_plan(plan_yaml({f"protected.0.{key}": None for key in ruled_out})).protected[0]
        found = values.select(group_code(F.col("sex"), gender), is_ruled_out(F.col("sex"), gender)).collect()
        assert ([row[0] for row in found], [row[1] for row in found]) == (codes, out), ruled_out
    age = parse_plan(plan_yaml({"protected.1.unknown": None})).protected[1]
    found = values.select(group_code(F.col("age"), age), is_ruled_out(F.col("age"), age)).collect()
    assert [tuple(row) for row in found] == [(0, False), (1, False), (0, True), (0, True)]
