"""The difference of two layouts: what becomes of kinds, fields and values, which paths change, what would be lost."""

from __future__ import annotations

import datetime
import pickle
from itertools import product

import pytest
from hypothesis import given, settings, strategies as st
from tests.strategies import values_of

from zarrange import Filter, Key, Layout
from zarrange.errors import FieldError, UnknownKindError
from zarrange.language import cases
from zarrange.language.changes import FieldChange
from zarrange.language.difference import difference, read_fixed

OLD = """\
zarrange: 1
name: old
fields:
  run: {type: str}
  step: {type: int, min: 0}
  fold: {type: int, min: 0}
containers:
  box: {path: "{{ run }}.zarr"}
arrays:
  grid: {container: box, path: "{{ step }}/f{{ fold }}", examples: [{values: {run: r1, step: 7, fold: 0}, path: x}]}
files:
  log: {path: "logs/{{ run }}.txt"}
"""
NEW = """\
zarrange: 1
name: new
fields:
  run: {type: str}
  iteration: {type: int, min: 0, renamed_from: step}
containers:
  store: {path: "{{ run }}.zarr", renamed_from: box}
arrays:
  image: {container: store, path: "{{ iteration | pad(4) }}", renamed_from: grid}
files:
  log: {path: "logs/{{ run }}.txt"}
  note: {path: "notes/{{ run }}.txt"}
"""


def parse(text, **more):
    return Layout.parse(text if text.startswith("zarrange") else f"zarrange: 1\n{text}", **more)


def files(fields, *paths, **more):
    """A layout of files `a`, `b`, … of these paths."""
    entries = "\n".join(f'  {name}: {{path: "{path}"}}' for name, path in zip("abc", paths, strict=False))
    return parse(f"fields: {fields}\nfiles:\n{entries}", **more)


def only(found):
    """The change of the only kind."""
    (change,) = found.kinds
    return change


def told(change):
    """The rules and extents of what is in the way."""
    return [(one.rule, one.extent) for one in change.problems]


class TestKinds:
    """Each old kind is a new one, by its name or by `renamed_from`, or it is dropped; the others are new."""

    def test_names(self):
        """Renamed kinds, kinds of the same name and new ones come in the order of the old layout."""
        found = difference(parse(OLD), parse(NEW), {"fold": 0})
        assert [(one.old, one.new, one.paths) for one in found.kinds] == [
            ("box", "store", "same"),
            ("grid", "image", "changed"),
            ("log", "log", "same"),
            (None, "note", None),
        ]
        assert found.is_lossless
        assert not found.is_same

    def test_a_dropped_kind(self):
        """A kind that the new layout does not have is lost, and no key of it is mapped."""
        found = difference(files("{}", "x", "y"), files("{}", "x"))
        assert [(one.old, one.new, told(one)) for one in found.kinds] == [
            ("a", "a", []),
            ("b", None, [("dropped-kind", "all")]),
        ]
        with pytest.raises(UnknownKindError, match="`<layout>` has no kind `b`"):
            found.key(Key("b"))
        with pytest.raises(UnknownKindError, match="has no kind 'c'"):
            found.key(Key("c"))

    def test_another_sort(self):
        """An array that would become a file is lost."""
        found = difference(
            parse("containers: {box: {path: b.zarr}}\narrays: {one: {container: box, path: x}}"),
            parse("files: {two: {path: x, renamed_from: one}}"),
        )
        change = found.kinds[1]
        assert (change.old, change.new, change.paths, told(change)) == ("one", "two", None, [("changed-sort", "all")])
        assert change.problems[0].message == "`one` is an array, and `two` of `<layout>` is a file"
        with pytest.raises(UnknownKindError, match="`one` is an array"):
            found.key(Key("one"))

    @pytest.mark.parametrize("sorts", [*product(["groups", "arrays"], repeat=2)])
    def test_groups_are_no_arrays(self, sorts):
        """A group stays a group, and an array an array."""
        layouts = [
            parse(f"containers: {{box: {{path: b.zarr}}}}\n{sort}: {{one: {{container: box, path: x}}}}")
            for sort in sorts
        ]
        assert difference(*layouts).is_same == (sorts[0] == sorts[1])

    def test_a_swap_of_kinds(self):
        """Two kinds that change names keep their paths."""
        old = parse("files: {a: {path: x}, b: {path: y}}")
        new = parse("files: {a: {path: y, renamed_from: b}, b: {path: x, renamed_from: a}}")
        found, back = difference(old, new), difference(new, old)
        assert found.is_same
        assert (found.key(Key("a")), found.key(Key("b"))) == (Key("b"), Key("a"))
        assert (back.key(Key("a")), back.key(Key("b"))) == (Key("b"), Key("a"))

    def test_two_kinds_that_become_one(self):
        """Two kinds that become one are told where two of their artifacts come to one path, and fine where none do."""
        fields = "fields: {n: {type: int}, x: {type: str}}"
        old = parse(f"{fields}\nfiles: {{a: {{path: 'a/{{{{ n }}}}'}}, b: {{path: 'b/{{{{ n }}}}'}}}}")
        found = difference(old, parse(f"{fields}\nfiles: {{b: {{path: 'c/{{{{ n }}}}', renamed_from: a}}}}"))
        (clash,) = found.clashes
        assert (clash.rule, clash.extent, clash.kinds) == ("shared-path", "some", ("a", "b"))
        assert [found.key(key) for key in clash.examples] == [Key("b", {"n": 0})] * 2
        assert clash.message == "two artifacts come to lie at 'c/0'"

        apart = parse(f"{fields}\nfiles: {{a: {{path: 'a/{{{{ n }}}}'}}, b: {{path: 'b/{{{{ n }}}}/{{{{ x }}}}'}}}}")
        path = "c/{{ n }}{% if x is defined %}/{{ x }}.txt{% endif %}.txt"
        merged = difference(apart, parse(f'{fields}\nfiles: {{b: {{path: "{path}", renamed_from: a}}}}'))
        assert merged.key(Key("a", {"n": 1})) == Key("b", {"n": 1})
        assert merged.key(Key("b", {"n": 1, "x": "y"})) == Key("b", {"n": 1, "x": "y"})
        assert merged.clashes == ()


