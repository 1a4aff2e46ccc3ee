"""The empirical audit of every release: claim and lower bound on ε by worst case, and the faults it must find."""

from __future__ import annotations

import argparse
import sys
from unittest.mock import patch

from pyspark.sql import SparkSession

from alike import counted_otherwise
from audit import ALARM, Finding, audit_path, audit_release, audit_spread
from audit_learning import audit_learning
from evenhand.ask import assessment as tallies
from evenhand.plan.models import Plan
from evenhand.spark.session import settings, start
from faults import FAULTS, each_alone, noise_halved, only_observed_noised
from sensitivity import wrong_changes
from world import (
    BALANCED,
    CASES,
    METHODS,
    NOBODY,
    Prepared,
    audit_plan,
    exact_answers,
    exact_bounds,
    may_not_be_used,
    population,
    wrong_rows,
)

EPSILON = 10.0  # of the audited run: parts of 0.4 to 2.4, where few runs tell much; the mechanism is the same at any ε
LOUD_EPSILON = 100.0  # where the assessment's parts of a hundredth of ε tell something too
PATH_EPSILON = 2.0  # of the audited way from the summary to the centers
STEPS = "histograms, boxes, a step"
# Of a release, of the summary as it is read, of the centers learned from it, of all that is asked to learn.
RUNS = {"full": (60_000, 20_000, 1_500, 1_500), "quick": (20_000, 15_000, 400, 800)}
Neighbors = dict[str, Prepared]  # by case


def neighbors(spark: SparkSession) -> tuple[Prepared, Neighbors]:
    """What `prepare` makes of the population, and of it with each case; the plans of the audit differ in what they ask only."""
    plan = audit_plan(EPSILON)
    more = {**CASES, NOBODY: may_not_be_used("x", 0.0)}
    return Prepared.of(spark, plan, population()), {
        case: Prepared.of(spark, plan, population() + rows) for case, rows in more.items()
    }


def for_certain(one: Prepared, cases: Neighbors, plan: Plan) -> list[str]:
    """What the rows and the exact answers of neighbors say is wrong, without any noise."""
    found, without = [], exact_answers(plan, one.people)
    for case, other in cases.items():
        more = 0 if case == NOBODY else 1
        found += [f"{case}: {wrong}" for wrong in wrong_rows(one, other, plan, more)]
        for name, answer in exact_answers(plan, other.people).items():
            wrong = wrong_changes(answer.parts, without[name].vectors, answer.vectors, more)
            found += [f"{case}: {name}, {part} changes by more than it declares" for part in wrong]
            found += [f"{case}: {name} asks for other cells"] if answer.parts != without[name].parts else []
    return found


def releases(spark: SparkSession, one: Prepared, cases: Neighbors, runs: int) -> list[Finding]:
    findings = []
    plans = {name: audit_plan(EPSILON, name) for name in METHODS}
    plans |= {"Gaussian": audit_plan(EPSILON, STEPS, gaussian=True), f"ε = {LOUD_EPSILON:g}": audit_plan(LOUD_EPSILON)}
    for name, plan in plans.items():
        only = ["assessment"] if plan.privacy.epsilon == LOUD_EPSILON else []
        without = exact_answers(plan, one.people, only)
        for case, other in cases.items():
            label = case if name in METHODS or case == NOBODY else f"{name}, {case}"
            for question, answer in exact_answers(plan, other.people, only).items():
                findings += audit_release(without[question], answer, label, runs)
                if plan.privacy.unit == "rho":
                    findings += audit_spread(without[question], answer, f"ρ, {case}", runs)
    unbounded = audit_plan(EPSILON, without_bounds=True)
    nobody_more = exact_bounds(spark, unbounded, population())
    for case, rows in CASES.items():
        findings += audit_release(nobody_more, exact_bounds(spark, unbounded, population() + rows), case, runs)
    return findings


def paths(one: Prepared, cases: Neighbors, as_read: int, centers: int, learning: int) -> list[Finding]:
    plan, steps, findings = audit_plan(PATH_EPSILON), audit_plan(EPSILON, STEPS), []
    without = exact_answers(plan, one.people, ["summary"])["summary"]
    for case in CASES:
        answer = exact_answers(plan, cases[case].people, ["summary"])["summary"]
        for to_centers, runs in ((False, as_read), (True, centers)):
            findings.append(audit_path(without, answer, plan, case, runs, to_centers))
        findings += audit_learning(one.people.points, cases[case].people.points, steps, case, learning)
    return findings


