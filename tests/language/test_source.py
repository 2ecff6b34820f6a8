"""YAML text → plain data and spans: what is read, what is refused, and where it stands."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, strategies as st

from zarrange import Layout
from zarrange.errors import LayoutError
from zarrange.language.source import MAX_BYTES, MAX_DEPTH, parse

HEAD = "zarrange: 1\n"


def refused(content):
    """What is wrong with a text, as (rule, line, column, end line, end column)."""
    with pytest.raises(LayoutError) as caught:
        parse(content, "f.yaml")
    spans = [(one.rule, one.span) for one in caught.value.diagnostics]
    assert all(span.file == "f.yaml" for _, span in spans)
    return [(rule, span.line, span.column, span.end_line, span.end_column) for rule, span in spans]


def marked(span, text):
    """The characters of a text that a span of one line covers."""
    assert span.line == span.end_line
    line = text.splitlines()[span.line - 1]
    assert span.text == line
    return line[span.column - 1 : span.end_column - 1]


class TestScalars:
    """Scalars follow the core schema of YAML 1.2."""

    @pytest.mark.parametrize(
        ("written", "value"),
        [
            ("17", 17),
            ("017", 17),
            ("+5", 5),
            ("-0", 0),
            ("0o17", 15),
            ("0x1F", 31),
            ("1e3", 1000.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("-.5", -0.5),
            ("5e-324", 5e-324),
            (".inf", math.inf),
            ("-.INF", -math.inf),
            ("+.Inf", math.inf),
            ("~", None),
            ("null", None),
            ("NULL", None),
            ("true", True),
            ("TRUE", True),
            ("False", False),
        ],
    )
    def test_core_schema(self, written, value):
        """A plain scalar that the core schema knows has its type."""
        read = parse(f"a: {written}\n", "f.yaml").data["a"]
        assert read == value
        assert type(read) is type(value)

    @pytest.mark.parametrize("written", [".nan", ".NaN", ".NAN"])
    def test_nan(self, written):
        """`.nan` is a float."""
        assert math.isnan(parse(f"a: {written}\n", "f.yaml").data["a"])

    @pytest.mark.parametrize(
        "written",
        [
            "on",
            "off",
            "yes",
            "no",
            "y",
            "n",
            "Yes",
            "ON",
            "12:30:45",
            "1:1",
            "190:20:30",
            "2020-01-01",
            "2020-01-01T00:00:00Z",
            "1_000",
            "0b11",
            "0o8",
            "0o",
            "0x",
            "0xG",
            "1e",
            ".",
            "=",
            "+",
            "+.nan",
            "tRue",
            "nUll",
            "--1",
            "1.2.3",
            "\uff11\uff17",
            "\u0667",
        ],
    )
    def test_everything_else_is_text(self, written):
        """A plain scalar that only YAML 1.1 gives a type stays the text that was written."""
        assert parse(f"a: {written}\n", "f.yaml").data == {"a": written}

    @pytest.mark.parametrize("written", ["'17'", '"17"', "'true'", '"~"', "''", "'.inf'"])
    def test_quotes_make_text(self, written):
        """A quoted scalar is text, whatever it looks like."""
        assert parse(f"a: {written}\n", "f.yaml").data == {"a": written[1:-1]}

    def test_nothing_is_none(self):
        """A key without a value has the value `None`."""
        assert parse("a:\nb: 1\n", "f.yaml").data == {"a": None, "b": 1}

    def test_many_digits(self):
        """An integer of 60 digits is read."""
        assert parse("a: " + "9" * 60, "f.yaml").data == {"a": 10**60 - 1}

    def test_sexagesimal_of_any_length(self):
        """`1:1:1…` is text, however long it is."""
        written = "1:" * 20_000 + "1"
        assert parse(f"a: {written}\n", "f.yaml").data == {"a": written}


class TestCures:
    """What is not YAML comes with the usual cure."""

    @pytest.mark.parametrize(
        ("text", "help_"),
        [
            ('path: "{% if a == "x" %}"', "inside double quotes write 'x', not \"x\""),
            ("a:\n\tb: 1", "indent with spaces, not with tabs"),
            ('pattern: "\\d+"', "write it in single quotes, in which a backslash is one"),
            ('{a: b, path:"deep/{{ p }}"}', "put a space after the colon"),
            ("doc: a: b", "quote a text that has a colon in it"),
        ],
    )
    def test_help(self, text, help_):
        """The help says what to write."""
        with pytest.raises(LayoutError) as caught:
            parse(text, "f.yaml")
        assert [one.help for one in caught.value.diagnostics] == [help_]


class TestRefused:
    """Anchors, aliases, tags, merge keys, second documents and duplicate keys are refused, each with its position."""

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("a: &x 1\n", [("invalid-yaml", 1, 4, 1, 8)]),
            ("a: &x {b: 1}\n", [("invalid-yaml", 1, 4, 1, 8)]),
            ("b: *x\n", [("invalid-yaml", 1, 4, 1, 6)]),
            ("a: &x 1\nb: *x\n", [("invalid-yaml", 1, 4, 1, 8), ("invalid-yaml", 2, 4, 2, 6)]),
            ("a: &x 1\n*x : 2\n", [("invalid-yaml", 1, 4, 1, 8), ("invalid-yaml", 2, 1, 2, 3)]),
            ("<<: {c: 2}\n", [("invalid-yaml", 1, 1, 1, 3)]),
            ("a: !!str 1\n", [("invalid-yaml", 1, 4, 1, 11)]),
            ("a: !x [1]\n", [("invalid-yaml", 1, 4, 1, 8)]),
            ("a: !!python/object/apply:os.system [ls]\n", [("invalid-yaml", 1, 4, 1, 37)]),
            ("a: 1\n---\nb: 2\n", [("invalid-yaml", 2, 1, 2, 4)]),
            ("a: 1\n...\n---\nb: 2\n", [("invalid-yaml", 3, 1, 3, 4)]),
            ("a: 1\nb: 2\na: 3\n", [("duplicate-key", 3, 1, 3, 2)]),
            ("x:\n  a: 1\n  'a': 2\n", [("duplicate-key", 3, 3, 3, 6)]),
            ("{a: 1, a: 2}", [("duplicate-key", 1, 8, 1, 9)]),
            ("1: a\n", [("wrong-type", 1, 1, 1, 2)]),
            ("true: a\n", [("wrong-type", 1, 1, 1, 5)]),
            ("~: a\n", [("wrong-type", 1, 1, 1, 2)]),
            ("? [a]\n: b\n", [("invalid-yaml", 1, 3, 1, 4)]),
            ("a: 1\nb: [\n  1,\n  'x\n", [("invalid-yaml", 5, 1, 5, 2)]),
            ("a: b: c\n", [("invalid-yaml", 1, 5, 1, 6)]),
            ("a:\n  b: 1\n c: 2\n", [("invalid-yaml", 3, 2, 3, 3)]),
            ('a: "\\q"\n', [("invalid-yaml", 1, 5, 1, 6)]),
            ("a: @x\n", [("invalid-yaml", 1, 4, 1, 5)]),
            ("a:\n\tb: 1\n", [("invalid-yaml", 2, 1, 2, 2)]),
            ("", [("invalid-yaml", 1, 1, 1, 1)]),
            (" \n\n# nothing\n", [("invalid-yaml", 1, 1, 1, 1)]),
        ],
    )
    def test_position(self, content, expected):
        """Each finding has its rule, and the first and last column of what it is about."""
        assert refused(content) == expected

    def test_all_at_once(self):
        """Every fault of a file is reported in one go, in the order of the file."""
        content = "a: *x\nb: &y 1\nc: !t 2\nc: 3\n<<: 4\n5: 6\nd: " + "9" * 4001 + "\n"
        found = [(rule, line, column) for rule, line, column, _, _ in refused(content)]
        assert found == [
            ("invalid-yaml", 1, 4),
            ("invalid-yaml", 2, 4),
            ("invalid-yaml", 3, 4),
            ("duplicate-key", 4, 1),
            ("invalid-yaml", 5, 1),
            ("wrong-type", 6, 1),
            ("invalid-yaml", 7, 4),
        ]

    def test_depth(self):
        """Brackets may nest 16 deep; the seventeenth is where the file is refused."""
        assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f.yaml").data
        assert refused("[" * 50_000) == [("invalid-yaml", 1, MAX_DEPTH + 1, 1, MAX_DEPTH + 2)]

    def test_message_of_a_duplicate_key_names_the_first(self):
        """The message about a duplicate key has the key and the line of the first one."""
        with pytest.raises(LayoutError, match="the key `run` stands in line 2 already"):
            parse("fields:\n  run: 1\n  run: 2\n", "f.yaml")


class TestEncoding:
    """The text is strict UTF-8; a byte-order mark is fine."""

    def test_bom(self):
        """A file with a byte-order mark reads like one without, columns included."""
        source = parse(b"\xef\xbb\xbfa: 1\n", "f.yaml")
        assert source.data == {"a": 1}
        assert (source.key_span(("a",)).column, source.span(("a",)).column) == (1, 4)

    @pytest.mark.parametrize(
        ("content", "line", "column"),
        [
            ("a: 1\n".encode("utf-16"), 1, 1),
            (b"\xfe\xff" + "a: 1\n".encode("utf-16-be"), 1, 1),
            ("a: 1\n".encode("utf-16-le"), 1, 2),
            ("a: 1\nb: café\n".encode("latin-1"), 2, 7),
            (b"a: \xc0\xaf\n", 1, 4),
            (b"a: \xed\xa0\x80\n", 1, 4),
            (b"\xef\xbb\xbfa: \xff\n", 1, 4),
            ("a: 1\nb: x\0y\n", 2, 5),
            ("a: \x1b[31m\n", 1, 4),
            ("a: \x7f\n", 1, 4),
            ("a: x\x85y\n", 1, 5),
            ("a: x\u2028y\n", 1, 5),
            (b"a: 1\r\nb: \xff\r\n", 2, 4),
            ("a: 1\rb: x\0y\r", 2, 5),
            ("a: 1\nb: \ud800\n", 2, 4),
            ("a: 1\nb: \ufffe\n", 2, 4),
            ("a: 1\nb: 'é\uffff'\n", 2, 6),
        ],
    )
    def test_not_text(self, content, line, column):
        """What is no text is refused at the first byte or character that is wrong."""
        ((rule, *place),) = refused(content)
        assert rule == "invalid-yaml"
        assert place[:2] == [line, column]

    def test_size(self):
        """A file of 64 KiB is read, and one more byte is not."""
        assert parse("a: " + "x" * (MAX_BYTES - 3), "f.yaml").data
        assert refused("a: " + "x" * (MAX_BYTES - 2)) == [("invalid-yaml", 1, 1, 1, 1)]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_line_ends(self, end):
        """Lines and columns are the same whatever ends a line, and no carriage return gets into the values."""
        source = parse(end.join(["a: x", "b:", "  - 'y'", "  - |-", "    t", ""]), "f.yaml")
        assert source.data == {"a": "x", "b": ["y", "t"]}
        assert str(source.span(("b", 0))) == "f.yaml:3:5"
        assert source.span(("b", 0)).text == "  - 'y'"
        assert refused(end.join(["a: 1", "b: *x", ""])) == [("invalid-yaml", 2, 4, 2, 6)]


class TestUnquoted:
    """A template that is not quoted gets a help that says to quote it."""

    @pytest.mark.parametrize(
        ("line", "column", "template"),
        [
            ("path: {{ run }}/x", 7, "{{ run }}/x"),
            ("path: {{run}}", 7, "{{run}}"),
            ("path: {% if run is defined %}a{% endif %}", 7, "{% if run is defined %}a{% endif %}"),
            ("path: {{ run }}.zarr  # the run", 7, "{{ run }}.zarr"),
            ('path: {{ day | date("%Y%m%d") }}/z', 7, '{{ day | date("%Y%m%d") }}/z'),
            ("k: {path: {{ run }}/x}", 11, "{{ run }}/x"),
        ],
    )
    def test_help_works(self, line, column, template):
        """The caret is below the template, and the text that the help shows is YAML for it."""
        with pytest.raises(LayoutError) as caught:
            parse(HEAD + line + "\n", "f.yaml")
        (finding,) = caught.value.diagnostics
        assert finding.rule == "unquoted-template"
        assert str(finding.span) == f"f.yaml:2:{column}"
        assert finding.help.startswith("quote the template: ")
        assert yaml.safe_load(finding.help.removeprefix("quote the template: ")) == template

    def test_inside_a_scalar(self):
        """A template that does not begin the scalar needs no quotes."""
        assert parse("path: x/{{ run }}\n", "f.yaml").data == {"path": "x/{{ run }}"}


class TestSpans:
    """Every value, every key and every character of a text knows its line and column."""

    TEXT = "a: one\n'b': [1, \"two\"]\nc:\n  d:   {e: ~ , f: 'x'}\n  g: |-\n    text\n"

    @pytest.mark.parametrize(
        ("path", "shown"),
        [
            (("a",), "one"),
            (("b",), '[1, "two"]'),
            (("b", 0), "1"),
            (("b", 1), '"two"'),
            (("c", "d"), "{e: ~ , f: 'x'}"),
            (("c", "d", "e"), "~"),
            (("c", "d", "f"), "'x'"),
        ],
    )
    def test_values(self, path, shown):
        """The span of a value covers what was written for it, and no more."""
        assert marked(parse(self.TEXT, "f.yaml").span(path), self.TEXT) == shown

    @pytest.mark.parametrize(
        ("path", "shown"),
        [(("a",), "a"), (("b",), "'b'"), (("c", "d"), "d"), (("c", "d", "f"), "f"), (("c", "g"), "g")],
    )
    def test_keys(self, path, shown):
        """The span of a key covers the key."""
        assert marked(parse(self.TEXT, "f.yaml").key_span(path), self.TEXT) == shown

    def test_block_collection(self):
        """A block mapping ends with its last value, not where the next token begins."""
        source = parse("a:\n  b: 1\n\n# a comment\n\nc: 2\n", "f.yaml")
        span = source.span(("a",))
        assert (span.line, span.column, span.end_line) == (2, 3, 2)

    def test_nearest(self):
        """A path that does not exist has the span of the closest piece around it."""
        source = parse(self.TEXT, "f.yaml")
        assert source.span(("b", 7, "x")) == source.span(("b",))
        assert source.key_span(("a", "x")) == source.key_span(("a",))
        assert source.inside(("b", 7), 0, 1) == source.span(("b",))

    @pytest.mark.parametrize(
        ("content", "column"),
        [
            ("a: ['\U0001f600\U0001f600', *x]\n", 11),
            ("'\U0001f600': *x\n", 6),
            ("a: [e\u0301, 漢字, *x]\n", 13),
            ("a: [\t1,\t*x]\n", 9),
        ],
    )
    def test_columns_count_characters(self, content, column):
        """Columns count characters: one outside the first plane is one, a combining one is one, a tab is one."""
        assert refused(content) == [("invalid-yaml", 1, column, 1, column + 2)]

    @pytest.mark.parametrize(
        ("content", "line", "column"),
        [
            ("a: ab#Xcd\n", 1, 7),
            ("a: 'ab#Xcd'\n", 1, 8),
            ("a: 'it''s #X'\n", 1, 12),
            ('a: "ab#Xcd"\n', 1, 8),
            ('a: "\\x41\\u00e9\\U0001F600\\n\\"\\\\#X"\n', 1, 32),
            ('a: "\U0001f600é#X"\n', 1, 8),
            ("a: |-\n  ab\n  c#X\n", 3, 5),
            ("a: |-\n      ab\n      c#X\n", 3, 9),
            ("a: >-\n  ab\n  c#X\n", 3, 5),
            ("a: |2-\n   ab #X\n", 2, 8),
            ("a: |-\n  ab\n    c#X\n", 3, 7),
            ("a: >-\n  ab\n\n  c#X\n", 4, 5),
            ("a: ab\n  c#X\n", 2, 5),
            ("a: ab\n\n  c#X\n", 3, 5),
            ("a: 'ab\n  c#X'\n", 2, 5),
            ('a: "ab\n  c#X"\n', 2, 5),
            ('a: "ab\n\n\n  c#X"\n', 4, 5),
            ('a: "ab\\\n  c#X"\n', 2, 5),
            ('a: "ab\\\n  \\ c#X"\n', 2, 7),
            ("- - >-\n    #X\n", 2, 6),
            ('"#": "#X"\n', 1, 8),
        ],
    )
    def test_inside(self, content, line, column):
        """The X behind the mark is found in every style: plain, quoted with escapes, folded, literal."""
        source = parse(content, "f.yaml")
        path, value = next((path, one) for path, one in _texts(source.data) if "#X" in one)
        at = value.index("#X") + 1
        span = source.inside(path, at, at + 1)
        assert (span.line, span.column, span.end_line, span.end_column) == (line, column, line, column + 1)

    @given(st.text(st.sampled_from("abcé漢\U0001f600'\"\\:{}%|#/-_."), min_size=1, max_size=40), st.sampled_from("'\""))
    def test_inside_any_text(self, value, style):
        """Each character of a quoted text of one line stands where its span says, as itself or as its escape."""
        text = yaml.dump({"k": value}, default_style=style, width=10_000, allow_unicode=len(value) % 2 == 0)
        source = parse(text, "f.yaml")
        assert source.data == {"k": value}
        style = text[source.span(("k",)).column - 1]
        columns = [source.inside(("k",), at, at + 1).column - 1 for at in range(len(value))]
        for one, begin, end in zip(value, columns, [*columns[1:], len(text) - 2], strict=True):
            assert yaml.safe_load(f"{style}{text[begin:end]}{style}") == one


def _texts(data, path=()):
    if isinstance(data, str):
        yield path, data
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from _texts(value, (*path, key))


def _file(path, fields="run: {type: str}", more=""):
    return f"{HEAD}fields: {{{fields}}}\n{more}files:\n  k: {{path: '{path}'}}\n"


MANY = range(1_600)
LAUGHS = ", ".join(f"f{i}: '{f'{{{{ f{i - 1} }}}}' * 10}'" for i in range(1, 9))
WIDE = "".join(chr(0x4E00 + 2 * i) for i in range(9_000))

FILES = {
    # not text, or not a layout's YAML
    "empty": ("", "invalid-yaml", 1, 1),
    "comment": ("# nothing\n", "invalid-yaml", 1, 1),
    "utf-16": ((HEAD + "name: a\n").encode("utf-16"), "invalid-yaml", 1, 1),
    "utf-32": ((HEAD + "name: a\n").encode("utf-32"), "invalid-yaml", 1, 1),
    "latin-1": ((HEAD + "name: café\n").encode("latin-1"), "invalid-yaml", 2, 10),
    "nul": (HEAD + "name: a\0b\n", "invalid-yaml", 2, 8),
    "escape-code": (HEAD + "name: \x1b]0;x\x07\n", "invalid-yaml", 2, 7),
    "not-a-character": (HEAD + "name: a\ufffe\n", "invalid-yaml", 2, 8),
    "binary": (bytes(range(128, 256)) * 16, "invalid-yaml", 1, 1),
    "too-long": (HEAD + "#" * MAX_BYTES, "unreadable-layout", 1, 1),
    "duplicate-key": (HEAD + "fields:\n  a: {type: str}\n  a: {type: int}\n", "duplicate-key", 4, 3),
    "alias": (HEAD + "name: &a x\ndoc: *a\n", "invalid-yaml", 2, 7),
    "alias-bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
        "invalid-yaml",
        1,
        4,
    ),
    "merge-bomb": (
        "a: &a {x: 1}\n"
        + "".join(
            f"{b}: &{b} {{<<: [{','.join([f'*{a}'] * 9)}]}}\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
        ),
        "invalid-yaml",
        1,
        4,
    ),
    "merge-key": (HEAD + "fields:\n  <<: {a: {type: str}}\n", "invalid-yaml", 3, 3),
    "tag": (HEAD + "name: !!python/name:os.system x\n", "invalid-yaml", 2, 7),
    "second-document": (HEAD + "---\nzarrange: 1\n", "invalid-yaml", 2, 1),
    "brackets": (HEAD + "name: " + "[" * 50_000, "invalid-yaml", 2, 7 + 15),
    "braces": (HEAD + "name: " + "{a: " * 15_000, "invalid-yaml", 2, 7 + 15 * 4),
    "dashes": ("- " * 30_000, "invalid-yaml", 1, 33),
    "question-marks": ("? " * 30_000, "invalid-yaml", 1, 3),
    "colons": (HEAD + "name: " + "b: " * 20_000, "invalid-yaml", 2, 8),
    "colons-and-braces": (HEAD + "name: " + "b: {" * 15_000, "invalid-yaml", 2, 8),
    "open-quote": (HEAD + "name: '" + "x" * 60_000, "invalid-yaml", 2, 60_008),
    "anchors": (HEAD + "name: [" + "&a 1, " * 4_900 + "]", "invalid-yaml", 2, 8),
    "duplicates-in-a-line": (HEAD + "doc: {" + "a: 1,         " * 4_600 + "}", "duplicate-key", 2, 21),
    "many-nodes": (HEAD + "doc: [" + "1," * 20_000 + "]", "invalid-yaml", 2, 7 + 9_995 * 2),
    "integer": (HEAD + "name: " + "9" * 5_000, "invalid-yaml", 2, 7),
    "hex-integer": ("zarrange: 0x" + "F" * 5_000 + "\n", "invalid-yaml", 1, 11),
    "hex-integer-below": ("zarrange: 0x" + "F" * 4_000 + "\n", "invalid-yaml", 1, 11),
    "octal-integer": (HEAD + "name: 0o" + "7" * 60_000 + "\n", "invalid-yaml", 2, 7),
    "hex-limit": (HEAD + "fields: {a: {type: int, min: 0x" + "F" * 5_000 + "}}\n", "invalid-yaml", 2, 30),
    "hex-choice": (HEAD + "fields: {a: {type: int, choices: [0x" + "F" * 5_000 + "]}}\n", "invalid-yaml", 2, 35),
    "sexagesimal": ("zarrange: " + "1:" * 20_000 + "1\n", "wrong-type", 1, 11),
    "unquoted": (HEAD + "files:\n  k: {path: {{ run }}/x}\n", "unquoted-template", 3, 13),
    "tab": (HEAD + "fields:\n\ta: {type: str}\n", "invalid-yaml", 3, 1),
    # not a layout
    "scalar": ("hello\n", "wrong-type", 1, 1),
    "list": ("- zarrange: 1\n", "wrong-type", 1, 1),
    "no-version": ("name: a\n", "missing-key", 1, 1),
    "version-2": ("zarrange: 2\n", "unsupported-version", 1, 11),
    "version-text": ("zarrange: '1'\n", "wrong-type", 1, 11),
    "version-true": ("zarrange: true\n", "wrong-type", 1, 11),
    "version-float": ("zarrange: 1.0\n", "wrong-type", 1, 11),
    "unknown-key": (HEAD + "feilds: {}\n", "unknown-key", 2, 1),
    "unknown-keys": (HEAD + "".join(f"k{i}: \n" for i in range(4_900)), "unknown-key", 2, 1),
    "fields-list": (HEAD + "fields: [run]\n", "wrong-type", 2, 9),
    "field-text": (HEAD + "fields:\n  run: str\n", "wrong-type", 3, 8),
    "field-key": (HEAD + "fields:\n  run: {type: str, mni: 1}\n", "unknown-key", 3, 20),
    "field-type": (HEAD + "fields:\n  run: {type: string}\n", "wrong-type", 3, 15),
    "field-no-type": (HEAD + "fields:\n  run: {doc: x}\n", "missing-key", 3, 3),
    "field-name": (HEAD + "fields:\n  a-b: {type: str}\n", "invalid-name", 3, 3),
    "field-keyword": (HEAD + "fields:\n  class: {type: str}\n", "invalid-name", 3, 3),
    "no-path": (HEAD + "files:\n  k: {doc: x}\n", "missing-key", 3, 3),
    "path-number": (HEAD + "files:\n  k: {path: 7}\n", "wrong-type", 3, 13),
    "array-without-container": (HEAD + "arrays:\n  k: {path: a}\n", "missing-key", 3, 3),
    "unknown-container": (HEAD + "arrays:\n  k: {container: c, path: a}\n", "unknown-container", 3, 18),
    "zarr-format": (HEAD + "containers:\n  c: {path: a.zarr, zarr_format: 1}\n", "wrong-type", 3, 34),
    "kind-twice": (HEAD + "files:\n  a: {path: x}\ncontainers:\n  a: {path: y}\n", "duplicate-key", 3, 3),
    "allow-rule": (HEAD + "allow:\n  - {rule: clash, kinds: [], because: x}\n", "unknown-rule", 3, 12),
    # extends
    "extends-self": (HEAD + "extends: extends-self.yaml\n", "extends-cycle", 2, 10),
    "extends-cycle": (HEAD + "doc: x\nextends: extends-cycle-2.yaml\n", "extends-cycle", 2, 10),
    "extends-missing": (HEAD + "extends: nowhere.yaml\n", "unreadable-layout", 2, 10),
    "extends-outside": (HEAD + "extends: ../../etc/passwd\n", "unreadable-layout", 2, 10),
    "extends-absolute": (HEAD + "extends: /etc/passwd.yaml\n", "unreadable-layout", 2, 10),
    "extends-long": (HEAD + f"extends: {'a' * 300}.yaml\n", "unreadable-layout", 2, 10),
    "extends-number": (HEAD + "extends: 7\n", "wrong-type", 2, 10),
    "extends-folder": (HEAD + "extends: folder.yaml\n", "unreadable-layout", 2, 10),
    # templates
    "unknown-field": (_file("{{ rum }}/x"), "unknown-field", 4, 17),
    "open-brace": (_file("{{ run /x"), "invalid-template", 4, 14),
    "closing-brace": (_file("run }}/x"), "invalid-template", 4, 18),
    "open-block": (_file("{% if run is defined %}x"), "invalid-template", 4, 14),
    "climbs": (_file("../{{ run }}"), "unsafe-segment", 4, 14),
    "climbs-inside": (_file("{{ run }}/../x"), "unsafe-segment", 4, 23),
    "absolute": (_file("/{{ run }}"), "unsafe-segment", 4, 14),
    "empty-segment": (_file("{{ run }}//x"), "unsafe-segment", 4, 23),
    "only-slash": (_file("/"), "unsafe-segment", 4, 14),
    "nothing-is-left": (
        _file("{% if run is defined %}{{ run }}{% endif %}"),
        "unsafe-segment",
        4,
        13,
    ),
    "empty-path": (_file(""), "unsafe-segment", 4, 13),
    "backslash": (_file("a\\b"), "unsafe-segment", 4, 15),
    "long-template": (_file("a" * 60_000), "invalid-template", 4, 14),
    "long-name": (_file("a" * 300), "unsafe-segment", 4, 14),
    "parentheses": (_file("{{ " + "(" * 2_000 + "run" + ")" * 2_000 + " }}"), "invalid-template", 4, 14),
    "conditions": (
        _file("{% if run is defined %}" * 60 + "{{ run }}" + "{% endif %}" * 60 + "/a/../x"),
        "unsafe-segment",
        4,
        2_063,
    ),
    "exponential-conditions": (
        _file(
            "".join(f"{{% if f{i} is defined %}}{{{{ f{i} }}}}{{% endif %}}" for i in range(80)) + "/a",
            ", ".join(f"f{i}: {{type: str}}" for i in range(80)),
        ),
        "irreversible-template",
        4,
        13,
    ),
    "hex-literal": (
        _file("{% if i == 0x" + "F" * 4_000 + " %}a{% else %}{{ i }}{% endif %}", "i: {type: int}"),
        "irreversible-template",
        4,
        14,
    ),
    "fragment-cycle": (HEAD + "fragments: {a: '{{ b }}', b: '{{ a }}'}\n", "fragment-cycle", 2, 34),
    "billion-laughs": (
        HEAD
        + "fields: {run: {type: str}}\nfragments: {f0: '{{ run }}/', "
        + LAUGHS
        + "}\nfiles: {k: {path: '{{ f8 }}'}}\n",
        "invalid-template",
        3,
        212,
    ),
    "similar-names": (
        HEAD
        + "fields:\n"
        + "".join(f"  field{i:04d}abc: {{type: str}}\n" for i in MANY)
        + "files:\n  k: {path: '"
        + "".join(f"{{{{feld{i}}}}}" for i in range(380))
        + "'}\n",
        "unknown-field",
        1_604,
        16,
    ),
    # patterns
    "pattern-brackets": (HEAD + "fields: {a: {type: str, pattern: '" + "[" * 60_000 + "'}}", "invalid-pattern", 2, 35),
    "pattern-parentheses": (
        HEAD + "fields: {a: {type: str, pattern: '" + "(" * 20_000 + ")" * 20_000 + "'}}",
        "invalid-pattern",
        2,
        35,
    ),
    "pattern-repeats": (HEAD + "fields: {a: {type: str, pattern: '(?:a{0,6000}){0,6000}'}}", "invalid-pattern", 2, 35),
    "pattern-empty-repeats": (HEAD + "fields: {a: {type: str, pattern: '(?:){4294967290}'}}", "invalid-pattern", 2, 35),
    "pattern-wide": (
        HEAD + "fields: {a: {type: str, pattern: '[" + WIDE + "]{1990}[" + WIDE + "]{20}'}}",
        "invalid-pattern",
        2,
        35,
    ),
    "pattern-backtracks": (HEAD + "fields: {a: {type: str, pattern: 'ab(a+)+\\1'}}", "invalid-pattern", 2, 42),
}
COMPANIONS = {"extends-cycle-2.yaml": HEAD + "extends: extends-cycle.yaml\n"}

CHILD = r"""
import json, os, resource, signal, sys, time
from zarrange import Layout
from zarrange.errors import LayoutError

