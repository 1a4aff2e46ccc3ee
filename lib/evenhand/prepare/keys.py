"""The pseudonym key: read from where the plan says, refused when it is weak or others can read it."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from evenhand.errors import KeyFileError
from evenhand.plan.data import Key
from evenhand.plan.models import Plan
from evenhand.prepare.pseudonym import Pads

LEAST_BYTES = 32  # as long as the digest (RFC 2104, section 3)


def read_key(pseudonyms: Key) -> bytes:
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


def refuse_other_key(pseudonyms: Key, known: Mapping[str, str]) -> str:
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


def pads_of(plan: Plan, key: Key | None = None) -> Pads:
    """The pads for the pseudonyms of the plan's customers under its key, or under one of its older keys; raises as `read_key`."""
    key = key or plan.pseudonyms
    return Pads.of(read_key(key), plan.purpose, "customer", key.key_id)


def key_of(plan: Plan, key_id: str, known: Mapping[str, str]) -> Key:
    """Where the key is under which rows have been written, and that it is still that key.

    Raises:
        KeyFileError: the plan does not say where it is, it cannot be read, or it is another.
    """
    keys = {key.key_id: key for key in (plan.pseudonyms, *plan.pseudonyms.older)}
    if key_id not in keys:
        raise KeyFileError(
            f"pseudonyms.older: the run is under key_id {key_id}, which the plan does not name; add it there, with its key_file or "
            "key_env"
        )
    refuse_other_key(keys[key_id], known)
    return keys[key_id]


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
