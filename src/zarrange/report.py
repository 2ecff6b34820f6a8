"""Drawing: diagnostics, keys and identifiers as text for people, or as JSON.

The only place that knows what a screen looks like. Text that comes from a layout or a path is shown with its
control characters escaped, so that it can neither move the cursor nor hide.
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zarrange.diagnostics import Diagnostic, Span

__all__ = ["diagnostics_as_json", "diagnostics_as_text", "printable"]


MAX_COLUMNS = 240
"""Lines up to this length are drawn whole."""


def printable(text: str) -> str:
    """Return `text` with every character that is not printable as its escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def diagnostics_as_text(diagnostics: Iterable[Diagnostic]) -> str:
    """Return each diagnostic with its line, a caret below what it is about, and what would fit."""
    return "\n\n".join(_drawn(diagnostic) for diagnostic in diagnostics)


def diagnostics_as_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Return the diagnostics as a JSON list; lines and columns count from 1, the end is exclusive."""
    return json.dumps([_as_data(diagnostic) for diagnostic in diagnostics], indent=2, ensure_ascii=False)


def _as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    span = diagnostic.span
    return {
        "rule": diagnostic.rule,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _drawn(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    margin = " " * len(str(span.line))
    lines = [
        f"{diagnostic.severity.value}[{diagnostic.rule}]: {printable(diagnostic.message)}",
        f"{margin}--> {printable(span.file)}:{span.line}:{span.column}",
    ]
    if span.text:
        line, before, marked = _marked(span)
        lines += [f"{margin} |", f"{span.line} | {line}", f"{margin} | {' ' * before}{'^' * marked}"]
    if diagnostic.help:
        lines.append(f"help: {printable(diagnostic.help)}")
    return "\n".join(lines)


def _marked(span: Span) -> tuple[str, int, int]:
    """The line as it is drawn, how many columns of it stand before the carets, and how many carets there are."""
    start = span.column - 1
    end = max(start, span.end_column - 1 if span.end_line == span.line else len(span.text.rstrip()))
    before, about, behind = span.text[:start], span.text[start:end], span.text[end:]
    # A line may be as long as a file: what is far from the span is cut.
    room = max(MAX_COLUMNS - len(about), 0) // 2
    if len(span.text) > MAX_COLUMNS:
        before = f"…{before[-room:]}" if len(before) > room else before
        about = about[:MAX_COLUMNS]
        behind = f"{behind[:room]}…" if len(behind) > room else behind
    before, about, behind = _plain(before), _plain(about), _plain(behind)
    return before + about + behind, _width(before), max(1, _width(about))


def _plain(text: str) -> str:
    return printable(text.replace("\t", "    "))


def _width(text: str) -> int:
    """The columns that a terminal needs: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )
