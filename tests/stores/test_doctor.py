"""What is wrong with a store: held against its layout, and looked at as zarr would."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import re
import shutil
import stat
import uuid
import warnings

import pytest
import zarr

from zarrange import Layout, Store
from zarrange.diagnostics import Severity
from zarrange.report import diagnostics_as_text
from zarrange.stores.backend import Requests
from zarrange.stores.doctor import LAYOUT_RULES, STORE_RULES, examine
from zarrange.stores.local import LocalBackend
from zarrange.stores.local.descent import Descent
from zarrange.stores.local.journal import begin
from zarrange.stores.remote import RemoteBackend
from zarrange.stores.transactions import Intent, Move

TEXT = """\
zarrange: 1
fields: {run: {type: str}, iteration: {type: int, min: 0}, name: {type: str}}
containers:
  box: {path: "{{ run }}/box.zarr", zarr_format: 3}
groups:
  inputs: {container: box, path: inputs}
arrays:
  raw: {container: box, path: "inputs/{{ name }}"}
  output: {container: box, path: "iterations/{{ iteration | pad(4) }}/{{ name }}"}
files:
  log: {path: "{{ run }}/{{ name }}.txt"}
"""
LAYOUT = Layout.parse(TEXT)
MIXED = Layout.parse("""\
zarrange: 1
fields: {run: {type: str}, name: {type: str}}
containers:
  box: {path: "{{ run }}/box.zarr", zarr_format: 3}
  old_box: {path: "{{ run }}/old.zarr", zarr_format: 2}
  free_box: {path: "{{ run }}/free.zarr"}
groups:
  inputs: {container: box, path: inputs}
arrays:
  raw: {container: box, path: "inputs/{{ name }}"}
  old: {container: old_box, path: "{{ name }}"}
  free: {container: free_box, path: "{{ name }}"}
""")
SCREENS = """\
error[interrupted-transaction]: the removal of 'r/x' was interrupted: process 1 was at it
 --> runs/.zarrange/tx/0123456789abcdef.journal
help: `zarrange doctor --recover` ends it: puts back what was taken, or brings all of it to its end

warning[unmatched-path]: no kind has this folder
 --> runs/r/Box.zarr

warning[colliding-names]: `Box.zarr` and `box.zarr` differ by case only
 --> runs/r/box.zarr

error[stale-consolidation]: the consolidated metadata in its zarr.json are stale
 --> runs/r/box.zarr
info: `inputs/c` is there, but not listed
help: write them anew with zarr.consolidate_metadata

error[unfinished-array]: the writing of this array never finished
 --> runs/r/box.zarr/inputs/b

error[mismatched-node]: a folder is where the layout has an array of `raw`
 --> runs/r/box.zarr/inputs/d

error[doubled-metadata]: its zarr.json and its .zarray contradict each other
 --> runs/r/free.zarr/a

error[unreadable-path]: it is a symlink that leads nowhere
 --> runs/r/link

