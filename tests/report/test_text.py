"""Diagnostics as text for people."""

from __future__ import annotations

import pytest

from zarrange.diagnostics import Diagnostic, Label, Severity, Span
from zarrange.report import diagnostics_as_text, summary

TEMPLATE = '    path: "{{ dataset }}/{{ smaple }}/{{ name }}"'
SAMPLE = "  sample: {type: str}"
NAME = "  name: {type: str}"


def drawn(text, column, end_column, *, line=3, end_line=None, **options):
    span = Span("f.yaml", line, column, end_line or line, end_column, text)
    return diagnostics_as_text([Diagnostic("a-rule", "a message", span, **options)]).splitlines()


def place(text, what, *, line=21, file="f.yaml"):
    start = text.index(what) + 1
    return Span(file, line, start, line, start + len(what), text)


def labeled(*labels, about="smaple", line=21, color=False, **options):
    """Draw a finding about a piece of the template's line, with labels given as text, piece, label (and place)."""
    made = tuple(Label(place(text, what, **where), said) for text, what, said, where in labels)
    finding = Diagnostic("a-rule", "a message", place(TEMPLATE, about, line=line), labels=made, **options)
    return diagnostics_as_text([finding], color=color)


class TestOneSpan:
    def test_carets_stand_below_the_span(self):
        """The carets mark exactly the characters of the span."""
        assert drawn("key: value", 6, 11) == [
            "error[a-rule]: a message",
            " --> f.yaml:3:6",
            "  |",
            "3 | key: value",
            "  |      ^^^^^",
        ]

    def test_the_margin_grows_with_the_line_number(self):
        """The bar stays straight whatever the line number."""
        assert drawn("a", 1, 2, line=120)[1:] == ["   --> f.yaml:120:1", "    |", "120 | a", "    | ^"]

    def test_wide_and_combining_characters_are_measured(self):
        """Characters that take two columns, or none, move the carets accordingly."""
        assert drawn("日本: é", 1, 3)[3:] == ["3 | 日本: é", "  | ^^^^"]
        assert drawn("e\u0301: x", 5, 6)[3:] == ["3 | e\u0301: x", "  |    ^"]

    def test_a_tab_is_four_columns(self):
        """A tab is drawn as spaces, and the carets with it."""
        assert drawn("\ta", 2, 3)[3:] == ["3 |     a", "  |     ^"]

    def test_a_span_of_several_lines_is_marked_on_its_first(self):
        """Of a span over several lines, the first is shown."""
        assert drawn("a: b", 1, 3, end_line=5)[3:] == ["3 | a: b", "  | ^^^^"]

    def test_an_empty_span_has_one_caret(self):
        """A place between two characters, or behind the last, is marked by one caret."""
        assert drawn("ab", 2, 2)[4] == "  |  ^"
        assert drawn("ab", 3, 3)[4] == "  |   ^"

    def test_a_very_long_line_is_cut(self):
        """Of a line as long as a file, what is near the span is drawn, and dots say where it was cut."""
        assert drawn("a" * 5000 + "XY" + "b" * 5000, 5001, 5003)[3:] == [
            "3 | …" + "a" * 119 + "XY" + "b" * 119 + "…",
            "  | " + " " * 120 + "^^",
        ]

    def test_a_very_long_span_is_cut(self):
        """Of a span as long as a file, its beginning is drawn."""
        lines = drawn("0123456" * 1300, 2, 9101)[3:]
        assert lines == ["3 | …" + ("1234560" * 35)[:240] + "…", "  |  " + "^" * 240]

    def test_a_file_without_text_has_no_drawing(self):
        """A finding about a file that could not be read names the file only."""
        assert drawn("", 1, 1, line=1) == ["error[a-rule]: a message", " --> f.yaml:1:1"]

    def test_info_and_help_end_a_finding(self):
        """The severity leads; each fact has a line below the drawing, and the help is the last."""
        assert drawn("ab", 1, 2, help="do this", severity=Severity.WARNING, info=("one", "two")) == [
            "warning[a-rule]: a message",
            " --> f.yaml:3:1",
            "  |",
            "3 | ab",
            "  | ^",
            "info: one",
            "info: two",
            "help: do this",
        ]

    def test_findings_are_separated(self):
        """An empty line stands between two findings; of none, nothing is drawn."""
        one = Diagnostic("r", "m", Span("f", 1, 1, 1, 1))
        assert diagnostics_as_text([one, one]) == "error[r]: m\n --> f:1:1\n\nerror[r]: m\n --> f:1:1"
        assert diagnostics_as_text([]) == ""


