"""Plans of removals: what goes, what it holds, and what is refused before anything is touched."""

from __future__ import annotations

import os
import random
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr
from tests.stores.conftest import NOBODY

from zarrange import ArrayIdentifier, Layout, Store
from zarrange.errors import (
    AmbiguousPathError,
    BusyError,
    LeftoverError,
    NotFoundError,
    NotInStoreError,
    StoreError,
    ZarrangeError,
)
from zarrange.identifiers import Key
from zarrange.stores.local import LocalBackend
from zarrange.stores.paths import above
from zarrange.stores.removal import plan_array_removal

VALUES = {"run": "r", "step": 1, "volume": "raw"}


def create(store, kind, **changes):
    names = store.layout.kind(kind).fields
    key = Key(kind, {name: value for name, value in (VALUES | changes).items() if name in names})
    store.create(key, **({"data": np.ones(4), "chunks": 2} if store.layout.kind(kind).sort == "array" else {}))
    return key


def paths(plan):
    return [(step.path, step.sort, step.key) for step in plan.steps]


@pytest.fixture
def full(store):
    """A store with a container in which is one of everything."""
    create(store, "image", volume="a")
    create(store, "image", volume="b")
    create(store, "part")
    box = Path(store.root, "r/box.zarr")
    (box / "parts/1/notes.txt").write_text("mine")
    (box / "parts/1/link").symlink_to("notes.txt")
    zarr.create_array(box / "parts/1/inner", data=np.ones(2))
    return store


