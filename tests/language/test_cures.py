"""Cures: each is tried before it is given, and really removes its clash when it is written into the layout."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.language.planted import PLANTED, loaded
from tests.property.small_layouts import FAMILIES, small_layouts

from zarrange.errors import LayoutError
from zarrange.language import cures
from zarrange.language.automaton import Budget
from zarrange.language.cures import GENERAL, cure_for
from zarrange.language.layout import Layout
from zarrange.language.proof import Clash, prove

BRANCHES = "let the branches of the condition differ by a text that no field can have"


CURE = re.compile(r"keep (`\w+`(?: and `\w+`)*) from .*: (?:`exclude: (\[.*\])`|add (.*) to its `exclude`)")


def advice(text):
    """The advice for each clash of a layout."""
    kinds = loaded(text).kinds
    return [cure_for(clash, kinds, Budget(60_000)) for clash in prove(kinds).clashes]


def written(text, cure):
    """The text of a layout with a cure written into it, as it says."""
    names, new, more = CURE.fullmatch(cure).groups()
    for name in names.strip("`").split("` and `"):
        at = re.search(rf"\b{name}: {{(?=type: )", text).end()
        if (own := re.search(r"exclude: \[", text[at : _end(text, at)])) is not None:
            text = f"{text[: at + own.end()]}{more or new[1:-1]}, {text[at + own.end() :]}"
        else:
            text = f"{text[:at]}exclude: {new or f'[{more}]'}, {text[at:]}"
    return text


def _end(text, at):
    """Where the declaration of a field ends that begins at `at`: where the next one, or another section, begins."""
    following = re.search(r"\w+: {type: |\n[a-z]", text[at:])
    return at + following.start()


class TestTable:
    """What is excluded is what the counter-example has where the other kind has a text or a number."""

    @pytest.mark.parametrize(
        ("name", "cure"),
        [
            ("two fields in a segment", 'keep `x` from having `-`: `exclude: [".*-.*"]`'),
            ("a name that is a number", 'keep `criterion` from being a number: `exclude: ["[0-9]+"]`'),
            ("an exclusion that is not enough", 'keep `criterion` from being a number: add "[0-9]+" to its `exclude`'),
            ("an array inside an array", 'keep `index` from being a number: `exclude: ["[0-9]+"]`'),
            ("an array inside of what is a file", 'keep `what` from being like `s1`: `exclude: ["s[0-9]+"]`'),
            ("a path inside a path of its own kind", 'keep `where` from having slashes: `exclude: [".*/.*"]`'),
            ("a value that is written as another one", "keep `what` from being `volume`: `exclude: [volume]`"),
            ("characters beyond ASCII", 'keep `name` from being `é`: `exclude: ["é"]`'),
            (
                "a name that Windows does not keep for itself",
                r"keep `x` from being `cone.txt`: `exclude: ['cone\.txt']`",
            ),
            ("two numbers side by side", GENERAL["ambiguous-template"]),
            ("choices that run into each other", GENERAL["ambiguous-template"]),
            ("a file inside an array", GENERAL["nested-kinds"]),
            ("the edge of a range", GENERAL["overlapping-kinds"]),
            ("a value left out, and one that is written alike", BRANCHES),
        ],
    )
    def test_planted(self, name, cure):
        """Each sort of cure, and general advice where no exclusion helps."""
        assert advice(next(one.clashing for one in PLANTED if one.name == name)) == [cure]

    def test_two_fields_at_once(self):
        """Where it takes two fields, both are named."""
        text = """fields: {x: {type: str}, y: {type: str}, pick: {type: str, choices: [a, b, c]}}
files:
  one: {path: "{{ x }}/{{ y }}"}
  other:
    path: >-
      {% if pick == "a" %}raw/raw{% elif pick == "b" %}raw/else{% else %}else/raw{% endif %}"""
        assert advice(text) == ["keep `x` and `y` from being `raw`: `exclude: [raw]`"]

    def test_line_breaks(self):
        """A field of any text is kept from a separator behind a line break too."""
        text = r"""fields: {x: {type: str, charset: text, max_length: 3}, n: {type: int}}
