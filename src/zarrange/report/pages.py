"""Pages: what there is to say of each rule, for `zarrange explain` and for viewers of findings."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from zarrange.diagnostics import Severity
from zarrange.language.check import RULES, rule_pages
from zarrange.report.ink import Ink
from zarrange.stores.doctor import STORE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Page", "pages", "pages_as_json", "pages_as_text"]


@frozen
class Page:
    """A rule, how bad its findings are unless a layout says otherwise, when they are found, and what explains it."""

    rule: str
    severity: Severity
    found: Literal["loading", "checking", "checking a store"]
    text: str

    @property
    def summary(self) -> str:
        """The bad pattern in one sentence: the page's first line."""
        return self.text.partition("\n")[0]


def pages() -> dict[str, Page]:
    """Return the page of every rule, by its name."""
    found = {name: _page(name, text) for name, text in rule_pages().items()}
    for name, (finding, severity) in STORE_RULES.items():
        found[name] = Page(name, severity, "checking a store", inspect.cleandoc(finding.__doc__ or ""))
    return dict(sorted(found.items()))


def _page(name: str, text: str) -> Page:
    rule = RULES.get(name)
    # What is found when a layout is loaded keeps it from being used.
    return Page(name, rule.severity, "checking", text) if rule else Page(name, Severity.ERROR, "loading", text)


def pages_as_json(chosen: Iterable[Page]) -> str:
    """Return pages as a JSON list."""
    data = [
        {"rule": one.rule, "severity": one.severity.value, "found": one.found, "summary": one.summary, "page": one.text}
        for one in chosen
    ]
    return json.dumps(data, indent=2)


def pages_as_text(chosen: Iterable[Page], *, color: bool = False) -> str:
    """Return pages as one Markdown document, the name of each rule as its heading."""
    ink = Ink(color)
    return "\n\n".join("\n".join(_drawn(page, ink)) for page in chosen)


def _drawn(page: Page, ink: Ink) -> Iterator[str]:
    yield ink("strong", f"# {page.rule}")
    yield ""
    moment = {"loading": "a layout is loaded", "checking": "a layout is checked"}.get(page.found, "a store is checked")
    yield f"{ink(page.severity.value, page.severity.value.capitalize())}, found when {moment}."
    yield ""
    in_code = False
    for line in page.text.split("\n"):
        in_code ^= line.startswith("```")
        yield ink("strong", line) if line.startswith("#") and not in_code else line