warning[leftover-file]: a writer that was interrupted has left this file, or is still at work
 --> runs/r/old.zarr/a/0.0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f.partial"""


class Counting(LocalBackend):
    """A local folder that knows what was listed."""

    def __init__(self, root):
        super().__init__(root)
        self.listed = []

    def items(self, path, requests):
        self.listed.append(path)
        return super().items(path, requests)


@pytest.fixture
def store(tmp_path):
    """A store with one artifact of each kind."""
    return filled(tmp_path / "root")


@pytest.fixture
def mixed(tmp_path):
    """A store with arrays of both formats."""
    made = Store(tmp_path / "mixed", MIXED)
    for kind in ("raw", "old", "free"):
        where = made.identifier(kind, run="r", name="a")
        made.create(where, shape=(2,), dtype="u1", chunks=(1,))[:] = 1
    return made


@pytest.fixture
def damaged(mixed):
    """A store with something of every rule."""
    root = pathlib.Path(mixed.root)
    mixed.create(mixed.identifier("raw", run="r", name="b"), shape=(2,), dtype="u1", seal=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(root / "r/box.zarr")
    zarr.create_array(root / "r/box.zarr/inputs/c", shape=(1,), dtype="u1")
    zarr.create_array(root / "r/free.zarr/a", shape=(5,), dtype="u1", zarr_format=2)
    (root / f"r/old.zarr/a/0.{'0f' * 16}.partial").touch()
    (root / "r/Box.zarr").mkdir()
    (root / "r/box.zarr/inputs/d").mkdir()
    (root / "r/link").symlink_to("nowhere")
    interrupt(mixed, name="0123456789abcdef")
    return mixed


INTENT = Intent("remove", "the removal of 'r/x'", (Move("r/x/zarr.json", None, is_folder=False),), rests=("r/x",))
LEAVINGS = {
    "stage": "a writer that was interrupted has left what it was making, or is still at work",
    "trash": "this was taken away to be removed or moved, and no journal tells of it any more",
}


def interrupt(store, name="f" * 16):
    """Leave the journal of a process that has died; return where it is."""
    with Descent(store.root) as descent:
        journal = begin(descent, INTENT, 0, lambda _: None)
        journal.close()
    folder = pathlib.Path(store.root, ".zarrange/tx")
    text = re.sub('process [0-9]+ on [^"]*', "process 1", (folder / f"{journal.name}.journal").read_text())
    (folder / f"{journal.name}.journal").unlink()
    (folder / f"{name}.journal").write_text(text)
    return f".zarrange/tx/{name}.journal"


def filled(root):
    made = Store(root, LAYOUT)
    made.create(made.identifier("raw", run="r", name="a"), shape=(2,), dtype="u1", chunks=(1,))[:] = 1
    made.create(made.identifier("output", run="r", iteration=7, name="a"), shape=(2,), dtype="u1")
    made.create(made.identifier("log", run="r", name="a")).close()
    return made


def findings(store, layout=LAYOUT):
    """What is found, as the rule, the path below the root and the message."""
    found = examined(store.root, layout)
    return [(one.rule, os.path.relpath(one.span.file, store.root), one.message) for one in found]


def modified(root):
    """When each folder and file was changed last."""
    return {
        where: [os.lstat(os.path.join(where, name)).st_mtime_ns for name in (".", *files)]
        for where, _, files in os.walk(root)
    }


def examined(root, layout=LAYOUT, rules=None):
    return examine(LocalBackend(os.fspath(root)), layout, rules)


class TestMatched:
    def test_a_store_of_the_layout_has_no_findings(self, store):
        """Arrays, groups above them, containers and files that kinds have are no findings."""
        assert findings(store) == []

    def test_nothing_is_changed(self, store, snapshot):
        """The store is the same byte for byte after it was looked at, with findings or without."""
        os.makedirs(os.path.join(store.root, "r/strange"))
        before, times = snapshot(store.root), modified(store.root)
        assert len(findings(store)) == 1
        assert (snapshot(store.root), modified(store.root)) == (before, times)

    def test_an_empty_store_has_no_findings(self, tmp_path):
        """A root without anything in it is fine."""
        assert examined(tmp_path, LAYOUT) == ()

    def test_what_the_store_keeps_for_itself_is_left_out(self, store):
        """The working folder at the root belongs to no layout."""
        os.makedirs(os.path.join(store.root, ".zarrange/trash"))
        with open(os.path.join(store.root, ".zarrange/store.json"), "w") as file:
            file.write("{}")
        assert findings(store) == []

    @pytest.mark.parametrize("name", ["training", "hive", "dacapo", "cellmap", "ome-zarr-plate"])
    def test_shipped_layouts(self, name, tmp_path):
        """A store with all examples of a shipped layout has no findings."""
        made = Store(tmp_path, name)
        for kind in made.layout.kinds.values():
            for example in kind.examples:
                where = made.identifier(kind.name, **example.values)
                if not made.exists(where):
                    made.create(where, **({"shape": (1,), "dtype": "u1"} if kind.sort == "array" else {}))
        assert examined(tmp_path, made.layout) == ()

    def test_a_path_with_very_many_readings_belongs_to_the_layout(self, tmp_path):
        """Where a path can be split in too many ways to try, it is not called a stranger, but told as unreadable."""
        template = "".join(f"{{{{ {name} }}}}" for name in "abcdefgh")
        fields = "".join(f"  {name}: {{type: str}}\n" for name in "abcdefgh")
        layout = Layout.parse(f'zarrange: 1\nfields:\n{fields}files:\n  f: {{path: "{template}"}}\n')
        (tmp_path / ("a" * 60)).touch()
        (one,) = examined(tmp_path, layout)
        assert one.rule == "unreadable-path"
        assert one.message.endswith("can be split in too many ways to try them all")


class TestUnmatched:
    def test_an_array_that_no_kind_has(self, store):
        """An array beside those of the layout is found, and not looked into."""
        zarr.create_array(os.path.join(store.root, "r/box.zarr/iterations/7"), shape=(2,), dtype="u1", chunks=(1,))[
            :
        ] = 1
        assert findings(store) == [("unmatched-path", "r/box.zarr/iterations/7", "no kind has this array")]

    def test_a_group_and_a_file_that_no_kind_has(self, store):
        """Groups and files that no kind has are found."""
        zarr.open_group(os.path.join(store.root, "r/box.zarr/strange"), mode="w")
        open(os.path.join(store.root, "notes.md"), "x").close()
        assert findings(store) == [
            ("unmatched-path", "notes.md", "no kind has this file"),
            ("unmatched-path", "r/box.zarr/strange", "no kind has this group"),
        ]

    def test_the_topmost_folder_is_told(self, store):
        """Of a folder in which nothing belongs to the layout, only the folder itself is told."""
        for at in range(3):
            zarr.create_array(os.path.join(store.root, f"other/deep/x.zarr/a{at}"), shape=(1,), dtype="u1")
        assert findings(store) == [("unmatched-path", "other", "no kind has this folder")]

    def test_a_folder_with_something_of_the_layout_is_none(self, store):
        """A folder without metadata that holds an artifact is no finding, what is strange in it is."""
        os.makedirs(os.path.join(store.root, "r/empty"))
        assert findings(store) == [("unmatched-path", "r/empty", "no kind has this folder")]

    def test_it_is_a_warning_about_a_path(self, store):
        """What is unmatched is a warning, whose place is the path as a whole."""
        open(os.path.join(store.root, "notes.md"), "x").close()
        (one,) = examined(store.root)
        assert one.severity is Severity.WARNING
        assert str(one.span) == os.path.join(store.root, "notes.md")


class TestMismatched:
    def test_a_folder_where_an_array_should_be(self, store):
        """A folder without metadata at an array's path is found."""
        os.makedirs(os.path.join(store.root, "r/box.zarr/inputs/b"))
        assert findings(store) == [
            ("mismatched-node", "r/box.zarr/inputs/b", "a folder is where the layout has an array of `raw`")
        ]

    def test_a_group_where_an_array_should_be(self, store):
        """A group at an array's path is found, and so is what is strange inside."""
        zarr.open_group(os.path.join(store.root, "r/box.zarr/inputs/b/c"), mode="w")
        zarr.open_group(os.path.join(store.root, "r/box.zarr/inputs/b"), mode="a")
        assert findings(store) == [
            ("mismatched-node", "r/box.zarr/inputs/b", "a group is where the layout has an array of `raw`"),
            ("unmatched-path", "r/box.zarr/inputs/b/c", "no kind has this group"),
        ]

    def test_an_array_where_a_group_should_be(self, tmp_path):
        """An array at a container's path, or a group's, is found."""
        zarr.create_array(tmp_path / "r/box.zarr/inputs", shape=(1,), dtype="u1")
        zarr.create_array(tmp_path / "s/box.zarr", shape=(1,), dtype="u1")
        found = [(one.rule, one.message) for one in examined(tmp_path, LAYOUT)]
        assert found == [
            ("mismatched-node", "an array is where the layout has a group of `inputs`"),
            ("mismatched-node", "an array is where the layout has a container of `box`"),
        ]

    def test_a_file_where_a_folder_should_be(self, tmp_path):
        """A file at a container's path is found, and a folder at a file's."""
        (tmp_path / "r/a.txt").mkdir(parents=True)
        (tmp_path / "r/box.zarr").touch()
        found = [(one.rule, one.message) for one in examined(tmp_path, LAYOUT)]
        assert found == [
            ("mismatched-node", "a folder is where the layout has a file of `log`"),
            ("mismatched-node", "a file is where the layout has a container of `box`"),
        ]

    def test_another_zarr_format(self, tmp_path):
        """Nodes of another zarr format than the layout fixes are found."""
        zarr.create_array(tmp_path / "r/box.zarr/inputs/a", shape=(1,), dtype="u1", zarr_format=2)
        assert [(one.rule, one.message) for one in examined(tmp_path, LAYOUT)] == [
            ("mismatched-node", "zarr format 2 is where the layout has format 3 (`raw`)")
        ]
        free = Layout.parse(TEXT.replace(", zarr_format: 3", ""))
        assert examined(tmp_path, free) == ()


