"""Where a run's results go, and whether its ledger would begin anew there: for `--check`, from files alone."""

from __future__ import annotations

import os
import re
from pathlib import Path

from evenhand.plan.data import Place
from evenhand.plan.models import Plan

SHARE = "Plans on the same people must share the open zone, or their ε adds up without anybody counting."


def zones(plan: Plan) -> list[str]:
    """The zones, the list of the erased and the folder of reports, as absolute paths."""
    output = plan.output
    named = {"restricted": output.restricted, "open": output.open}
    lines = [f"{zone} zone: {place.catalog_schema or _absolute(place)}" for zone, place in named.items()]
    if (erasures := output.kept_erasures) is not None:
        lines.append(f"list of the erased: {erasures.catalog_schema or _absolute(erasures)}")
    return [*lines, f"reports: {os.path.abspath(output.reports)}"]


def ledger_in_words(plan: Plan) -> str:
    """Whether a ledger is there; a zone in a catalog or with a scheme is not looked into."""
    population, folder, restricted = plan.privacy.population, _local(plan.output.open), _local(plan.output.restricted)
    if folder is None:
        return f"Whether a ledger of population {population} is there is known once Spark looks. {SHARE}"
    try:
        known = sorted(_populations(folder / "budget"))
    except (OSError, ValueError, KeyError) as wrong:  # pyarrow's errors are among them
        return f"Whether a ledger of population {population} is there is not known: the table budget cannot be read ({type(wrong).__name__})."
    if population in known:
        return f"The ledger of population {population} is there, and goes on."
    if known:
        return f"A ledger is there, of {', '.join(known)}; that of population {population} would begin in it."
    if os.path.exists(folder / "runs") or (restricted is not None and os.path.exists(restricted / "audit_log")):
        return "No ledger is there, although runs are: it was lost or moved, and a run is refused until the table budget is back."
    return f"No ledger is there: a new one would begin, for population {population}. {SHARE}"


def _populations(table: Path) -> set[str]:
    """Those that entries in the files of a ledger name; entries are only ever added."""
    import pyarrow.parquet as parquet  # late: a check of a plan without a ledger need not load it

    files = table.glob("*.parquet") if os.path.isdir(table / "_delta_log") else []
    return {name for file in files for name in parquet.read_table(file, columns=["population"])["population"].to_pylist()}


def _local(place: Place) -> Path | None:
    path = re.sub(r"^file:/+", "/", place.path or "")
    return Path(path).absolute() if path and ":/" not in path else None


def _absolute(place: Place) -> str:
    return str(_local(place) or place.path)
