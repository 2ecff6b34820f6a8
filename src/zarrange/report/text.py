"""Diagnostics as text for people: each with its lines, what is marked in them, its proof, and what would fit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from zarrange.report.characters import printable
from zarrange.report.ink import Ink
from zarrange.report.snippets import snippets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from zarrange.diagnostics import Diagnostic

__all__ = ["diagnostics_as_text", "summary"]


def diagnostics_as_text(diagnostics: Iterable[Diagnostic], *, color: bool = False) -> str:
    """Return each diagnostic with its line, a caret below what it is about, and what would fit."""
    ink = Ink(color)
    return "\n\n".join("\n".join(_drawn(diagnostic, ink)) for diagnostic in diagnostics)


def summary(checked: int, diagnostics: Sequence[Diagnostic], what: str = "file") -> str:
    """Return the line below all findings: how many files (or stores) and findings there are, and how bad these are."""
    verdict = _counted(len(diagnostics), "finding") if diagnostics else "no findings"
    counts = Counter(one.severity.value for one in diagnostics)
    if counts["warning"]:
        verdict += f" ({', '.join(_counted(counts[name], name) for name in ('error', 'warning') if counts[name])})"
    return f"{_counted(checked, what)} checked, {verdict}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _drawn(diagnostic: Diagnostic, ink: Ink) -> Iterator[str]:
    level = diagnostic.severity.value
    yield ink(level, f"{level}[{printable(diagnostic.rule)}]") + ink("strong", f": {printable(diagnostic.message)}")
    yield from snippets(diagnostic, ink)
    for line in diagnostic.info:
        yield f"{ink('info', 'info')}: {printable(line)}"
    if diagnostic.help:
        yield f"{ink('help', 'help')}: {printable(diagnostic.help)}"
