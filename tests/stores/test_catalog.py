"""The catalog on disk: what exists is found in order, lazily and by few requests; nothing is folded into absence."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import socket
import tempfile
from itertools import combinations
from pathlib import Path

import pytest
import zarr
from hypothesis import given, settings, strategies as st

from zarrange import ArrayIdentifier, ContainerIdentifier, FileIdentifier, GroupIdentifier, Key, Layout
from zarrange.errors import AmbiguousPathError, IncompleteError
from zarrange.language.selection import select
from zarrange.stores.catalog import Entry, Search, Unreadable
from zarrange.stores.local import LocalBackend

ARRAY = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4],
    "data_type": "uint8",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
    "chunk_key_encoding": {"name": "default"},
    "codecs": [{"name": "bytes"}],
    "fill_value": 0,
    "attributes": {"unit": "nm"},
}
OLD_ARRAY = {
    "zarr_format": 2,
    "shape": [4],
    "dtype": "|u1",
    "chunks": [2],
    "fill_value": 0,
    "order": "C",
    "compressor": None,
    "filters": None,
}
GROUP = {"zarr_format": 3, "node_type": "group"}

LAYOUT = Layout.parse("""\
zarrange: 1
name: catalog
fields:
  run: {type: str, charset: unicode}
  step: {type: int, min: 0}
  name: {type: str}
  volume: {type: path, charset: unicode}
containers:
  box: {path: "{{ run }}/box.zarr", zarr_format: 3}
  old_box: {path: "{{ run }}/old.zarr", zarr_format: 2}
groups:
  part: {container: box, path: "parts/{{ name }}"}
arrays:
  image: {container: box, path: "images/{{ step | pad(4) }}/{{ name }}"}
  old_image: {container: old_box, path: "{{ step }}/{{ name }}"}
  best: {container: box, path: "best{% if name is defined %}/named/{{ name }}{% else %}/all{% endif %}"}
  raw: {container: box, path: "raw/{{ volume }}/data"}
files:
  note: {path: "{{ run }}/notes/{{ step }}.txt"}
  log: {path: "{{ run }}/notes/{{ step }}"}
allow:
  - {rule: nested-kinds, kinds: [raw], because: "a volume may be called data"}
""")
PLAIN = Layout.parse("""\
zarrange: 1
fields: {run: {type: str}, step: {type: int, min: 0}, name: {type: str}}
containers: {box: {path: "{{ run }}/box.zarr"}, old_box: {path: "{{ run }}/old.zarr"}}
arrays:
  image: {container: box, path: "images/{{ step | pad(4) }}/{{ name }}"}
  old_image: {container: old_box, path: "{{ step }}/{{ name }}"}
files:
  log: {path: "{{ run }}/notes/{{ step }}"}
""")
"""Without arrays in arrays: what is passed by a joined name need not be looked at."""
SORTS = {name: kind.sort for name, kind in LAYOUT.kinds.items()}


def write(root, path, sort="array", *, old=False, chunks=("c/0", "c/1")):
    """Write an artifact by hand: its metadata, and chunks for an array."""
    place = Path(root, path)
    if sort == "file":
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("text")
        return place
    place.mkdir(parents=True, exist_ok=True)
    if sort == "array":
        name, document = (".zarray", OLD_ARRAY) if old else ("zarr.json", ARRAY)
        (place / name).write_text(json.dumps(document))
        for chunk in ("0", "1") if old else chunks:
            write(place, chunk, "file")
    else:
        name, document = (".zgroup", {"zarr_format": 2}) if old else ("zarr.json", GROUP)
        (place / name).write_text(json.dumps(document))
    return place


def write_key(root, key, layout=LAYOUT):
    sort = layout.kinds[key.kind].sort
    path = layout.render(key.kind, **key.values).path
    write(root, path, sort, old=key.kind.startswith("old_"))
    return path, sort


def search(root, kinds=None, *, layout=LAYOUT, latest=None, **filters):
    return Search(LocalBackend(str(root)), layout, select(layout, kinds, filters), latest)


def paths(entries):
    return [entry.path for entry in entries]


def in_order(written):
    """The paths of (path, sort) pairs: of folders as if their names ended with a slash."""
    return [path for path, _ in sorted(written, key=lambda one: one[0] if one[1] == "file" else f"{one[0]}/")]


def reported(made):
    """What a search could not read, and the promise that iterating it says the same in the end."""
    results = [*made.results()]
    found = [(one.path, one.reason) for one in results if isinstance(one, Unreadable)]
    assert [(one.path, one.reason) for one in made.unreadable] == found
    entries = []
    if found:
        with pytest.raises(IncompleteError) as caught:
            entries.extend(made)
        assert caught.value.unreadable == tuple(found)
        assert str(caught.value).startswith(f"not everything could be read: {found[0][0] or '.'!r}: {found[0][1]}")
    else:
        entries.extend(made)
    assert [*made.results()] == results
    return [one.path for one in results if isinstance(one, Entry)], found


BOXES = ["box.zarr", "old.zarr"]
RUNS = ["r1", "r1 b", "r2", "é"]
KEYS = [
    *(Key(kind, {"run": run}) for kind in ("box", "old_box") for run in RUNS),
    *(Key("part", {"run": run, "name": name}) for run in RUNS for name in ("p", "p-q", "q")),
    *(
        Key(kind, {"run": run, "step": step, "name": name})
        for kind in ("image", "old_image")
        for run in RUNS
        for step in (0, 9, 10, 20000)
        for name in ("a", "a-b")
    ),
    *(Key("best", {"run": run, **name}) for run in RUNS for name in ({}, {"name": "a"}, {"name": "all"})),
    *(Key("raw", {"run": run, "volume": volume}) for run in RUNS for volume in ("v", "v/w", "x y/é")),
    *(Key(kind, {"run": run, "step": step}) for kind in ("note", "log") for run in RUNS for step in (0, 9, 10)),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A store with everything, and things beside that are nobody's."""
    root = tmp_path_factory.mktemp("tree")
    for key in KEYS:
        write_key(root, key)
    for path in (
        "readme.md",
        "r1/notes/x.txt",
        "r1/notes/01.txt",
        "r1/box.zarr/images/10/a/x",
        "r1/box.zarr/zarr.json~",
    ):
        write(root, path, "file")
    write(root, "r1/box.zarr/images/10/b")
    write(root, "r1/box.zarr/other")
    write(root, "r1/box.zarr/raw/v/other")
    write(root, ".zarrange/box.zarr/images/0010/a")
    return root