class OutOfTime(BaseException):
    pass

def out_of_time(number, frame):
    raise OutOfTime

signal.signal(signal.SIGXCPU, out_of_time)
os.chdir(sys.argv[1])
names = sorted(os.listdir("bad"))
for text in ("zarrange: 1\nfields: {a: {type: str, pattern: 'a+'}}\nfiles: {k: {path: '{{ a }}'}}\n", "a: 1"):
    try:
        Layout.parse(text)
    except LayoutError:
        pass
MEMORY = 50 * 2**20
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
for name in names:
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 2, resource.RLIM_INFINITY))
    verdict = {}
    try:
        Layout.load(os.path.join("bad", name))
    except LayoutError as error:
        first = error.diagnostics[0]
        verdict = {"found": [first.rule, first.span.line, first.span.column], "file": first.span.file}
        assert len(str(error)) < 2**22
        del error
    except OutOfTime:
        verdict = {"raised": "out of CPU time"}
    except BaseException as error:
        verdict = {"raised": f"{type(error).__name__}: {str(error)[:80]}"}
    print(json.dumps({name.removesuffix(".yaml"): verdict}), flush=True)
"""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """What one child, with two seconds of CPU a file and 50 MB beyond what it has, says of every bad file."""
    folder = tmp_path_factory.mktemp("layouts")
    (folder / "bad" / "folder.yaml").mkdir(parents=True)
    for name, content in [*((f"{name}.yaml", one[0]) for name, one in FILES.items()), *COMPANIONS.items()]:
        (folder / "bad" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    command = [sys.executable, "-c", CHILD, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {name: verdict for line in done.stdout.splitlines() for name, verdict in json.loads(line).items()}
    return {"status": done.returncode, "stderr": done.stderr, **found}


class TestFiles:
    """A bad layout file is refused with a position, in little time and memory, whatever is in it."""

    @pytest.mark.parametrize("name", FILES)
    def test_refused(self, name, verdicts):
        """The first finding has its rule, line and column, within the child's two seconds and 50 MB."""
        _, rule, line, column = FILES[name]
        verdict = verdicts.get(name, {"raised": "the child died"})
        assert verdict.get("raised") is None
        assert verdict.get("found") == [rule, line, column]

    def test_the_child_lives(self, verdicts):
        """One process survives the whole corpus."""
        assert verdicts["stderr"] == ""
        assert verdicts["status"] == 0

    def test_whose_file(self, verdicts):
        """A finding names the file that it stands in, which may be one that the layout extends."""
        assert verdicts["climbs"]["file"].endswith("climbs.yaml")
        assert verdicts["extends-cycle"]["file"].endswith("extends-cycle-2.yaml")

    def test_the_corpus_can_fail(self, verdicts):
        """A layout without a fault is loaded by the same child: the corpus' findings are its own."""
        assert verdicts["folder"]["found"][0] == "unreadable-layout"
        assert Layout.parse(_file("{{ run }}/x")).render("k", run="r1").path == "r1/x"

    def test_all_at_once(self):
        """Faults of fields, fragments, templates and examples are reported together, in the order of the file."""
        text = (
            "zarrange: 1\n"
            "nmae: x\n"
            "fields:\n"
            "  a: {type: sting}\n"
            "  b: {type: int, min: x}\n"
            "  c: {type: str, pattern: '('}\n"
            "  run: {type: str}\n"
            "fragments:\n"
            "  f: '{{ rnu }}'\n"
            "files:\n"
            "  k: {path: '/{{ run }}'}\n"
            "  l: {pth: x}\n"
            "  m: {path: '{{ run | upper }}/{{ b }}/{{ d }}'}\n"
        )
        with pytest.raises(LayoutError) as caught:
            Layout.parse(text)
        found = [(one.rule, one.span.line, one.span.column) for one in caught.value.diagnostics]
        assert found == [
            ("unknown-key", 2, 1),
            ("wrong-type", 4, 13),
            ("wrong-type", 5, 23),
            ("invalid-pattern", 6, 28),
            ("unknown-field", 9, 10),
            ("unsafe-segment", 11, 14),
            ("missing-key", 12, 3),
            ("unknown-key", 12, 7),
            ("unknown-filter", 13, 23),
            ("unknown-field", 13, 43),
        ]