class TestFields:
    """Each field of a kind is one of the new kind, by its name or by `renamed_from`, or it is dropped or new."""

    def test_what_becomes_of_them(self):
        """Old fields come in their order, new ones behind them; fixed values stand beside those that need them."""
        image = difference(parse(OLD), parse(NEW), {"fold": 0}).kinds[1]
        assert image.fields == (
            FieldChange("run", "run"),
            FieldChange("step", "iteration"),
            FieldChange("fold", None, is_fixed=True, fixed=0),
        )

    def test_a_dropped_field(self):
        """A dropped field is an error until it is given a fixed value; then only that value is mapped."""
        old, new = parse(OLD), parse(NEW)
        found = difference(old, new)
        assert told(found.kinds[1]) == [("dropped-field", "all")]
        assert (found.kinds[1].paths, found.kinds[1].example) == (None, None)
        key = Key("grid", {"run": "r", "step": 7, "fold": 0})
        with pytest.raises(FieldError, match="grid: field `fold` has no place in `image`; it may only be left out"):
            found.key(key)
        fixed = difference(old, new, {"fold": 0})
        assert fixed.key(key) == Key("image", {"run": "r", "iteration": 7})
        with pytest.raises(FieldError, match="the only value that is left out is 0") as caught:
            fixed.key(Key("grid", {**key.values, "fold": 1}))
        assert (caught.value.kind, caught.value.field, caught.value.value) == ("grid", "fold", 1)

    def test_a_new_field(self):
        """A new required field is an error until it is given a fixed value, which all artifacts get."""
        old, new = files("{x: {type: str}}", "{{ x }}"), files("{x: {type: str}, y: {type: int}}", "{{ x }}_/{{ y }}")
        assert told(only(difference(old, new))) == [("new-field", "all")]
        with pytest.raises(FieldError, match="a: field `y` is missing"):
            difference(old, new).key(Key("a", {"x": "u"}))
        found = difference(old, new, {"y": 3})
        assert found.is_lossless
        assert found.key(Key("a", {"x": "u"})) == Key("a", {"x": "u", "y": 3})
        assert told(only(difference(old, new, {"y": None}))) == [("new-field", "all")]

    def test_a_new_optional_field(self):
        """A new optional field may be left out, or be fixed."""
        old = files("{x: {type: str}}", "{{ x }}")
        new = files("{x: {type: str}, y: {type: int}}", "{{ x }}{% if y is defined %}_/{{ y }}{% endif %}")
        assert difference(old, new).is_same
        assert difference(old, new, {"y": None}).is_same
        found = difference(old, new, {"y": 3})
        assert (only(found).paths, found.is_lossless) == ("changed", True)
        assert found.key(Key("a", {"x": "u"})) == Key("a", {"x": "u", "y": 3})

    def test_a_dropped_optional_field(self):
        """Artifacts without a dropped optional field are mapped; those with it are lost, and one is shown."""
        new = files("{x: {type: str}}", "{{ x }}")
        old = files("{x: {type: str}, y: {type: int}}", "{{ x }}{% if y is defined %}_/{{ y }}{% endif %}")
        found = difference(old, new)
        (problem,) = found.problems
        assert (problem.rule, problem.extent, problem.field) == ("dropped-field", "some", "y")
        assert problem.examples == (Key("a", {"x": "a", "y": 1000}),)
        assert found.key(Key("a", {"x": "u"})) == Key("a", {"x": "u"})
        with pytest.raises(FieldError):
            found.key(problem.examples[0])
        absent = difference(old, new, {"y": None})
        assert absent.is_same
        three = difference(old, new, {"y": 3})
        assert (three.is_lossless, only(three).paths) == (True, "changed")
        with pytest.raises(FieldError, match="the only value that is left out is 3"):
            three.key(Key("a", {"x": "u"}))

    def test_a_required_field_is_never_absent(self):
        """A required field that is fixed to nothing leaves no artifact."""
        old, new = files("{x: {type: str}}", "n/{{ x }}"), files("{}", "n")
        (problem,) = difference(old, new, {"x": None}).problems
        assert (problem.extent, problem.message) == ("all", "`x` is never absent from `a`")

    def test_a_swap_of_fields(self):
        """Two fields that change names keep their values, there and back."""
        old = files("{x: {type: str}, y: {type: str}}", "{{ x }}/{{ y }}")
        new = files("{x: {type: str, renamed_from: y}, y: {type: str, renamed_from: x}}", "{{ y }}/{{ x }}")
        found, back = difference(old, new), difference(new, old)
        assert found.is_same
        assert back.is_same
        key = Key("a", {"x": "u", "y": "v"})
        assert found.key(key) == Key("a", {"x": "v", "y": "u"})
        assert back.key(found.key(key)) == key

    def test_a_chain_of_fields(self):
        """Each field of a chain takes the name that the one before it had."""
        old = files("{x: {type: str}, y: {type: str}}", "{{ x }}/{{ y }}")
        new = files("{y: {type: str, renamed_from: x}, z: {type: str, renamed_from: y}}", "{{ y }}/{{ z }}")
        assert difference(old, new).is_same
        assert difference(old, new).key(Key("a", {"x": "u", "y": "v"})) == Key("a", {"y": "u", "z": "v"})
        assert difference(new, old).key(Key("a", {"y": "u", "z": "v"})) == Key("a", {"x": "u", "y": "v"})

    def test_a_field_that_takes_the_place_of_another_in_some_kinds(self):
        """Two old fields may become one, where no kind has both."""
        old = files("{x: {type: str}, y: {type: str}}", "a/{{ x }}", "b/{{ y }}")
        new = files("{y: {type: str, renamed_from: x}}", "a/{{ y }}", "b/{{ y }}")
        found = difference(old, new)
        assert found.is_same
        assert found.key(Key("a", {"x": "u"})) == Key("a", {"y": "u"})
        assert found.key(Key("b", {"y": "u"})) == Key("b", {"y": "u"})

    def test_a_renaming_of_long_ago(self):
        """What both layouts say was renamed was renamed before either."""
        both = files("{x: {type: str, renamed_from: y}, y: {type: str, renamed_from: x}}", "{{ y }}/{{ x }}")
        assert difference(both, both).is_same