class TestLabels:
    def test_labels_of_the_same_line_share_it(self):
        """The last label of a line has its text behind it, one before it has its text below."""
        screen = labeled((TEMPLATE, "dataset", "declared", {}), (TEMPLATE, "name", "and so is this", {}))
        assert screen == (
            "error[a-rule]: a message\n"
            "  --> f.yaml:21:29\n"
            "   |\n"
            '21 |     path: "{{ dataset }}/{{ smaple }}/{{ name }}"\n'
            "   |               -------       ^^^^^^       ---- and so is this\n"
            "   |               |\n"
            "   |               declared"
        )

    def test_several_labels_before_the_span_hang_below(self):
        """Texts hang below their labels, the last label's first, so that none crosses another."""
        screen = labeled(
            (TEMPLATE, "dataset", "one", {}), (TEMPLATE, "smaple", "two", {}), about="name", info=("a fact",)
        )
        assert screen == (
            "error[a-rule]: a message\n"
            "  --> f.yaml:21:42\n"
            "   |\n"
            '21 |     path: "{{ dataset }}/{{ smaple }}/{{ name }}"\n'
            "   |               -------       ------       ^^^^\n"
            "   |               |             |\n"
            "   |               |             two\n"
            "   |               one\n"
            "info: a fact"
        )

    def test_overlapping_labels_stand_below(self):
        """What overlaps the carets, or another label, has a row of its own below them."""
        screen = labeled(
            (TEMPLATE, TEMPLATE.strip(), "all of this", {}),
            (TEMPLATE, "map", "inside", {}),
            (TEMPLATE, "smaple", "the very same", {}),
        )
        assert screen == (
            "error[a-rule]: a message\n"
            "  --> f.yaml:21:29\n"
            "   |\n"
            '21 |     path: "{{ dataset }}/{{ smaple }}/{{ name }}"\n'
            "   |                             ^^^^^^\n"
            "   |     --------------------------------------------- all of this\n"
            "   |                             ------ the very same\n"
            "   |                              --- inside"
        )

    def test_labels_may_touch(self):
        """What stands directly beside the carets shares their row."""
        screen = labeled((TEMPLATE, "le }}", "behind", {}), (TEMPLATE, "{{ s", "before", {}), about="map")
        assert screen.splitlines()[4:] == [
            "   |                          ----^^^----- behind",
            "   |                          |",
            "   |                          before",
        ]

    def test_labels_of_other_lines_are_in_the_order_of_the_file(self):
        """Lines are drawn in their order, whatever the order of the labels; dots stand where some are left out."""
        screen = labeled(
            (NAME, "str", "and last", {"line": 120}),
            (NAME, "name", "next to it", {"line": 8}),
            (SAMPLE, "sample", "similar", {"line": 3}),
            line=9,
        )
        assert screen == (
            "error[a-rule]: a message\n"
            "   --> f.yaml:9:29\n"
            "    |\n"
            "  3 |   sample: {type: str}\n"
            "    |   ------ similar\n"
            "...\n"
            "  8 |   name: {type: str}\n"
            "    |   ---- next to it\n"
            '  9 |     path: "{{ dataset }}/{{ smaple }}/{{ name }}"\n'
            "    |                             ^^^^^^\n"
            "...\n"
            "120 |   name: {type: str}\n"
            "    |                --- and last"
        )

    def test_labels_of_another_file_have_a_part_of_their_own(self):
        """Each other file is named with the place of its first label; a label may be without a text."""
        screen = labeled(
            (NAME, "name", "", {"line": 4, "file": "base.yaml"}),
            (SAMPLE, "sample", "inherited", {"line": 3, "file": "base.yaml"}),
            (NAME, "str", "elsewhere", {"line": 8, "file": "other.yaml"}),
            line=9,
            help="do this",
        )
        assert screen == (
            "error[a-rule]: a message\n"
            " --> f.yaml:9:29\n"
            "  |\n"
            '9 |     path: "{{ dataset }}/{{ smaple }}/{{ name }}"\n'
            "  |                             ^^^^^^\n"
            "  |\n"
            " ::: base.yaml:3:3\n"
            "  |\n"
            "3 |   sample: {type: str}\n"
            "  |   ------ inherited\n"
            "4 |   name: {type: str}\n"
            "  |   ----\n"
            "  |\n"
            " ::: other.yaml:8:16\n"
            "  |\n"
            "8 |   name: {type: str}\n"
            "  |                --- elsewhere\n"
            "help: do this"
        )

    def test_a_label_in_a_line_that_is_not_known_is_named(self):
        """A label whose line could not be read is its place and its text."""
        labels = (Label(Span("gone.yaml", 1, 1, 1, 1), "this one"), Label(Span("f", 2, 1, 2, 1), "empty"))
        finding = Diagnostic("r", "m", Span("f", 1, 1, 1, 3, "ab"), labels=labels)
        assert diagnostics_as_text([finding]) == (
            "error[r]: m\n --> f:1:1\n  |\n1 | ab\n  | ^^\n  |\n ::: f:2:1: empty\n  |\n ::: gone.yaml:1:1: this one"
        )

    def test_labels_far_apart_in_a_very_long_line(self):
        """Marks of one line that no screen could show together have a picture of it each, near ones share one."""
        line = "a" * 1000 + "XY" + "b" * 1000 + "VW" + "c" * 10 + "Z"
        about = Span("f", 1, 1001, 1, 1003, line)
        labels = (
            Label(Span("f", 1, 2003, 1, 2005, line), "far"),
            Label(Span("f", 1, 2015, 1, 2016, line), "near that"),
        )
        finding = Diagnostic("r", "m", about, labels=labels)
        assert diagnostics_as_text([finding]).splitlines()[3:] == [
            "1 | …" + "a" * 119 + "XY" + "b" * 119 + "…",
            "  | " + " " * 120 + "^^",
            "1 | …" + "b" * 113 + "VW" + "c" * 10 + "Z",
            "  | " + " " * 114 + "--          - near that",
            "  | " + " " * 114 + "|",
            "  | " + " " * 114 + "far",
        ]

    def test_labels_of_wide_characters_are_measured(self):
        """Labels stand below their characters, and texts below their labels, whatever the characters' widths."""
        line = "日本: 名\ta: b"
        labels = (Label(Span("f", 1, 1, 1, 3, line), "国"), Label(Span("f", 1, 5, 1, 6, line), "two"))
        finding = Diagnostic("r", "m", Span("f", 1, 10, 1, 11, line), labels=labels)
        assert diagnostics_as_text([finding]).splitlines()[3:] == [
            "1 | 日本: 名    a: b",
            "  | ----  --       ^",
            "  | |     |",
            "  | |     two",
            "  | 国",
        ]


