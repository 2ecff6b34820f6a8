"""Flat listings: a store of keys, listed flat or level by level, gives the same entries in the same order."""

from __future__ import annotations

import json
from bisect import bisect_left

import pytest
from hypothesis import given, settings, strategies as st

from zarrange.errors import IncompleteError, UnreadableError
from zarrange.language.layout import Layout
from zarrange.language.selection import select
from zarrange.stores.backend import FOLDER, Found, Requests
from zarrange.stores.catalog import Entry, Search, Unreadable
from zarrange.stores.metadata import NODE_METADATA, parse_node

PAGES = [1, 2, 3, 1000]
"""How many keys a page has; 0 is a store that is listed level by level only."""

ARRAY = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4],
    "data_type": "float32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
    "chunk_key_encoding": {"name": "default"},
    "codecs": [{"name": "bytes"}],
    "fill_value": 0,
}
OLD_ARRAY = {
    "zarr_format": 2,
    "shape": [4],
    "dtype": "<f4",
    "chunks": [2],
    "fill_value": 0,
    "order": "C",
    "compressor": None,
    "filters": None,
}
GROUP = {"zarr_format": 3, "node_type": "group"}


class Bucket:
    """A store of keys, in memory: what an object store is, with as many keys a page as one likes."""

    has_folders = False

    root = "memory://bucket"

    def __init__(self, keys, page=1000, in_flight=1, failing=()):
        self.page = page
        self.in_flight = in_flight
        self.asked = []
        self._contents = dict(keys)
        self._keys = sorted(keys)
        self._failing = set(failing)

    def _below(self, path):
        prefix = f"{path}/" if path else ""
        at = bisect_left(self._keys, prefix)
        while at < len(self._keys) and self._keys[at].startswith(prefix):
            yield self._keys[at]
            at += 1

    def _fail(self, *what):
        self.asked.append(what)
        if what in self._failing:
            raise UnreadableError("cannot be read: the server is out of order")

    def items(self, path, requests):
        requests.add(lists=1)
        self._fail("items", path)
        found = {}
        for key in self._below(path):
            name, slash, _ = key[len(path) + 1 if path else 0 :].partition("/")
            found[name, "folder" if slash else "file"] = None
        return [*found]

    def look(self, path, requests):
        for name in NODE_METADATA:
            requests.add(looks=1)
            self._fail("look", f"{path}/{name}")
            content = self._contents.get(f"{path}/{name}")
            if content is not None:
                node = parse_node(name, content)
                return Found(node.type, node)
        return FOLDER

    def stat(self, path, requests, *, may_be_file):
        if not may_be_file:
            return "folder"
        requests.add(stats=1)
        self._fail("stat", path)
        if path in self._contents:
            return "file"
        return "folder" if next(self._below(path), None) is not None else None

    def transactions(self):
        """There are none."""
        return []

    def pages(self, path, requests):
        keys = [*self._below(path)]
        for at in range(0, max(len(keys), 1), self.page):
            requests.add(lists=1)
            self._fail("page", path, at // self.page)
            yield keys[at : at + self.page]


def array(path, chunks=3):
    return {f"{path}/zarr.json": json.dumps(ARRAY).encode(), **{f"{path}/c/{at}": b"" for at in range(chunks)}}


def old_array(path, chunks=3):
    return {f"{path}/.zarray": json.dumps(OLD_ARRAY).encode(), **{f"{path}/{at}": b"" for at in range(chunks)}}


def group(path):
    return {f"{path}/zarr.json": json.dumps(GROUP).encode()}


LAYOUT = Layout.parse("""\
zarrange: 1
fields:
  run: {type: str, charset: unicode}
  step: {type: int, min: 0}
  name: {type: str}
containers:
  box: {path: "{{ run }}/box.zarr"}
groups:
  part: {container: box, path: "parts/{{ name }}"}
arrays:
  image: {container: box, path: "{{ step | pad(3) }}/{{ name }}/image"}
  mask: {container: box, path: "{{ step | pad(3) }}/{{ name }}/masks/{{ name }}"}
files:
  note: {path: "{{ run }}/notes/{{ name }}.txt"}
  log: {path: "{{ run }}.log"}
""")


def tree(runs=3, steps=3):
    keys = {"readme.md": b"", "runs.log": b"", "run0.log": b"", ".zarrange/layout.yaml": b"", ".zarrange.log": b""}
    for run in (f"run{at}" for at in range(runs)):
        keys |= group(f"{run}/box.zarr") if run != "run1" else {}
        keys |= {f"{run}/notes/a.txt": b"", f"{run}/notes/a-b.txt": b"", f"{run}/notes/other": b""}
        keys |= group(f"{run}/box.zarr/parts/p")
        for step in range(steps):
            at = f"{run}/box.zarr/{step:03}"
            keys |= array(f"{at}/raw/image") | old_array(f"{at}/pred/image") | array(f"{at}/raw/masks/raw")
            keys |= {f"{at}/raw/image.txt": b""} | array(f"{at}/raw/other")
    return keys


TREE = tree()
QUESTIONS = [
    (None, {}),
    (None, {"run": "run1"}),
    (None, {"name": "raw"}),
    (None, {"step": slice(1, None)}),
    (["image", "mask"], {"run": ["run0", "run2", "run9"], "step": [0, 2, 7]}),
    ("image", {"name": lambda name: name > "q"}),
    ("mask", {"run": "run2", "name": "raw"}),
    ("image", {"run": "run2", "name": "raw", "step": 1}),
    ("part", {}),
    ("box", {}),
    ("box", {"run": "run1"}),
    (["box", "image"], {"run": "run0"}),
    (["box", "image"], {"run": "run1"}),
    ("note", {}),
    ("note", {"run": "run0", "name": ["a", "a-b", "b"]}),
    ("log", {}),
    ("log", {"run": ["runs", "run0"]}),
    (["log", "box"], {}),
    (None, {"run": "none"}),
]


def search(keys, kinds=None, *, layout=LAYOUT, latest=None, **options):
    """A search, and the bucket that it goes through; options that the bucket does not take are filters."""
    backend = Bucket(keys, **{name: options.pop(name) for name in ("page", "in_flight", "failing") if name in options})
    return Search(backend, layout, select(layout, kinds, options), latest), backend


def found(keys, kinds=None, **options):
    return [*search(keys, kinds, **options)[0]]


def by_hand(keys, kinds, filters, layout=LAYOUT):
    """The paths of what exists of a selection: of every folder and every key, in the order of keys."""
    selection = select(layout, kinds, filters)
    folders = {key[:at] for key in keys for at, one in enumerate(key) if one == "/"}
    backend = Bucket(keys)
    paths = [(f"{one}/", one, backend.look(one, Requests()).sort) for one in folders] + [
        (one, one, "file") for one in keys
    ]
    fitting = {"array": {"array"}, "group": {"group", "container"}, "folder": {"container"}, "file": {"file"}}
    return [
        path
        for _, path, sort in sorted(paths)
        if any(layout.kinds[key.kind].sort in fitting[sort] and selection.admits(key) for key in layout.matches(path))
        and not path.startswith(".zarrange/")
    ]


class TestSameEntries:
    """The same tree, listed level by level or flat, gives the same entries in the same order."""

    @pytest.mark.parametrize(("kinds", "filters"), QUESTIONS, ids=range(len(QUESTIONS)))
    def test_pages(self, kinds, filters):
        """However many keys a page has, a search gives what is there, in the order of keys."""
        levels = found(TREE, kinds, page=0, **filters)
        assert [entry.path for entry in levels] == by_hand(TREE, kinds, filters)
        for page in PAGES:
            assert found(TREE, kinds, page=page, **filters) == levels
            assert found(TREE, kinds, page=page, in_flight=8, **filters) == levels

    @pytest.mark.parametrize("page", PAGES)
    def test_metadata(self, page):
        """What is found has its metadata, its key and its identifier, however it was listed."""
        entries = {entry.path: entry for entry in found(TREE, page=page)}
        image = entries["run0/box.zarr/001/pred/image"]
        assert (image.node, image.metadata.zarr_format, image.metadata.shape) == ("array", 2, (4,))
        assert str(image.key) == 'image(run="run0", step=1, name="pred")'
        assert image.identifier.container == "memory://bucket/run0/box.zarr"
        assert image.identifier.dataset == "001/pred/image"
        assert [entries[f"run{at}/box.zarr"].node for at in range(3)] == ["group", "folder", "group"]
        assert entries["run0.log"].node == "file"

    @pytest.mark.parametrize("page", PAGES)
    def test_nothing(self, page):
        """An empty store has nothing, and is complete."""
        assert found({}, page=page) == []

    @pytest.mark.parametrize("page", PAGES)
    def test_chunks_are_passed_over(self, page):
        """No key of a chunk is taken for anything, wherever an array is."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {run: {type: str}, name: {type: str}, item: {type: str}}\n"
            "files: {one: {path: '{{ run }}/{{ name }}'}, two: {path: '{{ run }}/{{ name }}/{{ item }}'}}"
        )
        keys = {**array("r1"), **old_array("r2"), "r3/0": b"", "r3/a/b": b"", **array("r4/a"), **old_array("r5/a")}
        assert [entry.path for entry in found(keys, layout=layout, page=page)] == ["r3/0", "r3/a/b"]

    @pytest.mark.parametrize("page", PAGES)
    def test_markers_of_folders(self, page):
        """Keys that end in a slash, which some tools make for folders, are nothing by themselves."""
        keys = {**TREE, "run0/": b"", "run0/box.zarr/": b"", "run0/notes/": b"", "run7/": b"", "/": b""}
        assert [entry.path for entry in found(keys, page=page)] == [entry.path for entry in found(TREE)]

    KEYS = st.lists(
        st.lists(
            st.sampled_from(["a", "b", "a-b", "a.txt", "box.zarr", "000", "001", "image"]), min_size=1, max_size=5
        ),
        max_size=12,
    )

    @settings(max_examples=150, deadline=None)
    @given(KEYS, st.sampled_from(PAGES), st.sampled_from(["file", "array", "group"]))
    def test_any_tree(self, paths, page, sort):
        """Whatever keys there are, both ways find what is there."""
        layout = Layout.parse("""\
zarrange: 1
fields: {run: {type: str}, step: {type: int, min: 0}}
containers: {box: {path: "{{ run }}/box.zarr"}}
arrays: {image: {container: box, path: "{{ step | pad(3) }}/image"}}
groups: {part: {container: box, path: "{{ step | pad(3) }}"}}
files: {note: {path: "{{ run }}/{{ step | pad(3) }}/a.txt"}, text: {path: "{{ run }}"}}
allow:
  - {rule: nested-kinds, kinds: [text, box], because: it is tested}
  - {rule: nested-kinds, kinds: [text, note], because: it is tested}
  - {rule: nested-kinds, kinds: [text, image], because: it is tested}
  - {rule: nested-kinds, kinds: [text, part], because: it is tested}
""")
        keys = {}
        for path in paths:
            whole = "/".join(path)
            keys |= {"file": {whole: b""}, "array": array(whole, 1), "group": group(whole)}[sort]
        levels = found(keys, layout=layout, page=0)
        assert found(keys, layout=layout, page=page) == levels
        assert [*map(_path, levels)] == [*map(_path, sorted(levels, key=_order))]


def _path(entry):
    return entry.path


def _order(entry):
    return entry.path if entry.node == "file" else f"{entry.path}/"


class TestWorkingFolder:
    @pytest.mark.parametrize("page", [0, *PAGES])
    @pytest.mark.parametrize("filters", [{}, {"run": ".zarrange"}, {"run": [".zarrange", "run0"]}])
    def test_not_looked_into(self, page, filters):
        """What a store keeps for itself is nobody's artifact, however it is listed."""
        keys = {".zarrange/notes/a.txt": b"", **array(".zarrange/box.zarr/000/a/image"), "run0/notes/a.txt": b""}
        expected = [] if filters.get("run") == ".zarrange" else ["run0/notes/a.txt"]
        assert [entry.path for entry in found(keys, page=page, **filters)] == expected


class TestFailures:
    """What could not be listed is reported, and never taken for empty."""

    @pytest.mark.parametrize("in_flight", [1, 8])
    def test_the_second_page(self, in_flight):
        """A page that cannot be read ends its listing with an error, and the others go on."""
        made, _ = search(TREE, page=5, in_flight=in_flight, failing=[("page", "run1", 1)])
        results = [*made.results()]
        assert [one for one in results if isinstance(one, Unreadable)] == [
            Unreadable("run1", "cannot be read: the server is out of order")
        ]
        paths = {one.path for one in results if isinstance(one, Entry)}
        assert "run2/box.zarr/002/raw/image" in paths
        assert "run0/box.zarr/002/raw/image" in paths
        assert "run1/box.zarr/002/raw/image" not in paths
        assert paths < set(by_hand(TREE, None, {}))
        assert [*made.unreadable] == [Unreadable("run1", "cannot be read: the server is out of order")]
        with pytest.raises(IncompleteError) as caught:
            list(made)
        assert caught.value.unreadable == (("run1", "cannot be read: the server is out of order"),)

    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("in_flight", [1, 8])
    def test_the_first_page(self, page, in_flight):
        """Where the very first page cannot be read, `results` says so and raises nothing."""
        made, _ = search(TREE, page=page, in_flight=in_flight, failing=[("page", "", 0), ("items", "")])
        assert [*made.results()] == [Unreadable("", "cannot be read: the server is out of order")]
        with pytest.raises(IncompleteError, match=r"'\.': cannot be read: the server is out of order"):
            list(made)

    @pytest.mark.parametrize("page", PAGES)
    def test_the_plan(self, page):
        """Where a page of keys cannot be read, folders are listed level by level, and the plan says why."""
        made, _ = search(TREE, page=page, failing=[("page", "", 0)])
        explanation = made.explain()
        assert explanation.strategy == "levels"
        assert explanation.reason == "keys cannot be listed flat: it cannot be read: the server is out of order"

    @pytest.mark.parametrize("page", [0, *PAGES])
    def test_metadata(self, page):
        """Metadata that cannot be read are reported at their path, in the order of keys."""
        path = "run1/box.zarr/001/raw/image"
        made, _ = search(TREE, ["image", "box"], page=page, failing=[("look", f"{path}/zarr.json")])
        results = [*made.results()]
        at = next(at for at, one in enumerate(results) if isinstance(one, Unreadable))
        assert results[at] == Unreadable(path, "cannot be read: the server is out of order")
        assert [one.path for one in results] == by_hand(TREE, ["image", "box"], {})

    @pytest.mark.parametrize("page", [0, *PAGES])
    def test_damage(self, page):
        """Damaged metadata are reported at their path."""
        path = "run1/box.zarr/001/raw/image"
        made, _ = search({**TREE, f"{path}/zarr.json": b"{"}, "image", page=page)
        assert [one.path for one in made.results()] == by_hand(TREE, "image", {})
        ((found_path, reason),) = [(one.path, one.reason) for one in made.unreadable]
        assert found_path == path
        assert reason.startswith("its zarr.json is damaged: it is not JSON (")


INNER = Layout.parse(
    "zarrange: 1\nfields: {run: {type: str}, n: {type: int, min: 0}}\n"
    "containers: {box: {path: '{{ run }}/{{ n }}'}}\nfiles: {note: {path: '{{ run }}/{{ n }}/{{ n }}'}}"
)


@pytest.mark.parametrize("page", [0, *PAGES])
@pytest.mark.parametrize("filters", [{}, {"n": 0}, {"n": [0, 1]}, {"run": "r1"}, {"run": ["r1", "r2"], "n": 0}])
@pytest.mark.parametrize("kind", ["box", "note"])
def test_chunks_of_an_array_in_a_wrong_place(page, filters, kind):
    """Chunks are no artifacts, whatever is bound and however the keys are listed."""
    keys = {**{f"r1/{at}/0": b"" for at in range(2)}, "r1/.zarray": json.dumps(OLD_ARRAY).encode(), "r2/0/0": b""}
    made, _ = search(keys, kind, layout=INNER, page=page, **filters)
    expected = [] if filters == {"run": "r1"} else ["r2/0" if kind == "box" else "r2/0/0"]
    assert [entry.path for entry in made] == expected


NOTES = {f"run{run}/notes/{name}.txt": b"" for run in range(3) for name in range(10, 20)}
STEPS = Layout.parse(
    "zarrange: 1\nfields: {run: {type: str}, step: {type: int}}\nfiles: {x: {path: '{{ run }}/notes/{{ step }}.txt'}}"
)


class TestFirsts:
    """The first of each folder, and the latest, are the same however the keys are listed."""

    @pytest.mark.parametrize("page", [0, *PAGES])
    def test_first(self, page):
        """Of each folder at a level, the first artifact is given."""
        made, _ = search(NOTES, layout=STEPS, page=page)
        assert [entry.path for entry in made.firsts(0)] == [f"run{run}/notes/10.txt" for run in range(3)]
        assert [entry.path for entry in made.firsts(-1)] == ["run0/notes/10.txt"]
        assert [entry.path for entry in made.firsts(None)] == sorted(NOTES)

    @pytest.mark.parametrize("level", [None, -1, 0, 1, 2])
    @pytest.mark.parametrize("latest", [None, "step"])
    def test_firsts_in_parallel(self, level, latest):
        """Many at a time, the first artifacts are those that one by one finds, in the same order."""
        (one, _), (many, _) = (search(NOTES, "note", latest=latest, in_flight=number) for number in (1, 8))
        assert [*many.firsts(level)] == [*one.firsts(level)] != []

    @pytest.mark.parametrize("page", [0, *PAGES])
    @pytest.mark.parametrize("filters", [{}, {"step": [10, 12, 19]}, {"step": range(20)}])
    def test_latest(self, page, filters):
        """By the greatest value first, the latest artifact is given of each folder."""
        made, _ = search(NOTES, layout=STEPS, latest="step", page=page, **filters)
        assert [entry.path for entry in made.firsts(0)] == [f"run{run}/notes/19.txt" for run in range(3)]


class TestStrategy:
    """Which way is chosen, why, and what it costs."""

    def plan(self, keys, kinds=None, **options):
        made, _ = search(keys, kinds, **options)
        explanation = made.explain()
        return explanation.strategy, explanation.reason

    def test_no_flat_listing(self):
        """A store without flat listings goes level by level."""
        assert self.plan(TREE, page=0) == ("levels", "folders are listed one by one")

    def test_one_page(self):
        """Where one page has all keys, nothing else is listed."""
        count = len(TREE)
        assert self.plan(TREE) == ("flat", f"one page has all keys ({count})")
        made, backend = search(TREE, "note")
        assert len([*made]) == 6
        assert made.requests.lists == 1
        assert [one for one in backend.asked if one[0] != "look"] == [("page", "", 0)]

    def test_many_folders_a_page(self):
        """Where a page shows what several listings would, each folder is listed flat."""
        assert self.plan(NOTES, layout=STEPS, page=25) == (
            *("flat", "the first page of keys (25) shows what 4 listings would"),
        )
        made, backend = search(NOTES, layout=STEPS, page=25)
        assert len([*made]) == 30
        assert {one[0] for one in backend.asked[1:]} == {"items", "page"}
        assert [one for one in backend.asked if one[0] == "items"] == [("items", "")]

    def test_many_keys_a_folder(self):
        """Where a page shows what a single listing would, it goes level by level, and chunks are not listed."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {run: {type: str}}\ncontainers: {box: {path: 'all.zarr'}}\n"
            "arrays: {image: {container: box, path: '{{ run }}'}}"
        )
        keys = {**array("all.zarr/a", 500), **array("all.zarr/b", 500)}
        assert self.plan(keys, "image", layout=layout, page=100) == (
            *("levels", "the first page of keys (100) shows what 1 listings would"),
        )
        made, backend = search(keys, "image", layout=layout, page=100)
        assert [entry.path for entry in made] == ["all.zarr/a", "all.zarr/b"]
        assert made.requests.lists == 2
        assert [one for one in backend.asked if one[0] in {"items", "page"}] == [
            *(("page", "all.zarr", 0), ("items", "all.zarr")),
        ]

    def test_all_bound(self):
        """Where all is bound, nothing is listed."""
        strategy, reason = self.plan(TREE, "image", run="run0", step=1, name="raw")
        assert (strategy, reason) == ("levels", "no folder needs to be listed")
        made, _ = search(TREE, "image", run="run0", step=1, name="raw")
        assert [entry.path for entry in made] == ["run0/box.zarr/001/raw/image"]
        assert made.requests.lists == 0

    def test_several_bound(self):
        """Where the first names are several bound ones, the scan goes level by level behind them."""
        assert self.plan(TREE, "note", run=["run0", "run1"]) == ("levels", "the first names are bound")

    def test_bound_prefix(self):
        """What is bound at the front is what is listed below."""
        made, backend = search(TREE, "note", run="run0")
        assert len([*made]) == 2
        assert {one for one in backend.asked if one[0] == "page"} == {("page", "run0/notes", 0)}

    def test_free(self):
        """Below an unbound field of several segments, arrays must be recognised: level by level."""
        layout = Layout.parse(
            "zarrange: 1\nfields: {where: {type: path}}\ncontainers: {box: {path: 'all.zarr'}}\n"
            "arrays: {image: {container: box, path: '{{ where }}'}}\n"
            "allow: [{rule: nested-kinds, kinds: [image], because: it is tested}]"
        )
        keys = {**array("all.zarr/a/b", 50), **array("all.zarr/c", 50), **group("all.zarr/a")}
        strategy, reason = self.plan(keys, layout=layout)
        assert strategy == "levels"
        assert "not entered" in reason
        assert [entry.path for entry in found(keys, "image", layout=layout)] == ["all.zarr/a/b", "all.zarr/c"]

    def test_ways(self):
        """The plan has the segments of each kind, each with how one gets past it."""
        made, _ = search(TREE, "note", run="run0")
        assert made.explain().ways == (
            ("note", (("{run}", "joined: run = 'run0'"), ("notes", "joined"), ("{name}.txt", "listed"))),
        )
