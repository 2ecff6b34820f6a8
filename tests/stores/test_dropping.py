"""Folders that are left with nothing: they go with the metadata of a plain group, and never with anything else."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from zarrange.errors import NotInStoreError
from zarrange.stores.local import LocalBackend
from zarrange.stores.local.descent import Descent

GROUP = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
FILES = {"zarr.json": GROUP}


@pytest.fixture(autouse=True)
def group(root):
    folder = root / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_bytes(GROUP)
    return folder


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
        real = Descent.is_removed

        def removed(descent, path):
            (group / "new").mkdir()
            return real(descent, path)

        monkeypatch.setattr(Descent, "is_removed", removed)
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

        monkeypatch.setattr(Descent, "is_removed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            LocalBackend(str(root)).drop({"a/b": FILES}, list)
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
