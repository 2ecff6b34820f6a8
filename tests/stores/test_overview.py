"""Overviews of stores: what they count, and what they say of what they could not."""

from __future__ import annotations

import os
import tracemalloc
from datetime import date
from pathlib import Path

import pytest
from tests.stores.handwritten import Tree

from zarrange import Key, Layout
from zarrange.errors import UnreadableError
from zarrange.stores.backend import Found
from zarrange.stores.entries import Entry, Unreadable
from zarrange.stores.metadata import Node
from zarrange.stores.overview import Overview, overview
from zarrange.stores.overview.folds import Values

MIXED = """
zarrange: 1
name: mixed
fields:
  run: {type: str}
  step: {type: int, min: 0}
  day: {type: date}
containers:
  box: {path: "{{ run }}/box.zarr"}
arrays:
  image: {container: box, path: "{% if step is defined %}steps/{{ step }}{% else %}all{% endif %}"}
files:
  note: {path: "{{ run }}/{{ day }}.txt"}
  index: {path: "index.json"}
"""


@pytest.fixture(scope="module")
def training():
    return Layout.load("training")


@pytest.fixture
def tree(tmp_path, training):
    return Tree(tmp_path, training)


@pytest.fixture
def mixed(tmp_path):
    return Tree(tmp_path, Layout.parse(MIXED))


def seen(tree, **options) -> Overview:
    return overview(tree.results(), tree.layout, **options)


def fields(line):
    return {values.field: str(values) for values in line.fields}


