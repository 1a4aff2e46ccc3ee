"""Each segment in a sentence that a reader can repeat: how large it is, and in what it surely differs from all customers."""

from __future__ import annotations

from evenhand.describe.label import NOTICEABLE
from evenhand.plan.features import Feature
from evenhand.report.distribution import brings
from evenhand.report.facts import Facts, sure_deviations
from evenhand.report.words import Form, Row, interval, isolated, number

MOST = 3  # features in a sentence; all stand below


def segment_sentences(facts: Facts) -> dict[int, str]:
    """By segment. Only what the noise cannot have made is said: a feature counts where it surely and noticeably differs."""
    sizes = facts.measure("size")
    form = Form.of(sizes, least=1)
    return {row["segment"]: _sentence(facts, row, form) for row in sizes}


def _sentence(facts: Facts, size: Row, form: Form) -> str:
    label = isolated(size["label"])
    if size["suppressed"]:
        return f"{label}."
    found = [
        (feature, row)
        for feature in facts.plan.features
        for row in facts.measure(feature.name)
        if row["segment"] == size["segment"]
    ]
    told = [
        (feature, row, away) for feature, row in found if (away := sure_deviations(row)) is not None and abs(away) >= NOTICEABLE
    ]
    told.sort(key=lambda of: -abs(of[2]))
    said = [_compared(facts, feature, row) for feature, row, _ in told[:MOST] if feature.name in facts.everyone]
    compared = f" {_capital('; '.join(said))}." if said else ""
    return f"{label}: {form.about(size)} customers.{brings(facts, size['segment'])}{compared}"


def _compared(facts: Facts, feature: Feature, row: Row) -> str:
    """ "recency is 284 days, against 79 for all customers"."""
    everybody, unit = facts.everyone[feature.name], f" {feature.unit}" if feature.unit else ""
    own = interval(row) if row["value"] is None else number(row["value"], row["high"] - row["low"])
    others = number(everybody.value, everybody.high - everybody.low)
    if feature.category is not None:
        return f"{own}% of them are counted under {feature.name.replace('_', ' ')}, against {others}% of all customers"
    return f"{feature.name.replace('_', ' ')} is {own}{unit}, against {others} for all customers"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
