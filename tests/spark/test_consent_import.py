"""Import of consent events: every row is judged, nothing comes twice, and what is not understood is never a yes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from evenhand.cli.main import main
from evenhand.errors import Busy, EvenhandError
from evenhand.people import consent_import
from evenhand.people.consent_import import import_consent
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, may_be_used
from evenhand.sources.open import open_sources, pin_versions
from evenhand.tables import catalog
from evenhand.tables.store import Store
from sample import CUSTOMERS, PURCHASES, customer, plan_yaml, write_source

pytestmark = pytest.mark.long  # many files taken in

Build = Callable[..., Plan]
HEAD = "record_id,customer_id,purpose,state,recorded_at,expires_at,attribute,signal,notice_version"
TABLE = (
    "customer_id STRING, purpose STRING, state STRING, recorded_at TIMESTAMP, expires_at TIMESTAMP, record_id STRING, "
    "attribute STRING, signal STRING, notice_version STRING"
)
# who: the fields of one row behind the id; the reasons; whether the person may be used afterwards
ROWS: dict[str, tuple[str, list[str], bool]] = {
    "sound": ("offers,given,2020-01-02T03:04:05Z,,,,", [], True),
    "renewed": ("offers,renewed,2020-01-02,2099-01-01,,,2.1", [], True),
    "dpv": ("offers,dpv:ConsentGiven,2020-01-02 10:00,,,,", [], True),
    "blanks": (" offers , given , 2020-01-02 ,,,,", [], True),
    "withdrew": ("offers,withdrawn,,,,,", [], False),
    "signal": (",,,,,gpc,", [], False),
    "unknown-state": ("offers,Granted,2020-01-02,,,,", ["the state is unknown"], False),
    "no-state": ("offers,,2020-01-02,,,,", ["the state is missing"], False),
    "no-time": ("offers,given,,,,,", ["a yes without a time"], False),
    "bad-time": ("offers,given,yesterday,,,,", ["recorded_at is no time"], False),
    "bad-number": ("offers,given,1767312000,,,,", ["recorded_at is no time"], False),
    "bad-end": ("offers,given,2020-01-02,whenever,,,", ["expires_at is no time"], False),
    "future": ("offers,given,2999-01-02,,,,", ["recorded_at lies in the future"], False),
    "future-no": ("offers,refused,2999-01-02,,,,", ["recorded_at lies in the future"], False),
    "for-nothing": (",given,2020-01-02,,,,", ["a yes without a purpose"], True),
    "ragged": ("offers,given", ["the line cannot be taken apart"], False),
}
CONFLICT = ["conflict,offers,given,2020-01-05,,,,", "conflict,offers,refused,2020-01-05,,,,"]


@pytest.fixture
def world(spark: Any, plan: Build, tmp_path: Path) -> Plan:
    """All of them had said yes long ago, so that only a no shows."""
    write_source(spark, tmp_path / "customers", [customer(who) for who in [*ROWS, "conflict", "nobody-said"]], CUSTOMERS)
    write_source(spark, tmp_path / "purchases", [], PURCHASES)
    long_ago = datetime(2012, 1, 1, tzinfo=UTC)
    rows = [(who, "offers", "granted", long_ago, None, None, None, None, None) for who in [*ROWS, "conflict"]]
    write_source(spark, tmp_path / "consent", rows, TABLE)
    return plan()


def csv(path: Path, lines: list[str], head: str = HEAD, encoding: str = "utf-8-sig") -> str:
    path.write_text("\n".join([head, *lines]) + "\n", encoding=encoding)
    return str(path)


def events(spark: Any, plan: Plan) -> list[tuple[Any, ...]]:
    rows = (
        spark.read.format("delta")
        .load(plan.sources.consent.path)
        .select("customer_id", "purpose", "state", "recorded_at", "record_id")
    )
    return sorted(map(tuple, rows.collect()), key=str)


def quarantined(spark: Any, plan: Plan) -> dict[str, list[str]]:
    store = Store(spark, plan.output)
    if not store.exists(catalog.CONSENT_QUARANTINE):
        return {}
    return {r.customer_id: r.reasons for r in store.read(catalog.CONSENT_QUARANTINE).collect()}


def allowed(spark: Any, plan: Plan) -> set[str]:
    sources = open_sources(spark, plan, pin_versions(spark, plan))
    ids = sources.customers.selectExpr(f"customer_id AS {ID}")
    return {r[0] for r in may_be_used(ids, sources.consent, plan, F.current_timestamp()).collect()}


def test_every_row_is_judged_and_what_is_not_understood_is_kept_as_a_no(spark: Any, world: Plan, tmp_path: Path) -> None:
    lines = [f"r-{who},{who},{fields}" for who, (fields, _, _) in ROWS.items()]
    lines += [f"r-{n},{line}" for n, line in enumerate(CONFLICT)] + ["r-x,,offers,given,2020-01-02,,,,"]
    path = csv(tmp_path / "events.csv", lines)
    done = import_consent(world, spark, path)
    assert quarantined(spark, world) == {who: reasons for who, (_, reasons, _) in ROWS.items() if reasons} | {
        None: ["the id is missing"]
    }
    kept = Store(spark, world.output).read(catalog.CONSENT_QUARANTINE).where("kept_as_no").select("customer_id").collect()
    assert {r[0] for r in kept} == {who for who, (_, reasons, _) in ROWS.items() if reasons} - {"for-nothing"}
    assert allowed(spark, world) == {who for who, (_, _, may) in ROWS.items() if may}
    assert done.added_columns == []
    log = Store(spark, world.output).read(catalog.AUDIT_LOG).orderBy("sequence").collect()
    assert [r.action for r in log] == ["import consent", "imported consent"]
    assert not [who for who in ROWS if who in " ".join(f"{r.details} {r.run_id}" for r in log).replace("signal", "")]

    before = events(spark, world)
    import_consent(world, spark, path)  # again: nothing new
    assert events(spark, world) == before
    assert len(quarantined(spark, world)) == Store(spark, world.output).read(catalog.CONSENT_QUARANTINE).count()

    # The corrected row comes under its record id, and a later yes goes before the no that was kept.
    more = ["r-bad-time,bad-time,offers,given,2020-01-03,,,,", "r-sound,sound,offers,withdrawn,2020-11-01,,,,"]
    import_consent(world, spark, csv(tmp_path / "more.csv", more))
    assert len(events(spark, world)) == len(before) + 2
    assert allowed(spark, world) == {who for who, (_, _, may) in ROWS.items() if may} - {"sound"}


def test_an_import_that_was_cut_off_is_started_again_and_two_at_once_take_each_row_once(
    spark: Any, world: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off once the table has the events and the quarantine has not; another begins while the first is at it."""
    path = csv(tmp_path / "events.csv", [f"{who},{who},{ROWS[who][0]}" for who in ("sound", "withdrew", "unknown-state")])
    take, ends = consent_import._take, list[str]()

    def cut_off(*given: Any) -> None:
        with monkeypatch.context() as killed:
            killed.setattr(Store, "write", interrupted)
            take(*given)

    def meanwhile(*given: Any) -> None:
        monkeypatch.setattr(consent_import, "_take", take)
        with pytest.raises(Busy, match="consent is being imported by process .* start it again") as busy:
            import_consent(world, spark.newSession(), path)
        ends.append(str(busy.value))
        take(*given)

    monkeypatch.setattr(consent_import, "_take", cut_off)
    with pytest.raises(KeyboardInterrupt):
        import_consent(world, spark, path)
    monkeypatch.setattr(consent_import, "_take", meanwhile)
    import_consent(world, spark, path)
    assert len(ends) == 1
    taken = [who for who, _, state, *_ in events(spark, world) if state != "granted"]
    assert taken == ["sound", "unknown-state", "withdrew"]  # of the one that is not understood a no
    assert quarantined(spark, world) == {"unknown-state": ["the state is unknown"]}
    before = events(spark, world)
    import_consent(world, spark, path)
    assert events(spark, world) == before


