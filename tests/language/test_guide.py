"""The guide: which names are joined, which are listed, and that nothing that is asked for is ever passed by."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import HealthCheck, assume, event, given, settings, strategies as st
from tests.property.small_layouts import FAMILIES, enumerated_keys, small_layouts

from zarrange.errors import LayoutError
from zarrange.language.guide import MAX_NAMES, Guide
from zarrange.language.layout import Layout
from zarrange.language.selection import select

FIELDS = """\
zarrange: 1
fields:
  run: {type: str}
  step: {type: int, min: 0}
  day: {type: date}
  color: {type: str, choices: [red, green]}
  name: {type: str}
  any: {type: str, charset: text}
  where: {type: path}
  then: {type: path}
"""


def layout_of(text):
    return Layout.parse(FIELDS + text)


def files(**paths):
    return layout_of("files:\n" + "".join(f'  {name}: {{path: "{path}"}}\n' for name, path in paths.items()))


def guide_of(layout, kinds=None, **filters):
    return Guide(select(layout, kinds, filters))


def walked(guide, path):
    """The place that a path leads to, or `None`."""
    place = guide.start
    for name in path.split("/"):
        place = place and place.step(name)
    return place


def accepted(guide, *paths):
    """Those of the paths that are worth a look, up to their end."""
    return [path for path in paths if (place := walked(guide, path)) is not None and place.ends]


def levels(guide, path):
    """How one gets past each folder above a path: the names to join, and whether it is listed too."""
    found = []
    place = guide.start
    for name in path.split("/"):
        found.append("listed" if place.must_list and not place.names else (sorted(place.names), place.must_list))
        place = place.step(name)
        assert place is not None, name
    assert not place.leads_on
    return found


DEEP = files(out="{{ run }}/steps/{{ step | pad(4) }}/{{ name }}/out.txt")
PATH = "r1/steps/0010/raw/out.txt"


def only(*names):
    return sorted(names), False


class TestLevels:
    """What is bound is joined; only what is not bound is listed."""

    def test_literals_are_joined(self):
        """A segment without a field is never listed."""
        assert levels(guide_of(DEEP), PATH) == ["listed", only("steps"), "listed", "listed", only("out.txt")]

    def test_values_are_joined(self):
        """A segment whose fields are bound has the names that rendering gives them."""
        guide = guide_of(DEEP, run="r1", step=10)
        assert levels(guide, PATH) == [only("r1"), only("steps"), only("0010"), "listed", only("out.txt")]
        guide = guide_of(DEEP, run="r1", step=10, name="raw")
        assert levels(guide, PATH) == [only("r1"), only("steps"), only("0010"), only("raw"), only("out.txt")]

    def test_several_values_are_joined(self):
        """Several values are several names, and an artifact that is not asked for has none."""
        guide = guide_of(DEEP, run=["r2", "r1"], step={10, 2000, 30000})
        assert levels(guide, PATH)[:3] == [only("r1", "r2"), only("steps"), only("0010", "2000", "30000")]
        assert walked(guide, "r3") is None
        assert walked(guide, "r1/steps/10") is None
        assert walked(guide, "r1/steps/00010") is None

    def test_text_around_a_value(self):
        """The names have the texts beside the field, and the filter that the value is written through."""
        layout = files(a="run-{{ run }}.d/{{ day | date('%Y%m%d') }}/{{ any | quote }}/x")
        guide = guide_of(layout, run="r1", day=datetime.date(2026, 1, 2), any="a b/c")
        assert levels(guide, "run-r1.d/20260102/a%20b%2Fc/x") == [
            *(only("run-r1.d"), only("20260102"), only("a%20b%2Fc"), only("x"))
        ]

    @pytest.mark.parametrize(
        ("given", "inside", "outside"),
        [
            (range(10, 1000, 10), ["0010", "0990"], ["0000", "0011", "1000", "10"]),
            (slice(10, 1000), ["0010", "0011", "0999"], ["0009", "1000", "999", "00999"]),
            (slice(None, 10), ["0000", "0009"], ["0010", "10000"]),
            (lambda step: step % 7 == 3, ["0003", "0010", "10013"], ["0000", "0011", "x"]),
            (slice(None), ["0000", "12345"], ["01", "-001", "raw", "0", "012345"]),
        ],
    )
    def test_ranges_prune(self, given, inside, outside):
        """A range, a slice or a predicate is listed, and passes only names whose value is in it."""
        guide = guide_of(DEEP, run="r1", step=given)
        assert levels(guide, f"r1/steps/{inside[0]}/raw/out.txt")[2] == "listed"
        assert [walked(guide, f"r1/steps/{name}") is not None for name in (*inside, *outside)] == [
            *([True] * len(inside)),
            *([False] * len(outside)),
        ]

    def test_names_that_are_no_values(self):
        """A name that rendering does not give is passed by, without any filter."""
        guide = guide_of(DEEP)
        assert walked(guide, "r1/steps/0010/raw/out.txt").ends == {"file"}
        for path in (".hidden", "a b", "r1/step", "r1/steps/10", "r1/steps/x", "r1/steps/0010/raw/out.txt/x", "\udcff"):
            assert walked(guide, path) is None

    def test_very_many_values_are_listed(self):
        """More names than anybody would join are listed, and still only those that are asked for pass."""
        layout = files(a="{{ step }}/x", b="{{ step }}-{{ color }}/x")
        guide = guide_of(layout, "a", step=[*range(MAX_NAMES)])
        assert len(guide.start.names) == MAX_NAMES
        assert not guide.start.must_list
        guide = guide_of(layout, "a", step=[*range(MAX_NAMES + 1)])
        assert guide.start.must_list
        assert guide.start.names == ()
        assert accepted(guide, "0/x", f"{MAX_NAMES}/x", f"{MAX_NAMES + 1}/x") == ["0/x", f"{MAX_NAMES}/x"]
        guide = guide_of(layout, "b", step=[*range(MAX_NAMES // 2 + 1)], color=["red", "green"])
        assert guide.start.must_list
        assert accepted(guide, "7-red/x", f"{MAX_NAMES}-red/x", "7-blue/x") == ["7-red/x"]

    def test_no_value_leads_nowhere(self):
        """Where nothing can be asked for, no folder is worth a look."""
        for filters in ({"run": []}, {"run": "r1", "step": []}):
            guide = guide_of(DEEP, **filters)
            assert guide.ways == []
            assert not guide.start.leads_on
            assert guide.start.step("r1") is None


class TestSeveralSlots:
    def test_all_bound(self):
        """Several fields in a segment make together the names to join."""
        layout = files(a="{{ run }}-{{ step | pad(3) }}/x")
        guide = guide_of(layout, run=["a", "b"], step=[1, 20])
        assert levels(guide, "a-001/x")[0] == only("a-001", "a-020", "b-001", "b-020")

    def test_one_bound(self):
        """A segment is listed where one of its fields is not bound, and must have the value of the other."""
        layout = files(a="{{ run }}-{{ step | pad(3) }}/x")
        guide = guide_of(layout, run="a")
        assert levels(guide, "a-001/x")[0] == "listed"
        assert accepted(guide, "a-001/x", "a-1000/x", "b-001/x", "a-1/x", "a-/x", "a/x") == ["a-001/x", "a-1000/x"]
        guide = guide_of(layout, step=slice(10, 20))
        assert accepted(guide, "a-010/x", "b-019/x", "b-020/x", "b-c-011/x") == ["a-010/x", "b-019/x", "b-c-011/x"]

    def test_every_split_counts(self):
        """A name that can be split in several ways passes if one of them is asked for."""
        layout = layout_of(
            "files: {a: {path: '{{ run }}-{{ name }}/x'}}\n"
            "allow: [{rule: ambiguous-template, kinds: [a], because: it is tested}]"
        )
        assert accepted(guide_of(layout, run="p"), "p-q-r/x", "q-p-r/x") == ["p-q-r/x"]
        assert accepted(guide_of(layout, run="p-q"), "p-q-r/x", "q-p-r/x") == ["p-q-r/x"]
        assert accepted(guide_of(layout, name="r"), "p-q-r/x", "q-p-r/x", "p-r-q/x") == ["p-q-r/x", "q-p-r/x"]

    def test_too_many_splits(self):
        """A name with more splits than anybody would try is worth a look."""
        layout = layout_of(
            "files: {a: {path: '{{ run }}-{{ name }}-{{ any | quote }}-{{ step }}-{{ color }}/x'}}\n"
            "allow: [{rule: ambiguous-template, kinds: [a], because: it is tested}]"
        )
        guide = guide_of(layout, run=lambda run: run.endswith("y"))
        few, many = ("-".join(["x"] * count + ["1", "red"]) for count in (5, 160))
        assert walked(guide, few) is None
        assert walked(guide, few.replace("x-x-x", "x-y-x")) is not None
        assert walked(guide, many) is not None


class TestRepeated:
    """A field may stand several times in a path."""

    def test_in_a_segment(self):
        """A field that stands twice in a segment is joined when it is bound."""
        guide = guide_of(files(a="{{ run }}_{{ run }}.d/x"), run=["a", "b"])
        assert accepted(guide, "a_a.d/x", "b_b.d/x") == ["a_a.d/x", "b_b.d/x"]
        assert not guide.start.must_list

    def test_in_two_segments(self):
        """A field that stands in two segments prunes at both."""
        layout = files(a="{{ step }}/{{ run }}/{{ step | pad(4) }}.txt")
        guide = guide_of(layout, step=[5, 10])
        assert levels(guide, "5/r1/0005.txt") == [only("10", "5"), "listed", only("0005.txt", "0010.txt")]
        guide = guide_of(layout, step=slice(5, 10))
        assert accepted(guide, "5/r1/0005.txt", "4/r1/0005.txt", "5/r1/0010.txt") == ["5/r1/0005.txt"]


CONDITIONAL = files(
    best="{{ run }}/best{% if name is defined %}/named/{{ name }}{% else %}/all{% endif %}/x",
    color="{{ run }}/{% if step == 0 %}first{% else %}steps/{{ step }}{% endif %}/y",
)


class TestConditions:
    """Of each form that a template can have, only what can be asked for is looked at."""

    def test_open(self):
        """Without a filter, all forms are possible."""
        guide = guide_of(CONDITIONAL, "best", run="r1")
        assert accepted(guide, "r1/best/named/n/x", "r1/best/all/x") == ["r1/best/named/n/x", "r1/best/all/x"]
        assert sorted(walked(guide, "r1/best").names) == ["all", "named"]

    def test_given(self):
        """Where the field has a value, the form without it is not looked at."""
        for given_name in ("n", ["n"], ["n", "m"], lambda _: True):
            guide = guide_of(CONDITIONAL, "best", run="r1", name=given_name)
            assert accepted(guide, "r1/best/named/n/x", "r1/best/all/x") == ["r1/best/named/n/x"]
            assert [*walked(guide, "r1/best").names] == ["named"]

    def test_absent(self):
        """Where the field is to be absent, the form with it is not looked at."""
        guide = guide_of(CONDITIONAL, "best", run="r1", name=None)
        assert accepted(guide, "r1/best/named/n/x", "r1/best/all/x") == ["r1/best/all/x"]
        assert [*walked(guide, "r1/best").names] == ["all"]

    def test_either(self):
        """A value or none: both forms are looked at, and only that value."""
        guide = guide_of(CONDITIONAL, "best", run="r1", name=[None, "n"])
        paths = ["r1/best/named/n/x", "r1/best/all/x", "r1/best/named/m/x"]
        assert accepted(guide, *paths) == paths[:2]
        assert levels(guide, paths[0])[3] == only("n")

    def test_equal(self):
        """A form that fixes a value is looked at if that value is asked for."""
        paths = ["r1/first/y", "r1/steps/5/y"]
        assert accepted(guide_of(CONDITIONAL, "color"), *paths) == paths
        assert accepted(guide_of(CONDITIONAL, "color", step=0), *paths) == paths[:1]
        assert accepted(guide_of(CONDITIONAL, "color", step=5), *paths) == paths[1:]
        assert accepted(guide_of(CONDITIONAL, "color", step=range(1, 9)), *paths) == paths[1:]
        assert accepted(guide_of(CONDITIONAL, "color", step=slice(1)), *paths) == paths[:1]
        assert accepted(guide_of(CONDITIONAL, "color", step=[0, 5]), *paths) == paths

    def test_truth_values(self):
        """A condition on a truth value leaves one form for each."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {done: {type: bool}}\n"
            "files: {a: {path: '{% if done == True %}yes{% else %}no{% endif %}/x'}}"
        )
        assert accepted(guide_of(layout, done=True), "yes/x", "no/x") == ["yes/x"]
        assert accepted(guide_of(layout, done=False), "yes/x", "no/x") == ["no/x"]


