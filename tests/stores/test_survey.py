"""Everything that is in a store, nothing folded."""

from __future__ import annotations

import os
import socket
import uuid

import pytest
import zarr
from hypothesis import given, strategies as st

from zarrange import Layout, Store
from zarrange.stores.backend import FOLDER, Found
from zarrange.stores.doctor.survey import BATCH, Mismatched, Unmatched, survey
from zarrange.stores.entries import Entry, Unreadable
from zarrange.stores.local import LocalBackend
from zarrange.stores.metadata import Node
from zarrange.stores.remote import RemoteBackend

LAYOUT = Layout.parse("""\
zarrange: 1
fields: {run: {type: str}, name: {type: str}}
containers: {box: {path: "{{ run }}/box.zarr", zarr_format: 3}}
groups: {inputs: {container: box, path: inputs}}
arrays: {raw: {container: box, path: "inputs/{{ name }}"}}
files: {log: {path: "{{ run }}/{{ name }}.txt"}}
""")
AMBIGUOUS = Layout.parse("""\
zarrange: 1
fields: {run: {type: str}, name: {type: str}}
files: {log: {path: "logs/{{ run }}-{{ name }}"}}
groups: {inputs: {container: box, path: "{{ run }}"}}
containers: {box: {path: "{{ name }}.zarr"}}
arrays: {raw: {container: box, path: "{{ run }}"}}
allow:
  - {rule: ambiguous-template, kinds: [log], because: old names}
  - {rule: overlapping-kinds, kinds: [inputs, raw], because: old names}
""")


NESTED = Layout.parse("""\
zarrange: 1
fields: {name: {type: path, charset: portable, exclude: [odd, "(.*/)?log"]}}
containers: {box: {path: b}}
arrays: {raw: {container: box, path: "{{ name }}"}}
files: {log: {path: log}}
allow: [{rule: nested-kinds, kinds: [raw], because: groups above}]
""")
NAMES = st.sampled_from(["b", "odd", "log", "array", "x"])
TREES = st.recursive(
    st.dictionaries(NAMES, st.none(), max_size=3),
    lambda below: st.dictionaries(NAMES, st.none() | below, max_size=4),
    max_leaves=12,
)


class Listed(LocalBackend):
    """A local folder that knows what was listed, and may be listed by several threads."""

    def __init__(self, root, in_flight=1):
        super().__init__(os.fspath(root))
        self.in_flight = in_flight
        self.listed = []

    def items(self, path, requests):
        self.listed.append(path)
        return super().items(path, requests)


class Named:
    """A backend with folders of given items below a root; what is called `array` is one."""

    root = "memory://named"

    def __init__(self, folders, in_flight=1):
        self.folders = folders
        self.in_flight = in_flight

    def look(self, path, _):
        return Found("array", Node("array", 3, (1,), "uint8")) if path.endswith("array") else FOLDER

    def stat(self, *_, **__):
        return "folder"

    def items(self, path, _):
        return self.folders.get(path, [])


@pytest.fixture
def store(tmp_path):
    """A store with one artifact of each kind."""
    made = Store(tmp_path / "root", LAYOUT)
    made.create(made.identifier("raw", run="r", name="a"), shape=(2,), dtype="u1", chunks=(1,))[:] = 1
    made.create(made.identifier("log", run="r", name="a")).close()
    return made


def told(root, layout=LAYOUT):
    """What a survey says, in its order: the path with the kinds of an entry, or with what is wrong."""
    backend = root if not isinstance(root, str | os.PathLike) else LocalBackend(os.fspath(root))
    return [(one.path, said(one)) for one in survey(backend, layout)]


def said(thing):
    match thing:
        case Entry():
            return [str(key) for key in thing.readings] if thing.is_ambiguous else thing.key.kind
        case Unmatched():
            return f"unmatched {thing.what}"
        case Mismatched():
            return f"mismatched: {thing.message}"
        case Unreadable():
            return f"unreadable: {thing.reason}"


