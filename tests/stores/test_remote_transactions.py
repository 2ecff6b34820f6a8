"""Transactions in an object store: whole or not at all, whoever dies where, on a real S3 server and in memory."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count

import numpy as np
import pytest
import zarr
from attrs import evolve

from zarrange.errors import (
    AlreadyExistsError,
    BusyError,
    DamagedError,
    LeftoverError,
    NotFoundError,
    NotInStoreError,
    StoreError,
    ZarrangeError,
)
from zarrange.stores.backend import Requests
from zarrange.stores.copying import copy_artifact
from zarrange.stores.remote import RemoteBackend, copying, leases, steps, tombstones
from zarrange.stores.remote.objects import Objects
from zarrange.stores.transactions import Intent, Move, Text
from zarrange.stores.upkeep import settle

ARRAY = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [6],
    "data_type": "uint8",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
    "chunk_key_encoding": {"name": "default"},
    "fill_value": 0,
    "codecs": [{"name": "bytes"}],
    "attributes": {},
}
OLD_ARRAY = {
    "zarr_format": 2,
    "shape": [4],
    "chunks": [2],
    "dtype": "|u1",
    "fill_value": 0,
    "compressor": None,
    "filters": None,
    "order": "C",
}
GROUP = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
OLD_GROUP = b'{"zarr_format": 2}'
MAKERS = ("zarr.json", ".zarray", ".zgroup")
HOUR = 3600.0
_names = count()


def new_array(path, seed):
    """The objects of an array of format 3; no two arrays have the same."""
    metadata = json.dumps(ARRAY | {"attributes": {"seed": seed}}).encode()
    return {f"{path}/zarr.json": metadata, **{f"{path}/c/{at}": bytes([seed, at]) for at in range(3)}}


def old_array(path, seed):
    """The objects of an array of format 2."""
    attributes = json.dumps({"seed": seed}).encode()
    metadata = {f"{path}/.zarray": json.dumps(OLD_ARRAY).encode(), f"{path}/.zattrs": attributes}
    return {**metadata, f"{path}/0": bytes([seed, 0]), f"{path}/1": bytes([seed, 1])}


STORE = {
    "c.zarr/zarr.json": GROUP,
    **new_array("c.zarr/a", 1),
    **new_array("c.zarr/a-b", 2),
    **new_array("c.zarr/other", 3),
    "o.zarr/.zgroup": OLD_GROUP,
    **old_array("o.zarr/b", 4),
    "g.zarr/zarr.json": GROUP,
    **new_array("g.zarr/x", 5),
    "g.zarr/in/zarr.json": GROUP,
    **new_array("g.zarr/in/y", 6),
    "g.zarr/in/notes.txt": b"notes",
    "run/8.pt": b"checkpoint 8",
    "run/9.pt": b"checkpoint 9",
}


def file_moves(*paths):
    return tuple(Move(path, None, is_folder=False) for path in paths)


REMOVALS = {
    "array": Intent("remove", "removing a", file_moves("c.zarr/a/zarr.json"), rests=("c.zarr/a",)),
    "old array": Intent(
        "remove", "removing b", file_moves("o.zarr/b/.zarray", "o.zarr/b/.zattrs"), rests=("o.zarr/b",)
    ),
    "group": Intent(
        "remove",
        "removing g",
        file_moves(
            "g.zarr/zarr.json",
            "g.zarr/in/zarr.json",
            "g.zarr/x/zarr.json",
            "g.zarr/in/y/zarr.json",
            "g.zarr/in/notes.txt",
        ),
        rests=("g.zarr",),
        is_recursive=True,
    ),
    "files": Intent(
        "prune",
        "pruning",
        file_moves("run/8.pt", "c.zarr/a/zarr.json", "o.zarr/b/.zarray", "o.zarr/b/.zattrs"),
        rests=("c.zarr/a", "o.zarr/b"),
    ),
}


def migration(*pairs, made=(), record=(), groups=()):
    """An intent that moves folders, and what ends with `.pt`."""
    moves = tuple(Move(source, target, is_folder=not source.endswith(".pt")) for source, target in pairs)
    return Intent("migrate", "migrating", moves, made=made, record=record, groups=groups)


MIGRATIONS = {
    "plain": migration(
        ("c.zarr/a", "d.zarr/q/a"),
        ("run/8.pt", "new/8.pt"),
        made=(Text("d.zarr/zarr.json", GROUP.decode()),),
        record=(Text(".zarrange/layout/0-new.yaml", "new"), Text(".zarrange/store.json", "{}")),
    ),
    "swap": migration(
        ("c.zarr/a", "o.zarr/b"), ("o.zarr/b", "c.zarr/a"), ("run/8.pt", "run/9.pt"), ("run/9.pt", "run/8.pt")
    ),
    "chain": migration(("c.zarr/a", "c.zarr/a-b"), ("c.zarr/a-b", "c.zarr/other"), ("c.zarr/other", "c.zarr/new")),
    "nested": migration(("g.zarr/in/y", "y.zarr/y"), ("g.zarr", "h.zarr/deep")),
}


def fill(backend, contents):
    for path, content in contents.items():
        backend.write(path, content, replace=True)


def everything(backend):
    """All objects that there are, with what is in them."""
    paths = [path for page in backend.pages("", Requests()) for path in page]
    return {path: backend.read(path) for path in paths}


def gone(contents, intent):
    """What is there after a removal has been purged."""
    moved = {move.source for move in intent.moves}
    return {
        path: content
        for path, content in contents.items()
        if path not in moved and not any(path.startswith(f"{rest}/") for rest in intent.rests)
    }


def moved(contents, intent):
    """What is there after a migration."""
    found = {}
    for path, content in contents.items():
        sources = [one for one in intent.moves if path == one.source or path.startswith(f"{one.source}/")]
        found[sources[0].target + path.removeprefix(sources[0].source) if sources else path] = content
    texts = {text.path: text.content.encode() for text in (*intent.made, *intent.record)}
    return {**texts, **found}


def after(intent):
    return moved(STORE, intent) if intent.is_exclusive else gone(STORE, intent)


class Killed(BaseException):
    """A process that has died sends nothing more."""


class Wire:
    """obstore's client, with whatever goes wrong between it and the server."""

    NAMES = ("put", "get", "head", "list", "list_with_delimiter", "delete", "copy")

    def __init__(self, backend, *, dies_at=None, is_late=False, watch=None, errors=None):
        self.client = backend._objects.client
        self.asked = []
        self.is_dead = False
        self._dies_at = dies_at
        self._is_late = is_late
        self._watch = watch
        self._errors = errors
        self._lock = threading.Lock()
        backend._objects.client = self

    def __getattr__(self, name):
        method = getattr(self.client, name)
        return (lambda *args, **options: self._ask(name, method, *args, **options)) if name in self.NAMES else method

    def _ask(self, name, method, *args, **options):
        with self._lock:
            if self.is_dead:
                raise Killed
            self.asked.append((name, args))
            if len(self.asked) == self._dies_at:
                self.is_dead = True
                if self._is_late:
                    method(*args, **options)
                raise Killed
            if self._watch is not None:
                self._watch(name, args)
        if name == "delete" and self._errors is not None:
            return self._delete(args[0])
        return method(*args, **options)

    def _delete(self, keys):
        failed = {key for key in keys if self._errors.random() < 0.1}
        self.client.delete([key for key in keys if key not in failed])
        if failed:
            raise OSError("some of the keys could not be deleted")