class TestUnreadable:
    @pytest.mark.parametrize("name", ["raw", "old"])
    def test_damaged_metadata(self, name, mixed):
        """Metadata that are no JSON are unreadable, not absent."""
        damaged = {"raw": "r/box.zarr/inputs/a/zarr.json", "old": "r/old.zarr/a/.zarray"}[name]
        with open(os.path.join(mixed.root, damaged), "w") as file:
            file.write("{")
        ((rule, path, message),) = findings(mixed, MIXED)
        assert (rule, path) == ("unreadable-path", os.path.dirname(damaged))
        assert message.startswith(f"its {os.path.basename(damaged)} is damaged: it is not JSON (")

    def test_damaged_attributes(self, mixed):
        """Attributes of format 2 that are no JSON object keep zarr from opening the node, and are told."""
        for path, content in (("r/old.zarr/.zattrs", "["), ("r/old.zarr/a/.zattrs", "[]")):
            with open(os.path.join(mixed.root, path), "w") as file:
                file.write(content)
        assert [(rule, path, message[:37]) for rule, path, message in findings(mixed, MIXED)] == [
            ("unreadable-path", "r/old.zarr", "its .zattrs is damaged: it is not JSO"),
            ("unreadable-path", "r/old.zarr/a", "its .zattrs is damaged: it is not a J"),
        ]

    def test_a_symlink_is_reported_and_not_followed(self, store, tmp_path):
        """A symlink is told, wherever it leads."""
        (tmp_path / "outside").mkdir()
        os.symlink(tmp_path / "outside", os.path.join(store.root, "r/link"))
        os.symlink("box.zarr", os.path.join(store.root, "r/same"))
        os.symlink("loop", os.path.join(store.root, "r/loop"))
        os.symlink("nowhere", os.path.join(store.root, "dangling"))
        told = {path: message for rule, path, message in findings(store) if rule == "unreadable-path"}
        assert [*told] == ["dangling", "r/link", "r/loop", "r/same"]
        assert told["dangling"] == "it is a symlink that leads nowhere"
        assert told["r/link"] == "it is a symlink that leads out of the store, which does not follow it"
        assert told["r/loop"].startswith("it is a symlink that cannot be followed: ")
        assert told["r/same"] == "it is a symlink, which a store does not follow"
        assert len(findings(store)) == 4

    def test_a_symlink_among_chunks(self, store, tmp_path):
        """What lies elsewhere than in the array that it belongs to is told."""
        array = os.path.join(store.root, "r/box.zarr/inputs/a")
        os.rename(os.path.join(array, "c"), tmp_path / "chunks")
        os.symlink(tmp_path / "chunks", os.path.join(array, "c"))
        message = "it is a symlink that leads out of the store, which does not follow it"
        assert findings(store) == [("unreadable-path", "r/box.zarr/inputs/a/c", message)]

    def test_a_name_that_is_not_text(self, store):
        """A name that is not UTF-8 can belong to no layout, and is told."""
        os.mkdir(os.path.join(os.fsencode(store.root), b"\xff"))
        assert [(rule, message) for rule, _, message in findings(store)] == [
            ("unreadable-path", "its name is not UTF-8")
        ]

    def test_permission_denied(self, shared_folder, as_nobody):
        """A folder that may not be listed is unreadable, and the rest is still checked."""
        made = filled(shared_folder / "root")
        (shared_folder / "root/notes.md").touch()
        os.chmod(shared_folder / "root/r/box.zarr/iterations", 0)
        os.chmod(shared_folder / "root/r/box.zarr/inputs/a/c", 0)
        with as_nobody():
            found = findings(made)
        assert found == [
            ("unmatched-path", "notes.md", "no kind has this file"),
            ("unreadable-path", "r/box.zarr/inputs/a/c", "cannot be read: permission denied"),
            ("unreadable-path", "r/box.zarr/iterations", "cannot be read: permission denied"),
        ]


class TestUnfinished:
    @pytest.mark.parametrize("kind", ["raw", "old"])
    def test_an_array_that_was_never_finished(self, kind, mixed):
        """An array that is sealed is told until its writing has ended well, in both formats."""
        where = mixed.identifier(kind, run="r", name="b")
        mixed.create(where, shape=(2,), dtype="u1", seal=True)
        path = os.path.relpath(where.path, mixed.root)
        unfinished = [("unfinished-array", path, "the writing of this array never finished")]
        assert findings(mixed, MIXED) == unfinished
        with pytest.raises(ZeroDivisionError), mixed.writing(where):
            raise ZeroDivisionError
        assert findings(mixed, MIXED) == unfinished
        with mixed.writing(where) as array:
            array[:] = 1
        assert findings(mixed, MIXED) == []

    def test_an_array_that_no_kind_has(self, store):
        """Also an array that the layout has no place for is told."""
        zarr.create_array(
            os.path.join(store.root, "lost"), shape=(1,), dtype="u1", attributes={"zarrange": {"complete": False}}
        )
        assert [(rule, path) for rule, path, _ in findings(store)] == [
            ("unfinished-array", "lost"),
            ("unmatched-path", "lost"),
        ]

    @pytest.mark.parametrize("mark", [{"zarrange": {}}, {"zarrange": False}, {"zarrange": {"complete": "no"}}, {}])
    def test_another_mark(self, mark, store):
        """Attributes that do not say so say nothing of it."""
        where = store.identifier("raw", run="r", name="b")
        store.create(where, shape=(2,), dtype="u1", attributes=mark)
        assert findings(store) == []


