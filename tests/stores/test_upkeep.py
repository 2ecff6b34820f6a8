"""Upkeep: what others left of their transactions is brought to its end before something new is begun."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

from zarrange.errors import BusyError, DamagedError, LeftoverError, NotInStoreError, StoreError
from zarrange.identifiers import Key
from zarrange.stores import upkeep
from zarrange.stores.local import LocalBackend
from zarrange.stores.transactions import Intent, Move

DYING = """
import os
from zarrange.stores.local import LocalBackend
from zarrange.stores.transactions import Intent, Move
LocalBackend({root!r}).transact({intent!r}, grace=1000, {where}=lambda *_: os._exit(7))
"""


def removing(*paths):
    moves = tuple(Move(f"{path}/zarr.json", None, is_folder=False) for path in paths)
    return Intent("remove", f"the removal of {paths[0]!r}", moves, rests=paths)


def die(root, intent, where="progress"):
    """Another process that dies amid a transaction."""
    code = DYING.format(root=str(root), intent=intent, where=where)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7


@pytest.fixture
def backend(root):
    """A store with four arrays."""
    for name in "abcd":
        zarr.create_array(root / name, data=np.ones(4), chunks=2)
    return LocalBackend(str(root))


def phases(backend):
    return [one.phase for one in backend.transactions()]


class TestSettle:
    def test_everything(self, backend, root, snapshot):
        """What was interrupted comes to its end, what has expired goes, and what is kept stays."""
        backend.transact(removing("a"), grace=1000)
        before = snapshot(root)
        before = {name: one for name, one in before.items() if name != "b" and not name.startswith("b/")}
        backend.transact(removing("b"), grace=1e-9)
        die(root, removing("c", "d"))
        upkeep.settle(backend)
        assert snapshot(root) == before
        assert phases(backend) == ["placed"]

    def test_nothing(self, root, snapshot):
        """Where nothing is, nothing is made."""
        before = snapshot(root)
        upkeep.settle(LocalBackend(str(root)))
        upkeep.settle(LocalBackend(f"{root}/absent"))
        assert snapshot(root) == before

    @pytest.mark.parametrize("left", ["tx/lock", "tx/0123456789abcdef.partial", "trash/0123456789abcdef/", "stage/"])
    def test_traces(self, root, left):
        """What is left of a process that died before it had begun, or after it was done, goes too."""
        place = root / ".zarrange" / left
        place.mkdir(parents=True) if left.endswith("/") else place.parent.mkdir(parents=True)
        if not left.endswith("/"):
            place.write_text("")
        upkeep.settle(LocalBackend(str(root)))
        assert [*root.rglob("*")] in ([], [root / ".zarrange", root / ".zarrange/stage"])

    def test_what_cannot_be_purged(self, backend, root, snapshot):
        """What has expired and cannot be purged stays, and is in nobody's way."""
        backend.transact(removing("a"), grace=1e-9)
        (root / "a/notes.txt").write_text("mine")
        before = snapshot(root)
        upkeep.settle(backend)
        assert snapshot(root) == before
        ((transaction, error),) = upkeep.purge(backend)
        assert transaction.intent.rests == ("a",)
        assert isinstance(error, NotInStoreError)
        backend.transact(removing("b"))
        assert not (root / "b").exists()

    def test_what_cannot_be_read(self, backend, root, snapshot):
        """A journal that cannot be read is an error, and nothing is touched: it may say what is not to be lost."""
        (root / ".zarrange/tx").mkdir(parents=True)
        (root / ".zarrange/tx/0123456789abcdef.journal").write_text("nonsense\n")
        before = snapshot(root)
        for ask in (
            upkeep.settle,
            upkeep.recover,
            lambda one: [*upkeep.purge(one)],
            lambda one: upkeep.undo(one, None),
        ):
            with pytest.raises(DamagedError, match=r"0123456789abcdef\.journal' is damaged"):
                ask(backend)
        assert snapshot(root) == before


