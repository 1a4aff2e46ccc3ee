"""In which format a table of Evenhand's is: a number that stands with one column, the first in the catalog, from its first commit on.

Delta keeps what a writer says of a column, without a commit of its own, wherever the table is. It is set when the table is made;
later writes do not change it.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from evenhand.errors import OutputError
from evenhand.tables.catalog import TableSpec
from evenhand.version import __version__

FORMAT = "evenhand.format"
FIRST = 1  # of a table that says none: the first that were made did not


def stamped(spec: TableSpec, frame: DataFrame) -> DataFrame:
    """The rows with the format that this version writes, for the table that they may be the first of."""
    return frame.withMetadata(_bearer(spec), {FORMAT: spec.format})


def check_format(spec: TableSpec, schema: StructType, address: str) -> None:
    """Raises OutputError when a table is in another format than this version knows."""
    found = next((field.metadata.get(FORMAT, FIRST) for field in schema if field.name == _bearer(spec)), FIRST)
    if found == spec.format:
        return
    whose, right = "a later", "install that one"
    if isinstance(found, int) and found < spec.format:
        whose = "an earlier"
        right = "go on with the version that wrote it, or begin as docs/operating.md says under Another version"
    raise OutputError(
        f"{address} is in format {found} of Evenhand's table {spec.name}, which {whose} version wrote; this one, {__version__}, reads "
        f"and writes format {spec.format}; {right}; nothing was changed"
    )


def _bearer(spec: TableSpec) -> str:
    return spec.columns.partition(" ")[0]
