"""Copying a store into another one: every artifact by its key, checked, and nothing that is there is touched."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import zarr
from attrs import evolve

from zarrange import Key, Layout, Store
from zarrange.errors import BusyError, FieldError, IncompleteError, RefusedError, StoreError
from zarrange.stores import replication
from zarrange.stores.copying import copy_artifacts
from zarrange.stores.doctor import examine
from zarrange.stores.local import LocalBackend

TEXT = """
zarrange: 1
name: {name}
fields:
  run: {{type: str, charset: unicode}}
  step: {{type: int, min: 0}}
containers:
  box: {{path: "{top}{{{{ run }}}}/box.zarr", zarr_format: 3}}
  old_box: {{path: "{top}{{{{ run }}}}/old.zarr", zarr_format: 2}}
groups:
  part: {{container: box, path: "parts/{{{{ step }}}}"}}
arrays:
  image: {{container: box, path: "{image}"}}
  old_image: {{container: old_box, path: "{image}"}}
files:
  note: {{path: "{top}{{{{ run }}}}/notes/{{{{ step }}}}.txt"}}
"""
PLAIN = Layout.parse(TEXT.format(name="plain", top="", image="images/{{ step }}"))
OTHER = Layout.parse(TEXT.format(name="other", top="runs/", image="i/of/{{ step | pad(4) }}"))
_numbers = count()
quiet = pytest.mark.filterwarnings("ignore:Consolidated metadata")


def fill(store):
    """Artifacts of all sorts, with attributes."""
    store.create(Key("box", {"run": "r.1"}), attributes={"made": "by hand"})
    store.create(Key("part", {"run": "r.1", "step": 3}), attributes={"part": 3})
    for kind in ("image", "old_image"):
        for step in range(3):
            data = np.arange(step, step + 7, dtype="u2")
            store.create(Key(kind, {"run": "r.1", "step": step}), data=data, chunks=(3,), attributes={"step": step})
    for step in range(2):
        with store.create(Key("note", {"run": "r.1", "step": step})) as file:
            file.write(b"note %d" % step)
    return store


def content(store):
    """What a store has, by its keys: digests of data and attributes."""
    found = {}
    for entry in store.find():
        kind = store.layout.kind(entry.key.kind)
        if kind.sort == "file":
            with store.open(entry.key) as file:
                found[entry.key] = file.read()
        elif kind.sort == "array":
            array = store.open(entry.key)
            found[entry.key] = (array[...].tolist(), dict(array.attrs))
        else:
            found[entry.key] = dict(store.open(entry.key).attrs)
    return found


def files(store):
    """All files of a store but for what it keeps for itself."""
    if isinstance(store._backend, LocalBackend):
        found = {}
        for where, _, names in os.walk(store.root):
            for name in names:
                path = os.path.relpath(os.path.join(where, name), store.root)
                found[path] = Path(where, name).read_bytes()
    else:
        objects = store._backend._objects
        found = {key: objects.content(key) for key in objects.keys("")}
    return {path: one for path, one in found.items() if not path.startswith(".zarrange/")}


@pytest.fixture
def store(root):
    return fill(Store.init(root, PLAIN))


@pytest.fixture(params=["disk", "memory"])
def into(request, tmp_path):
    """What opens an empty store of a layout somewhere."""
    root = f"memory://replication-{next(_numbers)}/in" if request.param == "memory" else tmp_path / "into"
    return lambda layout=PLAIN: Store(root, layout)


@pytest.fixture(params=["disk", "memory", "s3"])
def anywhere(request, tmp_path):
    """The same, on a server too."""
    if request.param != "s3":
        root = f"memory://replication-{next(_numbers)}/in" if request.param == "memory" else tmp_path / "into"
        return lambda layout=PLAIN: Store(root, layout)
    server = request.getfixturevalue("server")
    root, options = f"s3://{server.new_bucket()}/copies", server.options()
    return lambda layout=PLAIN: Store(root, layout, storage_options=options)


class TestWhere:
    def test_there_and_back(self, store, anywhere, tmp_path, snapshot):
        """A store comes to another disk, to memory or to S3 and back with every key, byte and attribute."""
        before, known = snapshot(store.root), content(store)
        there = anywhere()
        plan = store.plan_copy(there)
        assert files(there) == {}
        assert len(plan.steps) == len(known) == 11
        assert plan.apply() is None
        assert snapshot(store.root) == before
        assert content(there) == known
        assert anywhere(None).layout.texts == PLAIN.texts  # it is recorded
        back = Store(tmp_path / "back", PLAIN)
        there.plan_copy(back).apply()
        assert content(back) == known
        assert files(back) == files(store)
        assert [str(one) for one in examine(back._backend, PLAIN)] == []

    def test_other_layout(self, store, anywhere):
        """A copy may have another layout: every artifact keeps its key."""
        there = anywhere(OTHER)
        known = content(store)
        store.plan_copy(there).apply()
        assert content(there) == known
        assert "runs/r.1/box.zarr/i/of/0002/zarr.json" in files(there)
        assert [str(one) for one in examine(there._backend, OTHER)] == []

    @quiet
    @pytest.mark.parametrize("layout", [PLAIN, OTHER], ids=["same", "other"])
    def test_consolidated(self, root, store, into, layout):
        """The copies of metadata that containers keep are true in the copy, which can be made again."""
        known = content(store)
        zarr.consolidate_metadata(root / "r.1" / "box.zarr")
        zarr.consolidate_metadata(root / "r.1" / "old.zarr", zarr_format=2)
        there = into(layout)
        store.plan_copy(there).apply()
        assert [str(one) for one in examine(there._backend, layout)] == []
        group = zarr.open_consolidated(there._backend.zarr_store(layout.render("box", run="r.1").path))
        inside = layout.render("image", run="r.1", step=2).dataset
        assert inside in group
        assert content(there) == known
        assert store.plan_copy(there).steps == ()

    def test_executor(self, store, into):
        """An executor may do the copying."""
        from concurrent.futures import ThreadPoolExecutor

        told = []
        with ThreadPoolExecutor(2) as executor:
            store.plan_copy(into()).apply(executor=executor, progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (8, 8)
        assert content(into()) == content(store)


class TestAgain:
    """A copy that was interrupted, or is made again."""

    @quiet
    @pytest.mark.parametrize("layout", [PLAIN, OTHER], ids=["same", "other"])
    @pytest.mark.parametrize("done", [0, 1, 2])
    def test_resumed(self, store, into, layout, done, monkeypatch):
        """It goes on where it stopped, whatever of it is there already, and then all is as if it had not stopped."""
        zarr.consolidate_metadata(Path(store.root, "r.1", "box.zarr"))
        there, known = into(layout), content(store)
        monkeypatch.setattr(replication, "BATCH", 3)
        left = [done]

        def copy(source, target, batch):
            if not left[0]:
                raise OSError("the cable")
            left[0] -= 1
            return copy_artifacts(source, target, batch)

        monkeypatch.setattr(replication, "copy_artifacts", copy)
        with pytest.raises(OSError, match="the cable"):
            store.plan_copy(there).apply()
        monkeypatch.setattr(replication, "copy_artifacts", copy_artifacts)
        plan = store.plan_copy(there)
        assert len(plan.steps) == (11, 8, 5)[done]
        assert sum("there already, and the same" in one.reason for one in plan.left) == 11 - len(plan.steps)
        plan.apply()
        assert content(there) == known
        assert [str(one) for one in examine(there._backend, layout)] == []
        assert into(None).layout.name == layout.name

    @quiet
    def test_interrupted_at_the_end(self, root, store, into, monkeypatch):
        """Where all is copied but what follows, it is still to be done: copies of metadata, and the record."""
        zarr.consolidate_metadata(root / "r.1" / "box.zarr")
        there = into(OTHER)
        with monkeypatch.context() as patch:
            patch.setattr(replication, "refresh", lambda *_: (_ for _ in ()).throw(OSError("the cable")))
            with pytest.raises(OSError, match="the cable"):
                store.plan_copy(there).apply()
        plan = store.plan_copy(there)
        assert plan.steps == ()
        plan.apply()
        assert [str(one) for one in examine(there._backend, OTHER)] == []
        assert into(None).layout.name == "other"

    def test_a_group_that_went(self, store, into):
        """Groups above what is there already are made where they are missing, as a purge amid a copy may leave it."""
        there = into()
        store.plan_copy(there).apply()
        known = files(there)
        names = ["r.1/box.zarr/images/zarr.json", "r.1/old.zarr/images/.zgroup"]
        for name in names:
            if isinstance(there._backend, LocalBackend):
                os.unlink(f"{there.root}/{name}")
            else:
                there._backend._objects.delete([name])
        plan = store.plan_copy(there)
        assert plan.steps == ()
        plan.apply()
        assert files(there).keys() == known.keys()

    def test_only_new(self, store, into):
        """What was made since is all that is copied again."""
        there = into()
        store.plan_copy(there).apply()
        store.create(Key("image", {"run": "r.1", "step": 8}), data=np.arange(3))
        plan = store.plan_copy(there)
        assert [step.target for step in plan.steps] == [f"{there.root}/r.1/box.zarr/images/8"]
        plan.apply()
        assert content(there) == content(store)


class TestRefused:
    """A copy never replaces, and never mixes."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda there: there.create(Key("image", {"run": "r.1", "step": 1}), data=np.arange(3)),
            lambda there: there.create(Key("note", {"run": "r.1", "step": 1})).close(),
            lambda there: there.create(Key("part", {"run": "r.1", "step": 3}), attributes={"part": 4}),
            lambda there: there._backend.write("r.1/box.zarr/images/1/strange/thing", b""),
            lambda there: there._backend.write("r.1/notes/1.txt/thing", b""),
        ],
        ids=["array", "file", "group", "folder", "below"],
    )
    def test_occupied(self, store, into, change):
        """Where something else is, the plan says so, and neither store is changed."""
        there = into()
        change(there)
        before = files(there), files(store)
        with pytest.raises(StoreError, match="where something else is already; nothing was changed"):
            store.plan_copy(there)
        assert (files(there), files(store)) == before

    @pytest.mark.parametrize("step", [1, 2])
    def test_occupied_since(self, store, into, step):
        """What somebody has made there since the plan stays as it is."""
        there = into()
        plan = store.plan_copy(there)
        key = Key("image", {"run": "r.1", "step": step})
        there.create(key, data=np.arange(99, 102))
        with pytest.raises(StoreError):
            plan.apply()
        assert there.open(key)[...].tolist() == [99, 100, 101]

    def test_changed_since(self, store, into):
        """A source that has changed since the plan is refused, and nothing is copied."""
        there = into()
        plan = store.plan_copy(there)
        store.open(Key("old_image", {"run": "r.1", "step": 1}), mode="r+").attrs["new"] = 1
        with pytest.raises(StoreError, match=r"'r.1/old.zarr/images/1' is not as it was when the plan was made"):
            plan.apply()
        assert files(there) == {}

    def test_in_each_other(self, root, store):
        """A store is not copied into itself, above or below itself."""
        for place in (root, root / "in", root.parent):
            with pytest.raises(StoreError, match="lie in each other"):
                store.plan_copy(Store(place, PLAIN))

    def test_what_migration_refuses(self, root, store, into):
        """What is unreadable or unfinished, does not fit, or is in the trash there, is refused."""
        store.create(Key("image", {"run": "r.1", "step": 9}), shape=(3,), dtype="u1", seal=True)
        with pytest.raises(RefusedError, match="is not finished"):
            store.plan_copy(into())
        store.remove(Key("image", {"run": "r.1", "step": 9}))
        narrow = Layout.parse(
            TEXT.format(name="narrow", top="", image="i/{{ step }}").replace("charset: unicode", 'pattern: "[a-q]+"')
        )
        with pytest.raises(FieldError, match="run"):
            store.plan_copy(into(narrow))
        there = into()
        store.plan_copy(there).apply()
        there.remove(Key("image", {"run": "r.1", "step": 1}), grace=60)
        with pytest.raises((BusyError, StoreError), match=r"can be undone|already"):
            store.plan_copy(there).apply()
        there.purge(is_now=True)
        store.plan_copy(there).apply()
        assert content(there) == content(store)
        (root / "r.1" / "box.zarr" / "images" / "1" / "zarr.json").write_bytes(b"{")
        with pytest.raises(IncompleteError, match="images/1"):
            store.plan_copy(into())
        assert [one.path for one in store.plan_copy(into(), force=True).left if "damaged" in one.reason] != []