QUESTIONS = [
    (None, {}, lambda _: True),
    ("image", {}, lambda key: key.kind == "image"),
    (["note", "part"], {}, lambda key: key.kind in {"note", "part"}),
    (None, {"run": "r1"}, lambda key: key["run"] == "r1"),
    (None, {"run": ["r2", "r1 b", "r9"]}, lambda key: key["run"] in {"r2", "r1 b"}),
    (None, {"run": lambda run: run > "r1"}, lambda key: key["run"] > "r1"),
    (None, {"step": 10}, lambda key: key.values.get("step") == 10),
    ("image", {"step": range(5, 11)}, lambda key: key.kind == "image" and 5 <= key["step"] < 11),
    ("old_image", {"step": slice(9, None)}, lambda key: key.kind == "old_image" and key["step"] >= 9),
    (["note", "log"], {"step": [0, 10]}, lambda key: key.kind in {"note", "log"} and key["step"] in {0, 10}),
    (None, {"name": "a"}, lambda key: key.values.get("name") == "a"),
    ("best", {"name": None}, lambda key: key.kind == "best" and "name" not in key.values),
    ("best", {"name": [None, "a"]}, lambda key: key.kind == "best" and key.values.get("name") in {None, "a"}),
    ("raw", {"volume": "v/w"}, lambda key: key.kind == "raw" and key["volume"] == "v/w"),
    (
        "raw",
        {"run": "r1", "volume": ["v", "x y/é"]},
        lambda key: key.kind == "raw" and key["run"] == "r1" and key["volume"] != "v/w",
    ),
    ("raw", {"volume": lambda volume: "/" in volume}, lambda key: key.kind == "raw" and "/" in key["volume"]),
    (
        "image",
        {"run": "r1", "step": 9, "name": "a-b"},
        lambda key: key == Key("image", {"run": "r1", "step": 9, "name": "a-b"}),
    ),
    ("box", {"run": "none"}, lambda _: False),
    (None, {"run": []}, lambda _: False),
    ("note", {"run": "x" * 300}, lambda _: False),
    ("note", {"run": ".zarrange"}, lambda _: False),
    ("image", {"run": [".zarrange", "r9"]}, lambda _: False),
]


class TestFind:
    """What is found is what is there, of what is asked for."""

    @pytest.mark.parametrize(("kinds", "filters", "condition"), QUESTIONS, ids=range(len(QUESTIONS)))
    def test_what_was_written(self, tree, kinds, filters, condition):
        """What is found is what was written, in the order of paths, by its keys."""
        expected = {LAYOUT.render(key.kind, **key.values).path: key for key in KEYS if condition(key)}
        entries = [*search(tree, kinds, **filters)]
        assert paths(entries) == in_order([(path, SORTS[key.kind]) for path, key in expected.items()])
        assert {entry.path: entry.key for entry in entries} == expected

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_what_zarr_writes(self, tmp_path, zarr_format):
        """Arrays and groups that zarr itself writes are found, with their metadata."""
        kind, path = ("image", "r/box.zarr/images/0007/a") if zarr_format == 3 else ("old_image", "r/old.zarr/7/a")
        array = zarr.create_array(
            tmp_path / path,
            shape=(10, 20),
            chunks=(5, 5),
            dtype="float32",
            zarr_format=zarr_format,
            attributes={"a": 1},
        )
        array[...] = 1
        container = "/".join(path.split("/")[:2])
        zarr.create_group(tmp_path / container, zarr_format=zarr_format)
        box, found = search(tmp_path)
        assert (box.path, box.node, box.metadata.zarr_format) == (container, "group", zarr_format)
        assert found.key == Key(kind, {"run": "r", "step": 7, "name": "a"})
        assert found.node == "array"
        assert found.metadata.shape == (10, 20)
        assert found.metadata.chunks == (5, 5)
        assert found.metadata.dtype == "float32"
        assert found.metadata.nbytes == 800
        assert found.metadata.zarr_format == zarr_format
        assert found.metadata.attributes == ({"a": 1} if zarr_format == 3 else {})

    def test_a_container_without_metadata(self, tmp_path):
        """A folder at a container's place is one, if something is in it."""
        write(tmp_path, "r1/box.zarr/images/0001/a")
        (tmp_path / "r2/box.zarr").mkdir(parents=True)
        (box,) = search(tmp_path, "box")
        assert (box.path, box.node, box.metadata) == ("r1/box.zarr", "folder", None)

    def test_what_does_not_fit(self, tmp_path):
        """A node of another sort, and a folder without metadata, are no artifacts of a kind."""
        write(tmp_path, "r/box.zarr/images/0001/a", "group")
        write(tmp_path, "r/box.zarr/parts/p", "array")
        (tmp_path / "r/box.zarr/images/0001/b").mkdir()
        (tmp_path / "r/box.zarr/parts/q").mkdir()
        write(tmp_path, "s/box.zarr", "array")
        (tmp_path / "r/notes/1.txt").mkdir(parents=True)
        (tmp_path / "r/notes/1.txt/x").write_text("x")
        assert paths(search(tmp_path)) == ["r/box.zarr"]

    def test_both_formats_at_once(self, tmp_path):
        """Of a folder with metadata of both formats, those of format 3 count, as for zarr."""
        write(tmp_path, "r/box.zarr/images/0001/a", "group", old=True)
        write(tmp_path, "r/box.zarr/images/0001/a", "array")
        (entry,) = search(tmp_path, "image")
        assert entry.metadata.zarr_format == 3

    @pytest.mark.parametrize("root", ["absent", "absent/deeper", "file", "empty"])
    def test_nothing(self, tmp_path, root):
        """Where there is no folder, or nothing in it, nothing is found, whatever is bound."""
        (tmp_path / "empty").mkdir()
        (tmp_path / "file").write_text("text")
        for filters in ({}, {"run": "r"}):
            assert reported(search(tmp_path / root, **filters)) == ([], [])

    def test_again(self, tmp_path):
        """Each iteration looks anew."""
        made = search(tmp_path, "note")
        assert paths(made) == []
        write(tmp_path, "r/notes/1.txt", "file")
        assert paths(made) == ["r/notes/1.txt"]

    def test_a_symlink_as_root(self, tree, tmp_path):
        """The root itself may be a symlink."""
        (tmp_path / "link").symlink_to(tree)
        assert paths(search(tmp_path / "link")) == paths(search(tree))

    @pytest.mark.parametrize(
        "fields", [one for length in range(4) for one in combinations(("run", "step", "name"), length)]
    )
    def test_any_fields_bound(self, tree, fields):
        """Whatever fields are bound to the values of an artifact, it is among what is found, and all of that fits."""
        images = [key for key in KEYS if key.kind == "image"]
        for asked in images[:: len(images) if not fields else 7]:
            bound = {name: asked[name] for name in fields}
            expected = [key for key in images if bound.items() <= dict(key.values).items()]
            found = [entry.key for entry in search(tree, "image", **bound)]
            assert asked in found
            assert sorted(found) == sorted(expected)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.sampled_from(KEYS), max_size=12, unique_by=str), st.data())
    def test_random_stores(self, keys, data):
        """For random stores, what is found equals what was written, under every combination of bound fields."""
        root = tempfile.mkdtemp()
        try:
            written = {key: write_key(root, key) for key in keys}
            made = {path.split("/")[0] for path, _ in written.values()}
            containers = {f"{run}/{box}" for run in made for box in BOXES if Path(root, run, box).exists()}
            asked = data.draw(st.sampled_from(keys or KEYS))
            for length in range(len(asked.values) + 1):
                for names in combinations(asked.values, length):
                    bound = {name: asked[name] for name in names}
                    expected = [written[key] for key in keys if bound.items() <= dict(key.values).items()]
                    if {*bound} <= {"run"}:
                        boxes = {one for one in containers if bound.get("run") in {None, one.split("/")[0]}}
                        expected += [(one, "container") for one in boxes - {path for path, _ in expected}]
                    assert paths(search(root, **bound)) == in_order(expected)
        finally:
            shutil.rmtree(root)


