"""The audit log is one chain that is only added to, and the records of the zones must agree with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import write_key
from evenhand.errors import DataError, EvenhandError, IntegrityError, KeyFileError, OutputError, PlanError
from evenhand.governance.verify import verify
from evenhand.job.api import run
from evenhand.plan.load import parse_plan
from evenhand.plan.models import Plan
from evenhand.privacy.noise import NoNoise
from evenhand.records.audit import AuditLog, Entry, first_broken
from evenhand.tables.catalog import AUDIT_LOG, BUDGET, BUDGET_ENTRIES, RELEASES, RUNS, SEGMENT_CENTERS
from evenhand.tables.store import Store
from sample import KEY, NOW, ONE_FEATURE, in_folder, people, plan_yaml, write_sources

pytestmark = pytest.mark.long  # many runs

# The records of a run are the same whatever it is about.
SMALL = ONE_FEATURE | {"privacy.epsilon": 3.0, "privacy.population_total": 9.0, "privacy.expected_customers": 500}


def chain(length: int) -> list[tuple[Entry, str]]:
    entries, previous = [], ""
    for number in range(1, length + 1):
        entry = Entry(number, 1_000_000 * number, "ada", "run-1", "start", "{}", previous)
        entries.append((entry, entry.hash))
        previous = entry.hash
    return entries


FIELDS = {
    "sequence": 99,
    "at": 5,
    "actor": "bob",
    "run_id": "run-2",
    "action": "publish",
    "details": '{"a":1}',
    "previous": "0" * 64,
}


@given(st.integers(1, 8), st.data())
def test_whatever_is_changed_taken_out_or_put_in_is_found_where_it_was(length: int, data: st.DataObject) -> None:
    entries = chain(length)
    assert first_broken(entries) is None
    where = data.draw(st.integers(0, length - 1))
    field = data.draw(st.sampled_from(sorted(FIELDS)))
    changed = replace(entries[where][0], **{field: FIELDS[field]})
    assert first_broken([*entries[:where], (changed, entries[where][1]), *entries[where + 1 :]]) == where + 1
    again = changed, changed.hash  # with a hash that fits, the next entry gives it away, or its own place
    found = first_broken([*entries[:where], again, *entries[where + 1 :]])
    own_place = field in ("sequence", "previous")
    assert found == (where + 1 if own_place else where + 2 if where + 1 < length else None)
    if where + 1 < length:
        assert first_broken([*entries[:where], *entries[where + 1 :]]) == where + 1
    assert first_broken([*entries[: where + 1], entries[where], *entries[where + 1 :]]) == where + 2


@pytest.fixture
def log(spark: Any, plan: Callable[..., Plan]) -> Callable[[], AuditLog]:
    """A process's view of the log; each call is another process."""
    return lambda: AuditLog(Store(spark, plan().output))


def test_writers_at_once_make_one_chain_and_lose_nothing(log: Callable[[], AuditLog]) -> None:
    shared = log()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda i: (shared if i % 2 else log()).add(f"run-{i}", "start", {"number": i}), range(6)))
    entries = log().entries()
    assert [e.sequence for e, _ in entries] == [1, 2, 3, 4, 5, 6]
    assert sorted((e.run_id, e.details) for e, _ in entries) == [(f"run-{i}", f'{{"number":{i}}}') for i in range(6)]


def test_what_a_person_writes_comes_back_as_it_was(log: Callable[[], AuditLog]) -> None:
    said = 'Beide Geschlechter müssen es bekommen; "gleich" viele,\nsagt § 3.'
    log().add("run-1", "start", {"z": 1.0, "mitigation": {"justification": said}})
    (entry, _), *rest = log().entries()
    assert rest == []
    assert (
        entry.details
        == '{"mitigation":{"justification":"Beide Geschlechter müssen es bekommen; \\"gleich\\" viele,\\nsagt § 3."},"z":1.0}'
    )


TAMPERED = {
    "changed": ("UPDATE {} SET details = '{{}}' WHERE sequence = 2", "is broken at entry 2"),
    "taken out": ("DELETE FROM {} WHERE sequence = 2", "is broken at entry 2"),
    "emptied": ("DELETE FROM {}", "is older than its own newest entry"),
    "rolled back": ("RESTORE TABLE {} TO VERSION AS OF 1", "is older than its own newest entry"),
}


