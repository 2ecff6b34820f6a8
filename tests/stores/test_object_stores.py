"""A store in an object store does what a store on disk does: on a real server of the S3 protocol, and in memory."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import traceback
import warnings
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import zarr
from tests.stores.test_store import create, identify

from zarrange import ArrayIdentifier, ContainerIdentifier, FileIdentifier, Key, Layout, Store, StoreError, to_json
from zarrange.errors import (
    AlreadyExistsError,
    BusyError,
    EmptyFoldersError,
    NotFoundError,
    NotInStoreError,
    UnreadableError,
)
from zarrange.stores import copies, holders
from zarrange.stores.backend import Requests
from zarrange.stores.copies import refresh
from zarrange.stores.local import moving
from zarrange.stores.local.aside import Aside
from zarrange.stores.remote import steps
from zarrange.stores.remote.steps import Steps
from zarrange.stores.upkeep import purge

KINDS = ["image", "old_image", "free_image", "part", "old_part", "box", "old_box", "note"]
NUMBERS = count()


@pytest.fixture(params=["disk", "memory", "s3", "az"])
def place(request, tmp_path):
    """A root, and the options that it takes."""
    if request.param == "disk":
        return str(tmp_path / "store"), None
    if request.param == "memory":
        return f"memory://stores-{next(NUMBERS)}/below", None
    if request.param == "az":
        azure = request.getfixturevalue("azure")
        return f"az://{azure.new_container()}/below", azure.options()
    server = request.getfixturevalue("server")
    return f"s3://{server.new_bucket()}/below", server.options()


@pytest.fixture
def store(place, layout):
    return Store(place[0], layout, storage_options=place[1])


@pytest.mark.parametrize("kind", KINDS)
def test_one_artifact(store, kind):
    """Each sort of artifact is created, opened, never overwritten, and removed."""
    assert not store.exists(identify(store, kind))
    with pytest.raises(NotFoundError):
        store.open(identify(store, kind))
    identifier = create(store, kind)
    assert identifier.path.startswith(store.root + "/r1/")
    assert store.exists(identifier)
    opened = store.open(identifier)
    if isinstance(identifier, ArrayIdentifier):
        assert isinstance(opened, zarr.Array)
        assert (opened[...] == 1).all()
    elif isinstance(identifier, FileIdentifier):
        with opened:
            assert opened.read() == b"text"
    else:
        assert isinstance(opened, zarr.Group)
    with pytest.raises(AlreadyExistsError):
        create(store, kind)
    store.remove(identifier, recursive=True)
    assert not store.exists(identifier)
    with pytest.raises(NotFoundError):
        store.remove(identifier, recursive=True)


def test_what_exists(store):
    """What was created is found, in the order of paths, and told apart by its values."""
    assert list(store.find()) == []
    for run in ("r1", "r1-b", "r2"):
        create(store, "note", run=run)
        for step in (1, 2, 30):
            create(store, "image", run=run, step=step, volume="a/b")
        create(store, "part", run=run)
    found = [(entry.key.kind, entry.key.values.get("step"), entry.node) for entry in store.find(run="r1")]
    assert found == [
        ("box", None, "group"),
        ("image", 1, "array"),
        ("image", 2, "array"),
        ("image", 30, "array"),
        ("part", 1, "group"),
        ("note", 1, "file"),
    ]
    assert [entry.path.split("/")[0] for entry in store.find("note")] == ["r1-b", "r1", "r2"]
    assert {entry.identifier for entry in store.find("image")} == {
        identify(store, "image", run=run, step=step, volume="a/b")
        for run in ("r1", "r1-b", "r2")
        for step in (1, 2, 30)
    }
    assert store.values("run") == ("r1", "r1-b", "r2")
    assert store.latest("image", run="r2").key["step"] == 30
    assert store.count("image", step=range(2, 31)) == 6
    assert store.size("note", run="r1") == 4
    assert store.examine() == ()
    assert store.tree().is_complete


@pytest.mark.parametrize("options", [{"data": np.ones((4, 4), "u1")}, {"shape": (4, 4), "dtype": "u1"}])
def test_chunks_without_an_array(store, options):
    """No array is created where chunks lie without one, with data or without, and nothing there is touched."""
    where = identify(store, "image")
    path = where.path.removeprefix(f"{store.root}/")
    store._backend.write(f"{path}/c/9", b"foreign")
    before = {key: store._backend.read(key) for key in files(store)}
    with pytest.raises(AlreadyExistsError, match="something in it already"):
        store.create(where, **options)
    assert {key: store._backend.read(key) for key in files(store)} == before
    assert not store.exists(where)


def delete(store, path):
    """Delete one file, past the store."""
    if "://" in store.root:
        store._backend._objects.delete([path])
    else:
        os.unlink(f"{store.root}/{path}")


def files(store):
    """The paths of all files below the root."""
    waiting, found = [""], []
    while waiting:
        folder = waiting.pop()
        for name, sort in store._backend.items(folder, Requests()):
            (waiting if sort == "folder" else found).append(f"{folder}/{name}".lstrip("/"))
    return found


@pytest.mark.parametrize("name", ["zarr.json", "c/zarr.json", "notes.txt"])
def test_something_new_in_what_was_removed(store, name):
    """What somebody has put into a removed array since keeps it from being purged, until it is gone."""
    where = create(store, "image")
    path = where.path.removeprefix(f"{store.root}/")
    removed = store.remove(where, grace=3600)
    store._backend.write(f"{path}/{name}", b"new")
    before = sorted(files(store))
    with pytest.raises(NotInStoreError):
        store.purge(is_now=True)
    assert sorted(files(store)) == before
    assert [one.id for one in store.transactions()] == [removed.id]
    delete(store, f"{path}/{name}")
    assert [one.id for one in store.purge(is_now=True)] == [removed.id]
    assert store.transactions() == []
    assert not [one for one in files(store) if one.startswith(f"{path}/")]


def consolidate(store):
    """Let a container keep a copy of the metadata below it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        zarr.consolidate_metadata(store._backend.zarr_store("r1/box.zarr"))