def planted(spark: SparkSession, one: Prepared, cases: Neighbors, runs: int, as_read: int, learning: int) -> dict[str, Finding]:
    """What the audit says of each fault, in the release where it must be found."""
    plan, found = audit_plan(EPSILON), {}
    for name, fault in FAULTS.items():
        a, b = fault.neighbors(spark, plan)
        exact = [exact_answers(plan, p.people, fault.found_in) for p in (a, b)] if fault.found_in else []
        for release in fault.found_in:
            findings = audit_release(exact[0][release], exact[1][release], fault.case, runs, fault.mechanism)
            found[f"{name}, {release}"] = max(findings, key=lambda f: f.bound - f.claim)
    unbounded, far = audit_plan(EPSILON, without_bounds=True), "far outside the bounds"
    answers = [exact_bounds(spark, unbounded, rows) for rows in (population(), population() + CASES[far])]
    findings = audit_release(*answers, far, runs, only_observed_noised)
    found["only observed bins get noise, bounds"] = max(findings, key=lambda f: f.bound - f.claim)
    gaussian, corner = audit_plan(EPSILON, STEPS, gaussian=True), (one.people, cases["at a corner"].people)
    answers = [exact_answers(gaussian, people, ["summary"])["summary"] for people in corner]
    findings = audit_spread(*answers, "at a corner", runs, noise_halved)
    found["Gaussian noise halved, summary"] = max(findings, key=lambda f: f.bound - f.claim)
    with patch.object(tallies, "row_sensitivity", each_alone):
        answers = [exact_answers(gaussian, people, ["assessment"])["assessment"] for people in corner]
        findings = audit_spread(*answers, "at a corner", runs)
    found["Gaussian sensitivity without √d, assessment"] = max(findings, key=lambda f: f.bound - f.claim)
    low, case = audit_plan(PATH_EPSILON), "alone in an empty box"
    answers = [exact_answers(low, p.people, ["summary"])["summary"] for p in (one, cases[case])]
    found["only observed boxes get noise, path"] = audit_path(*answers, low, case, as_read, False, only_observed_noised)
    low, (a, b) = audit_plan(PATH_EPSILON, STEPS), (one.people.points, cases[case].people.points)
    found["only observed boxes get noise, learning"] = audit_learning(a, b, low, case, learning, only_observed_noised)[0]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="audit-privacy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the runs")
    runs, as_read, centers, learning = RUNS["quick" if parser.parse_args().quick else "full"]
    spark = start("evenhand audit")
    spark.sparkContext.setLogLevel("ERROR")
    with settings(spark, "UTC"):
        return report(spark, runs, as_read, centers, learning)


def report(spark: SparkSession, runs: int, as_read: int, centers: int, learning: int) -> int:
    one, cases = neighbors(spark)
    wrong = (
        counted_otherwise(spark)
        + for_certain(one, cases, audit_plan(EPSILON))
        + for_certain(one, cases, audit_plan(EPSILON, BALANCED))
    )
    print("\n".join(["for certain:", *(wrong or ["rows and exact answers of neighbors differ by what one customer may change"])]))
    findings = [*releases(spark, one, cases, runs), *paths(one, cases, as_read, centers, learning)]
    print(f"{'release':<19} {'part':<20} {'worst case':<31} {'claim':>6} {'bound':>6}")
    for f in findings:
        print(f"{f.release:<19} {f.part:<20} {f.case:<31} {f.claim:>6.3f} {f.bound:>6.3f}{'' if f.passed else '  BROKEN'}")
    missed = []
    for name, f in planted(spark, one, cases, runs, as_read, learning).items():
        print(f"{'planted: ' + name:<72} {f.claim:>6.3f} {f.bound:>6.3f}{'  not found' if f.passed else ''}")
        missed += [name] if f.passed else []
    broken = [f for f in findings if not f.passed]
    print(f"{len(findings)} audits, {len(broken)} above their claim; false alarm of all together at most {ALARM:g}")
    if broken or missed or wrong:
        print(
            f"audit-privacy: {len(broken)} claims broken, {len(missed)} planted faults not found, {len(wrong)} faults for certain",
            file=sys.stderr,
        )
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
