"""Local folders as a backend: what is there, told by few calls, with symlinks never followed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
import zarr

from zarrange.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    DamagedError,
    NotFoundError,
    NotInStoreError,
    UnreadableError,
)
from zarrange.stores.backend import FILE, FOLDER, Around, Requests
from zarrange.stores.local import LocalBackend, nodes
from zarrange.stores.transactions import Intent, Move

OPTIONS = {"shape": (4,), "dtype": "u1", "chunks": (2,), "zarr_format": 3}


@pytest.fixture
def backend(root):
    return LocalBackend(str(root))


@pytest.fixture
def outside(tmp_path):
    """A folder beside the store, with something in it that is nobody's business."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


def write_array(path):
    zarr.create_array(path, **OPTIONS)[...] = 1
    return path


class TestItems:
    def test_what_is_there(self, backend, root, monkeypatch):
        """Each name in a folder has its sort, and one call is counted."""
        (root / "folder/inner").mkdir(parents=True)
        (root / "file").write_text("x")
        (root / "link").symlink_to("folder")
        (root / "link2").symlink_to("file")
        (root / "dangling").symlink_to("nowhere")
        os.mkfifo(root / "pipe")
        monkeypatch.chdir(root)
        requests = Requests()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
            assert sorted(backend.items("", requests)) == [
                *(("dangling", "symlink"), ("file", "file"), ("folder", "folder")),
                *(("link", "symlink"), ("link2", "symlink"), ("pipe", "other"), ("socket", "other")),
            ]
        assert backend.items("folder", requests) == [("inner", "folder")]
        assert (requests.lists, requests.total) == (2, 2)

    @pytest.mark.parametrize("path", ["absent", "absent/deeper", "file", "file/deeper", "empty"])
    def test_nothing(self, backend, root, path):
        """What is no folder has nothing in it."""
        (root / "file").write_text("x")
        (root / "empty").mkdir()
        assert backend.items(path, Requests()) == []

    def test_names_that_are_not_utf8(self, backend, root):
        """A name that is no text is listed all the same."""
        os.mkdir(os.fsencode(root) + b"/\xff")
        assert backend.items("", Requests()) == [("\udcff", "folder")]

    def test_permission(self, shared_folder, as_nobody):
        """A folder that may not be listed is unreadable, and the error is a `PermissionError` too."""
        (shared_folder / "closed").mkdir(mode=0o100)
        backend = LocalBackend(str(shared_folder))
        with as_nobody(), pytest.raises(AccessDeniedError, match=r"^cannot be read: permission denied$") as caught:
            backend.items("closed", Requests())
        assert isinstance(caught.value, PermissionError)
        assert isinstance(caught.value, UnreadableError)


class TestLook:
    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_nodes(self, backend, root, zarr_format):
        """A folder is an array or a group by its metadata, and one call is counted."""
        zarr.create_array(root / "a", **OPTIONS | {"zarr_format": zarr_format})
        zarr.create_group(root / "g", zarr_format=zarr_format)
        requests = Requests()
        found = backend.look("a", requests)
        assert (found.sort, found.node.shape, found.node.zarr_format) == ("array", (4,), zarr_format)
        assert backend.look("g", requests).sort == "group"
        assert (requests.looks, requests.total) == (2, 2)

    def test_a_folder(self, backend, root):
        """A folder without metadata is a folder, and what is not there is none either."""
        (root / "f").mkdir()
        (root / "file").write_text("x")
        assert backend.look("f", Requests()) is FOLDER
        assert backend.look("absent", Requests()) is FOLDER
        assert backend.look("file", Requests()) is FOLDER

    def test_damage(self, backend, root):
        """Damaged metadata are an error, never a folder."""
        (root / "a").mkdir()
        (root / "a/zarr.json").write_text("{")
        with pytest.raises(DamagedError, match=r"^its zarr\.json is damaged: "):
            backend.look("a", Requests())

    def test_permission(self, shared_folder, as_nobody):
        """Metadata that may not be read are unreadable."""
        write_array(shared_folder / "a")
        (shared_folder / "a/zarr.json").chmod(0)
        with as_nobody(), pytest.raises(AccessDeniedError, match=r"^cannot be read: permission denied$"):
            LocalBackend(str(shared_folder)).look("a", Requests())


