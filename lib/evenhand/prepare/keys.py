"""The pseudonym key: read from where the plan says, refused when it is weak or others can read it."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from evenhand.errors import KeyFileError
from evenhand.plan.data import Pseudonyms
from evenhand.plan.models import Plan
from evenhand.prepare.pseudonym import Pads

LEAST_BYTES = 32  # as long as the digest (RFC 2104, section 3)


def read_key(pseudonyms: Pseudonyms) -> bytes:
    """The secret key. The plan holds a reference to it only; it never becomes an argument or a Spark conf.

    Raises:
        KeyFileError: missing, shorter than 32 bytes, or open to others than its owner.
    """
    if pseudonyms.key_env is not None:
        where, key = f"pseudonyms.key_env: {pseudonyms.key_env}", os.environb.get(pseudonyms.key_env.encode(), b"")
        if not key:
            raise KeyFileError(f"{where} is not set; export a secret of at least {LEAST_BYTES} bytes")
        if not _is_text(key):  # as which another machine, or a scheduler, may hand on other bytes
            raise KeyFileError(f"{where} is not UTF-8 text; export the key as text, for instance from: openssl rand -hex 32")
    else:
        assert pseudonyms.key_file is not None
        where, key = f"pseudonyms.key_file: {pseudonyms.key_file}", _from_file(Path(pseudonyms.key_file))
    if len(key) < LEAST_BYTES:
        raise KeyFileError(
            f"{where} is too short; at least {LEAST_BYTES} bytes are needed, for instance from: openssl rand -hex 32"
        )
    return key


def check_value(key: bytes) -> str:
    """Tells two keys apart and tells nothing of either: HMAC-SHA-256 of a fixed text, its first 16 hexadecimal digits.

    No pseudonym's message begins as the text does, which begins with lengths.
    """
    return hmac.new(key, b"evenhand: which key is this", hashlib.sha256).hexdigest()[:16]


def refuse_other_key(pseudonyms: Pseudonyms, known: Mapping[str, str]) -> str:
    """The check value of the plan's key; `known` has that of each key_id by the audit log.

    Raises:
        KeyFileError: as `read_key`, or the key_id stood for another key: a customer would get a second pseudonym under it.
    """
    value = check_value(read_key(pseudonyms))
    if known.get(pseudonyms.key_id, value) != value:
        raise KeyFileError(
            f"pseudonyms.key_id: {pseudonyms.key_id} stood for another key than the one that is there now; put that key back, or give "
            "the new one a key_id of its own"
        )
    return value


def pads_of(plan: Plan) -> Pads:
    """The pads of the plan's key for the pseudonyms of its customers; raises as `read_key`."""
    return Pads.of(read_key(plan.pseudonyms), plan.purpose, "customer", plan.pseudonyms.key_id)


def _is_text(key: bytes) -> bool:
    try:
        key.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _from_file(path: Path) -> bytes:
    try:
        # Checked on the opened file, so that nobody can swap it in between.
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise KeyFileError(f"pseudonyms.key_file: {path} is not a file")
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyFileError(f"pseudonyms.key_file: others can read {path}; run: chmod 600 {path}")
            return file.read().strip()
    except FileNotFoundError:
        raise KeyFileError(
            f"pseudonyms.key_file: {path} is missing; make one with: (umask 077; openssl rand -hex 32 > {path})"
        ) from None
    except OSError as wrong:
        raise KeyFileError(f"pseudonyms.key_file: {path} cannot be read: {wrong.strerror}") from None