class TestGroups:
    def test_artifacts_are_counted_by_run_and_kind(self, tree):
        """Each run has a line for each kind that it has something of, in the order of the layout."""
        for run, iterations in (("r2", 1), ("r1", 3)):
            for iteration in range(iterations):
                tree.add("validation_prediction", (4, 5), run=run, iteration=iteration, dataset="a")
        found = seen(tree)
        assert [group.value for group in found.groups] == ["r1", "r2"]
        assert [(line.kind, line.sort, line.count) for line in found.groups[0].lines] == [
            ("validation", "container", 1),
            ("validation_prediction", "array", 3),
        ]
        assert [group.count for group in (*found.groups, found.total)] == [4, 2, 6]
        assert found.by == Values("run", 2, ("r1", "r2"))

    def test_the_field_of_the_groups_is_not_repeated(self, tree):
        """A run's lines tell all fields but the run; the lines of everything tell that too."""
        tree.add("validation_raw", (2,), run="r1")
        found = seen(tree)
        assert fields(found.groups[0].lines[1]) == {"index": "none"}
        assert fields(found.total.lines[1]) == {"run": "r1", "index": "none"}

    @pytest.mark.parametrize(
        ("name", "field"), [("training", "run"), ("cellmap", "dataset"), ("ome-zarr-plate", "plate"), ("dacapo", "run")]
    )
    def test_groups_are_of_the_first_field_that_all_kinds_share(self, name, field):
        """The groups of each shipped layout are what its paths begin with."""
        by = overview([], Layout.load(name)).by
        assert by is not None
        assert by.field == field

    def test_kinds_without_fields_stand_apart(self, mixed):
        """A kind that has no fields at all does not keep the others from being grouped."""
        mixed.add("note", run="r1", day=date(2026, 1, 31))
        mixed.add("index")
        found = seen(mixed)
        assert [(group.value, [line.kind for line in group.lines]) for group in found.groups] == [
            (None, ["index"]),
            ("r1", ["note"]),
        ]

    def test_a_layout_without_a_shared_field_has_one_group(self, tmp_path):
        """Where no field is shared by all kinds, one group has everything."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {a: {type: int}, b: {type: int}}\n"
            'files: {one: {path: "one/{{ a }}"}, two: {path: "two/{{ b }}"}}\n'
        )
        tree = Tree(tmp_path, layout)
        tree.add("one", a=1)
        tree.add("two", b=2)
        found = seen(tree)
        assert found.by is None
        assert [(group.value, group.count) for group in found.groups] == [(None, 2)]
        assert found.summary == "2 artifacts"

    def test_an_empty_store_has_no_groups(self, tree):
        """Of nothing there are no lines, and the summary says that it is nothing."""
        found = seen(tree)
        assert found.groups == found.total.lines == ()
        assert found.summary == "nothing was found"

    def test_of_very_many_runs_the_first_ones_are_given(self, tree):
        """Further runs are counted, and in the lines of everything; whoever wants all of them gets them."""
        for number in range(7):
            tree.add("validation", run=f"r{number}")
        found = seen(tree, most=5)
        assert [group.value for group in found.groups] == ["r0", "r1", "r2", "r3", "r4"]
        assert (found.omitted, found.further, found.counted) == (2, "2 more runs", "7 runs")
        assert [(line.kind, line.count, fields(line)) for line in found.total.lines] == [
            ("validation", 7, {"run": "r0, r1, r2, … (7)"})
        ]
        everything = seen(tree, most=None)
        assert (len(everything.groups), everything.omitted) == (7, 0)

    def test_runs_that_have_the_same_are_told(self, tree):
        """A run that has the same as an earlier one, but for the bytes that were measured, is named with it."""
        for run, dataset in (("r1", "a"), ("r2", "b"), ("r3", "a")):
            tree.add("validation_prediction", (4,), run=run, iteration=1, dataset=dataset)
        Path(tree.root, "r3/validation.zarr/iterations/00000001/a/prediction/c").write_bytes(b"chunk")
        named = [(name, like) for _, name, like in seen(tree, size=tree.size).named()]
        assert named == [("r1", None), ("r2", None), ("r3", "r1")]


class TestMetadata:
    def test_shapes_types_and_formats(self, tree):
        """What all arrays of a line have is told once; what differs is counted."""
        tree.add("validation_raw", (4, 5), "float32", run="r1", index="a")
        tree.add("validation_raw", (4, 5), "float32", run="r1", index="b")
        assert seen(tree).groups[0].lines[1].about == "4x5 float32"
        tree.add("validation_raw", (4, 6), "uint8", run="r1", index="c")
        assert seen(tree).groups[0].lines[1].about == "2 shapes float32, uint8"
        tree.add("validation_raw", (4, 6), "<i8", old=True, run="r1", index="d")
        tree.add("validation_raw", (4, 6), "bool", run="r1", index="e")
        assert seen(tree).groups[0].lines[1].about == "2 shapes 4 dtypes, zarr 2 and 3"

    def test_bytes_are_those_of_all_elements(self, tree):
        """The uncompressed bytes of a line are those of its arrays, with chunks or without."""
        tree.add("validation_raw", (1024, 4), "float32", run="r1", index="a")
        tree.add("validation_raw", (1024, 4), "uint8", run="r1", index="b")
        line = seen(tree).groups[0].lines[1]
        assert (line.nbytes, line.sizes) == (20480, ("20.0 KiB", ""))

    def test_unknown_sizes_are_told(self, tree):
        """An array whose elements have no known size makes a sum a lower bound, and says so."""
        text = {"name": "fixed_length_utf32", "configuration": {"length_bytes": 40}}
        tree.add("validation_raw", (4,), text, run="r1", index="a")
        assert seen(tree).groups[0].sizes == ("?", "")
        tree.add("validation_raw", (4,), run="r1", index="b")
        assert seen(tree).groups[0].sizes == ("> 16 B", "")
        assert seen(tree).summary == "1 run, 3 artifacts, 16 B uncompressed, 1 array of unknown size"

    def test_measured_bytes(self, mixed):
        """Arrays and files are measured if asked for; a container is not, for what is in it is."""
        mixed.add("image", (4,), run="r1", step=1)
        mixed.add("note", run="r1", day=date(2026, 1, 31))
        (group,) = seen(mixed, size=mixed.size).groups
        array = os.path.getsize(f"{mixed.root}/r1/box.zarr/steps/1/zarr.json")
        assert [(line.kind, line.stored) for line in group.lines] == [("box", None), ("image", array), ("note", 5)]
        assert group.stored == array + 5
        assert seen(mixed).groups[0].stored is None

    def test_absent_fields(self, mixed):
        """A field that some artifacts do not have says how many."""
        for step in (1, 2, None):
            mixed.add("image", run="r1", step=step)
        assert fields(seen(mixed).groups[0].lines[1]) == {"step": "1, 2 (1 without)"}


class TestIncomplete:
    def test_what_could_not_be_read_is_counted(self, tree):
        """An overview that is not of everything says so, and where."""
        tree.add("validation_raw", run="r1")
        Path(tree.root, "r1/validation.zarr/inputs/all/raw/zarr.json").write_text("{")
        os.symlink("/etc", f"{tree.root}/link")
        found = seen(tree)
        assert not found.is_complete
        assert [one.path for one in found.unreadable] == ["link", "r1/validation.zarr/inputs/all/raw"]
        assert found.summary == "at least 1 run, 1 artifact"
        assert found.warning == "2 places could not be read"

    def test_nothing_readable_is_not_nothing(self, tree):
        """Where nothing could be read, it is not said that nothing is there."""
        os.symlink("/etc", f"{tree.root}/link")
        assert seen(tree).summary == "nothing could be found"

    def test_of_very_many_the_first_are_named(self, training):
        """Ten of the things that could not be read are named, all are counted."""
        found = overview((Unreadable(f"r{number}", "damaged") for number in range(1000)), training)
        assert [one.path for one in found.unreadable] == [f"r{number}" for number in range(10)]
        assert found.unreadable_count == 1000

    def test_what_cannot_be_measured_is_unreadable(self, tree):
        """An array whose bytes cannot be measured is counted, and the overview is incomplete."""

        def size(entry):
            if "indexed" in entry.path:
                raise UnreadableError("cannot be read: permission denied")
            return 7

        tree.add("validation_raw", run="r1")
        tree.add("validation_raw", run="r1", index="a")
        found = seen(tree, size=size)
        assert (found.total.count, found.total.stored) == (3, 7)
        assert found.unreadable == (
            Unreadable("r1/validation.zarr/inputs/indexed/a/raw", "cannot be read: permission denied"),
        )


class TestAmbiguous:
    @pytest.fixture
    def dacapo(self, tmp_path):
        tree = Tree(tmp_path, Layout.load("dacapo"))
        tree.add("validation_prediction", (4,), run="r1", iteration=1000, dataset="ds")
        tree.add("best_validation", (4,), run="r1", criterion="voi")
        tree.add("best_validation", (4,), run="r1", criterion="voi", index="crop1")
        return tree

    def test_the_kind_that_reads_a_path_in_the_fewest_ways_counts_it(self, dacapo):
        """A path of several kinds is counted once, and the line says what else it may be."""
        lines = {line.kind: line for line in seen(dacapo).groups[0].lines}
        prediction = lines["validation_prediction"]
        assert (prediction.count, prediction.ambiguous, prediction.others) == (1, 1, ("best_validation",))
        assert prediction.doubt == "1 ambiguous: may be best_validation as well"
        assert fields(prediction) == {"iteration": "1000", "dataset": "ds"}

    def test_the_kind_that_was_asked_for_counts_it(self, dacapo):
        """Whoever asks for one kind gets what may be of that kind, marked."""
        found = overview(dacapo.results("best_validation"), dacapo.layout)
        (line,) = found.groups[0].lines
        assert (line.count, line.ambiguous, line.others) == (3, 2, ("validation_prediction",))

    def test_values_that_differ_between_readings_are_unclear(self, dacapo):
        """Of an artifact with several values, only what all its readings agree in is told."""
        lines = {line.kind: line for line in seen(dacapo).groups[0].lines}
        best = lines["best_validation"]
        assert best.doubt == "1 ambiguous: several values fit"
        assert fields(best) == {"index": "unclear (1 without)", "criterion": "voi (1 unclear)"}


class TestMemory:
    def test_it_does_not_grow_with_the_artifacts(self, training):
        """What is kept of a run's artifacts is not more for forty times as many iterations."""

        def peak(iterations):
            tracemalloc.start()
            found = overview(entries(iterations), training)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert found.total.count == 3 * iterations
            return most

        peak(10)
        assert peak(4000) < peak(100) + 20_000


def entries(iterations):
    found = Found("array", Node("array", 3, (64, 64), "float32", (64, 64)))
    for iteration in range(iterations):
        for parameters in ("a", "b", "c"):
            values = {"run": "r1", "iteration": 1000 * iteration, "dataset": "d", "parameters": parameters}
            keys = (Key("validation_output", values),)
            yield Entry(f"{iteration:08}/{parameters}", keys, keys, found, "/root", 2)
