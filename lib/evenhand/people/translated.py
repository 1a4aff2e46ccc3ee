"""Messages, spans of time and names of languages in a customer's language."""

from __future__ import annotations

from functools import cache
from io import BytesIO

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from babel.units import format_unit

from evenhand.plan.languages import SOURCE, catalogs
from evenhand.plan.spans import amount


@cache
def messages(language: str) -> NullTranslations:
    """The messages of a language: of English, in which the code has them, as they are."""
    if language == SOURCE:
        return NullTranslations()
    compiled = BytesIO()
    with (catalogs() / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def span(text: str, language: str) -> str:
    """A span of the plan: "13 months" is "13 Monate"."""
    number, unit = amount(text)
    return format_unit(number, f"duration-{unit}", locale=language)


def own_name(language: str) -> str:
    """What a language calls itself, beginning with a capital: "Deutsch"."""
    name = Locale.parse(language).get_display_name(language) or language
    return name[:1].upper() + name[1:]