class TestMatched:
    def test_every_artifact_is_an_entry(self, store):
        """Containers, groups, arrays and files are entries, in the order of their paths."""
        assert told(store.root) == [
            ("r/a.txt", "log"),
            ("r/box.zarr", "box"),
            ("r/box.zarr/inputs", "inputs"),
            ("r/box.zarr/inputs/a", "raw"),
        ]

    def test_entries_are_those_of_the_catalog(self, store):
        """What is matched is what `find` finds, down to its metadata and its identifier."""
        surveyed = [*survey(LocalBackend(store.root), LAYOUT)]
        found = [*store.find()]
        assert surveyed == found
        assert [one.identifier for one in surveyed] == [one.identifier for one in found]
        assert [one.metadata for one in surveyed] == [one.metadata for one in found]

    def test_ambiguous_paths_have_all_readings(self, tmp_path):
        """On a layout that allows it, a path may have several readings; those that what is there can be count."""
        made = Store(tmp_path, AMBIGUOUS)
        made.create(made.identifier("log", run="a", name="b-c")).close()
        zarr.create_array(tmp_path / "x.zarr/y", shape=(1,), dtype="u1")
        assert told(tmp_path, AMBIGUOUS) == [
            ("logs/a-b-c", ['log(run="a", name="b-c")', 'log(run="a-b", name="c")']),
            ("x.zarr", "box"),
            ("x.zarr/y", "raw"),
        ]

    def test_arrays_are_not_entered(self, store):
        """No folder of an array is listed, and every other one once."""
        backend = Listed(store.root)
        assert told(backend) == told(store.root)
        assert backend.listed == ["", "r", "r/box.zarr", "r/box.zarr/inputs"]

    def test_a_container_needs_no_metadata(self, tmp_path):
        """A folder is a container where the layout has one; a group of zarr must be one."""
        (tmp_path / "r/box.zarr/inputs").mkdir(parents=True)
        assert told(tmp_path) == [
            ("r/box.zarr", "box"),
            ("r/box.zarr/inputs", "mismatched: a folder is where the layout has a group of `inputs`"),
        ]
        zarr.create_array(tmp_path / "r/box.zarr/inputs/a", shape=(1,), dtype="u1")
        assert told(tmp_path) == [("r/box.zarr", "box"), ("r/box.zarr/inputs/a", "raw")]

    def test_another_zarr_format(self, tmp_path):
        """A node of another format than the layout fixes is no entry, also if something of the layout is below."""
        for at in (2, 3):
            zarr.create_group(tmp_path / f"r{at}/box.zarr", zarr_format=at)
            zarr.create_array(tmp_path / f"r{at}/box.zarr/inputs/a", shape=(1,), dtype="u1", zarr_format=at)
        assert told(tmp_path) == [
            ("r2/box.zarr", "mismatched: zarr format 2 is where the layout has format 3 (`box`)"),
            ("r2/box.zarr/inputs/a", "mismatched: zarr format 2 is where the layout has format 3 (`raw`)"),
            ("r3/box.zarr", "box"),
            ("r3/box.zarr/inputs/a", "raw"),
        ]


class TestUnmatched:
    def test_the_topmost_folder_is_told(self, store):
        """Of folders in which nothing belongs to the layout the topmost is told, of others what is strange in them."""
        for path in ("s/deep/er", "r/odd/b.zarr", "r/box.zarr/odd"):
            os.makedirs(os.path.join(store.root, path))
        for path in ("s/notes", "r/odd/notes", "notes"):
            open(os.path.join(store.root, path), "x").close()
        assert [one for one in told(store.root) if one[1].startswith("unmatched")] == [
            ("notes", "unmatched file"),
            ("r/box.zarr/odd", "unmatched folder"),
            ("r/odd", "unmatched folder"),
            ("s", "unmatched folder"),
        ]

    @pytest.mark.parametrize("late", ["a", "m", "z"])
    def test_it_is_the_same_wherever_the_artifact_stands(self, late, tmp_path):
        """What is strange beside an artifact is told, whether it comes before it or after it."""
        for name in ("b", "n/o", "n/p", "y"):
            (tmp_path / "r" / name).mkdir(parents=True)
        (tmp_path / "r" / f"{late}.txt").touch()
        strange = [(f"r/{name}", "unmatched folder") for name in ("b", "n", "y")]
        assert told(tmp_path) == sorted([*strange, (f"r/{late}.txt", "log")])

    def test_it_counts_as_the_layouts_what_cannot_be_read(self, tmp_path):
        """A folder with something that cannot be read is no stranger: nobody knows what is there."""
        (tmp_path / "other/deep").mkdir(parents=True)
        (tmp_path / "other/link").symlink_to("nowhere")
        assert told(tmp_path) == [
            ("other/deep", "unmatched folder"),
            ("other/link", "unreadable: it is a symlink that leads nowhere"),
        ]

    def test_a_root_that_is_an_array(self, tmp_path):
        """A root that is itself an array is told, and not entered."""
        zarr.create_array(tmp_path, shape=(1,), dtype="u1")[:] = 1
        assert told(tmp_path) == [("", "unmatched array")]


