"""The page that tells customers what a plan does with their data (GDPR art. 12 to 14), in one language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from evenhand.people.translated import messages, own_name, span
from evenhand.plan.columns import CONSENT, Use, all_uses
from evenhand.plan.models import Plan
from evenhand.plan.notice import Notice
from evenhand.plan.substance import KEPT, use_of_attribute

FIELDS = {"attribute": "single", "signal": "signal", "notice_version": "notice"}  # of consent; the others say who may be used
GPC = "gpc"
Words = Callable[[str], str]


def page(plan: Plan, notice: Notice, language: str, others: Sequence[str]) -> str:
    """The page as HTML, without scripts; it asks nothing of a network. `others` are the languages of the pages beside it."""
    environment = Environment(
        loader=PackageLoader("evenhand.people"),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(messages(language), newstyle=True)  # type: ignore[attr-defined]
    return environment.get_template("notice.html.j2").render(view(plan, notice, language, others))


def view(plan: Plan, notice: Notice, language: str, others: Sequence[str]) -> dict[str, Any]:
    """What the page says, in the words that the plan has for this language; messages are the template's."""
    said = notice.words.get(language, {})

    def words(text: str) -> str:
        return said.get(text, text)

    mitigation, signals = plan.fairness.mitigation, plan.sources.consent.signals
    return {
        "language": language.replace("_", "-"),
        "others": [(other.replace("_", "-"), own_name(other), file_name(other)) for other in others],
        "version": notice.version,
        "description": sentence(words(plan.description)),
        "controller": words(plan.contact.controller) if plan.contact else "",
        "reach": words(plan.contact.reach) if plan.contact else "",
        "opt_in": plan.opt_in,
        "sources": _sources(plan, words),
        "rewards": plan.rewards,
        "surveys": [_name(survey.name, words) for survey in plan.surveys],
        "never": [words(column) for column in notice.never_used],
        "protected": [
            {"name": _name(a.name, words), "why": sentence(words(a.why)), "use": use_of_attribute(plan, a.name)}
            for a in plan.protected
        ],
        "justification": sentence(words(mitigation.justification)) if mitigation and mitigation.justification else "",
        "runs": plan.privacy.runs_covered,
        "renews": plan.privacy.renews,
        "least": plan.privacy.minimum_cell,
        "kept": {what: span(getattr(plan.retention, what), language) for what in KEPT},
        "holdout": plan.activation.holdout > 0,
        "movement": plan.segments.movement is not None,
        "recipients": [
            {"name": words(r.name), "why": sentence(words(r.why)), "transfer": r.transfer and sentence(words(r.transfer))}
            for r in notice.recipients
        ],
        "gpc": signals is None or GPC in (s.casefold() for s in signals),
        "authority": notice.authority and words(notice.authority),
    }


def file_name(language: str) -> str:
    return f"notice.{language}.html"


def sentence(text: str) -> str:
    """A reason of the plan as a sentence: with a capital, and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text[-1:] in ".!?" else ".")


def _sources(plan: Plan, words: Words) -> list[dict[str, Any]]:
    """By source its columns with all that they are read for, as (kind, the plan's words); columns of the same reasons together."""
    found: dict[str, dict[str, tuple[str, dict[tuple[str, str], None]]]] = {}
    for use in all_uses(plan):
        found.setdefault(use.source, {}).setdefault(use.column.lower(), (use.column, {}))[1][_reason(use, words)] = None
    return [{"name": _name(source, words), "rows": _rows(plan, source, columns, words)} for source, columns in found.items()]


def _rows(
    plan: Plan, source: str, columns: Mapping[str, tuple[str, Mapping[tuple[str, str], None]]], words: Words
) -> list[dict[str, Any]]:
    rows: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for column, reasons in columns.values():
        own = words(f"{source}.{column}")
        rows.setdefault(tuple(reasons), []).append(_name(column, words) if own == f"{source}.{column}" else own)
    found = [{"columns": named, "reasons": reasons} for reasons, named in rows.items()]
    counted = [f for f in plan.features if f.events == source and not f.columns]  # count(*) reads no column, and yet is told
    return found + [{"columns": [], "reasons": [("feature", sentence(words(f.why)))]} for f in counted]


def _reason(use: Use, words: Words) -> tuple[str, str]:
    if use.source == CONSENT:
        return (FIELDS.get(use.name, "choice"), "")
    return (use.kind, sentence(words(use.why)) if use.why else "")


def _name(name: str, words: Words) -> str:
    """A technical name in the plan's words, or without its underscores."""
    said = words(name)
    return said if said != name else name.replace("_", " ")