class TestStat:
    @pytest.mark.parametrize("may_be_file", [True, False])
    def test_sorts(self, backend, root, may_be_file):
        """A path is a folder, a file, a symlink, something else, or nothing."""
        (root / "folder").mkdir()
        (root / "file").write_text("x")
        (root / "link").symlink_to("folder")
        os.mkfifo(root / "pipe")
        names = ["folder", "file", "link", "pipe", "absent", "file/x", "absent/x"]
        requests = Requests()
        found = [backend.stat(name, requests, may_be_file=may_be_file) for name in names]
        assert found == ["folder", "file", "symlink", "other", None, None, None]
        assert (requests.stats, requests.total) == (7, 7)

    def test_too_long(self, backend):
        """Nothing has a name that is longer than names can be."""
        assert backend.stat("x" * 300, Requests(), may_be_file=True) is None
        assert backend.stat("/".join(["x" * 200] * 30), Requests(), may_be_file=True) is None

    def test_permission(self, shared_folder, as_nobody):
        """What lies in a folder that may not be entered cannot be told."""
        (shared_folder / "closed").mkdir(mode=0)
        with as_nobody(), pytest.raises(AccessDeniedError, match=r"^cannot be read: permission denied$"):
            LocalBackend(str(shared_folder)).stat("closed/x", Requests(), may_be_file=True)


class TestSymlink:
    @pytest.mark.parametrize(
        ("target", "why"),
        [
            ("absent", "it is a symlink that leads nowhere"),
            ("link", "it is a symlink that cannot be followed: too many levels of symbolic links"),
            ("file/x", "it is a symlink that cannot be followed: not a directory"),
            ("../outside", "it is a symlink that leads out of the store, which does not follow it"),
            ("../store-2", "it is a symlink that leads out of the store, which does not follow it"),
            ("..", "it is a symlink that leads out of the store, which does not follow it"),
            ("folder", "it is a symlink, which a store does not follow"),
            ("file", "it is a symlink, which a store does not follow"),
            (".", "it is a symlink, which a store does not follow"),
            ("../outside/../store/folder", "it is a symlink, which a store does not follow"),
        ],
    )
    def test_what_is_the_matter(self, backend, root, outside, target, why):
        """It is said where a symlink leads: nowhere, around, out of the store, or inside."""
        (root / "folder").mkdir()
        (root / "file").write_text("x")
        outside.with_name("store-2").mkdir()
        (root / "link").symlink_to(target)
        assert backend.symlink("link") == why

    def test_a_root_that_is_one(self, root, tmp_path):
        """Where the root is a symlink itself, what is inside is inside."""
        (tmp_path / "way").symlink_to(root)
        (root / "folder").mkdir()
        (root / "link").symlink_to(root / "folder")
        assert LocalBackend(str(tmp_path / "way")).symlink("link") == "it is a symlink, which a store does not follow"


class TestFound:
    def test_what_is_there(self, backend, root):
        """What is at a path is an array, a group, a folder, a file, or nothing."""
        write_array(root / "box/a")
        zarr.create_group(root / "box/g")
        (root / "file").write_text("x")
        assert [(found := backend.found(path)) and found.sort for path in ("box", "box/a", "box/g")] == [
            *("folder", "array", "group")
        ]
        assert backend.found("file") is FILE
        assert [backend.found(path) for path in ("absent", "absent/x", "file/x", "box/a/x")] == [None] * 4

    @pytest.mark.parametrize("path", ["link", "link/secret", "link/absent"])
    def test_symlinks(self, backend, root, outside, path):
        """A symlink on the way is reported, and not followed."""
        (root / "link").symlink_to(outside)
        with pytest.raises(UnreadableError) as caught:
            backend.found(path)
        assert str(caught.value) == (
            f"'{root}/link': it is a symlink that leads out of the store, which does not follow it"
        )

    def test_damage(self, backend, root):
        """Damaged metadata are reported with their path, and as what they are."""
        (root / "a").mkdir()
        (root / "a/.zarray").write_text("[]")
        with pytest.raises(DamagedError) as caught:
            backend.found("a")
        assert str(caught.value) == f"'{root}/a': its .zarray is damaged: it is not a JSON object"


