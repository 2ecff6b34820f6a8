"""Copying artifacts between disks and object stores: whole, the same, and never over anything."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import zarr

from zarrange.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    BusyError,
    NotFoundError,
    NotInStoreError,
    StoreError,
)
from zarrange.stores.backend import WORKING_FOLDER
from zarrange.stores.copying import copy_artifact, copy_artifacts
from zarrange.stores.local import LocalBackend
from zarrange.stores.remote import RemoteBackend

NUMBERS = count()
LARGE = 9 * 1024 * 1024
ARRAYS = [
    "r/new.zarr/images/1/plain",
    "r/new.zarr/sharded",
    "r/new.zarr/empty",
    "r/old.zarr/images/nested",
    "r/old.zarr/flat",
]
GROUPS = ["r/new.zarr", "r/new.zarr/images", "r/old.zarr", "r/old.zarr/images"]
FILES = ["r/notes/1.txt", "r/notes/none", "r/checkpoint.pt"]
WORK = [
    *((path, path, "array") for path in ARRAYS),
    *((path, path, "group") for path in GROUPS),
    *((path, path, "file") for path in FILES),
]


def fill(root):
    """Make artifacts of all sorts."""
    rng = np.random.default_rng(5)
    new = zarr.open_group(root / "r" / "new.zarr", mode="w", zarr_format=3, attributes={"made": "by hand"})
    data = rng.random((20, 30), dtype="f4")
    new.create_array("images/1/plain", data=data, chunks=(7, 9))
    new.create_array("sharded", data=data, chunks=(5, 5), shards=(10, 10))
    new.create_array("empty", shape=(9,), dtype="u1", fill_value=3)
    old = zarr.open_group(root / "r" / "old.zarr", mode="w", zarr_format=2, attributes={"made": "long ago"})
    keys = {"name": "v2", "separator": "/"}
    old.create_array("images/nested", data=data, chunks=(7, 9), chunk_key_encoding=keys, attributes={"a": 1})
    old.create_array("flat", data=data, chunks=(20, 3))
    (root / "r" / "notes").mkdir()
    (root / "r" / "notes" / "1.txt").write_text("text")
    (root / "r" / "notes" / "none").touch()
    (root / "r" / "checkpoint.pt").write_bytes(rng.bytes(LARGE))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with all sorts of artifacts, which no test changes."""
    root = tmp_path_factory.mktemp("made")
    fill(root)
    return root


@pytest.fixture
def small(tmp_path):
    """A folder with one array and one file, to be changed."""
    root = tmp_path / "small"
    group = zarr.open_group(root / "a.zarr", mode="w", zarr_format=3)
    group.create_array("x", data=np.arange(1, 7), chunks=(2,))
    (root / "f.txt").write_text("text")
    return root


@pytest.fixture(params=["disk", "memory", "s3"])
def place(request, tmp_path):
    """What makes an empty backend of a sort."""
    return partial(make_place, request, tmp_path, request.param)


def make_place(request, tmp_path, sort):
    if sort == "disk":
        return LocalBackend(str(tmp_path / f"disk-{next(NUMBERS)}"))
    if sort == "memory":
        return RemoteBackend(f"memory://copies-{next(NUMBERS)}/below")
    server = request.getfixturevalue("server")
    return RemoteBackend(f"s3://{server.new_bucket()}/below", server.options())


def below(backend, path=""):
    """All files that a backend has, with their contents, but for what it keeps for itself."""
    if isinstance(backend, LocalBackend):
        top = os.path.join(backend.root, path)
        files = [os.path.join(where, name) for where, _, names in os.walk(top) for name in names]
        found = {os.path.relpath(file, backend.root): file for file in files}
        return {key: Path(file).read_bytes() for key, file in found.items() if not key.startswith(WORKING_FOLDER)}
    objects = backend._objects
    return {key: objects.content(key) for key in objects.keys(path)}


def opened(backend, path):
    container, _, dataset = path.partition(".zarr/")
    return zarr.open_array(backend.zarr_store(f"{container}.zarr"), path=dataset, mode="r")