def interrupted(*given: Any) -> None:
    raise KeyboardInterrupt


def test_json_lines_parquet_and_csv_of_the_same_events_are_the_same_events(spark: Any, world: Plan, tmp_path: Path) -> None:
    said = [("sound", "refused", "2020-01-02T03:04:05.678901+02:00"), ("dpv", "given", "2020-01-03T00:00:00Z")]
    path = csv(
        tmp_path / "e.csv", [f"{who},offers,{state},{at}" for who, state, at in said], "customer_id,purpose,state,recorded_at"
    )
    import_consent(world, spark, path)
    before = events(spark, world)
    lines = [{"customer_id": who, "purpose": "offers", "state": state, "recorded_at": at, "shoe": 4} for who, state, at in said]
    (tmp_path / "e.jsonl").write_text("\ufeff" + "\n".join(map(json.dumps, lines)), encoding="utf-8")
    import_consent(world, spark, str(tmp_path / "e.jsonl"))
    typed = spark.read.csv(path, header=True).withColumn("recorded_at", F.col("recorded_at").cast("timestamp"))
    typed.write.parquet(str(tmp_path / "e"))
    import_consent(world, spark, str(tmp_path / "e"), form="parquet")
    assert events(spark, world) == before
    mixed = [
        {"customer_id": 7, "purpose": "offers", "state": True, "recorded_at": "2020-01-02"},
        ["no", "object"],
        {"state": {"a": 1}},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, mixed)), encoding="utf-8")
    import_consent(world, spark, str(tmp_path / "m.jsonl"))
    assert [e[:3] for e in events(spark, world) if e not in before] == [("7", "offers", "granted")]
    rows = Store(spark, world.output).read(catalog.CONSENT_QUARANTINE).collect()
    assert sorted(r.reasons[0] for r in rows) == ["the id is missing", "the line cannot be taken apart"]


