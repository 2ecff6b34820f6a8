"""Pages as a browser takes them apart: elements with their attributes, and the texts between them."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from urllib.parse import urlsplit

__all__ = ["Page", "read"]

LINKS = frozenset({"href", "src", "action", "formaction", "poster", "data", "cite", "background", "xlink:href"})
VOID = frozenset({"link", "meta", "img", "input", "br", "hr"})


class Page(HTMLParser):
    """One page: `elements` in order, each a pair of its name and its attributes, and `texts`."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.html = html
        self.elements = []
        self.texts = []
        self._open = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(attrs) == len(dict(attrs)), f"{tag} has an attribute twice: {attrs}"
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        self.texts.append((self._open[-1] if self._open else "", data))

    @property
    def text(self):
        """All that is read, with single spaces."""
        return " ".join(" ".join(data for tag, data in self.texts if tag not in {"script", "style"}).split())

    @property
    def shape(self):
        """Every element with the names of its attributes: what a text of a store has no part in."""
        return [(tag, tuple(sorted(attributes))) for tag, attributes in self.elements]

    @property
    def links(self):
        """Every address on the page, in order."""
        return [value for _, attributes in self.elements for name, value in attributes.items() if name in LINKS]

    def all(self, element, /, **wanted):
        """The attributes of all elements of a name that have some attributes."""
        found = (attributes for tag, attributes in self.elements if tag == element)
        return [one for one in found if all(one.get(key) == value for key, value in wanted.items())]

    def within(self, tag):
        """The texts directly in elements of a name."""
        return [data for open_tag, data in self.texts if open_tag == tag and data.strip()]


def read(answer):
    """Return the page of an answer, after looking that nothing in it can run or lead away."""
    page = Page(answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], f"{tag} runs something: {attributes}"
        assert "style" not in attributes, f"{tag} has a style of its own: {attributes}"
        assert tag not in {"iframe", "object", "embed", "base", "style"}, tag
        assert "srcdoc" not in attributes, attributes
        if tag == "script" and attributes.get("type") != "application/json":
            assert attributes["src"].startswith("/static/"), attributes
    for text in page.within("script"):
        assert isinstance(json.loads(text), dict), "a script stands in the page"
    for link in page.links:
        parts = urlsplit(link)
        assert not parts.scheme, f"{link!r} leads away"
        assert not parts.netloc, f"{link!r} leads away"
        assert link[:1] in {"/", "#"}, f"{link!r} leads away"
    hidden = [one for _, data in page.texts for one in data if not one.isprintable() and one not in "\n\t"]
    assert not hidden, f"{hidden} cannot be seen"
    return page