@pytest.fixture
def clock(monkeypatch):
    """A clock that is put forward by hand, and stands still."""

    class Clock:
        now = 1_700_000_000.0

    monkeypatch.setattr(tombstones, "clock", lambda: Clock.now)
    return Clock


def memory():
    return RemoteBackend(f"memory://transactions-{next(_names)}/some/prefix")


def again(backend):
    """Another process's view of the same store, in memory."""
    return RemoteBackend(backend.root)


@pytest.fixture(params=["memory", "s3", "az"])
def backend(request):
    """A store of each sort, with artifacts in it."""
    if request.param == "memory":
        made = memory()
    elif request.param == "az":
        azure = request.getfixturevalue("azure")
        made = RemoteBackend(f"az://{azure.new_container()}/some/prefix", azure.options())
    else:
        server = request.getfixturevalue("server")
        made = RemoteBackend(f"s3://{server.new_bucket()}/some/prefix", server.options())
    fill(made, STORE)
    return made


@pytest.fixture
def filled():
    """A store in memory, with artifacts in it."""
    made = memory()
    fill(made, STORE)
    return made


def check_whole(contents, *states):
    """Whatever is visible is whole: an array has all of its chunks, a file all of its bytes."""
    for path, content in contents.items():
        if path.startswith(".zarrange/"):
            continue
        folder, _, name = path.rpartition("/")
        fitting = [state for state in states if state.get(path) == content]
        assert fitting, path
        if name in MAKERS:
            of_array = [
                {one for one in state if one.startswith((f"{folder}/c/", f"{folder}/0", f"{folder}/1"))}
                for state in fitting
            ]
            assert any(
                all(contents.get(one) == state[one] for one in some)
                for some, state in zip(of_array, fitting, strict=True)
            ), path