def test_a_list_of_ids_alone_is_a_signal_and_its_column_is_added_to_the_table(spark: Any, world: Plan, tmp_path: Path) -> None:
    columns = [c for c in TABLE.split(", ") if not c.startswith(("signal", "record_id"))]
    rows = [(who, "offers", "granted", datetime(2012, 1, 1, tzinfo=UTC), None, None, None) for who in ("sound", "dpv")]
    write_source(spark, tmp_path / "thin", rows, ", ".join(columns))
    thin = world.model_copy(update={"sources": world.sources.model_copy(update={"consent": world.sources.consent.model_copy(update={"path": f"{tmp_path}/thin"})})})  # fmt: skip
    for _ in range(2):  # a list that comes every day adds nobody twice
        done = import_consent(thin, spark, csv(tmp_path / "list.csv", ["sound"], "customer_id"), signal="opt_out_list")
    assert done.added_columns == []
    found = spark.read.format("delta").load(f"{tmp_path}/thin").where("signal = 'opt_out_list'").collect()
    assert [(r.customer_id, r.state, r.purpose, r.recorded_at) for r in found] == [("sound", None, None, None)]
    assert allowed(spark, thin) == {"dpv"}


def test_ids_must_be_of_the_tables_type(spark: Any, plan: Build, tmp_path: Path) -> None:
    numbers = CUSTOMERS.replace("customer_id STRING", "customer_id BIGINT")
    write_source(spark, tmp_path / "customers", [(7, 1.0, "f", 40, None)], numbers)
    write_source(spark, tmp_path / "consent", [], TABLE.replace("customer_id STRING", "customer_id BIGINT"))
    rows = [f"{who},offers,given,2020-01-02" for who in ("7", "+08", "7.9", "1e3", "c-7", "99999999999999999999")]
    import_consent(plan(), spark, csv(tmp_path / "e.csv", rows, "customer_id,purpose,state,recorded_at"))
    assert [e[0] for e in events(spark, plan())] == [7, 8]
    assert quarantined(spark, plan()) == {who: ["the id is no bigint"] for who in ("7.9", "1e3", "c-7", "99999999999999999999")}


def test_a_missing_table_is_made_when_asked_for_with_columns_as_the_plan_calls_them(
    spark: Any, plan: Build, tmp_path: Path
) -> None:
    write_source(spark, tmp_path / "customers", [customer("a")], CUSTOMERS)
    named = plan({"sources.consent.columns.state": "status"})
    path = csv(tmp_path / "e.csv", ["person-a,offers,given,2020-01-02"], "customer_id,purpose,status,recorded_at")
    with pytest.raises(EvenhandError, match="is missing; state the path of a Delta table, or have it made with --create"):
        import_consent(named, spark, path)
    import_consent(named, spark, path, create=True)
    rows = spark.read.format("delta").load(f"{tmp_path}/consent")
    assert rows.select("customer_id", "status").collect() == [("person-a", "given")]
    log = "".join(p.read_text(encoding="utf-8") for p in (tmp_path / "consent/_delta_log").glob("*.json"))
    assert "person-a" not in log


WRONG: dict[str, tuple[Callable[[Path], str], str]] = {
    "nothing_there": (lambda folder: str(folder / "none.csv"), "is missing"),
    "no_ending": (lambda folder: csv(folder / "events", []), "say with --as whether it is csv, jsonl, parquet"),
    "empty": (lambda folder: csv(folder / "e.csv", [], "", "utf-8"), "e.csv"),
    "other_columns": (lambda folder: csv(folder / "e.csv", ["a,x"], "customer_id,what"), "has no column purpose, state, recorded_at; it has customer_id, what"),
    "utf_16": (lambda folder: csv(folder / "e.csv", ["a"], HEAD, "utf-16"), "is it text in UTF-8?"),
    "no_parquet": (lambda folder: csv(folder / "e.parquet", ["a"]), "cannot be read as parquet"),
    "a_json_array": (lambda folder: csv(folder / "e.json", ["]"], "["), "has no column customer_id"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_file_of_events_is_one_line_and_nothing_is_touched(
    spark: Any, world: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    made, expected = WRONG[name]
    before = events(spark, world)
    (tmp_path / "plan.yaml").write_text(plan_yaml({}), encoding="utf-8")
    assert main(["consent", "import", "--plan", str(tmp_path / "plan.yaml"), "--from", made(tmp_path)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("evenhand: --from") and expected in said
    assert events(spark, world) == before
    assert not (tmp_path / "restricted").exists()