def test_there_and_back(made, place, tmp_path, snapshot):
    """What goes from a disk to anywhere and back has the same digests all the way, and zarr reads the same."""
    before = snapshot(made)
    disk, other, back = LocalBackend(str(made)), place(), LocalBackend(str(tmp_path / "back"))
    there = copy_artifacts(disk, other, WORK)
    assert copy_artifacts(other, back, WORK) == there
    assert [one.files for one in there] == [13, 7, 1, 14, 12, 1, 1, 2, 2, 1, 1, 1]
    assert len({one.digest for one in there}) == len(WORK)
    for backend in (other, back):
        for path in ARRAYS:
            assert (opened(backend, path)[...] == opened(disk, path)[...]).all()
            assert dict(opened(backend, path).attrs) == dict(opened(disk, path).attrs)
    expected = below(disk)
    missing = {"r/new.zarr/images/1/zarr.json"}  # a group that was made, as it was not copied
    assert below(back).keys() == expected.keys()
    found = below(other)
    assert all(found[key] == content for key, content in expected.items() if key not in missing)
    assert snapshot(made) == before


def test_between_object_stores(made, place):
    """An artifact goes from one place to another of the same sort, too."""
    one, other = place(), place()
    for path, sort in ((ARRAYS[1], "array"), (FILES[0], "file")):
        copied = copy_artifact(LocalBackend(str(made)), path, one, path, sort)
        assert copy_artifact(one, path, other, path, sort) == copied
    assert below(other) == below(one)


def test_groups_above(made, place):
    """The groups above an artifact are made, in its format, from its container down."""
    disk, other = LocalBackend(str(made)), place()
    copy_artifact(disk, ARRAYS[0], other, "x/y.zarr/a/b", "array")
    copy_artifact(disk, ARRAYS[3], other, "x/named/a/b", "array", "x/named")
    copy_artifact(disk, ARRAYS[3], other, "x/nowhere/b", "array")
    copy_artifact(disk, GROUPS[1], other, "x/z.zarr/a/b", "group")
    metadata = {path for path in below(other) if path.endswith(("zarr.json", ".zgroup", ".zarray"))}
    assert metadata == {
        *(f"x/y.zarr/{one}zarr.json" for one in ("", "a/", "a/b/")),
        *(f"x/named/{one}" for one in (".zgroup", "a/.zgroup", "a/b/.zarray")),
        "x/nowhere/b/.zarray",
        *(f"x/z.zarr/{one}zarr.json" for one in ("", "a/", "a/b/")),
    }


def test_only_a_group(made, place):
    """Of a group, nothing but its own metadata is copied."""
    disk, other = LocalBackend(str(made)), place()
    copied = copy_artifact(disk, "r/old.zarr", other, "r/old.zarr", "group")
    assert set(below(other)) == {"r/old.zarr/.zattrs", "r/old.zarr/.zgroup"}
    assert copied.bytes == sum(map(len, below(other).values()))


def test_bare_container(made, place, tmp_path):
    """A container without metadata has none at its copy."""
    (tmp_path / "bare" / "c.zarr" / "a").mkdir(parents=True)
    other = place()
    copied = copy_artifact(LocalBackend(str(tmp_path / "bare")), "c.zarr", other, "c.zarr", "group")
    assert (copied.files, copied.bytes) == (0, 0)
    assert below(other) == {}


def test_group_of_others(made, place):
    """A group's metadata go into a folder in which other artifacts are already, unless it is a node."""
    disk, other = LocalBackend(str(made)), place()
    copy_artifact(disk, ARRAYS[0], other, "x/a", "array")
    copy_artifact(disk, "r/old.zarr", other, "x", "group")
    before = below(other)
    assert {"x/.zgroup", "x/a/zarr.json"} <= before.keys()
    for group in ("r/old.zarr", "r/new.zarr"):
        with pytest.raises(AlreadyExistsError):
            copy_artifact(disk, group, other, "x", "group")
    assert below(other) == before


@pytest.mark.parametrize("sort", ["array", "group", "file"])
def test_never_over_anything(made, place, sort):
    """Where an artifact, or any file, is already, nothing is copied and nothing is changed."""
    disk, other = LocalBackend(str(made)), place()
    path = {"array": ARRAYS[0], "group": GROUPS[0], "file": FILES[0]}[sort]
    for taken in ("array", "file") if sort == "group" else ("array", "group", "file"):
        to = f"at/{taken}"
        copy_artifact(disk, {"array": ARRAYS[3], "group": GROUPS[2], "file": FILES[0]}[taken], other, to, taken)
        before = below(other)
        with pytest.raises(AlreadyExistsError):
            copy_artifact(disk, path, other, to, sort)
        with pytest.raises(StoreError):
            copy_artifact(disk, path, other, f"at/{taken}/c/0", sort) if taken != "group" else copy_artifact(
                disk, path, other, to, sort
            )
        assert below(other) == before