class TestFiles:
    def test_write_and_read(self, backend, root):
        """What was written is read, whole, and nothing else is left beside it."""
        backend.write("a/b/c.txt", b"text")
        assert backend.read("a/b/c.txt") == b"text"
        assert os.listdir(root / "a/b") == ["c.txt"]

    def test_never_over_another(self, backend, root):
        """A file is not replaced unless that is asked for."""
        backend.write("c.txt", b"one")
        with pytest.raises(AlreadyExistsError):
            backend.write("c.txt", b"two")
        assert backend.read("c.txt") == b"one"
        backend.write("c.txt", b"three", replace=True)
        assert backend.read("c.txt") == b"three"
        assert os.listdir(root) == ["c.txt"]

    @pytest.mark.parametrize("path", ["absent", "absent/x", "file/x"])
    def test_nothing_to_read(self, backend, root, path):
        """What is not there is not found."""
        (root / "file").write_text("x")
        with pytest.raises(NotFoundError):
            backend.read(path)

    @pytest.mark.parametrize("make", ["folder", "pipe", "symlink"])
    def test_what_is_no_file(self, backend, root, outside, make):
        """What is no regular file is not read, and not waited for."""
        place = root / "x"
        make_it = {
            "folder": place.mkdir,
            "pipe": lambda: os.mkfifo(place),
            "symlink": lambda: place.symlink_to(outside / "secret"),
        }
        make_it[make]()
        with pytest.raises(UnreadableError):
            backend.read("x")

    @pytest.mark.parametrize("target", ["outside", "inside"])
    def test_symlinks_on_the_way(self, backend, root, outside, target, snapshot):
        """Nothing is read, written, measured, opened or removed by way of a symlink."""
        (root / "inside").mkdir()
        (root / "inside/secret").write_text("secret")
        (root / "link").symlink_to(outside if target == "outside" else "inside")
        before = snapshot(root.parent)
        with pytest.raises(UnreadableError, match="symlink"):
            backend.read("link/secret")
        with pytest.raises(UnreadableError, match="symlink"):
            backend.size("link")
        with pytest.raises(UnreadableError, match="symlink"):
            backend.size("link/secret")
        with pytest.raises(NotInStoreError, match="symlink"):
            backend.write("link/new", b"")
        with pytest.raises(NotInStoreError, match="symlink"), backend.creating("link/new"):
            backend.open_file("link/new", "xb")
        for path, is_folder in (("link/secret", False), ("link", True), ("link", False)):
            with pytest.raises(NotInStoreError, match="symlink"):
                backend.transact(Intent("remove", "", (Move(path, None, is_folder=is_folder),)))
        assert snapshot(root.parent) == before

    def test_permission(self, shared_folder, as_nobody):
        """A file that may not be read says so, with its path."""
        (shared_folder / "x").write_text("x")
        (shared_folder / "x").chmod(0)
        with as_nobody(), pytest.raises(AccessDeniedError) as caught:
            LocalBackend(str(shared_folder)).read("x")
        assert str(caught.value) == f"'{shared_folder}/x' cannot be read: permission denied"

    def test_open(self, backend):
        """A file is opened for writing anew, for reading, and for changing."""
        with backend.open_file("a/x", "xb") as file:
            file.write(b"text")
        with backend.open_file("a/x", "r+b") as file:
            file.write(b"T")
        with backend.open_file("a/x", "rb") as file:
            assert file.read() == b"Text"
        with pytest.raises(AlreadyExistsError):
            backend.open_file("a/x", "xb")