class TestLeftovers:
    MESSAGE = "a writer that was interrupted has left this file, or is still at work"

    @pytest.mark.parametrize("key", ["zarr.json", "c/0", "c/1"])
    def test_what_zarr_leaves(self, key, store, monkeypatch):
        """What zarr leaves when it dies between writing and renaming is told, among chunks and in groups."""

        class KilledError(BaseException):
            pass

        def die(*_):
            raise KilledError

        monkeypatch.setattr(pathlib.Path, "replace", die)
        for node in ("r/box.zarr/inputs/a", "r/box.zarr/inputs", "r"):
            content = zarr.core.buffer.default_buffer_prototype().buffer.from_bytes(b"0")
            with pytest.raises(KilledError):
                asyncio.run(zarr.storage.LocalStore(os.path.join(store.root, node)).set(key, content))
        monkeypatch.undo()
        found = findings(store)
        left = [path for rule, path, message in found if (rule, message) == ("leftover-file", self.MESSAGE)]
        wanted = [f"{node}/{key}" for node in ("r", "r/box.zarr/inputs", "r/box.zarr/inputs/a")]
        assert sorted(map(os.path.dirname, left)) == sorted(map(os.path.dirname, wanted))
        assert all(path.endswith(".partial") for path in left)

    @pytest.mark.parametrize("name", [".zarray", ".zattrs", ".zgroup", "0.0", "0"])
    def test_names_of_format_2(self, name, mixed):
        """Whatever zarr was writing in format 2, what it leaves is told, and nothing else is said of it."""
        left = pathlib.Path(mixed.root, "r/old.zarr/a", name).with_suffix(f".{uuid.uuid4().hex}.partial")
        left.touch()
        assert findings(mixed, MIXED) == [("leftover-file", os.path.relpath(left, mixed.root), self.MESSAGE)]

    def test_it_is_no_artifact(self, store):
        """A leftover whose name a kind could have is told as a leftover alone."""
        name = f"zarr.{uuid.uuid4().hex}.partial"
        assert store.layout.match(f"r/box.zarr/inputs/{name}").kind == "raw"
        pathlib.Path(store.root, "r/box.zarr/inputs", name).touch()
        assert findings(store) == [("leftover-file", f"r/box.zarr/inputs/{name}", self.MESSAGE)]

    def test_a_file_of_the_layout_is_none(self, tmp_path):
        """A kind may have files that end with `.partial`; others of that end are leftovers."""
        layout = Layout.parse('zarrange: 1\nfields: {n: {type: int}}\nfiles: {f: {path: "{{ n }}.partial"}}')
        (tmp_path / "1.partial").touch()
        (tmp_path / "x.partial").touch()
        (tmp_path / "2.partial").mkdir()
        assert [(one.rule, os.path.basename(one.span.file)) for one in examined(tmp_path, layout)] == [
            ("mismatched-node", "2.partial"),
            ("leftover-file", "x.partial"),
        ]

    def test_what_a_store_leaves(self, store):
        """What is left where a store makes and removes things is told, and each thing once."""
        for path in ("stage/a1/new/c/0", "trash/b2/removed/c/0"):
            os.makedirs(os.path.join(store.root, ".zarrange", path))
        pathlib.Path(store.root, ".zarrange", f".{'a' * 16}.partial").touch()
        assert findings(store) == [
            ("leftover-file", f".zarrange/.{'a' * 16}.partial", self.MESSAGE),
            ("leftover-file", ".zarrange/stage/a1", LEAVINGS["stage"]),
            ("leftover-file", ".zarrange/trash/b2", LEAVINGS["trash"]),
        ]

    def test_what_waits_beside_its_place(self, store):
        """What a transaction has taken aside beside its place is told if no journal knows of it."""
        left = f".zarrange-{'a' * 16}-0"
        os.mkdir(os.path.join(store.root, "r", left))
        assert findings(store) == [("leftover-file", f"r/{left}", LEAVINGS["trash"])]
        interrupt(store, name="a" * 16)
        assert [rule for rule, _, _ in findings(store)] == ["interrupted-transaction"]

    def test_a_working_folder_elsewhere(self, store, tmp_path):
        """A working folder, or one in it, that is a symlink is told and not followed."""
        (tmp_path / "elsewhere/stage/x").mkdir(parents=True)
        os.mkdir(os.path.join(store.root, ".zarrange"))
        os.symlink(tmp_path / "elsewhere/stage", os.path.join(store.root, ".zarrange/stage"))
        assert [(rule, path) for rule, path, _ in findings(store)] == [("unreadable-path", ".zarrange/stage")]
        os.rename(os.path.join(store.root, ".zarrange"), tmp_path / "moved")
        os.symlink(tmp_path / "elsewhere", os.path.join(store.root, ".zarrange"))
        assert [(rule, path) for rule, path, _ in findings(store)] == [("unreadable-path", ".zarrange")]


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
class TestConsolidation:
    """Groups of both formats, consolidated by zarr; `told` has what is found, as the group and the lines about it."""

    def told(self, store, layout=MIXED):
        found = examined(store.root, layout)
        assert {one.rule for one in found} <= {"stale-consolidation"}, found
        return [(os.path.relpath(one.span.file, store.root), one.message, one.info) for one in found]

    @pytest.fixture(params=["box", "old"])
    def box(self, mixed, request):
        """A container with a consolidated group, its name in a message, and the path of an array below it."""
        inside, name = {"box": ("inputs/a", "zarr.json"), "old": ("a", ".zmetadata")}[request.param]
        path = os.path.join(mixed.root, f"r/{request.param}.zarr")
        zarr.consolidate_metadata(path)
        return path, f"the consolidated metadata in its {name} are stale", inside

    @pytest.mark.usefixtures("box")
    def test_a_fresh_copy_is_no_finding(self, mixed):
        """A group that zarr has just consolidated is fine."""
        assert self.told(mixed) == []

    def test_a_node_that_is_gone(self, box, mixed):
        """An array that is listed and was removed is told."""
        path, message, inside = box
        shutil.rmtree(os.path.join(path, inside))
        assert zarr.open_group(path)[inside].shape == (2,)
        group = os.path.relpath(path, mixed.root)
        assert self.told(mixed) == [(group, message, (f"`{inside}` is listed, but gone",))]

    def test_a_node_that_is_missed(self, box, mixed):
        """An array that was made past the copy is told."""
        path, message, inside = box
        made = inside[:-1] + "b"
        zarr.create_array(os.path.join(path, made), shape=(1,), dtype="u1", zarr_format=2 if "old" in path else 3)
        assert made not in zarr.open_group(path)
        group = os.path.relpath(path, mixed.root)
        assert self.told(mixed) == [(group, message, (f"`{made}` is there, but not listed",))]

    @pytest.mark.parametrize("change", ["resize", "attributes", "rewrite"])
    def test_a_node_that_has_changed(self, change, box, mixed):
        """An array that has another shape, other attributes or another codec than the copy says is told."""
        path, message, inside = box
        array = zarr.open_array(os.path.join(path, inside), mode="r+")
        if change == "resize":
            array.resize((3,))
        elif change == "attributes":
            array.attrs["x"] = 1
        else:
            options = {"shape": (2,), "dtype": "u1", "chunks": (1,), "compressors": None}
            form = array.metadata.zarr_format
            zarr.create_array(os.path.join(path, inside), **options, zarr_format=form, overwrite=True)
        group = os.path.relpath(path, mixed.root)
        assert self.told(mixed) == [(group, message, (f"`{inside}` has changed",))]

    def test_the_attributes_of_the_group(self, box, mixed):
        """A copy of format 2 also has the group's own attributes; one of format 3 is in the same file as they are."""
        path, message, _ = box
        zarr.open_group(path, mode="r+", use_consolidated=False).attrs["x"] = 1
        told = self.told(mixed)
        assert told == ([("r/old.zarr", message, ("`.` has changed",))] if "old" in path else [])

    def test_other_writers_leave_out_what_is_empty(self, box, mixed):
        """Metadata that say the same in other words are no finding."""
        path, _, inside = box
        for name in ("zarr.json", ".zarray", ".zattrs"):
            file = pathlib.Path(path, inside, name)
            if not file.exists():
                continue
            data = json.loads(file.read_text())
            for key in ("attributes", "storage_transformers", "dimension_separator"):
                data.pop(key, None)
            data = {**data, **({"fill_value": 0.0} if "fill_value" in data else {})}
            file.unlink()
            if data:
                file.write_text(json.dumps(data, indent=7))
        assert self.told(mixed) == []

    def test_many_nodes(self, mixed):
        """Of many nodes the first ones are told, and how many more there are."""
        zarr.consolidate_metadata(os.path.join(mixed.root, "r/old.zarr"))
        for at in range(8):
            zarr.create_array(os.path.join(mixed.root, f"r/old.zarr/b{at}"), shape=(1,), dtype="u1", zarr_format=2)
        ((_, _, info),) = self.told(mixed)
        assert info == (*(f"`b{at}` is there, but not listed" for at in range(5)), "and 3 more")

    def test_what_cannot_be_read_is_not_gone(self, mixed):
        """A node that is listed and damaged is unreadable, and nothing is said of the copy."""
        zarr.consolidate_metadata(os.path.join(mixed.root, "r/box.zarr"))
        pathlib.Path(mixed.root, "r/box.zarr/inputs/zarr.json").write_text("{")
        assert [(rule, path) for rule, path, _ in findings(mixed, MIXED)] == [("unreadable-path", "r/box.zarr/inputs")]

    def test_what_zarr_would_not_find_is_not_missed(self, store):
        """An array in a folder without metadata is none that consolidating again would list."""
        zarr.consolidate_metadata(os.path.join(store.root, "r/box.zarr"))
        zarr.create_array(os.path.join(store.root, "r/box.zarr/other/x"), shape=(1,), dtype="u1")
        assert [rule for rule, _, _ in findings(store)] == ["unmatched-path"]
        with pytest.warns(zarr.errors.ZarrUserWarning, match="Object at other is not recognized"):
            zarr.consolidate_metadata(os.path.join(store.root, "r/box.zarr"))
        assert [rule for rule, _, _ in findings(store)] == ["unmatched-path"]

    def test_another_format_is_not_missed(self, mixed):
        """A copy lists the nodes of its own format only."""
        zarr.consolidate_metadata(os.path.join(mixed.root, "r/free.zarr"))
        zarr.create_array(os.path.join(mixed.root, "r/free.zarr/b"), shape=(1,), dtype="u1", zarr_format=2)
        assert self.told(mixed) == []

    def test_a_copy_in_a_copy(self, mixed):
        """Groups inside each other are compared each for itself."""
        zarr.consolidate_metadata(os.path.join(mixed.root, "r/box.zarr/inputs"))
        zarr.consolidate_metadata(os.path.join(mixed.root, "r/box.zarr"))
        assert self.told(mixed) == []
        shutil.rmtree(os.path.join(mixed.root, "r/box.zarr/inputs/a"))
        assert [(path, info) for path, _, info in self.told(mixed)] == [
            ("r/box.zarr", ("`inputs/a` is listed, but gone",)),
            ("r/box.zarr/inputs", ("`a` is listed, but gone",)),
        ]

    def test_a_root_that_is_a_group(self, tmp_path):
        """The root may itself be a group, and have a copy."""
        zarr.create_array(tmp_path, name="a", shape=(1,), dtype="u1")
        zarr.consolidate_metadata(tmp_path)
        shutil.rmtree(tmp_path / "a")
        assert [(one.rule, one.span.file) for one in examined(tmp_path)] == [("stale-consolidation", str(tmp_path))]

    def test_a_store_keeps_its_copies(self, box, mixed):
        """What a store creates, writes and removes leaves no stale copy behind."""
        path, _, _ = box
        kind = "old" if "old" in path else "raw"
        where = mixed.identifier(kind, run="r", name="new")
        mixed.create(where, shape=(2,), dtype="u1", seal=True)
        with mixed.writing(where) as array:
            array[:] = 1
        mixed.remove(mixed.identifier(kind, run="r", name="a"))
        assert self.told(mixed) == []

    @pytest.mark.parametrize("content", ["{", "[]", "{}", '{"metadata": []}', '{"metadata": {"a/.zarray": 1}}'])
    def test_a_damaged_copy(self, content, mixed):
        """A copy that is none is unreadable."""
        pathlib.Path(mixed.root, "r/old.zarr/.zmetadata").write_text(content)
        ((rule, path, message),) = findings(mixed, MIXED)
        assert (rule, path) == ("unreadable-path", "r/old.zarr")
        assert message.startswith("its .zmetadata is damaged: ")


