"""Store: a layout applied to a local folder, with real zarr arrays in it."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import zarr

from zarrange import (
    ArrayIdentifier,
    ContainerIdentifier,
    FileIdentifier,
    GroupIdentifier,
    Key,
    Layout,
    LayoutError,
    Store,
    StoreError,
)
from zarrange.errors import (
    AlreadyExistsError,
    AmbiguousPathError,
    FieldError,
    LeftoverError,
    NotFoundError,
    NotInStoreError,
    UnknownKindError,
)

IMAGE = {"run": "r1", "step": 1, "volume": "raw"}
ARRAYS = ["image", "old_image"]
GROUPS = ["part", "old_part"]
CONTAINERS = ["box", "old_box"]
KINDS = [*ARRAYS, *GROUPS, *CONTAINERS, "note"]


def identify(store, kind, **changes):
    wanted = store.layout.kind(kind).fields
    return store.identifier(kind, **{name: value for name, value in (IMAGE | changes).items() if name in wanted})


def create(store, kind, **changes):
    """Create one artifact of any kind, with something in it."""
    identifier = identify(store, kind, **changes)
    if isinstance(identifier, ArrayIdentifier):
        store.create(identifier, shape=(4, 4), dtype="f4", chunks=(2, 2))[...] = 1
    elif isinstance(identifier, FileIdentifier):
        with store.create(identifier) as file:
            file.write(b"text")
    else:
        store.create(identifier)
    return identifier


@pytest.fixture(scope="module")
def model(tmp_path_factory, layout):
    """A store with neighbors of everything that the tests remove."""
    store = Store(tmp_path_factory.mktemp("model"), layout)
    for kind in ("image", "old_image", "note"):
        create(store, kind, step=11)
        create(store, kind, run="r11")
    create(store, "image", volume="raw2")
    create(store, "image", volume="more/raw")
    create(store, "part", step=2)
    return store


@pytest.fixture
def full(store, model):
    """A copy of it: copying is quicker than creating."""
    shutil.copytree(model.root, store.root, dirs_exist_ok=True)
    return store


class TestRoot:
    """A store's root is a local folder."""

    def test_relative(self, tmp_path, layout, monkeypatch):
        """A relative root is relative to the working directory at the moment that the store is made."""
        monkeypatch.chdir(tmp_path)
        store = Store("runs", layout)
        monkeypatch.chdir("/")
        assert store.root == str(tmp_path / "runs")
        assert identify(store, "note").path == f"{tmp_path}/runs/r1/notes/1.txt"

    def test_home(self, tmp_path, layout, monkeypatch):
        """A root may start with `~`."""
        monkeypatch.setenv("HOME", str(tmp_path))
        assert Store("~/runs", layout).root == str(tmp_path / "runs")

    @pytest.mark.parametrize("written", ["{}", "{}/", "{}/.", "{}/sub/..", "{}//"])
    def test_one_form(self, root, layout, written):
        """However a root is written, its artifacts have one path."""
        assert identify(Store(written.format(root), layout), "note").path == f"{root}/r1/notes/1.txt"

    def test_path_object(self, root, layout):
        """A root may be a path object."""
        assert Store(root, layout).root == str(root)

    def test_top(self, layout):
        """The root of the file system is a root like any other."""
        store = Store("/", layout)
        identifier = identify(store, "note")
        assert identifier.path == "/r1/notes/1.txt"
        assert store.key(identifier) == Key("note", {"run": "r1", "step": 1})

    def test_need_not_exist(self, root, layout):
        """A root that does not exist is made when something is created, and not before."""
        store = Store(root / "new" / "newer", layout)
        assert not store.exists(identify(store, "image"))
        assert os.listdir(root) == []
        create(store, "image")
        assert store.exists(identify(store, "image"))

    def test_symlink(self, root, tmp_path, layout):
        """A root may be a symlink: what is created through it can be opened and removed through it."""
        (tmp_path / "link").symlink_to(root)
        store = Store(tmp_path / "link", layout)
        for kind in KINDS:
            identifier = create(store, kind, run=kind.replace("_", "-"))
            assert store.exists(identifier)
            store.remove(identifier, recursive=True)
            assert not store.exists(identifier)

    @pytest.mark.parametrize("root", ["s3://key:5ecr3t@bucket", "https://host/x?sig=5ecr3t", "file:///tmp", ""])
    def test_refused(self, layout, root):
        """A URL and an empty root are refused, and no secret is shown."""
        with pytest.raises(ValueError, match="root") as caught:
            Store(root, layout)
        assert "5ecr3t" not in str(caught.value)

    def test_layout(self, root, tmp_path, layout):
        """A layout is given as one, by the name of a shipped one, or by its path."""
        (tmp_path / "mine.yaml").write_text(next(iter(layout._sources)).text)
        assert Store(root, layout).layout is layout
        assert Store(root, "training").layout.name == "training"
        assert Store(root, tmp_path / "mine.yaml").layout.name == "small"
        with pytest.raises((LayoutError, OSError)):
            Store(root, tmp_path / "absent.yaml")

    def test_shown(self, store, root):
        """A store shows its root and its layout."""
        assert repr(store) == f"Store({str(root)!r}, layout='small')"

    def test_pickle(self, full):
        """A store pickles, so that other processes can use it."""
        again = pickle.loads(pickle.dumps(full))
        assert again.root == full.root
        assert again.open(identify(again, "image", step=11))[0, 0] == 1


