"""Diagnostics as GitHub's workflow commands: lines that a step prints and the runner turns into annotations."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from zarrange.report.characters import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zarrange.diagnostics import Diagnostic, Span

__all__ = ["diagnostics_as_github"]

_IN_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTIES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def diagnostics_as_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Return one line a diagnostic; nothing where there is none."""
    return "\n".join(_command(diagnostic) for diagnostic in diagnostics)


def _command(diagnostic: Diagnostic) -> str:
    properties = {"file": _inert(diagnostic.span.file), **_extent(diagnostic.span), "title": diagnostic.rule}
    written = ",".join(f"{name}={value.translate(_IN_PROPERTIES)}" for name, value in properties.items())
    message = "\n".join(printable(line) for line in _lines(diagnostic))
    return f"::{diagnostic.severity.value} {written}::{message.translate(_IN_DATA)}"


def _inert(file: str) -> str:
    """Escape what acts on a terminal and has no escape of GitHub's; such a file has no annotation anyway."""
    return "".join(
        printable(one) if one not in "\r\n" and unicodedata.category(one) in {"Cc", "Cf", "Cs"} else one for one in file
    )


def _extent(span: Span) -> dict[str, str]:
    if not span.line:
        return {}
    if span.line != span.end_line:
        # GitHub takes columns only where the annotation begins and ends in the same line.
        return {"line": str(span.line), "endLine": str(span.end_line)}
    return {
        "line": str(span.line),
        "col": str(span.column),
        "endLine": str(span.end_line),
        "endColumn": str(span.end_column),
    }


def _lines(diagnostic: Diagnostic) -> Iterator[str]:
    yield diagnostic.message
    for label in diagnostic.labels:
        yield f"{label.span}: {label.text}"
    for line in diagnostic.info:
        yield f"info: {line}"
    if diagnostic.help:
        yield f"help: {diagnostic.help}"