FREE = layout_of("""\
containers:
  box: {path: "{{ run }}/box.zarr"}
arrays:
  image: {container: box, path: "{{ where }}"}
groups:
  part: {container: box, path: "parts/{{ name }}"}
files:
  page: {path: "pages/{{ where }}/{{ step }}.txt"}
allow:
  - {rule: nested-kinds, kinds: [image], because: it is tested}
  - {rule: overlapping-kinds, kinds: [image, part], because: it is tested}
  - {rule: nested-kinds, kinds: [image, part], because: it is tested}
""")


class TestFree:
    """From a field of several segments on, everything may be wanted, unless its value is bound."""

    def test_unbound(self):
        """Behind an unbound field of several segments, every name leads on."""
        guide = guide_of(FREE, "image", run="r1")
        for path in ("r1/box.zarr/a", "r1/box.zarr/a/b/c", "r1/box.zarr/.hidden/b"):
            place = walked(guide, path)
            assert place.is_free
            assert place.must_list
            assert place.ends == {"array"}
        assert walked(guide, "r2") is None
        assert not walked(guide, "r1").is_free

    def test_bound(self):
        """A bound field of several segments is joined, segment by segment."""
        guide = guide_of(FREE, "image", run="r1", where=["a/b/c", "a/d", "e"])
        assert levels(guide, "r1/box.zarr/a/b/c") == [
            *(only("r1"), only("box.zarr"), only("a", "e"), only("b", "d"), only("c"))
        ]
        ends = {path: walked(guide, f"r1/box.zarr/{path}").ends for path in ("a", "a/b", "a/b/c", "a/d", "e")}
        assert ends == {"a": set(), "a/b": set(), "a/b/c": {"array"}, "a/d": {"array"}, "e": {"array"}}
        assert walked(guide, "r1/box.zarr/a/c") is None

    def test_one_value_inside_another(self):
        """A value may lead through another one."""
        guide = guide_of(FREE, "image", run="r1", where=["a", "a/b"])
        place = walked(guide, "r1/box.zarr/a")
        assert place.ends == {"array"}
        assert [*place.names] == ["b"]
        assert place.step("b").ends == {"array"}

    def test_segments_behind(self):
        """What stands behind a bound field of several segments is looked at by its own filter."""
        guide = guide_of(FREE, "page", where="a/b", step=slice(10, 20))
        assert accepted(guide, "pages/a/b/10.txt", "pages/a/b/20.txt", "pages/a/10.txt") == ["pages/a/b/10.txt"]
        assert not any(way.is_free for way in guide.ways)

    def test_a_range_of_paths(self):
        """A predicate of a field of several segments leaves its way free."""
        guide = guide_of(FREE, "image", run="r1", where=lambda where: where.startswith("a"))
        assert walked(guide, "r1/box.zarr/b/c").is_free

    def test_two_fields(self):
        """With two fields of several segments, a way is free from the first unbound one on."""
        layout = layout_of(
            "files: {a: {path: '{{ where }}/x/{{ then }}'}}\n"
            "allow:\n- {rule: ambiguous-template, kinds: [a], because: it is tested}\n"
            "- {rule: nested-kinds, kinds: [a], because: it is tested}\n"
        )
        guide = guide_of(layout, where="p/q")
        assert walked(guide, "p/q/x/any/thing").is_free
        assert walked(guide, "p/x") is None
        assert walked(guide_of(layout, then="p/q"), "any/thing").is_free
        guide = guide_of(layout, where="p", then="q/r")
        assert accepted(guide, "p/x/q/r", "p/x/q", "p/x/q/s") == ["p/x/q/r"]

    def test_kinds_beside(self):
        """A way that is not free keeps its own names and ends beside one that is."""
        guide = guide_of(FREE, run="r1")
        place = walked(guide, "r1/box.zarr/parts")
        assert place.is_free
        assert place.ends == {"array"}
        assert place.step("p").ends == {"array", "group"}
        assert walked(guide, "r1/box.zarr").ends >= {"container"}


