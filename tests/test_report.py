"""Drawing diagnostics."""

from __future__ import annotations

import json

from zarrange.diagnostics import Diagnostic, Severity, Span
from zarrange.report import diagnostics_as_json, diagnostics_as_text, printable


def drawn(text, column, end_column, *, line=3, end_line=None, **options):
    span = Span("f.yaml", line, column, end_line or line, end_column, text)
    return diagnostics_as_text([Diagnostic("a-rule", "a message", span, **options)]).splitlines()


def test_carets_stand_below_the_span():
    """The carets mark exactly the characters of the span."""
    assert drawn("key: value", 6, 11) == [
        "error[a-rule]: a message",
        " --> f.yaml:3:6",
        "  |",
        "3 | key: value",
        "  |      ^^^^^",
    ]


def test_the_margin_grows_with_the_line_number():
    """The bar stays straight whatever the line number."""
    assert drawn("a", 1, 2, line=120)[1:] == ["   --> f.yaml:120:1", "    |", "120 | a", "    | ^"]


def test_wide_and_combining_characters_are_measured():
    """Characters that take two columns, or none, move the carets accordingly."""
    assert drawn("日本: é", 1, 3)[3:] == ["3 | 日本: é", "  | ^^^^"]
    assert drawn("e\u0301: x", 5, 6)[3:] == ["3 | e\u0301: x", "  |    ^"]


def test_a_tab_is_four_columns():
    """A tab is drawn as spaces, and the carets with it."""
    assert drawn("\ta", 2, 3)[3:] == ["3 |     a", "  |     ^"]


def test_a_span_of_several_lines_is_marked_on_its_first():
    """Of a span over several lines, the first is shown."""
    assert drawn("a: b", 1, 3, end_line=5)[3:] == ["3 | a: b", "  | ^^^^"]


def test_an_empty_span_has_one_caret():
    """A place between two characters is marked by one caret."""
    assert drawn("ab", 2, 2)[4] == "  |  ^"


def test_a_very_long_line_is_cut():
    """Of a line as long as a file, what is near the span is drawn."""
    lines = drawn("a" * 5000 + "XY" + "b" * 5000, 5001, 5003)
    assert lines[3] == "3 | …" + "a" * 119 + "XY" + "b" * 119 + "…"
    assert lines[4] == "  | " + " " * 120 + "^^"
    assert max(map(len, drawn("a" * 9000, 1, 9001))) < 260


def test_help_and_severity_are_shown():
    """The severity leads, the help ends a finding."""
    lines = drawn("ab", 1, 2, help="do this", severity=Severity.WARNING)
    assert (lines[0], lines[-1]) == ("warning[a-rule]: a message", "help: do this")


def test_a_file_without_text_has_no_drawing():
    """A finding about a file that could not be read names the file only."""
    assert drawn("", 1, 1, line=1) == ["error[a-rule]: a message", " --> f.yaml:1:1"]


def test_escape_sequences_of_a_layout_are_not_sent_to_the_terminal():
    """Control and format characters are drawn as escapes."""
    assert printable("a\x1b[1m\u202eb\ud800") == "a\\x1b[1m\\u202eb\\ud800"
    assert drawn("a\u202eb", 3, 4)[3:] == ["3 | a\\u202eb", "  |        ^"]


def test_json_is_a_list_of_plain_objects():
    """JSON has one object for each finding, and is a list where there is none."""
    assert diagnostics_as_json([]) == "[]"
    (one,) = json.loads(diagnostics_as_json([Diagnostic("r", "m", Span("f", 1, 2, 3, 4, "x"))]))
    assert (one["end_line"], one["end_column"], one["help"], one["severity"]) == (3, 4, None, "error")
