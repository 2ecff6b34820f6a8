"""Pruning: nothing goes that a rule keeps, that is not known, or that became young since the plan was made."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

from zarrange import Key, Layout, Store
from zarrange.errors import IncompleteError, LeftoverError, NotFoundError, NotInStoreError, RefusedError, StoreError

LAYOUT = Layout.parse("""
zarrange: 1
name: steps
fields:
  run: {type: str}
  step: {type: int, min: 0}
containers:
  box: {path: "{{ run }}.zarr"}
groups:
  part: {container: box, path: "parts/{{ step }}"}
arrays:
  image: {container: box, path: "images/{{ step }}"}
files:
  note: {path: "notes/{{ run }}/{{ step }}.txt"}
""")
HOUR = 3600


def image(step, run="r"):
    return Key("image", {"run": run, "step": step})


@pytest.fixture
def store(root):
    """A store with a record, and six finished images and notes, all of them old."""
    store = Store.init(root, LAYOUT)
    for step in range(6):
        made(store, step)
    for step in range(6):
        with store.create(Key("note", {"run": "r", "step": step})) as file:
            file.write(b"%d" % step)
    age(root)
    return store


def made(store, step, **options):
    attributes = {"dice": [0.1, 0.9, 0.2, 0.3, 0.9, 0.4][step % 6]}
    store.create(image(step), data=np.arange(step, step + 4), chunks=(2,), attributes=attributes, **options)


def age(root, days=30):
    """Let everything be old."""
    then = time.time() - days * 86_400
    for path in [*Path(root).rglob("*")]:
        os.utime(path, (then, then))


def put_chunk(store):
    store.open(image(1), mode="r+")[:2] = 7


def steps(plan):
    return [step.key["step"] for step in plan.steps]


def there(store, kind="image"):
    return [entry.key["step"] for entry in store.find(kind)]


class TestRefused:
    """What is more likely a mistake, unless it is forced."""

    def refused(self, store, snapshot, error, match, **rules):
        before = snapshot(store.root)
        with pytest.raises(error, match=match):
            store.plan_prune("image", **rules)
        assert snapshot(store.root) == before

    def test_no_record(self, root, store, snapshot):
        """A store that does not say which layout it has is not pruned."""
        shutil.rmtree(root / ".zarrange")
        store = Store(root, LAYOUT)
        self.refused(store, snapshot, RefusedError, "does not say which layout it has; record it", keep_last=3)
        assert steps(store.plan_prune("image", keep_last=3, force=True)) == [0, 1, 2]

    def test_unreadable(self, root, store, snapshot):
        """Where something could not be read, nothing is pruned: what is better or newer may be there."""
        (root / "r.zarr" / "images" / "5" / "zarr.json").write_bytes(b"{")
        self.refused(store, snapshot, IncompleteError, "images/5", keep_last=3)
        plan = store.plan_prune("image", keep_last=3, force=True)
        assert steps(plan) == [0, 1]

    def test_strangers(self, root, store, snapshot):
        """An array in which there is something else is not pruned: it would be lost with it."""
        (root / "r.zarr" / "images" / "1" / "notes.md").write_text("mine")
        age(root)
        self.refused(store, snapshot, NotInStoreError, "'notes.md' in its folder is not part of the array", keep_last=3)
        self.refused(store, snapshot, NotInStoreError, "notes.md", keep_last=3, force=True)

    def test_majority(self, store, snapshot):
        """More than half of all is not removed; half of it is."""
        self.refused(store, snapshot, RefusedError, "4 of 6 artifacts would be removed, more than half", keep_last=2)
        assert steps(store.plan_prune("image", keep_last=3)) == [0, 1, 2]
        store.plan_prune("image", keep_last=2, force=True).apply()
        assert there(store) == [4, 5]

    def test_no_rule(self, store, snapshot):
        """Without a rule, or for what has no such rules, nothing is pruned."""
        for kind, rules in (("image", {}), ("box", {"keep_last": 1}), ("part", {"keep_last": 1})):
            before = snapshot(store.root)
            with pytest.raises((ValueError, TypeError)):
                store.plan_prune(kind, **rules)
            assert snapshot(store.root) == before


class TestRules:
    """What stays is told with its reasons."""

    def test_left(self, store):
        """Everything that is looked at is in the steps or in what is left, with all rules that keep it."""
        plan = store.plan_prune("image", keep_last=1, keep_every=2, keep_best="criterion=dice:max")
        assert steps(plan) == [3]
        assert {one.path.rpartition("/")[2]: one.rules for one in plan.left} == {
            "0": ("keep-every",),
            "1": ("keep-best",),
            "2": ("keep-every",),
            "4": ("keep-every", "keep-best"),
            "5": ("keep-last",),
        }
        assert "kept: 5" in str(plan)
        assert "among the last 1 by `step`" in "\n".join(plan.lines(most=None))

    def test_filters(self, store):
        """Only what the filters find is looked at."""
        plan = store.plan_prune("image", keep_last=1, step=range(2, 4))
        assert steps(plan) == [2]
        assert [one.path for one in plan.left] == ["r.zarr/images/3"]

    def test_unfinished(self, root, store):
        """An unfinished array that is young stays, and takes no place from those that are finished."""
        store.create(image(6), shape=(4,), dtype="u1", seal=True)
        plan = store.plan_prune("image", keep_last=3)
        assert steps(plan) == [0, 1, 2]
        assert any("unfinished" in one.reason or "among" in one.reason for one in plan.left)
        age(root)
        assert steps(store.plan_prune("image", keep_last=3)) == [0, 1, 2]

    def test_files(self, store):
        """Files are pruned as arrays are."""
        store.plan_prune("note", keep_last=3).apply()
        assert there(store, "note") == [3, 4, 5]
        store.undo()
        assert there(store, "note") == list(range(6))


class TestApplied:
    def test_grace(self, store, snapshot):
        """A prune can be undone for a day, unless it is said otherwise: all of it comes back, byte for byte."""
        before = snapshot(store.root)
        open_before = store.open(image(0))
        done = store.plan_prune("image", keep_last=3).apply()
        assert done.intent.operation == "prune"
        assert done.keep_until == pytest.approx(done.started + 86_400, abs=60)
        assert there(store) == [3, 4, 5]
        assert open_before[...].tolist() == [0, 1, 2, 3]
        assert store.purge() == []
        assert store.undo().id == done.id
        assert snapshot(store.root) == before

    def test_no_grace(self, root, store, snapshot):
        """Without a grace it is gone at once, and nothing else with it."""
        before = snapshot(root)
        store.plan_prune("image", keep_last=3, grace=0).apply()
        gone = tuple(f"r.zarr/images/{step}" for step in range(3))
        after = snapshot(root)
        assert {path for path in before if path not in after} == {path for path in before if path.startswith(gone)}
        assert all(after[path] == before[path] for path in after)
        with pytest.raises(NotFoundError):
            store.undo()

    def test_purged(self, root, store):
        """What may not be deleted yet is not; all of it is, when it is asked for."""
        store.plan_prune("image", keep_last=3).apply()
        assert (root / "r.zarr" / "images" / "0" / "c" / "0").exists()
        assert len(store.purge(is_now=True)) == 1
        assert not (root / "r.zarr" / "images" / "0").exists()
        assert {*os.listdir(root / ".zarrange")} == {"layout", "store.json"}

    @pytest.mark.parametrize(
        "change",
        [
            lambda store: store.open(image(1), mode="r+").attrs.update(dice=1.0),
            put_chunk,
            lambda store: os.utime(Path(store.root, "r.zarr/images/1/c/0")),
            lambda store: store.remove(image(1)),
            lambda store: Path(store.root, "r.zarr/images/1/stray.txt").write_text("stray"),
            lambda store: Path(store.root, "r.zarr/images/1/stray").mkdir(),
        ],
        ids=["attributes", "chunk", "touched", "removed", "stray", "folder"],
    )
    def test_changed_since(self, root, store, snapshot, change):
        """What was written to since the plan was made is not removed, and neither is anything else."""
        plan = store.plan_prune("image", keep_last=3, older_than="1d", grace=0)
        assert steps(plan) == [0, 1, 2]
        change(store)
        before = snapshot(root)
        with pytest.raises(StoreError):
            plan.apply()
        assert snapshot(root) == before

    def test_young_at_apply(self, store):
        """An array whose chunks somebody began to write again is not pruned by a plan that found it old."""
        plan = store.plan_prune("image", keep_last=3, older_than="1d")
        put_chunk(store)
        with pytest.raises(StoreError, match=r"'r.zarr/images/1' is not as it was when the plan was made"):
            plan.apply()
        plan = store.plan_prune("image", keep_last=3, older_than="1d")
        assert steps(plan) == [0, 2]
        plan.apply()
        assert there(store) == [1, 3, 4, 5]

    def test_nothing_to_do(self, store, snapshot):
        """A plan without steps does nothing."""
        before = snapshot(store.root)
        plan = store.plan_prune("image", keep_last=9)
        assert plan.steps == ()
        assert plan.apply() is None
        assert snapshot(store.root) == before
        assert "nothing to remove" in str(plan)

    @pytest.mark.filterwarnings("ignore:Consolidated metadata", "ignore:Object at")
    def test_consolidated(self, root, store):
        """The copy of metadata that a container keeps lists what is left, and after an undo all of it."""
        zarr.consolidate_metadata(root / "r.zarr")
        done = store.plan_prune("image", keep_last=3).apply()
        names = {name for name, _ in zarr.open_consolidated(root / "r.zarr").members(max_depth=None)}
        assert names == {"images", "images/3", "images/4", "images/5"}
        store.undo(done)
        names = {name for name, _ in zarr.open_consolidated(root / "r.zarr").members(max_depth=None)}
        assert names == {"images", *(f"images/{step}" for step in range(6))}

    @pytest.mark.filterwarnings("ignore:Consolidated metadata", "ignore:Object at")
    @pytest.mark.parametrize("place", ["disk", "memory"])
    def test_consolidated_meanwhile(self, request, place):
        """A container that begins to keep a copy after the plan, or before an undo, keeps a true one."""
        root = request.getfixturevalue("root") if place == "disk" else "memory://pruning/meanwhile"
        store = Store.init(root, LAYOUT)
        for step in range(4):
            made(store, step)
        container = store._backend.zarr_store("r.zarr")

        def listed():
            return {name for name, _ in zarr.open_consolidated(container).members(max_depth=None)} - {"images"}

        plan = store.plan_prune("image", keep_last=2, min_age="0s")
        zarr.consolidate_metadata(container)
        plan.apply()
        assert listed() == {"images/2", "images/3"}
        store.undo()
        store.create(Key("part", {"run": "s", "step": 1}))
        container = store._backend.zarr_store("s.zarr")
        store.create(image(1, "s"), data=np.arange(3))
        store.remove(image(1, "s"), grace=60)
        zarr.consolidate_metadata(container)
        assert listed() == {"parts", "parts/1"}
        store.undo()
        assert listed() == {"parts", "parts/1", "images/1"}

    def test_new_things_in_it(self, root, store):
        """What somebody has put among the chunks of a pruned array is not deleted with it."""
        store.plan_prune("image", keep_last=3).apply()
        stray = root / "r.zarr" / "images" / "1" / "notes.md"
        stray.write_text("mine")
        with pytest.raises((StoreError, LeftoverError), match=r"notes.md"):
            store.purge(is_now=True)
        assert stray.read_text() == "mine"
        stray.unlink()
        store.purge(is_now=True)
        assert not stray.parent.exists()

    def test_in_memory(self):
        """In an object store it is the same: hidden, put back, and deleted."""
        store = Store.init("memory://pruning/in", LAYOUT)
        for step in range(6):
            made(store, step)
        objects = store._backend._objects
        before = {key: objects.content(key) for key in objects.keys("")}
        store.plan_prune("image", keep_last=3, min_age="0s").apply()
        assert there(store) == [3, 4, 5]
        store.undo()
        assert {key: objects.content(key) for key in objects.keys("")} == before
        store.plan_prune("image", keep_last=3, min_age="0s", grace=0).apply()
        gone = {key for key in before if key.startswith(("r.zarr/images/0", "r.zarr/images/1", "r.zarr/images/2"))}
        assert before.keys() - {*objects.keys("")} == gone


class TestBystanders:
    def test_removes(self, root, snapshot):
        """Two hundred random removals in a store of five hundred things change nothing else, not a byte."""
        rng = random.Random(5)
        store = Store.init(root, LAYOUT)
        zarr.create_array(root / "model", data=np.arange(4, dtype="u1"), chunks=(2,))
        zarr.create_group(root / "group")
        paths = {}
        for step in range(100):
            for run in ("a", "b", "ab"):
                paths[f"{run}.zarr/images/{step}"] = image(step, run)
                shutil.copytree(root / "model", root / f"{run}.zarr/images/{step}")
            paths[f"a.zarr/parts/{step}"] = Key("part", {"run": "a", "step": step})
            shutil.copytree(root / "group", root / f"a.zarr/parts/{step}")
            paths[f"notes/b/{step}.txt"] = Key("note", {"run": "b", "step": step})
            (root / "notes" / "b").mkdir(parents=True, exist_ok=True)
            (root / f"notes/b/{step}.txt").write_bytes(b"%d" % step)
        expected = snapshot(root)
        kept = []
        for path in rng.sample(sorted(paths), 200):
            done = store.remove(paths[path], grace=rng.choice([0, 0, 60]))
            mine = {one: what for one, what in expected.items() if one == path or one.startswith(f"{path}/")}
            expected = {one: what for one, what in expected.items() if one not in mine}
            if done is not None:
                kept.append((done, mine))
            if len(kept) > 2:
                done, mine = kept.pop(0)
                if rng.random() < 0.5:
                    store.undo(done)
                    expected |= mine
                else:
                    store._backend.purge(done.id)
        store.purge(is_now=True)
        assert snapshot(root) == expected