def test_chunks_without_an_array(made, place):
    """An array is not copied to where chunks are, which would be taken for its own."""
    disk, other = LocalBackend(str(made)), place()
    copy_artifact(disk, FILES[0], other, "a.zarr/x/c/9/9", "file")
    with pytest.raises(AlreadyExistsError):
        copy_artifact(disk, ARRAYS[0], other, "a.zarr/x", "array")
    assert set(below(other)) == {"a.zarr/x/c/9/9"}


def test_wrong_sort(made, place):
    """What is not there, or is of another sort, is not copied."""
    disk, other = LocalBackend(str(made)), place()
    with pytest.raises(NotFoundError):
        copy_artifact(disk, "r/none", other, "x", "file")
    for path, sort in ((ARRAYS[0], "group"), (FILES[0], "array"), (GROUPS[0], "array"), (ARRAYS[0], "file")):
        with pytest.raises(NotInStoreError, match=f"which is of the sort `{sort}`"):
            copy_artifact(disk, path, other, "x", sort)
    assert below(other) == {}


def test_symlinks(small, place, tmp_path):
    """A symlink in an artifact, for one, or on the way to it or to its copy, is refused."""
    disk, other = LocalBackend(str(small)), place()
    (small / "a.zarr" / "x" / "c" / "9").symlink_to("/etc/passwd")
    (small / "link").symlink_to(small / "a.zarr")
    (small / "f.lnk").symlink_to(small / "f.txt")
    for path, sort in (("a.zarr/x", "array"), ("link/x", "array"), ("f.lnk", "file"), ("link", "group")):
        with pytest.raises(StoreError, match="symlink"):
            copy_artifact(disk, path, other, "x", sort)
    assert below(other) == {}
    to = LocalBackend(str(tmp_path / "to"))
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "way").symlink_to(tmp_path)
    for target in ("way/x", "way"):
        with pytest.raises(StoreError, match="symlink"):
            copy_artifact(disk, "f.txt", to, target, "file")
    assert not (tmp_path / "x").exists()


def test_leftovers(small, place):
    """What zarr was writing when its process died is not part of an array."""
    (small / "a.zarr" / "x" / "c" / "1.0123.partial").touch()
    (small / "a.zarr" / "x" / "zarr.json.partial").touch()
    other = place()
    assert copy_artifact(LocalBackend(str(small)), "a.zarr/x", other, "a.zarr/x", "array").files == 4
    assert not [key for key in below(other) if key.endswith(".partial")]


def test_attributes_between_disks(small, tmp_path):
    """Between disks, modes and times are kept, also those of a group's folder."""
    (small / "a.zarr" / "x" / "c").chmod(0o2750)
    (small / "a.zarr" / "x").chmod(0o700)
    (small / "a.zarr").chmod(0o711)
    (small / "f.txt").chmod(0o600)
    os.utime(small / "f.txt", ns=(1, 10**18))
    to = tmp_path / "to"
    work = [("a.zarr", "a.zarr", "group"), ("a.zarr/x", "a.zarr/x", "array"), ("f.txt", "f.txt", "file")]
    copy_artifacts(LocalBackend(str(small)), LocalBackend(str(to)), work)
    for name in ("a.zarr/x/c", "a.zarr/x", "a.zarr", "f.txt", "a.zarr/x/c/0"):
        assert (to / name).stat().st_mode == (small / name).stat().st_mode
    assert (to / "f.txt").stat().st_mtime_ns == 10**18


@pytest.mark.parametrize("is_on_disk", [True, False])
def test_unreadable(shared_folder, as_nobody, is_on_disk):
    """What may not be read is said, and nothing is left."""
    # Not on the server of S3, which is a thread of this process, and would be nobody as well.
    where = LocalBackend(str(shared_folder / "to")) if is_on_disk else RemoteBackend("memory://unreadable")
    with as_nobody():
        group = zarr.open_group(shared_folder / "a.zarr", mode="w", zarr_format=3)
        group.create_array("x", data=np.arange(1, 7), chunks=(2,))
        (shared_folder / "a.zarr" / "x" / "c" / "1").chmod(0)
        with pytest.raises(AccessDeniedError, match="x/c/1"):
            copy_artifact(LocalBackend(str(shared_folder)), "a.zarr/x", where, "b.zarr/x", "array")
    assert below(where) == {}