class TestRemovals:
    """Hidden at once; there is a way back until it is purged."""

    @pytest.mark.parametrize("intent", REMOVALS.values(), ids=REMOVALS)
    def test_purged_at_once(self, backend, intent):
        """Without a grace time, what is removed is gone, nothing else is, and no trace is left."""
        backend.transact(intent)
        assert everything(backend) == gone(STORE, intent)

    @pytest.mark.parametrize("intent", REMOVALS.values(), ids=REMOVALS)
    def test_grace(self, backend, intent):
        """With a grace time, metadata and files are away and chunks stay; what is purged later leaves no trace."""
        transaction = backend.transact(intent, grace=HOUR)
        there = everything(backend)
        moves = {move.source for move in intent.moves}
        assert {path for path in there if not path.startswith(".zarrange/")} == STORE.keys() - moves
        assert (transaction.phase, transaction.is_live) == ("placed", False)
        assert transaction.keep_until - transaction.started >= HOUR
        assert backend.transactions() == [transaction]
        backend.purge(transaction.id)
        assert everything(backend) == gone(STORE, intent)
        assert backend.transactions() == []

    @pytest.mark.parametrize("intent", REMOVALS.values(), ids=REMOVALS)
    def test_undo(self, backend, intent):
        """What is undone is as it was, to the byte, and no trace is left."""
        transaction = backend.transact(intent, grace=HOUR)
        backend.undo(transaction.id)
        assert everything(backend) == STORE
        with pytest.raises(NotFoundError, match="no such transaction"):
            backend.undo(transaction.id)

    def test_order(self, filled):
        """What makes a node goes first, from the top down; then other metadata; then chunks; the tombstone at last."""
        wire = Wire(filled)
        filled.transact(REMOVALS["group"])
        filled.transact(REMOVALS["old array"])
        base = filled._objects.base
        deleted = [[key.removeprefix(base) for key in args[0]] for name, args in wire.asked if name == "delete"]
        flat = [key for keys in deleted for key in keys if not key.endswith("/lock")]
        ours = [key for key in flat if not key.startswith(".zarrange")]
        assert ours[:4] == [
            "g.zarr/zarr.json",
            *sorted(["g.zarr/in/zarr.json", "g.zarr/x/zarr.json"]),
            "g.zarr/in/y/zarr.json",
        ]
        assert ours.index("o.zarr/b/.zarray") < ours.index("o.zarr/b/.zattrs") < ours.index("o.zarr/b/0")
        assert flat[-1].startswith(".zarrange/tx/")

    def test_few_requests(self, filled):
        """Whether there is any transaction is known by one request."""
        wire = Wire(filled)
        assert filled.transactions() == []
        assert [name for name, _ in wire.asked] == ["list"]

    def test_refused_by_check(self, backend):
        """What the caller's last look refuses leaves no trace; nobody else can begin meanwhile."""
        seen = []

        def check():
            with pytest.raises(BusyError, match="removing a is under way: process"):
                backend.transact(REMOVALS["files"])
            seen.extend(backend.transactions())
            raise NotInStoreError("it is not what it was")

        with pytest.raises(NotInStoreError, match="not what it was"):
            backend.transact(REMOVALS["array"], check=check)
        assert [(one.phase, one.is_live) for one in seen] == [("begun", True)]
        assert everything(backend) == STORE

    def test_nothing_there(self, backend):
        """What is not there is not removed, and leaves no trace."""
        for intent in (
            Intent("remove", "x", file_moves("c.zarr/no/zarr.json"), rests=("c.zarr/no",)),
            Intent("remove", "x", file_moves("run/none.pt")),
            Intent("remove", "x", (Move("nowhere", None, is_folder=True),)),
        ):
            with pytest.raises(NotFoundError, match="nothing is there"):
                backend.transact(intent)
        assert everything(backend) == STORE

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("c.zarr/a/labels/zarr.json", "'labels' inside is another zarr node"),
            ("c.zarr/a/notes.txt", "'notes.txt' in 'c.zarr/a' is not part of the array"),
        ],
    )
    def test_strangers(self, filled, path, message):
        """An array that holds something else is refused before anything is touched, and the stranger is named."""
        filled.write(path, GROUP)
        with pytest.raises(NotInStoreError, match=message):
            filled.transact(REMOVALS["array"])
        assert everything(filled) == {**STORE, path: GROUP}

    def test_folder(self, backend):
        """A folder without any metadata goes aside whole, and comes back whole."""
        transaction = backend.transact(Intent("remove", "x", (Move("run", None, is_folder=True),)), grace=HOUR)
        assert not [path for path in everything(backend) if path.startswith("run")]
        backend.undo(transaction.id)
        assert everything(backend) == STORE

    def test_consolidated(self, filled):
        """Copies of metadata above what is removed are without it, and with it when it is undone."""
        with pytest.warns(zarr.errors.ZarrUserWarning):
            zarr.consolidate_metadata(filled.zarr_store("c.zarr"))
        before = everything(filled)
        transaction = filled.transact(evolve(REMOVALS["array"], groups=("c.zarr",)), grace=HOUR)
        assert set(zarr.open_group(filled.zarr_store("c.zarr"), mode="r").array_keys()) == {"a-b", "other"}
        filled.undo(transaction.id)
        assert set(zarr.open_group(filled.zarr_store("c.zarr"), mode="r").array_keys()) == {"a", "a-b", "other"}
        assert everything(filled).keys() == before.keys()

    def test_a_lock_that_is_not_had(self, filled, monkeypatch):
        """Where the copies above cannot be locked when it is hidden, it is said that the removal was interrupted."""
        with pytest.warns(zarr.errors.ZarrUserWarning):
            zarr.consolidate_metadata(filled.zarr_store("c.zarr"))
        real, calls = steps.strip, count()

        def strip(*args):
            if next(calls) == 1:
                raise BusyError("another process has had the lock")
            real(*args)

        monkeypatch.setattr(steps, "strip", strip)
        with pytest.raises(
            StoreError, match=r"was interrupted; `zarrange doctor --recover` ends it: another"
        ) as caught:
            filled.transact(evolve(REMOVALS["array"], groups=("c.zarr",)))
        assert not isinstance(caught.value, BusyError)
        settle(filled)
        assert filled.transactions() == []
        assert not [path for path in everything(filled) if path.startswith("c.zarr/a/")]
        assert set(zarr.open_group(filled.zarr_store("c.zarr"), mode="r").array_keys()) == {"a-b", "other"}

    def test_chunks_written_meanwhile(self, filled):
        """Chunks that somebody writes who had the array open are purged with it."""
        transaction = filled.transact(REMOVALS["array"], grace=HOUR)
        filled.write("c.zarr/a/c/77", b"late")
        filled.purge(transaction.id)
        assert everything(filled) == gone(STORE, REMOVALS["array"])

    @pytest.mark.parametrize("grace", [0, HOUR])
    def test_new_array(self, filled, grace):
        """An array that somebody makes there with zarr itself is never purged, and what was removed keeps its entry."""
        intent = REMOVALS["array"]

        def make(*_):
            other = again(filled)
            zarr.create_array(other.zarr_store("c.zarr/a"), data=np.full(6, 9, "u1"), chunks=(2,), overwrite=False)

        if grace:
            transaction = filled.transact(intent, grace=grace)
            make()
            with pytest.raises(NotInStoreError, match=r"c.zarr/a/zarr.json': a node of zarr is there by now"):
                filled.purge(transaction.id)
        else:
            seen = []

            def watch(name, args):
                if name == "delete" and args[0][0].endswith("c.zarr/a/zarr.json"):
                    seen.append(1)
                elif seen and not seen[1:]:
                    seen.append(2)
                    make()

            Wire(filled, watch=watch)
            with pytest.raises(LeftoverError, match="a node of zarr is there by now"):
                filled.transact(intent)
        fresh = again(filled)
        assert zarr.open_array(fresh.zarr_store("c.zarr/a"), mode="r")[...].tolist() == [9] * 6
        (left,) = fresh.transactions()
        assert left.phase == "placed"
        with pytest.raises(AlreadyExistsError, match="something is there by now"):
            fresh.undo(left.id)
        assert zarr.open_array(fresh.zarr_store("c.zarr/a"), mode="r")[...].tolist() == [9] * 6

    def test_new_array_amid_the_purge(self, filled):
        """A purge stops where a node appears between two batches of its deletes."""
        intent = REMOVALS["files"]
        transaction = filled.transact(intent, grace=HOUR)
        made = {"o.zarr/b/zarr.json": GROUP}

        def watch(name, args):
            if name == "delete" and args[0][0].endswith(("c/0", "/0")):
                fill(again(filled), made)

        wire = Wire(filled, watch=watch)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(copying, "BATCH", 1)
            with pytest.raises(NotInStoreError, match=r"o.zarr/b/zarr.json': a node of zarr"):
                filled.purge(transaction.id)
        assert any(name == "delete" for name, _ in wire.asked)
        fresh = again(filled)
        there = everything(fresh)
        assert there["o.zarr/b/zarr.json"] == GROUP
        assert there["o.zarr/b/1"] == STORE["o.zarr/b/1"]
        assert [one.phase for one in fresh.transactions()] == ["purging"]
        with pytest.raises(NotInStoreError, match=r"o.zarr/b/zarr.json': a node of zarr"):
            fresh.purge(transaction.id)
        with pytest.raises(LeftoverError, match=r"o.zarr/b/zarr.json': a node of zarr"):
            fresh.recover(transaction.id)
        assert everything(fresh).keys() == there.keys()
        fresh._objects.delete(["o.zarr/b/zarr.json"])
        fresh.recover(transaction.id)
        assert everything(fresh) == gone(STORE, intent)

    def test_new_stranger(self, filled):
        """What somebody has put into a removed array since is not purged, and is named."""
        transaction = filled.transact(REMOVALS["array"], grace=HOUR)
        filled.write("c.zarr/a/mine.txt", b"mine")
        with pytest.raises(NotInStoreError, match=r"c.zarr/a/mine.txt': it is not part of what was removed"):
            filled.purge(transaction.id)
        assert filled.transactions() == [transaction]
        filled._objects.delete(["c.zarr/a/mine.txt"])
        filled.purge(transaction.id)
        assert everything(filled) == gone(STORE, REMOVALS["array"])

    def test_always_more(self, filled):
        """Where somebody goes on writing, the removal ends and says so; the array is out of sight, and purged later."""

        def watch(name, args):
            if name == "list" and args[0].endswith("c.zarr/a"):
                again(filled).write("c.zarr/a/c/9", b"late", replace=True)

        Wire(filled, watch=watch)
        with pytest.raises(LeftoverError, match="something is written there all the time"):
            filled.transact(REMOVALS["array"])
        fresh = again(filled)
        assert fresh.found("c.zarr/a") is None
        (left,) = fresh.transactions()
        assert left.phase == "purging"
        fresh.purge(left.id)
        assert everything(fresh) == gone(STORE, REMOVALS["array"])

    def test_below_a_file(self, backend):
        """What is below the name of a file that goes, comes back or is moved stays as it is."""
        fill(backend, {"run/8.pt/x": b"1"})
        transaction = backend.transact(REMOVALS["files"], grace=HOUR)
        backend.undo(transaction.id)
        assert everything(backend) == {**STORE, "run/8.pt/x": b"1"}
        backend.transact(migration(("run/8.pt", "new/8.pt")))
        there = everything(backend)
        assert there == {**moved(STORE, migration(("run/8.pt", "new/8.pt"))), "run/8.pt/x": b"1"}
        with pytest.raises(AlreadyExistsError, match="something is there by now"):
            backend.transact(migration(("run/9.pt", "run/8.pt")))
        assert everything(backend) == there

    def test_undo_meets_something(self, backend):
        """Undo puts nothing back where something is by now, be it of another format or a new file."""
        for intent, path in (("array", "c.zarr/a/.zarray"), ("files", "run/8.pt"), ("old array", "o.zarr/b/zarr.json")):
            transaction = backend.transact(REMOVALS[intent], grace=HOUR)
            backend.write(path, b"{}")
            before = everything(backend)
            with pytest.raises(AlreadyExistsError, match="something is there by now"):
                backend.undo(transaction.id)
            assert {**everything(backend), **before}.keys() == before.keys()
            backend._objects.delete([path])
            backend.undo(transaction.id)
            assert everything(backend) == STORE

    def test_undo_without_chunks(self, filled):
        """Undo does not put metadata back whose chunks somebody has deleted: they would read as zeros."""
        transaction = filled.transact(REMOVALS["array"], grace=HOUR)
        filled._objects.delete([f"c.zarr/a/c/{at}" for at in range(3)])
        with pytest.raises(NotFoundError, match="the chunks are gone"):
            filled.undo(transaction.id)

    def test_file_replaced_meanwhile(self, filled):
        """A file that somebody replaces while it is copied aside is left as it is, and nothing is removed."""

        def watch(name, args):
            if name == "copy" and args[0].endswith("8.pt"):
                fill(again(filled), {"run/8.pt": b"newer"})

        Wire(filled, watch=watch)
        with pytest.raises(StoreError, match=r"8.pt"):
            filled.transact(REMOVALS["files"])
        assert everything(again(filled)) == {**STORE, "run/8.pt": b"newer"}

    def test_progress(self, filled):
        """Progress is told as so many of so many objects, and ends with all of them."""
        told = []
        filled.transact(REMOVALS["array"], progress=lambda *one: told.append(one))
        assert told[-1] == (3, 3)
        told.clear()
        filled.transact(migration(("run/8.pt", "x.pt"), ("c.zarr/other", "q")), progress=lambda *one: told.append(one))
        assert (told[0], told[-1]) == ((1, 8), (8, 8))