class TestCollisions:
    @pytest.mark.parametrize(
        ("names", "how"),
        [
            (("Baseline", "baseline"), "case"),
            (("caf\u00e9", "cafe\u0301"), "Unicode form"),
            (("\u00c9t\u00e9", "\u00e9t\u00e9"), "case"),
            (("\u00c9", "e\u0301"), "case and Unicode form"),
            (("strasse", "stra\u00dfe"), "case"),
        ],
    )
    def test_two_names_in_one_folder(self, names, how, tmp_path):
        """Two names that a disk may take for one are told, whatever has them."""
        first, second = sorted(names)
        (tmp_path / first).mkdir()
        (tmp_path / second).touch()
        (one,) = examined(tmp_path, rules=["colliding-names"])
        assert one.span.file == str(tmp_path / second)
        assert one.message == f"`{first}` and `{second}` differ by {how} only"
        assert one.info == (() if second.isascii() else (f"they are {first!a} and {second!a}",))

    def test_folders_that_collide_are_told_alone(self, tmp_path):
        """Of what would be mixed up below two folders, only the folders are told."""
        for name in ("run", "Run", "RUN"):
            (tmp_path / name / "x").mkdir(parents=True)
        found = examined(tmp_path, rules=["colliding-names"])
        assert [one.message for one in found] == [
            "`RUN` and `Run` differ by case only",
            "`RUN` and `run` differ by case only",
        ]

    def test_names_in_different_folders_never_meet(self, tmp_path):
        """The same name in two folders is fine."""
        for name in ("a/x", "b/X", "b/y"):
            (tmp_path / name).mkdir(parents=True)
        assert examined(tmp_path, rules=["colliding-names"]) == ()