class TestPlan:
    """A plan says all that goes, and making it changes nothing."""

    def test_array(self, full, snapshot):
        """An array is one step."""
        before = snapshot(full.root)
        key = Key("image", VALUES | {"volume": "a"})
        plan = full.plan_removal(key)
        assert paths(plan) == [("r/box.zarr/images/1/a", "array", key)]
        assert snapshot(full.root) == before

    def test_all_that_a_group_holds(self, full, snapshot):
        """A group's plan has all that goes with it, and by name what the layout knows."""
        part = full.identifier("part", run="r", step=1)
        before = snapshot(full.root)
        plan = full.plan_removal(part, recursive=True)
        assert paths(plan) == [
            ("r/box.zarr/parts/1", "group", Key("part", {"run": "r", "step": 1})),
            ("r/box.zarr/parts/1/inner", "array", None),
            ("r/box.zarr/parts/1/link", "link", None),
            ("r/box.zarr/parts/1/notes.txt", "file", None),
        ]
        assert snapshot(full.root) == before
        whole = full.plan_removal(full.identifier("box", run="r"), recursive=True)
        assert {key for _, _, key in paths(whole) if key is not None} == {
            Key("box", {"run": "r"}),
            Key("part", {"run": "r", "step": 1}),
            *(Key("image", VALUES | {"volume": volume}) for volume in "ab"),
        }

    def test_a_group_names_what_it_holds(self, full, snapshot):
        """Without the word, a group in which there is something is refused, and what is in it is named."""
        before = snapshot(full.root)
        with pytest.raises(NotInStoreError) as caught:
            full.plan_removal(full.identifier("part", run="r", step=1))
        assert str(caught.value) == (
            f"'{full.root}/r/box.zarr/parts/1' is a group that holds 'r/box.zarr/parts/1/inner', "
            "'r/box.zarr/parts/1/link', 'r/box.zarr/parts/1/notes.txt'; "
            "to remove it with all that is in it, say recursive=True"
        )
        shown = re.escape('image(run="r", step=1, volume="a") at \'r/box.zarr/images/1/a\'')
        with pytest.raises(NotInStoreError, match=rf"is a container that holds .*{shown}.*, and \d+ more; to remove"):
            full.plan_removal(full.identifier("box", run="r"))
        assert snapshot(full.root) == before

    def test_an_array_inside_that_holds_others(self, full, snapshot):
        """An array in a group in which something is not its own is refused, also where all is to go."""
        Path(full.root, "r/box.zarr/images/1/b/notes.txt").write_text("mine")
        before = snapshot(full.root)
        with pytest.raises(NotInStoreError, match=r"^cannot remove '.*/images/1/b': 'notes\.txt' in its folder"):
            full.remove(full.identifier("box", run="r"), recursive=True)
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("content", ["", "{", '{"node_type": "arr"}'])
    @pytest.mark.parametrize("damaged", ["parts/1", "parts/1/inner", "parts"])
    def test_damaged_inside(self, full, content, damaged):
        """What is damaged in a container goes with the rest."""
        Path(full.root, "r/box.zarr", damaged, "zarr.json").write_text(content)
        full.remove(full.identifier("box", run="r"), recursive=True)
        assert [*Path(full.root).rglob("*")] == []

    def test_a_node_among_chunks(self, full, snapshot):
        """An array that lies among another one's chunks is not lost with the container that both are in."""
        zarr.create_array(f"{full.root}/r/box.zarr/images/1/a/c/9/hidden", data=np.ones(2))
        before = snapshot(full.root)
        with pytest.raises(NotInStoreError, match=r"'.*/c/9/hidden' inside is another zarr node"):
            full.remove(full.identifier("box", run="r"), recursive=True)
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("inner", ["raw", "x/y/raw"])
    def test_a_node_beside_chunks(self, full, snapshot, inner):
        """A node in an array's folder is named with its way."""
        zarr.create_array(f"{full.root}/r/box.zarr/images/1/a/{inner}", data=np.ones(2))
        before = snapshot(full.root)
        with pytest.raises(NotInStoreError, match=f"'{inner}' inside is another zarr node; it would be lost with it$"):
            full.plan_removal(Key("image", VALUES | {"volume": "a"}))
        assert snapshot(full.root) == before

    @pytest.mark.parametrize("sort", ["symlink", "folder", "pipe"])
    def test_a_group_of_something_else(self, store, tmp_path, sort):
        """Where the metadata of a group above are no file by now, the group stays."""
        (tmp_path / "outside").write_text('{"zarr_format": 3, "node_type": "group"}')
        store.remove(create(store, "image"), grace=100)
        metadata = Path(store.root, "r/box.zarr/images/1/zarr.json")
        metadata.unlink()
        if sort == "symlink":
            metadata.symlink_to(tmp_path / "outside")
        elif sort == "folder":
            metadata.mkdir()
        else:
            os.mkfifo(metadata)
        assert len(store.purge(is_now=True)) == 1
        assert os.listdir(metadata.parent) == ["zarr.json"]
        assert store.transactions() == []

    def test_a_group_that_may_not_be_deleted(self, shared_folder, layout, as_nobody):
        """A group that is somebody else's stays, in the copy above too; that is told once, and nothing waits."""
        if os.geteuid() != 0:
            pytest.skip("everything belongs to whoever runs the tests")
        store = Store(shared_folder / "store", layout)
        removed = [create(store, "image", step=step) for step in (1, 2)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            zarr.consolidate_metadata(f"{store.root}/r/box.zarr")
        for path in [Path(store.root), *Path(store.root).rglob("*")]:
            path.chmod(0o777)
            if "raw" in path.parts:
                os.chown(path, NOBODY, NOBODY)
        (Path(store.root) / "r/box.zarr/images/1").chmod(0o1777)  # what is in it goes only with its owner
        with as_nobody():
            store.remove(removed[0], grace=100)
            with pytest.raises(LeftoverError, match=r"may have stayed, or .*/images/1': Operation not permitted$"):
                store.purge(is_now=True)
            assert store.purge(is_now=True) == []
            assert store.transactions() == []
        group = zarr.open_consolidated(f"{store.root}/r/box.zarr")
        assert sorted(name for name, _ in group["images"].groups()) == ["1", "2"]

    def test_a_folder_that_may_not_be_entered(self, shared_folder, layout, as_nobody):
        """What cannot be purged, because its folder cannot be entered, is in nobody's way elsewhere."""
        with as_nobody():
            store = Store(shared_folder / "store", layout)
            note = Key("note", {"run": "r", "step": 1})
            store.create(note).close()
            store.remove(note, grace=100)
            notes = Path(store.root, "r/notes")
            notes.chmod(0)
            with pytest.raises(LeftoverError, match=r"could not be deleted: .*[Pp]ermission denied"):
                store.purge(is_now=True)
            elsewhere = create(store, "image", run="other")
            store.remove(elsewhere)
            notes.chmod(0o700)
            assert len(store.purge(is_now=True)) == 1
        assert not notes.exists()

    def test_links(self, full, tmp_path, snapshot):
        """A symlink in a container goes itself; what it leads to stays, be it outside or another's array."""
        zarr.create_array(tmp_path / "outside", data=np.ones(3))
        box = Path(full.root, "r/box.zarr")
        (box / "parts/1/far").symlink_to(tmp_path / "outside")
        create(full, "image", run="other")
        (box / "parts/1/near").symlink_to(Path(full.root, "other/box.zarr/images"))
        outside, other = snapshot(tmp_path / "outside"), snapshot(Path(full.root, "other"))
        full.remove(full.identifier("box", run="r"), recursive=True)
        assert not box.exists()
        assert (snapshot(tmp_path / "outside"), snapshot(Path(full.root, "other"))) == (outside, other)

    def test_names_that_are_no_text(self, full):
        """A file in a group may have a name that is no text, and comes back with it."""
        name = os.fsencode(full.root) + b"/r/box.zarr/parts/1/\xff\xfe"
        with open(name, "w") as file:
            file.write("mine")
        full.remove(full.identifier("part", run="r", step=1), recursive=True, grace=1000)
        assert not os.path.exists(name)
        full.undo()
        with open(name) as file:
            assert file.read() == "mine"


class TestGrace:
    """What is removed with a grace is gone for everybody, can be put back, and its place is kept for it."""

    @pytest.mark.parametrize("kind", ["image", "old_image", "part", "box", "old_box", "note"])
    def test_undo(self, store, snapshot, kind):
        """Every sort of artifact comes back byte for byte."""
        for one in ("image", "old_image", "part"):
            create(store, one)
        store.create(Key("note", {"run": "r", "step": 1})).close()
        names = store.layout.kind(kind).fields
        key = Key(kind, {name: value for name, value in VALUES.items() if name in names})
        before = snapshot(store.root)
        done = store.remove(key, recursive=True, grace=1000)
        assert not store.exists(key)
        assert [one.id for one in store.transactions()] == [done.id]
        assert store.undo().id == done.id
        assert snapshot(store.root) == before
        assert store.exists(key)

    def test_gone_for_everybody(self, store):
        """It is neither there, nor found, nor opened, nor removed again; its place is busy."""
        key, other = create(store, "image"), create(store, "image", volume="other")
        store.remove(key, grace=1000)
        assert not store.exists(key)
        assert [entry.key for entry in store.find("image")] == [other]
        for ask in (store.open, store.remove, store.plan_removal):
            with pytest.raises(NotFoundError, match=r"r/box\.zarr/images/1/raw'"):
                ask(key)
        for ask in (
            lambda: store.create(key, data=np.ones(2)),
            lambda: store.create(Key("image", VALUES | {"volume": "raw/deeper"}), data=np.ones(2)),
            lambda: store.remove(store.identifier("box", run="r"), recursive=True),
        ):
            with pytest.raises(
                BusyError, match=r"^the removal of 'r/box\.zarr/images/1/raw' is done, and can be undone"
            ):
                ask()
        store.undo()
        assert store.open(key)[0] == 1

    def test_the_last_one(self, store):
        """Undone is the last that can be, or the one that is named; nothing to undo is said."""
        keys = [create(store, "image", volume=volume) for volume in "abc"]
        done = [store.remove(key, grace=1000) for key in keys]
        assert store.undo().id == done[2].id
        assert store.undo(done[0]).id == done[0].id
        with pytest.raises(NotFoundError, match=f"no removal '{done[0].id}' that could be undone"):
            store.undo(done[0].id)
        assert [store.exists(key) for key in keys] == [True, False, True]
        store.undo()
        with pytest.raises(NotFoundError, match="there is nothing to undo"):
            store.undo()

    def test_none(self, store):
        """Without a grace nothing can be undone, and nothing is returned that could."""
        assert store.remove(create(store, "image")) is None
        with pytest.raises(NotFoundError):
            store.undo()

    @pytest.mark.parametrize("grace", [-1, float("nan"), float("inf"), 1e300])
    def test_refused(self, store, snapshot, grace):
        """A grace that is no time is refused, and nothing changes."""
        key = create(store, "image")
        before = snapshot(store.root)
        with pytest.raises(ValueError, match=r"^grace is .*; it is a number of seconds, from 0 to"):
            store.remove(key, grace=grace)
        assert snapshot(store.root) == before


CLASHING = """
zarrange: 1
fields: {a: {type: str}, b: {type: str}}
containers: {c: {path: c.zarr}}
arrays:
  one: {container: c, path: "{{ a }}"}
  two: {container: c, path: "{{ a }}/{{ b }}"}
files: {note: {path: "notes/{{ a }}"}}
"""
UNPROVED = "zarrange: 1\nfields: {a: {type: str}}\nfiles:\n" + "".join(
    f"  k{number}: {{path: '{{{{ a }}}}'}}\n" for number in range(20)
)


class TestProof:
    """Nothing is removed by a layout in which it may be something else, unless that is accepted with a reason."""

    @pytest.mark.parametrize(
        "more", ["", "rules: {nested-kinds: off, overlapping-kinds: off, ambiguous-template: off}\n"]
    )
    def test_clash(self, root, snapshot, more):
        """A clash refuses every removal, with its counter-example, also where its rule is turned off."""
        store = Store(root, Layout.parse(CLASHING + more))
        key = Key("two", {"a": "x", "b": "y"})
        store.create(key, data=np.ones(3))
        store.create(Key("note", {"a": "x"})).close()
        before = snapshot(root)
        for one in (key, store.identifier("two", a="x", b="y"), Key("note", {"a": "x"})):
            for ask in (store.remove, store.plan_removal):
                with pytest.raises(StoreError, match="has a clash that is neither disproved nor accepted") as caught:
                    ask(one)
                assert not isinstance(caught.value, NotInStoreError)
                assert re.search(r"\n.*`one`.*`two`|\n.*`two`.*`one`", str(caught.value))
                assert "c.zarr/" in str(caught.value)
        assert snapshot(root) == before

    def test_unproved(self, root, snapshot):
        """Where it is not known whether there are clashes, nothing is removed either."""
        store = Store(root, Layout.parse(UNPROVED + "rules: {overlapping-kinds: off}\n"))
        (root / "x").write_text("mine")
        before = snapshot(root)
        with pytest.raises(StoreError, match="the search for clashes was ended early"):
            store.remove(Key("k1", {"a": "x"}))
        assert snapshot(root) == before

    def test_accepted(self, root):
        """A clash that is accepted is no obstacle; what is really in the way still is."""
        allow = "allow: [{rule: nested-kinds, kinds: [one, two], because: They never meet.}]\n"
        store = Store(root, Layout.parse(CLASHING + allow))
        outer, inner = Key("one", {"a": "x"}), Key("two", {"a": "y", "b": "z"})
        store.create(inner, data=np.ones(3))
        store.remove(inner)
        store.create(outer, data=np.ones(3))
        assert store.remove(outer) is None
        assert not store.exists(outer)

    def test_several_readings(self, root, snapshot):
        """A key whose place may be another's is not removed, even if that is accepted; its identifier is."""
        text = "zarrange: 1\nfields: {a: {type: str}, b: {type: str}}\nfiles: {k: {path: '{{ a }}-{{ b }}'}}\n"
        allow = "allow: [{rule: ambiguous-template, kinds: [k], because: Older names are so.}]\n"
        store = Store(root, Layout.parse(text + allow))
        store.create(Key("k", {"a": "x", "b": "y-z"})).close()
        before = snapshot(root)
        with pytest.raises(AmbiguousPathError, match="has several readings"):
            store.remove(Key("k", {"a": "x-y", "b": "z"}))
        assert snapshot(root) == before
        store.remove(store.identifier("k", a="x-y", b="z"))
        assert os.listdir(root) == []


class TestArrayOfNoLayout:
    """What an array is can be told without a layout too, and what is left of one."""

    @pytest.mark.parametrize("zarr_format", [2, 3])
    def test_array(self, root, snapshot, zarr_format):
        """An array goes, and nothing else."""
        zarr.create_array(root / "box/a", data=np.ones(3), zarr_format=zarr_format)
        before = snapshot(root)
        zarr.create_array(root / "box/b", data=np.ones(3), zarr_format=zarr_format)
        plan_array_removal(LocalBackend(str(root)), "box/b", grace=0).apply()
        assert snapshot(root) == before

    def test_what_is_left_of_one(self, root, snapshot):
        """Chunks without metadata go, and come back where there is a grace."""
        (root / "box/a/c").mkdir(parents=True)
        (root / "box/a/c/0").write_text("chunk")
        before = snapshot(root)
        backend = LocalBackend(str(root))
        done = plan_array_removal(backend, "box/a", grace=1000).apply()
        backend.undo(done.id)
        assert snapshot(root) == before
        plan_array_removal(backend, "box/a", grace=0).apply()
        assert os.listdir(root / "box") == []

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("group", r"it is a group, not an array"),
            ("file", r"it is a file, not an array"),
            ("plain", r"'deep/a' inside is another zarr node"),
            ("file/x", r"file' is not a folder"),
            ("link/x", r"link' is a symlink"),
            ("link", r"link' is a symlink"),
            ("array/c", r"array' is an array, and what lies in it is part of it"),
        ],
    )
    def test_refused(self, root, snapshot, path, why):
        """What is no array, or lies where none may, is refused with its path."""
        zarr.create_group(root / "group")
        zarr.create_array(root / "array", data=np.ones(3))
        zarr.create_array(root / "plain/deep/a", data=np.ones(3))
        (root / "file").write_text("mine")
        (root / "link").symlink_to("plain")
        before = snapshot(root)
        with pytest.raises(NotInStoreError, match=rf"^cannot remove '{root}/{path}': .*{why}"):
            plan_array_removal(LocalBackend(str(root)), path, grace=0)
        assert snapshot(root) == before

    @pytest.mark.parametrize("path", ["absent", "absent/x", "array/absent", "group/absent"])
    def test_absent(self, root, snapshot, path):
        """Nothing to remove is a `NotFoundError`, also within an array."""
        zarr.create_group(root / "group")
        zarr.create_array(root / "array", data=np.ones(3))
        before = snapshot(root)
        with pytest.raises(NotFoundError, match=f"nothing is there: '{root}/{path}'"):
            plan_array_removal(LocalBackend(str(root)), path, grace=0)
        assert snapshot(root) == before