def arrays_listed(store):
    """The arrays that the copy lists, and those that are there."""
    copy = json.loads(store._backend.read("r1/box.zarr/zarr.json"))["consolidated_metadata"]["metadata"]
    listed = {name for name, one in copy.items() if one["node_type"] == "array"}
    return listed, {entry.path.removeprefix("r1/box.zarr/") for entry in store.find("image")}


class TestAtTheSameTime:
    """A container's copy of metadata tells what is there, whatever others do while it is built."""

    @pytest.fixture
    def kept(self, store):
        """A store whose container keeps a copy of the metadata of two arrays."""
        for step in (1, 2):
            create(store, "image", step=step)
        consolidate(store)
        return store

    @pytest.fixture
    def meanwhile(self, monkeypatch):
        """Do something whenever a copy is built, at most so often, before it is put."""
        real = copies._built

        def amid(do, most=1):
            left = [most]

            def built(*args):
                copy = real(*args)
                if left[0]:
                    left[0] -= 1
                    with monkeypatch.context() as patch:
                        patch.setattr(copies, "_built", real)
                        do(most - left[0])
                return copy

            monkeypatch.setattr(copies, "_built", built)

        return amid

    @pytest.mark.parametrize("grace", [0, 3600])
    def test_a_removal(self, kept, meanwhile, grace):
        """An array that is removed meanwhile is not listed, or zarr would read it as zeros."""
        meanwhile(lambda _: kept.remove(identify(kept, "image", step=1), grace=grace))
        create(kept, "image", step=3)
        listed, there = arrays_listed(kept)
        assert listed == there
        assert len(there) == 2
        assert kept.examine() == ()

    def test_a_removal_of_what_was_not_listed(self, kept, meanwhile):
        """So it is with an array that no copy has listed yet, and none is changed for."""
        path = identify(kept, "image", step=1).path.removeprefix(f"{kept.root}/")
        copies.strip(kept._backend, "r1/box.zarr", [path])
        meanwhile(lambda _: kept.remove(identify(kept, "image", step=1)))
        create(kept, "image", step=3)
        listed, there = arrays_listed(kept)
        assert listed == there
        assert kept.examine() == ()

    @pytest.mark.parametrize("most", [1, copies.ROUNDS])
    def test_creations(self, kept, meanwhile, most):
        """Arrays that are made meanwhile are listed, be it once, or faster than a copy can be built."""
        meanwhile(lambda number: create(kept, "image", step=10 + number), most=most)
        create(kept, "image", step=3)
        listed, there = arrays_listed(kept)
        assert listed == there
        assert len(there) == 3 + most
        assert kept.examine() == ()

    def test_just_before_a_removal(self, kept, monkeypatch):
        """What somebody lists again, who has looked just before it is hidden, is taken out of the copy once more."""
        where, name = (Aside, "take") if kept._backend.has_folders else (Steps, "hide")
        real, listed = getattr(where, name), []

        def late(*args):
            if not listed:
                refresh(kept._backend, "r1/box.zarr")
                listed.extend(arrays_listed(kept)[0])
            return real(*args)

        monkeypatch.setattr(where, name, late)
        kept.remove(identify(kept, "image", step=1), grace=3600)
        assert len(listed) == 2
        assert len(arrays_listed(kept)[0]) == 1
        assert kept.examine() == ()

    @pytest.mark.parametrize(("kind", "box"), [("image", "box"), ("old_image", "old_box")])
    def test_nobody_else(self, store, monkeypatch, kind, box):
        """Where nobody else is at work, a copy is built once, also if some nodes have no file of attributes."""
        where = identify(store, kind)
        container = create(store, box).path.removeprefix(f"{store.root}/")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            zarr.consolidate_metadata(store._backend.zarr_store(container))
        create(store, kind)
        for path in [path for path in files(store) if path.endswith("/.zattrs")]:
            delete(store, path)
        copies.strip(store._backend, container, [where.path.removeprefix(f"{store.root}/")])
        real, built = copies._built, []
        monkeypatch.setattr(copies, "_built", lambda *args: built.append(args) or real(*args))
        refresh(store._backend, container)
        assert len(built) == 1
        assert store.examine() == ()

    def test_a_lock_that_ends(self, kept, monkeypatch):
        """Whoever has lost the lock before the copy is put builds it again."""
        real, confirmed = type(kept._backend).alone, []

        @contextmanager
        def alone(backend):
            with real(backend) as confirm:

                def lost():
                    confirmed.append(1)
                    if len(confirmed) == 1:
                        raise BusyError("it took so long")
                    confirm()

                yield lost

        create(kept, "image", step=3)
        copies.strip(kept._backend, "r1/box.zarr", ["r1/box.zarr/images/3"])
        monkeypatch.setattr(type(kept._backend), "alone", alone)
        refresh(kept._backend, "r1/box.zarr")
        assert len(confirmed) == 2
        assert kept.examine() == ()

    def test_no_lock(self, kept, monkeypatch):
        """Whoever cannot have the lock for the copy writes none, and is told that the array is there."""
        real = copies._built

        def built(*args):
            monkeypatch.setattr(type(kept._backend), "alone", busy)
            return real(*args)

        @contextmanager
        def busy(_):
            raise BusyError("another process has the lock")
            yield

        before = kept._backend.read("r1/box.zarr/zarr.json")
        monkeypatch.setattr(copies, "_built", built)
        told = (
            r"^'r1/box\.zarr/images/3/raw' is there, but the copy of .*box\.zarr' may not be true: another process has"
        )
        with pytest.raises(StoreError, match=told) as caught:
            create(kept, "image", step=3)
        assert not isinstance(caught.value, BusyError)
        assert kept._backend.read("r1/box.zarr/zarr.json") == before
        assert kept.exists(identify(kept, "image", step=3))

    def test_a_container_that_goes(self, kept, monkeypatch):
        """The copy of a group that is just being taken away is not written, or the group would be there again."""
        where, name = (Aside, "take") if kept._backend.has_folders else (Steps, "hide")
        real = getattr(where, name)

        def late(*args):
            with monkeypatch.context() as patch:
                patch.setattr(where, name, real)
                copies._is_put(kept._backend, "r1/box.zarr", *outdated, list, "")
            return real(*args)

        copy = copies.read_copy(kept._backend, "r1/box.zarr", "zarr.json")
        outdated = copy, {**copy.data["consolidated_metadata"], "metadata": {}}
        box = ContainerIdentifier(f"{kept.root}/r1/box.zarr")
        before = {path: kept._backend.read(path) for path in files(kept)}
        monkeypatch.setattr(where, name, late)
        kept.remove(box, recursive=True, grace=3600)
        assert not kept.exists(box)
        kept.undo()
        assert {path: kept._backend.read(path) for path in files(kept)} == before


