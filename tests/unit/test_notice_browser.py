"""The pages for customers in a real browser: on a telephone, in the dark and on paper, and for those who do not see them.

Skipped where there is no Chromium, or without the extra `browser`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_person import BALANCED, ROWS, made
from test_report_browser import CHROMIUM, PHONE, WIDE, axe_api, browser  # noqa: F401 (a fixture)

from evenhand.people.notice import notice
from evenhand.people.person import PAGE
from evenhand.plan.load import load_plan

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, for instance: apt-get install chromium")
DEMO = Path(__file__).parents[2] / "conf/demo.yaml"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The notice of the demo in both languages, and a person's page."""
    folder = tmp_path_factory.mktemp("pages")
    written = dict(zip(("en", "de"), notice(load_plan(DEMO), str(folder)), strict=True))
    (folder / "person.html").write_text(PAGE.render(made(BALANCED, ROWS)), encoding="utf-8")
    return written | {"person": folder / "person.html"}


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:  # noqa: F811
    opened = browser.new_context()
    yield opened
    opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, WIDE])
@pytest.mark.parametrize("which", ["en", "de", "person"])
def test_axe_finds_nothing_serious_and_nothing_is_cut(
    context: Any, pages: dict[str, Path], which: str, width: int, scheme: str
) -> None:
    shown, asked = context.new_page(), []
    shown.on("request", lambda request: asked.append(request.url))
    shown.set_viewport_size({"width": width, "height": 800})
    shown.emulate_media(color_scheme=scheme)
    shown.goto(pages[which].as_uri())
    assert asked == [pages[which].as_uri()]
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    dark = shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
    assert dark == (scheme == "dark")
    found = axe_api.Axe().run(shown).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")] == []


def test_a_customer_goes_from_one_language_to_the_other(context: Any, pages: dict[str, Path]) -> None:
    shown = context.new_page()
    shown.goto(pages["en"].as_uri())
    shown.get_by_role("link", name="Deutsch").click()
    assert shown.evaluate("document.documentElement.lang") == "de"
    assert shown.get_by_role("heading", level=1).inner_text() == "Wie wir Ihre Daten nutzen"


def test_paper_is_white(context: Any, pages: dict[str, Path]) -> None:
    shown = context.new_page()
    shown.emulate_media(media="print", color_scheme="dark")
    shown.goto(pages["en"].as_uri())
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