class TestUnreadable:
    @pytest.mark.parametrize("closed", ["r", "r/box.zarr/parts/1", "r/box.zarr/parts/1/inner"])
    def test_named(self, shared_folder, layout, as_nobody, snapshot, closed):
        """A folder that may not be entered refuses the whole, and is named."""
        with as_nobody():
            store = Store(shared_folder / "store", layout)
            create(store, "part")
            zarr.create_array(f"{store.root}/r/box.zarr/parts/1/inner", data=np.ones(2))
            before = snapshot(store.root)
            os.chmod(f"{store.root}/{closed}", 0)
            with pytest.raises(PermissionError, match=rf"'{store.root}/{closed}.* cannot be read: permission denied"):
                store.remove(store.identifier("box", run="r"), recursive=True)
            os.chmod(f"{store.root}/{closed}", 0o755)
            assert snapshot(store.root) == before


@pytest.mark.parametrize("kind", ["image", "old_image"])
def test_copies_of_metadata(store, kind):
    """All groups above that keep a copy of the metadata list what is there, when it is removed and when it is back."""
    gone, stays = create(store, kind, volume="a"), create(store, kind, volume="b")
    container = store.identifier(kind, **gone.values).container
    for group in (f"{container}/images", container):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
            zarr.consolidate_metadata(group)

    def listed():
        groups = [zarr.open_consolidated(group, mode="r") for group in (f"{container}/images", container)]
        return [sorted(name for name, _ in group.members(max_depth=None))[-2:] for group in groups]

    assert listed() == [["1/a", "1/b"], ["images/1/a", "images/1/b"]]
    store.remove(gone, grace=1000)
    assert listed() == [["1", "1/b"], ["images/1", "images/1/b"]]
    store.undo()
    assert listed() == [["1/a", "1/b"], ["images/1/a", "images/1/b"]]
    assert store.exists(stays)
    shutil.rmtree(container)