class TestIdentifiers:
    """A store gives the identifiers below its root, and their keys."""

    @pytest.mark.parametrize(
        ("kind", "cls", "path"),
        [
            ("box", ContainerIdentifier, "r1/box.zarr"),
            ("part", GroupIdentifier, "r1/box.zarr/parts/1"),
            ("image", ArrayIdentifier, "r1/box.zarr/images/1/raw"),
            ("note", FileIdentifier, "r1/notes/1.txt"),
        ],
    )
    def test_identifier(self, store, root, kind, cls, path):
        """Each sort has its class, and a path below the root."""
        identifier = identify(store, kind)
        assert type(identifier) is cls
        assert identifier.path == f"{root}/{path}"

    @pytest.mark.parametrize("kind", KINDS)
    def test_key(self, store, kind):
        """The key of an identifier has the values that it was made of, and names the same place."""
        key = store.key(identify(store, kind))
        assert key.kind == kind
        assert dict(key.values) == {name: IMAGE[name] for name in store.layout.kind(kind).fields}
        assert store.identifier(key.kind, **key.values) == identify(store, kind)

    def test_errors(self, store):
        """What the layout refuses is refused, and nothing is made."""
        with pytest.raises(UnknownKindError):
            store.identifier("imgae", run="r1")
        with pytest.raises(FieldError):
            store.identifier("note", run="..", step=1)
        with pytest.raises(FieldError):
            store.create(Key("note", {"run": "r1", "step": -1}))
        with pytest.raises(UnknownKindError):
            store.exists(Key("imgae"))
        assert os.listdir(store.root) == []

    def test_ambiguous(self, root):
        """In a layout that allows clashes, the key of a path with two readings is an error, and its place works."""
        store = Store(root, "dacapo")
        raw = store.identifier("validation_raw", run="r1")
        store.create(raw, data=np.ones(3))
        with pytest.raises(AmbiguousPathError):
            store.key(raw)
        assert store.exists(raw)
        store.remove(raw)
        assert not store.exists(raw)

    def test_no_zarr(self, root):
        """Identifying and looking import neither zarr nor numpy."""
        script = f"""
import sys
from zarrange import Store
store = Store({str(root)!r}, "training")
where = store.identifier("validation_raw", run="r1")
assert not store.exists(where) and store.key(where)["run"] == "r1"
print({{"zarr", "numpy"}} & sys.modules.keys())
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"


FOREIGN = {
    "other root": lambda _: FileIdentifier("/elsewhere/r1/notes/1.txt"),
    "prefix that looks like the root": lambda root: FileIdentifier(f"{root}2/r1/notes/1.txt"),
    "root without its slash": lambda root: FileIdentifier(f"{root}r1/notes/1.txt"),
    "relative": lambda _: FileIdentifier("r1/notes/1.txt"),
    "the root": lambda root: ContainerIdentifier(str(root)),
    "the root, with a slash": lambda root: ContainerIdentifier(f"{root}/"),
    "climbing in between": lambda root: FileIdentifier(f"{root}/../store/r1/notes/1.txt"),
    "climbing below": lambda root: FileIdentifier(f"{root}/r1/../r1/notes/1.txt"),
    "climbing out": lambda root: FileIdentifier(f"{root}/../outside"),
    "a dot": lambda root: FileIdentifier(f"{root}/./r1/notes/1.txt"),
    "two slashes": lambda root: FileIdentifier(f"{root}//r1/notes/1.txt"),
    "a slash at the end": lambda root: FileIdentifier(f"{root}/r1/notes/1.txt/"),
    "no path of the layout": lambda root: FileIdentifier(f"{root}/r1/readme.txt"),
    "another form of a value": lambda root: FileIdentifier(f"{root}/r1/notes/01.txt"),
    "array of another layout": lambda root: ArrayIdentifier(f"{root}/r1/box.zarr", "predictions/1"),
    "container cut elsewhere": lambda root: ArrayIdentifier(f"{root}/r1", "box.zarr/images/1/raw"),
    "array that is no group": lambda root: ArrayIdentifier(f"{root}/r1/box.zarr", "parts/1"),
    "group that is no array": lambda root: GroupIdentifier(f"{root}/r1/box.zarr", "images/1/raw"),
    "container as a file": lambda root: FileIdentifier(f"{root}/r1/box.zarr"),
    "array as a file": lambda root: FileIdentifier(f"{root}/r1/box.zarr/images/1/raw"),
    "array as a container": lambda root: ContainerIdentifier(f"{root}/r1/box.zarr/images/1/raw"),
    "chunk": lambda root: FileIdentifier(f"{root}/r1/box.zarr/images/1/raw/c/0/0"),
}


class TestForeign:
    """What does not belong to the store is a `ValueError` before anything is touched."""

    @pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
    def test_refused(self, full, root, tmp_path, snapshot, make):
        """Every operation refuses it, and the whole store, and what is beside it, stays as it is."""
        for kind in ("image", "part", "note"):
            if not full.exists(identify(full, kind)):
                create(full, kind)
        shutil.copytree(root, tmp_path / "store2")
        (tmp_path / "outside").write_text("mine")
        before = snapshot(tmp_path)
        for operation in (full.key, full.create, full.open, full.exists, full.remove):
            with pytest.raises(ValueError, match=r"is not below the store's root|is no path of the layout"):
                operation(make(root))
            assert snapshot(tmp_path) == before
        with pytest.raises(NotInStoreError):
            full.remove(make(root), recursive=True)
        assert snapshot(tmp_path) == before


@pytest.mark.parametrize("artifact", [None, 7, "r1/notes/1.txt", Path("r1/notes/1.txt"), ("note", {}), b"x"])
@pytest.mark.parametrize("operation", ["create", "open", "exists", "remove"])
def test_no_artifact(store, artifact, operation):
    """What is neither an identifier nor a key is a `TypeError`."""
    with pytest.raises(TypeError, match="expected an identifier or a key, got"):
        getattr(store, operation)(artifact)
    assert os.listdir(store.root) == []


class TestCreate:
    """`create` makes an artifact, with the groups above it, and overwrites nothing."""

    @pytest.mark.parametrize("kind", ARRAYS)
    @pytest.mark.parametrize("as_key", [False, True])
    def test_array(self, store, kind, as_key):
        """An array is returned open for writing, in the zarr format of its kind, and reads back."""
        identifier = identify(store, kind, volume="a/b c")
        array = store.create(
            store.key(identifier) if as_key else identifier,
            shape=(4, 4),
            dtype="i2",
            chunks=(2, 2),
            attributes={"a": 1},
        )
        array[1:, 1:] = 7
        assert isinstance(array, zarr.Array)
        again = store.open(identifier)
        assert (again.shape, again.dtype, again.chunks) == ((4, 4), np.dtype("i2"), (2, 2))
        assert again.metadata.zarr_format == (2 if kind == "old_image" else 3)
        assert dict(again.attrs) == {"a": 1}
        assert again[...].sum() == 7 * 9

    @pytest.mark.parametrize("kind", [*GROUPS, *CONTAINERS])
    def test_group_and_container(self, store, kind):
        """A group and a container are returned as groups open for writing, in the zarr format of their kind."""
        group = store.create(identify(store, kind), attributes={"a": 1})
        group.attrs["b"] = 2
        assert isinstance(group, zarr.Group)
        assert dict(store.open(identify(store, kind)).attrs) == {"a": 1, "b": 2}
        assert group.metadata.zarr_format == (2 if kind.startswith("old") else 3)

    def test_file(self, store):
        """A file is returned open for writing bytes."""
        with store.create(identify(store, "note")) as file:
            file.write(b"text")
        with store.open(identify(store, "note")) as file:
            assert file.read() == b"text"

    def test_data(self, store):
        """An array can be made of its data."""
        data = np.arange(12).reshape(3, 4)
        store.create(identify(store, "image"), data=data)
        assert (store.open(identify(store, "image"))[...] == data).all()

    @pytest.mark.parametrize("kind", [*ARRAYS, *GROUPS])
    def test_parents_are_groups(self, store, kind):
        """Every folder between the container and what is created is a proper group, so that the container lists it."""
        identifier = identify(store, kind, volume="a/b")
        create(store, kind, volume="a/b")
        members = dict(zarr.open(identifier.container, mode="r").members(max_depth=None))
        steps = identifier.dataset.split("/")
        assert sorted(members) == ["/".join(steps[:length]) for length in range(1, len(steps) + 1)]
        *parents, last = (members[name] for name in sorted(members))
        assert all(isinstance(parent, zarr.Group) for parent in parents)
        assert isinstance(last, zarr.Array if kind in ARRAYS else zarr.Group)
        assert {member.metadata.zarr_format for member in members.values()} == {2 if kind.startswith("old") else 3}

    @pytest.mark.parametrize("kind", [*ARRAYS, *GROUPS, *CONTAINERS])
    def test_nothing_above_the_container(self, store, root, kind):
        """No metadata is written above the container, and nothing beside it."""
        create(store, kind)
        assert os.listdir(root) == ["r1"]
        assert len(os.listdir(root / "r1")) == 1

    def test_parents_that_exist(self, store, snapshot):
        """Groups that exist already keep what they have."""
        store.create(identify(store, "box"), attributes={"mine": 1})
        create(store, "image", volume="a")
        zarr.open_group(f"{identify(store, 'box').path}/images", mode="r+").attrs["mine"] = 2
        before = snapshot(store.root)
        create(store, "image", volume="b")
        after = snapshot(store.root)
        assert {name: after[name] for name in before} == before

    @pytest.mark.parametrize("kind", KINDS)
    def test_never_overwrites(self, full, snapshot, kind):
        """What exists is not overwritten, and nothing changes."""
        identifier = create(full, kind, run="twice")
        before = snapshot(full.root)
        options = {"shape": (1,), "dtype": "i1"} if kind in ARRAYS else {}
        with pytest.raises(AlreadyExistsError, match=re.escape(identifier.path)):
            full.create(identifier, **options)
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("found", ["array", "group"])
    @pytest.mark.parametrize("found_format", [2, 3])
    @pytest.mark.parametrize("kind", [*ARRAYS, *GROUPS, *CONTAINERS])
    def test_never_over_another_node(self, store, snapshot, found, found_format, kind):
        """A node of another sort or of another zarr format is not overwritten either: not v2 over v3, nor back."""
        identifier = identify(store, kind)
        if found == "array":
            zarr.create_array(identifier.path, data=np.ones(3), zarr_format=found_format)
        else:
            zarr.create_group(identifier.path, zarr_format=found_format)
        before = snapshot(store.root)
        with pytest.raises(AlreadyExistsError, match=f"there is an? {found} already"):
            store.create(identifier, **({"shape": (1,), "dtype": "i1"} if kind in ARRAYS else {}))
        assert snapshot(store.root) == before

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("found", ["file", "dangling symlink", "symlink to folder"])
    def test_never_over_something_else(self, store, tmp_path, snapshot, kind, found):
        """A file or a symlink at the place is not overwritten, and a symlink is not followed."""
        path = Path(identify(store, kind).path)
        path.parent.mkdir(parents=True)
        (tmp_path / "outside").mkdir()
        if found == "file":
            path.write_text("mine")
        else:
            path.symlink_to(tmp_path / ("outside" if "folder" in found else "absent"))
        before = snapshot(tmp_path)
        with pytest.raises(AlreadyExistsError):
            store.create(identify(store, kind), **({"shape": (1,), "dtype": "i1"} if kind in ARRAYS else {}))
        assert snapshot(tmp_path) == before

    @pytest.mark.parametrize("kind", [*ARRAYS, "note"])
    def test_never_over_a_folder(self, store, snapshot, kind):
        """A plain folder with something in it is not taken for an artifact's."""
        path = Path(identify(store, kind).path)
        path.mkdir(parents=True)
        (path / "mine.txt").write_text("mine")
        before = snapshot(store.root)
        with pytest.raises(AlreadyExistsError):
            store.create(identify(store, kind), **({"shape": (1,), "dtype": "i1"} if kind in ARRAYS else {}))
        assert snapshot(store.root) == before

    @pytest.mark.parametrize("kind", [*GROUPS, *CONTAINERS])
    def test_plain_folder_of_a_group(self, store, snapshot, kind):
        """A plain folder becomes a group or is refused, but all that is in it stays, also when that fails."""
        path = Path(identify(store, kind).path)
        path.mkdir(parents=True)
        (path / "mine.txt").write_text("mine")
        before = snapshot(store.root)
        with pytest.raises((TypeError, AlreadyExistsError)):
            store.create(identify(store, kind), nonsense=1)
        assert snapshot(store.root) == before

    @pytest.mark.parametrize("kind", ARRAYS)
    def test_below_an_array(self, store, snapshot, kind):
        """Nothing is created below an array: it would lie among the chunks."""
        create(store, kind, volume="raw")
        before = snapshot(store.root)
        with pytest.raises(NotInStoreError, match="is an array"):
            store.create(identify(store, kind, volume="raw/inner"), shape=(1,), dtype="i1")
        assert snapshot(store.root) == before

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("obstacle", ["symlink", "dangling symlink", "symlink inside", "file"])
    def test_way(self, store, tmp_path, snapshot, kind, obstacle):
        """Nothing is created behind a symlink, wherever it leads, nor through a file."""
        root = Path(store.root)
        (tmp_path / "outside").mkdir()
        (root / "real").mkdir()
        if obstacle == "file":
            (root / "r1").write_text("mine")
        else:
            targets = {"symlink": tmp_path / "outside", "symlink inside": root / "real"}
            (root / "r1").symlink_to(targets.get(obstacle, tmp_path / "absent"))
        before = snapshot(tmp_path)
        with pytest.raises(NotInStoreError, match=re.escape(f"'{root}/r1' is a ")):
            store.create(identify(store, kind), **({"shape": (1,), "dtype": "i1"} if kind in ARRAYS else {}))
        assert snapshot(tmp_path) == before

    @pytest.mark.parametrize("option", ["store", "name", "overwrite", "zarr_format"])
    @pytest.mark.parametrize("kind", ["image", "part", "box"])
    def test_what_the_layout_decides(self, store, kind, option):
        """Options that would lead elsewhere or overwrite are refused."""
        with pytest.raises(TypeError, match=f"{option} cannot be given"):
            store.create(identify(store, kind), **{option: True})
        assert os.listdir(store.root) == []

    def test_file_takes_no_options(self, store):
        """A file takes no options."""
        with pytest.raises(TypeError, match="a file takes no options, but shape, dtype given"):
            store.create(identify(store, "note"), shape=(1,), dtype="i1")
        assert os.listdir(store.root) == []

    @pytest.mark.parametrize(("kind", "format_there"), [("image", 2), ("old_image", 3), ("part", 2), ("old_part", 3)])
    def test_container_of_the_other_format(self, store, snapshot, kind, format_there):
        """In a container of the other zarr format nothing is created: it would get metadata of both."""
        zarr.create_group(identify(store, kind).container, zarr_format=format_there)
        before = snapshot(store.root)
        with pytest.raises(StoreError, match="zarr"):
            store.create(identify(store, kind), **({"shape": (1,), "dtype": "i1"} if kind in ARRAYS else {}))
        assert snapshot(store.root) == before

    @pytest.mark.parametrize("format_there", [2, 3])
    def test_format_of_the_container(self, store, format_there):
        """Where the layout leaves the zarr format open, a container that exists decides."""
        identifier = identify(store, "free_image")
        zarr.create_group(identifier.container, zarr_format=format_there)
        array = store.create(identifier, data=np.ones(3))
        assert array.metadata.zarr_format == format_there
        found = {path.name for path in Path(identifier.container).rglob("*")}
        assert ("zarr.json" in found) != (".zgroup" in found)