class TestMigrations:
    """All at its target, or all where it was."""

    @pytest.mark.parametrize("intent", MIGRATIONS.values(), ids=MIGRATIONS)
    def test_moved(self, backend, intent):
        """Everything is at its target, to the byte, also where a target is another one's source; no trace is left."""
        backend.transact(intent)
        assert everything(backend) == moved(STORE, intent)
        assert backend.transactions() == []

    def test_never_over_anything(self, backend):
        """Where something is at a target, in it or above it, nothing is moved."""
        for pairs in (
            [("c.zarr/a", "c.zarr/other")],
            [("c.zarr/a", "run")],
            [("c.zarr/a", "run/8.pt")],
            [("run/8.pt", "run/9.pt")],
            [("run/8.pt", "c.zarr")],
            [("run/8.pt", "run/9.pt/x.pt")],
        ):
            with pytest.raises(AlreadyExistsError, match="something is there by now"):
                backend.transact(migration(*pairs))
            assert everything(backend) == STORE

    def test_same_target(self, filled):
        """Two things do not go to the same place."""
        with pytest.raises(StoreError, match="same place"):
            filled.transact(migration(("run/8.pt", "x"), ("run/9.pt", "x")))
        assert everything(filled) == STORE

    def test_target_taken_amid_it(self, filled):
        """Where something appears at a target while everything is on its way, all goes back and the newcomer stays."""

        def watch(name, args):
            if name == "delete" and args[0][0].endswith("c/0"):
                fill(again(filled), {"c.zarr/new/zarr.json": b"mine"})

        Wire(filled, watch=watch)
        with pytest.raises(AlreadyExistsError, match=r"c.zarr/new/zarr.json"):
            filled.transact(MIGRATIONS["chain"])
        assert everything(again(filled)) == {**STORE, "c.zarr/new/zarr.json": b"mine"}

    @pytest.mark.parametrize("when", ["copy", "delete"])
    def test_writer(self, filled, when):
        """A source that is written to before the switch is never switched to a torn copy: all stays where it was."""
        written = []

        def watch(name, args):
            if not written and name == when and any("c.zarr/a/" in str(one) for one in args):
                written.append(again(filled).write("c.zarr/a/c/1", b"\xff\xff", replace=True))

        Wire(filled, watch=watch)
        with pytest.raises(StoreError, match=r"c.zarr/a/c/1|/0/c/1"):
            filled.transact(MIGRATIONS["chain"])
        assert written
        assert everything(again(filled)) == {**STORE, "c.zarr/a/c/1": b"\xff\xff"}

    def test_exclusive(self, filled):
        """Nothing begins beside a migration, and no migration where something is in the trash."""
        removed = filled.transact(REMOVALS["array"], grace=HOUR)
        with pytest.raises(BusyError, match="removing a is done, and can be undone until"):
            filled.transact(MIGRATIONS["swap"])
        filled.undo(removed.id)

        def check():
            with pytest.raises(BusyError, match="migrating is under way"):
                filled.transact(REMOVALS["old array"])

        filled.transact(MIGRATIONS["plain"], check=check)

    def test_not_undone(self, filled, clock):
        """A migration is not undone."""
        wire = Wire(filled, dies_at=40)
        with pytest.raises(Killed):
            filled.transact(MIGRATIONS["swap"])
        assert wire.is_dead
        clock.now += 1000
        (left,) = again(filled).transactions()
        with pytest.raises(StoreError, match="cannot be undone"):
            again(filled).undo(left.id)

    def test_large_files(self, filled, monkeypatch):
        """What servers do not copy by one request goes through this process, and never over anything."""
        monkeypatch.setattr(copying, "HUGE", 4)
        filled.transact(MIGRATIONS["swap"])
        assert everything(filled) == moved(STORE, MIGRATIONS["swap"])

    def test_tags(self):
        """E_tags tell that two objects are the same where they are digests, also of a single part."""
        plain = "5d41402abc4b2a76b9719d911017c592"
        in_parts = copying._in_parts(plain)
        assert copying._is_telling(plain, in_parts)
        assert copying._is_telling(in_parts, in_parts)
        assert not copying._is_telling(plain, in_parts.replace("-1", "-2"))
        assert not copying._is_telling("0", "0")


