"""Diagnostics as JSON: a list of objects whose keys are stable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zarrange.diagnostics import Diagnostic, Span

__all__ = ["diagnostics_as_json"]


def diagnostics_as_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Return the diagnostics as a JSON list; lines and columns count from 1, the end is exclusive.

    In line 0 a finding is about the file, or the folder, as a whole.

    Only ASCII characters are used: whatever stands in a layout, the text is valid in any encoding, a name that is not
    text can be told from others, and nothing acts on the terminal that it is shown on.
    """
    return json.dumps([_as_data(diagnostic) for diagnostic in diagnostics], indent=2)


def _as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "rule": diagnostic.rule,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "help": diagnostic.help,
        **_place(diagnostic.span),
        "labels": [{"message": label.text, **_place(label.span)} for label in diagnostic.labels],
        "info": list(diagnostic.info),
    }


def _place(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
