"""Reading parts of files: by descriptors on a disk, by ranges in an object store, with the same answers."""

from __future__ import annotations

import os
import pickle
import socket
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings, strategies as st
from tests.stores.conftest import take_snapshot
from tests.stores.racing import attacking

from zarrange.errors import AccessDeniedError, NotFoundError, NotInStoreError, StoreError, UnreadableError
from zarrange.stores.backend import FOLDER, Extract, Found, Requests
from zarrange.stores.local import LocalBackend, opening
from zarrange.stores.local.shelter import ShelteredBackend
from zarrange.stores.remote import RemoteBackend

CONTENT = bytes(range(10))
CANARY = b"the canary sings"
OPTIONS = {"shape": (4,), "dtype": "u1", "chunks": (2,), "compressors": None, "zarr_format": 3}
_names = count()


@pytest.fixture
def local(root):
    return LocalBackend(str(root))


@pytest.fixture
def memory():
    return RemoteBackend(f"memory://reading-{next(_names)}/some/prefix")


@pytest.fixture
def bucket(server):
    """A place in a real server of the S3 protocol."""
    return RemoteBackend(f"s3://{server.new_bucket()}/some/prefix", server.options())


@pytest.fixture(params=["local", "memory", "bucket"])
def backend(request):
    return request.getfixturevalue(request.param)


RANGES = {
    (0, None): CONTENT,
    (0, 10): CONTENT,
    (0, 99): CONTENT,
    (2, 5): CONTENT[2:5],
    (8, 20): CONTENT[8:],
    (3, None): CONTENT[3:],
    (-3, None): CONTENT[7:],
    (-10, None): CONTENT,
    (-99, None): CONTENT,
    (0, 0): b"",
    (5, 5): b"",
    (7, 5): b"",
    (10, None): b"",
    (10, 12): b"",
    (99, None): b"",
    (99, 120): b"",
}


class TestRanges:
    """`read_range` returns the bytes from `start` up to `stop`, or to the end; from a negative start on, the last ones.

    What lies beyond the end is left out.
    """

    @pytest.mark.parametrize(("span", "expected"), RANGES.items())
    def test_of_a_file(self, backend, span, expected):
        """Each range is as long as it can be, and the size is always that of the whole file."""
        backend.write("a/file", CONTENT)
        found = backend.read_range("a/file", *span)
        assert (found.content, found.size) == (expected, 10)

    @pytest.mark.parametrize("span", [(0, None), (0, 5), (0, 0), (-3, None), (4, None)])
    def test_of_an_empty_file(self, backend, span):
        """An empty file has no bytes, which is not an error."""
        backend.write("empty", b"")
        found = backend.read_range("empty", *span)
        assert (found.content, found.size) == (b"", 0)

    @given(start=st.integers(-12, 12), stop=st.none() | st.integers(0, 12))
    @settings(max_examples=200)
    def test_the_same_everywhere(self, start, stop):
        """A disk is not needed to know the answer: it is that of the memory of this process."""
        backend = RemoteBackend("memory://reading-same")
        backend.write("file", CONTENT, replace=True)
        first = max(0, 10 + start) if start < 0 else start
        assert backend.read_range("file", start, stop).content == CONTENT[first:stop]

    @pytest.mark.parametrize("path", ["absent", "a", "a/file/deeper", "absent/file", "", "a/../a/file"])
    def test_nothing(self, backend, path):
        """What is no file has no bytes: nothing, or something else, is there."""
        backend.write("a/file", CONTENT)
        with pytest.raises((NotFoundError, NotInStoreError, UnreadableError)):
            backend.read_range(path)

    @pytest.mark.parametrize("path", ["..", "../outside/file", "a/../../outside/file", "/a", "a//b", "a/", ".", "a\0"])
    def test_ways_out(self, local, path):
        """A path that is not plainly below the root is refused before anything is opened."""
        with pytest.raises(NotInStoreError, match="is no path below a root"):
            local.read_range(path)
        with pytest.raises(NotInStoreError, match="is no path below a root"):
            local.versions_of([path])

    @pytest.mark.parametrize("path", ["..", "../outside/file", "a/../../outside", "a/.."])
    def test_ways_out_of_a_shelter(self, local, root, path):
        """A sheltered backend looks at nothing by such a path either."""
        (root / "a").mkdir()
        shelter = local.sheltered()
        for ask in (shelter.found, shelter.read, shelter.read_range):
            with pytest.raises(NotInStoreError, match="is no path below a root"):
                ask(path)
        assert shelter.items(path, Requests()) == []
        assert shelter.look(path, Requests()) == FOLDER

    def test_one_request(self, bucket, server):
        """A whole object, and a range from its beginning, take one request."""
        bucket.write("file", CONTENT)
        server.asked.clear()
        for span in ((0, None), (0, 5), (2, 5), (3, None)):
            bucket.read_range("file", *span)
        assert [one.method for one in server.asked] == ["GET"] * 4

    def test_of_a_server_that_fails(self, bucket, server):
        """A server that does not give a range that is there is an error, not the end of the file."""
        bucket.write("file", CONTENT)
        server.fail("403 Forbidden", "AccessDenied", lambda one: one.method == "GET")
        with pytest.raises(AccessDeniedError, match=r"file' cannot be read: access denied \(403 AccessDenied\)"):
            bucket.read_range("file", 2, 5)


