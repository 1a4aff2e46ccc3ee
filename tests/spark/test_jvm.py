"""What the suite tells when a JVM dies under it, and that the next file has a living one. Real JVMs, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.long

DYING = """
import sys
from pathlib import Path
from conftest import SETTINGS
from jvm import Jvm

jvm = Jvm(SETTINGS | {"spark.driver.memory": "600m"}, Path(sys.argv[1]))
spark = jvm.session()
assert jvm.last_words() == ""
try:
    spark.range(1).selectExpr("length(repeat(uuid(), 20000000))").collect()
except Exception:
    pass
print(jvm.last_words())
print("next:", jvm.session().range(3).count())
jvm.stop()
"""


def test_a_dying_jvm_leaves_its_reason_and_the_next_file_gets_a_new_one(tmp_path: Path) -> None:
    asked = [sys.executable, "-c", DYING, str(tmp_path / "log")]
    done = subprocess.run(asked, cwd=HERE.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "exit code 52" in done.stdout
    assert "java.lang.OutOfMemoryError" in done.stdout
    assert done.stdout.splitlines()[-1] == "next: 3"