class TestPurge:
    def test_now(self, backend, root):
        """What has expired goes, and with the word all that is in the trash; each is told."""
        backend.transact(removing("a"), grace=1000)
        backend.transact(removing("b"), grace=1e-9)
        assert [(one.intent.rests, error) for one, error in upkeep.purge(backend)] == [(("b",), None)]
        assert [(one.intent.rests, error) for one, error in upkeep.purge(backend, is_now=True)] == [(("a",), None)]
        assert sorted(os.listdir(root)) == ["c", "d"]

    def test_leftover(self, shared_folder, as_nobody):
        """What could not be deleted is tried again, told, and in nobody's way meanwhile."""
        with as_nobody():
            root = shared_folder / "store"
            for name in "ab":
                zarr.create_array(root / name, data=np.ones(4), chunks=2)
            backend = LocalBackend(str(root))
            (root / "a/c").chmod(0o555)
            with pytest.raises(LeftoverError):
                backend.transact(removing("a"))
            upkeep.settle(backend)
            upkeep.refuse_busy(backend, "a")
            upkeep.refuse_interrupted(backend)
            assert not upkeep.hidden(backend, "a")
            ((transaction, error),) = upkeep.purge(backend)
            assert isinstance(error, LeftoverError)
            (place,) = (root / ".zarrange/trash" / transaction.id).glob("*/c")
            place.chmod(0o755)
            assert [*upkeep.purge(backend)] in ([], [(transaction, None)])
            assert os.listdir(root) == ["b"]


class TestRecover:
    def test_what_is_interrupted(self, backend, root, snapshot):
        """Each is told with what was in the way, and once."""
        before = snapshot(root)
        die(root, removing("a"))
        (left,) = backend.transactions()
        assert left.is_interrupted
        with pytest.raises(
            BusyError, match=r"was interrupted: process .* was at it; `zarrange doctor --recover` ends it"
        ):
            upkeep.refuse_interrupted(backend)
        assert [(one.id, error) for one, error in upkeep.end_interrupted(backend)] == [(left.id, None)]
        assert [*upkeep.end_interrupted(backend)] == []
        assert snapshot(root) == before

    def test_what_is_in_the_way(self, backend, root, snapshot):
        """What cannot be brought to its end is told as such, and nothing is lost."""
        die(root, removing("a", "b"))
        (root / "a/zarr.json").write_text("theirs")
        before = snapshot(root)
        ((_, error),) = upkeep.end_interrupted(backend)
        assert isinstance(error, StoreError)
        assert snapshot(root) == before
        with pytest.raises(StoreError, match="something is there already"):
            upkeep.settle(backend)
        (root / "a/zarr.json").unlink()
        upkeep.settle(backend)
        assert [(zarr.open_array(root / name, mode="r")[:] == 1).all() for name in "abcd"] == [True] * 4
        assert ".zarrange" not in os.listdir(root)


class TestBusy:
    @pytest.mark.parametrize(
        ("path", "is_busy"), [("a", True), ("a/c/0", True), ("b", False), ("aa", False), ("x", False)]
    )
    def test_refuse(self, backend, path, is_busy):
        """A path is busy if it is at, below or above what can be put back, and hidden if it is at or below it."""
        upkeep.refuse_busy(backend, path)
        backend.transact(removing("a"), grace=1000)
        if is_busy:
            with pytest.raises(BusyError, match="the removal of 'a' is done"):
                upkeep.refuse_busy(backend, path)
        else:
            upkeep.refuse_busy(backend, path)
        assert upkeep.hidden(backend, path) is is_busy


class TestStore:
    """What a store does begins with that."""

    def test_the_next_operation(self, store):
        """Whatever changes something brings to its end what was interrupted, and purges what has expired."""
        keys = [Key("image", {"run": "r", "step": 1, "volume": volume}) for volume in "abc"]
        for key in keys[:2]:
            store.create(key, data=np.ones(3))
        store.remove(keys[0], grace=1e-9)
        die(store.root, removing("r/box.zarr/images/1/b"))
        assert not store.exists(keys[1])
        store.create(keys[2], data=np.ones(3))
        assert store.transactions() == []
        assert [store.exists(key) for key in keys] == [False, True, True]
        assert os.listdir(store.root) == ["r"]

    def test_purge(self, store):
        """It is told what was purged, and what could not be."""
        key = Key("image", {"run": "r", "step": 1, "volume": "a"})
        store.create(key, data=np.ones(3))
        done = store.remove(key, grace=1000)
        assert store.purge() == []
        Path(store.root, "r/box.zarr/images/1/a/notes.txt").write_text("mine")
        with pytest.raises(NotInStoreError, match=r"'notes\.txt' in its folder"):
            store.purge(is_now=True)
        Path(store.root, "r/box.zarr/images/1/a/notes.txt").unlink()
        assert [one.id for one in store.purge(is_now=True)] == [done.id]
        assert done.keep_until > time.time()