class TestMismatched:
    def test_what_may_be_a_way_is_told_if_it_leads_nowhere(self, store):
        """A folder or a group in an array's place is told, unless something of the layout is in it."""
        os.makedirs(os.path.join(store.root, "r/box.zarr/inputs/b"))
        zarr.open_group(os.path.join(store.root, "r/box.zarr/inputs/c"), mode="w").create_group("d")
        assert told(store.root)[-3:] == [
            ("r/box.zarr/inputs/b", "mismatched: a folder is where the layout has an array of `raw`"),
            ("r/box.zarr/inputs/c", "mismatched: a group is where the layout has an array of `raw`"),
            ("r/box.zarr/inputs/c/d", "unmatched group"),
        ]
        nested = Layout.parse("""\
zarrange: 1
fields: {name: {type: path}}
containers: {box: {path: box.zarr}}
arrays: {raw: {container: box, path: "{{ name }}"}}
allow: [{rule: nested-kinds, kinds: [raw], because: groups above}]
""")
        assert told(os.path.join(store.root, "r"), nested)[-4:] == [
            ("box.zarr", "box"),
            ("box.zarr/inputs/a", "raw"),
            ("box.zarr/inputs/b", "mismatched: a folder is where the layout has an array of `raw`"),
            ("box.zarr/inputs/c/d", "mismatched: a group is where the layout has an array of `raw`"),
        ]

    def test_what_is_no_way(self, tmp_path):
        """A file in a folder's place, a folder in a file's, an array in a group's are told."""
        (tmp_path / "r/a.txt").mkdir(parents=True)
        (tmp_path / "r/box.zarr").touch()
        zarr.create_array(tmp_path / "s/box.zarr/inputs", shape=(1,), dtype="u1")
        assert told(tmp_path) == [
            ("r/a.txt", "mismatched: a folder is where the layout has a file of `log`"),
            ("r/box.zarr", "mismatched: a file is where the layout has a container of `box`"),
            ("s/box.zarr", "box"),
            ("s/box.zarr/inputs", "mismatched: an array is where the layout has a group of `inputs`"),
        ]


