"""The whole flow on three kinds of customers, and what it may and may not publish."""

from __future__ import annotations

import getpass
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conftest import ROOT, write_key
from evenhand.cli.main import main
from evenhand.errors import AdviceWarning, Blocked, RunConflict
from evenhand.job.api import run
from evenhand.job.result import Result
from evenhand.past.runs import runs
from evenhand.plan.advice import advice
from evenhand.plan.geometry import STEPS
from evenhand.plan.load import canonical, fingerprint, parse_plan
from evenhand.privacy.noise import Noise, NoNoise
from evenhand.records.audit import AuditLog
from evenhand.report.gather import gather
from evenhand.spark.advised import lacking
from evenhand.tables import catalog
from evenhand.version import __version__
from sample import CONSENT, KEY, NOW, ONE_FEATURE, REMOVED, granted, in_folder, people, plan_yaml, write_source, write_sources

COUNT, REFUSED = 3000, 100  # customers, and how many of them said no


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flow")
    write_key(folder / "key", KEY)
    customers, purchases = people(COUNT)
    write_sources(spark, folder, customers, purchases=purchases)
    ids = [c[0] for c in customers]
    no = [(i, "offers", "withdrawn", NOW, None, "web") for i in ids[:REFUSED]]
    write_source(spark, folder / "consent", granted(ids) + no, CONSENT)
    return folder


@pytest.fixture(scope="module")
def result(spark: Any, world: Path) -> Result:
    """One run with a large ε, so that its figures can be compared with the truth."""
    changes = in_folder(world) | {"privacy.epsilon": 20.0, "privacy.population_total": 100.0}
    return run(parse_plan(plan_yaml(changes)), spark, as_of=NOW, run_id="flow-1")


def test_every_customer_who_said_yes_is_in_one_segment(result: Result) -> None:
    rows = result.segments.select("pseudonym", "segment", "key_id").collect()
    assert len(rows) == len({bytes(r.pseudonym) for r in rows}) == COUNT - REFUSED
    assert {r.segment for r in rows} == {1, 2, 3}
    assert {r.key_id for r in rows} == {"test-1"}
    assert {len(r.pseudonym) for r in rows} == {32}


def test_open_tables_tell_no_time_but_the_day_and_the_point_in_time_of_the_plan(result: Result) -> None:
    """To the second they would tell how long a pass over the people took."""
    found = {}
    for spec in catalog.ALL:
        rows = result.store.read(spec) if spec.zone == "open" and result.store.exists(spec) else None
        for name in [f.name for f in rows.schema if "timestamp" in f.dataType.simpleString()] if rows is not None else []:
            midnight = rows.selectExpr(f"date_trunc('day', {name}) = {name} AS midnight").distinct().collect()
            found[spec.name, name] = {row.midnight for row in midnight}
    assert found.pop(("runs", "as_of")) == {False}  # NOW is noon
    assert found.pop(("runs", "centers_as_of")) == {None}  # the run has learned its own
    assert found == {(table, "at"): {True} for table in ("runs", "budget", "budget_entries")}


def test_the_published_sizes_are_those_of_the_three_kinds(result: Result) -> None:
    """False alarm: at ε = 20 a size has noise of scale 1.25; 40 customers off has probability below 1e-13."""
    exact = {r.segment: r["count"] for r in result.segments.groupBy("segment").count().collect()}
    found = result.profiles.where("measure = 'size'").collect()
    for row in found:
        assert abs(row.value - exact[row.segment]) < 40
        assert row.low <= row.value <= row.high
    assert sorted(exact.values()) == pytest.approx([0.2 * 2900, 0.3 * 2900, 0.5 * 2900], rel=0.15)


def test_the_centers_are_where_the_kinds_of_people_are(result: Result) -> None:
    centers = result.centers.orderBy("segment").select("tenure", "spent", "visits").collect()
    found = np.array([tuple(c) for c in centers])
    assert found[:, 0] == pytest.approx([2, 15, 8], abs=1.0)
    assert found[:, 2] == pytest.approx([1, 4, 12], abs=1.0)


def test_the_profiles_have_a_row_a_segment_and_measure(result: Result) -> None:
    rows = result.profiles.select("segment", "measure").collect()
    assert sorted(map(tuple, rows)) == sorted((s, m) for s in (1, 2, 3) for m in ("size", "share", "tenure", "spent", "visits"))


def test_the_shares_add_up_to_one(result: Result) -> None:
    shares = [r.value for r in result.profiles.where("measure = 'share'").collect()]
    assert sum(shares) == pytest.approx(1.0)