class TestColor:
    def test_every_part_has_its_color(self):
        """Errors are red, frames and labels blue, facts and help cyan; nothing else but the codes differs."""
        options = {"help": "do this", "info": ("a fact",)}
        labels = [
            (TEMPLATE, "dataset", "declared", {}),
            (SAMPLE, "sample", "similar", {"line": 3, "file": "base.yaml"}),
        ]
        screen = labeled(*labels, color=True, **options)
        assert screen == (
            "\x1b[1;31merror[a-rule]\x1b[0m\x1b[1m: a message\x1b[0m\n"
            "  \x1b[1;34m-->\x1b[0m f.yaml:21:29\n"
            "   \x1b[1;34m|\x1b[0m\n"
            '\x1b[1;34m21 |\x1b[0m     path: "{{ dataset }}/{{ smaple }}/{{ name }}"\n'
            "   \x1b[1;34m|\x1b[0m               \x1b[34m-------\x1b[0m       \x1b[1;31m^^^^^^\x1b[0m\n"
            "   \x1b[1;34m|\x1b[0m               \x1b[34m|\x1b[0m\n"
            "   \x1b[1;34m|\x1b[0m               \x1b[34mdeclared\x1b[0m\n"
            "   \x1b[1;34m|\x1b[0m\n"
            "  \x1b[1;34m:::\x1b[0m base.yaml:3:3\n"
            "   \x1b[1;34m|\x1b[0m\n"
            "\x1b[1;34m 3 |\x1b[0m   sample: {type: str}\n"
            "   \x1b[1;34m|\x1b[0m   \x1b[34m------\x1b[0m \x1b[34msimilar\x1b[0m\n"
            "\x1b[36minfo\x1b[0m: a fact\n"
            "\x1b[36mhelp\x1b[0m: do this"
        )
        codes = ("\x1b[1;31m", "\x1b[1;34m", "\x1b[34m", "\x1b[36m", "\x1b[1m", "\x1b[0m")
        for code in codes:
            screen = screen.replace(code, "")
        assert screen == labeled(*labels, **options)

    def test_warnings_are_yellow(self):
        """The carets have the color of the severity."""
        finding = Diagnostic("r", "m", Span("f", 1, 1, 1, 3, "ab"), severity=Severity.WARNING)
        assert diagnostics_as_text([finding], color=True) == (
            "\x1b[1;33mwarning[r]\x1b[0m\x1b[1m: m\x1b[0m\n"
            " \x1b[1;34m-->\x1b[0m f:1:1\n"
            "  \x1b[1;34m|\x1b[0m\n"
            "\x1b[1;34m1 |\x1b[0m ab\n"
            "  \x1b[1;34m|\x1b[0m \x1b[1;33m^^\x1b[0m"
        )


