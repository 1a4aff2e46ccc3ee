"""The positive control: somebody who does not exist is planted in each kind of place, and the same search has to find them there.

Silence of a search that has not found its control proves nothing.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from evenhand.erasure.decoded import VALUE
from evenhand.erasure.files import Storage
from evenhand.erasure.forms import ID_TEXT, IN_JSON, IN_JSON_TWICE, PSEUDONYM
from evenhand.erasure.traces import Trace

FOLDER = "_erasure_control"  # in a table's folder; Delta and VACUUM pass over names with _ in front
# Each kind of place where a table may hold something of a person, as a file of that kind is called.
IN_BYTES = {
    "deletion vector": "deletion_vector_0.bin",
    "commit": "_delta_log/00000000000000000000.json",
    "checksum": "_delta_log/00000000000000000000.crc",
    "compacted log": "_delta_log/00000000000000000000.00000000000000000009.compacted.json",
    "staged commit": "_delta_log/_staged_commits/00000000000000000001.0.json",
    "cut off data file": "part-00000-cut-off.c000.snappy.parquet",
    "hidden leftover": "_delta_log/.00000000000000000002.json.0.tmp",
}
DECODED = {
    "data file": "run_id=control/part-00000.c000.snappy.parquet",
    "change feed": "_change_data/cdc-00000.c000.snappy.parquet",
    "checkpoint": "_delta_log/00000000000000000010.checkpoint.parquet",
    "sidecar": "_delta_log/_sidecars/0.parquet",
}


def new_number() -> int:
    """An id that nobody has, where ids are numbers."""
    return 2**61 + secrets.randbelow(2**60)


def new_text() -> str:
    """An id that nobody has, where ids are text or bytes; in JSON each way to write it comes out different."""
    return f'evenhand-control-é"/{secrets.token_hex(16)}'


@dataclass(frozen=True)
class Control:
    """What is planted: the forms of nobody's id and pseudonym, by name, and their text and bytes."""

    folder: str
    forms: Mapping[str, bytes]
    id: str

    def plant(self, storage: Storage) -> None:
        """Write one file of each kind; what an earlier process planted goes."""
        storage.remove(self.folder)
        # Apart by two bytes, so that they stand at odd places, too.
        content = b'{"add":{"stats":"{"minValues":' + b'":'.join(self.forms.values()) + b'"}"}}'
        for path in IN_BYTES.values():
            storage.write(f"{self.folder}/{path}", content)
        for kind, path in DECODED.items():
            storage.write(f"{self.folder}/{path}", self._parquet(nested="log" in path, of=kind))

    def missed(self, found: set[Trace]) -> list[str]:
        """The kinds of places, with the form, in which the search has not found what is planted there."""
        there = {(trace.place, trace.form) for trace in found if trace.control}
        lacking = [
            f"{kind} ({form})"
            for kind, path in IN_BYTES.items()
            for form in self.forms
            if not _has(there, path, self.folder, form)
        ]
        return lacking + [
            f"{kind} ({form}, decoded)"
            for kind, path in DECODED.items()
            for form in self._in_parquet(nested="log" in path)
            if not _has(there, path, self.folder, form)
        ]

    def _in_parquet(self, nested: bool) -> list[str]:
        """The forms that decoding has to find."""
        if nested:
            texts = [form for form in (IN_JSON, IN_JSON_TWICE) if form in self.forms] or [
                form for form in self.forms if form == ID_TEXT
            ]
            return [*texts, "pseudonym, base64"]
        texts = [form for form in self.forms if form == ID_TEXT]
        return [*texts, PSEUDONYM, *([VALUE] if self.id.isdecimal() else [])]

    def _parquet(self, nested: bool, of: str) -> bytes:
        pseudonym = self.forms[PSEUDONYM]
        if nested:
            stats = json.dumps({"minValues": {"customer_id": self.id}}, ensure_ascii=False)
            columns = {
                "add": pa.array(
                    [{"path": f"{of}: {self.id}", "stats": stats, "stats_parsed": {"minValues": {"pseudonym": pseudonym}}}]
                )
            }
        else:
            columns = {"pseudonym": pa.array([pseudonym], pa.binary()), "note": pa.array([f"{of}: {self.id}"])}
            if self.id.isdecimal():
                columns["control_id"] = pa.array([int(self.id)], pa.int64())
        out = io.BytesIO()
        pq.write_table(pa.table(columns), out, compression="snappy")
        return out.getvalue()


def _has(there: set[tuple[str, str]], path: str, folder: str, form: str) -> bool:
    return any(place.endswith(f"{folder.rpartition('/')[2]}/{path}") and found == form for place, found in there)