class _Data:
    """Data that fails while it is read."""

    shape = (4,)
    dtype = np.dtype("f4")
    ndim = 1

    def __getitem__(self, where):
        raise RuntimeError("no data")


FAILING = {
    "no shape": (ValueError, {}),
    "bad dtype": (TypeError, {"shape": (2,), "dtype": "nonsense"}),
    "bad shape": (Exception, {"shape": (-1,), "dtype": "f4"}),
    "bad chunks": (ValueError, {"shape": (2,), "dtype": "f4", "chunks": (1, 1)}),
    "bad shards": (ValueError, {"shape": (2,), "dtype": "f4", "chunks": (2,), "shards": (3,)}),
    "bad compressor": (TypeError, {"shape": (2,), "dtype": "f4", "compressors": "nonsense"}),
    "unknown option": (TypeError, {"shape": (2,), "dtype": "f4", "nonsense": 1}),
    "attributes that are no JSON": (TypeError, {"shape": (2,), "dtype": "f4", "attributes": {"a": object()}}),
    "failing data": (RuntimeError, {"data": _Data()}),
    "failing data in chunks": (RuntimeError, {"data": _Data(), "chunks": (1,)}),
}


class TestCreateFails:
    """A `create` that fails leaves no trace."""

    @pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
    @pytest.mark.parametrize("parents", ["new root", "none", "run", "container", "all"])
    def test_array(self, root, layout, snapshot, failing, parents):
        """Whatever the reason, and whichever of its parents exist, the store is as it was."""
        error, options = failing
        store = Store(root / "new" if parents == "new root" else root, layout)
        if parents == "run":
            create(store, "note")
        elif parents == "container":
            create(store, "box")
        elif parents == "all":
            create(store, "image", volume="other")
        before = snapshot(root)
        with pytest.raises(error):
            store.create(identify(store, "image"), **options)
        assert snapshot(root) == before

    @pytest.mark.parametrize("kind", [*GROUPS, *CONTAINERS])
    @pytest.mark.parametrize(
        "options", [{"nonsense": 1}, {"attributes": {"a": object()}}], ids=["option", "attributes"]
    )
    def test_group(self, store, snapshot, kind, options):
        """A group or a container that cannot be made leaves nothing either."""
        before = snapshot(store.root)
        with pytest.raises(TypeError):
            store.create(identify(store, kind), **options)
        assert snapshot(store.root) == before

    def test_can_be_tried_again(self, store):
        """After a failure, the same artifact can be created."""
        with pytest.raises(RuntimeError):
            store.create(identify(store, "image"), data=_Data())
        store.create(identify(store, "image"), data=np.ones(3))
        assert store.open(identify(store, "image"))[0] == 1

    def test_empty_folder(self, store):
        """An empty folder that was at the place is there again, or still."""
        path = Path(identify(store, "image").path)
        path.mkdir(parents=True)
        with pytest.raises(TypeError):
            store.create(identify(store, "image"), shape=(2,), dtype="nonsense")
        assert os.listdir(path) == []

    def test_somebody_was_faster(self, store, layout, tmp_path, snapshot):
        """An array that another process has made meanwhile is not taken back with the failure: it is theirs."""
        other = Store(tmp_path / "other", layout)
        theirs, ours = create(other, "image"), identify(store, "image")

        class Slow(np.ndarray):
            @property
            def shape(self):
                if not os.path.exists(ours.path):
                    shutil.copytree(other.root, store.root, dirs_exist_ok=True)
                return np.ndarray.shape.__get__(self)

        with pytest.raises(AlreadyExistsError):
            store.create(ours, data=np.zeros(4).view(Slow))
        assert snapshot(ours.path) == snapshot(theirs.path)