class TestFixedValues:
    """A fixed value is one that its field takes, and that a kind has a use for."""

    def test_plain_forms(self):
        """Fixed values are taken as values of their fields are."""
        numpy = pytest.importorskip("numpy")
        found = difference(parse(OLD), parse(NEW), {"fold": numpy.int64(0)})
        assert (found.fixed, type(found.fixed["fold"])) == ({"fold": 0}, int)

    @pytest.mark.parametrize(
        ("fixed", "message"),
        [
            ({"fold": -1}, "fixed value: field `fold` does not take -1"),
            ({"fold": "0"}, "fixed value: field `fold` does not take '0'"),
            ({"run": "r1"}, "field `run` is neither dropped nor new in any kind, so it stays what it is"),
            ({"step": 1}, "field `step` is neither dropped nor new"),
            ({"fald": 1}, "field `fald` is in neither layout; a similar field exists: `fold`"),
        ],
    )
    def test_what_is_refused(self, fixed, message):
        """A value that does not fit, or that nothing asks for, is refused."""
        with pytest.raises(FieldError) as caught:
            difference(parse(OLD), parse(NEW), fixed)
        assert message in str(caught.value)

    def test_what_a_person_writes(self):
        """Text is read as the field's values are written, by whichever layout has it."""
        old, new = parse(OLD), files("{day: {type: date}, fold: {type: str}}", "{{ day }}/{{ fold }}")
        assert read_fixed(old, new, {"day": "2026-01-31"}) == {"day": datetime.date(2026, 1, 31)}
        assert read_fixed(old, new, {"step": "7", "fold": "7"}) == {"step": 7, "fold": "7"}
        assert read_fixed(new, old, {"fold": "x"}) == {"fold": "x"}
        for written, message in (({"fald": "1"}, "in neither layout"), ({"step": "x"}, "does not take 'x'")):
            with pytest.raises(FieldError, match=message):
                read_fixed(old, new, written)