def test_processes(made, tmp_path):
    """Batches can be pickled, and copied in other processes."""
    disk, to = LocalBackend(str(made)), LocalBackend(str(tmp_path / "to"))
    groups = [one for one in WORK if one[2] == "group"]
    rest = [one for one in WORK if one[2] != "group"]
    expected = copy_artifacts(disk, LocalBackend(str(tmp_path / "other")), groups + rest)
    done = copy_artifacts(disk, to, groups)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for copied in pool.map(copy_artifacts, [disk] * 2, [to] * 2, [rest[:4], rest[4:]]):
            done += copied
    assert pickle.loads(pickle.dumps(done)) == expected


# --- what goes wrong -------------------------------------------------------------------------------------------------


class Meddling:
    """Somebody who does something once a file was put."""

    def __init__(self, received, meddle):
        self._received = received
        self._meddle = meddle
        self.open = received.open

    def take(self, *_):
        return None

    def put(self, name, content, size):
        self._received.put(name, content, size)
        self._meddle(self._received, name)


def meddled(backend, meddle):
    """The same place, with somebody who meddles."""
    real = backend.receiving

    @contextmanager
    def receiving(path, sort):
        with real(path, sort) as received:
            yield Meddling(received, meddle)

    backend.receiving = receiving
    return backend


@pytest.mark.parametrize("name", ["a.zarr/x", "f.txt"])
@pytest.mark.parametrize("change", ["write", "delete", "add"])
def test_changed_meanwhile(small, place, name, change):
    """A source that changes while it is copied leaves no copy, wherever it is."""
    if change == "add" and name == "f.txt":
        change = "write"
    sort = "file" if name == "f.txt" else "array"
    disk, source = LocalBackend(str(small)), place()
    copy_artifact(disk, name, source, name, sort)
    place_of = name if sort == "file" else f"{name}/c/{7 if change == 'add' else 1}"

    def meddle(_, at):
        if at in {"", "c/2"}:
            change_file(source, place_of, change)

    other = meddled(place(), meddle)
    with pytest.raises(BusyError, match=r"was changed while it was read|was removed"):
        copy_artifact(source, name, other, "b.zarr/x", sort)
    assert below(other) == {}


def change_file(backend, path, change):
    if isinstance(backend, RemoteBackend):
        objects = backend._objects
        objects.delete([path]) if change == "delete" else objects.replace(path, b"other")
    elif change == "delete":
        os.unlink(f"{backend.root}/{path}")
    else:
        with open(f"{backend.root}/{path}", "wb") as file:
            file.write(b"other")


@pytest.mark.parametrize("sort", ["array", "file"])
def test_read_back(small, place, sort):
    """A copy that is not what was sent is found out, and deleted."""

    def meddle(received, name):
        if name in {"", "c/1"}:
            corrupt(received, name)

    other = meddled(place(), meddle)
    path = "f.txt" if sort == "file" else "a.zarr/x"
    with pytest.raises(StoreError, match=r"the copy of .* is not the same; nothing was copied"):
        copy_artifact(LocalBackend(str(small)), path, other, "b.zarr/x", sort)
    assert below(other) == {}


def corrupt(received, name):
    if hasattr(received, "objects"):
        received.objects.replace(f"{received.path}/{name}" if name else received.path, b"other")
        return
    path = f"/proc/self/fd/{received.stage}/new/{name}".rstrip("/")
    with open(path, "wb") as file:
        file.write(b"other")


@pytest.mark.parametrize("failing", ["c/1", "zarr.json"])
def test_failing_server(small, server, failing):
    """A server that fails leaves nothing that is seen, and a copy can be made once it does not."""
    disk, other = LocalBackend(str(small)), RemoteBackend(f"s3://{server.new_bucket()}/b", server.options())
    server.fail("500", "InternalError", lambda one: one.method == "PUT" and one.path.endswith(f"x/{failing}"))
    with pytest.raises(StoreError, match="cannot be"):
        copy_artifact(disk, "a.zarr/x", other, "a.zarr/x", "array")
    assert below(other) == {}
    server.faults.clear()
    assert copy_artifact(disk, "a.zarr/x", other, "a.zarr/x", "array").files == 4


