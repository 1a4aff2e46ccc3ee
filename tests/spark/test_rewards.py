"""Points for taking part: who earns them, once, and that nothing which was said, and nothing else about a person, decides."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import functions as F

from conftest import write_key
from evenhand.cli.main import main
from evenhand.erasure.listed import add_new
from evenhand.errors import EvenhandError
from evenhand.people.rewards import earned, rewards
from evenhand.plan.load import parse_plan
from evenhand.prepare.customers import timestamp
from evenhand.records.audit import AuditLog
from evenhand.sources.open import answers_today, people_today
from evenhand.tables.store import Store
from published import pseudonym
from sample import CONSENT, CUSTOMERS, KEY, customer, in_folder, plan_yaml, write_source
from survey import ANSWERS, SURVEY

IDS = [f"c{i}" for i in range(8)]
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
BOTH, ANSWERED, SAID_YES, SAID_NO, TOO_EARLY, TOO_LATE, ERASED, SILENT = range(8)
REWARDS = {"rewards": {"survey": 10, "review": 5}}


@dataclass(frozen=True)
class World:
    folder: Path
    spark: Any

    def yaml(self, changes: dict[str, Any] | None = None) -> str:
        source = SURVEY["source"] | {"path": f"{self.folder}/answers"}
        return plan_yaml(in_folder(self.folder) | REWARDS | {"surveys": [SURVEY | {"source": source}]} | (changes or {}))

    def plan(self, changes: dict[str, Any] | None = None) -> Any:
        return parse_plan(self.yaml(changes))

    def log(self) -> list[str]:
        return [entry.action for entry in AuditLog(Store(self.spark, self.plan().output)).check()]


@pytest.fixture(scope="module")
def world(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("rewards")
    write_key(folder / "key", KEY)
    write_source(spark, folder / "customers", [customer(id) for id in IDS], CUSTOMERS)
    write_source(spark, folder / "purchases", [], "customer_id STRING, purchased_at TIMESTAMP, amount DOUBLE, item STRING")
    last, after = OCTOBER + timedelta(days=31, microseconds=-1), OCTOBER + timedelta(days=31)
    answers = [
        (IDS[BOTH], "comfort", "1", OCTOBER, None),
        (IDS[BOTH], "control", "no", last, None),
        (IDS[ANSWERED], "comfort", "something of my own", OCTOBER, "free text"),
        (IDS[TOO_EARLY], "comfort", "1", OCTOBER - timedelta(microseconds=1), None),
        (IDS[TOO_LATE], "comfort", "1", after, None),
        (IDS[ERASED], "comfort", "1", OCTOBER, None),
        ("nobody", "comfort", "1", OCTOBER, None),
        (IDS[SILENT], "comfort", "1", None, None),
    ]
    events = [
        (IDS[BOTH], "offers", "granted", OCTOBER, None, "web"),
        (IDS[BOTH], "offers", "withdrawn", last, None, "web"),
        (IDS[SAID_YES], "offers", "granted", OCTOBER, None, "web"),
        (IDS[SAID_NO], None, "withdrawn", last, None, "list"),
        (None, "offers", "granted", OCTOBER, None, "web"),
    ]
    write_source(spark, folder / "answers", answers, ANSWERS)
    write_source(spark, folder / "consent", events, CONSENT)
    found = World(folder, spark)
    erased = [(bytearray(pseudonym(IDS[ERASED])), "offers", "test-1", OCTOBER + timedelta(days=1))]
    rows = spark.createDataFrame(erased, "pseudonym BINARY, purpose STRING, key_id STRING, requested_at TIMESTAMP")
    add_new(Store(spark, found.plan().output), rows, "erasure-1", OCTOBER + timedelta(days=1))
    return found


def points_in(world: World, to: Path) -> dict[str, int]:
    rows = world.spark.read.format("delta").load(str(to)).collect()
    assert {r.month for r in rows} == {"2026-10"}
    assert len({r.id for r in rows}) == len(rows)
    return {r.id: r.points for r in rows}


def test_whoever_took_part_in_the_month_has_points_once_whatever_they_said(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, to = tmp_path / "plan.yaml", tmp_path / "out"
    plan.write_text(world.yaml(), encoding="utf-8")
    for _ in range(2):  # started again, nothing is handed out twice
        assert main(["rewards", "--plan", str(plan), "--month", "2026-10", "--to", str(to), "--json", "--quiet"]) == 0
        assert json.loads(capsys.readouterr().out)["destination"] == str(to)
        assert points_in(world, to) == {IDS[BOTH]: 15, IDS[ANSWERED]: 10, IDS[SAID_YES]: 5, IDS[SAID_NO]: 5}
    assert world.log() == ["reward", "rewarded"]
    for plan, place in ((world.plan(), "elsewhere"), (world.plan({"rewards.review": 6}), "out")):
        with pytest.raises(EvenhandError, match="the points of 2026-10 have been handed out already") as wrong:
            rewards(plan, world.spark, "2026-10", f"{tmp_path}/{place}")
        assert wrong.value.exit_code == 2
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("seed", range(3))
def test_no_reward_depends_on_an_answer_a_state_a_protected_attribute_or_anything_else_that_was_said(
    world: World, seed: int
) -> None:
    """The same people at the same times, with all else drawn anew: everybody earns what they earned."""
    random, spark, plan = np.random.default_rng(seed), world.spark, world.plan()

    def drawn(rows: Any, *kept: str) -> Any:
        """Every column but those that are kept is some other value of its type, or null."""
        texts = ["granted", "withdrawn", "offers", "surveys", "f", "m", "1", "3", "yes", "", None]
        content = [tuple(r[c] if c in kept else None for c in rows.columns) for r in rows.collect()]
        mixed = [
            tuple(
                value if field.name in kept or field.dataType.typeName() != "string" else texts[random.integers(len(texts))]
                for value, field in zip(row, rows.schema, strict=True)
            )
            for row in content
        ]
        return spark.createDataFrame(mixed, rows.schema)

    today = people_today(spark, plan)
    answers = answers_today(spark, plan, plan.surveys[0]).events["data_use"]
    other = type(today)(today.customers, drawn(today.consent, "customer_id", "recorded_at"), {}, {})
    times = timestamp(OCTOBER), timestamp(OCTOBER + timedelta(days=31))
    before, after = (
        {tuple(r) for r in earned(of, {"data_use": said}, plan, plan.rewards, *times).collect()}
        for of, said in ((today, answers), (other, drawn(answers, "customer_id", "answered_at")))
    )
    assert before == after
    assert len(before) == 5  # with the one who was erased, who is taken out of all by another list


def test_of_each_table_only_whose_and_when_is_read(world: World) -> None:
    plan = world.plan()
    today = people_today(world.spark, plan)
    answers = {"data_use": answers_today(world.spark, plan, plan.surveys[0]).events["data_use"]}
    found = earned(today, answers, plan, plan.rewards, timestamp(OCTOBER), timestamp(OCTOBER + timedelta(days=31)))
    schemas = re.findall(r"ReadSchema: struct<([^>]*)>", found._jdf.queryExecution().executedPlan().toString())
    columns = {field.split(":")[0] for schema in schemas for field in schema.split(",")}
    assert columns == {"customer_id", "answered_at", "recorded_at"}


REFUSED = {
    "no month": ({}, "2026-13", "--month: '2026-13' is no month such as 2026-10"),
    "text": ({}, "October", "--month: 'October' is no month such as 2026-10"),
    "not over": ({}, "2999-12", "is not over yet; name a month that is"),
    "no rewards": ({"rewards": None}, "2026-09", "rewards: the plan states none"),
    "a place in a zone": ({}, "2026-09", "lie inside each other; name a place apart"),
}


@pytest.mark.parametrize(("changes", "month", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_input_is_one_line_and_nothing_is_handed_out(world: World, changes: Any, month: str, expected: str) -> None:
    before = world.log()
    with pytest.raises(EvenhandError) as wrong:
        rewards(world.plan(changes), world.spark, month, f"{world.folder}/open/points")
    assert expected in str(wrong.value) and "\n" not in str(wrong.value)
    assert wrong.value.exit_code == 2
    assert world.log() == before
    assert not (world.folder / "open/points").exists()


def test_a_month_begins_and_ends_in_the_plan_s_time_zone(world: World, tmp_path: Path) -> None:
    """In Berlin the last microsecond of September in UTC is in October, and what was at the end of October is in November."""
    plan = world.plan({"time_zone": "Europe/Berlin", "name": "berlin"})
    rewards(plan, world.spark, "2026-10", f"{tmp_path}/out")
    found = points_in(world, tmp_path / "out")
    assert IDS[TOO_EARLY] in found
    assert IDS[SAID_NO] not in found


def test_an_erased_person_who_takes_part_again_later_earns_again(world: World, tmp_path: Path) -> None:
    again = [(IDS[ERASED], "comfort", "2", OCTOBER + timedelta(days=5), None)]
    rows = world.spark.read.format("delta").load(f"{world.folder}/answers").union(world.spark.createDataFrame(again, ANSWERS))
    rows.write.format("delta").save(f"{tmp_path}/answers")
    plan = world.plan({"surveys": [SURVEY | {"source": SURVEY["source"] | {"path": f"{tmp_path}/answers"}}], "name": "again"})
    rewards(plan, world.spark, "2026-10", f"{tmp_path}/out")
    assert points_in(world, tmp_path / "out")[IDS[ERASED]] == 10
    assert world.spark.read.format("delta").load(f"{tmp_path}/out").where(F.col("id") == IDS[ERASED]).count() == 1