files: {one: {path: "{{ x | quote }}-{{ n }}"}}"""
        (cure,) = advice(text)
        assert cure == r"keep `x` from having `-`: `exclude: ['[\s\S]*-[\s\S]*']`"

    @pytest.mark.parametrize(
        ("word", "shown"), [("null", '"null"'), ("True", '"True"'), ("raw", "raw"), ("1e3", '"1e3"')]
    )
    def test_words_that_mean_something_in_yaml(self, word, shown):
        """What YAML would take for something else is quoted."""
        text = f"fields: {{x: {{type: str}}}}\nfiles: {{one: {{path: '{{{{ x }}}}'}}, other: {{path: '{word}'}}}}"
        assert advice(text) == [f"keep `x` from being `{word}`: `exclude: [{shown}]`"]


class TestRefused:
    """No cure is given that does harm or does not help."""

    def test_examples(self):
        """An example's value is never excluded; another cure is given, or a general one."""
        text = """fields: {{criterion: {{type: str}}, n: {{type: int, min: 0}}}}
files:
  best: {{path: "{{{{ criterion }}}}.pt", examples: [{{values: {{criterion: "{value}"}}, path: "{value}.pt"}}]}}
  checkpoint: {{path: "{{{{ n }}}}.pt"}}"""
        assert advice(text.format(value="a")) == ['keep `criterion` from being a number: `exclude: ["[0-9]+"]`']
        assert advice(text.format(value="17")) == [GENERAL["overlapping-kinds"]]

    def test_separators_in_examples(self):
        """Of two fields, the one is kept from the separator whose examples do not have it."""
        text = """fields: {{x: {{type: str}}, y: {{type: str}}}}
files:
  mask:
    path: "{{{{ x }}}}-{{{{ y }}}}"
    examples: [{{values: {{x: {x}, y: {y}}}, path: {x}-{y}}}]"""
        assert advice(text.format(x="a-b", y="c")) == ['keep `y` from having `-`: `exclude: [".*-.*"]`']
        assert advice(text.format(x="a-b", y="c-d")) == [GENERAL["ambiguous-template"]]

    def test_values_that_are_all_there_are(self):
        """A cure that leaves a field no value is none."""
        text = next(one.clashing for one in PLANTED if one.name == "two kinds of the same paths")
        assert advice(text) == [GENERAL["overlapping-kinds"]]

    def test_quoted_separator(self):
        """That values have no `%` is no help where quoting writes one."""
        text = """fields: {x: {type: str, charset: text}, y: {type: str, charset: text}}
files: {one: {path: "{{ x | quote }}%{{ y | quote }}"}}"""
        assert advice(text) == [GENERAL["ambiguous-template"]]

    def test_choices(self):
        """A field with choices is left as it is."""
        text = "fields: {x: {type: str, choices: [a, b]}}\nfiles: {one: {path: '{{ x }}'}, other: {path: a}}"
        assert advice(text) == [GENERAL["overlapping-kinds"]]

    def test_possible(self):
        """Of a clash that is only possible, nothing is known that could be excluded."""
        kinds = loaded("fields: {x: {type: str}}\nfiles: {one: {path: '{{ x }}'}, other: {path: 'a'}}").kinds
        for rule, general in GENERAL.items():
            assert cure_for(Clash(rule, ("one", "other")), kinds, Budget(60_000)) == general

    def test_long_texts(self):
        """A text that is too long for a pattern is no cure, and no fault either."""
        text = """fields: {{x: {{type: str}}, n: {{type: int}}}}
files:
  one: {{path: "{{% if n is defined %}}{long}{{{{ x }}}}-{{{{ n }}}}{{% else %}}{{{{ x }}}}{{% endif %}}"}}
  other: {{path: "{{% if n is defined %}}b{long}{{{{ n }}}}{{% else %}}b{{% endif %}}"}}"""
        assert advice(text.format(long="a" * 2000)) == [GENERAL["ambiguous-template"], GENERAL["overlapping-kinds"]]

    def test_undecided(self):
        """What cannot be proved to help is not given."""
        kinds = loaded(next(one.clashing for one in PLANTED if one.name == "a name that is a number")).kinds
        (clash,) = prove(kinds).clashes
        assert cure_for(clash, kinds, Budget(50)) == GENERAL["overlapping-kinds"]

    def test_no_more_than_a_few_are_tried(self, monkeypatch):
        """Only so many cures are tried for one clash."""
        kinds = loaded(next(one.clashing for one in PLANTED if one.name == "two fields in a segment")).kinds
        (clash,) = prove(kinds).clashes
        assert cure_for(clash, kinds, Budget(60_000)) != GENERAL[clash.rule]
        monkeypatch.setattr(cures, "MAX_TRIED", 0)
        assert cure_for(clash, kinds, Budget(60_000)) == GENERAL[clash.rule]


class TestReally:
    """A cure that is given really removes its clash when it is written into the layout."""

    @pytest.mark.parametrize("planted", PLANTED, ids=str)
    def test_planted(self, planted):
        """Of each planted clash: with its cure in the layout, that clash is gone."""
        text = f"zarrange: 1\n{planted.clashing}"
        self.holds(text, Layout.parse(text))

    def test_a_value_that_a_condition_compares(self):
        """A value that some condition of the layout compares a field with is not to be excluded."""
        text = (
            "zarrange: 1\nfields:\n  x: {type: str}\n  y: {type: str}\ncontainers: {box: {path: '{{ x }}'}}\n"
            "files:\n  k0: {path: '0'}\n  k1: {path: '{% if x == ''0'' %}0{% else %}{{ x }}{% endif %}'}\n"
        )
        self.holds(text, Layout.parse(text))

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_random(self, data):
        """Of random layouts: with the cure of any of their clashes, that clash is gone."""
        _, text = data.draw(small_layouts(data.draw(st.sampled_from(sorted(FAMILIES)))))
        try:
            layout = Layout.parse(text)
        except LayoutError:
            return
        self.holds(text, layout)

    def holds(self, text, layout):
        for clash in prove(layout.kinds).clashes:
            cure = cure_for(clash, layout.kinds, Budget(60_000))
            if cure in (*GENERAL.values(), BRANCHES):
                continue
            cured = prove(Layout.parse(written(text, cure)).kinds)
            assert cured.is_complete
            assert (clash.rule, clash.kinds) not in {(one.rule, one.kinds) for one in cured.clashes}
            assert cured.empty == ()
