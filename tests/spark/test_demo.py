"""The demo at reduced size, as a user runs it: real spark-submit, real Delta, published tables read back."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ROOT, demo_plan, make_demo
from evenhand.plan.geometry import to_unit
from evenhand.plan.load import load_plan

pytestmark = pytest.mark.long  # the demo

CUSTOMERS = 20_000
Job = Callable[..., tuple[int, str, str]]  # its exit code, and what it wrote on either output


@pytest.fixture(scope="module")
def folder(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's tables, key and plan, everything in one folder."""
    folder = tmp_path_factory.mktemp("demo")
    path = demo_plan(make_demo(folder, CUSTOMERS), folder, expected=16_000)
    plan = path.read_text(encoding="utf-8")
    # At this size "other" would be now large enough to judge, now not, and its small cells would hide others with them.
    assert "female: [female]" in plan
    path.write_text(plan.replace("female: [female]", "female: [female, other]"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def published(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["spark-submit", "--master", "local[2]", "--driver-memory", "1500m", str(ROOT / "jobs/pipeline.py")]
    given = ["--plan", str(folder / "plan.yaml"), "--as-of", "2026-11-01", "--run-id", "whole"]
    done = subprocess.run([*command, *given], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.fixture
def job(spark: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Job:
    """A job in this process and its session, which know of the run that spark-submit did only what it stored."""

    def run(name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [name, "--plan", str(folder / "plan.yaml"), *arguments])
        with pytest.raises(SystemExit) as done:
            runpy.run_path(str(ROOT / f"jobs/{name}.py"), run_name="__main__")
        assert isinstance(done.value.code, int)
        return done.value.code, *capsys.readouterr()

    return run


def table(spark: Any, folder: Path, zone: str, name: str, run_id: str = "whole") -> Any:
    rows = spark.read.format("delta").load(str(folder / zone / name))
    return rows.where(rows.run_id == run_id)


def figures(printed: str) -> list[str]:
    """The lines of the summary, but for what is left of the budget: other runs spend it too."""
    return [line for line in printed.splitlines() if line.startswith("  ") and "privacy:" not in line]


def test_one_commit_says_published_with_the_pinned_versions(spark: Any, folder: Path, published: Any) -> None:
    runs = table(spark, folder, "open", "runs").orderBy("status", ascending=False).collect()
    assert [r.status for r in runs] == ["running", "published"]
    assert re.fullmatch("[0-9a-f]{64}", runs[-1].plan_fingerprint)
    assert runs[-1].sources == '{"consent": 0, "customers": 0, "purchases": 0}'


def test_everybody_who_said_yes_and_nobody_else_has_a_segment(spark: Any, folder: Path, published: Any) -> None:
    events = spark.read.format("delta").load(str(folder / "sources/consent")).where("purpose = 'loyalty_offers'").collect()
    latest: dict[str, tuple[Any, bool]] = {}
    for e in events:
        no = e.state != "granted" or (e.expires_at is not None and e.expires_at.isoformat() <= "2026-11-01T00:00:00")
        latest[e.customer_id] = max(latest.get(e.customer_id, (e.recorded_at, no)), (e.recorded_at, no))
    assert table(spark, folder, "restricted", "segments").count() == sum(not no for _, no in latest.values())


def test_medians_and_shares_of_the_revenue_lie_in_their_ranges(spark: Any, folder: Path, published: Any) -> None:
    """Some hundred figures; of a hundred more than 17 are missed with a chance of 1 in 100,000."""
    whole = table(spark, folder, "restricted", "prepared").join(
        table(spark, folder, "restricted", "segments").drop("run_id"), "pseudonym"
    )
    people = [row.asDict() for row in whole.collect()]
    plan = load_plan(folder / "plan.yaml")
    fixed = np.array([[row[name] for name in plan.feature_names] for row in people], dtype=np.float64)
    values, segment = to_unit(fixed, plan.features), np.array([row["segment"] for row in people])
    at = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}
    told = [r for r in table(spark, folder, "open", "segment_distribution").collect() if not r.suppressed]
    missed = 0
    for row in told:
        of = values[:, plan.feature_names.index(row.feature)]
        own = of[segment == row.segment]
        true = own.sum() / of.sum() if row.figure not in at else np.quantile(own, at[row.figure], method="inverted_cdf")
        missed += not row.low <= true <= row.high
    assert {row.feature for row in told if row.figure not in at} == {"frequency", "monetary"}
    assert len(told) > 60
    assert missed <= 17


def test_sizes_lie_in_their_intervals_and_women_are_found_under_represented_among_big_spenders(
    spark: Any, folder: Path, published: Any
) -> None:
    exact = {r.segment: r["count"] for r in table(spark, folder, "restricted", "segments").groupBy("segment").count().collect()}
    sizes = table(spark, folder, "open", "segment_profiles").where("measure = 'size'").collect()
    assert {r.segment for r in sizes} == set(exact)
    # Discrete Laplace of scale 25: farther than 600 with a chance of e^-24 a segment.
    assert all(abs(r.value - exact[r.segment]) < 600 for r in sizes)
    spenders = table(spark, folder, "open", "segment_centers").orderBy("monetary", ascending=False).first().segment
    women = table(spark, folder, "open", "fairness_stats").where(f"segment = {spenders} and `group` = 'female'").first()
    assert 0.4 < women.representation_ratio < 0.8
    verdict = (
        table(spark, folder, "open", "fairness_summary").where("attribute = 'gender' and metric = 'representation_ratio'").first()
    )
    assert verdict.verdict == "uneven"


def test_the_user_sees_each_step_a_summary_and_the_report(folder: Path, published: Any) -> None:
    for number, step in enumerate(("prepare", "segment", "assess", "report"), 1):
        # spark-submit puts what Python writes to standard error on its own standard output.
        assert f"evenhand: [{number}/4] {step}: " in published.stdout
    last = published.stdout.strip().splitlines()[-1]
    assert last == f"report: {folder}/reports/whole.html"
    page = Path(last.removeprefix("report: ")).read_text(encoding="utf-8")
    assert page.count("<svg ") == 2 * 8  # each plot for a wide page and for a narrow one
    assert not re.search(r"<script|src=|href=|https?://(?!www\.w3\.org)", page)


def test_no_exact_size_of_a_segment_or_a_group_reaches_the_page_or_the_terminal(spark: Any, folder: Path, published: Any) -> None:
    """A noisy count equals the exact one by chance with at most 2 %; hence the exact *list* of sizes is searched, not one size.

    False alarm: six equal at once, below 1e-9.
    """
    sizes = [r["count"] for r in table(spark, folder, "restricted", "segments").groupBy("segment").count().collect()]
    page = (folder / "reports/whole.html").read_text(encoding="utf-8")
    for text in (page, published.stdout, published.stderr):
        assert not all(f"{size:,}" in text or str(size) in text for size in sizes)
    assert f"{sum(sizes):,}" not in published.stdout
    assert str(sum(sizes)) not in published.stderr


def test_the_records_of_the_run_are_verified_by_a_job(job: Job, published: Any) -> None:
    code, printed, wrong = job("verify")
    assert code == 0, wrong
    assert re.search(r"^audit log: \d+ entries, none missing or changed, newest [0-9a-f]{64}$", printed, flags=re.M)
    assert re.search(r"^runs: \d published, each as the audit log says$", printed, flags=re.M)


def test_the_steps_alone_do_the_same_under_one_run_id(spark: Any, folder: Path, job: Job, published: Any) -> None:
    code, _, wrong = job("assess", "--run-id", "steps")
    assert code == 2
    assert "run the step prepare first" in wrong
    assert job("prepare", "--run-id", "steps", "--as-of", "2026-11-01")[0] == 0
    for step in ("segment", "assess", "report"):
        code, _, wrong = job(step, "--run-id", "steps")
        assert code == 0, wrong
    assert (
        table(spark, folder, "restricted", "segments", "steps").count() == table(spark, folder, "restricted", "segments").count()
    )
    assert (folder / "reports/steps.html").exists()


def test_a_finished_run_started_again_publishes_the_very_same_figures_and_spends_nothing(
    spark: Any, folder: Path, job: Job, published: Any
) -> None:
    code, printed, wrong = job("pipeline", "--run-id", "whole")
    assert code == 0, wrong
    assert figures(printed) == figures(published.stdout) != []
    answers = [row.question for row in table(spark, folder, "restricted", "releases").collect()]
    assert sorted(answers) == ["assessment", "distribution", "marginals", "refinement 1", "summary"]
    assert table(spark, folder, "open", "runs").where("status = 'published'").count() == 1
