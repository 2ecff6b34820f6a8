"""Diagnostics as JSON."""

from __future__ import annotations

import json

from zarrange.diagnostics import Diagnostic, Label, Severity, Span
from zarrange.report import diagnostics_as_json


def test_no_findings_are_an_empty_list():
    """Where there is no finding, JSON is a list all the same."""
    assert diagnostics_as_json([]) == "[]"


def test_a_finding_is_an_object_with_stable_keys():
    """Each object has the whole finding: where it is, its labels, its proof and its help."""
    span, other = Span("f.yaml", 1, 2, 3, 4, "text"), Span("g.yaml", 5, 6, 5, 8, "text")
    finding = Diagnostic("r", "m", span, "h", Severity.WARNING, (Label(other, "here"),), ("a = 1", "a = 2"))
    assert json.loads(diagnostics_as_json([finding])) == [
        {
            "rule": "r",
            "severity": "warning",
            "message": "m",
            "help": "h",
            "file": "f.yaml",
            "line": 1,
            "column": 2,
            "end_line": 3,
            "end_column": 4,
            "labels": [{"message": "here", "file": "g.yaml", "line": 5, "column": 6, "end_line": 5, "end_column": 8}],
            "info": ["a = 1", "a = 2"],
        }
    ]


def test_what_is_missing_is_null_or_empty():
    """A finding without help, labels and facts has the same keys."""
    (one,) = json.loads(diagnostics_as_json([Diagnostic("r", "m", Span("f", 1, 1, 1, 1))]))
    assert (one["help"], one["labels"], one["info"], one["severity"]) == (None, [], [], "error")


def test_hostile_text_is_valid_json_and_comes_back():
    """Names that are no text, control characters and quotes are plain ASCII in JSON, and come back as they were."""
    bad = 'é\x00\x1b[31m\r\n\x9b\u202e\udcff"\\😀'
    text = diagnostics_as_json([Diagnostic(bad, bad, Span(bad, 1, 1, 1, 1), bad, info=(bad,))])
    (one,) = json.loads(text)
    assert text.isascii()
    assert all(line.isprintable() for line in text.splitlines())
    assert (one["rule"], one["message"], one["file"], one["help"], one["info"]) == (bad, bad, bad, bad, [bad])