@pytest.fixture(scope="module")
def three_entries(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the log of three processes, to be copied before it is tampered with."""
    folder = tmp_path_factory.mktemp("three")
    output = parse_plan(plan_yaml(in_folder(folder))).output
    for number in range(3):
        AuditLog(Store(spark, output)).add("run-1", "start", {"number": number})
    return folder


@pytest.mark.parametrize("how", TAMPERED)
def test_a_log_that_was_tampered_with_takes_no_entry(
    spark: Any, log: Callable[[], AuditLog], three_entries: Path, tmp_path: Path, how: str
) -> None:
    shutil.copytree(three_entries, tmp_path, dirs_exist_ok=True)
    statement, found = TAMPERED[how]
    address = log().store.address(AUDIT_LOG)
    spark.sql(statement.format(address))
    left = spark.table(address).count()
    for _ in range(2):
        with pytest.raises(IntegrityError, match=found) as wrong:
            log().add("run-2", "start", {})
        assert wrong.value.exit_code == 5
        assert "\n" not in str(wrong.value)
    assert spark.table(address).count() == left


def may_not_spend(spark: Any, plan: Callable[..., Plan], store: Store) -> None:
    """Exact answers do not enter a zone with a ledger, nor the same people under another name; nothing is left of either."""
    mine, others = plan(SMALL), plan(SMALL | {"privacy.population": "others"})
    tried: list[tuple[type[EvenhandError], str, Callable[[], object]]] = [
        (OutputError, "noise that is not private does not", lambda: run(mine, spark, as_of=NOW, run_id="r2", noise=NoNoise())),
        (PlanError, "as population testers; under two", lambda: run(others, spark, as_of=NOW, run_id="r2")),
    ]
    for kind, said, attempt in tried:
        with pytest.raises(kind, match=said) as wrong:
            attempt()
        assert wrong.value.exit_code == 2
    assert store.read(RUNS).select("run_id").distinct().count() == 1
    assert {e.run_id for e, _ in AuditLog(store).entries()} == {"r1"}


def refuses_an_old_copy(spark: Any, folder: Path) -> None:
    """Ledger and log come back together from before r1: they agree, and the other tables know better."""
    copy = folder / "copy"
    shutil.copytree(folder, copy)
    for table in ("open/budget", "restricted/audit_log"):
        shutil.rmtree(copy / table)
    back = parse_plan(plan_yaml(in_folder(copy) | SMALL))
    for attempt in (lambda: run(back, spark, as_of=NOW, run_id="r2"), lambda: verify(back, spark)):
        with pytest.raises(IntegrityError, match="lacks spending that stands in .*, of run r1.*nothing was released"):
            attempt()
    assert not (copy / "open/budget").exists()
    assert not (copy / "restricted/audit_log").exists()


def test_records_that_contradict_the_log_are_found(spark: Any, plan: Callable[..., Plan], tmp_path: Path) -> None:
    write_sources(spark, tmp_path, people(300)[0])
    write_key(tmp_path / "key", KEY)
    mine = plan(SMALL)
    assert "audit log: 0 entries" in verify(mine, spark)
    store = run(mine, spark, as_of=NOW, run_id="r1", steps=["prepare", "segment", "assess"]).store
    run(mine, spark, as_of=NOW, run_id="r1", steps=["assess"])  # it is done, and nothing is done again
    entries = AuditLog(store).entries()
    assert [e.action for e, _ in entries] == ["start", "spend", "approve", "publish"]
    said = verify(mine, spark)
    assert f"audit log: 4 entries, none missing or changed, newest {entries[-1][1]}" in said
    assert "ledger: 1 runs have spent, with all 1 that the audit log names; of testers 1" in said
    assert "runs: 1 published" in said
    assert f"answers: {store.read(RELEASES).count()}, each stored as it was handed out" in said

    tables = (AUDIT_LOG, BUDGET, RUNS, RELEASES, BUDGET_ENTRIES)
    sound = {t: spark.sql(f"DESCRIBE HISTORY {store.address(t)}").first().version for t in tables}

    def refused(table: Any, statement: str, why: str) -> None:
        address = store.address(table)
        spark.sql(statement.replace("{}", address))
        with pytest.raises(IntegrityError, match=why):
            verify(mine, spark)
        spark.sql(f"RESTORE TABLE {address} TO VERSION AS OF {sound[table]}")

    refused(AUDIT_LOG, "UPDATE {} SET actor = 'somebody else' WHERE action = 'publish'", "is broken at entry 4")
    refused(BUDGET, "UPDATE {} SET epsilon = 0.1", "lacks spending that stands in the audit log, of run r1")
    refused(RUNS, "UPDATE {} SET run_id = 'r2'", "lacks spending that stands in .*runs., of run r2")
    refused(RELEASES, "UPDATE {} SET run_id = 'r2'", "lacks spending that stands in .*releases., of run r2")
    refused(RUNS, "UPDATE {} SET not_private = true", "runs. says of run r1 that it is not private, and the ledger")
    refused(RELEASES, "UPDATE {} SET not_private = true WHERE question = 'assessment'", "releases. says of run r1 that it is not")
    refused(RUNS, "INSERT INTO {} SELECT * FROM {} WHERE status = 'published'", "run r1 stands as published 2 times in .*runs")
    refused(RUNS, "DELETE FROM {} WHERE status = 'published'", "run r1 is published by the audit log, and .*runs. lacks it")
    refused(RUNS, "UPDATE {} SET plan_fingerprint = 'another'", "run r1 stands as published .* or of another plan")
    refused(
        RELEASES,
        "DELETE FROM {} WHERE question = 'assessment'",
        "releases. lacks assessment of run r1, which .*budget_entries. has",
    )
    refused(BUDGET_ENTRIES, "DELETE FROM {} WHERE question = 'assessment'", "budget_entries. lacks assessment of run r1")
    assert verify(mine, spark) == said
    may_not_spend(spark, plan, store)
    write_key(tmp_path / "key", KEY[::-1])
    with pytest.raises(KeyFileError, match="pseudonyms.key_id: test-1 stood for another key"):
        run(mine, spark, as_of=NOW, run_id="r2")
    write_key(tmp_path / "key", KEY)
    assert store.rows(RUNS, "r2") is None
    refuses_an_old_copy(spark, tmp_path)
    for how in ("changed", "rolled back"):
        spark.sql(TAMPERED[how][0].format(store.address(AUDIT_LOG)))
        with pytest.raises(IntegrityError, match=TAMPERED[how][1]):
            run(mine, spark, as_of=NOW, run_id="r2")
        assert [r.run_id for r in store.read(BUDGET).collect()] == ["r1"]  # nothing was spent
        assert store.rows(SEGMENT_CENTERS, "r2") is None
        spark.sql(f"RESTORE TABLE {store.address(AUDIT_LOG)} TO VERSION AS OF {sound[AUDIT_LOG]}")
    for file in (tmp_path / "open/budget").glob("*.parquet"):
        file.unlink()
    with pytest.raises(
        DataError, match=r"^verify: Spark stopped with \S+; a file of a table is gone .* put it back.*; nothing was changed$"
    ):
        verify(mine, spark)