def test_every_group_of_every_attribute_has_its_counts(result: Result) -> None:
    rows = result.fairness_stats.select("attribute", "group", "segment").collect()
    groups = {
        "gender": ["female", "male", "other", "unknown"],
        "age_band": ["under 30", "30 to under 60", "60 and over", "unknown"],
    }
    assert sorted(map(tuple, rows)) == sorted((a, g, s) for a, names in groups.items() for g in names for s in (1, 2, 3))


def test_segments_that_ignore_the_group_are_not_called_uneven(result: Result) -> None:
    found = {(r.attribute, r.metric): r.verdict for r in result.fairness_summary.collect()}
    assert len(found) == 14
    assert found["gender", "representation_ratio"] == "even"
    assert found["gender", "total_variation"] == "even"
    assert "uneven" not in found.values()


def test_small_cells_are_suppressed_with_all_their_figures(result: Result) -> None:
    nobody = result.fairness_stats.where("`group` = 'unknown'").collect()
    assert nobody
    for row in nobody:
        assert row.suppressed
        assert [row[c] for c in ("count", "count_low", "count_high", "share", "representation_ratio")] == [None] * 5


def test_the_runs_table_says_what_was_done(result: Result) -> None:
    rows = result.store.read(catalog.RUNS, "flow-1").orderBy("status", ascending=False).collect()
    assert [r.status for r in rows] == ["running", "published"]
    assert {r.plan_fingerprint for r in rows} == {fingerprint(result.plan)}
    assert json.loads(rows[-1].sources) == {"customers": 0, "consent": 1, "purchases": 0}
    assert rows[-1].epsilon == 20.0
    assert not rows[-1].not_private
    assert {r.version for r in rows} == {__version__}
    asked = {r.question: r.about for r in result.store.read(catalog.RELEASES, "flow-1").collect()}
    assert [question for question, about in sorted(asked.items()) if not about] == ["marginals"]  # it needs the plan alone


def test_the_ledger_was_charged_once_and_itemized(result: Result) -> None:
    spent = result.store.read(catalog.BUDGET).select("population", "total", "run_id", "epsilon").collect()
    assert spent == [("testers", 100.0, "flow-1", pytest.approx(20.0))]
    entries = result.store.read(catalog.BUDGET_ENTRIES).collect()
    assert sum(r.epsilon for r in entries) == pytest.approx(20.0)


def test_the_audit_log_says_who_did_what_and_why(result: Result) -> None:
    entries = [entry for entry, _ in AuditLog(result.store).entries() if entry.run_id == "flow-1"]
    assert [e.action for e in entries] == ["start", "spend", "approve", "publish"]
    assert {e.actor for e in entries} == {getpass.getuser()}
    begun, spent, approved, published = (json.loads(e.details) for e in entries)
    assert begun["purpose"] == result.plan.purpose
    assert begun["fingerprint"] == fingerprint(result.plan)
    assert begun["sources"] == {"customers": 0, "consent": 1, "purchases": 0}
    people = f"file:{result.plan.sources.customers.path} by customer_id"
    of = {"population": "testers", "customers": people, "not_private": False}
    assert spent == of | {"epsilon": pytest.approx(20.0), "delta": 0.0}
    assert approved == published
    assert published["findings"] == result.store.read(catalog.RUNS, "flow-1").where("status = 'published'").first().reasons


def test_every_entry_says_how_its_epsilon_is_made_up(result: Result) -> None:
    for entry in result.store.read(catalog.BUDGET_ENTRIES, "flow-1").collect():
        assert entry.composition.startswith("sequential over parts: ε = ")
        terms = re.findall(r"([\d.e-]+) \(", entry.composition)
        assert sum(map(float, terms)) == pytest.approx(entry.epsilon, rel=1e-3)
        assert sum(p["epsilon"] for p in json.loads(entry.parts)) == pytest.approx(entry.epsilon)


def test_the_restricted_zone_keeps_the_plans_columns_and_no_others(result: Result) -> None:
    assert sorted(result.store.read(catalog.PREPARED).columns) == sorted(
        ["pseudonym", "key_id", "imputed", "clipped", "run_id", "tenure", "spent", "visits", "gender", "age_band"]
    )
    assert sorted(result.segments.columns) == ["key_id", "pseudonym", "run_id", "segment"]


def test_the_report_is_there_and_names_no_customer(result: Result) -> None:
    page = result.report.read_text(encoding="utf-8")
    assert "<html" in page
    assert "cust-0" not in page