class TestDoubled:
    def test_an_array_of_two_formats(self, mixed):
        """An array of format 2 over one of format 3, as zarr writes it without an error, is told."""
        path = os.path.join(mixed.root, "r/free.zarr/a")
        zarr.create_array(path, shape=(5,), dtype="u1", zarr_format=2)
        message = "its zarr.json and its .zarray contradict each other"
        assert findings(mixed, MIXED) == [("doubled-metadata", "r/free.zarr/a", message)]

    def test_a_group_of_two_formats(self, mixed):
        """A group with the metadata of both formats is told, and so is what claims to be a group and an array."""
        zarr.create_group(os.path.join(mixed.root, "r/free.zarr"), zarr_format=2)
        pathlib.Path(mixed.root, "r/old.zarr/a/.zgroup").write_text('{"zarr_format": 2}')
        assert findings(mixed, MIXED) == [
            ("doubled-metadata", "r/free.zarr", "its zarr.json and its .zgroup contradict each other"),
            ("doubled-metadata", "r/old.zarr/a", "its .zarray and its .zgroup contradict each other"),
        ]


class TestTransactions:
    """What was removed or is on its way, and what is left of it."""

    def test_what_can_be_undone_is_no_finding(self, store):
        """What was removed and can be put back is neither a leftover, nor in the wrong place, nor unmatched."""
        for kind, options in (("box", {"recursive": True}), ("log", {})):
            values = {"run": "r", "name": "a"} if kind == "log" else {"run": "r"}
            store.remove(store.identifier(kind, **values), grace=3600, **options)
        assert os.listdir(os.path.join(store.root, "r")) == ["box.zarr"]
        assert findings(store) == []
        store.undo()
        assert findings(store) == []

    def test_an_interrupted_one(self, store):
        """A transaction whose process has died is told where its journal is, with who was at it and how to end it."""
        place = interrupt(store)
        assert findings(store) == [
            ("interrupted-transaction", place, "the removal of 'r/x' was interrupted: process 1 was at it")
        ]
        (one,) = examined(store.root)
        assert one.severity is Severity.ERROR
        assert one.help.startswith("`zarrange doctor --recover` ends it")

    def test_one_that_is_under_way(self, store):
        """A transaction whose process is at it is no finding."""
        with Descent(store.root) as descent:
            journal = begin(descent, INTENT, 0, lambda _: None)
            assert findings(store) == []
            journal.close()
            assert [rule for rule, _, _ in findings(store)] == ["interrupted-transaction"]

    def test_in_an_object_store(self):
        """A tombstone whose lease has ended is an interrupted transaction; what it keeps is no leftover."""
        backend = RemoteBackend(f"memory://{uuid.uuid4().hex}/below")
        backend.write("r/log.txt", b"log")
        intent = Intent("remove", "the removal of 'r/log.txt'", (Move("r/log.txt", None, is_folder=False),))
        done = backend.transact(intent, grace=3600)
        assert examine(backend, LAYOUT) == ()
        path = f".zarrange/tx/{done.id}.json"
        tombstone = json.loads(backend.read(path))
        tombstone |= {"step": "clearing", "lease": 0.0}
        backend.write(path, json.dumps(tombstone).encode(), replace=True)
        (one,) = examine(backend, LAYOUT)
        assert (one.rule, one.span.file) == ("interrupted-transaction", f"{backend.root}/{path}")

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"zarrange": 1}', '{"zarrange": 2}'])
    def test_a_damaged_journal(self, store, content):
        """A journal that cannot be read is unreadable; what it may know of is not called a leftover."""
        for folder in ("tx", f"trash/{'a' * 16}", f"stage/{'a' * 16}", f"trash/{'b' * 16}"):
            os.makedirs(os.path.join(store.root, ".zarrange", folder))
        journal = pathlib.Path(store.root, f".zarrange/tx/{'a' * 16}.journal")
        journal.write_text(f"{content}\n")
        first, second = findings(store)
        assert first == ("leftover-file", f".zarrange/trash/{'b' * 16}", LEAVINGS["trash"])
        assert second[:2] == ("unreadable-path", ".zarrange/tx")
        assert second[2].startswith(f"'{journal}' ")

    def test_the_rules_of_a_layout(self, store):
        """Holding a store against its layout tells of journals that cannot be read, not of what was interrupted."""
        place = interrupt(store)
        assert examined(store.root, rules=LAYOUT_RULES) == ()
        pathlib.Path(store.root, place).write_text("{")
        assert [one.rule for one in examined(store.root, rules=LAYOUT_RULES)] == ["unreadable-path"]


