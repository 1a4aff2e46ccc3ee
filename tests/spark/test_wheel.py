"""The wheel, installed in a fresh environment outside of the checkout, as somebody gets it who has no clone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from conftest import ROOT, write_key
from sample import KEY, NOW, in_folder, plan_yaml

SMALL = {"privacy.epsilon": 3.0, "privacy.population_total": 7.0, "privacy.expected_customers": 500}
NOTICE = {
    "contact": {"controller": "Example", "reach": "privacy@example.com"},
    "notice": {"version": "1", "languages": ["de"], "recipients": []},  # by a catalog, which the wheel must carry
}
MAKE = """
import sys
from pathlib import Path
import evenhand
from sample import people, write_sources

customers, purchases = people(300)
write_sources(evenhand.session({"spark.driver.memory": "1g"}), Path(sys.argv[1]), customers, purchases=purchases)
print(evenhand.__file__)
"""


@pytest.mark.long
def test_a_plan_runs_by_the_wheel_alone(tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts/package", tmp_path / "dist"], check=True, capture_output=True)
    venv.create(tmp_path / "venv", with_pip=True)
    bin, wheel = tmp_path / "venv/bin", next((tmp_path / "dist").glob("*.whl"))
    pip = [bin / "python", "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", f"{wheel}[spark]"]
    subprocess.run(pip, check=True, capture_output=True)

    write_key(tmp_path / "key", KEY)
    (tmp_path / "plan.yaml").write_text(plan_yaml(in_folder(tmp_path) | SMALL | NOTICE), encoding="utf-8")
    (tmp_path / "conf").mkdir()
    # Only where jars are kept, so that they need not be fetched again: nothing that brings Delta.
    ivy = f"spark.jars.ivy {ROOT}/.venv/ivy\nspark.jars.ivySettings {ROOT}/conf/ivysettings.xml\nspark.driver.memory 1500m\n"
    (tmp_path / "conf/spark-defaults.conf").write_text(ivy, encoding="utf-8")
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "JAVA_HOME") if name in os.environ}
    environment = kept | {"PATH": f"{bin}:{os.environ['PATH']}", "SPARK_CONF_DIR": str(tmp_path / "conf")}

    def done(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment | more)

    made = done("python", "-c", MAKE, str(tmp_path), PYTHONPATH=str(ROOT / "tests"))
    assert made.returncode == 0, made.stderr[-2000:]
    assert made.stdout.splitlines()[-1].startswith(str(tmp_path / "venv"))
    ran = done("evenhand", "run", "--plan", "plan.yaml", "--as-of", NOW.isoformat(), "--run-id", "wheel", "--json")
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = json.loads(ran.stdout)
    assert (told["run_id"], told["status"]) == ("wheel", "published")
    assert Path(told["report"]).exists()
    said = ran.stderr.splitlines()
    assert [line for line in said if not line.startswith("evenhand: ")] == []
    assert any("[4/4] report: done after " in line for line in said)
    assert sys.prefix not in ran.stderr
    told = done("evenhand", "notice", "--plan", "plan.yaml", "--to", "notice")
    assert (told.returncode, told.stderr) == (0, "")
    assert "Wie wir Ihre Daten nutzen" in (tmp_path / "notice/notice.de.html").read_text(encoding="utf-8")