def dies(backend, intent, at, *, is_late=False, grace=0.0):
    """Let a process die at a request; return whether it came so far."""
    victim = again(backend)
    wire = Wire(victim, dies_at=at, is_late=is_late)
    with suppress(Killed):
        victim.transact(intent, grace=grace)
    return wire.is_dead


def loses_an_answer(backend, intent, more, *, grace):
    """Lose the answer to what writes `clearing` down, die so many requests later; return whether it came to that."""
    wire = Wire(backend)
    ask, left = wire._ask, []

    def asked(name, method, *args, **options):
        if left:
            left.append(name)
            if len(left) > more:
                wire.is_dead = True
        elif name == "put" and b'"clearing"' in bytes(args[1]):
            left.append(name)
            method(*args, **options)
            raise OSError("the connection was reset")
        return ask(name, method, *args, **options)

    wire._ask = asked
    with suppress(StoreError, Killed):
        backend.transact(intent, grace=grace)
    backend._objects.client = wire.client
    return wire.is_dead


def recovered(backend, clock):
    """What somebody else makes of what is left."""
    clock.now += 1000
    fresh = again(backend)
    for one in fresh.transactions():
        assert not one.is_live
        with suppress(NotFoundError):
            fresh.recover(one.id)
    fresh.tidy()
    return fresh


EVERY = {**REMOVALS, **MIGRATIONS}


class TestDeath:
    """A process that dies at any request leaves nothing half."""

    @pytest.mark.parametrize("is_late", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["before", "after"])
    @pytest.mark.parametrize("intent", EVERY.values(), ids=EVERY)
    def test_at_every_request(self, clock, intent, is_late):
        """The store is wholly old or wholly new after recovery, and nothing else is left in the bucket."""
        states = set()
        for at in count(1):
            backend = memory()
            fill(backend, STORE)
            if not dies(backend, intent, at, is_late=is_late):
                break
            check_whole(everything(backend), STORE, after(intent))
            found = everything(recovered(backend, clock))
            assert found in (STORE, after(intent)), at
            states.add(found == STORE)
        assert at > 10
        assert states == {True, False}

    @pytest.mark.parametrize("grace", [0, HOUR], ids=["at once", "grace"])
    @pytest.mark.parametrize("intent", EVERY.values(), ids=EVERY)
    def test_after_a_lost_answer(self, clock, intent, grace):
        """Where a step is written down, and the answer says that it is not, a death amid putting back harms nothing."""
        grace = 0 if intent.is_exclusive else grace
        for more in count(1):
            backend = memory()
            fill(backend, STORE)
            if not loses_an_answer(backend, intent, more, grace=grace):
                break
            check_whole(everything(backend), STORE, after(intent))
            fresh = recovered(backend, clock)
            for one in fresh.transactions():
                fresh.undo(one.id)
            assert everything(fresh) in (STORE, after(intent)), more
        assert more > 2
        assert everything(backend) == STORE

    @pytest.mark.slow
    @pytest.mark.parametrize("way", ["undo", "purge"])
    @pytest.mark.parametrize("intent", REMOVALS.values(), ids=REMOVALS)
    def test_with_grace(self, clock, intent, way):
        """What was interrupted amid hiding can be undone, or purged, when it is recovered."""
        for at in count(1):
            backend = memory()
            fill(backend, STORE)
            if not dies(backend, intent, at, grace=HOUR):
                break
            fresh = recovered(backend, clock)
            left = fresh.transactions()
            for one in left:
                assert one.phase == "placed"
                getattr(fresh, way)(one.id)
            found = everything(fresh)
            assert found == (gone(STORE, intent) if left and way == "purge" else STORE), at
        assert at > 10

    @pytest.mark.parametrize("way", ["undo", "purge"])
    @pytest.mark.parametrize("intent", REMOVALS.values(), ids=REMOVALS)
    def test_amid_the_end(self, clock, intent, way):
        """Undoing and purging can be interrupted at every request, and gone on with."""
        for at in count(1):
            backend = memory()
            fill(backend, STORE)
            transaction = backend.transact(intent, grace=HOUR)
            victim = again(backend)
            wire = Wire(victim, dies_at=at)
            with suppress(Killed):
                getattr(victim, way)(transaction.id)
            if not wire.is_dead:
                break
            check_whole(everything(backend), STORE, gone(STORE, intent))
            fresh = recovered(backend, clock)
            sources = {move.source for move in intent.moves}
            assert sources & everything(fresh).keys() in (set(), sources)
            for one in fresh.transactions():
                getattr(fresh, way)(one.id)
            assert everything(fresh) == (STORE if way == "undo" else gone(STORE, intent)), at
        assert at > 5

    @pytest.mark.slow
    @pytest.mark.parametrize("intent", EVERY.values(), ids=EVERY)
    def test_of_the_recovery(self, clock, intent):
        """A crash in the recovery of a crash is recovered."""
        random.seed(4)
        total = 0
        for at in range(3, 200, 5):
            for inner in range(1, 100, random.randint(3, 6)):
                backend = memory()
                fill(backend, STORE)
                if not dies(backend, intent, at):
                    break
                clock.now += 1000
                victim = again(backend)
                wire = Wire(victim, dies_at=inner)
                with suppress(Killed):
                    for one in victim.transactions():
                        victim.recover(one.id)
                found = everything(recovered(backend, clock))
                assert found in (STORE, after(intent)), (at, inner)
                total += 1
                if not wire.is_dead:
                    break
        assert total > 20

    @pytest.mark.parametrize("intent", EVERY.values(), ids=EVERY)
    def test_seen_by_others(self, filled, intent):
        """Whoever looks between any two requests sees whole arrays and files, or none."""
        looks = []

        def watch(*_):
            found = everything(again(filled))
            check_whole(found, STORE, after(intent))
            looks.append(found)

        Wire(filled, watch=watch)
        filled.transact(intent)
        assert len(looks) > 10
        assert any(not path.startswith(".zarrange") for path in looks[-1])

    @pytest.mark.slow
    @pytest.mark.parametrize("intent", [REMOVALS["files"], MIGRATIONS["swap"]], ids=["files", "swap"])
    def test_on_s3(self, server, clock, intent):
        """The same on a server of the S3 protocol, at some of the requests."""
        for at in range(6, 90, 9):
            backend = RemoteBackend(f"s3://{server.new_bucket()}/p", server.options())
            fill(backend, STORE)
            victim = RemoteBackend(backend.root, server.options())
            Wire(victim, dies_at=at)
            with suppress(Killed):
                victim.transact(intent)
            clock.now += 1000
            for one in backend.transactions():
                backend.recover(one.id)
            backend.tidy()
            assert everything(backend) in (STORE, after(intent)), at

    def test_live_one(self, filled, clock):
        """Nobody recovers, undoes or purges what another process is at; when its lease has ended, anybody may."""
        assert dies(filled, REMOVALS["array"], 20)
        fresh = again(filled)
        (left,) = fresh.transactions()
        assert left.is_live
        for ask in (fresh.recover, fresh.undo, fresh.purge):
            with pytest.raises(BusyError, match="removing a is under way"):
                ask(left.id)
        with pytest.raises(BusyError, match="removing a is under way"):
            fresh.transact(REMOVALS["array"])
        clock.now += leases.LEASE + 1
        assert fresh.transactions()[0].is_interrupted
        with pytest.raises(BusyError, match="removing a was interrupted"):
            fresh.transact(REMOVALS["array"])
        fresh.recover(left.id)
        assert everything(fresh) in (STORE, gone(STORE, REMOVALS["array"]))