class TestVersions:
    """A version is different when a file is written anew, and the same as long as it is not."""

    def test_of_a_range(self, backend):
        """Each range of a file has the file's version, until it is written anew."""
        backend.write("file", CONTENT)
        found = {backend.read_range("file", *span).version for span in RANGES}
        assert len(found) == 1
        backend.write("file", CONTENT + b"!", replace=True)
        assert backend.read_range("file").version not in found

    def test_of_many(self, backend):
        """Many are told at once, in order; what is not there has none."""
        backend.write("a/one", b"1")
        backend.write("b/two", b"22")
        one, nothing, two, again, deeper = backend.versions_of(["a/one", "a/absent", "b/two", "a/one", "a/one/x/y"])
        assert one == again == backend.read_range("a/one").version
        assert two == backend.read_range("b/two").version
        assert (nothing, deeper) == (None, None)
        backend.write("b/two", b"222", replace=True)
        assert backend.versions_of(["a/one"]) == [one]
        assert backend.versions_of(["b/two"]) != [two]

    def test_without_a_root(self, tmp_path):
        """Where there is no root, there is no version, and no file."""
        backend = LocalBackend(str(tmp_path / "absent"))
        assert backend.versions_of(["a", "b"]) == [None, None]
        with pytest.raises(NotFoundError):
            backend.read_range("a")


@pytest.fixture(params=["at once", "step by step"])
def way(request, monkeypatch):
    """How paths are opened: as Linux has it, or as every other system has."""
    if request.param == "step by step":
        monkeypatch.setattr(opening, "OPENAT2", -1)
    return request.param