class TestHolders:
    """Folders and groups that hold artifacts, and are none, go with the last thing in them when that is purged."""

    def groups(self, store):
        return [one for one in files(store) if one.rpartition("/")[2] in ("zarr.json", ".zgroup")]

    @pytest.mark.parametrize(("kind", "box"), [("image", "box"), ("old_image", "old_box")])
    def test_groups(self, store, kind, box):
        """What is left empty goes, be it at once or after a grace; until then it is as it was."""
        container = create(store, box)
        before = sorted(files(store))
        where = create(store, kind)
        store.remove(where)
        assert sorted(files(store)) == before
        create(store, kind)
        there = self.groups(store)
        store.remove(where, grace=3600)
        assert store.examine() == ()
        store.undo()
        assert self.groups(store) == there
        store.remove(where, grace=3600)
        assert len(self.groups(store)) > 1
        store.purge(is_now=True)
        assert sorted(files(store)) == before
        assert store.examine() == ()
        assert store.exists(container)

    def test_others_in_them(self, store):
        """A group in which there is another array stays, and goes with that."""
        first, second = (create(store, "image", volume=name) for name in ("a", "b/c"))
        store.remove(first, grace=3600)
        store.remove(second)
        assert store.examine() == ()
        store.undo()
        assert (store.open(first)[...] == 1).all()
        assert len(self.groups(store)) == 4  # the container, two groups, and the array
        store.remove(first)
        assert len(self.groups(store)) == 1

    @pytest.mark.parametrize("name", ["attributes", "a file", "a group", "damaged", "nested"])
    def test_more_than_that(self, store, name):
        """What somebody has written into a group keeps it, and those above it."""
        where = create(store, "image")
        group = where.path.removeprefix(f"{store.root}/").rpartition("/")[0]
        more = {
            "attributes": ("zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": {"by": "me"}}'),
            "a file": ("notes.txt", b"mine"),
            "damaged": ("zarr.json", b'{"zarr_format": 3'),
            "nested": ("zarr.json", b'{"zarr_format": 3, "attributes": ' + 100_000 * b"["),
            "a group": ("mine/zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'),
        }
        own, content = more[name]
        store.remove(where, grace=3600)
        store._backend.write(f"{group}/{own}", content, replace=True)
        before = self.groups(store)
        assert len(store.purge(is_now=True)) == 1
        assert self.groups(store) == before
        assert store._backend.read(f"{group}/{own}") == content

    @pytest.mark.parametrize("attributes", [{"attributes": {}}, {"consolidated_metadata": None}])
    def test_attributes_that_look_like_none(self, store, attributes):
        """Attributes of format 2 are what somebody has written, whatever they are called."""
        where = create(store, "old_image")
        group = where.path.removeprefix(f"{store.root}/").rpartition("/")[0]
        store._backend.write(f"{group}/.zattrs", json.dumps(attributes).encode(), replace=True)
        store.remove(where)
        assert json.loads(store._backend.read(f"{group}/.zattrs")) == attributes

    def test_an_interrupt(self, store, monkeypatch):
        """Whoever is interrupted in the middle of it is not told of anything else, and a recovery goes on."""
        where = create(store, "image")
        store.remove(where, grace=3600)

        def interrupted(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(type(store._backend), "drop", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store.purge(is_now=True)
        assert [one.phase for one in store.transactions()] == ["purging"]
        store.recover()
        assert store.transactions() == []
        assert self.groups(store) == ["r1/box.zarr/zarr.json"]

    def test_an_interrupt_and_a_word(self, store, monkeypatch):
        """A group that says more when an interrupted purge goes on stays, and so it does in the copy above."""
        where = create(store, "image")
        consolidate(store)
        store.remove(where, grace=3600)

        def interrupted(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(type(store._backend), "drop", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store.purge(is_now=True)
        group = where.path.removeprefix(f"{store.root}/").rpartition("/")[0]
        content = b'{"zarr_format": 3, "node_type": "group", "attributes": {"by": "me"}}'
        store._backend.write(f"{group}/zarr.json", content, replace=True)
        store.recover()
        copy = json.loads(store._backend.read("r1/box.zarr/zarr.json"))["consolidated_metadata"]["metadata"]
        assert group.removeprefix("r1/box.zarr/") in copy

    def test_somebody_comes(self, store, monkeypatch):
        """Of who makes an array in a group that has just gone, all is there, and is in the copy above."""
        where = create(store, "image")
        consolidate(store)
        store.remove(where, grace=3600)
        real = holders.groups_above_all

        def late(*args):
            create(store, "image", volume="another")
            return real(*args)

        monkeypatch.setattr(holders, "groups_above_all", late)
        store.purge(is_now=True)
        listed, there = arrays_listed(store)
        assert listed == there
        assert len(there) == 1
        assert store.examine() == ()

    def test_two_at_once(self, store, monkeypatch):
        """Of two who purge at the same time, the last one takes the group that both of them have emptied."""
        first, second = (create(store, "image", volume=name) for name in ("a", "b"))
        for where in (first, second):
            store.remove(where, grace=3600)
        one, other = store.transactions()

        def interrupted(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:  # the first one has begun, and not looked for groups yet
            for module in (moving, steps):
                patched.setattr(module, "drop_empty", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store._backend.purge(one.id)
        assert [found.phase for found in store.transactions()] == ["purging", "placed"]
        store._backend.purge(other.id)
        assert self.groups(store) == ["r1/box.zarr/zarr.json"]
        store.recover()
        assert store.transactions() == []

    def test_one_copy_of_two(self, store):
        """A copy that cannot be read keeps no other one from being brought up to date."""
        where = create(store, "image")
        consolidate(store)
        damaged = b'{"zarr_format": 3, "node_type": "group", "consolidated_metadata": {"metadata": 5}}'
        store.remove(where, grace=3600)
        store._backend.write("r1/zarr.json", damaged)
        with pytest.raises(EmptyFoldersError, match=r"/r1': its zarr\.json is damaged"):
            store.purge(is_now=True)
        copy = json.loads(store._backend.read("r1/box.zarr/zarr.json"))["consolidated_metadata"]["metadata"]
        assert copy == {}

    def test_a_failure_in_passing(self, store, monkeypatch):
        """The copy above is brought up to date also where that fails once."""
        where = create(store, "image")
        consolidate(store)
        store.remove(where, grace=3600)
        real, failures = holders.strip, [StoreError("no answer")]

        def strip(*args, **more):
            if failures:
                raise failures.pop()
            real(*args, **more)

        monkeypatch.setattr(holders, "strip", strip)
        store.purge(is_now=True)
        assert failures == []
        assert store.examine() == ()

    def test_one_that_cannot_be_read(self, store, monkeypatch):
        """What is in the way of one group is told, and keeps no other one but those above it."""
        for step in (1, 2, 3):
            create(store, "image", step=step)
        store.plan_removal_of(store.find("image"), grace=3600).apply()
        real = type(store._backend).alone_in

        def alone_in(backend, folder, besides):
            if folder.endswith("images/2"):
                raise UnreadableError(f"'{folder}' cannot be read: no answer")
            return real(backend, folder, besides)

        with monkeypatch.context() as patched:
            patched.setattr(type(store._backend), "alone_in", alone_in)
            with pytest.raises(EmptyFoldersError, match=r"images/2' cannot be read: no answer$") as caught:
                store.purge(is_now=True)
        assert str(caught.value).count("no answer") == 1
        assert store.transactions() == []
        above = ["r1/box.zarr/zarr.json", "r1/box.zarr/images/zarr.json", "r1/box.zarr/images/2/zarr.json"]
        assert self.groups(store) == above

    def test_many_that_cannot_go(self, store, monkeypatch):
        """Of what is in the way of many groups, some is told, and how much more there is."""
        for step in range(9):
            create(store, "image", step=step)
        store.plan_removal_of(store.find("image"), grace=3600).apply()
        drop = lambda _, folders, __: {folder: f"'{folder}': no" for folder in folders}  # noqa: E731
        monkeypatch.setattr(type(store._backend), "drop", drop)
        with pytest.raises(EmptyFoldersError, match=r"may have stayed.*': no; and \d+ more$"):
            store.purge(is_now=True)
        assert store.transactions() == []

    def test_a_purge_that_was_interrupted(self, store, monkeypatch):
        """Whoever ends an interrupted purge is told what is in the way as well."""
        where = create(store, "image")
        removed = store.remove(where, grace=3600)

        def interrupted(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(type(store._backend), "drop", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store.purge(is_now=True)
        drop = lambda _, folders, __: {folder: f"'{folder}': no" for folder in folders}  # noqa: E731
        with monkeypatch.context() as patched:
            patched.setattr(type(store._backend), "drop", drop)
            ((transaction, error),) = purge(store._backend)
        assert transaction.id == removed.id
        assert isinstance(error, EmptyFoldersError)
        assert store.purge() == []

    def test_a_damaged_copy_above(self, store):
        """Where a copy of metadata above cannot be read by then, it is left as it is, and that is told once."""
        where = create(store, "image")
        store.remove(where, grace=3600)
        content = json.dumps({"zarr_format": 3, "node_type": "group", "consolidated_metadata": {"metadata": 5}})
        store._backend.write("r1/box.zarr/zarr.json", content.encode(), replace=True)
        with pytest.raises(
            EmptyFoldersError, match=r"may have stayed, or still be listed: .*box\.zarr': .* is damaged"
        ):
            store.purge(is_now=True)
        assert store.transactions() == []
        assert self.groups(store) == ["r1/box.zarr/zarr.json"]
        assert store._backend.read("r1/box.zarr/zarr.json") == content.encode()
        assert store.purge(is_now=True) == []

    def test_an_array_that_comes_meanwhile(self, store):
        """An array at the place of a group that held another one is found, and copied."""
        create(store, "image", volume="z")
        store.remove(create(store, "image", volume="a/b"), grace=3600)
        metadata = store._backend.read("r1/box.zarr/images/1/z/zarr.json")
        store._backend.write("r1/box.zarr/images/1/a/zarr.json", metadata, replace=True)
        plan = store.plan_copy(Store(f"memory://copies-{next(NUMBERS)}", store.layout))
        assert {step.path for step in plan.steps} >= {"r1/box.zarr/images/1/a", "r1/box.zarr/images/1/z"}

    def test_a_group_that_will_stay(self, store):
        """A group above that says more by now is told at once, not only when the removal is purged."""
        contents = {
            "zarr.json": b'{"zarr_format": 3, "node_type": "group", "attributes": {"by": "me"}}',
            ".zattrs": b'{"by": "me"}',
        }
        for kind, name in (("image", "zarr.json"), ("old_image", ".zattrs")):
            where = create(store, kind)
            images = where.path.removeprefix(f"{store.root}/").partition("/images/")[0] + "/images"
            store.remove(where, grace=3600)
            store._backend.write(f"{images}/{name}", contents[name], replace=True)
            for one in [one for one in files(store) if one.startswith(f"{images}/1/")]:
                delete(store, one)
            shutil.rmtree(f"{store.root}/{images}/1", ignore_errors=True)
            found = [(one.rule, one.span.file.rpartition("r1/")[2]) for one in store.examine()]
            assert ("unmatched-path", images.removeprefix("r1/")) in found

    def test_groups_of_a_kind(self, place):
        """A group that some kind has is an artifact of its own."""
        kinds = "containers: {box: {path: b.zarr}}\ngroups: {part: {container: box, path: p}}\n"
        arrays = "arrays: {image: {container: box, path: p/images/one}}\n"
        store = Store(place[0], Layout.parse(f"zarrange: 1\nname: a\n{kinds}{arrays}"), storage_options=place[1])
        store.create(Key("image", {}), data=np.ones(2))
        store.remove(Key("image", {}))
        assert self.groups(store) == ["b.zarr/zarr.json", "b.zarr/p/zarr.json"]
        assert store.exists(Key("part", {}))

    def test_copies(self, store):
        """A copy of the metadata lists them no more."""
        kept = create(store, "note")
        where = create(store, "image")
        path = store._backend.zarr_store("r1/box.zarr")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            zarr.consolidate_metadata(path)
        assert len(list(zarr.open_consolidated(path).groups())) == 1
        store.remove(where)
        assert list(zarr.open_consolidated(path).groups()) == []
        assert store.examine() == ()
        assert store.exists(kept)

    def test_folders(self, store):
        """Folders of files go the same way, as far as there are any; the root stays."""
        where = create(store, "note")
        store.remove(where, grace=3600)
        assert store.examine() == ()
        store.purge(is_now=True)
        assert files(store) == []
        assert "://" in store.root or os.listdir(store.root) == []

    def test_a_prune(self, store):
        """Of what was pruned, no groups are left."""
        for step in range(4):
            create(store, "image", step=step, volume="a")
        store.plan_prune("image", keep_last=1, by="step", min_age="0s", grace=0, force=True).apply()
        assert self.groups(store) == [
            "r1/box.zarr/zarr.json",
            "r1/box.zarr/images/zarr.json",
            "r1/box.zarr/images/3/zarr.json",
            "r1/box.zarr/images/3/a/zarr.json",
        ]


def test_data_at_once(store):
    """An array that is given its data has them, and counts as complete if it is sealed."""
    where = identify(store, "image")
    data = np.arange(16, dtype="i4").reshape(4, 4)
    array = store.create(where, data=data, seal=True)
    assert (array[...] == data).all()
    assert store.open(where).attrs["zarrange"] == {"complete": True}
    assert store.examine() == ()


@pytest.mark.parametrize("kind", ["image", "old_image"])
def test_writing(store, kind):
    """The doctor tells an array whose writing failed, until another writing has ended well."""
    where = identify(store, kind)
    store.create(where, shape=(4,), dtype="f4", seal=True)

    def fail():
        with store.writing(where) as array:
            array[:2] = 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [one.rule for one in store.examine()] == ["unfinished-array"]
    with store.writing(where) as array:
        array[:] = 1
    assert store.examine() == ()


def test_consolidated_groups(store):
    """Consolidated metadata above an artifact follow what is created and removed."""
    create(store, "image", volume="a")
    container = identify(store, "box")
    group = store.open(container, mode="r+")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        zarr.consolidate_metadata(group.store)
    create(store, "image", volume="b")
    assert "images/1/b" in dict(store.open(container).members(max_depth=None))
    store.remove(identify(store, "image", volume="a"))
    assert "images/1/a" not in dict(store.open(container).members(max_depth=None))
    assert store.examine() == ()


def test_self_describing(place, layout):
    """A store that has recorded its layout is opened without one, and refuses another one."""
    root, options = place
    create(Store.init(root, layout, storage_options=options), "note")
    store = Store(root, storage_options=options)
    assert store.layout == layout
    assert [entry.key.kind for entry in store.find()] == ["note"]
    assert store.examine() == ()
    with pytest.raises(StoreError, match="would disagree"):
        Store(root, "training", storage_options=options)
    with pytest.raises(StoreError, match="does not say which layout it has"):
        Store(f"{root}/elsewhere", storage_options=options)


def test_not_below_the_root(store):
    """Nothing outside of the root is touched."""
    other = ContainerIdentifier(store.root.replace("store", "other").replace("below", "other") + "/r1/box.zarr")
    for operation in (store.exists, store.open, store.create, store.remove):
        with pytest.raises(NotInStoreError, match="is not below the store's root"):
            operation(other)


class TestCredentials:
    """Credentials are in no text, pickle, error or identifier of a store."""

    @pytest.fixture
    def root(self, server):
        return f"s3://{server.new_bucket()}/below"

    def test_looks(self, server, root, layout):
        """Neither a store nor what it gives shows them."""
        store = Store(root, layout, storage_options=server.options())
        where = create(store, "image")
        shown = [
            store,
            store.find(),
            [*store.find()],
            store.open(where),
            store.tree(),
            store.examine(),
            store.find().explain(),
        ]
        told = "".join(map(repr, shown)) + "".join(map(str, shown)) + to_json(where) + store._repr_html_()
        told += repr(vars(store)) + repr(pickle.dumps(store)) + repr(pickle.dumps([*store.find()]))
        assert server.key_id not in told
        assert server.secret not in told

    def test_errors(self, server, root, layout):
        """Who may not read is told so, and nothing else."""
        wrong = server.options(secret_access_key="wr0ng-5ecr3t")
        with pytest.raises(PermissionError) as caught:
            Store(root, layout, storage_options=wrong)
        told = "".join(traceback.format_exception(caught.value))
        assert "access denied" in told
        assert not {secret for secret in (server.key_id, server.secret, "wr0ng-5ecr3t") if secret in told}

    def test_command_line(self, server, root, layout, tmp_path):
        """The commands take them from the environment."""
        store = Store.init(root, layout, storage_options=server.options())
        create(store, "note")
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": server.key_id,
            "AWS_SECRET_ACCESS_KEY": server.secret,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": server.url,
            "AWS_ALLOW_HTTP": "true",
        }

        def run(*words, **changes):
            command = [sys.executable, "-m", "zarrange", *words]
            return subprocess.run(
                command, capture_output=True, text=True, env=environment | changes, cwd=tmp_path, check=False
            )

        done = run("find", root, "note", "run=r1")
        assert (done.stdout, done.stderr) == ('r1/notes/1.txt: note(run="r1", step=1)\n', "")
        assert "1 artifact" in run("tree", root).stdout
        assert run("doctor", root).returncode == 0
        refused = run("find", root, AWS_SECRET_ACCESS_KEY="wr0ng-5ecr3t")
        assert refused.returncode == 2
        assert "access denied" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert server.key_id not in refused.stderr
        assert list(Path(tmp_path).iterdir()) == []


def test_ages(store):
    """Of an array that is written anew, any chunk makes it young."""
    written, other = (create(store, "image", step=step) for step in (1, 2))
    path, beside = (one.path.removeprefix(f"{store.root}/") for one in (written, other))
    before = store._backend.modified(path), store._backend.modified(beside)
    store.open(written, mode="r+")[:2, :2] = 2
    assert store._backend.modified(path) == store._backend.modified(f"{path}/c/0/0") >= before[0]
    assert store._backend.modified(beside) == before[1]