class TestSharedWalk:
    """Several kinds are one walk."""

    def test_shared_folders(self):
        """Kinds that begin alike stand at the same places, until they part."""
        layout = Layout.load("training")
        guide = guide_of(layout, run="r1", iteration=1000)
        place = walked(guide, "r1/validation.zarr/iterations/00001000/ds")
        assert place.kinds == ["validation_output", "validation_prediction"]
        assert sorted(place.names) == ["outputs", "prediction"]
        assert place.step("prediction").kinds == ["validation_prediction"]
        assert place.step("prediction").ends == {"array"}
        assert not place.step("prediction").leads_on
        assert guide.start.step("r1") is guide.start.step("r1")

    def test_equal_steps_are_listed_once(self):
        """Kinds with the same field at the same place lead to one place behind a name."""
        layout = files(a="{{ run }}/a", b="{{ run }}/b", c="{{ run }}/b/c")
        guide = guide_of(layout, ["a", "b"])
        assert sorted(guide.start.step("r1").names) == ["a", "b"]
        assert guide.start.step("r1") is guide.start.step("r2")

    def test_joined_and_listed(self):
        """Where one kind is joined and another listed, a name leads to both."""
        layout = files(a="{{ run }}/x", b="best/{{ name }}")
        guide = guide_of(layout)
        assert guide.start.names == ("best",)
        assert guide.start.must_list
        assert walked(guide, "best").kinds == ["a", "b"]
        assert walked(guide, "best/x").kinds == ["a", "b"]
        assert walked(guide, "r1").kinds == ["a"]
        assert walked(guide, "best/y").kinds == ["b"]

    def test_ends(self):
        """A place has the sorts of all kinds that may be there."""
        layout = Layout.load("training")
        guide = guide_of(layout)
        place = walked(guide, "r1/validation.zarr")
        assert place.ends == {"container"}
        assert (place.has_files, place.has_nodes, place.leads_on) == (False, True, True)
        place = walked(guide_of(files(a="{{ run }}/x")), "r1/x")
        assert (place.has_files, place.has_nodes, place.leads_on) == (True, False, False)


