"""The notice to customers (GDPR art. 12 to 14): a page a language, made of the plan alone, and a record of what it says beside them."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.errors import ArgumentError, OutputError, PlanError, cannot_write
from evenhand.people.notice_page import file_name, page
from evenhand.plan.apart import nested
from evenhand.plan.columns import all_tables
from evenhand.plan.consent import is_lower, is_same
from evenhand.plan.load import checked_plan
from evenhand.plan.models import Plan
from evenhand.plan.notice import Notice
from evenhand.plan.notice_checks import wrong_words
from evenhand.plan.substance import Substance, differences, refusal, substance

RECORD = "notice.json"


@dataclass(frozen=True)
class Told:
    """What a notice that lies in a folder says."""

    plan: str
    purpose: str
    version: str
    languages: list[str]
    substance: Substance


def notice(plan: Plan, to: str, language: str | None = None) -> list[Path]:
    """Write the page in each of the plan's languages, or in one of them, and `notice.json`; hands back the pages.

    Pages in other languages that lie there already are written anew too, so that all say the same. Anybody may read them.

    Raises:
        PlanError: the plan lacks what a notice needs, or says something else under the version that lies there.
        OutputError: the folder holds what is not ours, or another plan's notice. Nothing was written.
    """
    told, folder = _complete(checked_plan(plan)), Path(to).absolute()
    if language is not None and language not in told.languages:
        raise ArgumentError(f"--language {language}: the plan's notice is in {', '.join(told.languages)}; name one of these")
    _refuse_inside(plan, to)
    before = _before(folder, told.languages)
    if before is not None:
        _refuse_silent_change(plan, told, before, folder)
    there = before.languages if before else []
    wanted = [code for code in told.languages if language in (None, code) or code in there]
    pages = {folder / file_name(code): page(plan, told, code, [o for o in wanted if o != code]) for code in wanted}
    said = Told(plan.name, plan.purpose, told.version, wanted, substance(plan))
    record = json.dumps(vars(said), ensure_ascii=False, indent=2) + "\n"
    _write(folder, {folder / RECORD: record, **pages}, [folder / file_name(code) for code in set(there) - set(wanted)])
    return list(pages)


def _write(folder: Path, texts: dict[Path, str], gone: list[Path]) -> None:
    """Write all files under other names, then give them theirs: who looks sees an old page or a new one, never half of one.

    The record is the first: pages without it, of a process that was killed, would be taken for somebody else's.
    """
    parts = {path: path.with_name(f"{path.name}.part") for path in texts}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            parts[path].write_text(text, encoding="utf-8")
        for path, part in parts.items():
            part.replace(path)
        for page_of_before in gone:
            page_of_before.unlink(missing_ok=True)
    except OSError as wrong:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)
        raise cannot_write(f"--to: {folder}", wrong, "; start it again, and it writes all pages anew") from None


def _complete(plan: Plan) -> Notice:
    """Raises PlanError where the plan lacks a section that customers must be told of, in one line, or words in a language."""
    lacking = []
    if plan.notice is None:
        lacking.append("notice (its version, and recipients)")
    if plan.contact is None:
        lacking.append("contact (controller, and how to reach them)")
    if plan.notice is None or lacking:
        raise PlanError([f"a notice to customers needs the sections that this plan lacks: {'; '.join(lacking)}"])
    if wrong := wrong_words(plan):
        raise PlanError(wrong)
    return plan.notice


def _refuse_inside(plan: Plan, to: str) -> None:
    """Raises OutputError where the folder lies in a zone or a source, or one of those in it: a page is for everybody."""
    if ":/" in to:
        raise ArgumentError(
            f"--to {to}: a folder on this machine's own disk is needed; put the pages where customers see them from there"
        )
    output, erasures = plan.output, plan.output.kept_erasures
    others = {"the restricted zone": output.restricted.path, "the open zone": output.open.path}
    others["the list of the erased"] = erasures.path if erasures else None
    others |= {f"the source {name}": table.path for name, table in all_tables(plan).items()}
    for what, place in others.items():
        if place and nested(to, place):
            raise OutputError(f"--to: {to} and {what} ({place}) lie inside each other; name a folder apart")


def _before(folder: Path, languages: list[str]) -> Told | None:
    """What lies in the folder; None where no notice does."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"--to: {folder} is a file; name a folder")
    record = folder / RECORD
    if not record.exists():
        if foreign := [name for code in languages if (folder / (name := file_name(code))).exists()]:
            raise OutputError(
                f"--to: {folder} has {foreign[0]} and no {RECORD} beside it, so it is not ours; name another folder"
            )
        return None
    try:
        return _told(json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise OutputError(f"--to: {record} is no record of a notice; name another folder, or put it back") from None


def _told(found: Any) -> Told:
    """Raises TypeError or ValueError where the record is not one."""
    told = Told(**found)
    texts = [told.plan, told.purpose, told.version, *told.languages, *(s for said in told.substance.values() for s in said)]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(s, list) for s in told.substance.values()):
        raise ValueError("no record of a notice")
    return told


def _refuse_silent_change(plan: Plan, now: Notice, before: Told, folder: Path) -> None:
    if (before.plan, before.purpose) != (plan.name, plan.purpose):
        raise OutputError(
            f"--to: {folder} has the notice of plan {before.plan} for the purpose {before.purpose}, and this is plan {plan.name} for "
            f"{plan.purpose}; name another folder"
        )
    if is_lower(now.version, before.version):
        raise PlanError(
            [f"{now.version} is older than {before.version}, which is in {folder}; nothing was written"], "notice.version"
        )
    if is_same(now.version, before.version) and (changed := differences(before.substance, substance(plan))):
        raise PlanError([refusal(now.version, f"in {folder}", changed)], "notice.version")
