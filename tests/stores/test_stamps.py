"""Stamps: what they do not see is not there; what they cannot tell, they do not say."""

from __future__ import annotations

import os
from pathlib import Path
from time import sleep, time

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from zarrange.stores import stamps
from zarrange.stores.backend import Requests
from zarrange.stores.local import LocalBackend
from zarrange.stores.remote import RemoteBackend
from zarrange.stores.stamps import take_stamps

NAMES = ["zarr.json", "note.txt", "missing"]


def moved(one, to):
    one.rename(to)
    to.rename(one)


def rewritten(path):
    """Write as many other bytes over a file, and give it back its time."""
    found = path.stat()
    path.write_bytes(b"2")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


CHANGES = {
    "file": lambda root: (root / "run/new").write_bytes(b""),
    "folder": lambda root: (root / "run/box/new").mkdir(),
    "at the root": lambda root: (root / "new").mkdir(),
    "gone": lambda root: (root / "run/note.txt").unlink(),
    "folder gone": lambda root: (root / "run/box/inner").rmdir(),
    "named anew": lambda root: (root / "run/note.txt").rename(root / "run/other.txt"),
    "there and back": lambda root: moved(root / "run/box", root / "run/other"),
    "written anew": lambda root: (root / "run/box/zarr.json").write_bytes(b"2"),
    "its time set back": lambda root: rewritten(root / "run/note.txt"),
    "replaced": lambda root: (root / "aside").rename(root / "run/box/zarr.json"),
    "made private": lambda root: (root / "run/box/zarr.json").chmod(0o600),
    "a symlink": lambda root: ((root / "run/box/inner").rmdir(), (root / "run/box/inner").symlink_to(root)),
    "no folder": lambda root: ((root / "run/box/inner").rmdir(), (root / "run/box/inner").write_bytes(b"")),
}
FOLDERS = ["", "run", "run/box", "run/box/inner"]


@pytest.fixture
def rested(monkeypatch, root):
    """A folder whose times can be relied on."""
    monkeypatch.setattr(stamps, "TICK", 0.0)
    return fill(root)


def fill(root):
    (root / "run/box/inner").mkdir(parents=True)
    for path in ("run/box/zarr.json", "run/note.txt", "aside"):
        (root / path).write_bytes(b"1")
    sleep(0.05)
    return root


def taken(root, folders=FOLDERS):
    return take_stamps(LocalBackend(os.fspath(root)), dict.fromkeys(folders, NAMES), time())


class TestLocal:
    """Folders on a disk."""

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_seen(self, rested, change):
        """Every change is seen."""
        stamped = taken(rested)
        assert stamped.still_hold()
        change(rested)
        assert not stamped.still_hold()

    @pytest.mark.parametrize(
        "change",
        [
            lambda _: None,
            lambda root: (root / ".zarrange/tx").mkdir(parents=True),
            lambda root: (root / "run/box/zarr.json").read_bytes(),
            lambda root: (root / "run/box/inner/chunk").write_bytes(b""),
        ],
        ids=["nothing", "working folder", "read", "elsewhere"],
    )
    def test_unseen(self, rested, change):
        """What does not count is not seen: what a store keeps for itself, reading, folders that nobody asked for."""
        stamped = taken(rested, FOLDERS[:-1])
        change(rested)
        assert stamped.still_hold()

    @pytest.mark.parametrize("path", ["run/note.txt", "run/box/new", "new"])
    def test_fresh(self, root, path):
        """Times of just now say nothing: the next change may have the same."""
        fill(root)
        stamps_of = dict.fromkeys(FOLDERS, NAMES)
        backend = LocalBackend(os.fspath(root))
        assert take_stamps(backend, stamps_of, time() + stamps.TICK + 1) is not None
        (root / path).write_bytes(b"2")
        assert take_stamps(backend, stamps_of, time()) is None

    def test_identities(self, rested):
        """They tell which one each folder is, but not the root, which nothing takes anywhere."""
        found = {path: (rested / path).lstat() for path in FOLDERS[1:]}
        assert taken(rested).identities == {path: (one.st_dev, one.st_ino) for path, one in found.items()}

    def test_missing(self, rested):
        """Of a folder that is not there, nothing is told."""
        assert LocalBackend(os.fspath(rested)).stamp("run/other", []) == LocalBackend(os.fspath(rested)).stamp("x", [])
        stamped = taken(rested, ["run/other"])
        (rested / "run/other").mkdir()
        assert not stamped.still_hold()

    def test_unreadable(self, rested, monkeypatch):
        """Where the system says nothing, nothing is told."""
        stamped = taken(rested)

        def refuse(*_):
            raise PermissionError

        monkeypatch.setattr(os, "lstat", refuse)
        assert not stamped.still_hold()
        assert taken(rested) is None

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
    @given(st.data())
    def test_what_is_not_seen_is_not_there(self, tmp_path_factory, monkeypatch, data):
        """As long as stamps hold, every listing and every metadata file is as it was."""
        monkeypatch.setattr(stamps, "TICK", 0.0)
        root = fill(tmp_path_factory.mktemp("store"))
        stamped, before = taken(root), looked_at(root)
        for change in data.draw(st.lists(st.sampled_from([*CHANGES]), max_size=2)):
            try:
                CHANGES[change](root)
            except OSError:  # an earlier one has taken its place
                continue
        assert not stamped.still_hold() or looked_at(root) == before


def looked_at(root):
    """What somebody who looks sees."""
    backend = LocalBackend(os.fspath(root))
    listed = {path: sorted(backend.items(path, Requests())) for path in FOLDERS}
    files = [Path(root, path, name) for path in FOLDERS for name in NAMES]
    return listed, [file.read_bytes() if file.is_file() else None for file in files]


def test_remote():
    """Object stores have no times of folders."""
    backend = RemoteBackend("memory://stamps")
    assert backend.stamp("", NAMES) is None
    assert take_stamps(backend, {"": NAMES}, time()) is None