ORDERED = Layout.parse("""\
zarrange: 1
fields: {run: {type: str, charset: unicode}, name: {type: str, charset: unicode}}
containers: {box: {path: "{{ run }}/{{ name }}.zarr"}}
arrays: {image: {container: box, path: "{{ name }}"}}
files: {plain: {path: "{{ run }}/note"}, text: {path: "{{ run }}/note.txt"}, dash: {path: "{{ run }}/note-{{ name }}"}}
""")
WRITTEN = [
    *((f"{run}/{name}.zarr/{name}", "array") for run in ("a", "a-b", "a b", "a.b", "a0") for name in ("x", "x-y", "é")),
    *(
        (f"{run}/{name}.zarr", "group")
        for run in ("a", "a-b", "a b", "a.b", "a0")
        for name in ("x", "x-y", "é", "note")
    ),
    *((f"{run}/{name}", "file") for run in ("a", "a-b") for name in ("note", "note.txt", "note-x", "note-!")),
]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A store with files and folders whose names begin alike, written in no order."""
    root = tmp_path_factory.mktemp("order")
    for path, sort in random.Random(0).sample(WRITTEN, len(WRITTEN)):
        write(root, path, sort)
    return root


class TestOrder:
    """Results come in the order of their paths: a folder sorts as if its name ended with a slash."""

    def test_all(self, mixed):
        """Files and folders stand in one order, whatever order the file system has."""
        assert paths(search(mixed, layout=ORDERED)) == in_order(WRITTEN)

    @pytest.mark.parametrize("length", [1, 2, 3])
    def test_any_subset(self, mixed, length):
        """Whatever is asked for, joined or listed, comes in the same order as among all."""
        everything = [*search(mixed, layout=ORDERED)]
        for kinds in combinations(ORDERED.kinds, length):
            some = [entry for entry in everything if entry.key.kind in kinds]
            assert [*search(mixed, kinds, layout=ORDERED)] == some
            for run in ("a", ["a-b", "a", "a b"], lambda run: run != "a"):
                expected = [entry for entry in some if select(ORDERED, None, {"run": run}).admits(entry.key)]
                assert [*search(mixed, kinds, layout=ORDERED, run=run)] == expected

    def test_joined_files(self, tmp_path):
        """Files whose names are known come in the order of listed ones."""
        for name in ("0", "0.txt", "9", "9.txt", "10", "10.txt"):
            write(tmp_path, f"r/notes/{name}", "file")
        expected = [f"r/notes/{name}" for name in ("0", "0.txt", "10", "10.txt", "9", "9.txt")]
        assert paths(search(tmp_path)) == expected
        assert paths(search(tmp_path, run="r", step=[10, 9, 0])) == expected


class TestLazily:
    """A search goes no further than it is asked to."""

    def test_first_entry(self, tmp_path):
        """The first artifact is there before anything beside its own folders was listed."""
        for run in range(50):
            for step in range(3):
                write(tmp_path, f"r{run:02}/box.zarr/images/{step:04}/a", chunks=())
        made = search(tmp_path, "image")
        entries = iter(made)
        assert next(entries).path == "r00/box.zarr/images/0000/a"
        assert made.requests.lists == 3
        assert next(entries).path == "r00/box.zarr/images/0001/a"
        assert made.requests.lists == 4
        assert len([*entries]) == 148
        assert made.requests.lists == 1 + 50 + 150

    def test_nothing_before(self, tmp_path):
        """Before the first artifact is asked for, nothing is read."""
        made = search(tmp_path)
        iter(made)
        made.results()
        assert made.requests.total == 0

    def test_two_at_a_time(self, tmp_path):
        """Two iterations of one search know each what they could not read."""
        write(tmp_path, "a/notes/1.txt", "file")
        (tmp_path / "b").symlink_to("nowhere")
        write(tmp_path, "c/notes/1.txt", "file")
        made = search(tmp_path, "note")
        first = iter(made)
        assert [next(first).path, next(first).path] == ["a/notes/1.txt", "c/notes/1.txt"]
        second = iter(made)
        assert next(second).path == "a/notes/1.txt"
        with pytest.raises(IncompleteError, match="'b': it is a symlink that leads nowhere"):
            next(first)
        with pytest.raises(IncompleteError, match="'b': it is a symlink that leads nowhere"):
            list(second)


TRAINING = Layout.load("training")


def write_training(root, runs, *, iterations=4, datasets=2):
    for run in range(runs):
        for iteration in range(iterations):
            for dataset in range(datasets):
                at = f"run{run:03}/validation.zarr/iterations/{iteration * 1000:08}/ds{dataset}"
                write(root, f"{at}/prediction", chunks=())
                write(root, f"{at}/outputs/t=0.5", chunks=())


class TestRequests:
    """A folder is listed only if a name in it is not bound, and never twice."""

    @pytest.mark.parametrize("runs", [2, 20])
    def test_bound_by_run_and_iteration(self, tmp_path, runs):
        """With run and iteration bound, the folders that are listed do not depend on how many runs there are."""
        write_training(tmp_path, runs)
        made = search(tmp_path, "validation_prediction", layout=TRAINING, run="run001", iteration=2000)
        assert len([*made]) == 2
        # Beside what is found, the folder of iterations is looked at: their names are like those of chunks.
        assert (made.requests.lists, made.requests.stats, made.requests.looks) == (1, 4 + 2, 2 + 1)
        made = search(tmp_path, "validation_output", layout=TRAINING, run="run001", iteration=2000)
        assert len([*made]) == 2
        assert (made.requests.lists, made.requests.stats, made.requests.looks) == (1 + 2, 4 + 2, 2 + 1)

    @pytest.mark.parametrize("runs", [1, 3])
    def test_unbound(self, tmp_path, runs):
        """Unbound, each folder of an unbound level is listed once: the root, and those of runs and iterations."""
        write_training(tmp_path, runs)
        made = search(tmp_path, "validation_prediction", layout=TRAINING)
        assert len([*made]) == runs * 8
        assert made.requests.lists == 1 + runs + runs * 4
        assert made.requests.looks == runs * 8

    def test_all_bound(self, tmp_path):
        """With all bound, nothing is listed, and no more is looked at than what may be found or may be an array."""
        write_training(tmp_path, 2)
        values = {"run": "run001", "iteration": 1000, "dataset": "ds1"}
        made = search(tmp_path, "validation_prediction", layout=TRAINING, **values)
        assert len([*made]) == 1
        # The array, and the folder of iterations: their names are like those of chunks.
        assert (made.requests.lists, made.requests.stats, made.requests.looks) == (0, 6, 2)
        assert made.requests.total == 8

    def test_a_way_that_ends(self, tmp_path):
        """Where a name on the way is not there, nothing behind it is asked for."""
        write_training(tmp_path, 1)
        made = search(tmp_path, "validation_prediction", layout=TRAINING, run="none", iteration=[1, 2, 3])
        assert [*made] == []
        assert made.requests.total <= 2

    def test_ranges_prune(self, tmp_path):
        """Folders that are out of a range are not listed."""
        write_training(tmp_path, 2)
        made = search(tmp_path, "validation_prediction", layout=TRAINING, iteration=slice(1000, 3000))
        assert len([*made]) == 2 * 2 * 2
        assert made.requests.lists == 1 + 2 + 2 * 2

    def test_kinds_share_a_walk(self, tmp_path):
        """Several kinds are looked for in one walk: a folder is listed once for all of them."""
        write_training(tmp_path, 2)
        both = search(tmp_path, ["validation_prediction", "validation_output"], layout=TRAINING)
        outputs = search(tmp_path, "validation_output", layout=TRAINING)
        assert len([*both]) == 2 * len([*outputs])
        assert both.requests.lists == outputs.requests.lists

    def test_containers(self, tmp_path):
        """A container without metadata is listed once, also if what is in it is asked for as well."""
        write(tmp_path, "r/old.zarr/1/a", old=True, chunks=())
        made = search(tmp_path, ["old_box", "old_image"], run="r")
        assert paths(made) == ["r/old.zarr", "r/old.zarr/1/a"]
        assert made.requests.lists == 2


class TestArraysAreNotEntered:
    """Arrays are recognised by their metadata, and what is in them is never listed."""

    @pytest.mark.parametrize("filters", [{}, {"run": "r"}, {"run": "r", "volume": "v"}])
    @pytest.mark.parametrize(
        ("path", "old"),
        [("r/box.zarr/images/0001/a", False), ("r/old.zarr/1/a", True), ("r/box.zarr/raw/v/data", False)],
    )
    def test_its_chunks(self, shared_folder, as_nobody, path, old, filters):
        """An array is found, though nothing but its metadata can be read."""
        place = write(shared_folder, path, old=old)
        for folder, folders, files in os.walk(place):
            for name in (*folders, *files):
                if name not in {"zarr.json", ".zarray"}:
                    os.chmod(Path(folder, name), 0 if name in files else 0o100)
        place.chmod(0o111)  # it may be entered, and not be listed
        kind = LAYOUT.match(path).kind
        with as_nobody():
            found, unreadable = reported(
                search(shared_folder, kind, **{k: v for k, v in filters.items() if k in LAYOUT.kind(kind).fields})
            )
        assert (found, unreadable) == ([path], [])

    @pytest.mark.parametrize("layout", [LAYOUT, PLAIN], ids=["nested", "plain"])
    @pytest.mark.parametrize("old", [True, False])
    @pytest.mark.parametrize("place", ["r/old.zarr", "r/old.zarr/7"])
    def test_in_the_place_of_a_group(self, shared_folder, as_nobody, layout, place, old):
        """An array where a folder or a group should be is not entered either: its chunks are nothing."""
        write(shared_folder, place, old=old, chunks=())
        inner = shared_folder / place / ("0" if old else "c")
        inner.unlink(missing_ok=True)
        write(inner, "a" if place == "r/old.zarr" else "0/a", old=True)
        inner.chmod(0)
        with as_nobody():
            assert reported(search(shared_folder, "old_image", layout=layout)) == ([], [])

    @pytest.mark.parametrize("layout", [LAYOUT, PLAIN], ids=["nested", "plain"])
    def test_chunks_are_no_files(self, tmp_path, layout):
        """The chunks of an array that stands in the place of a folder are no files of the layout."""
        write(tmp_path, "r/notes", old=True)
        write(tmp_path, "s/notes/0", "file")
        assert paths(search(tmp_path, "log", layout=layout)) == ["s/notes/0"]

    def test_a_group_with_chunk_like_names(self, tmp_path):
        """In a group, what is called as chunks are is what the layout says."""
        write(tmp_path, "r/old.zarr", "group", old=True)
        write(tmp_path, "r/old.zarr/0/c", old=True)
        write(tmp_path, "r/old.zarr/1", "group", old=True)
        write(tmp_path, "r/old.zarr/1/0", old=True)
        for layout in (LAYOUT, PLAIN):
            assert paths(search(tmp_path, "old_image", layout=layout)) == ["r/old.zarr/0/c", "r/old.zarr/1/0"]

    def test_an_array_inside(self, tmp_path):
        """An array inside of an array is not found, whatever is bound."""
        write(tmp_path, "r/box.zarr/raw/data/data")
        write(tmp_path, "r/box.zarr/raw/data/data/data")
        outer = Key("raw", {"run": "r", "volume": "data"})
        for filters in ({}, {"run": "r"}, {"volume": ["data", "data/data"]}):
            assert [entry.key for entry in search(tmp_path, "raw", **filters)] == [outer]
        assert [*search(tmp_path, "raw", volume="data/data")] == []


class TestLatest:
    """The greatest value of a field first, folder by folder."""

    @pytest.fixture
    def root(self, tmp_path):
        write_training(tmp_path, 3, iterations=12, datasets=1)
        shutil.rmtree(tmp_path / "run001/validation.zarr/iterations/00011000")
        return tmp_path

    def latest(self, root, level, kinds="validation_prediction", layout=TRAINING, **filters):
        made = search(root, kinds, layout=layout, latest="iteration", **filters)
        return [str(entry.key["iteration"]) for entry in made.firsts(level)], made

    def test_level(self, root):
        """A field's level is the folder below which all has one value of it."""
        made = search(root, "validation_prediction", layout=TRAINING)
        assert (made.level("run"), made.level("iteration"), made.level("dataset")) == (0, 3, 4)
        assert search(root, layout=TRAINING).level("iteration") is None

    def test_of_each_run(self, root):
        """The first artifact of each run is its latest, and nothing older is listed."""
        found, made = self.latest(root, 0)
        assert found == ["11000", "10000", "11000"]
        assert made.requests.lists == 1 + 3 + 3

    def test_of_all(self, root):
        """The first artifact of all is the latest of the first run."""
        assert self.latest(root, -1)[0] == ["11000"]

    def test_everything(self, root):
        """Without a level, everything comes, the latest first."""
        found, _ = self.latest(root, None, run="run000")
        assert found == [str(at * 1000) for at in reversed(range(12))]

    @pytest.mark.parametrize("iterations", [[1000, 3000, 2000], range(0, 3001, 1000), slice(None, 3001)])
    def test_bound(self, root, iterations):
        """What is bound, joined or listed, comes latest first too."""
        assert self.latest(root, 0, iteration=iterations)[0] == ["3000"] * 3

    def test_by_number(self, tmp_path):
        """Values are compared as numbers, not as texts."""
        for step in (9, 10, 100, 20):
            write(tmp_path, f"r/old.zarr/{step}/a", old=True)
        made = search(tmp_path, "old_image", latest="step")
        assert [entry.key["step"] for entry in made] == [100, 20, 10, 9]

    def test_beside_other_names(self, tmp_path):
        """Names that have no value of the field come after those that have one."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {n: {type: int}, a: {type: str}}\n"
            "files: {x: {path: '{{ n }}/x'}, y: {path: 'best/{{ a }}'}}"
        )
        for path in ("9/x", "10/x", "best/a", "best/x"):
            write(tmp_path, path, "file")
        made = search(tmp_path, layout=layout, latest="n")
        assert paths(made.firsts(None)) == ["10/x", "9/x", "best/a", "best/x"]

    def test_firsts_of_a_level(self, root):
        """Without a latest, the first of each folder comes in the order of paths."""
        made = search(root, "validation_prediction", layout=TRAINING)
        assert [(entry.key["run"], entry.key["iteration"]) for entry in made.firsts(0)] == [
            *(("run000", 0), ("run001", 0), ("run002", 0))
        ]
        assert made.requests.lists == 1 + 3 + 3
        assert len([*made.firsts(3)]) == 12 + 11 + 12

    def test_incomplete(self, root):
        """What could not be read before the first artifact was found is told in the end."""
        (root / "run000/validation.zarr/iterations/00011000/ds0/prediction/zarr.json").write_text("{")
        made = search(root, "validation_prediction", layout=TRAINING, latest="iteration")
        found = []
        with pytest.raises(IncompleteError) as caught:
            found.extend(entry.key["iteration"] for entry in made.firsts(0))
        assert found == [10000, 10000, 11000]
        ((path, reason),) = caught.value.unreadable
        assert path == "run000/validation.zarr/iterations/00011000/ds0/prediction"
        assert reason.startswith("its zarr.json is damaged: ")


class TestPlan:
    def test_plan(self, tmp_path):
        """A plan says what is joined and what is listed, and asks nothing of a local folder."""
        made = search(tmp_path, ["image", "note"], run="r1", step=slice(10, None))
        explanation = made.explain()
        assert (explanation.strategy, explanation.reason) == ("levels", "folders are listed one by one")
        assert explanation.ways == (
            (
                "image",
                (
                    *(("{run}", "joined: run = 'r1'"), ("box.zarr", "joined"), ("images", "joined")),
                    *(("{step}", "listed: step from 10"), ("{name}", "listed")),
                ),
            ),
            ("note", (("{run}", "joined: run = 'r1'"), ("notes", "joined"), ("{step}.txt", "listed: step from 10"))),
        )
        assert made.requests.total == 0


DAMAGED = {
    "empty": b"",
    "cut off": json.dumps(ARRAY).encode()[:50],
    "not text": b"\xff\xfe\xfd",
    "a list": b"[]",
    "no type": b"{}",
    "another type": b'{"zarr_format": 3, "node_type": "table"}',
    "no shape": json.dumps(ARRAY | {"shape": None}).encode(),
    "very deep": b"[" * 100_000,
}


class TestUnreadable:
    """What cannot be read is reported, with the reason; it is never taken for absent, and the rest is found."""

    @pytest.fixture
    def root(self, shared_folder):
        for run in ("a", "m", "z"):
            write(shared_folder, f"{run}/box.zarr", "group")
            write(shared_folder, f"{run}/box.zarr/images/0001/a")
            write(shared_folder, f"{run}/notes/1.txt", "file")
        return shared_folder

    def expected(self, *without):
        """All paths, but for those at or below some."""
        everything = [
            path for run in "amz" for path in (f"{run}/box.zarr", f"{run}/box.zarr/images/0001/a", f"{run}/notes/1.txt")
        ]
        return [path for path in everything if not any(f"{path}/".startswith(f"{one}/") for one in without)]

    @pytest.mark.parametrize("path", ["", "m", "m/box.zarr", "m/box.zarr/images", "m/box.zarr/images/0001", "m/notes"])
    def test_permission_of_a_folder(self, root, as_nobody, path):
        """A folder that may not be read is reported, and what is below it is missing."""
        (root / path).chmod(0)
        with as_nobody():
            found, unreadable = reported(search(root))
        assert found == ([] if not path else self.expected(path))
        # What is below a folder that may not even be entered is reported where it is joined.
        assert unreadable
        assert all(one == path or one.startswith(f"{path}/") or not path for one, _ in unreadable)
        assert all(reason.endswith("cannot be read: permission denied") for _, reason in unreadable)

    @pytest.mark.parametrize(
        "filters", [{}, {"run": "m"}, {"run": "m", "step": 1}, {"run": "m", "step": 1, "name": "a"}]
    )
    @pytest.mark.parametrize("path", ["m/box.zarr/images/0001/a", "m/box.zarr/images/0001/a/zarr.json"])
    def test_permission_of_an_array(self, root, as_nobody, path, filters):
        """An array whose metadata may not be read is reported, whatever is bound."""
        (root / path).chmod(0)
        with as_nobody():
            found, unreadable = reported(search(root, "image", **filters))
        assert unreadable == [("m/box.zarr/images/0001/a", "cannot be read: permission denied")]
        assert found == ([] if filters else ["a/box.zarr/images/0001/a", "z/box.zarr/images/0001/a"])

    def test_permission_on_the_way(self, root, as_nobody):
        """With all bound, a folder on the way that may not be entered is reported."""
        (root / "m").chmod(0)
        with as_nobody():
            _, unreadable = reported(search(root, "note", run="m", step=1))
        assert [(path.startswith("m"), reason) for path, reason in unreadable] == [
            (True, "cannot be read: permission denied")
        ]

    @pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
    @pytest.mark.parametrize("filters", [{}, {"run": "m", "step": 1, "name": "a"}])
    def test_damaged_metadata(self, root, content, filters):
        """Damaged metadata are reported at the array, whatever is wrong with them."""
        path = "m/box.zarr/images/0001/a"
        (root / path / "zarr.json").write_bytes(content)
        found, ((unreadable, reason),) = reported(search(root, "image", **filters))
        assert unreadable == path
        assert reason.startswith("its zarr.json is damaged: ")
        assert found == ([] if filters else ["a/box.zarr/images/0001/a", "z/box.zarr/images/0001/a"])

    @pytest.mark.parametrize("name", [".zarray", ".zgroup"])
    def test_damaged_metadata_of_format_2(self, root, name):
        """Damaged metadata of format 2 are reported too."""
        place = root / "m/box.zarr/images/0001/a"
        (place / "zarr.json").unlink()
        (place / name).write_bytes(b"{")
        _, ((path, reason),) = reported(search(root, "image"))
        assert path == "m/box.zarr/images/0001/a"
        assert reason.startswith(f"its {name} is damaged: it is not JSON (")

    def test_a_damaged_container(self, root):
        """A container with damaged metadata is reported, where it is looked at, and what is in it is not known."""
        (root / "m/box.zarr/zarr.json").write_bytes(b"{")
        found, ((path, _),) = reported(search(root))
        assert (path, found) == ("m/box.zarr", self.expected("m/box.zarr"))
        images = [path for path in self.expected() if "images" in path]
        # Where arrays may lie in arrays, any folder on the way may be one.
        assert reported(search(root, "image"))[1] == reported(search(root))[1]
        assert reported(search(root, "image", layout=PLAIN)) == (images, [])

    @pytest.mark.parametrize("make", ["folder", "pipe", "socket", "symlink", "dangling"])
    def test_metadata_that_are_no_file(self, root, make, monkeypatch):
        """What is called as metadata are and is no file is damage, and is not waited for."""
        place = root / "m/box.zarr/images/0001/a/zarr.json"
        place.unlink()
        monkeypatch.chdir(place.parent)  # a socket's path must be short
        with socket.socket(socket.AF_UNIX) as server:
            {
                "folder": place.mkdir,
                "pipe": lambda: os.mkfifo(place),
                "socket": lambda: server.bind(place.name),
                "symlink": lambda: place.symlink_to(root / "a/box.zarr/images/0001/a/zarr.json"),
                "dangling": lambda: place.symlink_to("nowhere"),
            }[make]()
            found, unreadable = reported(search(root, "image"))
        what = "a symlink" if make in {"symlink", "dangling"} else "not a file"
        assert unreadable == [("m/box.zarr/images/0001/a", f"its zarr.json is damaged: it is {what}")]
        assert found == ["a/box.zarr/images/0001/a", "z/box.zarr/images/0001/a"]

    @pytest.mark.parametrize("filters", [{}, {"run": ["a", "m", "z"], "step": 1}])
    @pytest.mark.parametrize(
        "path", ["m", "m/box.zarr", "m/box.zarr/images", "m/box.zarr/images/0001", "m/box.zarr/images/0001/a"]
    )
    @pytest.mark.parametrize(
        "leads",
        [
            ("nowhere", "it is a symlink that leads nowhere"),
            ("itself", "it is a symlink that cannot be followed: too many levels of symbolic links"),
            ("outside", "it is a symlink that leads out of the store, which does not follow it"),
            ("inside", "it is a symlink, which a store does not follow"),
            ("root", "it is a symlink, which a store does not follow"),
            ("file", "it is a symlink, which a store does not follow"),
        ],
    )
    def test_symlinks_on_the_way(self, root, tmp_path, path, filters, leads):
        """A symlink on the way is reported and never followed, joined or listed, wherever it leads."""
        target, reason = leads
        shutil.copytree(root / path, tmp_path / "outside")
        shutil.rmtree(root / path)
        targets = {
            "nowhere": "nowhere",
            "itself": Path(path).name,
            "outside": tmp_path / "outside",
            "inside": root / path.replace("m", "a", 1),
            "root": root,
            "file": root / "a/notes/1.txt",
        }
        (root / path).symlink_to(targets[target])
        found, unreadable = reported(search(root, "image", **filters))
        assert unreadable == [(path, reason)]
        assert found == ["a/box.zarr/images/0001/a", "z/box.zarr/images/0001/a"]

    @pytest.mark.parametrize("filters", [{}, {"run": ["a", "m", "z"], "step": 1}])
    @pytest.mark.parametrize("target", ["nowhere", "1.txt", "../../a/notes/1.txt"])
    def test_symlinks_for_files(self, root, filters, target):
        """A symlink at the place of a file is reported too."""
        (root / "m/notes/1.txt").unlink()
        (root / "m/notes/1.txt").symlink_to(target)
        found, ((path, reason),) = reported(search(root, "note", **filters))
        assert path == "m/notes/1.txt"
        assert reason.startswith("it is a symlink")
        assert found == ["a/notes/1.txt", "z/notes/1.txt"]

    def test_symlinks_beside_the_way(self, root):
        """A symlink that no way leads by is nobody's business."""
        (root / "m/other").symlink_to("nowhere")
        (root / "m/box.zarr/images/1").symlink_to("nowhere")
        (root / "m/notes/x.txt").symlink_to("nowhere")
        write(root, "m/box.zarr/raw", "group")
        (root / "m/box.zarr/raw/.zattrs").symlink_to("nowhere")
        (root / "m/box.zarr/images/0001/a/c").rename(root / "elsewhere")
        (root / "m/box.zarr/images/0001/a/c").symlink_to(root / "elsewhere")
        assert reported(search(root, ["image", "note", "raw"])) == (
            [path for path in self.expected() if path.count("/") > 1],
            [],
        )

    @pytest.mark.parametrize("filters", [{}, {"run": ["a", "m", "z"], "step": 1}])
    @pytest.mark.parametrize(
        "path", ["m", "m/box.zarr", "m/box.zarr/images", "m/box.zarr/images/0001", "m/box.zarr/images/0001/a"]
    )
    def test_a_file_on_the_way(self, root, path, filters):
        """A file where a folder should be is no artifact and no obstacle to the others."""
        shutil.rmtree(root / path)
        (root / path).write_text("text")
        found, unreadable = reported(search(root, "image", **filters))
        assert found == ["a/box.zarr/images/0001/a", "z/box.zarr/images/0001/a"]
        assert unreadable == []

    @pytest.mark.parametrize("filters", [{}, {"run": ["a", "m", "z"], "step": 1}])
    @pytest.mark.parametrize("path", ["m", "m/box.zarr", "m/notes/1.txt"])
    @pytest.mark.parametrize("make", ["pipe", "socket"])
    def test_other_things_on_the_way(self, root, monkeypatch, path, make, filters):
        """A named pipe or a socket on the way is reported, and is not waited for."""
        place = root / path
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        monkeypatch.chdir(place.parent)
        with socket.socket(socket.AF_UNIX) as server:
            os.mkfifo(place) if make == "pipe" else server.bind(place.name)
            _, unreadable = reported(search(root, ["image", "note"], **filters))
        assert unreadable == [(path, "it is neither a folder nor a regular file")]

    def test_names_that_are_not_utf8(self, root):
        """Names that are no text are passed by, wherever they are, and hide nothing."""
        base = os.fsencode(root)
        for path in (
            b"\xff",
            b"m/\xff.zarr",
            b"m/box.zarr/images/\xff",
            b"m/box.zarr/images/0001/\xff",
            b"m/box.zarr/raw/\xff",
        ):
            os.makedirs(os.path.join(base, path))
            Path(os.fsdecode(os.path.join(base, path, b"zarr.json"))).write_text(json.dumps(ARRAY))
        os.makedirs(os.path.join(base, b"m/box.zarr/raw/\xfe/data"))
        Path(os.fsdecode(os.path.join(base, b"m/box.zarr/raw/\xfe/data/zarr.json"))).write_text(json.dumps(ARRAY))
        Path(os.fsdecode(os.path.join(base, b"m/notes/\xff.txt"))).write_text("x")
        assert reported(search(root)) == (self.expected(), [])

    def test_odd_names(self, root):
        """Names with line breaks, that no path of the layout has, are passed by."""
        write(root, "m/box.zarr/images/0001/a\n")
        write(root, "m/box.zarr/raw/ x/data")
        write(root, "m/notes/1\n.txt", "file")
        assert reported(search(root)) == (self.expected(), [])

    def test_the_working_folder(self, root):
        """What a store keeps for itself is not looked into, whatever is in it."""
        (root / ".zarrange").symlink_to("nowhere")
        assert reported(search(root)) == (self.expected(), [])
        (root / ".zarrange").unlink()
        write(root, ".zarrange/box.zarr/images/0001/a")
        (root / ".zarrange/box.zarr/images/0001/a/zarr.json").write_text("{")
        for filters in ({}, {"run": [".zarrange", "a", "m", "z"]}, {"run": lambda _: True}):
            assert reported(search(root, **filters)) == (self.expected(), [])
        assert reported(search(root, run=".zarrange")) == ([], [])

    def test_several(self, root):
        """Everything that could not be read is told, in the order of paths, among what was found."""
        (root / "b").symlink_to("nowhere")
        (root / "m/box.zarr/images/0001/a/zarr.json").write_text("{")
        os.mkfifo(root / "y")
        results = [*search(root, "image").results()]
        assert [(type(one).__name__, one.path) for one in results] == [
            ("Entry", "a/box.zarr/images/0001/a"),
            ("Unreadable", "b"),
            ("Unreadable", "m/box.zarr/images/0001/a"),
            ("Unreadable", "y"),
            ("Entry", "z/box.zarr/images/0001/a"),
        ]

    def test_nothing_is_changed(self, root, snapshot):
        """A search changes nothing, whatever it finds."""
        (root / "b").symlink_to("nowhere")
        before = snapshot(root)
        reported(search(root))
        assert snapshot(root) == before


