"""The Compare page for everybody: with a screen reader, with keys alone, on a telephone, in the dark."""

from __future__ import annotations

import pytest
from tests.web.browser import axe, painted, violations

NARROW = {"width": 400, "height": 800}
QUERIES = {
    "one run": "?run=r1&iteration=2000",
    "two runs, one lacks a prediction": "?run=r1&run=r2&iteration=2000&.zoom=2&.range=0,1",
    "notices": "?run=r1&iteration=2400&.cut=z:999,q:1",
    "all panels are hidden": "?run=r1&.show=",
}


@pytest.fixture
def url(serve, filled):
    """The page for a store that is only read."""
    return f"{serve(filled).url}/compare"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", QUERIES.values(), ids=[*QUERIES])
def test_no_serious_violation(pages, url, query, scheme):
    """No page breaks a serious rule of accessibility, in light or in dark, with all that can be opened open."""
    script = axe()
    page = pages.open(url + query, color_scheme=scheme)
    page.get_by_text("Panels", exact=True).click()
    assert violations(page, script) == []
    page.get_by_text("Panels", exact=True).click()
    page.get_by_text("Keys", exact=True).click()
    assert violations(page, script) == []


def test_without_a_script(pages, url):
    """What is there without a script breaks no serious rule, either."""
    page = pages.open(f"{url}?run=r1", without="compare.js", wait=False)
    assert page.locator(".stage img").count() > 0
    assert violations(page, axe()) == []


@pytest.mark.parametrize("query", QUERIES.values(), ids=[*QUERIES])
def test_narrow(pages, url, query):
    """At 400 pixels, nothing has to be scrolled sideways, whatever is open."""
    page = pages.open(url + query, viewport=NARROW)
    for name in ("Panels", "Keys"):
        page.get_by_text(name, exact=True).click()
    page.locator("#range").select_option("typed")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    beyond = page.evaluate(
        """() => [...document.querySelectorAll("main button, main select, main input, main canvas")]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > window.innerWidth)
            .filter((one) => !one.closest("details"))
            .map((one) => one.outerHTML)"""
    )
    assert beyond == []


def test_touch(pages, url):
    """On a touch screen there are buttons for all that wheels and keys do, and they are large enough."""
    page = pages.open(f"{url}?run=r1&iteration=1000&.cut=z:8,c:0", viewport=NARROW, has_touch=True, is_mobile=True)
    page.get_by_label("iteration after").tap()
    page.get_by_label("z after").tap()
    page.get_by_label("Zoom in").tap()
    assert painted(page, step=1, cut={"z": 9, "c": 0})
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")
    assert ".zoom=1.25" in page.url
    sizes = page.locator(".controls button").evaluate_all(
        "buttons => buttons.map((one) => one.getBoundingClientRect()).map(({width, height}) => Math.min(width, height))"
    )
    assert min(sizes) >= 24


def test_keys_alone(pages, url):
    """All controls can be reached by the Tab key, in the order in which they are seen, and show where one is."""
    page = pages.open(f"{url}?run=r1&run=r2&iteration=1000")
    page.locator("#run-0").focus()
    reached = []
    for _ in range(24):
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", reached
        page.keyboard.press("Tab")
    wanted = ["run-0", "run-1", "choice-parameters", "copy", "neuroglancer", "slide-step", "slide-z", "slide-c", "play"]
    assert [one for one in reached if one in wanted] == wanted


def test_dark(pages, url):
    """In the dark, the page is dark."""
    page = pages.open(f"{url}?run=r1", color_scheme="dark")
    shades = page.evaluate(
        """() => [document.body, ...document.querySelectorAll(".controls, .panel, .message:not([hidden])")]
            .map((one) => getComputedStyle(one).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number))"""
    )
    assert max(max(one) for one in shades) < 80


def test_sliders_say_where_they_are(pages, url):
    """A slider of iterations says the iteration, and how many there are, not a number of its own."""
    page = pages.open(f"{url}?run=r1&iteration=1000")
    page.keyboard.press("ArrowRight")
    painted(page, step=1)
    assert page.locator("#slide-step").get_attribute("aria-valuetext") == "2000, 2 of 3"
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")
    label = page.locator("[data-kind=validation_prediction] canvas").get_attribute("aria-label")
    assert label == "validation prediction of r1, iteration 2000"