@pytest.mark.parametrize("color", [False, True])
def test_nothing_of_a_layout_acts_on_the_terminal(color):
    """Whatever part of a finding has control characters, all that is sent to the terminal are our own codes."""
    bad = "a\x1b[31m\r\n\x9b\u202e\ud800"
    span = Span(bad, 1, 1, 1, 3, f"ab{bad}")
    labels = (Label(span, bad), Label(Span(f"{bad}2", 1, 1, 1, 1), bad), Label(Span(bad, 9, 1, 9, 2, bad), bad))
    finding = Diagnostic(bad, bad, span, bad, labels=labels, info=(bad,))
    screen = diagnostics_as_text([finding], color=color)
    for code in ("1;31", "1;34", "34", "36", "1", "0"):
        screen = screen.replace(f"\x1b[{code}m", "")
    shown = "a\\x1b[31m\\r\\n\\x9b\\u202e\\ud800"
    assert screen == (
        f"error[{shown}]: {shown}\n"
        f" --> {shown}:1:1\n"
        "  |\n"
        f"1 | ab{shown}\n"
        "  | ^^\n"
        f"  | -- {shown}\n"
        "...\n"
        f"9 | {shown}\n"
        f"  | - {shown}\n"
        "  |\n"
        f" ::: {shown}2:1:1: {shown}\n"
        f"info: {shown}\n"
        f"help: {shown}"
    )


class TestSummary:
    ERROR = Diagnostic("r", "m", Span("f", 1, 1, 1, 1))
    WARNING = Diagnostic("r", "m", Span("f", 1, 1, 1, 1), severity=Severity.WARNING)

    @pytest.mark.parametrize(
        ("files", "errors", "warnings", "line"),
        [
            (1, 0, 0, "1 file checked, no findings"),
            (2, 1, 0, "2 files checked, 1 finding"),
            (1, 2, 0, "1 file checked, 2 findings"),
            (1, 0, 1, "1 file checked, 1 finding (1 warning)"),
            (1, 0, 2, "1 file checked, 2 findings (2 warnings)"),
            (1, 1, 1, "1 file checked, 2 findings (1 error, 1 warning)"),
            (3, 2, 3, "3 files checked, 5 findings (2 errors, 3 warnings)"),
        ],
    )
    def test_files_and_findings_are_counted(self, files, errors, warnings, line):
        """Errors and warnings are told apart as soon as there is a warning."""
        assert summary(files, [self.ERROR] * errors + [self.WARNING] * warnings) == line
