"""Folders that are left with nothing: they go with the metadata of a plain group, and never with anything else."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

import pytest

from zarrange.errors import NotInStoreError
from zarrange.stores.local import LocalBackend, dropping
from zarrange.stores.local.descent import Descent

GROUP = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
FILES = {"zarr.json": GROUP}


@pytest.fixture(autouse=True)
def group(root):
    folder = root / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_bytes(GROUP)
    return folder


def comes(monkeypatch, do):
    """Let somebody do something just before a folder is removed."""
    real = Descent.removes

    def removes(descent, path):
        do()
        return real(descent, path)

    monkeypatch.setattr(Descent, "removes", removes)


class TestAloneIn:
    """What is in a folder beside its metadata."""

    def test_names(self, root, group):
        """A missing folder has nothing; any other name counts, be it a folder's or a file's, unless it is known."""
        backend = LocalBackend(str(root))
        assert backend.alone_in("a/c", ()) == {}
        assert backend.alone_in("a/b", ()) == FILES
        assert backend.alone_in("a", ()) is None
        assert backend.alone_in("a", {"b"}) == {}
        (group / "c").mkdir()
        assert backend.alone_in("a/b", ()) is None
        assert backend.alone_in("a/b", {"c"}) == FILES

    def test_what_is_being_written(self, root, group):
        """A file that is not at its place yet does not count, for its writer may have died; other new ones do."""
        backend = LocalBackend(str(root))
        (group / f".{'0' * 16}.partial").touch()
        assert backend.alone_in("a/b", ()) == FILES
        (group / f"zarr.json.{'0' * 32}.partial").touch()
        assert backend.alone_in("a/b", ()) is None

    @pytest.mark.parametrize("path", ["file", "link", "link/b"])
    def test_no_folder(self, root, path):
        """A file, or a symlink on the way, is refused: what it holds is not the store's."""
        (root / "file").write_text("mine")
        (root / "link").symlink_to("a")
        with pytest.raises(NotInStoreError):
            LocalBackend(str(root)).alone_in(path, ())


