"""Diagnostics as SARIF 2.1.0, which code scanning and editors read: one run, with a page on each rule that occurs."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zarrange.diagnostics import Diagnostic, Label, Span
    from zarrange.report.pages import Page

__all__ = ["diagnostics_as_sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LINK = re.compile(r"\[(?=[^\[\]]*\]\()")
_SURROGATE = re.compile("[\ud800-\udfff]")


def diagnostics_as_sarif(
    diagnostics: Iterable[Diagnostic], pages: Mapping[str, Page], *, version: str, root: str
) -> str:
    """Return a SARIF log. Files below the folder `root` are named relative to it, others by their whole path.

    `pages` has what is to be said of each rule; one that it does not have is only named.
    """
    found = list(diagnostics)
    rules = sorted({one.rule for one in found})
    driver = {"name": "zarrange", "version": version, "rules": [_rule(name, pages.get(name)) for name in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, rules.index(one.rule), root) for one in found],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(name: str, page: Page | None) -> dict[str, Any]:
    if page is None:
        return {"id": name}
    return {
        "id": name,
        "shortDescription": {"text": page.summary},
        "help": {"text": page.text, "markdown": page.text},
        "defaultConfiguration": {"level": page.severity.value},
    }


def _result(diagnostic: Diagnostic, rule: int, root: str) -> dict[str, Any]:
    lines = [diagnostic.message, *(f"info: {line}" for line in diagnostic.info)]
    if diagnostic.help:
        lines.append(f"help: {diagnostic.help}")
    result = {
        "ruleId": diagnostic.rule,
        "ruleIndex": rule,
        "level": diagnostic.severity.value,
        "message": {"text": _text("\n".join(lines))},
        "locations": [{"physicalLocation": _place(diagnostic.span, root)}],
    }
    if diagnostic.labels:
        result["relatedLocations"] = [_related(label, root) for label in diagnostic.labels]
    return result


def _related(label: Label, root: str) -> dict[str, Any]:
    return {"physicalLocation": _place(label.span, root), "message": {"text": _text(label.text)}}


def _place(span: Span, root: str) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(span.file, root)}}
    if span.line:
        place["region"] = {
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": span.end_line,
            "endColumn": span.end_column,
        }
    return place


def _text(text: str) -> str:
    r"""Return a message that is valid Unicode, and has no link that a layout put there.

    Braces stay as they are: viewers show doubled ones doubled, and a template copied from there would be wrong.
    """
    return _LINK.sub(r"\\[", _SURROGATE.sub(lambda one: f"\\u{ord(one[0]):04x}", text))


def _uri(file: str, root: str) -> str:
    root = os.path.normpath(root)
    path = os.path.normpath(os.path.join(root, file))
    below = os.path.join(root, "")
    if path.startswith(below):
        return _percent(path.removeprefix(below))
    return f"file://{_percent(path)}"


def _percent(path: str) -> str:
    """Percent-encode the bytes of a path's name, be they UTF-8 or not."""
    try:
        return quote(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # no file has such a name, but a layout's text may be given any
        return quote(path.encode("utf-8", "surrogatepass"))
