"""The certificate of an erasure: what was asked for, done, searched and found, and what lies out of reach. JSON, signed where there is a key.

It names requests by keyed hash and so is itself personal data, readable by its owner only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evenhand.erasure.proof import Proof
from evenhand.errors import KeyFileError, OutputError, cannot_write
from evenhand.plan.columns import all_tables
from evenhand.plan.load import canonical_json
from evenhand.plan.models import Plan
from evenhand.prepare.keys import read_key

OUT_OF_REACH = [
    "the source tables: the person stays there until their owner deletes them; a run does not use them unless they consent anew",
    "backups: one that is put back is cleaned by the list of the erased before a run reads it",
    "what was handed out before: jobs/activate.py recall names it; pages and receipts that jobs/access.py and jobs/consent.py have written",
    "the table of requests itself, and what a killed process may have left in Spark's scratch folder (spark.local.dir)",
    "the answers in the open zone, which are differentially private",
]
SHORT = (
    "an id of less than 7 bytes, of less than 10 digits, or a number below 2^32 stands in bytes by chance; it was looked for in decoded "
    "values only"
)
CUT_OFF = "those of the erasures that it completes were searched for by pseudonym; by id, and named, are the requests that were given again"


@dataclass(frozen=True)
class Rewritten:
    """A table before and after: Delta version, and how many files lay in its folder."""

    table: str
    versions: tuple[int, int]
    files: tuple[int, int]


def certificate(
    plan: Plan,
    erasure_id: str,
    at: str,
    requests: Sequence[str],
    completes: Sequence[str],
    tables: Sequence[Rewritten],
    proof: Proof,
) -> dict[str, object]:
    """`requests`: keyed hashes in hex. `completes`: erasures that were cut off. `at`: when the proof was done, ISO 8601 in UTC."""
    return {
        "erasure": erasure_id,
        "plan": plan.name,
        "at": at,
        "requests": sorted(requests),
        "completes": list(completes),
        "tables": [
            {"table": t.table, "version_before": t.versions[0], "version_after": t.versions[1]}
            | {"files_before": t.files[0], "files_after": t.files[1]}
            for t in tables
        ],
        "searched": {
            "files": len(proof.searched),
            "bytes": sum(file.size for file in proof.searched),
            "decoded": len(proof.decoded),
            "found": len(proof.places),
            "limits": [SHORT, *([CUT_OFF] if completes else [])],
        },
        "control_found_in": sorted(proof.control),
        "out_of_reach": [*OUT_OF_REACH, *[f"source {name}: {table.address}" for name, table in all_tables(plan).items()]],
    }


def signed(content: Mapping[str, object], plan: Plan) -> dict[str, object]:
    """The certificate with HMAC-SHA-256 (RFC 2104) over its canonical JSON, where the plan names a key for it."""
    key = plan.erasure.signing_key
    if key is None:
        return dict(content)
    mac = hmac.new(read_key(key), canonical_json(content).encode(), hashlib.sha256).hexdigest()
    return {**content, "signature": {"method": "HMAC-SHA-256", "key_id": key.key_id, "value": mac}}


def is_genuine(given: Mapping[str, object], plan: Plan) -> bool:
    """Whether a certificate was signed with the plan's key and has not been changed since."""
    content = {name: value for name, value in given.items() if name != "signature"}
    ours, theirs = (canonical_json(one).encode() for one in (signed(content, plan), given))
    return "signature" in given and hmac.compare_digest(ours, theirs)


def require_folder(folder: Path, plan: Plan) -> None:
    """Look, before anything is deleted, that the certificate can be written and signed.

    Raises:
        OutputError, KeyFileError: it cannot.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as wrong:
        raise cannot_write(f"{folder}: a certificate", wrong, "; nothing was deleted", OutputError) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: no certificate can be written there; change its permissions; nothing was deleted")
    try:
        signed({}, plan)
    except KeyFileError as wrong:
        raise KeyFileError(f"erasure.signing_key: {wrong}") from None


def write(content: Mapping[str, object], path: Path) -> str:
    """Write the certificate, whole or not at all, for its owner alone; hands back the SHA-256 of the file."""
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    half = path.with_suffix(".half")
    half.unlink(missing_ok=True)  # of a process that was killed
    try:
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        half.rename(path)
    except OSError as wrong:
        half.unlink(missing_ok=True)
        left = "; who asked is taken out and nobody was found again; start it again, and it searches and certifies anew"
        raise cannot_write(f"the certificate {path}", wrong, left) from None
    return hashlib.sha256(text.encode()).hexdigest()