class TestDrop:
    """A folder goes as it was looked at, or stays."""

    def test_gone(self, root):
        """It goes with its metadata, and only it; where it is gone already, that is fine."""
        backend = LocalBackend(str(root))
        assert backend.drop({"a/b": FILES}, list) == {}
        assert os.listdir(root / "a") == []
        assert backend.drop({"a/b": FILES, "a": {}}, list) == {}
        assert os.listdir(root) == []

    @pytest.mark.parametrize("name", ["zarr.json", "notes.txt"])
    def test_changed_since(self, root, group, snapshot, name):
        """What was written since it was looked at keeps it as it is."""
        (group / name).write_text("new")
        before = snapshot(root)
        assert LocalBackend(str(root)).drop({"a/b": FILES}, list) == {"a/b": None}
        assert snapshot(root) == before

    def test_somebody_comes(self, root, group, monkeypatch):
        """What comes into it in the very moment finds its group again, with the permissions that it had."""
        (group / "zarr.json").chmod(0o640)
        comes(monkeypatch, (group / "new").mkdir)
        assert LocalBackend(str(root)).drop({"a/b": FILES}, list) == {"a/b": None}
        assert sorted(os.listdir(group)) == ["new", "zarr.json"]
        assert (group / "zarr.json").read_bytes() == GROUP
        assert stat.S_IMODE((group / "zarr.json").stat().st_mode) == 0o640

    def test_one_that_cannot_go(self, root, group, monkeypatch):
        """What is in the way of one folder is told with it, and keeps no other one."""
        other = root / "a" / "c"
        other.mkdir()
        (other / "zarr.json").write_bytes(GROUP)
        real = os.unlink

        def unlink(name, *, dir_fd=None):
            if os.path.samestat(os.fstat(dir_fd), group.stat()):
                raise PermissionError(errno.EPERM, "not permitted", name)
            real(name, dir_fd=dir_fd)

        monkeypatch.setattr(os, "unlink", unlink)
        left = LocalBackend(str(root)).drop({"a/b": FILES, "a/c": FILES, "a": {}}, list)
        assert left == {"a/b": f"'{group}': not permitted", "a": None}
        assert os.listdir(root / "a") == ["b"]
        assert (group / "zarr.json").read_bytes() == GROUP

    def test_an_interrupt(self, root, group, monkeypatch):
        """Whoever is interrupted in the middle of it puts the metadata back."""

        def interrupted(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(Descent, "removes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            LocalBackend(str(root)).drop({"a/b": FILES}, list)
        assert os.listdir(group) == ["zarr.json"]
        assert (group / "zarr.json").read_bytes() == GROUP

    def test_an_interrupt_and_a_full_disk(self, root, monkeypatch):
        """An interrupt is one, also where the metadata cannot come back."""

        def interrupted(*_):
            raise KeyboardInterrupt

        def full(*_, **__):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Descent, "removes", interrupted)
        monkeypatch.setattr(dropping, "write_file", full)
        with pytest.raises(KeyboardInterrupt):
            LocalBackend(str(root)).drop({"a/b": FILES}, list)

    def test_attributes_that_come(self, root, group, monkeypatch):
        """What is written into the group after it was looked at, as late as can be, stays as it was written."""
        real = dropping.new_aside

        def late():
            (group / "new").write_bytes(GROUP.replace(b"{}", b'{"by": "me"}'))
            (group / "new").rename(group / "zarr.json")
            return real()

        monkeypatch.setattr(dropping, "new_aside", late)
        assert LocalBackend(str(root)).drop({"a/b": FILES}, list) == {"a/b": None}
        assert os.listdir(group) == ["zarr.json"]
        assert b'"by": "me"' in (group / "zarr.json").read_bytes()

    @pytest.mark.parametrize("aside", [GROUP, b"{}"])
    def test_a_new_group_that_comes(self, root, group, monkeypatch, aside):
        """Metadata that are written while the old ones are aside are what stays, whatever the old ones were."""
        real = dropping.read_file

        def late(folder, name):
            content = real(folder, name)
            if name != "zarr.json":
                (group / "zarr.json").write_bytes(b"new")
                return aside
            return content

        monkeypatch.setattr(dropping, "read_file", late)
        assert LocalBackend(str(root)).drop({"a/b": FILES}, list) == {"a/b": None}
        assert os.listdir(group) == ["zarr.json"]
        assert (group / "zarr.json").read_bytes() == b"new"

    def test_metadata_that_go(self, root, group, monkeypatch):
        """Where somebody deletes the metadata just before, the folder stays for whoever comes next."""
        real = dropping.new_aside
        monkeypatch.setattr(dropping, "new_aside", lambda: ((group / "zarr.json").unlink(), real())[1])
        backend = LocalBackend(str(root))
        assert backend.drop({"a/b": FILES}, list) == {"a/b": None}
        assert os.listdir(group) == []
        assert backend.drop({"a/b": {}}, list) == {}
        assert not group.exists()

    def test_that_cannot_be_written_again(self, root, group, monkeypatch):
        """Where the metadata cannot come back, because the disk is full, that is told, and what came stays."""

        def full(*_, **__):
            raise OSError(errno.ENOSPC, "No space left on device")

        comes(monkeypatch, (group / "new").mkdir)
        monkeypatch.setattr(dropping, "write_file", full)
        (told,) = LocalBackend(str(root)).drop({"a/b": FILES}, list).values()
        assert told.startswith(f"'{group}': its zarr.json was deleted, and could not be written again: ")
        assert "No space left on device" in told
        assert os.listdir(group) == ["new"]

    def test_a_refusal(self, root, group, monkeypatch):
        """Where the system does not let the folder go, that is told, and the group is whole."""

        def refused(name, *, dir_fd):
            raise PermissionError(errno.EACCES, "Permission denied", name)

        monkeypatch.setattr(os, "rmdir", refused)
        assert LocalBackend(str(root)).drop({"a/b": FILES}, list) == {"a/b": f"'{group}': Permission denied"}
        assert (group / "zarr.json").read_bytes() == GROUP

    def test_what_was_being_written(self, root, group):
        """What a writer has left that died goes too; of one that lives, it keeps the folder."""
        backend = LocalBackend(str(root))
        left = group / f".{'0' * 16}.partial"
        with left.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            assert backend.drop({"a/b": FILES}, list) == {"a/b": None}
            assert sorted(os.listdir(group)) == sorted([left.name, "zarr.json"])
        assert backend.drop({"a/b": FILES}, list) == {}
        assert not group.exists()

    def test_no_further(self, root, group):
        """Where it is not to go on, nothing more is touched."""
        (root / "a" / "c").mkdir()
        asked = []

        def guard():
            asked.append(1)
            if len(asked) > 1:
                raise ValueError("no further")

        with pytest.raises(ValueError, match="no further"):
            LocalBackend(str(root)).drop({"a/c": {}, "a/b": FILES}, guard)
        assert os.listdir(root / "a") == ["b"]
        assert (group / "zarr.json").read_bytes() == GROUP

    def test_a_symlink(self, root, tmp_path, snapshot):
        """A symlink that was swapped in does not lead anywhere."""
        outside = tmp_path / "outside"
        (outside / "b").mkdir(parents=True)
        (outside / "b" / "zarr.json").write_bytes(GROUP)
        (root / "a").rename(root / "was")
        (root / "a").symlink_to(outside)
        before = snapshot(outside)
        assert "symlink" in LocalBackend(str(root)).drop({"a/b": FILES}, list)["a/b"]
        assert snapshot(outside) == before