class TestErrors:
    """What a store refuses, for a while or for good."""

    @pytest.mark.parametrize("names", [list(REMOVALS), list(MIGRATIONS)], ids=["removals", "migrations"])
    def test_errors_of_keys(self, names):
        """With an error at each tenth key that is deleted, nothing is stuck and nothing orphaned, in 100 runs."""
        errors = random.Random(7)
        for run in range(100):
            intent = EVERY[names[run % len(names)]]
            backend = memory()
            fill(backend, STORE)
            wire = Wire(backend, errors=errors)
            backend.transact(intent)
            assert everything(again(backend)) == after(intent)
            assert wire.asked

    def test_errors_of_many_keys(self):
        """Thousands of chunks are deleted all the same, in batches."""
        backend = memory()
        contents = {f"c.zarr/a/c/{at}": b"x" for at in range(4000)}
        fill(backend, {**STORE, **contents})
        Wire(backend, errors=random.Random(3))
        backend.transact(REMOVALS["array"])
        assert everything(again(backend)) == gone(STORE, REMOVALS["array"])

    def test_errors_for_good(self, server):
        """What may not be deleted at all is told, and is not given up: it is ended when it may be."""
        backend = RemoteBackend(f"s3://{server.new_bucket()}/p", server.options())
        fill(backend, STORE)
        server.fail("403 Forbidden", "AccessDenied", lambda one: one.method == "POST" and "delete" in one.query)
        with pytest.raises(StoreError, match=r"removing a was interrupted.*access denied"):
            backend.transact(REMOVALS["array"])
        server.faults.clear()
        (left,) = backend.transactions()
        assert left.is_interrupted
        backend.recover(left.id)
        with suppress(NotFoundError):
            backend.purge(left.id)
        found = everything(backend)
        found.pop(".zarrange/tx/lock", None)
        assert found == gone(STORE, REMOVALS["array"])

    @pytest.mark.slow
    @pytest.mark.parametrize("method", ["PUT", "POST", "GET"])
    def test_lost_answers(self, server, method):
        """An answer that is lost once, after the server has done what was asked, harms nothing."""
        for skipped in range(0, 12, 3):
            backend = RemoteBackend(f"s3://{server.new_bucket()}/p", server.options())
            fill(backend, STORE)
            seen = count()
            server.fail(
                "500 Internal Server Error",
                "InternalError",
                lambda one, seen=seen, skipped=skipped: one.method == method and next(seen) == skipped,
                is_late=True,
            )
            backend.transact(REMOVALS["files"])
            server.faults.clear()
            assert everything(backend) == gone(STORE, REMOVALS["files"])


class TestCopies:
    """A copy that cannot be finished leaves no array without its chunks."""

    ARRAY = "c.zarr/a/zarr.json"

    def left(self, target):
        """What is at the target after a copy that failed."""
        source = memory()
        fill(source, STORE)
        with pytest.raises(StoreError):
            copy_artifact(source, "c.zarr/a", target, "c.zarr/a", "array")
        return everything(again(target))

    def test_lost_answer(self, monkeypatch):
        """Metadata that were put, though nobody can say so at first, are taken back."""
        target, lost = memory(), []
        create, content = Objects.create, Objects.content

        def creates(objects, path, data):
            create(objects, path, data)
            if objects is target._objects and path == self.ARRAY:
                lost.append(path)
                raise StoreError("the connection was reset")

        def reads(objects, path):
            if lost and len(lost) < 3:
                lost.append(path)
                raise StoreError("the connection was reset")
            return content(objects, path)

        monkeypatch.setattr(Objects, "create", creates)
        monkeypatch.setattr(Objects, "content", reads)
        assert not [path for path in self.left(target) if path.startswith("c.zarr/a/")]
        assert len(lost) == 3

    def test_metadata_that_stay(self, monkeypatch):
        """Where metadata cannot be deleted, the chunks stay, too."""
        target, put = memory(), []
        create, delete, content = Objects.create, Objects.delete, Objects.content

        def creates(objects, path, data):
            create(objects, path, data)
            put.append(path)

        def deletes(objects, paths):
            if objects is target._objects and self.ARRAY in paths:
                raise StoreError("there is no right to delete that")
            delete(objects, paths)

        def reads(objects, path):
            if objects is target._objects and path == self.ARRAY and path in put:
                raise StoreError("cannot be read")
            return content(objects, path)

        monkeypatch.setattr(Objects, "create", creates)
        monkeypatch.setattr(Objects, "delete", deletes)
        monkeypatch.setattr(Objects, "content", reads)
        found = self.left(target)
        assert {path for path in STORE if path.startswith("c.zarr/a/")} <= found.keys()