class TestUnreadable:
    def test_symlinks(self, store, tmp_path):
        """Symlinks are told by where they lead, and none is followed."""
        (tmp_path / "outside").mkdir()
        for name, target in (
            ("out", tmp_path / "outside"),
            ("loop", "loop"),
            ("same", "box.zarr"),
            ("lost", "nowhere"),
        ):
            os.symlink(target, os.path.join(store.root, "r", name))
        reasons = {path[2:]: what for path, what in told(store.root) if what.startswith("unreadable: it is a symlink")}
        assert reasons.pop("loop").startswith("unreadable: it is a symlink that cannot be followed: ")
        assert reasons == {
            "out": "unreadable: it is a symlink that leads out of the store, which does not follow it",
            "same": "unreadable: it is a symlink, which a store does not follow",
            "lost": "unreadable: it is a symlink that leads nowhere",
        }

    def test_special_files(self, store, monkeypatch):
        """A named pipe and a socket are told, and not opened."""
        os.mkfifo(os.path.join(store.root, "r/pipe.txt"))
        monkeypatch.chdir(os.path.join(store.root, "r"))
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind("socket.txt")
            found = dict(told(store.root))
        reason = "unreadable: it is neither a folder nor a regular file"
        assert (found["r/pipe.txt"], found["r/socket.txt"]) == (reason, reason)

    def test_names_that_are_not_text(self, store):
        """Names that are not UTF-8 are told, of folders and of files, and the folders are not entered."""
        root = os.fsencode(store.root)
        os.makedirs(os.path.join(root, b"r/\xff/below"))
        open(os.path.join(root, b"\xfe.txt"), "x").close()
        reason = "unreadable: its name is not UTF-8"
        assert [(os.fsencode(path), what) for path, what in told(store.root) if what == reason] == [
            (b"r/\xff", reason),
            (b"\xfe.txt", reason),
        ]

    @pytest.mark.parametrize("name", ["zarr.json", ".zarray", ".zgroup"])
    def test_a_folder_with_the_name_of_metadata(self, name, tmp_path):
        """Where a folder has the name of a metadata file, the folder that it is in cannot be read."""
        (tmp_path / "r/box.zarr" / name / "below").mkdir(parents=True)
        assert told(tmp_path) == [("r/box.zarr", f"unreadable: its {name} is damaged: it is not a file")]

    def test_metadata_that_nobody_has_read_yet(self, store):
        """What stands beside valid metadata with the name of others is told by itself."""
        os.mkdir(os.path.join(store.root, "r/box.zarr/.zattrs"))
        os.symlink("zarr.json", os.path.join(store.root, "r/box.zarr/.zgroup"))
        assert [one for one in told(store.root) if "unreadable" in one[1]] == [
            ("r/box.zarr/.zattrs", "unreadable: it is a folder, and has the name of a metadata file"),
            ("r/box.zarr/.zgroup", "unreadable: it is a symlink, which a store does not follow"),
        ]

    def test_damaged_metadata(self, store):
        """Metadata that are damaged are told; what is below them may be anything, and is not listed."""
        with open(os.path.join(store.root, "r/box.zarr/inputs/zarr.json"), "w") as file:
            file.write("{}")
        assert told(store.root)[-1] == (
            "r/box.zarr/inputs",
            "unreadable: its zarr.json is damaged: its node_type is None",
        )

    def test_a_root_with_damaged_metadata(self, store):
        """The root's own metadata may be damaged: what is below it is told all the same."""
        whole = told(store.root)
        with open(os.path.join(store.root, "zarr.json"), "w") as file:
            file.write("[]")
        assert told(store.root) == [("", "unreadable: its zarr.json is damaged: it is not a JSON object"), *whole]

    def test_permission_denied(self, shared_folder, as_nobody):
        """What may not be listed, or not be looked at, is unreadable; the rest is told."""
        made = Store(shared_folder / "root", LAYOUT)
        for run in "rst":
            made.create(made.identifier("raw", run=run, name="a"), shape=(1,), dtype="u1")
        (shared_folder / "root/r/box.zarr/inputs").chmod(0o711)
        (shared_folder / "root/s/box.zarr/inputs").chmod(0o744)
        (shared_folder / "root/t/box.zarr/zarr.json").chmod(0)
        denied = "unreadable: cannot be read: permission denied"
        with as_nobody():
            found = told(made.root)
        assert found == [
            ("r/box.zarr", "box"),
            ("r/box.zarr/inputs", "inputs"),
            ("r/box.zarr/inputs", denied),
            ("s/box.zarr", "box"),
            ("s/box.zarr/inputs", denied),
            ("t/box.zarr", denied),
        ]

    def test_a_working_folder_that_is_none(self, store):
        """The working folder is the store's own; something else of that name is told."""
        whole = told(store.root)
        os.mkdir(os.path.join(store.root, ".zarrange"))
        assert told(store.root) == whole
        os.rmdir(os.path.join(store.root, ".zarrange"))
        open(os.path.join(store.root, ".zarrange"), "x").close()
        assert told(store.root) == [(".zarrange", "unmatched file"), *whole]

    @pytest.mark.parametrize("name", ["", ".", ".."])
    @pytest.mark.parametrize("folder", ["", "r"])
    def test_keys_that_are_no_paths(self, folder, name):
        """Keys with an empty segment, or one of dots, are told; nobody goes in circles."""
        backend = Named({"": [("r", "folder")], "r": [("a.txt", "file")]})
        backend.folders[folder] = [*backend.folders[folder], (name, "folder")]
        reason = "unreadable: its key has an empty segment, or one of dots, as no path has"
        assert sorted(told(backend)) == sorted([("r/a.txt", "log"), (f"{folder}/{name}", reason)])


