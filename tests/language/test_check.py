"""The rules that a loaded layout is held against."""

from __future__ import annotations

import re

import pytest

from zarrange import Layout
from zarrange.language.check import RULES

TEXT = """\
zarrange: 1
fields: {run: {type: str}, day: {type: date}, n: {type: int, min: 0}}
containers:
  box: {path: "{{ run }}.zarr"}
arrays:
  grid:
    container: box
    path: "{{ day | date('%Y%m%d') }}/{{ n | pad(3) }}"
    examples:
      - {values: VALUES, path: PATH}
"""


def findings(values, path):
    layout = Layout.parse(TEXT.replace("VALUES", values).replace("PATH", path), file="f")
    return [(one.rule, str(one.span), one.message, one.help) for one in layout.check()]


class TestFailingExample:
    def test_an_example_that_holds_is_no_finding(self):
        """Values are written as YAML has them, dates as text; the path begins with the container's."""
        assert findings("{run: a, day: 2026-01-31, n: 7}", "a.zarr/20260131/007") == []

    def test_another_path(self):
        """An example whose values render another path is found at its path."""
        assert findings("{run: a, day: 2026-01-31, n: 7}", "a.zarr/20260131/7") == [
            (
                "failing-example",
                f"f:10:{TEXT.splitlines()[-1].index('PATH') + 1 - len('VALUES') + 31}",
                "the example of `grid` renders another path",
                "its values give `a.zarr/20260131/007`",
            )
        ]

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ("{run: a, day: 2026-02-30, n: 7}", "field `day` does not take '2026-02-30'"),
            ("{run: a, day: 2026-01-31, n: '7'}", "field `n` does not take '7': it is of type str"),
            ("{run: a, day: 2026-01-31}", "field `n` is missing"),
            ("{run: a, day: 2026-01-31, n: 7, m: 1}", "field `m` does not belong to this kind"),
        ],
    )
    def test_values_that_do_not_fit(self, values, message):
        """An example whose values the kind does not take is found, with the reason."""
        (one,) = findings(values, "x")
        assert one[0] == "failing-example"
        assert message in one[2]

    def test_an_ambiguous_path_is_enough(self):
        """In a layout with clashes, an example holds if its values are among the readings of its path."""
        assert Layout.load("dacapo").check() == ()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
class TestRules:
    def test_the_docstring_has_its_four_parts(self, rule):
        """A rule says what it does, why that is bad, and shows an example and what to use instead."""
        headings = re.findall(r"^    ## (.*)$", rule.__doc__, re.MULTILINE)
        assert headings == ["What it does", "Why is this bad?", "Example", "Use instead"]


def test_findings_are_in_the_order_of_the_file():
    """Findings come in the order of the file, not of the sorts of kinds."""
    text = (
        "zarrange: 1\nfields: {a: {type: str}}\n"
        "files: {f: {path: '{{ a }}', examples: [{values: {a: x}, path: y}]}}\n"
        "containers: {c: {path: '{{ a }}.zarr', examples: [{values: {a: x}, path: y}]}}\n"
    )
    assert [one.span.line for one in Layout.parse(text).check()] == [3, 4]


def test_null_is_no_value():
    """An example may say `null` for what is not given."""
    text = (
        "zarrange: 1\nfields: {a: {type: str}, b: {type: str}}\n"
        "files: {f: {path: '{{ a }}{% if b is defined %}/{{ b }}{% endif %}', "
        "examples: [{values: {a: x, b: null}, path: x}]}}\n"
    )
    assert Layout.parse(text).check() == ()