class TestLeases:
    """Who may change what."""

    def test_two_at_once(self, filled):
        """Of two who begin the same at once, one wins and the other is told, in 100 trials."""
        with ThreadPoolExecutor(2) as threads:
            for _ in range(100):
                barrier = threading.Barrier(2)

                def begin(backend, barrier=barrier):
                    barrier.wait()
                    try:
                        return backend.transact(REMOVALS["files"], grace=HOUR)
                    except BusyError:
                        return None

                won = [one for one in threads.map(begin, [again(filled), again(filled)]) if one is not None]
                assert len(won) == 1
                filled.undo(won[0].id)
                assert everything(filled) == STORE

    def test_two_on_s3(self, server):
        """The same on a server of the S3 protocol."""
        backend = RemoteBackend(f"s3://{server.new_bucket()}/p", server.options())
        fill(backend, {path: content for path, content in STORE.items() if path.startswith("run")})
        intent = Intent("remove", "x", file_moves("run/8.pt"))
        with ThreadPoolExecutor(2) as threads:
            for _ in range(5):
                barrier = threading.Barrier(2)

                def begin(_, barrier=barrier):
                    barrier.wait()
                    try:
                        return backend.transact(intent, grace=HOUR)
                    except BusyError:
                        return None

                (won,) = [one for one in threads.map(begin, range(2)) if one is not None]
                backend.undo(won.id)
        assert everything(backend).keys() == {"run/8.pt", "run/9.pt"}

    def test_two_recover(self, clock):
        """Of two who recover the same at once, one does it, and nobody spoils it."""
        for at in range(12, 60, 4):
            backend = memory()
            fill(backend, STORE)
            if not dies(backend, MIGRATIONS["swap"], at):
                break
            clock.now += 1000
            names = [one.id for one in backend.transactions()]
            with ThreadPoolExecutor(2) as threads:
                asked = [threads.submit(again(backend).recover, name) for name in names for _ in range(2)]
            assert all(isinstance(one.exception(), BusyError | NotFoundError | None) for one in asked)
            assert everything(backend) in (STORE, after(MIGRATIONS["swap"]))

    def test_lost(self, filled, clock):
        """Whoever has lost the lease notices before the next batch, and stops; the other one ends it."""
        taken = []

        def watch(name, args):
            if name == "delete" and args[0][0].endswith("c.zarr/a/zarr.json") and not taken:
                other = again(filled)
                clock.now += leases.LEASE + 1
                (left,) = other.transactions()
                taken.append(leases.seize(other._objects, left.id))

        Wire(filled, watch=watch)
        with pytest.raises(BusyError, match="another process has taken over; this one has stopped"):
            filled.transact(REMOVALS["array"])
        there = everything(again(filled))
        assert all(f"c.zarr/a/c/{at}" in there for at in range(3))
        clock.now += 1000
        fresh = again(filled)
        fresh.recover(taken[0].name)
        assert everything(fresh) == gone(STORE, REMOVALS["array"])

    def test_renewed(self, filled, clock, monkeypatch):
        """A transaction that takes long stays alive: its lease is renewed meanwhile."""
        monkeypatch.setattr(leases, "LEASE", 0.06)
        renewed = threading.Event()

        def check():
            before = fresh.transactions()
            clock.now += 1
            while not fresh.transactions()[0].is_live:
                renewed.wait(0.001)
            assert before[0].id == fresh.transactions()[0].id

        fresh = again(filled)
        filled.transact(REMOVALS["array"], check=check)
        assert everything(fresh) == gone(STORE, REMOVALS["array"])

    def test_lock(self, filled, clock, monkeypatch):
        """A lock that somebody holds is waited for, and told; one whose time is over is taken."""
        monkeypatch.setattr(leases, "PATIENCE", 0.0)
        with leases.locked(again(filled)._objects):
            with pytest.raises(BusyError, match=r"another process has had the lock 'memory://.*lock' for more than 0"):
                filled.transact(REMOVALS["array"])
            clock.now += leases.LEASE + 1
            filled.transact(REMOVALS["array"])
        assert everything(filled) == gone(STORE, REMOVALS["array"])

    def test_tidy(self, backend, clock):
        """The lock of a process that has died is deleted when its time is over, and not before."""
        leases.Held(backend._objects)
        for seconds in (0, leases.LEASE - 1):
            clock.now += seconds
            assert backend.transactions() == []
            backend.tidy()
            assert everything(backend).keys() == {*STORE, ".zarrange/tx/lock"}
        clock.now += 2
        assert backend.transactions() == []
        backend.tidy()
        assert everything(backend) == STORE

    def test_tidy_asks_nothing(self, filled):
        """Where the listing of transactions has no lock, nothing more is asked."""
        wire = Wire(filled)
        assert filled.transactions() == []
        filled.tidy()
        assert len(wire.asked) == 1

    @pytest.mark.parametrize("at", range(1, 5))
    def test_tidy_meets_another(self, filled, clock, at):
        """A lock that another process takes meanwhile is not deleted."""
        leases.Held(filled._objects)
        clock.now += leases.LEASE + 1
        other, taken = again(filled), []

        def watch(*_):
            if len(wire.asked) == at:
                clock.now += leases.LEASE + 1
                taken.append(leases.Held(other._objects))

        wire = Wire(filled, watch=watch)
        filled.tidy()
        assert "delete" not in {name for name, _ in wire.asked}
        taken[0].confirm()
        taken[0].release()
        assert everything(again(filled)) == STORE

    @pytest.mark.parametrize("content", [b"", b"{", b'{"zarrange": 2}'])
    def test_tidy_leaves(self, filled, content):
        """What is no lock of ours stays."""
        filled.write(".zarrange/tx/lock", content)
        filled.tidy()
        assert filled.read(".zarrange/tx/lock") == content

    def test_tidy_refused(self, server, clock):
        """Who may not delete the lock is not stopped by it."""
        backend = RemoteBackend(f"s3://{server.new_bucket()}/p", server.options())
        leases.Held(backend._objects)
        clock.now += leases.LEASE + 1
        server.fail("403 Forbidden", "AccessDenied", lambda one: one.method != "GET")
        backend.tidy()
        server.faults.clear()
        assert everything(backend).keys() == {".zarrange/tx/lock"}

    def test_slow_registration(self, filled, clock):
        """Whoever has lost the lock before it was registered withdraws."""
        stolen = []

        def watch(name, args):
            if name == "put" and args[0].endswith(".json") and not stolen:
                clock.now += leases.LEASE + 1
                stolen.append(leases.Held(again(filled)._objects))

        Wire(filled, watch=watch)
        with pytest.raises(BusyError, match="took so long that another process may have begun"):
            filled.transact(REMOVALS["array"])
        stolen[0].release()
        assert everything(again(filled)) == STORE


def tampered(filled, **changes):
    """A tombstone of a removal that waits to be purged, changed by a stranger."""
    transaction = filled.transact(REMOVALS["files"], grace=HOUR)
    path = f".zarrange/tx/{transaction.id}.json"
    data = json.loads(filled.read(path))
    for where, value in changes.items():
        *steps, last = where.split("__")
        inner = data
        for step in steps:
            inner = inner[int(step)] if step.isdigit() else inner[step]
        inner[int(last) if last.isdigit() else last] = value
    filled.write(path, json.dumps(data).encode(), replace=True)
    return transaction.id