class TestLevel:
    """The segment below which all paths have one value of a field."""

    @pytest.mark.parametrize(
        ("kinds", "name", "level"),
        [
            (None, "run", 0),
            (None, "iteration", None),
            (["validation_prediction", "validation_output"], "iteration", 3),
            ("validation_output", "dataset", 4),
            ("validation_output", "parameters", 6),
            ("best_validation", "criterion", 3),
            ("best_validation", "index", None),
        ],
    )
    def test_training(self, kinds, name, level):
        """A field has a level where every way has it alone in the same segment."""
        assert guide_of(Layout.load("training"), kinds).level(name) == level

    def test_none(self):
        """A field that shares its segment, that is in a free way or that nothing can have, has none."""
        layout = files(a="{{ run }}-{{ step | pad(3) }}/x", b="p-{{ name }}/x", c="q/{{ where }}/x")
        assert guide_of(layout, "a").level("run") is None
        assert guide_of(files(a="{{ run }}/x", b="{{ name }}/y")).level("run") is None
        assert guide_of(files(a="{{ run }}/x", b="p/{{ run }}/y")).level("run") is None
        assert guide_of(layout, "b").level("name") == 0
        assert guide_of(layout, "c").level("where") is None
        assert guide_of(layout, "b", name=[]).level("name") is None

    def test_repeated(self):
        """Of a field that stands twice, the first segment decides."""
        assert guide_of(files(a="x/{{ run }}/{{ run }}/y")).level("run") == 1

    def test_values(self):
        """A place reads the values of names, where a segment has that field alone."""
        place = walked(guide_of(files(a="{{ run }}/s-{{ step | pad(3) }}/x", b="{{ run }}/{{ name }}/y")), "r1")
        assert place.values(["s-010", "s-9", "other", "s-2000"], "step") == {"s-010": 10, "s-2000": 2000}
        assert place.values(["s-010", ".x"], "name") == {"s-010": "s-010"}
        assert place.values(["s-010"], "run") == {}