class TestValues:
    """Values that the new field does not take are told, with an old key that has such a value."""

    @pytest.mark.parametrize(
        ("one", "other", "extent", "value"),
        [
            ("{type: str, charset: unicode}", "{type: str}", "some", "a b"),
            ("{type: str}", "{type: str, pattern: '[a-z]+'}", "some", "r1"),
            ("{type: str}", "{type: str, exclude: ['a.*']}", "some", "a"),
            ("{type: str}", "{type: str, max_length: 3}", "some", "1000"),
            ("{type: str}", "{type: str, choices: [u, v]}", "some", "a"),
            ("{type: str, choices: [u, v]}", "{type: str, choices: [v, w]}", "some", "u"),
            ("{type: int}", "{type: int, min: 0}", "some", -1),
            ("{type: int, max: 9}", "{type: int, min: 0, max: 9}", "some", -1),
            ("{type: date}", "{type: date, min: 2020-01-01}", "some", datetime.date(2019, 12, 31)),
            ("{type: bool}", "{type: bool, choices: [true]}", "some", False),
            ("{type: int}", "{type: str}", "all", None),
            ("{type: str}", "{type: int}", "all", None),
            ("{type: str, choices: [u]}", "{type: str, choices: [v]}", "all", None),
        ],
    )
    def test_what_is_not_taken(self, one, other, extent, value):
        """A value that is refused is shown as a whole key, if not all are."""
        found = difference(files(f"{{x: {one}}}", "d/{{ x }}"), files(f"{{x: {other}}}", "e/{{ x }}"))
        (problem,) = found.problems
        assert (problem.rule, problem.extent, problem.field, problem.kinds) == ("refused-value", extent, "x", ("a",))
        assert [key["x"] for key in problem.examples] == ([value] if extent == "some" else [])
        assert problem.message.startswith("`x` does not take ")
        assert problem.help.startswith("it takes ")
        for key in problem.examples:
            with pytest.raises(FieldError, match="a: field `x` does not take"):
                found.key(key)
        assert (only(found).paths is None) == (extent == "all")

    def test_an_optional_field_that_takes_no_value_any_more(self):
        """Where no value is taken but the field may be left out, some artifacts are mapped."""
        path = "d{% if x is defined %}/{{ x }}.txt{% endif %}"
        found = difference(files("{x: {type: int}}", path), files("{x: {type: bool}}", path))
        assert told(only(found)) == [("refused-value", "some")]
        assert only(found).paths == "same"
        assert found.key(Key("a")) == Key("a")

    def test_a_renamed_field_is_named_twice(self):
        """The message has the old name, and the new one."""
        old, new = files("{x: {type: int}}", "{{ x }}"), files("{y: {type: int, min: 0, renamed_from: x}}", "{{ y }}")
        (problem,) = difference(old, new).problems
        assert problem.message == "`x`, which becomes `y`, does not take -1"

    def test_a_whole_number_becomes_a_number(self):
        """Whole numbers that a float can hold are mapped to it, by their value."""
        old, new = files("{x: {type: int, min: 0, max: 9}}", "{{ x }}"), files("{x: {type: float}}", "{{ x }}")
        found = difference(old, new)
        assert (found.is_lossless, only(found).paths) == (True, "changed")
        assert only(found).example.new_path == "1.0"
        assert found.key(Key("a", {"x": 7})) == Key("a", {"x": 7.0})

    def test_what_is_not_known(self):
        """A pattern that cannot be compared is said to be found out value by value."""
        old = files("{x: {type: str, charset: text, pattern: '[\u0250-\u02af]'}}", "{{ x | quote }}")
        new = files("{x: {type: str, charset: unicode}}", "{{ x | quote }}")
        (problem,) = difference(old, new).problems
        assert (problem.extent, problem.examples) == ("unknown", ())
        assert problem.message == "`x` may not take every value that it took"
        assert difference(old, new).key(Key("a", {"x": "\u0250"})) == Key("a", {"x": "\u0250"})

    def test_what_the_old_kind_does_not_take(self):
        """A key that the old layout does not have is refused by it."""
        with pytest.raises(FieldError, match="log: field `run` does not take 'a/b'"):
            difference(parse(OLD), parse(NEW)).key(Key("log", {"run": "a/b"}))

    def test_a_time_whose_seconds_are_left_out(self):
        """A format that does not write every part of a time loses those that have one."""
        fields = "{t: {type: datetime}}"
        old, new = files(fields, "{{ t | date('%Y%m%dT%H%M%S%f') }}"), files(fields, "{{ t | date('%Y%m%dT%H%M') }}")
        (problem,) = difference(old, new).problems
        assert (problem.rule, problem.extent) == ("refused-value", "some")
        with pytest.raises(FieldError, match="reads back"):
            difference(old, new).key(problem.examples[0])
        assert difference(new, new).is_same
        assert difference(new, old).is_lossless

    def test_filters_of_ones_own(self):
        """What a registered filter writes is known only where it wrote it before."""
        mine = Filter("mine", encode=lambda text: text.upper(), decode=lambda text: text.lower(), pattern="[A-Z]+")
        fields = "{x: {type: str, pattern: '[a-z]+'}}"
        plain, other = files(fields, "{{ x }}"), files(fields, "{{ x | mine }}", filters=[mine])
        deeper = files(fields, "d/{{ x | mine }}", filters=[mine])
        assert told(only(difference(plain, other))) == [("refused-value", "unknown")]
        assert only(difference(plain, other)).paths == "changed"
        assert difference(other, other).is_same
        assert difference(other, deeper).is_lossless