class TestOpen:
    """`open` opens what exists; unreadable is not absent, and neither is something else."""

    @pytest.mark.parametrize("kind", [*ARRAYS, *GROUPS, *CONTAINERS])
    def test_read_only(self, full, snapshot, kind):
        """Without a mode nothing can be written."""
        node = full.open(create(full, kind, run="new"))
        before = snapshot(full.root)
        with pytest.raises(ValueError, match=r"read.only"):
            node.attrs["a"] = 1
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("kind", [*ARRAYS, *GROUPS, *CONTAINERS])
    def test_writable(self, store, kind):
        """With `r+`, what is there can be changed."""
        identifier = create(store, kind)
        store.open(identifier, "r+").attrs["a"] = 1
        assert store.open(identifier).attrs["a"] == 1

    def test_file(self, store):
        """A file is opened for reading bytes, or for changing them."""
        identifier = create(store, "note")
        with store.open(identifier, "r+") as file:
            file.write(b"T")
        with store.open(identifier) as file:
            assert file.read() == b"Text"
            assert not file.writable()

    @pytest.mark.parametrize("mode", ["w", "a", "w-", "x", "rb", "", None])
    def test_modes(self, store, snapshot, mode):
        """A mode that would make or empty something is refused."""
        identifier = create(store, "image")
        before = snapshot(store.root)
        with pytest.raises(ValueError, match="mode is"):
            store.open(identifier, mode)
        assert snapshot(store.root) == before

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("mode", ["r", "r+"])
    def test_absent(self, full, snapshot, kind, mode):
        """What is not there is a `NotFoundError` that names it, and opening makes nothing."""
        identifier = identify(full, kind, run="absent")
        before = snapshot(full.root)
        with pytest.raises(NotFoundError, match=re.escape(identifier.path)):
            full.open(identifier, mode)
        assert snapshot(full.root) == before


