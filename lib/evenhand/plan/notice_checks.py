"""What the plan as a whole can get wrong about its notice: promises that it breaks, versions that contradict, words that lack."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from evenhand.plan.columns import all_uses, needed_columns
from evenhand.plan.consent import is_lower
from evenhand.plan.models import Plan
from evenhand.plan.notice import Notice

MOST_NAMED = 3  # texts in one line


def contradictions_of_notice(plan: Plan) -> list[str]:
    """One line for each, with the key's path; none where the plan has no notice."""
    return [] if plan.notice is None else [*_promises(plan, plan.notice), *_versions(plan, plan.notice)]


def wrong_words(plan: Plan) -> list[str]:
    """Why the page cannot be written in each language yet: words that lack, and those of texts that are gone. A run needs none."""
    return [] if plan.notice is None else list(_words(plan, plan.notice))


def sentences(plan: Plan) -> list[str]:
    """The texts of the plan that the page repeats, each once: customers must have them in their language."""
    found = [plan.description, *(f.why for f in plan.features), *(a.why for a in plan.protected)]
    if (mitigation := plan.fairness.mitigation) is not None and mitigation.justification:
        found.append(mitigation.justification)
    for recipient in plan.notice.recipients if plan.notice else ():
        found += [recipient.why, *filter(None, [recipient.transfer])]
    return list(dict.fromkeys(found))


def names(plan: Plan) -> Iterator[str]:
    """What else the page repeats, which may have other words."""
    yield from needed_columns(plan)
    yield from (asked.name for asked in plan.counted_in_waves)
    for use in all_uses(plan):
        yield from (use.column, f"{use.source}.{use.column}")  # the second where it is to be called otherwise than elsewhere
    yield from plan.attribute_names
    if plan.contact is not None:
        yield from (plan.contact.controller, plan.contact.reach)
    if plan.notice is not None:
        yield from (r.name for r in plan.notice.recipients)
        yield from plan.notice.never_used
        yield from filter(None, [plan.notice.authority])


def _promises(plan: Plan, notice: Notice) -> list[str]:
    read = {use.column.lower(): use.source for use in all_uses(plan)}
    return [
        f"notice.never_used.{i}: column {column} is read from {read[column.lower()]}; promise only what the plan keeps"
        for i, column in enumerate(notice.never_used)
        if column.lower() in read
    ]


def _versions(plan: Plan, notice: Notice) -> list[str]:
    least = plan.sources.consent.minimum_notice_version
    if least is None or not is_lower(notice.version, least):
        return []
    return [
        f"notice.version: {notice.version} is older than sources.consent.minimum_notice_version, {least}, so no consent under this "
        "notice would count"
    ]


def _words(plan: Plan, notice: Notice) -> Iterator[str]:
    needed, known = sentences(plan), {*sentences(plan), *names(plan)}
    for language in notice.languages[1:]:
        if lacking := [text for text in needed if text not in notice.words.get(language, {})]:
            more = f" and {len(lacking) - MOST_NAMED} more" if len(lacking) > MOST_NAMED else ""
            shown = ", ".join(repr(text) for text in lacking[:MOST_NAMED])
            yield f"notice.words: {language} has no words for {shown}{more}"
    for language, words in notice.words.items():
        for text in words:
            if text not in known:
                near = get_close_matches(text, known, n=1)
                yield f"notice.words.{language}: {text!r} is no text of this plan" + (
                    f"; did you mean {near[0]!r}?" if near else ""
                )
