"""Diagnostics: what the reader of a layout file finds wrong with it, as frozen data.

A `Diagnostic` says what (`rule`, `message`), where (`span`) and what would fit (`help`). Nothing here draws:
`zarrange.report` turns diagnostics into text with carets or into JSON, and exceptions carry them as they are.
"""

from __future__ import annotations

import enum
from difflib import get_close_matches
from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Diagnostic", "Label", "Severity", "Span", "shown", "similar"]

MAX_FINDINGS = 100
"""Nobody reads more about one file."""
MAX_COMPARED = 40
MAX_LISTED = 20


class Severity(enum.Enum):
    """How bad a finding is: an `ERROR` makes a layout unusable or unsafe, a `WARNING` does not."""

    ERROR = "error"
    WARNING = "warning"


@frozen(order=True)
class Span:
    """A stretch of a file. Lines and columns count from 1, columns in characters; the end is exclusive.

    `text` is the source line that the span starts on, so that a caret can be drawn without reading the file again. In
    line 0 the span is the file, or the folder, as a whole.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str = field(default="", repr=False, eq=False, order=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@frozen
class Label:
    """Another place that a finding is about, and what is there in a few words."""

    span: Span
    text: str


@frozen
class Diagnostic:
    """One finding: the rule that it breaks, one sentence without advice, where, and what would fit instead.

    `labels` are other places that it is about, `info` has facts that prove it, such as a counter-example, one a line.
    """

    rule: str
    message: str
    span: Span
    help: str | None = None
    severity: Severity = Severity.ERROR
    labels: tuple[Label, ...] = ()
    info: tuple[str, ...] = ()

    def __str__(self) -> str:
        advice = f" (help: {self.help})" if self.help else ""
        return f"{self.span}: {self.severity.value}[{self.rule}]: {self.message}{advice}"


def shown(value: object, length: int = 80) -> str:
    """Return `repr(value)` for a message: not longer than `length`, and without ever failing."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - whatever somebody's `__repr__` raises, we are about to report something else
        return f"<a {type(value).__name__}>"
    return text if len(text) <= length else f"{text[: length - 1]}…"


def similar(name: str, known: Iterable[str], what: str) -> str:
    """Return a `help` sentence for an unknown `name`: the similar one that exists, else all that exist."""
    everything = sorted(known)
    # Comparing is slow: of very many names, those of about the same length will do.
    near = everything
    if len(everything) > MAX_COMPARED:
        near = [one for one in everything if abs(len(one) - len(name)) <= 1][:MAX_COMPARED]
    if close := get_close_matches(name, near, n=1, cutoff=0.6):
        return f"a similar {what} exists: `{close[0]}`"
    if not everything:
        return f"no {what} is declared"
    listed = everything[:MAX_LISTED]
    return f"known: {', '.join(f'`{one}`' for one in listed)}{', …' if everything[MAX_LISTED:] else ''}"
