"""A real browser for tests: Chromium, driven by Playwright, which fails a test for whatever goes wrong on its pages.

A browser lives as long as a module's tests, in the thread that pytest runs them in: while it lives, that thread cannot
run an event loop of its own, so modules of browser tests ask servers, never an application in this process.
"""

from __future__ import annotations

import base64
import json
import shutil
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from tests.tools import lacking, of_npm

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",  # there is none, and drawing as if there were one is slower
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
HERE = frozenset({"127.0.0.1", "localhost"})
PAINTS = """
    window.paints = [];
    document.addEventListener("painted", (event) => window.paints.push(event.detail));
    document.addEventListener("securitypolicyviolation", (event) =>
        console.error("policy violated:", event.violatedDirective, event.blockedURI, event.sample));
"""
"""Runs before the scripts of a page: keeps what is said of each painted frame, and tells what the policy forbids."""

FRAMES = "async () => { for (let count = 0; count < 2; count += 1) await new Promise(requestAnimationFrame); }"
"""Waits until what is due is painted."""


@contextmanager
def launched():
    """Run a browser. Raises `LookupError` where there is none."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise LookupError("playwright is not installed") from error
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise LookupError(f"there is no browser: none of {', '.join(NAMES)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS])
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def browser():
    """A browser for all tests of a module."""
    context = launched()
    try:
        opened = context.__enter__()
    except LookupError as error:
        lacking(str(error))
    yield opened
    context.__exit__(None, None, None)


class Pages:
    """Opens pages, and keeps what goes wrong on them in `troubles`.

    Requests whose address has one of the words in `refused` may be refused: a browser tells of each on its console.
    """

    def __init__(self, browser):
        self.browser = browser
        self.refused = set()
        self.troubles = []
        self.asked = []
        self._contexts = []

    def open(self, url, *, wait=True, without=None, **options):
        """Open a page, `without` a file that it asks for if one is named; of Compare, wait for its pictures."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        self._contexts.append(context)
        context.on("request", self._asking)
        context.add_init_script(PAINTS)
        if without:
            self.refused.add(without)
            context.route(f"**/{without}", lambda route: route.abort())
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(f"{page.url}: {error}"))
        answer = page.goto(url)
        assert answer is not None
        if wait and options.get("java_script_enabled", True) and urlsplit(url).path == "/compare":
            painted(page)
        return page

    def close(self):
        for context in self._contexts:
            context.close()

    def _asking(self, request):
        self.asked.append(request.url)
        parts = urlsplit(request.url)
        if parts.hostname not in HERE and parts.scheme not in {"data", "blob"}:
            self.troubles.append(f"a request leaves this machine: {request.url}")

    def _said(self, message):
        if message.type not in {"error", "warning"}:
            return
        where = message.location.get("url", "")
        is_refusal = "Failed to load resource" in message.text and any(word in where for word in self.refused)
        if not is_refusal:
            self.troubles.append(f"{message.type}: {message.text} ({where})")


@pytest.fixture
def pages(browser, serve):
    """What opens pages; the test fails at its end for whatever went wrong on one. Servers live longer than pages."""
    made = Pages(browser)
    yield made
    made.close()
    assert not made.troubles, "\n".join(made.troubles)


def painted(page, **wanted):
    """Wait until the last painted frame is complete, of a step or a cut if they are given; return what it says."""
    condition = """(wanted) => {
        const last = window.paints.at(-1);
        if (!last?.complete) return null;
        const isIn = (one, other) => typeof one !== "object" ? one === other :
            Object.keys(one).every((name) => isIn(one[name], other[name]));
        return isIn(wanted, last) && last;
    }"""
    page.evaluate(FRAMES)
    return page.wait_for_function(condition, arg=wanted).json_value()


def pixels(page, kind, row=0):
    """What a panel has drawn: the height and the width of its canvas, and red, green, blue, alpha of each pixel."""
    import numpy as np

    script = """([kind, row]) => {
        const seen = document.querySelector(`[data-row="${row}"] [data-kind="${kind}"] canvas`);
        const { width, height } = seen;
        const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
        context.drawImage(seen, 0, 0);
        const { data } = context.getImageData(0, 0, width, height);
        let text = "";
        for (let start = 0; start < data.length; start += 8192) {
            text += String.fromCharCode(...data.subarray(start, start + 8192));
        }
        return [height, width, btoa(text)];
    }"""
    page.evaluate(FRAMES)
    height, width, text = page.evaluate(script, [kind, row])
    return np.frombuffer(base64.b64decode(text), "u1").reshape(height, width, 4)


def axe():
    """The text of axe-core's script."""
    return of_npm("axe-core/axe.min.js").read_text(encoding="utf-8")


def violations(page, script):
    """What is hard for who cannot see, or point, or hear: each serious rule that is broken, and where."""
    page.evaluate(script)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
    return [f"{one['id']}: {json.dumps([node['html'] for node in one['nodes']][:3])}" for one in serious]