def move_there_and_back(root):
    Store(root).plan_migration("hive").apply()
    Store(root).plan_migration("training").apply()


class TestReading:
    """`reading` raises at its end where the array was not there all the time: zarr reads what is gone as zeros."""

    @pytest.mark.parametrize("kind", ARRAYS)
    @pytest.mark.parametrize("as_key", [False, True])
    def test_undisturbed(self, store, kind, as_key):
        """An array that stays where it is can be read, also while chunks are written into it."""
        identifier = create(store, kind)
        with store.reading(store.key(identifier) if as_key else identifier) as array:
            store.open(identifier, mode="r+")[:2] = 5
            assert array[0, 0] == 5
            assert array[3, 3] == 1

    @pytest.mark.parametrize("kind", ARRAYS)
    def test_within_its_grace(self, store, kind):
        """An array that was removed with a grace is read to its end, and so is one that was put back meanwhile."""
        identifier = create(store, kind)
        with store.reading(identifier) as array:
            store.remove(identifier, grace=100)
            assert (array[...] == 1).all()
        store.undo()
        with store.reading(identifier) as array:
            store.remove(identifier, grace=100)
            store.undo()
            assert (array[...] == 1).all()

    def read(self, store, identifier, *doings):
        """Read an array when this and that was done meanwhile; what is gone by then reads as zeros."""
        with store.reading(identifier) as array:
            for do in doings:
                do()
            assert (array[...] == 0).all()

    @pytest.mark.parametrize("kind", ARRAYS)
    def test_removed(self, store, kind):
        """Zeros of an array that was removed for good do not go unnoticed, nor if there is a new one by then."""
        identifier = create(store, kind)
        with pytest.raises(StoreError, match="was removed, moved or written anew"):
            self.read(store, identifier, lambda: store.remove(identifier))
        create(store, kind)
        new = partial(store.create, identifier, shape=(4, 4), dtype="f4", chunks=(2, 2))
        with pytest.raises(StoreError, match="was removed, moved or written anew"):
            self.read(store, identifier, lambda: store.remove(identifier), new)

    @pytest.mark.parametrize("kind", ARRAYS)
    def test_purged(self, store, kind):
        """When its grace is over, an array is not there any more; nor is it when another one in its place is kept."""
        identifier = create(store, kind)
        keep = partial(store.remove, identifier, grace=100)
        with pytest.raises(StoreError, match="was removed, moved or written anew"):
            self.read(store, identifier, keep, lambda: store.purge(is_now=True))
        create(store, kind)
        new = partial(store.create, identifier, shape=(4, 4), dtype="f4", chunks=(2, 2))
        with pytest.raises(StoreError, match="was removed, moved or written anew"):
            self.read(store, identifier, lambda: store.remove(identifier), new, keep)

    def test_migrated(self, root):
        """An array that was moved to another layout is noticed, also when it is back again."""
        store = Store.init(root, "training")
        where = store.identifier("validation_raw", run="r")
        store.create(where, data=np.ones(4))
        with pytest.raises(StoreError, match="was removed, moved or written anew"):
            self.read(store, where, lambda: store.plan_migration("hive").apply())
        Store(root).plan_migration("training").apply()
        store = Store(root)
        with pytest.raises(StoreError, match="was removed, moved or written anew"), store.reading(where):
            move_there_and_back(root)

    def test_migration_taken_back(self, root, snapshot):
        """An array that was away for a moment is noticed, although the store is as it was: it read as zeros then."""
        store = Store.init(root, "training")
        where = store.identifier("validation_raw", run="r")
        store.create(where, data=np.ones(4))
        before, seen = snapshot(root), []

        def interrupt(number, all_):
            if number == all_:
                seen.append(array[...].tolist())
                raise KeyboardInterrupt

        def migrate():
            with pytest.raises(KeyboardInterrupt):
                store.plan_migration("hive").apply(progress=interrupt)

        with pytest.raises(StoreError, match="was removed, moved or written anew"), store.reading(where) as array:
            migrate()
        assert seen == [[0.0] * 4]
        assert snapshot(root) == before

    def test_its_own_error(self, store):
        """What the body raises goes up as it is."""
        identifier = create(store, "image")
        with pytest.raises(KeyError, match="nothing"):
            self.read(store, identifier, lambda: store.remove(identifier), partial({}.__getitem__, "nothing"))

    def test_refused(self, store):
        """What is absent is not found, and what is no array is not read this way."""
        with pytest.raises(NotFoundError):
            store.reading(identify(store, "image")).__enter__()
        with pytest.raises(TypeError, match="only arrays are read this way, not a file"):
            store.reading(create(store, "note")).__enter__()