class TestDescribed:
    def test_ways(self):
        """A way says of each of its segments how one gets past it, and what is asked of it."""
        guide = guide_of(DEEP, run=["r1", "r2"], step=slice(10, None))
        wanted = select(DEEP, None, {"run": ["r1", "r2"], "step": slice(10, None)}).wanted
        assert [[*way.described(wanted)] for way in guide.ways] == [
            [
                ("{run}", "joined: run = 'r1' or 'r2'"),
                ("steps", "joined"),
                ("{step}", "listed: step from 10"),
                ("{name}", "listed"),
                ("out.txt", "joined"),
            ]
        ]

    def test_free(self):
        """A free way says that everything below is listed."""
        guide = guide_of(FREE, "image")
        assert [*guide.ways[0].described({})] == [
            *(("{run}", "listed"), ("box.zarr", "joined"), ("...", "everything below is listed"))
        ]


# --- never missing anything ------------------------------------------------------------------------------------------


@st.composite
def filters_for(draw, kind, key):
    """Filters of some fields of a kind that a key passes, in every form."""
    filters = {}
    for name, field in kind.fields.items():
        value = key.values.get(name)
        forms = ["none", "value", "list", "predicate"]
        if value is not None and field.type in {"int", "float", "date", "datetime"}:
            forms += ["slice", "open"]
        if value is not None and field.type == "int":
            forms.append("range")
        filters[name] = {
            "none": None,
            "value": value,
            "list": [value, None] if draw(st.booleans()) else [None, value, value],
            "predicate": (lambda given, value=value: given == value) if value is not None else [None],
            "slice": slice(value, None),
            "open": slice(None),
            "range": range(value, value + 1) if isinstance(value, int) else None,
        }[form := draw(st.sampled_from(forms))]
        if form == "none":
            del filters[name]
    return filters


def check_never_misses(layout, guide, selection, path, key):
    place = guide.start
    for name in path.split("/"):
        assert place.leads_on
        assert name in place.names or place.must_list
        place = place.step(name)
        assert place is not None
    assert layout.kind(key.kind).sort in place.ends
    assert selection.admits(key)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(data=st.data())
def test_nothing_is_missed(family, data):
    """Of every artifact that a selection admits, each prefix of its path is worth a look, and its sort is expected."""
    letters, text = data.draw(small_layouts(family))
    try:
        layout = Layout.parse(text)
    except LayoutError:
        assume(False)  # noqa: FBT003 - how Hypothesis spells it
    keys = [one for kind in layout.kinds.values() for one in enumerated_keys(kind, letters)]
    assume(keys)
    _, asked = data.draw(st.sampled_from(keys))
    filters = data.draw(filters_for(layout.kind(asked.kind), asked))
    kinds = data.draw(st.sampled_from([asked.kind, None]))
    selection = select(layout, kinds, filters)
    guide = Guide(selection)
    admitted = [(path, key) for path, key in keys if selection.admits(key)]
    assert asked in [key for _, key in admitted]
    event(f"filters: {len(filters)}")
    for path, key in admitted:
        check_never_misses(layout, guide, selection, path, key)
