"""What a JVM writes to standard error while and after it starts: lines that mean nothing are taken out, all others stay."""

from __future__ import annotations

import subprocess
import time

import pytest

from evenhand.spark.quiet import without_noise

LINES = [
    "WARNING: Using incubator modules: jdk.incubator.vector",
    "a warning that means something",
    "netlib-blas: JNI_OnLoad: dlopen(libblas.so.3) failed: libblas.so.3: cannot open shared object file",
    "Deleted 0 files and directories in a total of 4 directories.",
    "the last words of a JVM that died",
]


def test_only_the_lines_that_mean_nothing_are_taken_out(capfd: pytest.CaptureFixture[str]) -> None:
    """Of a process that goes on after the block, as the JVM does."""
    script = "read go; echo 'from Ivy'; " + "; ".join(f"echo '{line}' >&2" for line in LINES)
    with without_noise():
        process = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE)
    process.communicate(b"\n", timeout=30)
    results, seen, until = "", "", time.monotonic() + 30
    while LINES[-1] not in seen and time.monotonic() < until:
        out, err = capfd.readouterr()
        results, seen = results + out, seen + err
        time.sleep(0.01)
    assert seen.splitlines() == ["from Ivy", LINES[1], LINES[4]]
    assert results == ""  # which a program may read: --json