def test_metadata_last(small):
    """In an object store, what makes an array one is put when all of its chunks are there and were read back."""
    seen = {}
    disk = LocalBackend(str(small))

    def meddle(received, name):
        seen[name] = received.objects.content("b.zarr/x/zarr.json")

    other = meddled(RemoteBackend(f"memory://copies-{next(NUMBERS)}"), meddle)
    copy_artifact(disk, "a.zarr/x", other, "b.zarr/x", "array")
    assert seen == {"zarr.json": None, "c/0": None, "c/1": None, "c/2": None}
    assert set(below(other)) == {"b.zarr/zarr.json", *(f"b.zarr/x/{one}" for one in seen)}


@pytest.mark.parametrize("sort", ["array", "file"])
def test_two_at_once(made, small, sort):
    """Of two who copy to the same place of an object store, one is told; a dead one's mark says what to do."""
    name = f"memory://copies-{next(NUMBERS)}"
    path = ARRAYS[0] if sort == "array" else FILES[2]
    disk, refused = LocalBackend(str(made)), []

    class Slow:
        """A stream in the midst of which somebody else begins."""

        def __init__(self):
            self.size = 9_000_000

        def read(self, size=-1):
            if not refused:
                with pytest.raises(AlreadyExistsError, match="whoever did so has died, delete 'memory://") as error:
                    copy_artifact(disk, path, RemoteBackend(name), "b.zarr/x", sort)
                refused.append(error)
            self.size -= (count := min(self.size, size if size > 0 else self.size))
            return b"x" * count

    with RemoteBackend(name).receiving("b.zarr/x", sort) as received:
        received.put("" if sort == "file" else "c/0", Slow(), 9_000_000)
    assert len(refused) == 1
    assert [len(one) for one in below(RemoteBackend(name)).values()] == [9_000_000]


def test_file_that_appears(made):
    """A large file is not put where one has appeared meanwhile."""
    other = RemoteBackend(f"memory://copies-{next(NUMBERS)}")

    class Slow:
        left = 9_000_000

        def read(self, size):
            other._objects.replace("x", b"mine")
            self.left -= (count := min(self.left, size))
            return b"x" * count

    with pytest.raises(AlreadyExistsError), other.receiving("x", "file") as received:
        received.put("", Slow(), 9_000_000)
    assert below(other) == {"x": b"mine"}


def test_hostile_keys(tmp_path):
    """Keys that no disk can have as paths lead nowhere, and leave nothing."""
    source, to = RemoteBackend(f"memory://copies-{next(NUMBERS)}"), LocalBackend(str(tmp_path / "to"))
    (tmp_path / "made").mkdir()
    array = zarr.create_array(tmp_path / "made" / "x", data=np.arange(4), chunks=(2,))
    copy_artifact(LocalBackend(str(tmp_path / "made")), "x", source, "x", "array")
    source._objects.create("x/c/0/0", b"in a file")
    with pytest.raises(StoreError, match=r"not a folder|is there twice"):
        copy_artifact(source, "x", to, "x", "array")
    assert below(to) == {}
    assert array.shape == (4,)
    with to.receiving("x", "array") as received:
        for name in ("../../x", "a//b", "/etc/x", "a/../../b", "a/."):
            with pytest.raises(NotInStoreError, match="no path"):
                received.put(name, BytesIO(), 0)
    assert sorted(os.listdir(tmp_path)) == ["made", "to"]


CRASH = """
import os, sys
from zarrange.errors import StoreError
from zarrange.stores.copying import copy_artifact
from zarrange.stores.local import LocalBackend
source, target, path, sort = sys.argv[1:]
real = os.fsync
for at in range(1000):
    child = os.fork()
    if not child:
        left = [at]
        def fsync(descriptor):
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            real(descriptor)
        os.fsync = fsync
        copy_artifact(LocalBackend(source), path, LocalBackend(f"{target}/{at}"), "x", sort)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(at)
"""


@pytest.mark.parametrize(("path", "sort"), [("a.zarr/x", "array"), ("a.zarr", "group"), ("f.txt", "file")])
def test_crash(small, tmp_path, path, sort):
    """Whenever its process dies, a copy on a disk is not there, or whole."""
    to = tmp_path / "to"
    to.mkdir()
    words = [sys.executable, "-c", CRASH, str(small), str(to), path, sort]
    times = int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    whole = below(LocalBackend(str(to / str(times))))
    assert whole
    found = [below(LocalBackend(str(to / str(at)))) for at in range(times)]
    assert all(one in ({}, whole) for one in found)
    assert found[0] == {}
    assert times >= 3
