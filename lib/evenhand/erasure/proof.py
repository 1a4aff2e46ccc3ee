"""The proof that nobody of those erased is left in the files of some tables; it can fail, and says where."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from evenhand.erasure.control import DECODED, FOLDER, IN_BYTES, Control
from evenhand.erasure.decoded import LONGER, decoded, looked_at, plain, unreadable
from evenhand.erasure.files import File, Storage, of_hadoop
from evenhand.erasure.forms import forms_of
from evenhand.erasure.traces import Trace, collected, traces
from evenhand.errors import IntegrityError
from evenhand.prepare.consent import ID
from evenhand.spark.errors import SPARK_ERRORS


@dataclass(frozen=True)
class Proof:
    """What was searched, and where somebody was found."""

    searched: Sequence[File]
    decoded: Sequence[File]
    found: Collection[Trace]
    control: Sequence[str] = field(default_factory=lambda: [*IN_BYTES, *DECODED])  # the kinds of places where it was found

    @property
    def places(self) -> list[str]:
        return sorted({trace.place for trace in self.found})


def search(storage: Storage, folders: Sequence[str], ids: DataFrame, pseudonyms: DataFrame, own: Collection[str]) -> Proof:
    """Search every file below the folders, which may lie in each other, for people, and for a control that is planted in the first.

    `ids` and `pseudonyms` as of `forms_of`, each with one row of the control. `own` are columns whose whole numbers are no ids.

    Raises:
        IntegrityError: the search does not find the control, or a Parquet file cannot be decoded: its silence proves nothing.
    """
    forms = forms_of(ids, pseudonyms).persist(StorageLevel.DISK_ONLY)
    planted = Control(f"{folders[0]}/{FOLDER}", *_of_control(ids, forms))
    try:
        planted.plant(storage)
        files = sorted({file for folder in folders for file in storage.files(folder)})
        checksums = of_hadoop(files)
        files = [file for file in files if file not in checksums]
        cut_off = f"{planted.folder}/{IN_BYTES['cut off data file']}"
        parquet = [file for file in files if file.name.endswith(".parquet") and not file.hidden and file.path != cut_off]
        values, broken = decoded(storage.spark, _alike(parquet, [planted.folder, *folders]), own)
        found = set[Trace]() if broken else _found(storage, values, parquet, files, ids, pseudonyms, forms)
    finally:
        storage.remove(planted.folder)
        forms.unpersist()
    if broken:
        raise _undecodable(broken)
    if missed := planted.missed(found):
        raise IntegrityError(
            f"the search has not found its control in: {'; '.join(missed)}; so that it finds nobody proves nothing"
        )
    ours = [file for file in files if not file.path.startswith(f"{planted.folder}/")]
    in_parquet = set(parquet)
    return Proof(ours, [file for file in ours if file in in_parquet], {trace for trace in found if not trace.control})


def _found(
    storage: Storage,
    values: DataFrame,
    parquet: Sequence[File],
    files: Sequence[File],
    ids: DataFrame,
    pseudonyms: DataFrame,
    forms: DataFrame,
) -> set[Trace]:
    """Who stands in a decoded value or in the bytes of a file."""
    looked = looked_at(values, ids, pseudonyms).persist(StorageLevel.DISK_ONLY)
    try:
        whole = collected(looked.where(F.col("form").isNotNull()))
        longer = looked.where(F.col("kind") == LONGER).select("place", F.col("value").alias("content"))
        within = traces(longer.unionByName(storage.contents(files)), forms)
    except SPARK_ERRORS:
        if broken := unreadable(storage.spark, parquet):
            raise _undecodable(broken) from None
        raise
    finally:
        looked.unpersist()
    return {Trace(plain(trace.place), trace.form, trace.control) for trace in whole | within}


def _alike(parquet: Sequence[File], places: Sequence[str]) -> list[list[File]]:
    """Files in groups of the same columns: the control's, then table by table, the log's apart."""
    groups: dict[tuple[str, bool], list[File]] = {}
    for file in parquet:
        place = next(p for p in places if file.path.startswith(f"{p}/"))
        groups.setdefault((place, file.in_log), []).append(file)
    return list(groups.values())


def _undecodable(broken: Sequence[str]) -> IntegrityError:
    return IntegrityError(f"{broken[0]} cannot be decoded, so that nobody knows who is in it; remove it if no table needs it")


def _of_control(ids: DataFrame, forms: DataFrame) -> tuple[dict[str, bytes], str]:
    """The control's forms and its id as text; nobody has it, so that it may be known here."""
    needles = {row.form: bytes(row.needle) for row in forms.where("control").orderBy("form").collect()}
    row = ids.where("control").select(F.col(ID).cast("string").alias("id")).first()
    assert row is not None
    return needles, str(row.id)