class TestExists:
    """`exists` says whether an artifact is there, and raises where that cannot be said."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("as_key", [False, True])
    def test_there(self, full, kind, as_key):
        """What was created is there, and what was not is not, by identifier and by key."""
        there, absent = create(full, kind, run="there"), identify(full, kind, run="absent")
        if as_key:
            there, absent = full.key(there), full.key(absent)
        assert full.exists(there) is True
        assert full.exists(absent) is False

    @pytest.mark.parametrize("kind", [*ARRAYS, *GROUPS, *CONTAINERS])
    @pytest.mark.parametrize("content", [b"", b'{"zarr_format": 3, "node_type": "arr', b"{}"])
    @pytest.mark.parametrize("operation", ["exists", "open", "create", "remove"])
    def test_damaged(self, store, snapshot, kind, content, operation):
        """A damaged zarr.json is an error that names the folder, never an absent or a new artifact."""
        identifier = identify(store, kind)
        Path(identifier.path).mkdir(parents=True)
        Path(identifier.path, "zarr.json").write_bytes(content)
        before = snapshot(store.root)
        if operation == "remove" and kind not in ARRAYS:
            store.remove(identifier, recursive=True)  # with all that is in it, whatever it is
            assert not os.path.lexists(identifier.path)
            return
        with pytest.raises(StoreError, match=rf"{re.escape(identifier.path)}.* is damaged"):
            getattr(store, operation)(identifier)
        assert snapshot(store.root) == before

    @pytest.mark.parametrize("kind", [*ARRAYS, *GROUPS, *CONTAINERS])
    @pytest.mark.parametrize("found", ["array", "group", "file"])
    @pytest.mark.parametrize("operation", ["exists", "open"])
    def test_something_else(self, store, kind, found, operation):
        """Something else at the place is an error that says what is there."""
        identifier = identify(store, kind)
        if found == ("array" if kind in ARRAYS else "group"):
            found = "file"
        if found == "array":
            zarr.create_array(identifier.path, data=np.ones(3))
        elif found == "group":
            zarr.create_group(identifier.path)
        else:
            Path(identifier.path).parent.mkdir(parents=True)
            Path(identifier.path).write_text("")
        with pytest.raises(StoreError, match=rf"{re.escape(identifier.path)}.* is an? {found}") as caught:
            getattr(store, operation)(identifier)
        assert not isinstance(caught.value, NotFoundError)

    def test_folder_for_a_file(self, store):
        """A folder at the place of a file is an error."""
        Path(identify(store, "note").path).mkdir(parents=True)
        for operation in (store.exists, store.open):
            with pytest.raises(StoreError, match="is a folder, not a file"):
                operation(identify(store, "note"))

    def test_plain_folder(self, store):
        """A folder without metadata is no array and no group, and a container only if something is in it."""
        for kind in ("image", "part", "box"):
            path = Path(identify(store, kind, run=kind).path)
            path.mkdir(parents=True)
            assert store.exists(identify(store, kind, run=kind)) is False
            (path / "inner").mkdir()
            assert store.exists(identify(store, kind, run=kind)) is (kind == "box")

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("operation", ["exists", "open", "create", "remove"])
    def test_no_permission(self, shared_folder, layout, as_nobody, kind, operation):
        """A folder that may not be entered is an error, never an absent artifact."""
        store = Store(shared_folder / "store", layout)
        with as_nobody():
            identifier = create(store, kind)
            os.chmod(f"{store.root}/r1", 0)
            options = {"remove": {"recursive": True}}.get(operation, {})
            with pytest.raises(PermissionError):
                getattr(store, operation)(identifier, **options)
            os.chmod(f"{store.root}/r1", 0o700)
            assert store.exists(identifier)

    @pytest.mark.parametrize("kind", ["part", "note"])
    def test_permission_below_only(self, shared_folder, layout, as_nobody, kind):
        """Groups and files can be created where only the folder of a run may be written."""
        store = Store(shared_folder / "store", layout)
        create(store, "box")
        (shared_folder / "store/r1/notes").mkdir()
        for path in (shared_folder / "store/r1").rglob("*"):
            path.chmod(0o777)
        (shared_folder / "store").chmod(0o755)
        with as_nobody():
            assert store.exists(create(store, kind))
        assert not (shared_folder / "store/.zarrange").exists()

    @pytest.mark.parametrize(("kind", "name"), [("image", "zarr.json"), ("part", "zarr.json"), ("box", "zarr.json")])
    def test_unreadable_metadata(self, shared_folder, layout, as_nobody, kind, name):
        """Metadata that may not be read is an error, never an absent artifact."""
        store = Store(shared_folder / "store", layout)
        with as_nobody():
            identifier = create(store, kind)
            os.chmod(f"{identifier.path}/{name}", 0)
            for operation in (store.exists, store.open, store.create):
                with pytest.raises(PermissionError):
                    operation(identifier)


class TestRemove:
    """`remove` removes an array's own folder or a file, and nothing else."""

    @pytest.mark.parametrize("kind", [*ARRAYS, "note"])
    @pytest.mark.parametrize("as_key", [False, True])
    def test_exactly_this(self, full, snapshot, kind, as_key):
        """Exactly this artifact goes: all the rest of the store is the same, byte for byte, and no trash is left."""
        identifier = identify(full, kind)
        if kind != "note":
            create(full, kind, volume="other")
        else:
            create(full, kind, step=7)
        before = snapshot(full.root)
        create(full, kind)
        full.remove(full.key(identifier) if as_key else identifier)
        assert snapshot(full.root) == before
        assert not full.exists(identifier)

    @pytest.mark.parametrize("kind", [*GROUPS, *CONTAINERS])
    def test_recursive(self, full, snapshot, kind):
        """A group or a container goes with all that is in it, if that is said, and with nothing else."""
        before = snapshot(full.root)
        identifier = create(full, kind, run="new")
        zarr.create_array(f"{identifier.path}/deep/inner", data=np.ones(3))
        Path(identifier.path, "notes.txt").write_text("mine")
        full.remove(identifier, recursive=True)
        after = snapshot(full.root)
        assert {name: entry for name, entry in after.items() if name.split("/")[0] != "new"} == before
        assert not os.path.lexists(identifier.path)

    @pytest.mark.parametrize("kind", [*GROUPS, *CONTAINERS])
    @pytest.mark.parametrize("holding", ["array", "group", "file", "folder", "symlink"])
    def test_not_unless_asked_for(self, full, snapshot, kind, holding):
        """A group or a container in which there is anything is refused without that word, and nothing changes."""
        identifier = create(full, kind, run="new")
        inner = Path(identifier.path, "inner")
        make = {
            "array": lambda: zarr.create_array(inner, data=np.ones(3)),
            "group": lambda: zarr.create_group(inner),
            "file": lambda: inner.write_text("mine"),
            "folder": inner.mkdir,
            "symlink": lambda: inner.symlink_to("zarr.json"),
        }
        make[holding]()
        before = snapshot(full.root)
        shown = re.escape(identifier.path)
        with pytest.raises(
            NotInStoreError, match=rf"^'{shown}' is a .* that holds '\S+/inner'; .* say recursive=True$"
        ):
            full.remove(identifier)
        assert snapshot(full.root) == before
        full.remove(identifier, recursive=True)
        assert not os.path.lexists(identifier.path)

    @pytest.mark.parametrize("kind", [*GROUPS, *CONTAINERS])
    def test_empty(self, full, snapshot, kind):
        """A group or a container in which nothing is goes without that word."""
        create(full, kind, run="new")
        os.rename(f"{full.root}/new", f"{full.root}/there")
        before = snapshot(full.root)
        identifier = create(full, kind, run="new")
        full.remove(identifier)
        assert not os.path.lexists(identifier.path)
        left = snapshot(full.root)
        assert {name: left[name] for name in before} == before

    @pytest.mark.parametrize("kind", KINDS)
    def test_absent(self, full, snapshot, kind):
        """What is not there is a `NotFoundError` that names it, and nothing changes."""
        identifier = identify(full, kind, run="absent")
        before = snapshot(full.root)
        with pytest.raises(NotFoundError, match=f"nothing is there: '{re.escape(full.root)}/absent"):
            full.remove(identifier, recursive=True)
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("name", ["mine.txt", "raw", "zarr.json.bak", "preview.png"])
    @pytest.mark.parametrize("kind", ARRAYS)
    @pytest.mark.parametrize("recursive", [False, True])
    def test_foreign_file(self, full, snapshot, kind, name, recursive):
        """A file among the chunks that is not the array's is refused and named, and nothing changes."""
        identifier = create(full, kind, run="new")
        Path(identifier.path, name).write_text("mine")
        before = snapshot(full.root)
        with pytest.raises(
            NotInStoreError, match=rf"^cannot remove '{re.escape(identifier.path)}': '{re.escape(name)}'"
        ):
            full.remove(identifier, recursive=recursive)
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("kind", ARRAYS)
    @pytest.mark.parametrize("below", ["c/0/inner", "0/inner", "c/inner"])
    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_nested_node(self, full, snapshot, kind, below, zarr_format):
        """Another node inside the array's folder is refused and named, and nothing changes."""
        identifier = create(full, kind, run="new")
        zarr.create_array(f"{identifier.path}/{below}", data=np.ones(3), zarr_format=zarr_format)
        before = snapshot(full.root)
        with pytest.raises(NotInStoreError, match=rf"^cannot remove '{re.escape(identifier.path)}': .*{below}"):
            full.remove(identifier)
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("found", ["array", "group", "file", "folder"])
    def test_something_else(self, full, snapshot, kind, found):
        """Something else at the place than the identifier says is refused, `recursive` or not, and nothing changes."""
        sort = full.layout.kind(kind).sort
        path = identify(full, kind, run="new").path
        if found == {"container": "group"}.get(sort, sort):
            found = "folder"
        if found == "array":
            zarr.create_array(path, data=np.ones(3))
        elif found == "group":
            zarr.create_group(path)
        elif found == "file":
            os.makedirs(os.path.dirname(path))
            Path(path).write_text("mine")
        else:
            os.makedirs(path)
            Path(path, "mine.txt").write_text("mine")
        before = snapshot(full.root)
        with pytest.raises(NotInStoreError, match=re.escape(path)):
            full.remove(identify(full, kind, run="new"), recursive=True)
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("kind", KINDS)
    def test_symlinks(self, full, layout, tmp_path, snapshot, kind):
        """A symlink at any segment below the root is refused and named, and neither side of it changes."""
        other = Store(tmp_path / "other", layout)
        create(other, kind, run="new")
        identifier = identify(full, kind, run="new")
        segments = os.path.relpath(identifier.path, full.root).split("/")
        for length in range(1, len(segments) + 1):
            link = Path(full.root, *segments[:length])
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(other.root, *segments[:length]))
            before = snapshot(tmp_path)
            with pytest.raises(NotInStoreError, match=rf"^cannot remove .*'{re.escape(str(link))}' is a symlink"):
                full.remove(identifier, recursive=True)
            assert snapshot(tmp_path) == before
            link.unlink()
        assert length == len(segments)

    @pytest.mark.parametrize("kind", KINDS)
    def test_symlink_inside_the_root(self, full, snapshot, kind):
        """A symlink is refused even if it leads to another place of the same store."""
        create(full, kind, run="real")
        Path(full.root, "link").symlink_to(Path(full.root, "real"))
        before = snapshot(full.root)
        with pytest.raises(NotInStoreError, match="is a symlink"):
            full.remove(identify(full, kind, run="link"), recursive=True)
        assert snapshot(full.root) == before

    def test_twice(self, store):
        """What was removed is not there to be removed again, and can be created again."""
        identifier = create(store, "image")
        store.remove(identifier)
        with pytest.raises(NotFoundError):
            store.remove(identifier)
        create(store, "image")
        assert store.open(identifier)[0, 0] == 1

    def test_parents_stay(self, store):
        """The groups above an array stay, and the container lists what is left."""
        create(store, "image", volume="a/b")
        create(store, "image", volume="a/c")
        store.remove(identify(store, "image", volume="a/b"))
        members = dict(zarr.open(identify(store, "box").path, mode="r").members(max_depth=None))
        assert sorted(members) == ["images", "images/1", "images/1/a", "images/1/a/c"]

    def test_interrupted_writes(self, store):
        """What an interrupted write of a chunk left behind is the array's, and goes with it."""
        identifier = create(store, "image")
        Path(identifier.path, "c", "0", "0.8d5c.partial").write_text("half")
        Path(identifier.path, "zarr.json.8d5c.partial").write_text("half")
        store.remove(identifier)
        assert not os.path.lexists(identifier.path)

    def test_leftover(self, shared_folder, layout, as_nobody):
        """A deletion that fails half-way is a `LeftoverError` that says where the rest is; the artifact is gone."""
        store = Store(shared_folder / "store", layout)
        with as_nobody():
            identifier = create(store, "image")
            os.chmod(f"{identifier.path}/c", 0o555)
            with pytest.raises(LeftoverError) as caught:
                store.remove(identifier)
            (rest,) = re.findall(r"left of it in '([^']*)'", str(caught.value))
            assert [*Path(rest).glob("*/c/0")] != []
            assert Path(rest).parent == Path(store.root, ".zarrange", "trash")
            assert not store.exists(identifier)
            create(store, "image")
            assert store.open(identifier)[0, 0] == 1
            assert [one.phase for one in store.transactions()] == ["purging"]

    def test_held_open(self, store):
        """A file that is held open for reading can be read to its end."""
        identifier = create(store, "note")
        with store.open(identifier) as file:
            store.remove(identifier)
            assert file.read() == b"text"
        assert not store.exists(identifier)