class TestConditions:
    """Values that the new template has no place for together are told."""

    def test_an_optional_field_that_becomes_required(self):
        """Artifacts without it have no new key."""
        fields = "{x: {type: str}, y: {type: str}}"
        old, new = (
            files(fields, "{{ x }}{% if y is defined %}/{{ y }}.txt{% endif %}"),
            files(fields, "{{ x }}/{{ y }}"),
        )
        (problem,) = difference(old, new).problems
        assert (problem.rule, problem.extent, problem.message) == (
            "refused-combination",
            "some",
            "a: field `y` is missing",
        )
        assert problem.examples == (Key("a", {"x": "a"}),)
        with pytest.raises(FieldError):
            difference(old, new).key(problem.examples[0])

    def test_a_required_field_that_becomes_optional(self):
        """Nothing is lost."""
        fields = "{x: {type: str}, y: {type: str}}"
        old, new = (
            files(fields, "{{ x }}/{{ y }}"),
            files(fields, "{{ x }}/{% if y is defined %}{{ y }}{% else %}-{% endif %}"),
        )
        assert difference(old, new).is_same

    def test_a_value_that_has_no_place(self):
        """A value for which the new template has no place is told with an example."""
        fields = "{x: {type: str, choices: [u, v]}, y: {type: int}}"
        old = files(fields, "{{ x }}/{{ y }}")
        new = files(fields, "{% if x == 'u' %}one/{{ y }}{% else %}{{ x }}{% endif %}")
        (problem,) = difference(old, new).problems
        assert (problem.rule, problem.extent) == ("refused-combination", "some")
        assert problem.examples[0]["x"] == "v"
        assert problem.message == "a: field `y` has no place beside `x`; leave it out"

    def test_a_value_that_needs_another_field(self):
        """A value for which the new template wants another field has no place, unless that field is fixed."""
        fields = "{x: {type: str}, y: {type: int}}"
        old = files(fields, "{{ x }}")
        new = files(fields, "{% if x == 'u' %}one/{{ y }}{% else %}{{ x }}{% endif %}")
        (problem,) = difference(old, new).problems
        assert (problem.rule, problem.extent, problem.examples) == (
            "refused-combination",
            "some",
            (Key("a", {"x": "u"}),),
        )
        assert problem.message == "a: field `y` is missing"
        (fixed,) = difference(old, new, {"y": 1}).problems
        assert fixed.examples == (Key("a", {"x": "a"}),)

    def test_nothing_has_a_place(self):
        """Where no combination of values has a place, no artifact is mapped."""
        fields = "{x: {type: str}, y: {type: str}}"
        old = files(fields, "{{ x }}/{{ y }}")
        new = files(fields, "{% if x is defined %}x{{ x }}{% else %}y/{{ y }}{% endif %}")
        assert told(only(difference(old, new))) == [("refused-combination", "all")]

    def test_fixed_values_that_nothing_has(self):
        """A fixed value that the conditions of the old kind rule out leaves nothing."""
        fields = "{x: {type: str, choices: [u, v]}, y: {type: str}}"
        old = files(fields, "{% if x == 'u' %}{{ y }}{% else %}_{{ y }}/{{ x }}{% endif %}")
        found = difference(old, files(fields, "{{ y }}"), {"x": "u"})
        assert found.is_lossless
        assert only(found).paths == "same"
        other = difference(old, files(fields, "{{ y }}"), {"x": "v"})
        assert (other.is_lossless, only(other).paths) == (True, "changed")

    def test_a_condition_that_settles_what_is_written(self):
        """A text for one value, and the value itself, are the same path."""
        fields = "{x: {type: str, choices: [u, v]}, y: {type: int}}"
        old = files(fields, "{% if x == 'u' %}u{% else %}v{% endif %}/{{ y }}")
        assert difference(old, files(fields, "{{ x }}/{{ y }}")).is_same
        assert difference(files(fields, "{{ x }}/{{ y }}"), old).is_same

    def test_too_many_outcomes(self, monkeypatch):
        """Conditions with too many outcomes are not compared, and nothing is said of them."""
        monkeypatch.setattr(cases, "MAX_CASES", 1)
        fields = "{x: {type: str}}"
        old, new = files(fields, "{{ x }}"), files(fields, "{% if x == 'u' %}u{% else %}{{ x }}{% endif %}")
        found = difference(old, new)
        assert told(only(found)) == [("refused-combination", "unknown")]
        assert only(found).paths == "unknown"


