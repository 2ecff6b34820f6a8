"""The rules that a loaded layout is held against."""

from __future__ import annotations

import pytest

from zarrange import Layout, LayoutError
from zarrange.diagnostics import Severity
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


def of(layout, rule):
    """The findings of one rule in a layout."""
    return [one for one in layout.check() if one.rule == rule]


def findings(values, path):
    layout = Layout.parse(TEXT.replace("VALUES", values).replace("PATH", path), file="f")
    return [(one.rule, str(one.span), one.message, one.help) for one in of(layout, "failing-example")]


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
        assert of(Layout.load("dacapo"), "failing-example") == []


class TestMissingExample:
    def test_kinds_of_every_sort(self):
        """A kind without examples is found at its name, whatever its sort."""
        text = (
            "zarrange: 1\n"
            "containers: {c: {path: c.zarr}}\n"
            "groups: {g: {container: c, path: g}}\n"
            "arrays: {a: {container: c, path: a, examples: []}}\n"
            "files: {f: {path: f}, e: {path: e, examples: [{values: {}, path: e}]}}\n"
        )
        found = of(Layout.parse(text, file="f"), "missing-example")
        assert [(str(one.span), one.message) for one in found] == [
            ("f:2:14", "`c` has no example"),
            ("f:3:10", "`g` has no example"),
            ("f:4:10", "`a` has no example"),
            ("f:5:9", "`f` has no example"),
        ]


class TestSettings:
    BARE = "zarrange: 1\nfiles: {a: {path: a}}\n"

    @pytest.mark.parametrize(("level", "found"), [("warning", Severity.WARNING), ("error", Severity.ERROR)])
    def test_a_rule_can_be_turned_up_or_down(self, level, found):
        """A layout says how bad the findings of a rule are."""
        layout = Layout.parse(f"{self.BARE}rules: {{missing-example: {level}}}\n")
        assert [one.severity for one in of(layout, "missing-example")] == [found]

    def test_a_rule_has_its_own_severity(self):
        """What a layout does not set stays as the rule has it."""
        layout = Layout.parse(self.BARE)
        assert {one.severity for one in of(layout, "missing-example")} == {RULES["missing-example"].severity}

    def test_every_rule_can_be_turned_off(self):
        """A layout that turns every rule off has no finding."""
        assert Layout.parse(self.BARE).check()
        off = ", ".join(f"{rule}: off" for rule in RULES)
        assert Layout.parse(f"{self.BARE}rules: {{{off}}}\n").check() == ()

    def test_off_is_not_false(self):
        """`off` is a word in layouts, with quotes or without; `false` is none of the three."""
        assert of(Layout.parse(f"{self.BARE}rules: {{missing-example: 'off'}}\n"), "missing-example") == []
        with pytest.raises(LayoutError, match="a truth value is not one of `off`, `warning`, `error`"):
            Layout.parse(f"{self.BARE}rules: {{missing-example: false}}\n")

    def test_settings_are_inherited(self, tmp_path):
        """What a base says of the rules holds, until the layout itself says otherwise."""
        (tmp_path / "base.yaml").write_text(f"{self.BARE}rules: {{missing-example: off}}\n")
        (tmp_path / "own.yaml").write_text("zarrange: 1\nextends: base.yaml\n")
        assert of(Layout.load(tmp_path / "own.yaml"), "missing-example") == []
        (tmp_path / "own.yaml").write_text("zarrange: 1\nextends: base.yaml\nrules: {missing-example: error}\n")
        assert [one.severity for one in of(Layout.load(tmp_path / "own.yaml"), "missing-example")] == [Severity.ERROR]

    def test_a_fault_cannot_be_turned_off(self):
        """What keeps a layout from being loaded is no matter of settings."""
        with pytest.raises(LayoutError) as caught:
            Layout.parse("zarrange: 1\nrules: {unknown-key: off}\n", file="f")
        assert [(one.rule, str(one.span)) for one in caught.value.diagnostics] == [("unknown-rule", "f:2:9")]

    def test_everything_wrong_with_the_settings_is_said_at_once(self):
        """Unknown rules, unknown kinds and missing reasons are found together, each at its place."""
        with pytest.raises(LayoutError) as caught:
            Layout.parse(
                f"{self.BARE}rules: {{missing-exmple: off}}\n"
                "allow:\n  - {rule: missing-example, kinds: [a, b], because: ' '}\n",
                file="f",
            )
        assert [(one.rule, str(one.span), one.help) for one in caught.value.diagnostics] == [
            ("unknown-rule", "f:3:9", "a similar rule exists: `missing-example`"),
            ("unknown-rule", "f:5:12", "known: `ambiguous-template`, `nested-kinds`, `overlapping-kinds`"),
            ("unknown-kind", "f:5:40", "known: `a`"),
            ("undocumented-allow", "f:5:53", "say why it does no harm"),
        ]


def test_findings_are_in_the_order_of_the_file():
    """Findings come in the order of the file, not of the sorts of kinds."""
    text = (
        "zarrange: 1\nfields: {a: {type: str}}\n"
        "files: {f: {path: '{{ a }}', examples: [{values: {a: x}, path: y}]}}\n"
        "containers: {c: {path: '{{ a }}.zarr', examples: [{values: {a: x}, path: y}]}}\n"
    )
    layout = Layout.parse(text)
    assert [one.span.line for one in of(layout, "failing-example")] == [3, 4]
    found = layout.check()
    assert list(found) == sorted(found, key=lambda one: one.span)


def test_null_is_no_value():
    """An example may say `null` for what is not given."""
    text = (
        "zarrange: 1\nfields: {a: {type: str}, b: {type: str}}\n"
        "files: {f: {path: '{{ a }}{% if b is defined %}/{{ b }}{% endif %}', "
        "examples: [{values: {a: x, b: null}, path: x}]}}\n"
    )
    assert of(Layout.parse(text), "failing-example") == []