def test_what_no_kind_has(root, store, into):
    """What no kind has is listed and not copied; neither is what its path leaves uncertain."""
    (root / "r.1" / "stray.txt").write_text("stray")
    zarr.open_group(root / "r.1" / "box.zarr" / "images", mode="r+").attrs["said"] = "something"
    there = into()
    plan = store.plan_copy(there)
    assert [(one.path, one.reason) for one in plan.left] == [
        ("r.1/stray.txt", "no kind of `plain` has this path"),
        ("r.1/box.zarr/images", "it is a group that no kind has, and it has attributes"),
    ]
    plan.apply()
    assert "r.1/stray.txt" not in files(there)


def test_measured(store, into):
    """A plan tells how much there is to copy, and says that it copies."""
    plan = store.plan_copy(into()).measured()
    assert plan.size == sum(step.size for step in plan.steps) > 0
    assert evolve(plan, steps=plan.steps[:1]).size == plan.steps[0].size
    assert "to copy" in str(plan)
    assert "remove" not in str(plan)
    assert "undone" not in str(plan)


def test_too_little_room(tmp_path, snapshot, monkeypatch):
    """Where less is free than would be copied, the plan is refused; an object store counts nothing."""
    store = fill(Store(tmp_path / "here", PLAIN))
    before = snapshot(tmp_path)
    monkeypatch.setattr(LocalBackend, "room", lambda *_: (7, 10))
    with pytest.raises(StoreError, match=r"there are [\d.]+ \w+ to copy, and 10 B are free where they would come"):
        store.plan_copy(Store(tmp_path / "there", PLAIN))
    assert snapshot(tmp_path) == before
    assert store.plan_copy(Store(f"memory://room-{next(_numbers)}", PLAIN)).steps
