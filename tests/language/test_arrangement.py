"""Arrangements: what a layout's arrays are looked at by, said by its view or told by its fields and templates."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st
from tests.property.random_layouts import layout_texts

from zarrange import Layout, LayoutError
from zarrange.language.arrangement import Arrangement, Panel, arrangement
from zarrange.language.shipped import shipped_layouts

FIELDS = {
    "run": "{type: str}",
    "place": "{type: path}",
    "n": "{type: int}",
    "m": "{type: int}",
    "day": "{type: date}",
    "time": "{type: datetime}",
    "x": "{type: float}",
    "flag": "{type: bool}",
}


def made(*paths, view="{}", fields=FIELDS, container="box.zarr"):
    """A layout with an array for each path, `a`, `b` and so on."""
    declared = "".join(f"  {name}: {spec}\n" for name, spec in fields.items())
    arrays = "".join(
        f"  {name}: {{container: box, path: {json.dumps(path)}}}\n" for name, path in zip("abcd", paths, strict=False)
    )
    text = f"zarrange: 1\nfields:\n{declared}containers: {{box: {{path: {json.dumps(container)}}}}}\n"
    return Layout.parse(
        f"{text}arrays:\n{arrays}view: {view}\n" if paths else f"{text}view: {view}\n", file="small.yaml"
    )


def panel(kind, *choices, has_slider=False, over=None):
    return Panel(kind, choices, has_slider, over)


def roles(*paths, **options):
    found = arrangement(made(*paths, **options))
    return found.by, found.slider


class TestWithoutAView:
    """What a layout does not say of its view is told by its fields and templates, by no name."""

    def test_the_whole(self):
        """Runs are told by the field that all share, the number is slid through, the others are chosen."""
        layout = made("raw", "{{ n }}/{{ x }}", "{{ n }}/gt/{{ flag }}", container="{{ run }}.zarr")
        assert arrangement(layout) == Arrangement(
            "small",
            "run",
            "n",
            ("x", "flag"),
            (panel("a"), panel("b", "x", has_slider=True), panel("c", "flag", has_slider=True)),
        )

    def test_a_layout_without_arrays(self):
        """Where there are no arrays there is nothing to tell, to slide through or to choose."""
        assert arrangement(made()) == Arrangement("small", None, None, (), ())

    def test_runs_are_told_by_what_all_arrays_share(self):
        """A field that one array does not have tells no runs."""
        assert roles("{{ run }}/a/{{ n }}", "b/{{ n }}") == (None, "n")
        assert roles("{{ run }}/a", "b/{{ run }}/{{ x }}") == ("run", None)

    def test_the_first_of_the_path_goes_before(self):
        """Of several names that all share, the one that stands first in the paths tells runs."""
        assert roles("{{ place }}/in/{{ run }}", "{{ run }}/of/{{ place }}")[0] == "place"
        assert roles("{{ run }}/of/{{ place }}")[0] == "run"

    def test_a_name_goes_before_a_number(self):
        """A name tells runs rather than a number or a day that stands before it."""
        assert roles("{{ n }}/{{ day }}/{{ run }}") == ("run", "n")
        assert roles("{{ x }}/{{ n }}") == ("x", "n")

    def test_a_lone_number_is_slid_through(self):
        """What all share is rather slid through than telling runs, where nothing else could be."""
        assert roles("{{ n }}") == (None, "n")
        assert roles("{{ n }}/{{ x }}") == ("x", "n")
        assert roles("{{ n }}/{{ m }}") == ("n", "m")

    def test_the_slider_is_what_most_arrays_have(self):
        """The number that most arrays have is slid through; of two alike the one that is declared first."""
        assert roles("{{ run }}/{{ n }}/{{ m }}", "{{ run }}/{{ m }}")[1] == "m"
        assert roles("{{ run }}/{{ m }}/{{ n }}", "{{ run }}/x/{{ m }}/{{ n }}")[1] == "n"

    def test_a_number_goes_before_a_day(self):
        """A day is slid through where there is no number."""
        assert roles("{{ run }}/{{ day }}/{{ n }}", "{{ run }}/{{ day }}")[1] == "n"
        assert roles("{{ run }}/{{ day }}")[1] == "day"
        assert roles("{{ run }}/{{ time | date('%Y%m%d') }}")[1] == "time"

    @pytest.mark.parametrize("path", ["{{ x }}", "{{ flag }}", "{{ place }}"])
    def test_nothing_else_is_slid_through(self, path):
        """A fraction, a yes or no, and a name have no slider."""
        assert roles(f"{{{{ run }}}}/{path}", f"{{{{ run }}}}/more/{path}") == ("run", None)

    def test_optional_fields_count(self):
        """A field that may be left out is one of the array's."""
        layout = made("{{ run }}/{% if n is defined %}{{ n }}{% else %}all{% endif %}")
        assert arrangement(layout).panels == (panel("a", has_slider=True),)