class TestSize:
    def test_all_files(self, backend, root):
        """The size of a folder is that of all files at and below it, of a file its own."""
        backend.write("a/b/x", b"x" * 100)
        backend.write("a/b/c/y", b"x" * 1000)
        backend.write("a/z", b"x" * 10)
        assert [backend.size(path) for path in ("a", "a/b", "a/b/c", "a/z")] == [1110, 1100, 1000, 10]
        (root / "empty").mkdir()
        assert backend.size("empty") == 0

    def test_symlinks_inside(self, backend, outside, root):
        """What a symlink leads to is not counted."""
        (outside / "large").write_bytes(b"x" * 100_000)
        backend.write("a/x", b"x")
        (root / "a/link").symlink_to(outside)
        assert backend.size("a") < 1000

    def test_permission(self, shared_folder, as_nobody):
        """Where a folder inside may not be read, the size is not known."""
        (shared_folder / "a/closed").mkdir(parents=True)
        (shared_folder / "a/closed").chmod(0)
        with as_nobody(), pytest.raises(AccessDeniedError) as caught:
            LocalBackend(str(shared_folder)).size("a")
        assert str(caught.value) == f"'{shared_folder}/a/closed' cannot be read: permission denied"


class TestCreating:
    def test_no_trace_of_a_failure(self, backend, root):
        """What fails leaves no folder behind that was not there before."""
        (root / "there").mkdir()
        with pytest.raises(FileExistsError), backend.creating("there/a/b/x"):
            [os.makedirs(root / "there/a/b") for _ in range(2)]
        assert [*os.walk(root)] == [(str(root), ["there"], []), (f"{root}/there", [], [])]

    @pytest.mark.parametrize(
        ("way", "why"), [("file", "is a file"), ("array", "is an array"), ("link", "is a symlink")]
    )
    def test_the_way(self, backend, root, outside, way, why):
        """A way through a file, an array or a symlink is refused at the beginning."""
        (root / "file").write_text("x")
        (root / "link").symlink_to(outside)
        write_array(root / "array")
        with pytest.raises(NotInStoreError, match=why), backend.creating(f"{way}/x"):
            pytest.fail("the body is not reached")

    def test_array(self, backend, root):
        """An array appears with its data, after what is above it was made."""
        made = []
        options = {"data": np.arange(4, dtype="u1"), "chunks": (2,), "zarr_format": 3}
        backend.create_array(
            "box", "a/b", options, Around(lambda: made.append((root / "box/a").mkdir(parents=True)), list)
        )
        assert made == [None]
        assert zarr.open_array(root / "box/a/b", mode="r")[...].tolist() == [0, 1, 2, 3]
        assert sorted(os.listdir(root)) == ["box"]

    def test_never_over_an_array(self, backend, root, snapshot):
        """An array that is there already stays as it is."""
        write_array(root / "box/a")
        before = snapshot(root)
        with pytest.raises(AlreadyExistsError):
            backend.create_array("box", "a", OPTIONS, Around(list, list))
        assert snapshot(root) == before

    def test_bad_options(self, backend, root):
        """Options that zarr refuses leave nothing behind, and nothing above is made."""
        with pytest.raises(TypeError):
            backend.create_array("box", "a", OPTIONS | {"nonsense": 1}, Around((root / "box").mkdir, list))
        assert os.listdir(root) == []


class TestTop:
    """The root of the file system is a root like any other, wherever one works."""

    @pytest.fixture
    def top(self, tmp_path, monkeypatch):
        """A backend for `/`, and a path below it; the working directory is another one."""
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        yield LocalBackend("/"), f"{tmp_path}/there"[1:]
        assert os.listdir(tmp_path / "here") == []

    def test_files(self, top):
        """Files are written, read, measured and removed below the top."""
        backend, path = top
        backend.write(f"{path}/x", b"text")
        assert Path(f"/{path}/x").read_bytes() == b"text"
        assert backend.read(f"{path}/x") == b"text"
        assert backend.size(path) == 4
        with backend.creating(f"{path}/y"), backend.open_file(f"{path}/y", "xb") as file:
            file.write(b"y")
        assert sorted(backend.items(path, Requests())) == [("x", "file"), ("y", "file")]
        assert backend.zarr_store(path) == f"/{path}"

    def test_the_way(self, top, tmp_path):
        """Symlinks on the way are seen below the top too."""
        backend, path = top
        (tmp_path / "there").symlink_to("nowhere")
        with pytest.raises(NotInStoreError, match="is a symlink"), backend.creating(f"{path}/x"):
            pytest.fail("the body is not reached")

    def test_look(self, top, tmp_path):
        """Nodes are told below the top."""
        backend, path = top
        (tmp_path / "there").mkdir()
        (tmp_path / "there/zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group"}))
        assert backend.found(path).sort == "group"