class TestPaths:
    """Paths are the same where the templates say the same, changed where an artifact differs, else not known."""

    @pytest.mark.parametrize(
        ("fields", "one", "other"),
        [
            ("{x: {type: str}}", "{{ x }}", "{{ x | quote }}"),
            ("{x: {type: str, charset: text, choices: [a, b]}}", "{{ x | quote }}", "{{ x | quote }}"),
            ("{x: {type: str, charset: unicode, pattern: 'x[a-z]+'}}", "{{ x }}", "{{ x | quote }}"),
            ("{n: {type: int}}", "{{ n }}", "{{ n | pad(1) }}"),
            ("{n: {type: int, min: 1000}}", "{{ n }}", "{{ n | pad(4) }}"),
            ("{n: {type: int, min: 1000}}", "{{ n | pad(3) }}", "{{ n | pad(4) }}"),
            ("{d: {type: date}}", "{{ d }}", "{{ d | date('%Y-%m-%d') }}"),
            ("{x: {type: str}}", "a/{# why #}b/{{ x }}", "a/b/{{ x }}"),
        ],
    )
    def test_the_same_in_other_words(self, fields, one, other):
        """Templates that write the same in other words are known to."""
        assert difference(files(fields, one), files(fields, other)).is_same
        assert difference(files(fields, other), files(fields, one)).is_same

    @pytest.mark.parametrize(
        ("fields", "one", "other", "paths"),
        [
            ("{x: {type: str, charset: unicode}}", "{{ x }}", "{{ x | quote }}", ("a b", "a%20b")),
            ("{n: {type: int}}", "{{ n }}", "{{ n | pad(4) }}", ("1", "0001")),
            ("{n: {type: int}}", "{{ n | pad(3) }}", "{{ n | pad(4) }}", ("1000", "1000")),
            ("{d: {type: date}}", "{{ d }}", "{{ d | date('%Y%m%d') }}", ("2026-01-31", "20260131")),
            ("{x: {type: str}, y: {type: str}}", "{{ x }}/{{ y }}", "{{ y }}/{{ x }}", ("b/a", "a/b")),
            ("{x: {type: str}}", "{{ x }}", "d/{{ x }}", ("a", "d/a")),
        ],
    )
    def test_an_artifact_that_differs(self, fields, one, other, paths):
        """A change is proved by an artifact, which both layouts really render."""
        old, new = files(fields, one), files(fields, other)
        found = difference(old, new)
        pair = only(found).example
        assert only(found).paths == "changed"
        assert pair.old_path != pair.new_path
        assert (old.render("a", **pair.old.values).path, new.render("a", **pair.new.values).path) == (
            pair.old_path,
            pair.new_path,
        )
        assert found.key(pair.old) == pair.new
        if paths[0] != paths[1]:
            assert (pair.old_path, pair.new_path) == paths

    def test_the_layout_s_own_examples_come_first(self):
        """An example of the old layout is shown, if its path changes."""
        found = difference(parse(OLD), parse(NEW), {"fold": 0})
        assert found.kinds[1].example.old == Key("grid", {"run": "r1", "step": 7, "fold": 0})
        assert found.kinds[1].example.new_path == "r1.zarr/0007"

    def test_what_is_not_known(self):
        """Where the templates differ and no artifact is found that does, that is what is said."""
        fields = "{n: {type: int, choices: [10, 11]}}"
        found = difference(files(fields, "{{ n }}"), files(fields, "{{ n | pad(2) }}"))
        assert (only(found).paths, found.is_lossless, found.is_same) == ("unknown", True, False)
        assert only(found).example.old_path == only(found).example.new_path

    def test_another_container_is_no_other_path(self):
        """What counts is the path, wherever the container ends."""
        old = parse("containers: {box: {path: a.zarr}}\narrays: {one: {container: box, path: b/c}}")
        new = parse(
            "containers: {box: {path: a.zarr}, deep: {path: a.zarr/b}}\narrays: {one: {container: deep, path: c}}"
        )
        assert difference(old, new).is_same