@pytest.fixture
def outside(tmp_path):
    """A folder beside the store, with something in it that is nobody's business."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_bytes(CANARY)
    zarr.create_array(folder / "box.zarr/image", **OPTIONS)[...] = 7
    return folder


@pytest.mark.usefixtures("way")
class TestSymlinks:
    @pytest.mark.parametrize("link", ["way", "way/a", "way/a/file"])
    def test_none_is_followed(self, local, root, outside, link):
        """A symlink on the way, or at its end, is refused, also one that leads to what is inside of the root."""
        (root / "way/a").mkdir(parents=True)
        (root / "way/a/file").write_bytes(CONTENT)
        for target in (outside / "file", outside, root / "inner"):
            os.rename(root / link, root / "aside")
            (root / link).symlink_to(target)
            with pytest.raises(NotInStoreError, match="is a symlink"):
                local.read_range("way/a/file")
            with pytest.raises(NotInStoreError, match="is a symlink"):
                local.versions_of(["way/a/file"])
            os.unlink(root / link)
            os.rename(root / "aside", root / link)
        assert local.read_range("way/a/file").content == CONTENT

    def test_the_root_may_be_one(self, root, tmp_path):
        """The root itself may be a symlink: who opens a store has said so."""
        (root / "file").write_bytes(CONTENT)
        (tmp_path / "link").symlink_to(root)
        assert LocalBackend(str(tmp_path / "link")).read_range("file").content == CONTENT

    def test_swapped_in_meanwhile(self, local, root, outside, tmp_path):
        """While a folder is swapped for a symlink again and again, what lies behind it is never read."""
        (root / "folder").mkdir()
        (root / "folder/file").write_bytes(CONTENT)
        targets = tmp_path / "targets"
        targets.mkdir()
        (targets / "folder").symlink_to(outside)
        read, refused = 0, 0
        with attacking(tmp_path, root, targets, ["folder"]) as attack:
            while attack.attempts < 2_000 or not (read and refused):
                try:
                    assert local.read_range("folder/file").content == CONTENT
                    read += 1
                except NotInStoreError:
                    refused += 1


@pytest.mark.usefixtures("way")
class TestOtherFiles:
    def test_a_pipe_is_not_waited_for(self, local, root):
        """A pipe, a socket or a folder in the place of a file is refused at once."""
        os.mkfifo(root / "pipe")
        (root / "folder").mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            os.chdir(root)
            server.bind("socket")
            for name in ("pipe", "folder", "socket"):
                with pytest.raises(UnreadableError):
                    local.read_range(name)

    def test_what_may_not_be_read(self, shared_folder, as_nobody):
        """A file that may not be read says so."""
        (shared_folder / "file").write_bytes(CONTENT)
        (shared_folder / "file").chmod(0)
        with as_nobody(), pytest.raises(AccessDeniedError, match="file' cannot be read: permission denied"):
            LocalBackend(str(shared_folder)).read_range("file")

    def test_descriptors_are_closed(self, local, root):
        """Whatever comes of it, nothing stays open."""
        (root / "file").write_bytes(CONTENT)
        (root / "link").symlink_to("file")
        before = len(os.listdir("/proc/self/fd"))
        for path in ("file", "link", "absent", "file/deeper", "link/deeper", ""):
            for ask in (local.read_range, lambda path: local.versions_of([path]), local.sheltered().found):
                try:
                    ask(path)
                except StoreError:
                    continue
        assert len(os.listdir("/proc/self/fd")) == before


# --- shelter ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(root):
    """A store's folder with an array in a container, a file, and what is neither."""
    zarr.create_group(root / "box.zarr", attributes={"a": 1})
    zarr.create_array(root / "box.zarr/image", **OPTIONS)[...] = [1, 2, 3, 4]
    (root / "notes").mkdir()
    (root / "notes/one.txt").write_text("one")
    (root / "link").symlink_to("notes")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.usefixtures("way")