class TestHostile:
    """What a stranger writes into `.zarrange/` is refused, and nothing is touched."""

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"zarrange": 2}, "has the version 2; this zarrange knows 1"),
            ({"intent__rests": ["../other"]}, "'../other' is no plain path"),
            ({"intent__rests": [""]}, "'' is no plain path"),
            ({"intent__rests": [".zarrange"]}, "'.zarrange' is no plain path"),
            ({"intent__rests": ["a/./b"]}, "no plain path"),
            ({"intent__rests": ["/c.zarr"]}, "no plain path"),
            ({"intent__moves__0__source": "../x"}, "no plain path"),
            ({"intent__moves__0__source": "x\n"}, "character that no key can have"),
            ({"intent__moves__0__target": "c.zarr/other"}, "goes to a target, as only a migration has one"),
            ({"intent__operation": "migrate"}, "'run/8.pt' has no target, and is more than a group"),
            ({"intent__moves": []}, "nothing to do"),
            ({"intent__record": [{"path": "c.zarr/zarr.json", "content": ""}]}, "is not where a store says"),
            ({"intent__groups": [".."]}, "no plain path"),
            ({"step": "done"}, "is not one of"),
            ({"keep_until": 1e300}, "is no time"),
            ({"lease": -1}, "is no time"),
            ({"more": 1}, "`more` is not a key here"),
        ],
    )
    def test_tombstones(self, filled, changes, message):
        """A tombstone that is not as it should be is told, and nothing is done by it."""
        name = tampered(filled, **changes)
        before = everything(filled)
        for ask in (filled.purge, filled.undo, filled.recover):
            with pytest.raises(StoreError, match=message):
                ask(name)
        with pytest.raises(StoreError, match=message):
            filled.transactions()
        with pytest.raises(StoreError, match=message):
            filled.transact(REMOVALS["old array"])
        assert {**everything(filled), ".zarrange/tx/lock": b""} == {**before, ".zarrange/tx/lock": b""}

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"zarrange": 1}', b'"x"']
    )
    def test_no_json(self, filled, content):
        """What is no tombstone at all is told by its path."""
        filled.write(".zarrange/tx/0123456789abcdef.json", content)
        with pytest.raises(DamagedError, match=r"0123456789abcdef.json' is damaged"):
            filled.transactions()
        with pytest.raises(DamagedError):
            filled.recover("0123456789abcdef")
        filled.write(".zarrange/tx/lock", content)
        with pytest.raises(ZarrangeError):
            filled.transact(REMOVALS["array"])

    def test_other_names(self, filled):
        """What is not named as a tombstone is none."""
        for name in ("x.json", "0123456789ABCDEF.json", "0123456789abcdef.journal", "0123456789abcdef.json.partial"):
            filled.write(f".zarrange/tx/{name}", b"{")
        assert filled.transactions() == []
        for name in ("../store", "0123456789abcdef/x", "", "x"):
            with pytest.raises(NotFoundError, match="no such transaction"):
                filled.purge(name)

    def test_huge(self, filled, monkeypatch):
        """A tombstone that would fill the memory is not read, and none is written."""
        filled.write(".zarrange/tx/0123456789abcdef.json", b" " * 5000)
        monkeypatch.setattr(tombstones, "MAX_BYTES", 1000)
        with pytest.raises(DamagedError, match="is too large to be what it should be"):
            filled.transactions()
        filled._objects.delete([".zarrange/tx/0123456789abcdef.json"])
        monkeypatch.setattr(tombstones, "MAX_BYTES", 10)
        with pytest.raises(StoreError, match="would be too large"):
            filled.transact(REMOVALS["array"])
        assert everything(filled) == STORE

    @pytest.mark.parametrize(
        ("part", "message"),
        [
            ({"rests": [{"path": "c.zarr/other", "keys": ["c/0"]}]}, "'c.zarr/other' is not to be deleted"),
            ({"rests": [{"path": "c.zarr/a", "keys": ["../other/c/0"]}]}, "leads out of the place"),
            ({"rests": [{"path": "c.zarr/a", "keys": [""]}]}, "leads out of the place"),
            ({"copied": [{"move": 9, "path": "", "mark": ""}]}, "there is no move 9"),
            ({"copied": [{"move": 0, "path": "../9.pt", "mark": ""}]}, "leads out of the place"),
            ({"copied": [{"move": 0, "path": "x", "mark": ""}]}, "nothing that the move 0 takes"),
            ({"kept": [{"move": 0, "path": "", "content": ""}]}, "is no metadata"),
            ({"kept": [{"move": 1, "path": "", "content": "?"}]}, "is not base64"),
            ({"zarrange": 7}, "has the version 7"),
        ],
    )
    def test_inventories(self, filled, part, message):
        """An inventory names nothing outside of the places that the intent names."""
        transaction = filled.transact(REMOVALS["files"], grace=HOUR)
        path = f".zarrange/trash/{transaction.id}/inventory.json"
        filled.write(path, json.dumps({**json.loads(filled.read(path)), **part}).encode(), replace=True)
        before = everything(filled)
        for ask in (filled.purge, filled.undo):
            with pytest.raises(StoreError, match=message):
                ask(transaction.id)
        assert everything(filled).keys() == before.keys()

    def test_without_inventory(self, filled):
        """Without its inventory, nothing is deleted or put back."""
        transaction = filled.transact(REMOVALS["files"], grace=HOUR)
        filled._objects.delete([f".zarrange/trash/{transaction.id}/inventory.json"])
        before = everything(filled)
        for ask in (filled.purge, filled.undo):
            with pytest.raises(DamagedError, match=r"inventory in .* is missing"):
                ask(transaction.id)
        assert everything(filled).keys() == before.keys()

    def test_live_array(self, filled):
        """A tombstone whose rests are arrays that nobody has removed deletes nothing of them."""
        name = tampered(filled, intent__rests=["c.zarr/a", "o.zarr/b", "c.zarr/other", "g.zarr"])
        path = f".zarrange/trash/{name}/inventory.json"
        data = json.loads(filled.read(path))
        data["rests"] += [{"path": "c.zarr/other", "keys": ["c/0"]}, {"path": "g.zarr", "keys": ["x/c/0"]}]
        filled.write(path, json.dumps(data).encode(), replace=True)
        before = everything(filled)
        with pytest.raises(NotInStoreError, match="a node of zarr is there by now"):
            filled.purge(name)
        assert everything(filled).keys() == before.keys()

    @pytest.mark.parametrize("path", ["a/x\n", "a/\x7f"])
    def test_names(self, filled, path):
        """A path that no key can have is refused before anything is written."""
        with pytest.raises(NotInStoreError, match="a character that no key can have"):
            filled.transact(Intent("remove", "x", file_moves(path)))
        assert everything(filled) == STORE