class TestAmbiguous:
    """Where a layout allows clashes, a path has all its readings."""

    DACAPO = Layout.load("dacapo")
    PATH = "r1/validation.zarr/1000/a/output/output/b"

    @pytest.fixture
    def root(self, tmp_path):
        write(tmp_path, self.PATH)
        return tmp_path

    def test_readings(self, root):
        """An entry has all readings of its path, and its key where the question leaves one."""
        (entry,) = search(root, "validation_output", layout=self.DACAPO)
        assert entry.path == self.PATH
        assert entry.is_ambiguous
        assert entry.readings == self.DACAPO.matches(self.PATH)
        assert [(key["dataset"], key["parameters"]) for key in entry.keys] == [("a", "output/b"), ("a/output", "b")]
        with pytest.raises(AmbiguousPathError) as caught:
            _ = entry.key
        assert caught.value.keys == entry.keys

    @pytest.mark.parametrize(("bound", "other"), [({"dataset": "a"}, "output/b"), ({"dataset": "a/output"}, "b")])
    def test_one_is_left(self, root, bound, other):
        """A question that leaves one reading has the key, and the others are still told."""
        (entry,) = search(root, "validation_output", layout=self.DACAPO, **bound)
        assert entry.key["parameters"] == other
        assert entry.is_ambiguous
        assert len(entry.readings) > len(entry.keys) == 1

    def test_of_several_kinds(self, root):
        """Readings of other kinds count as well, if what is there can be of those kinds."""
        (entry,) = [one for one in search(root, layout=self.DACAPO) if one.node == "array"]
        assert {key.kind for key in entry.readings} == {"validation_output", "best_validation"}
        assert entry.keys == entry.readings

    def test_once(self, root):
        """An artifact with several readings is found once."""
        assert paths(search(root, layout=self.DACAPO)) == ["r1/validation.zarr", self.PATH]

    def test_too_many(self, tmp_path):
        """A path that can be split in too many ways is reported, not guessed."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {a: {type: path}, b: {type: path}, c: {type: path}, d: {type: path}}\n"
            "files: {x: {path: '{{ a }}/{{ b }}/{{ c }}/{{ d }}'}}\n"
            "allow:\n- {rule: ambiguous-template, kinds: [x], because: it is tested}\n"
            "- {rule: nested-kinds, kinds: [x], because: it is tested}"
        )
        path = "/".join("x" * 45)
        write(tmp_path, path, "file")
        found, unreadable = reported(search(tmp_path, layout=layout))
        assert (found, unreadable) == ([], [(path, f"{path!r} can be split in too many ways to try them all")])


class TestEntry:
    @pytest.mark.parametrize(
        ("kind", "path", "made"),
        [
            ("box", "r1/box.zarr", lambda root: ContainerIdentifier(f"{root}/r1/box.zarr")),
            ("part", "r1/box.zarr/parts/p", lambda root: GroupIdentifier(f"{root}/r1/box.zarr", "parts/p")),
            (
                "image",
                "r1/box.zarr/images/0009/a",
                lambda root: ArrayIdentifier(f"{root}/r1/box.zarr", "images/0009/a"),
            ),
            ("old_image", "r1/old.zarr/9/a", lambda root: ArrayIdentifier(f"{root}/r1/old.zarr", "9/a")),
            ("best", "r1/box.zarr/best/all", lambda root: ArrayIdentifier(f"{root}/r1/box.zarr", "best/all")),
            ("note", "r1/notes/9.txt", lambda root: FileIdentifier(f"{root}/r1/notes/9.txt")),
        ],
    )
    def test_identifier(self, tree, kind, path, made):
        """An entry's identifier is where the artifact is, below the root."""
        found = {entry.path: entry for entry in search(tree, kind)}
        assert found[path].identifier == made(tree)
        assert found[path].identifier.path == f"{tree}/{path}"

    def test_a_container_of_varying_depth(self, tmp_path):
        """The container of an artifact ends where its own kind says, also if that depends on a value."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {run: {type: str}, name: {type: str}}\n"
            "containers: {box: {path: '{% if name is defined %}{{ name }}/{% endif %}top.zarr'}}\n"
            "arrays: {image: {container: box, path: 'x/{{ run }}'}}"
        )
        for path in ("top.zarr/x/r", "n/top.zarr/x/r"):
            write(tmp_path, path)
        found = [entry.identifier for entry in search(tmp_path, "image", layout=layout)]
        assert found == [
            *(ArrayIdentifier(f"{tmp_path}/n/top.zarr", "x/r"), ArrayIdentifier(f"{tmp_path}/top.zarr", "x/r"))
        ]

    def test_at_the_top(self, tmp_path):
        """Below the root of the file system, identifiers begin with one slash."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {where: {type: path, charset: unicode}}\nfiles: {x: {path: '{{ where }}/x.txt'}}"
        )
        write(tmp_path, "x.txt", "file")
        (entry,) = search("/", layout=layout, where=str(tmp_path)[1:])
        assert entry.identifier == FileIdentifier(f"{tmp_path}/x.txt")

    def test_pickle(self, tree):
        """Entries and what could not be read are the same after pickling."""
        for entry in search(tree, run="r1"):
            again = pickle.loads(pickle.dumps(entry))
            assert again == entry
            assert (again.identifier, again.metadata, again.key) == (entry.identifier, entry.metadata, entry.key)
        assert pickle.loads(pickle.dumps(Unreadable("a", "b"))) == Unreadable("a", "b")

    def test_files_have_no_metadata(self, tree):
        """A file has no metadata."""
        assert {entry.metadata for entry in search(tree, "note")} == {None}