@pytest.mark.parametrize("name", ["dacapo", "training", "hive"])
def test_shipped(root, name):
    """Each shipped layout's arrays can be created, listed by their container, opened and removed."""
    store = Store(root, name)
    values = {
        "run": "r1",
        "iteration": 1000,
        "dataset": "crop1",
        "parameters": "t=0.5",
        "criterion": "voi",
        "volume": "raw",
    }
    identifiers = []
    for kind in store.layout.kinds.values():
        if kind.sort == "array":
            wanted = kind.fields.keys() - {"index"}
            identifiers.append(store.identifier(kind.name, **{one: values[one] for one in wanted}))
            store.create(identifiers[-1], data=np.ones(3))
    assert len(identifiers) == 6
    for one in identifiers:
        assert one.dataset in dict(zarr.open(one.container, mode="r").members(max_depth=None))
        store.remove(one)
        assert one.dataset not in dict(zarr.open(one.container, mode="r").members(max_depth=None))

    @pytest.mark.parametrize("kind", [*GROUPS, *CONTAINERS])
    def test_without_metadata_of_its_own(self, full, kind):
        """A container or a group of another program, with nodes inside but no metadata, goes with all that is in it."""
        identifier = identify(full, kind, run="new")
        zarr.create_array(f"{identifier.path}/deep/a", data=np.ones(3), zarr_format=2)
        full.remove(identifier, recursive=True)
        assert not os.path.lexists(identifier.path)

    def test_a_key_that_shares_its_path(self, root):
        """A key whose path has another reading removes nothing; an identifier says which place is meant."""
        text = "zarrange: 1\nfields: {a: {type: str}, b: {type: str}}\ncontainers: {c: {path: c.zarr}}\n"
        store = Store(root, Layout.parse(text + "arrays: {k: {container: c, path: '{{ a }}-{{ b }}'}}"))
        store.create(Key("k", {"a": "x", "b": "y-z"}), data=np.ones(3))
        with pytest.raises(AmbiguousPathError, match="has several readings"):
            store.remove(Key("k", {"a": "x-y", "b": "z"}))
        where = store.identifier("k", a="x", b="y-z")
        assert store.open(where)[0] == 1
        store.remove(where)
        assert not store.exists(where)


