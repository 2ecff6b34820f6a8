"""Folders that are left with nothing: they go with the metadata of a plain group, and never with anything else."""

from __future__ import annotations

import os
import stat

import pytest

from zarrange.errors import NotInStoreError
from zarrange.stores.local import LocalBackend, dropping

GROUP = '{"zarr_format": 3, "node_type": "group", "attributes": {}}'
TEXTS = {"zarr.json": GROUP}


@pytest.fixture(autouse=True)
def group(root):
    folder = root / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "zarr.json").write_text(GROUP)
    return folder


class TestHolds:
    """What is in a folder, but for what has some names."""

    def test_names(self, root, group):
        """A missing folder holds nothing; any other name counts, be it a folder's or a file's."""
        backend = LocalBackend(str(root))
        assert not backend.holds("a/c", ())
        assert not backend.holds("a/b", {"zarr.json"})
        assert backend.holds("a/b", ())
        assert backend.holds("a", {"zarr.json"})
        (group / "c").mkdir()
        assert backend.holds("a/b", {"zarr.json"})

    @pytest.mark.parametrize("path", ["file", "link", "link/b"])
    def test_no_folder(self, root, path):
        """A file, or a symlink on the way, is refused: what it holds is not the store's."""
        (root / "file").write_text("mine")
        (root / "link").symlink_to("a")
        with pytest.raises(NotInStoreError):
            LocalBackend(str(root)).holds(path, ())


class TestDrop:
    """A folder goes as it was looked at, or stays."""

    def test_gone(self, root):
        """It goes with its metadata, and only it; where it is gone already, that is fine."""
        backend = LocalBackend(str(root))
        assert backend.drop("a/b", TEXTS)
        assert os.listdir(root / "a") == []
        assert backend.drop("a/b", TEXTS)
        assert backend.drop("a", {})
        assert os.listdir(root) == []

    @pytest.mark.parametrize("name", ["zarr.json", "notes.txt"])
    def test_changed_since(self, root, group, snapshot, name):
        """What was written since it was looked at keeps it as it is."""
        (group / name).write_text("new")
        before = snapshot(root)
        assert not LocalBackend(str(root)).drop("a/b", TEXTS)
        assert snapshot(root) == before

    def test_somebody_comes(self, root, group, monkeypatch):
        """What comes into it in the very moment finds its group again, with the permissions that it had."""
        (group / "zarr.json").chmod(0o640)
        real = dropping._is_removed

        def removed(descent, path):
            (group / "new").mkdir()
            return real(descent, path)

        monkeypatch.setattr(dropping, "_is_removed", removed)
        assert not LocalBackend(str(root)).drop("a/b", TEXTS)
        assert sorted(os.listdir(group)) == ["new", "zarr.json"]
        assert (group / "zarr.json").read_text() == GROUP
        assert stat.S_IMODE((group / "zarr.json").stat().st_mode) == 0o640

    def test_a_symlink(self, root, tmp_path, snapshot):
        """A symlink that was swapped in does not lead anywhere."""
        outside = tmp_path / "outside"
        (outside / "b").mkdir(parents=True)
        (outside / "b" / "zarr.json").write_text(GROUP)
        (root / "a").rename(root / "was")
        (root / "a").symlink_to(outside)
        before = snapshot(outside)
        with pytest.raises(NotInStoreError):
            LocalBackend(str(root)).drop("a/b", TEXTS)
        assert snapshot(outside) == before
