"""The catalogs of messages for customers, lib/evenhand/messages/LANGUAGE.po, brought up to date with the templates that say them.

    python scripts/messages.py            # adds messages that are new to each catalog, takes out what is said no more
    python scripts/messages.py fr         # begins a catalog for another language
    python scripts/messages.py --check    # exit code 1 where a catalog and the templates differ

A translator fills in each msgstr, by hand or in an editor for gettext. What is in %(…)s stays as it is.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from evenhand.version import __version__

PACKAGE = Path(__file__).resolve().parents[1] / "lib/evenhand"
FOLDER = PACKAGE / "messages"
OPTIONS = {"newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}


def said() -> Catalog:
    """Every message of the templates."""
    found = Catalog(project="Evenhand", fuzzy=False)
    for file, _, message, _, context in extract_from_dir(PACKAGE, [("**.j2", "jinja2")], {"**.j2": OPTIONS}):
        found.add(message, locations=[(f"lib/evenhand/{file}", None)], context=context)
    return found


def begun(language: str) -> Catalog:
    """An empty catalog."""
    head = f"# What Evenhand says to customers, in {Locale.parse(language).english_name}. The license is that of Evenhand, Apache-2.0."
    given = {"project": "Evenhand", "version": __version__, "last_translator": "see the history", "language_team": language}
    return Catalog(language, header_comment=head, msgid_bugs_address="see CONTRIBUTING.md", fuzzy=False, **given)


def updated(path: Path) -> bytes:
    """A catalog with the messages of today, and with the translations that it has for them."""
    catalog = read_po(BytesIO(path.read_bytes()), locale=path.stem) if path.exists() else begun(path.stem)
    template = said()
    template.creation_date = catalog.creation_date
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    written = BytesIO()
    write_po(written, catalog, width=120, include_lineno=False)
    return written.getvalue()


def main(arguments: list[str]) -> int:
    is_check = "--check" in arguments
    new = [language for language in arguments if not language.startswith("-")]
    for language in new:
        try:
            Locale.parse(language)
        except (UnknownLocaleError, ValueError):
            print(f"messages: {language} is no language; write a code such as fr or pt_BR", file=sys.stderr)
            return 2
    differing = []
    for path in sorted({*FOLDER.glob("*.po"), *(FOLDER / f"{language}.po" for language in new)}):
        text = updated(path)
        if not path.exists() or path.read_bytes() != text:
            differing.append(path.name)
            if not is_check:
                path.write_bytes(text)
    for name in differing:
        print(f"{name} {'differs from the templates; run python scripts/messages.py' if is_check else 'written'}")
    return int(bool(differing) and is_check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
