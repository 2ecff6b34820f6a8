"""Diagnostics as GitHub's workflow commands."""

from __future__ import annotations

from zarrange.diagnostics import Diagnostic, Label, Severity, Span
from zarrange.report import diagnostics_as_github


def test_a_finding_is_one_line():
    """A line has the severity, the place, the rule as its title, and the message with what proves and cures it."""
    span = Span("layouts/a.yaml", 4, 19, 4, 22, "text")
    labels = (Label(Span("b.yaml", 1, 2, 1, 3), "the other one"),)
    assert diagnostics_as_github(
        [Diagnostic("a-rule", "a message", span, "do this", labels=labels, info=("x", "y"))]
    ) == (
        "::error file=layouts/a.yaml,line=4,col=19,endLine=4,endColumn=22,title=a-rule::"
        "a message%0Ab.yaml:1:2: the other one%0Ainfo: x%0Ainfo: y%0Ahelp: do this"
    )


def test_a_warning_is_a_warning():
    """Warnings are annotations of their own kind; a line has nothing that the finding does not have."""
    finding = Diagnostic("r", "m", Span("f", 1, 1, 1, 1), severity=Severity.WARNING)
    assert diagnostics_as_github([finding]) == "::warning file=f,line=1,col=1,endLine=1,endColumn=1,title=r::m"


def test_columns_are_of_one_line_only():
    """Where a finding ends in another line, it has no columns: GitHub refuses them."""
    finding = Diagnostic("r", "m", Span("f", 1, 5, 3, 2))
    assert diagnostics_as_github([finding]) == "::error file=f,line=1,endLine=3,title=r::m"


def test_each_finding_has_a_line():
    """Findings are lines in their order; of none, nothing is printed."""
    findings = [Diagnostic(rule, "m", Span("f", 1, 5, 3, 2)) for rule in "ab"]
    assert diagnostics_as_github(findings).splitlines() == [
        "::error file=f,line=1,endLine=3,title=a::m",
        "::error file=f,line=1,endLine=3,title=b::m",
    ]
    assert diagnostics_as_github([]) == ""


def test_properties_and_messages_are_escaped():
    """Percent signs and line ends are escaped everywhere, colons and commas in properties; only these are."""
    finding = Diagnostic("a,b:c%", "50%, 12:30, %0A", Span("a,b:c%25 [é]/日\u3000本.yaml", 1, 1, 1, 2), "::error::x")
    assert diagnostics_as_github([finding]) == (
        "::error file=a%2Cb%3Ac%2525 [é]/日\u3000本.yaml,line=1,col=1,endLine=1,endColumn=2,title=a%2Cb%3Ac%25::"
        "50%25, 12:30, %250A%0Ahelp: ::error::x"
    )


def test_a_name_with_line_ends_stays_one_line():
    """A file's name with line ends and commands in it gives one command, with the name as it is."""
    finding = Diagnostic("r", "cannot read `a\r\n::error::x`", Span("a\r\n::error::x", 1, 1, 1, 1))
    assert diagnostics_as_github([finding]) == (
        "::error file=a%0D%0A%3A%3Aerror%3A%3Ax,line=1,col=1,endLine=1,endColumn=1,title=r::"
        "cannot read `a\\r\\n::error::x`"
    )


def test_nothing_acts_on_the_terminal():
    """Control characters without an escape of GitHub's are drawn as on a terminal."""
    bad = "a\x1b[31m\x9b\u202e\udcff"
    shown = "a\\x1b[31m\\x9b\\u202e\\udcff"
    assert diagnostics_as_github([Diagnostic("r", bad, Span(bad, 1, 1, 1, 1), bad)]) == (
        f"::error file={shown},line=1,col=1,endLine=1,endColumn=1,title=r::{shown}%0Ahelp: {shown}"
    )