def test_the_report_s_point_in_time_is_the_run_s_wherever_the_driver_is(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert gather(result.store, result.plan, result.run_id).as_of == NOW
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_result_prints_itself(result: Result) -> None:
    assert "flow-1" in str(result) or str(result.report) in str(result)


@pytest.fixture(scope="module")
def notebook(spark: Any, world: Path, result: Result) -> dict[str, Any]:
    """The names of a notebook in which the page on notebooks was run as it stands: one more run of the same plan."""
    page = (ROOT / "docs/notebook.md").read_text(encoding="utf-8")
    plan = world / "plan.yaml"
    plan.write_text(canonical(result.plan), encoding="utf-8")  # JSON is YAML
    names: dict[str, Any] = {"spark": spark}
    for code in re.findall(r"```python\n(.*?)```", page, flags=re.S):
        exec(code.replace("conf/demo.yaml", str(plan)), names)
    return names


def test_the_page_on_notebooks_runs_as_it_stands(notebook: dict[str, Any]) -> None:
    mine, theirs = notebook["segments"], notebook["result"].segments
    assert mine.join(theirs, ["pseudonym", "segment"]).count() == mine.count() == theirs.count() == COUNT - REFUSED
    for counted in (notebook["summed"], notebook["tallied"].where("_cell <> -1")):  # -1: everybody again, for the squares
        assert counted.agg({"n": "sum"}).first()[0] == COUNT - REFUSED


def test_nobody_asked_for_a_seed_and_two_runs_draw_different_noise(result: Result, notebook: dict[str, Any]) -> None:
    """False alarm: 64 counts of scale 1/4.8 agree by chance with probability below 1e-13."""
    noisy = {r.run_id: bytes(r.noisy) for r in result.store.read(catalog.RELEASES).where("question = 'summary'").collect()}
    assert noisy["flow-1"] != noisy[notebook["result"].run_id]


def test_a_run_in_which_no_group_is_large_enough_to_judge_has_its_report(spark: Any, world: Path, tmp_path: Path) -> None:
    """A group would need 3 times 5,000 customers, five times as many as there are: no noise at ε = 20 makes up for that."""
    changes = in_folder(tmp_path) | {f"sources.{s}.path": f"{world}/{s}" for s in ("customers", "consent")}
    changes |= {
        "pseudonyms.key_file": f"{world}/key",
        "features": [{"name": "tenure", "why": "t", "column": "years", "bounds": [0, 20], "missing": 0}],
        "sources.events": {},
        "privacy.epsilon": 20.0,
        "privacy.population_total": 20.0,
        "privacy.minimum_cell": 5000,
    }
    small = run(parse_plan(plan_yaml(changes)), spark, as_of=NOW, run_id="small")
    assert {(r.attribute, r.metric, r.verdict) for r in small.fairness_summary.collect()} == {
        ("gender", "all", "cannot tell"),
        ("age_band", "all", "cannot tell"),
    }
    assert small.fairness_groups.isEmpty()
    assert "female" in small.facts.too_small["gender"]
    assert small.facts.too_small["gender"] in small.report.read_text(encoding="utf-8")


def test_an_uneven_result_blocks_the_run_when_the_plan_says_so(spark: Any, world: Path) -> None:
    """All women are new, all men are faithful; and names may be those that our own columns could have."""
    customers, purchases = people(600)
    uneven = [(i, 1.0 if n % 2 else 19.0, "f" if n % 2 else "m", age, mail) for n, (i, _, _, age, mail) in enumerate(customers)]
    folder = world / "uneven"
    write_sources(spark, folder, uneven, purchases=purchases)
    changes = in_folder(folder) | {
        "pseudonyms.key_file": f"{world}/key",
        "fairness": {"when_uneven": "block"},
        "segments.k": 2,
        "features": [{"name": "distance", "why": "t", "column": "years", "bounds": [0, 20], "missing": 0}],
        "protected.1.name": "cost",
        "sources.events": {},
        "privacy.epsilon": 20.0,
        "privacy.population_total": 20.0,
    }
    plan = parse_plan(plan_yaml(changes))
    with pytest.raises(Blocked, match="gender: representation ratio") as wrong:
        run(plan, spark, as_of=NOW, run_id="blocked-1")
    assert wrong.value.exit_code == 3
    runs = spark.read.format("delta").load(f"{folder}/open/runs").orderBy("status", ascending=False).collect()
    assert [r.status for r in runs] == ["running", "blocked"]
    assert any("gender" in reason for reason in runs[-1].reasons)
    with pytest.raises(Blocked) as again:  # nothing is computed again
        run(plan, spark, run_id="blocked-1")
    assert again.value.exit_code == 3
    assert "run blocked-1 is blocked, nothing was published: " in str(again.value)
    assert spark.read.format("delta").load(f"{folder}/open/runs").count() == 2
    assert not (folder / "reports").exists()


class PulledTogether(NoNoise):
    """No noise but on the sums of the two segments' only feature: as much as theirs usually is, towards each other."""

    def add(self, exact: NDArray[np.int64], noise: Noise) -> NDArray[np.int64]:
        if len(exact) == 2 and noise.scale > STEPS:
            return exact + np.array([1, -1]) * round(noise.deviation)  # the first segment is the one with less tenure
        return super().add(exact, noise)


def test_segments_that_are_expected_to_be_worse_than_one_for_everybody_block_the_run(
    spark: Any, world: Path, tmp_path: Path
) -> None:
    changes = in_folder(tmp_path) | ONE_FEATURE | {f"sources.{s}.path": f"{world}/{s}" for s in ("customers", "consent")}
    changes |= {
        "pseudonyms.key_file": f"{world}/key",
        "segments.when_useless": REMOVED,
        "privacy.expected_customers": 500,
        "privacy.split": {"summary": 0.998, "profiles": 0.001, "fairness": 0.001},
    }
    plan = parse_plan(plan_yaml(changes))
    with pytest.raises(Blocked, match=r"worse than one segment for everybody.*; .*segments\.when_useless: publish") as wrong:
        run(plan, spark, as_of=NOW, run_id="useless", noise=PulledTogether(), steps=("prepare", "segment", "assess"))
    assert wrong.value.exit_code == 3
    last = spark.read.format("delta").load(f"{tmp_path}/open/runs").orderBy("status", ascending=False).collect()[-1]
    assert last.status == "blocked"
    assert any("worse than one segment" in reason for reason in last.reasons)


def test_whoever_runs_a_plan_is_warned_as_by_check_before_anything_is_spent(spark: Any, world: Path) -> None:
    few, said = parse_plan(plan_yaml(in_folder(world))), []
    with pytest.warns(AdviceWarning) as warned, pytest.raises(RunConflict):
        run(few, spark, run_id="nowhere", steps=["segment"])
    assert [str(w.message) for w in warned if w.category is AdviceWarning] == advice(few) != []
    with pytest.raises(RunConflict):
        run(few, spark, run_id="nowhere", steps=["segment"], say=said.append)
    assert said == [*lacking(spark), *advice(few)]


def test_runs_are_listed_opened_and_compared_by_plan_and_by_zone(spark: Any, result: Result, notebook: dict[str, Any]) -> None:
    later, scored = notebook["result"].run_id, notebook["later"]
    found = runs(result.plan, spark)
    expected = [(scored, "published", later), (later, "published", None), ("flow-1", "published", None)]
    assert [(past.run_id, past.status, past.centers_of) for past in found] == expected
    assert f", scored into the segments of {later}" in str(found)
    assert found["flow-1"].as_of == NOW and found["flow-1"].fingerprint == fingerprint(result.plan)
    assert later in str(found) and "published" in found._repr_html_()
    assert found.open("flow-1").segments.count() == COUNT - REFUSED
    by_zone = runs(str(result.plan.output.open.path), spark).open("flow-1")
    assert by_zone.facts.verdicts == result.facts.verdicts != found.open(later).facts.verdicts
    told = str(found.compare("flow-1", later))
    assert "by one plan" in told and "segments: 3, then 3" in told
    with pytest.raises(RunConflict, match=f"there is no run nobody here; the newest: {scored}, {later}, flow-1") as wrong:
        found.open("nobody")
    assert wrong.value.exit_code == 2


def test_a_result_in_a_console_is_its_summary(result: Result) -> None:
    assert repr(result) == str(result)
    assert len(repr(result).splitlines()) < 20


def test_the_command_shows_past_runs(
    spark: Any, world: Path, result: Result, notebook: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["runs", *arguments, "--plan", str(world / "plan.yaml")]) == 0, arguments
        return capsys.readouterr().out.strip()

    listed = json.loads(told("list", "--json"))["runs"]
    scored, later, first = [past["run_id"] for past in listed]
    assert (scored, later, first) == (notebook["later"], notebook["result"].run_id, "flow-1")
    assert told("show", "flow-1").splitlines()[-1] == f"report: {result.report}"
    assert told("open", "flow-1") == str(result.report)
    assert told("compare", "flow-1", later).startswith(f"runs flow-1 and {later}")
    assert main(["runs", "show", "nobody", "--plan", str(world / "plan.yaml")]) == 2
    assert "there is no run nobody here" in capsys.readouterr().err