class TestTheView:
    """What the view says is so; what it leaves open is told as without it."""

    PATHS = ("{{ run }}/raw", "{{ run }}/gt/{{ n }}", "{{ run }}/{{ n }}/{{ m }}")

    def test_everything_said(self):
        """Title, fields, the order of panels and overlays are what the view says."""
        view = "{title: Look here, by: m, slider: n, panels: [c, a], overlays: {b: a, c: b}}"
        assert arrangement(made(*self.PATHS, view=view)) == Arrangement(
            "Look here",
            "m",
            "n",
            ("run",),
            (
                panel("c", "run", has_slider=True, over="b"),
                panel("a", "run"),
                panel("b", "run", has_slider=True, over="a"),
            ),
        )

    @pytest.mark.parametrize("view", ["{}", "{title: ''}", "{title: '  '}", "{title: null}"])
    def test_a_blank_title_is_none(self, view):
        """Without a title the pages are headed by the layout's name."""
        assert arrangement(made(*self.PATHS, view=view)).title == "small"

    def test_one_field_is_said(self):
        """The field that is said has one use alone: the other one is found among the rest."""
        assert roles(*self.PATHS, view="{slider: m}") == ("run", "m")
        assert roles("{{ n }}/{{ m }}", view="{slider: n}") == ("m", "n")
        assert roles("{{ n }}/{{ m }}", view="{by: m}") == ("m", "n")
        assert roles("{{ n }}", view="{by: n}") == ("n", None)
        assert roles("{{ n }}", view="{slider: n}") == (None, "n")

    def test_a_field_of_no_array(self):
        """A field that no array has is what the view says, and no panel has it."""
        found = arrangement(made("{{ run }}/raw", view="{slider: n}"))
        assert (found.slider, found.panels) == ("n", (panel("a"),))

    def test_it_is_hashable_and_frozen(self):
        """An arrangement is plain data that can be kept and compared."""
        found = arrangement(made(*self.PATHS))
        assert {found: 1}[arrangement(made(*self.PATHS))] == 1
        with pytest.raises(AttributeError):
            found.title = "Other"


def names_only_what_is_there(layout):
    found = arrangement(layout)
    arrays = {name: set(kind.fields) for name, kind in layout.kinds.items() if kind.sort == "array"}
    assert sorted(one.kind for one in found.panels) == sorted(arrays)
    assert {found.by, found.slider} <= {None, *layout.fields}
    assert found.by is None or found.by != found.slider
    assert set(found.choices) == set().union(*arrays.values()) - {found.by, found.slider}
    for one in found.panels:
        assert set(one.choices) == arrays[one.kind] - {found.by, found.slider}
        assert len(set(one.choices)) == len(one.choices)
        assert one.has_slider == (found.slider in arrays[one.kind])
        assert one.over is None or (one.over in arrays and one.over != one.kind)
    return found


@st.composite
def viewed_layouts(draw):
    """The text of a layout of arrays with some of the fields, and a view that may or may not fit."""
    slots = [f"{{{{ {name} }}}}" if name != "time" else "{{ time | date('%Y%m%dT%H%M%S%f') }}" for name in FIELDS]
    paths = [["lit" + name, *draw(st.lists(st.sampled_from(slots), unique=True, max_size=4))] for name in "abcd"]
    arrays = {name: {"container": "box", "path": "/".join(path)} for name, path in zip("abcd", paths, strict=True)}
    fields, kinds = st.sampled_from([*FIELDS, "none_such"]), st.sampled_from(["a", "b", "c", "d", "box"])
    view = st.fixed_dictionaries(
        {},
        optional={
            "title": st.text("ab \t", max_size=3),
            "by": fields,
            "slider": fields,
            "panels": st.lists(kinds, max_size=4),
            "overlays": st.dictionaries(kinds, kinds, max_size=3),
        },
    )
    head = "zarrange: 1\nfields:\n" + "".join(f"  {name}: {spec}\n" for name, spec in FIELDS.items())
    return (
        f"{head}containers: {{box: {{path: box.zarr}}}}\narrays: {json.dumps(arrays)}\nview: {json.dumps(draw(view))}\n"
    )


class TestWhateverLoadsHasAnArrangement:
    """Every layout has an arrangement, and it names only what the layout has."""

    @pytest.mark.parametrize("name", shipped_layouts())
    def test_shipped_layouts(self, name):
        """A shipped layout has one, with runs and a slider."""
        found = names_only_what_is_there(Layout.load(name))
        assert found.by is not None
        assert found.slider is not None

    @given(viewed_layouts())
    @settings(max_examples=300, deadline=None)
    def test_of_random_views(self, text):
        """A view is refused by what is wrong with it, or its arrangement names only what is there, without circles."""
        try:
            layout = Layout.parse(text)
        except LayoutError as error:
            rules = {one.rule for one in error.diagnostics}
            assert rules <= {"unknown-field", "unknown-kind", "wrong-type", "contradictory-view"}
            return
        found = names_only_what_is_there(layout)
        over = {one.kind: one.over for one in found.panels}
        for kind in over:
            below = [kind]
            while over[below[-1]] is not None:
                below.append(over[below[-1]])
                assert len(below) <= len(over)

    @given(layout_texts())
    @settings(max_examples=50, deadline=None)
    def test_of_random_templates(self, text):
        """A layout of random templates that loads has one."""
        try:
            layout = Layout.parse(text)
        except LayoutError:
            return
        assert names_only_what_is_there(layout).title == layout.name