class TestOrder:
    def test_it_is_that_of_the_paths(self, tmp_path):
        """Things come in the order of their paths, a folder as if its name ended with a slash, and many at a time."""
        for name in ("a", "a-b", "a0", "b"):
            (tmp_path / name / "x").mkdir(parents=True)
            (tmp_path / name / "x.txt").touch()
            (tmp_path / f"{name}.log").touch()
        alone = ["a-b.log", "a-b/x.txt", "a-b/x", "a.log", "a/x.txt", "a/x", "a0.log", "a0/x.txt", "a0/x"]
        assert [path for path, _ in told(tmp_path)][:9] == alone
        for _ in range(5):
            assert told(Listed(tmp_path, in_flight=8)) == told(tmp_path)

    def test_many_files_in_one_folder(self):
        """Files between two folders are told in order, however many they are."""
        names = [f"{at:05d}" for at in range(3 * BATCH)]
        items = [
            (f"{name}.txt" if at % 1111 else name, "file" if at % 1111 else "folder") for at, name in enumerate(names)
        ]
        found = told(Named({"": [("r", "folder")], "r": items[::-1]}, in_flight=4))
        assert found == [(f"r/{name}", "log" if sort == "file" else "unmatched folder") for name, sort in items]


class TestTopmost:
    @given(tree=TREES, in_flight=st.sampled_from([1, 3]))
    def test_by_hand(self, tree, in_flight):
        """What is told of any tree is what a search from each folder down says of it."""
        folders = {}
        spread("", tree, folders)
        assert told(Named(folders, in_flight), NESTED) == [*by_hand("", tree)]


def spread(path, tree, folders):
    """Put what a backend has in each folder of a tree into `folders`."""
    folders[path] = [(name, "folder" if isinstance(below, dict) else "file") for name, below in tree.items()]
    for name, below in tree.items():
        if isinstance(below, dict):
            spread(f"{path}/{name}".lstrip("/"), below, folders)


def by_hand(path, tree):
    """What a survey of a tree is to tell."""
    for name, below in sorted(tree.items(), key=lambda one: one[0] + "/" * isinstance(one[1], dict)):
        whole = f"{path}/{name}".lstrip("/")
        what = "file" if below is None else "array" if name == "array" else "folder"
        key = NESTED.match(whole)
        is_way = what == "folder" and belongs(whole, below)
        if key is not None and what == {"raw": "array", "log": "file", "box": "folder"}[key.kind]:
            yield whole, key.kind
        elif key is not None and not is_way:
            wanted = {"raw": "an array", "log": "a file", "box": "a container"}[key.kind]
            article = "an" if what == "array" else "a"
            yield whole, f"mismatched: {article} {what} is where the layout has {wanted} of `{key.kind}`"
        elif key is None and not is_way:
            yield whole, f"unmatched {what}"
            continue
        if what == "folder":
            yield from by_hand(whole, below)


def belongs(path, tree):
    """Whether something below a folder is at a path of the layout, be it something else than it should be."""
    return any(
        NESTED.match(f"{path}/{name}") or (below is not None and name != "array" and belongs(f"{path}/{name}", below))
        for name, below in tree.items()
    )


class TestObjectStore:
    def test_it_tells_the_same(self, store):
        """A store is told in an object store as it is on disk."""
        for path in ("r/box.zarr/inputs/b/c", "other/deep/notes", "r/notes"):
            os.makedirs(os.path.dirname(os.path.join(store.root, path)), exist_ok=True)
            open(os.path.join(store.root, path), "x").close()
        backend = RemoteBackend(f"memory://{uuid.uuid4().hex}")
        for folder, _, files in os.walk(store.root):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    backend.write(os.path.relpath(file.name, store.root), file.read())
        assert told(backend) == told(store.root)
        assert [what for _, what in told(backend) if what.startswith(("unmatched", "mismatched"))] == [
            "unmatched folder",
            "mismatched: a folder is where the layout has an array of `raw`",
            "unmatched file",
            "unmatched file",
        ]
