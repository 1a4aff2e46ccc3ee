"""Real input, end to end: Online Retail from its 541,909 invoice lines, Bank Marketing from its 45,211 clients."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

import evenhand
from evenhand.plan.geometry import to_fixed
from evenhand.plan.load import parse_plan
from evenhand.prepare.keys import pads_of
from evenhand.privacy.noise import SeededNoise
from evenhand.tables import catalog

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("EVENHAND_DATA", ROOT.parent / "shared" / "data"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the public data sets are not at {DATA}; set EVENHAND_DATA")
sys.path.insert(0, str(ROOT / "scripts"))


def run(spark: Any, folder: Path, name: str, plan_file: str, as_of: datetime) -> evenhand.Result:
    """The ready plan on the loaded data; noise from a seed, so that a test says the same twice."""
    from load_real import load, make_key

    load(spark, name, DATA, folder / "sources")
    make_key(folder / "key")
    text = (ROOT / "conf" / plan_file).read_text(encoding="utf-8").replace(f"../data/{name}", str(folder))
    return evenhand.run(parse_plan(text), spark, as_of=as_of, run_id=name, noise=SeededNoise(1))


@pytest.fixture(scope="module")
def retail(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> evenhand.Result:
    return run(spark, tmp_path_factory.mktemp("retail"), "retail", "online-retail.yaml", datetime(2011, 12, 10, tzinfo=UTC))


@pytest.fixture(scope="module")
def bank(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> evenhand.Result:
    return run(spark, tmp_path_factory.mktemp("bank"), "bank", "bank-marketing.yaml", datetime(2010, 12, 1, tzinfo=UTC))


def pseudonym(result: evenhand.Result, customer_id: object) -> bytes:
    import hashlib

    pads = pads_of(result.plan)
    return hashlib.sha256(pads.outer + hashlib.sha256(pads.inner + str(customer_id).encode()).digest()).digest()


def test_retail_features_are_those_of_an_independent_computation(retail: evenhand.Result) -> None:
    lines = pq.read_table(DATA / "online-retail/online_retail.parquet").to_pandas()
    lines = lines[lines["CustomerID"].notna()]
    bought = lines[lines["Quantity"] > 0]
    days = (np.datetime64("2011-12-10") - bought.groupby("CustomerID")["InvoiceDate"].max().dt.normalize()).dt.days
    invoices = bought.groupby("CustomerID")["InvoiceNo"].nunique()
    money = (lines["Quantity"] * lines["UnitPrice"]).groupby(lines["CustomerID"]).sum()
    found = {bytes(r.pseudonym): r for r in retail.store.read(catalog.PREPARED, "retail").collect()}
    ids = [i for i in lines["CustomerID"].astype(int).unique() if pseudonym(retail, i) in found]
    assert len(ids) == len(found)
    assert 0.85 < len(found) / lines["CustomerID"].nunique() < 0.95  # nine of ten said yes
    values = np.array([[days.get(i, np.nan), invoices.get(i, 0.0), money[i]] for i in ids], dtype=float)
    wanted = to_fixed(values, retail.plan.features)
    rows = [found[pseudonym(retail, i)] for i in ids]
    # One step: log1p and the order of a floating-point sum may differ in the last bit.
    assert np.abs(np.array([[r.recency, r.frequency, r.monetary] for r in rows]) - wanted).max() <= 1


def test_retail_lines_without_an_id_are_counted_in_the_restricted_zone_only(retail: evenhand.Result) -> None:
    quality = {(r.item, r.finding): r["count"] for r in retail.store.read(catalog.INPUT_QUALITY, "retail").collect()}
    assert quality[("invoices", "id missing or empty")] == 135_080
    assert "135,080" not in retail.report.read_text(encoding="utf-8")


def test_the_country_of_a_customer_is_that_of_the_latest_invoice(retail: evenhand.Result) -> None:
    lines = pq.read_table(DATA / "online-retail/online_retail.parquet").to_pandas().dropna(subset=["CustomerID"])
    latest = lines.sort_values(["InvoiceDate", "Country"]).groupby("CustomerID")["Country"].last()
    found = {bytes(r.pseudonym): r.country for r in retail.store.read(catalog.PREPARED, "retail").collect()}
    for i, country in latest.items():
        code = found.get(pseudonym(retail, int(i)))
        assert code in (None, 0 if country == "United Kingdom" else 1)


def test_few_customers_are_warned_of_before_spending(retail: evenhand.Result) -> None:
    from evenhand.plan.advice import advice

    assert "too few customers for ε = 1" in advice(retail.plan)[0]
    assert "too few customers" in retail.report.read_text(encoding="utf-8")


def test_bank_clients_who_objected_have_no_segment(bank: evenhand.Result) -> None:
    clients = bank.store.spark.read.format("delta").load(bank.plan.sources.consent.path).select("customer_id").collect()
    found = {bytes(r.pseudonym) for r in bank.segments.select("pseudonym").collect()}
    assert len(clients) > 500
    assert not any(pseudonym(bank, c.customer_id) in found for c in clients)
    assert len(found) == 45_211 - len(clients)


def test_bank_groups_are_counted_as_they_are_within_the_noise(bank: evenhand.Result) -> None:
    rows = csv.read_csv(DATA / "bank-marketing/bank-full.csv", parse_options=csv.ParseOptions(delimiter=";")).to_pandas()
    objected = {c.customer_id for c in bank.store.spark.read.format("delta").load(bank.plan.sources.consent.path).collect()}
    rows = rows[~(rows.index + 1).isin(objected)]
    exact = rows.groupby("marital").size()
    stats = bank.fairness_stats.where("attribute = 'marital' and not suppressed").toPandas().groupby("group")["count"].sum()
    # Five cells of noise of scale 15 each: farther than 500 with a chance below 1e-12.
    for group in ("married", "single", "divorced"):
        assert abs(stats[group] - exact[group]) < 500


def test_every_number_of_segments_and_every_group_is_published(retail: evenhand.Result, bank: evenhand.Result) -> None:
    for result, k in ((retail, 4), (bank, 5)):
        assert result.centers.count() == k
        assert result.store.read(catalog.RUNS, result.run_id).where("status = 'published'").count() == 1
        cells = sum(len(a.group_names) for a in result.plan.protected) * k
        assert result.fairness_stats.count() == cells