class TestCollisions:
    """Artifacts that had places of their own and would share one are told, with both."""

    def test_two_keys_of_one_kind(self):
        """A template that no longer tells two artifacts apart is found out."""
        fields = "{x: {type: str}, y: {type: str}}"
        found = difference(files(fields, "{{ x }}/{{ y }}"), files(fields, "{{ x }}_{{ y }}"))
        (clash,) = found.clashes
        assert (clash.rule, clash.extent, clash.kinds) == ("shared-path", "some", ("a",))
        one, other = clash.examples
        assert one != other
        assert len({found.new.render("a", **found.key(key).values).path for key in clash.examples}) == 1

    def test_one_inside_another(self):
        """An artifact that would come to lie inside another one is found out."""
        fields = "{x: {type: path}}"
        found = difference(files(fields, "{{ x | quote }}"), files(fields, "d/{{ x }}"))
        (clash,) = found.clashes
        assert (clash.rule, clash.extent) == ("nested-path", "some")
        assert clash.message == "'d/a/a' comes to lie inside 'd/a'"

    def test_what_clashed_before_is_no_loss(self):
        """A layout that allows clashes is not held to have new ones by a change elsewhere."""
        layout = Layout.load("dacapo")
        assert difference(layout, layout).clashes == ()

    def test_values_that_cannot_clash_do_not(self):
        """A clash of values that the old layout does not have is none."""
        old = files("{x: {type: str}, n: {type: int}}", "x/{{ x }}", "n/{{ n }}")
        new = files("{x: {type: str, charset: unicode}, n: {type: int}}", "{{ x }}.x", "{{ n }}")
        assert difference(old, new).clashes == ()
        limited = files("{x: {type: str, pattern: '[a-z]+'}, n: {type: int}}", "x/{{ x }}", "n/{{ n }}")
        wide = files("{x: {type: str}, n: {type: int}}", "{{ x }}", "{{ n }}")
        assert difference(limited, wide).clashes == ()
        assert len(difference(old, wide).clashes) == 1

    def test_fixed_values_tell_artifacts_apart(self):
        """A new field that is fixed, or left out, has no other value that could clash."""
        old = files("{x: {type: str}}", "x/{{ x }}")
        new = files("{x: {type: str}, y: {type: str}}", "{{ x }}{% if y is defined %}_{{ y }}{% endif %}")
        assert difference(old, new).clashes == ()
        assert difference(old, new, {"y": "v"}).clashes == ()

    def test_what_cannot_be_shown_is_not_known(self):
        """A clash that may happen, of which no example holds, is said to be possible."""
        fields = "{x: {type: str, pattern: '[ab]+'}}"
        old = files(fields, "x/{{ x }}{{ x }}", "y/{{ x }}")
        new = files(fields, "{{ x }}{{ x }}", "{{ x }}b{{ x }}")
        found = difference(old, new)
        (clash,) = found.clashes
        assert (clash.rule, clash.extent, clash.kinds, clash.examples) == ("shared-path", "unknown", ("a", "b"), ())
        assert clash.message == "artifacts of `a` and `b` may come to lie at one path"
        assert not found.is_lossless