class TestRules:
    def test_only_what_is_asked_for(self, damaged):
        """Rules that are not asked for find nothing, and all findings are those of the rules one by one."""
        each = [one for rule in STORE_RULES for one in examined(damaged.root, MIXED, [rule])]
        whole = examined(damaged.root, MIXED)
        assert {one.rule for one in whole} == STORE_RULES.keys()
        assert sorted(each, key=lambda one: (one.span, one.rule)) == sorted(whole, key=lambda one: (one.span, one.rule))

    def test_a_rule_that_there_is_not(self, tmp_path):
        """A rule that there is not is refused."""
        with pytest.raises(ValueError, match="there is no rule 'unmatched' of stores"):
            examined(tmp_path, rules=["unmatched"])

    def test_arrays_are_not_entered_for_the_layout(self, damaged):
        """The rules of the layout alone list no folder of an array."""
        backend = Counting(damaged.root)
        assert examine(backend, MIXED, LAYOUT_RULES)
        assert backend.listed
        assert not [path for path in backend.listed if path.endswith("/a") or "/a/" in path]

    def test_nothing_is_changed(self, damaged, snapshot):
        """A store with findings of every rule is the same byte for byte afterwards."""
        before, times = snapshot(damaged.root), modified(damaged.root)
        assert examined(damaged.root, MIXED)
        assert (snapshot(damaged.root), modified(damaged.root)) == (before, times)

    def test_many_at_a_time(self, damaged):
        """Many folders at a time give what one at a time gives."""
        backend = Counting(damaged.root)
        backend.in_flight = 8
        assert examine(backend, MIXED) == examined(damaged.root, MIXED)

    def test_screens(self, damaged, tmp_path, monkeypatch):
        """Each finding is drawn with its path, what proves it and what would help."""
        os.rename(damaged.root, tmp_path / "runs")
        monkeypatch.chdir(tmp_path)
        assert diagnostics_as_text(examine(LocalBackend("runs"), MIXED)) == SCREENS


class TestObjectStore:
    @pytest.fixture
    def copied(self, damaged, snapshot):
        """The damaged store in an object store, as far as there are files to copy."""
        for path in ("r/Box.zarr/x", "r/box.zarr/inputs/d/x", ".zarrange/trash/x"):
            os.makedirs(os.path.dirname(os.path.join(damaged.root, path)), exist_ok=True)
            open(os.path.join(damaged.root, path), "x").close()
        backend = RemoteBackend(f"memory://{uuid.uuid4().hex}/below")
        for path, (sort, *_, content) in snapshot(damaged.root).items():
            if sort == stat.S_IFREG:
                backend.write(path, content)
        return backend

    def test_it_finds_the_same(self, copied, damaged):
        """In an object store the same is found as on disk, but for symlinks and what lies among chunks."""
        there = [
            (one.rule, one.span.file.removeprefix(copied.root), one.message, one.info) for one in examine(copied, MIXED)
        ]
        here = examined(damaged.root, MIXED)
        only_here = {
            "interrupted-transaction": ["/.zarrange/tx/0123456789abcdef.journal"],
            "unreadable-path": ["/r/link"],
            "leftover-file": [f"/r/old.zarr/a/0.{'0f' * 16}.partial"],
        }
        assert there == [
            (one.rule, path, one.message, one.info)
            for one in here
            if (path := one.span.file.removeprefix(damaged.root)) not in only_here.get(one.rule, ())
        ]
        assert {rule for rule, *_ in there} == STORE_RULES.keys() - {"unreadable-path", "interrupted-transaction"}

    def test_nothing_is_written(self, copied):
        """No object is written or removed."""
        before = objects(copied)
        assert examine(copied, MIXED)
        assert objects(copied) == before

    def test_a_file_and_a_folder_of_one_name(self, copied):
        """A name that both a file and a folder have could not be copied to a disk."""
        copied.write("r/free.zarr", b"x")
        found = examine(copied, MIXED, ["colliding-names"])
        assert [(one.span.file, one.message) for one in found][1:] == [
            (f"{copied.root}/r/free.zarr", "it is a file as well as a folder")
        ]

    def test_a_root_without_anything_below(self):
        """An object store with nothing below the root is no empty store: the root may be misspelled."""
        with pytest.raises(NotADirectoryError, match="'memory://nothing/here' has nothing below it"):
            examine(RemoteBackend("memory://nothing/here"), MIXED)


def objects(backend):
    """The content of each object."""
    paths = [path for page in backend.pages("", Requests()) for path in page]
    return {path: backend.read(path) for path in paths}


class TestRoot:
    @pytest.mark.parametrize("name", ["missing", "file"])
    def test_a_root_that_is_no_folder(self, name, tmp_path):
        """A root that is missing, or a file, is no empty store."""
        (tmp_path / "file").touch()
        with pytest.raises(NotADirectoryError, match=f"'.*{name}' is no folder, so there is no store to check"):
            examined(tmp_path / name)


@pytest.mark.parametrize("rule", STORE_RULES)
def test_rules_are_explained(rule):
    """Each rule of stores has its four parts, and makes findings of its own name and severity."""
    finding, severity = STORE_RULES[rule]
    made = finding("a path", *["something"] * (rule != "unfinished-array"))
    assert (made.rule, made.severity) == (rule, severity)
    parts = [line.strip() for line in finding.__doc__.splitlines() if line.strip().startswith("## ")]
    assert parts == ["## What it does", "## Why is this bad?", "## Example", "## Use instead"]