class TestConsolidated:
    """Groups that keep a copy of the metadata below them stay true."""

    @pytest.mark.parametrize("kind", ARRAYS)
    def test_create_and_remove(self, store, kind):
        """A new array is listed, a removed one is not, by whoever reads the copy."""
        first, second = identify(store, kind, run="r", step=1), identify(store, kind, run="r", step=2)
        store.create(first, data=np.ones(3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(first.container)
        store.create(second, data=np.ones(3))
        assert {first.dataset, second.dataset} <= listed(first.container)
        store.remove(first)
        assert first.dataset not in listed(first.container)
        assert second.dataset in listed(first.container)


def listed(container):
    """The nodes that a reader of the consolidated metadata sees."""
    return {name for name, _ in zarr.open_consolidated(container, mode="r").members(max_depth=None)}


def work(store, worker, rounds):
    """Create and remove arrays, some in a container of one's own and some in one that all share."""
    for step in range(rounds):
        for run in ("shared", f"own{worker}"):
            identifier = store.identifier("image", run=run, step=step, volume=f"v{worker}")
            store.create(identifier, data=np.full(3, worker))
            assert (store.open(identifier)[:] == worker).all()
            if step % 2:
                store.remove(identifier)
    return worker


class TestTogether:
    def test_processes(self, store):
        """Processes that create and remove side by side do not disturb each other, and leave nothing aside."""
        with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
            assert list(pool.map(work, [store] * 3, range(3), [8] * 3)) == [0, 1, 2]
        assert sorted(os.listdir(store.root)) == ["own0", "own1", "own2", "shared"]
        container = store.identifier("box", run="shared").container
        arrays = [
            name for name, node in zarr.open_group(container, mode="r").members(None) if isinstance(node, zarr.Array)
        ]
        assert len(arrays) == 3 * 4


class TestFormats:
    def test_arrays_without_groups(self, store):
        """A container without metadata, as older programs wrote them, goes on in the format of what is in it."""
        where = identify(store, "free_image", run="r", step=1)
        zarr.create_array(f"{where.container}/images/1/old", data=np.ones(3), zarr_format=2)
        created = store.create(where, data=np.zeros(3))
        assert created.metadata.zarr_format == 2
        assert os.path.exists(f"{where.container}/images/1/old/.zarray")


CREATE = """
import os, sys
from zarrange import Layout, Store
from zarrange.errors import AlreadyExistsError

store = Store(sys.argv[1], Layout.parse("zarrange: 1\\nfields: {a: {type: str}}\\nfiles: {k: {path: 'f/{{ a }}'}}\\n"))
where = store.identifier("k", a="x")
done = []

def faster(event, arguments):
    if event == "open" and arguments[0] == where.path and not done:
        done.append(1)
        with open(where.path, "w") as file:
            file.write("theirs")

sys.addaudithook(faster)
try:
    store.create(where).close()
except FileExistsError as error:
    print(bool(done), isinstance(error, AlreadyExistsError), open(where.path).read())
else:
    print(bool(done), "overwritten", repr(open(where.path).read()))
"""


def test_a_file_that_somebody_made_just_before(tmp_path):
    """A file that appears after the look and before the opening is not overwritten; the error is our own."""
    done = subprocess.run([sys.executable, "-c", CREATE, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "True True theirs\n"
