"""Writing small files: whole or not at all, as who had them before, and never by way of a symlink."""

from __future__ import annotations

import errno
import os
import stat
import threading

import pytest
from tests.stores.conftest import take_snapshot

from zarrange.errors import AlreadyExistsError, NotInStoreError
from zarrange.stores.local import writing
from zarrange.stores.local.descent import Descent
from zarrange.stores.local.writing import write_file


def write(root, path, content=b"new", *, replace=False):
    with Descent(str(root)) as descent:
        write_file(descent, path, content, replace=replace)


class TestNew:
    @pytest.mark.parametrize("path", ["x", "a/x", "a/b/c/x"])
    @pytest.mark.parametrize("content", [b"", b"text", b"x" * 3_000_000])
    def test_whole(self, root, path, content):
        """A file is there as a whole, with the folders above it and nothing beside it."""
        write(root, path, content)
        assert (root / path).read_bytes() == content
        assert os.listdir((root / path).parent) == ["x"]

    @pytest.mark.parametrize("there", ["file", "folder", "symlink", "dangling"])
    def test_never_over_another(self, root, snapshot, there):
        """Whatever is there stays as it is, and nothing is left beside it."""
        (root / "real").write_text("theirs")
        make = {
            "file": lambda: (root / "x").write_text("theirs"),
            "folder": (root / "x").mkdir,
            "symlink": lambda: (root / "x").symlink_to("real"),
            "dangling": lambda: (root / "x").symlink_to("nowhere"),
        }
        make[there]()
        before = snapshot(root)
        with pytest.raises(AlreadyExistsError, match=f"something is there already: '{root}/x'"):
            write(root, "x")
        assert snapshot(root) == before

    def test_permissions(self, root):
        """A new file has the permissions that the process gives."""
        old = os.umask(0o027)
        try:
            write(root, "x")
        finally:
            os.umask(old)
        assert stat.S_IMODE((root / "x").stat().st_mode) == 0o640


class TestReplaced:
    @pytest.mark.parametrize("mode", [0o644, 0o600, 0o664, 0o444, 0o4755])
    def test_permissions_and_owner(self, root, mode):
        """A file that is replaced leaves its permissions, its owner and its group to the new one."""
        (root / "x").write_text("old")
        if os.geteuid() == 0:
            os.chown(root / "x", 1234, 2345)
        (root / "x").chmod(mode)
        before = (root / "x").stat()
        write(root, "x", replace=True)
        after = (root / "x").stat()
        assert (root / "x").read_text() == "new"
        assert after.st_ino != before.st_ino
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
        assert os.listdir(root) == ["x"]

    def test_of_somebody_else(self, shared_folder, as_nobody):
        """Who may write in a folder may replace a file there that is another's, and keeps its permissions."""
        (shared_folder / "x").write_text("old")
        (shared_folder / "x").chmod(0o604)
        with as_nobody():
            write(shared_folder, "x", replace=True)
        assert (shared_folder / "x").read_text() == "new"
        assert stat.S_IMODE((shared_folder / "x").stat().st_mode) == 0o604

    def test_what_is_not_there(self, root):
        """What is not there is made."""
        write(root, "a/x", replace=True)
        assert (root / "a/x").read_text() == "new"

    def test_a_symlink_itself(self, root, tmp_path):
        """A symlink of that name is replaced itself: what it leads to stays as it is."""
        (tmp_path / "outside").write_text("theirs")
        (root / "x").symlink_to(tmp_path / "outside")
        write(root, "x", replace=True)
        assert (tmp_path / "outside").read_text() == "theirs"
        assert (root / "x").read_text() == "new"
        assert not (root / "x").is_symlink()

    def test_who_has_it_open(self, root):
        """Who has the old file open reads it to its end; nobody ever reads a part of the new one."""
        write(root, "x", b"a" * 100_000)
        seen = set()
        stop = threading.Event()

        def look():
            while not stop.is_set():
                seen.add((root / "x").read_bytes())

        reader = threading.Thread(target=look)
        with (root / "x").open("rb") as held:
            reader.start()
            for letter in b"bcdefgh":
                write(root, "x", bytes([letter]) * 100_000, replace=True)
            assert held.read() == b"a" * 100_000
        stop.set()
        reader.join()
        assert {(len(one), len(set(one))) for one in seen} == {(100_000, 1)}


class TestRefused:
    @pytest.mark.parametrize("replace", [False, True])
    @pytest.mark.parametrize("way", ["link", "file", "a/link"])
    def test_the_way(self, root, tmp_path, snapshot, replace, way):
        """A way by a symlink or a file is refused, and neither side of it changes."""
        (tmp_path / "outside").mkdir()
        (root / "a").mkdir()
        (root / "link").symlink_to(tmp_path / "outside")
        (root / "a/link").symlink_to(tmp_path / "outside")
        (root / "file").write_text("x")
        before = snapshot(tmp_path)
        with pytest.raises(NotInStoreError, match=f"{way}' is (a symlink|not a folder)"):
            write(root, f"{way}/x", replace=replace)
        assert snapshot(tmp_path) == before

    @pytest.mark.parametrize("replace", [False, True])
    @pytest.mark.parametrize("failing", ["write", "fsync"])
    def test_a_disk_that_fails(self, root, monkeypatch, replace, failing):
        """Where the disk fails, the old file stays as it was, and nothing is left beside it."""
        (root / "x").write_text("old")
        before = take_snapshot(root)

        def fail(*_):
            raise OSError(errno.ENOSPC, "the disk is full")

        monkeypatch.setattr(writing.os, failing, fail)
        with pytest.raises(OSError, match="the disk is full"):
            write(root, "x" if replace else "y", replace=replace)
        monkeypatch.undo()
        assert take_snapshot(root) == before

    def test_short_writes(self, root, monkeypatch):
        """A system that takes a part at a time gets all of it."""
        real = os.write
        monkeypatch.setattr(writing.os, "write", lambda number, content: real(number, content[:7]))
        write(root, "x", b"0123456789" * 10)
        monkeypatch.undo()
        assert (root / "x").read_bytes() == b"0123456789" * 10
