"""A person's consent record, as JSON-LD in the terms of the W3C's Data Privacy Vocabulary (DPV) 2.3, after ISO/IEC TS 27560:2023."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from evenhand.erasure.listed import heeding
from evenhand.errors import ArgumentError, EvenhandError, OutputError, cannot_write
from evenhand.people.asked import asked, ids_in
from evenhand.plan.columns import CONSENT, reasons
from evenhand.plan.consent import DPV, STATES
from evenhand.plan.models import Plan
from evenhand.prepare.consent import ID, identified, is_blank, may_be_used
from evenhand.prepare.customers import timestamp
from evenhand.prepare.withheld import WITHHELD, withheld
from evenhand.records.audit import known_keys
from evenhand.records.opened import opened
from evenhand.sources.open import people_today
from evenhand.tables.paths import require_file
from evenhand.tables.store import Store

RECEIPT = "consent receipt"  # in the audit log, before it is written
TIMES = ("recorded_at", "expires_at")
TEXTS = ("purpose", "state", "record_id", "notice_version", "language", "method", "expressed_by", "attribute", "signal")
CONTEXT = {
    "dpv": DPV,
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "evenhand": "urn:evenhand:",
    "dct:created": {"@type": "xsd:dateTime"},
    "dct:valid": {"@type": "xsd:dateTime"},
    "dpv:isIndicatedAtTime": {"@type": "xsd:dateTime"},
    "dpv:hasLegalBasis": {"@type": "@id"},
}
LEGAL_BASES = {"consent": "eu-gdpr:A6-1-a", "legitimate_interest": "eu-gdpr:A6-1-f"}
TERMS = {word: state.dpv for state in STATES for word in state.written}
UNKNOWN = "ConsentUnknown"


def write_receipt(plan: Plan, spark: SparkSession, customer_from: str, to: str) -> None:
    """Write the consent record of the customer whose id a file holds, newest events, to a file that only its owner can read.

    Raises:
        EvenhandError: one line, which never repeats the id; no file was written.
    """
    (customer_id,), path = ids_in(Path(customer_from), most=1), Path(to).absolute()
    require_file(path, "--to")
    if os.path.lexists(path):
        raise OutputError(f"--to: {path} is there already; name another file, nothing was written")
    with opened(plan, spark, "consent receipt", "no receipt was written") as (store, audit):
        now = datetime.now(UTC)
        said, allowed, kept_back = _record(plan, store, known_keys(audit.check()), customer_id, now)
        found = receipt(plan, customer_id, said, allowed, kept_back, now)
        audit.add(f"receipt-{now:%Y%m%dT%H%M%S}", RECEIPT, {"purpose": plan.purpose})
        _write(path, json.dumps(found, ensure_ascii=False, indent=2) + "\n")


def receipt(
    plan: Plan, customer_id: str, said: Sequence[Mapping[str, Any]], allowed: bool, kept_back: Sequence[str], now: datetime
) -> dict[str, Any]:
    """The receipt as JSON-LD, with an inline context. `said` are the events by time, with the fields of `ConsentColumns`."""
    data = {(source, column): why for source, column, why in reasons(plan) if source != CONSENT}
    return {
        "@context": CONTEXT,
        "@id": uuid.uuid4().urn,
        "@type": "dpv:ConsentReceipt",
        "dct:created": now.isoformat(timespec="seconds"),
        "dpv:hasRecordOfActivity": {
            "@type": "dpv:ConsentRecord",
            "dpv:hasDataSubject": {"@type": "dpv:DataSubject", "dct:identifier": customer_id},
            "dpv:hasProcess": {
                "@type": "dpv:Process",
                "dpv:hasPurpose": {
                    "@type": "dpv:Purpose",
                    "dct:identifier": plan.purpose,
                    "dct:description": plan.description,
                },
                "dpv:hasLegalBasis": LEGAL_BASES[plan.legal_basis],
                "dpv:hasPersonalData": [
                    {"@type": "dpv:PersonalData", "dct:identifier": f"{source}.{column}", "dct:description": why}
                    for (source, column), why in data.items()
                ],
            },
            "dpv:hasConsentStatus": [_event(event) for event in said],
            "evenhand:mayBeUsed": allowed,
            "evenhand:columnsNotUsed": sorted(kept_back),
        },
    }


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    """One event; what the source does not say is left out. A signal without a state is an objection."""
    state = event.get("state")
    objection = "ObjectingToProcess" if event.get("signal") and state is None else UNKNOWN
    found: dict[str, Any] = {
        "@type": f"dpv:{TERMS.get(state or '', objection)}",
        "dct:identifier": event.get("record_id"),
        "dpv:isIndicatedAtTime": _iso(event.get("recorded_at")),
        "dct:valid": _iso(event.get("expires_at")),
        "dpv:hasIndicationMethod": event.get("method"),
        "dpv:isIndicatedBy": event.get("expressed_by"),
        "evenhand:forEveryPurpose": True if event.get("purpose") is None else None,
        "evenhand:signal": event.get("signal"),
        "evenhand:stateAsWritten": state,
    }
    notice = {"dct:hasVersion": event.get("notice_version"), "dct:language": event.get("language")}
    if any(notice.values()):
        found["dpv:hasNotice"] = {"@type": "dpv:ConsentNotice"} | {k: v for k, v in notice.items() if v}
    if attribute := event.get("attribute"):
        found["dpv:hasPersonalData"] = {"@type": "dpv:PersonalData", "dct:identifier": attribute}
    return {key: value for key, value in found.items() if value is not None}


def _record(
    plan: Plan, store: Store, known: Mapping[str, str], customer_id: str, now: datetime
) -> tuple[list[dict[str, Any]], bool, list[str]]:
    """The person's events about the purpose, by time; whether the person may be used now; the columns that may not.

    Who was erased has objected by that.

    Raises:
        ArgumentError: the id is nobody's.
    """
    sources = people_today(store.spark, plan, whole_consent=True)
    customers = identified(sources.customers, plan.sources.customers.id).select(ID)
    person = asked(store.spark, [customer_id], customers.schema[ID].dataType, plan).select(ID)
    events = identified(heeding(sources, plan, store, known, now, of=person).consent, plan.sources.consent.id).join(
        person, ID, "left_semi"
    )
    said = _told(events.where((F.col("purpose") == plan.purpose) | is_blank(events, "purpose")))
    if not said and customers.join(person, ID, "left_semi").isEmpty() and events.isEmpty():
        raise ArgumentError("--customer-from: no customer and no consent event has that id; look how the source writes it")
    moment = timestamp(now)
    allowed = not may_be_used(person, events.drop(ID), plan, moment).isEmpty()
    kept_back = withheld(events.drop(ID), plan, moment)
    return said, allowed, [] if kept_back is None else [name for row in kept_back.collect() for name in row[WITHHELD]]


def _told(events: DataFrame) -> list[dict[str, Any]]:
    """One person's events as Python has them, blanks as None, times in UTC."""
    texts = [F.col(c).cast("string").alias(c) if c in events.columns else F.lit(None).alias(c) for c in TEXTS]
    times = [F.unix_micros(c).alias(c) for c in TIMES]
    rows = [row.asDict() for row in events.select(*texts, *times).collect()]
    for row in rows:
        row.update({c: (row[c] or "").strip() or None for c in TEXTS})
        row.update(
            {c: None if row[c] is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row[c]) for c in TIMES}
        )
    return sorted(rows, key=lambda row: (row["recorded_at"] is None, row["recorded_at"], str(row)))


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _write(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as wrong:
        raise _unwritten(path, wrong) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as wrong:
        path.unlink()
        raise _unwritten(path, wrong) from None


def _unwritten(path: Path, wrong: OSError) -> EvenhandError:
    return cannot_write(f"--to: {path}", wrong, "; nothing was written; start it again, or name another file", OutputError)