SHIPPED = ("dacapo", "training", "hive")


@pytest.fixture(scope="module")
def layouts():
    return {name: Layout.load(name) for name in SHIPPED}


@pytest.fixture(scope="module")
def differences(layouts):
    return {(one, other): difference(layouts[one], layouts[other]) for one, other in product(SHIPPED, repeat=2)}


class TestShippedLayouts:
    """A store can move between the shipped layouts of training runs."""

    def test_what_is_lossless(self, differences):
        """Into `training` everything fits; `hive` takes portable names only, and `dacapo` lets artifacts clash."""
        assert {pair for pair, found in differences.items() if found.is_lossless} == {
            ("dacapo", "dacapo"),
            ("training", "training"),
            ("hive", "hive"),
            ("dacapo", "training"),
            ("hive", "training"),
        }
        assert {pair for pair, found in differences.items() if found.is_same} == {(one, one) for one in SHIPPED}

    def test_everything_is_known(self, differences):
        """Nothing of them is left open: every path changes or none, and every loss has an example."""
        for (one, other), found in differences.items():
            assert {change.paths for change in found.kinds} == {"same" if one == other else "changed"}
            assert all(problem.extent == "some" for problem in found.problems)

    def test_every_change_has_an_example(self, differences):
        """Each example is rendered by both layouts."""
        for found in differences.values():
            for change in found.kinds:
                pair = change.example
                assert found.old.render(pair.old.kind, **pair.old.values).path == pair.old_path
                assert found.new.render(pair.new.kind, **pair.new.values).path == pair.new_path
                assert found.key(pair.old) == pair.new

    def test_values_that_are_lost(self, differences):
        """Names that are not portable are lost on the way to `hive`, field by field."""
        lost = {one.field for one in differences["training", "hive"].problems}
        assert lost == {"run", "dataset", "parameters", "criterion", "index", "volume"}

    @settings(max_examples=200, deadline=None)
    @given(data=st.data())
    def test_keys_go_there_and_back(self, layouts, differences, data):
        """A key of a lossless difference has a path in the other layout, and the way back gives the same key."""
        pair = data.draw(st.sampled_from([("dacapo", "training"), ("hive", "training"), ("training", "training")]))
        kind = data.draw(st.sampled_from([*layouts[pair[0]].kinds.values()]))
        key = kind.key(data.draw(values_of(kind)))
        there = differences[pair].key(key)
        assert layouts[pair[1]].render(there.kind, **there.values).path
        assert differences[pair[::-1]].key(there) == key


class TestDifference:
    def test_it_can_be_pickled(self):
        """A pickled difference maps keys as before."""
        found = difference(parse(OLD), parse(NEW), {"fold": 0})
        again = pickle.loads(pickle.dumps(found))
        key = Key("grid", {"run": "r", "step": 7, "fold": 0})
        assert again == found
        assert again.key(key) == found.key(key)

    def test_problems_are_all_of_them(self):
        """The problems are those of all kinds, and the clashes."""
        fields = "{x: {type: str}, y: {type: str}}"
        found = difference(files(fields, "{{ x }}/{{ y }}", "k"), files(fields, "{{ x }}_{{ y }}"))
        assert [one.rule for one in found.problems] == ["dropped-kind", "shared-path"]

    def test_an_empty_layout(self):
        """A layout without any kind is the same as itself, and loses nothing to another one."""
        assert difference(parse(""), parse("")).is_same
        assert difference(parse(""), parse(OLD)).is_same