def test_large_metadata(tmp_path, monkeypatch):
    """Metadata of many blocks are read whole, up to a limit beyond which they are unreadable."""
    backend = LocalBackend(str(tmp_path))
    content = b"x" * 200_000
    (tmp_path / "zarr.json").write_bytes(content)
    assert backend.read("zarr.json") == content
    monkeypatch.setattr(nodes, "MAX_METADATA", 150_000)
    with pytest.raises(UnreadableError, match=r"its zarr\.json has more than 150,000 bytes, which are not read"):
        backend.look("", Requests())


def test_the_size_of_very_deep_folders(tmp_path):
    """Folders may lie in each other as deep as they like."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    file = os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(file, b"123")
    os.close(file)
    os.close(here)
    try:
        assert LocalBackend(str(tmp_path)).size("d") == 3
    finally:
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)


class TestModified:
    def test_newest_file(self, backend, root):
        """What is below a path is as old as the newest file there, however deep it lies."""
        write_array(root / "a")
        for at, name in enumerate(("zarr.json", "c/1", "c/0")):
            os.utime(root / "a" / name, (0, 1000.5 + at))
        paths = ("a", "a/c", "a/c/1", "a/zarr.json")
        assert [backend.modified(path) for path in paths] == [1002.5, 1002.5, 1001.5, 1000.5]

    def test_no_file(self, backend, root):
        """A folder without any file is as old as itself."""
        (root / "empty/inner").mkdir(parents=True)
        os.utime(root / "empty", (0, 1000))
        assert backend.modified("empty") == 1000

    @pytest.mark.parametrize("path", ["absent", "absent/deeper", "file/deeper", "x" * 300])
    def test_nothing(self, backend, root, path):
        """What is not there has no age, and never looks old."""
        (root / "file").write_text("x")
        with pytest.raises(NotFoundError):
            backend.modified(path)

    def test_symlinks(self, backend, root, outside):
        """Symlinks are not followed: one on the way is an error, one inside is as old as itself."""
        backend.write("a/x", b"x")
        os.utime(root / "a/x", (0, 1000))
        os.utime(outside / "secret", (0, 4e9))
        (root / "link").symlink_to(outside)
        for path in ("link", "link/secret"):
            with pytest.raises(UnreadableError, match="symlink"):
                backend.modified(path)
        (root / "a/link").symlink_to(outside)
        os.utime(root / "a/link", (0, 2000), follow_symlinks=False)
        assert backend.modified("a") == 2000

    def test_permission(self, shared_folder, as_nobody):
        """Where a folder inside may not be read, the age is not known."""
        (shared_folder / "a/closed").mkdir(parents=True)
        (shared_folder / "a/closed").chmod(0)
        with as_nobody(), pytest.raises(AccessDeniedError) as caught:
            LocalBackend(str(shared_folder)).modified("a")
        assert str(caught.value) == f"'{shared_folder}/a/closed' cannot be read: permission denied"


def test_room(tmp_path):
    """The room at a path that does not exist is that of the nearest folder above it that does, above the root too."""
    for backend in (LocalBackend(str(tmp_path)), LocalBackend(str(tmp_path / "still" / "to be made"))):
        number, free = backend.room("a/b/c")
        assert number == os.stat(tmp_path).st_dev
        assert free > 0
