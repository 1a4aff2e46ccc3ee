"""The page in a real browser: on a telephone, on a wide screen, in the dark and on paper, and for those who do not see it.

Skipped where there is no Chromium, or without the extra `browser`; scripts/test installs that.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from test_report import facts
from test_report_mitigation import BOUND, MITIGATION, POINTS
from test_report_movement import PLAN, ROWS, SAME, THEN
from test_segment_map import APART, with_values

from evenhand.describe.quartiles import QUARTILES
from evenhand.report.movement import Moved
from evenhand.report.page import render
from evenhand.rows.distribution import TOTAL

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra `browser`")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra `browser`")
CHROMIUM = next((found for name in ("chromium", "google-chrome", "chromium-browser") if (found := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, for instance: apt-get install chromium")
ALONE = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync".split()
PHONE, WIDE = 360, 1000
UNITS = {"features.1.unit": "EUR a year", "features.2.unit": "visits a month and shop"}
LONG = "buys very often in many large baskets, spends very much, was seen lately"
# Every text of a chart that is seen, with its box and the height of its letters on the screen.
TEXTS = """() => [...document.querySelectorAll("figure svg")].filter(s => s.getClientRects().length).map(svg => {
  const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  return [...svg.querySelectorAll("text")].filter(t => t.textContent && t.getAttribute("opacity") !== "0").map(t => {
    const box = t.getBoundingClientRect();
    return {text: t.textContent, size: scale * parseFloat(getComputedStyle(t).fontSize), color: getComputedStyle(t).fill,
            left: box.left, right: box.right, top: box.top, bottom: box.bottom};
  });
})"""


@pytest.fixture(scope="module")
def made() -> str:
    """A page with every part: mitigation, bounds, a curve over k, movement, map, shares of totals, long labels."""
    curve = [
        {"k": k, "method": "curve", "cost": 9.0, "cost_low": 8.0, "cost_high": 10.0, "silhouette": s, "chosen": k == 4}
        | {"silhouette_low": s - 0.03, "silhouette_high": s + 0.03, "silhouette_evenly": 0.25}
        for k, s in ((3, 0.3), (4, 0.4), (5, 0.35))
    ]
    moved = Moved("autumn", ROWS, THEN | {4: LONG}, SAME)
    found = facts(plan=MITIGATION | UNITS | PLAN, tradeoff=POINTS, bounds=[BOUND], curve=curve, lasting=SAME, movement=moved)
    apart = with_values(APART).profiles  # for the map
    figures = {"value": 0.61, "low": 0.58, "high": 0.64, "unit": "", "suppressed": False}
    brought = [
        {"segment": s, "feature": name, "figure": figure} | figures
        for name in found.plan.feature_names
        for figure in (TOTAL, *QUARTILES)
        for s in found.labels
    ]
    profiles = [r | {"label": LONG if r["segment"] == 1 else r["label"]} for r in apart]
    return render(replace(found, profiles=profiles, distribution=brought))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ALONE)
        yield opened
        opened.close()


@pytest.fixture
def shown(browser: Any, made: str) -> Iterator[Callable[..., Any]]:
    contexts = []

    def show(width: int, scheme: str = "light", media: str = "screen") -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.emulate_media(media=media, color_scheme=scheme)
        page.set_content(made)
        return page

    yield show
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, WIDE])
def test_axe_finds_nothing_serious(shown: Callable[..., Any], width: int, scheme: str) -> None:
    page = shown(width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = axe_api.Axe().run(page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("width", [PHONE, 740, WIDE])
def test_nothing_is_cut_and_no_letter_is_tiny(shown: Callable[..., Any], width: int) -> None:
    page = shown(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Beyond its picture's edge a text is seen as well, so that the window's is what cuts it.
    cutting = "[...document.querySelectorAll('figure svg')].filter(s => getComputedStyle(s).overflow !== 'visible').length"
    assert page.evaluate(cutting) == 0
    charts = page.evaluate(TEXTS)
    assert len(charts) == 8  # sizes, typical values, map, movement, two attributes, price, curve: each once
    for text in (text for chart in charts for text in chart):
        assert text["size"] >= 9.5, text
        assert text["left"] >= 0 and text["right"] <= width, text


@pytest.mark.parametrize("width", [PHONE, WIDE])
def test_labels_of_charts_do_not_overlap(shown: Callable[..., Any], width: int) -> None:
    for chart in shown(width).evaluate(TEXTS):
        for i, one in enumerate(chart):
            for other in chart[:i]:
                apart = (
                    one["left"] >= other["right"] - 1
                    or other["left"] >= one["right"] - 1
                    or one["top"] >= other["bottom"] - 3  # a box is higher than its letters
                    or other["top"] >= one["bottom"] - 3
                )
                assert apart, (one["text"], other["text"])


def test_charts_fill_their_column(shown: Callable[..., Any]) -> None:
    widths = """[...document.querySelectorAll("figure svg")].filter(s => s.getClientRects().length)
                .map(s => s.getBoundingClientRect().width / s.closest("figure").clientWidth)"""
    assert all(part > 0.99 for width in (PHONE, WIDE) for part in shown(width).evaluate(widths))


def test_in_the_dark_page_and_charts_are_dark(shown: Callable[..., Any]) -> None:
    page = shown(WIDE, "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 27)"
    names = [text for chart in page.evaluate(TEXTS) for text in chart if text["text"].startswith(("1 ·", "2 ·"))]
    assert names and {text["color"] for text in names} == {"rgb(232, 232, 230)"}


def test_paper_is_white_and_shows_what_is_folded(shown: Callable[..., Any]) -> None:
    page = shown(700, "dark", "print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    folded = "[...document.querySelectorAll('details table')].every(t => t.getBoundingClientRect().height > 20)"
    assert page.evaluate(folded)
    assert not page.get_by_text("worst first").first.is_visible()


def test_a_verdict_is_seen_on_a_telephone_without_scrolling(shown: Callable[..., Any]) -> None:
    page = shown(PHONE)
    cell = page.locator("td.verdict").first
    box = cell.bounding_box()
    assert box["x"] + box["width"] <= PHONE
    lines = "cell => { const text = document.createRange(); text.selectNodeContents(cell); return text.getClientRects().length }"
    assert cell.evaluate(lines) == 1
