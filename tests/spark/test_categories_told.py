"""Categories of a column from sources to pages: what Spark counts, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evenhand.errors import SourceError
from evenhand.job.api import run
from evenhand.plan.categories import blocks
from evenhand.plan.models import Plan
from evenhand.plan.parted import FULL
from evenhand.prepare.features import customer_values
from evenhand.privacy.noise import SeededNoise
from evenhand.tables import catalog
from sample import CONSENT, CUSTOMERS, NOW, PURCHASES, granted, people, write_source

Build = Callable[..., Plan]
ENTRY = {
    "kind": "categories",
    "name": "channel",
    "why": "offers go out where somebody shops",
    "column": "channel",
    "categories": {"shop": ["shop", "l'échoppe"], "online": ["web"]},
}


def test_nobody_is_in_two_categories_whatever_the_collation_of_the_column(spark: Any, plan: Build) -> None:
    """Compared without regard to case, or to blanks at the end, one text would be in two: it would change twice what it may."""
    alike = ENTRY | {"categories": {"small": ["shop"], "capital": ["Shop"], "blank": ["shop "]}}
    features = plan({"features.3": alike}).features[3:]
    for collation in ("UTF8_BINARY", "UTF8_LCASE", "UNICODE_CI", "UTF8_BINARY_RTRIM"):
        texts = spark.sql(
            f"SELECT x COLLATE {collation} AS channel FROM VALUES ('shop'), ('Shop'), ('SHOP'), ('shop '), (NULL) AS t(x)"
        )
        found = customer_values(texts, features, [], "timestamp'2026-01-01'").toPandas().to_numpy()
        assert (found.sum(axis=1) == 100).all(), collation
        assert found.sum(axis=0).tolist() == [100, 100, 100, 200], collation


def test_a_run_tells_of_each_segment_who_is_in_which_category(spark: Any, plan: Build, tmp_path: Path) -> None:
    """Of three kinds of people the newest shop online, and some have no channel, or one that the plan does not name."""
    customers, purchases = people(600)
    random = np.random.default_rng(5)

    def channel(years: float) -> str | None:
        usual = "web" if years < 5 else str(random.choice(["shop", "l'échoppe"]))
        return usual if random.random() < 0.8 else random.choice(np.array([None, "phone"], dtype=object))

    with_channel = [(*row, channel(row[1])) for row in customers]
    write_source(spark, tmp_path / "customers", with_channel, f"{CUSTOMERS}, channel STRING")
    write_source(spark, tmp_path / "consent", granted(row[0] for row in customers), CONSENT)
    write_source(spark, tmp_path / "purchases", purchases, PURCHASES)
    large = {"privacy.epsilon": 100.0, "privacy.population_total": 100.0, "privacy.expected_customers": 600}
    asking = plan({"features.3": ENTRY, **large})
    found = run(asking, spark, as_of=NOW, run_id="r1", noise=SeededNoise(1))
    (block,) = blocks(asking.features)
    names = [asking.feature_names[j] for j in block.columns]

    prepared = found.store.read(catalog.PREPARED, "r1").select("tenure", *names).toArrow().to_pydict()
    inside = np.stack([prepared[name] for name in names], axis=1)
    assert set(np.unique(inside)) == {0, FULL}
    assert (inside.sum(axis=1) == FULL).all()  # everybody is in one
    said = [row[-1] for row in with_channel]
    of = [sum(c in ("shop", "l'échoppe") for c in said), said.count("web"), sum(c in (None, "phone") for c in said)]
    assert (inside.sum(axis=0) // FULL).tolist() == of

    rows = found.profiles.where("measure like 'channel%' and not suppressed").collect()
    assert {row.unit for row in rows} == {"%"}
    assert all(row.fifth_low is None for row in rows)
    online = {row.segment: row.value for row in rows if row.measure == "channel_online"}
    assert max(online.values()) > 60 and min(online.values()) < 20
    assert all(
        row.deviations_low > 0
        for row in rows
        if (row.segment, row.measure) == (max(online, key=lambda s: online[s]), "channel_online")
    )
    page = found.report.read_text(encoding="utf-8")
    assert "% of them are counted under channel online, against" in page
    assert '<th scope="col">channel online</th>' not in page[page.index("In which fifth") :]

    flag = spark.read.format("delta").load(str(tmp_path / "customers")).selectExpr("* except (channel)", "years > 5 as channel")
    flag.write.format("delta").mode("overwrite").option("overwriteSchema", True).save(str(tmp_path / "customers"))
    never = "column channel is boolean and never shop, which a category of channel names; write it true or false"
    with pytest.raises(SourceError, match=never):
        run(asking, spark, as_of=NOW, run_id="r2")
    number = spark.read.format("delta").load(str(tmp_path / "customers")).selectExpr("* except (channel)", "array(1) as channel")
    number.write.format("delta").mode("overwrite").option("overwriteSchema", True).save(str(tmp_path / "customers"))
    with pytest.raises(
        SourceError, match="column channel is array<int>; it must be text, a whole number or a boolean, for channel"
    ):
        run(asking, spark, as_of=NOW, run_id="r2")
