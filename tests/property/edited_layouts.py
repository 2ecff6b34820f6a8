"""Texts that are nearly layouts: shipped and random ones with random edits; and what is asked of each.

Every text has an answer: it is loaded and checked, or it is refused with a `LayoutError`; either way what is found can
be drawn.
"""

from __future__ import annotations

import re

from hypothesis import strategies as st
from tests.property.random_layouts import layout_texts
from tests.property.small_layouts import FAMILIES, small_layouts

from zarrange.errors import LayoutError
from zarrange.language.layout import Layout
from zarrange.language.shipped import shipped_layouts
from zarrange.report import diagnostics_as_text

TOKENS = [
    *[
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "|",
        "==",
        "'",
        '"',
        "\\",
        ":",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "#",
        "---",
        "?",
    ],
    *[
        "&a",
        "*a",
        "!!str",
        "<<",
        "|-",
        ">",
        "...",
        "null",
        "~",
        "true",
        "7",
        "-1",
        "0x1F",
        "1e9",
        ".inf",
        ".nan",
        "017",
    ],
    *[
        "pad(8)",
        "pad(0)",
        "pad(64)",
        "quote",
        "date('%Y%m%d')",
        "is defined",
        "if",
        "else",
        "endif",
        "elif",
        "for",
        "raw",
    ],
    *["path", "str", "int", "float", "bool", "date", "datetime", "text", "unicode", "portable", "choices", "pattern"],
    *[
        "exclude",
        "min",
        "max",
        "max_length",
        "charset",
        "allow",
        "extends",
        "examples",
        "values",
        "container",
        "fields",
    ],
    *[
        "fragments",
        "containers",
        "groups",
        "arrays",
        "files",
        "rules",
        "off",
        "warning",
        "because",
        "zarr_format",
        "doc",
    ],
    *["run", "iteration", "dataset", "name", "kinds", "rule", "type", "zarrange", "None", "nested-kinds", "training"],
    *["/", "..", "../", "/x", "é", "e\u0301", "\U0001f600", "\u202e", "\u200b", "\x7f", "\r", "\r\n", "\ufeff", "\x00"],
    *[
        "(",
        ")",
        "(?:",
        "(?=a)",
        "(a+)+",
        "(a|b)*a(a|b){9}",
        "[a-z]",
        "[^",
        "{1,3}",
        "{2000}",
        "*",
        "+",
        "^",
        "$",
        r"\d",
    ],
    *[
        "\n",
        "\n  ",
        "  ",
        "\t",
        "9" * 50,
        "x" * 300,
        "{{ run }}",
        "{% if index is defined %}",
        "{% endif %}",
        "{{ n }}",
    ],
    *["{{ iteration | pad(8) }}", "{{ where }}", "type: path", "charset: text", "exclude: ['.*a.*']", "max: 0"],
]
"""What layouts are made of, and what they are not."""

SHIPPED = [file.read_text(encoding="utf-8") for file in shipped_layouts().values()]
texts = st.one_of(
    st.sampled_from(SHIPPED),
    layout_texts(),
    st.sampled_from(sorted(FAMILIES)).flatmap(small_layouts).map(lambda one: one[1]),
)


@st.composite
def edited_layouts(draw):
    """The text of a layout, with up to six edits."""
    text = draw(texts)
    for _ in range(draw(st.integers(0, 6))):
        text = draw(st.sampled_from(EDITS))(draw, text)
    return text


def answer(text):
    """Load, check and draw a layout; return what is drawn, and whether it was loaded."""
    try:
        found = Layout.parse(text).check()
    except LayoutError as error:
        return diagnostics_as_text(error.diagnostics), False
    return diagnostics_as_text(found, color=True), True


# --- edits -----------------------------------------------------------------------------------------------------------


def _place(draw, text):
    return draw(st.integers(0, len(text)))


def _insert(draw, text):
    at = _place(draw, text)
    return text[:at] + draw(st.sampled_from(TOKENS) | st.characters()) + text[at:]


def _delete(draw, text):
    at = _place(draw, text)
    return text[:at] + text[at + draw(st.sampled_from([1, 1, 2, 5, 20, 80])) :]


def _replace(draw, text):
    at = _place(draw, text)
    return text[:at] + draw(st.sampled_from(TOKENS)) + text[at + draw(st.integers(1, 6)) :]


def _repeat(draw, text):
    at = _place(draw, text)
    end = at + draw(st.sampled_from([1, 3, 10, 40]))
    return text[:at] + text[at:end] * draw(st.sampled_from([2, 3, 30])) + text[end:]


def _swap_words(draw, text):
    words = list(re.finditer(r"\w+|\{\{.*?\}\}|'[^']*'", text))
    if not words:
        return text
    one, other = (words[draw(st.integers(0, len(words) - 1))] for _ in range(2))
    return text[: one.start()] + other[0] + text[one.end() :]


def _move_line(draw, text):
    lines = text.split("\n")
    line = lines[draw(st.integers(0, len(lines) - 1))]
    if draw(st.booleans()):
        lines.remove(line)
    lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(["", "  ", "    "])) + line.lstrip())
    return "\n".join(lines)


def _delete_line(draw, text):
    lines = text.split("\n")
    del lines[draw(st.integers(0, len(lines) - 1))]
    return "\n".join(lines)


EDITS = [_insert, _delete, _replace, _repeat, _swap_words, _move_line, _delete_line]
