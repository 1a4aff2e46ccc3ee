"""The empirical audit of every release: claim and lower bound on ε by worst case, and the faults it must find."""

from __future__ import annotations

import argparse
import sys

from pyspark.sql import SparkSession

from audit import ALARM, Finding, audit_path, audit_release
from audit_learning import audit_learning, fixed_point
from evenhand.session import start
from faults import FAULTS, noise_halved, only_observed_noised
from world import CASES, METHODS, audit_plan, exact_answers, exact_bounds

EPSILON = 10.0  # of the audited run: parts of 0.4 to 2.4, where few runs tell much; the mechanism is the same at any ε
LOUD_EPSILON = 100.0  # where the assessment's parts of a hundredth of ε tell something too
PATH_EPSILON = 2.0  # of the audited way from the summary to the centers
STEPS = "histograms, boxes, a step"
GAUSSIAN_RUNS = 200_000  # its conversion to ε leaves room, so that a factor of two shows in many runs only
# Of a release, of the summary as it is read, of the centers learned from it, of all that is asked to learn.
RUNS = {"full": (60_000, 20_000, 1_500, 1_500), "quick": (20_000, 15_000, 400, 800)}


def releases(spark: SparkSession, runs: int) -> list[Finding]:
    findings = []
    for method in METHODS:
        plan = audit_plan(EPSILON, method)
        without = exact_answers(spark, plan, [])
        for case, extra in CASES.items():
            for name, answer in exact_answers(spark, plan, extra).items():
                findings += audit_release(without[name], answer, case, runs)
    unbounded, gaussian = audit_plan(EPSILON, without_bounds=True), audit_plan(EPSILON, STEPS, gaussian=True)
    nobody_more = exact_bounds(spark, unbounded, [])
    for case, extra in CASES.items():
        findings += audit_release(nobody_more, exact_bounds(spark, unbounded, extra), case, runs)
    without = exact_answers(spark, gaussian, [])
    for case, extra in CASES.items():
        for name, answer in exact_answers(spark, gaussian, extra).items():
            findings += audit_release(without[name], answer, f"Gaussian, {case}", runs)
    loud = audit_plan(LOUD_EPSILON)
    nobody_more = exact_answers(spark, loud, [], only=["assessment"])["assessment"]
    for case, extra in CASES.items():
        answer = exact_answers(spark, loud, extra, only=["assessment"])["assessment"]
        findings += audit_release(nobody_more, answer, f"ε = {LOUD_EPSILON:g}, {case}", runs)
    return findings


def paths(spark: SparkSession, as_read: int, centers: int, learning: int) -> list[Finding]:
    plan = audit_plan(PATH_EPSILON)
    without, findings = exact_answers(spark, plan, [], only=["summary"])["summary"], []
    for case, extra in CASES.items():
        answer = exact_answers(spark, plan, extra, only=["summary"])["summary"]
        for to_centers, runs in ((False, as_read), (True, centers)):
            findings.append(audit_path(without, answer, plan, case, runs, to_centers))
    plan = audit_plan(EPSILON, STEPS)
    nobody_more = fixed_point(spark, plan, [])
    for case, extra in CASES.items():
        findings += audit_learning(nobody_more, fixed_point(spark, plan, extra), plan, case, learning)
    return findings


def planted(spark: SparkSession, runs: int, as_read: int, learning: int) -> dict[str, Finding]:
    """What the audit says of each fault, in the release where it must be found."""
    plan, found = audit_plan(EPSILON), {}
    without = exact_answers(spark, plan, [])
    for name, fault in FAULTS.items():
        answers = exact_answers(spark, plan, CASES[fault.case], fault.prepare, fault.found_in)
        for release in fault.found_in:
            findings = audit_release(without[release], answers[release], fault.case, runs, fault.mechanism)
            found[f"{name}, {release}"] = max(findings, key=lambda f: f.bound - f.claim)
    unbounded = audit_plan(EPSILON, without_bounds=True)
    one, other = (exact_bounds(spark, unbounded, extra) for extra in ([], CASES["far outside the bounds"]))
    findings = audit_release(one, other, "far outside the bounds", runs, only_observed_noised)
    found["only observed bins get noise, bounds"] = max(findings, key=lambda f: f.bound - f.claim)
    gaussian, case = audit_plan(EPSILON, STEPS, gaussian=True), "at a corner"
    one, other = (exact_answers(spark, gaussian, extra, only=["summary"])["summary"] for extra in ([], CASES[case]))
    findings = audit_release(one, other, case, GAUSSIAN_RUNS, noise_halved)
    found["Gaussian noise halved, summary"] = max(findings, key=lambda f: f.bound - f.claim)
    low, case = audit_plan(PATH_EPSILON), "alone in an empty box"
    one, other = (exact_answers(spark, low, extra, only=["summary"])["summary"] for extra in ([], CASES[case]))
    found["only observed boxes get noise, path"] = audit_path(one, other, low, case, as_read, False, only_observed_noised)
    low = audit_plan(PATH_EPSILON, STEPS)
    a, b = (fixed_point(spark, low, extra) for extra in ([], CASES[case]))
    found["only observed boxes get noise, learning"] = audit_learning(a, b, low, case, learning, only_observed_noised)[0]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="audit-privacy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the runs")
    runs, as_read, centers, learning = RUNS["quick" if parser.parse_args().quick else "full"]
    spark = start("evenhand audit")
    spark.sparkContext.setLogLevel("ERROR")
    findings = [*releases(spark, runs), *paths(spark, as_read, centers, learning)]
    print(f"{'release':<19} {'part':<20} {'worst case':<31} {'claim':>6} {'bound':>6}")
    for f in findings:
        print(f"{f.release:<19} {f.part:<20} {f.case:<31} {f.claim:>6.3f} {f.bound:>6.3f}{'' if f.passed else '  BROKEN'}")
    missed = []
    for name, f in planted(spark, runs, as_read, learning).items():
        print(f"{'planted: ' + name:<72} {f.claim:>6.3f} {f.bound:>6.3f}{'  not found' if f.passed else ''}")
        missed += [name] if f.passed else []
    broken = [f for f in findings if not f.passed]
    print(f"{len(findings)} audits, {len(broken)} above their claim; false alarm of all together at most {ALARM:g}")
    if broken or missed:
        print(f"audit-privacy: {len(broken)} claims broken, {len(missed)} planted faults not found", file=sys.stderr)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