def test_bystanders(store, root, snapshot, tmp_path):
    """After 200 removals, of what is there and of what is not, all else is as it was, byte for byte."""
    rng = random.Random(7)
    outside = tmp_path / "outside"
    (outside / "1").mkdir(parents=True)
    (outside / "1" / "zarr.json").write_text("mine")
    there = [
        create(store, "image", run=run, step=step, volume=volume)
        for run in ("r", "r2", "rr")
        for step in (1, 10, 11)
        for volume in ("a", "a.b", "ab", "raw")
    ]
    box = root / "r/box.zarr/images"
    (box / "1/notes.txt").write_text("mine")
    (box / "1.bak").mkdir()
    (box / "1.bak/a").symlink_to("../1/a")
    (box / "99").symlink_to(outside)
    create(store, "image", run="r3")
    kept = ("r3", "r/box.zarr/images/1/notes.txt", "r/box.zarr/images/1.bak", "r/box.zarr/images/99")
    elsewhere = snapshot(str(outside))
    bystanders = {path: state for path, state in snapshot(store.root).items() if path.startswith(kept)}
    removed = set()

    def is_below(path, folder):
        return path == folder or path.startswith(f"{folder}/")

    def own(found):
        return {path: state for path, state in found.items() if not is_below(path, ".zarrange")}

    def without(found, path):
        """What stays: the groups that held it go with the last in them."""
        for gone in (path, *[*above(path)][:2]):
            if gone == path or {one for one in found if is_below(one, gone)} == {gone, f"{gone}/zarr.json"}:
                found = {one: state for one, state in found.items() if not is_below(one, gone)}
        return found

    for _ in range(200):
        key = rng.choice(
            [
                rng.choice(there),
                Key(
                    "image",
                    VALUES | {"step": rng.choice([1, 99, 100]), "volume": rng.choice(["a", "A", "images", "1"])},
                ),
                ("r/box.zarr", rng.choice(["../../outside/1", "images/99/1", "images/1.bak/a", "images/1/.."])),
            ]
        )
        before = snapshot(store.root)
        try:
            store.remove(key if isinstance(key, Key) else ArrayIdentifier(*key))
        except (OSError, ValueError, ZarrangeError):
            assert own(snapshot(store.root)) == own(before)
            continue
        removed.add(key)
        path = store.layout.render(key.kind, **key.values).path
        after = snapshot(store.root)
        assert own(after) == without(own(before), path)
    assert 25 < len(removed) < len(there)
    found = snapshot(store.root)
    assert {path: state for path, state in found.items() if path.startswith(kept)} == bystanders
    assert len(bystanders) > 8
    assert snapshot(str(outside)) == elsewhere