class TestShelter:
    """A sheltered backend answers as the other one does, and never through a symlink."""

    def test_the_same_answers(self, filled):
        """What is listed, looked at and read is the same."""
        plain = LocalBackend(str(filled))
        shelter = plain.sheltered()
        assert isinstance(shelter, ShelteredBackend)
        paths = ["", "box.zarr", "box.zarr/image", "box.zarr/image/c/0", "notes", "notes/one.txt", "absent", "pipe"]
        paths += ["notes/one.txt/deeper", "absent/deeper"]
        for path in paths:
            assert sorted(shelter.items(path, Requests())) == sorted(plain.items(path, Requests()))
            assert shelter.found(path) == plain.found(path)
            assert shelter.look(path, Requests()) == plain.look(path, Requests())
            is_file = {"may_be_file": True}
            assert shelter.stat(path, Requests(), **is_file) == plain.stat(path, Requests(), **is_file)
            assert shelter.versions(path) == plain.versions(path)
        for path in ("x" * 300, "notes/" + "x" * 300):
            assert shelter.found(path) is plain.found(path) is None
        assert shelter.stat("link", Requests(), may_be_file=True) == "symlink"
        assert shelter.read("notes/one.txt") == plain.read("notes/one.txt") == b"one"
        assert shelter.sheltered() is shelter
        assert (shelter.root, pickle.loads(pickle.dumps(shelter)).root) == (plain.root, plain.root)

    def test_requests_are_counted(self, filled):
        """Each call is counted as one request, as the other one counts it."""
        requests = Requests()
        shelter = LocalBackend(str(filled)).sheltered()
        shelter.items("", requests)
        shelter.look("box.zarr", requests)
        shelter.stat("notes", requests, may_be_file=False)
        assert (requests.lists, requests.looks, requests.stats) == (1, 1, 1)

    @pytest.mark.parametrize("path", ["link", "link/one.txt"])
    def test_symlinks(self, filled, path):
        """What is behind a symlink cannot be read, and it is said why."""
        shelter = LocalBackend(str(filled)).sheltered()
        for ask in (shelter.found, shelter.read, shelter.zarr_store("link").exists):
            with pytest.raises((UnreadableError, NotInStoreError), match="symlink"):
                waited(ask(path))
        with pytest.raises(UnreadableError, match="it is a symlink, which a store does not follow"):
            shelter.items("link", Requests())
        with pytest.raises(UnreadableError, match="it is a symlink, which a store does not follow"):
            shelter.look("link", Requests())

    def test_nothing_is_written(self, filled):
        """It is read from only: files open to be read, and zarr is refused to write."""
        before = take_snapshot(filled)
        shelter = LocalBackend(str(filled)).sheltered()
        with shelter.open_file("notes/one.txt", "rb") as file:
            assert file.read() == b"one"
        for mode in ("r+b", "xb"):
            with pytest.raises(StoreError, match="it is not written to"):
                shelter.open_file("notes/two.txt", mode)
        with pytest.raises(ValueError, match=r"read.only"):
            zarr.open_array(shelter.zarr_store("box.zarr"), path="image", mode="r+")[...] = 9
        with pytest.raises((ValueError, StoreError)):
            zarr.create_array(shelter.zarr_store("new.zarr"), **OPTIONS)
        assert take_snapshot(filled) == before

    def test_zarr_reads_as_ever(self, filled):
        """zarr reads arrays, groups and what is in them, ranges of shards too."""
        sharded = np.arange(64, dtype="u2").reshape(8, 8)
        zarr.create_array(filled / "box.zarr/sharded", data=sharded, chunks=(2, 2), shards=(4, 4))
        old = zarr.create_array(filled / "old.zarr/image", data=sharded, chunks=(3, 3), zarr_format=2)
        shelter = LocalBackend(str(filled)).sheltered()
        group = zarr.open_group(shelter.zarr_store("box.zarr"), mode="r")
        assert dict(group.attrs) == {"a": 1}
        assert sorted(group.array_keys()) == ["image", "sharded"]
        assert (group["sharded"][3:5, 1] == sharded[3:5, 1]).all()
        assert group["image"][...].tolist() == [1, 2, 3, 4]
        assert (zarr.open_array(shelter.zarr_store("old.zarr"), path="image", mode="r")[...] == old[...]).all()

    def test_zarr_never_reads_elsewhere(self, filled, outside, tmp_path):
        """While a folder is swapped for a symlink again and again, zarr never reads what lies behind it."""
        shelter = LocalBackend(str(filled)).sheltered()
        seen = set()
        with attacking(tmp_path, filled, outside, ["box.zarr"]) as attack:
            while attack.attempts < 300 or len(seen) < 2:
                try:
                    array = zarr.open_array(shelter.zarr_store("box.zarr"), path="image", mode="r")
                    seen.add(tuple(array[...].tolist()))
                except (NotInStoreError, UnreadableError):
                    seen.add("refused")
        assert seen == {(1, 2, 3, 4), "refused"}

    def test_metadata_are_never_from_elsewhere(self, filled, outside, tmp_path):
        """While a folder is swapped for a symlink again and again, what is said of it is never of what lies behind."""
        (outside / "box.zarr/image/zarr.json").write_text(
            Path(outside, "box.zarr/image/zarr.json").read_text().replace("{}", '{"secret": true}')
        )
        shelter = LocalBackend(str(filled)).sheltered()
        expected = shelter.found("box.zarr/image")
        assert isinstance(expected, Found)
        seen = {"array": 0, "refused": 0}
        with attacking(tmp_path, filled, outside, ["box.zarr"]) as attack:
            while attack.attempts < 2_000 or not all(seen.values()):
                try:
                    found = shelter.found("box.zarr/image")
                    names = shelter.items("box.zarr/image", Requests())
                    assert found in (expected, FOLDER, None)
                    assert ("secret" in str(found), "extra" in str(names)) == (False, False)
                    seen["array"] += 1
                except UnreadableError:
                    seen["refused"] += 1

    def test_an_object_store_needs_none(self, memory):
        """An object store, which has no symlinks, is its own shelter."""
        assert memory.sheltered() is memory


def waited(answer):
    """What a coroutine gives; anything else as it is."""
    import asyncio

    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


def test_extracts_are_data():
    """An extract is content, size and version."""
    assert Extract(b"ab", 10, "1") == (b"ab", 10, "1")
