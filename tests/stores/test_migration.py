"""Migration: every artifact keeps its key, its bytes and its mode, or nothing changes."""

from __future__ import annotations

import errno
import os
import shutil
import unicodedata
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import zarr

from zarrange import Key, Layout, Store
from zarrange.dacapo import LocalArrayStore
from zarrange.errors import (
    BusyError,
    FieldError,
    IncompleteError,
    RefusedError,
    StoreError,
    UnknownKindError,
)
from zarrange.stores import stamps
from zarrange.stores.doctor import examine
from zarrange.stores.local import LocalBackend, descent
from zarrange.stores.record import read_record

HEAD = """
zarrange: 1
name: {name}
fields:
  run: {{type: str, charset: unicode}}
  a: {{type: int, min: 0}}
  b: {{type: int, min: 0}}
  c: {{type: int, min: 0}}
"""


def made(name, *, box="{{ run }}.zarr", **paths):
    """A layout with the kinds that are given a path: `image`, `old`, `part`, `note`."""
    image, old, part, note = (paths.get(kind) for kind in ("image", "old", "part", "note"))
    lines = [HEAD.format(name=name)]
    if image or part or old:
        lines += ["containers:"]
    if image or part:
        lines += [f'  box: {{path: "{box}", zarr_format: 3}}']
    if old:
        lines += ['  old_box: {path: "old/{{ run }}.zarr", zarr_format: 2}']
    if part:
        lines += ["groups:", f'  part: {{container: box, path: "{part}"}}']
    if image or old:
        lines += ["arrays:"]
    if image:
        lines += [f'  image: {{container: box, path: "{image}"}}']
    if old:
        lines += [f'  old_image: {{container: old_box, path: "{old}"}}']
    if note:
        lines += ["files:", f'  note: {{path: "{note}"}}']
    return Layout.parse("\n".join([*lines, ""]))


ROWS = made("rows", image="i/{{ a }}/{{ b }}", old="i/{{ a }}/{{ b }}", note="notes/{{ run }}/{{ a }}/{{ b }}.txt")
COLUMNS = made(
    "columns", image="i/{{ b }}/{{ a }}", old="i/{{ b }}/{{ a }}", note="notes/{{ run }}/{{ b }}/{{ a }}.txt"
)
TURNED = [made(f"turned{at}", image=path) for at, path in enumerate(
    ("{{ a }}/{{ b }}/{{ c }}", "{{ b }}/{{ c }}/{{ a }}")
)]  # fmt: skip
NOTES = made("notes", note="{{ run }}/{{ a }}.txt")


def put(root, path, content=b"text", mode=None):
    place = Path(root, path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    if mode is not None:
        place.chmod(mode)
    return place


def filled(root, layout, keys, number=0):
    """A store with arrays and files, each with a content of its own; returns it, and what is in it by its key."""
    store = Store.init(root, layout)
    content = {}
    for at, (kind, values) in enumerate(keys):
        key = Key(kind, values)
        if layout.kind(kind).sort == "array":
            data = np.arange(number + at, number + at + 6, dtype="u2")
            store.create(key, data=data, chunks=(2,), attributes={"number": at})
            content[key] = data.tolist()
        elif layout.kind(kind).sort == "file":
            with store.create(key) as file:
                file.write(b"%d" % at)
            content[key] = b"%d" % at
    return store, content


def content_of(store, layout=None):
    """What a store has, by its keys; groups and containers left out."""
    found = {}
    for entry in store.find():
        kind = store.layout.kind(entry.key.kind)
        if kind.sort == "array":
            found[entry.key] = store.open(entry.key)[...].tolist()
        elif kind.sort == "file":
            with store.open(entry.key) as file:
                found[entry.key] = file.read()
    return found


def cells(kind, *pairs, run="r"):
    return [(kind, {"run": run, "a": a, "b": b}) for a, b in pairs]


def is_clean(root):
    """Whether nothing of a transaction is left."""
    return {*os.listdir(Path(root, ".zarrange"))} <= {"layout", "store.json"}


def is_healthy(store):
    return [str(one) for one in examine(store._backend, store.layout)] == []


def below(snapshot):
    """A snapshot without what the store keeps for itself."""
    return {path: one for path, one in snapshot.items() if not path.startswith(".zarrange")}


def refused(store, snapshot, error, match, layout, **options):
    """A plan that is refused, with the store left byte for byte as it was."""
    before = snapshot(store.root)
    with pytest.raises(error, match=match):
        store.plan_migration(layout, **options)
    assert snapshot(store.root) == before


class TestNames:
    """Names that are exchanged."""

    @pytest.mark.parametrize("kind", ["image", "old_image", "note"])
    def test_swap(self, root, snapshot, kind):
        """Two artifacts that exchange their names keep their keys and contents, and do so again on the way back."""
        store, content = filled(root, ROWS, cells(kind, (1, 2), (2, 1), (3, 3)))
        before = snapshot(root)
        plan = store.plan_migration(COLUMNS)
        assert len(plan.steps) == 2
        assert snapshot(root) == before
        plan.apply()
        store = Store(root)
        assert store.layout.name == "columns"
        assert content_of(store) == content
        assert is_clean(root)
        assert is_healthy(store)
        store.plan_migration(ROWS).apply()
        assert below(snapshot(root)) == below(before)

    @pytest.mark.parametrize("there", [3, 2])
    def test_chains_and_cycles(self, root, snapshot, there):
        """Three names in a ring, or in a chain, each come to where the next one was."""
        values = [(1, 2, 3), (2, 3, 1), (3, 1, 2)][:there]
        keys = [("image", {"run": "r", "a": a, "b": b, "c": c}) for a, b, c in values]
        store, content = filled(root, TURNED[0], keys)
        before = snapshot(root)
        plan = store.plan_migration(TURNED[1])
        ends = {step.path: step.target for step in plan.steps}
        assert ends["r.zarr/1/2/3"] == "r.zarr/2/3/1"
        assert ends["r.zarr/2/3/1"] == "r.zarr/3/1/2"
        plan.apply()
        assert content_of(Store(root)) == content
        assert is_healthy(Store(root))
        Store(root).plan_migration(TURNED[0]).apply()
        assert below(snapshot(root)) == below(before)

    def test_containers_swap(self, root, snapshot):
        """Two containers with attributes exchange their names, with all that is in them."""
        text = (
            HEAD + 'containers:\n  one: {{path: "{{{{ run }}}}/{}.zarr"}}\n  two: {{path: "{{{{ run }}}}/{}.zarr"}}\n'
        )
        text += 'arrays:\n  image: {{container: one, path: "x/{{{{ a }}}}"}}\n'
        text += '  other: {{container: two, path: "{{{{ a }}}}"}}\n'
        old, new = Layout.parse(text.format("p", "q", name="old")), Layout.parse(text.format("q", "p", name="new"))
        store = Store.init(root, old)
        for number, kind in enumerate(("one", "two")):
            store.create(Key(kind, {"run": "r"}), attributes={"number": number})
        for number, kind in enumerate(("image", "other")):
            store.create(Key(kind, {"run": "r", "a": 1}), data=np.arange(number, number + 4))
        before, content = snapshot(root), content_of(store)
        store.plan_migration(new).apply()
        store = Store(root)
        assert content_of(store) == content
        assert [store.open(Key(kind, {"run": "r"})).attrs["number"] for kind in ("one", "two")] == [0, 1]
        assert os.path.exists(root / "r" / "q.zarr" / "x" / "1")
        store.plan_migration(old).apply()
        assert below(snapshot(root)) == below(before)

    def test_formats_swap(self, root, snapshot):
        """Containers of formats 2 and 3 that exchange their names have groups of their own format in them."""
        text = HEAD + 'containers:\n  new: {{path: "{}.zarr", zarr_format: 3}}\n'
        text += '  old: {{path: "{}.zarr", zarr_format: 2}}\n'
        text += 'arrays:\n  image: {{container: new, path: "i/{{{{ a }}}}/x"}}\n'
        text += '  other: {{container: old, path: "i/{{{{ a }}}}/x"}}\n'
        one, two = (Layout.parse(text.format(*names, name="layout")) for names in ("pq", "qp"))
        store, content = filled(root, one, [(kind, {"a": a}) for kind in ("image", "other") for a in (1, 2)])
        before = snapshot(root)
        store.plan_migration(two).apply()
        assert content_of(Store(root)) == content
        assert is_healthy(Store(root))
        assert {path.name for path in (root / "p.zarr").rglob("*") if path.name.startswith((".z", "zarr"))} <= {
            *(".zgroup", ".zarray", ".zattrs"),
        }
        assert {path.name for path in (root / "q.zarr").rglob("*") if path.name.startswith((".z", "zarr"))} == {
            "zarr.json"
        }
        names = [name for name, _ in zarr.open_group(root / "q.zarr", mode="r").members(max_depth=None)]
        assert sorted(names) == ["i", "i/1", "i/1/x", "i/2", "i/2/x"]
        Store(root).plan_migration(one).apply()
        assert below(snapshot(root)) == below(before)

    def test_what_was_around_it(self, root, snapshot):
        """An array comes to a folder in which only what moves has been, however deep, and goes back from there."""
        deep, flat = made("deep", image="{{ a }}/x/y/{{ b }}"), made("flat", image="{{ a }}")
        deep = made("deep", image="{{ a }}/x/y", note="n/{{ a }}/x/y")
        flat = made("flat", image="{{ a }}", note="n/{{ a }}")
        store, content = filled(root, deep, [("image", {"run": "r", "a": 1}), ("note", {"a": 1})])
        before = snapshot(root)
        store.plan_migration(flat).apply()
        assert content_of(Store(root)) == content
        assert (root / "n" / "1").is_file()
        Store(root).plan_migration(deep).apply()
        assert below(snapshot(root)) == below(before)

    def test_empty_group_at_a_target(self, root):
        """A group without anything is in no array's way."""
        store, content = filled(root, made("one", image="i/{{ a }}/{{ b }}"), cells("image", (2, 2)))
        zarr.create_group(root / "r.zarr" / "i" / "1")
        new = made("two", image="i/{{ b }}{% if a == 2 %}{% else %}-{{ a }}{% endif %}")
        plan = store.plan_migration(new)
        assert [step.target for step in plan.steps] == ["r.zarr/i/2"]
        plan.apply()
        assert content_of(Store(root)) == content


class TestGroups:
    """What zarr makes on the way to an array."""

    def test_implicit(self, root):
        """Groups that say nothing go where they are left with nothing, and are made where they are missing."""
        store, content = filled(root, ROWS, [*cells("image", (1, 2), (1, 3)), *cells("old_image", (4, 5))])
        store.plan_migration(made("deep", image="p/{{ a }}/{{ b }}", old="p/{{ a }}/{{ b }}")).apply()
        assert content_of(Store(root)) == content
        groups = {str(path.relative_to(root)) for path in root.rglob("*") if path.name in ("zarr.json", ".zgroup")}
        assert groups == {
            *("r.zarr/zarr.json", "r.zarr/p/zarr.json", "r.zarr/p/1/zarr.json"),
            *("r.zarr/p/1/2/zarr.json", "r.zarr/p/1/3/zarr.json"),
            *("old/r.zarr/.zgroup", "old/r.zarr/p/.zgroup", "old/r.zarr/p/4/.zgroup"),
        }
        assert not (root / "r.zarr" / "i").exists()
        assert sorted(name for name, _ in zarr.open_group(root / "r.zarr").members(max_depth=None)) == [
            *("p", "p/1", "p/1/2", "p/1/3"),
        ]

    def test_none_before(self, root, snapshot):
        """In a container without any metadata, no groups are made on the way there, nor are any on the way back."""
        for path in ("r.zarr/i/1/2", "r.zarr/i/2/2"):
            zarr.create_array(root / path, data=np.arange(4))
        before = snapshot(root)
        Store(root, ROWS).plan_migration(made("new", image="i/{{ b }}/{{ a }}", box="{{ run }}/box.zarr")).apply()
        store = Store(root)
        assert {str(path.relative_to(root)) for path in root.rglob("zarr.json")} == {
            *("r/box.zarr/i/2/1/zarr.json", "r/box.zarr/i/2/2/zarr.json"),
        }
        assert not (root / "r.zarr").exists()
        store.plan_migration(ROWS).apply()
        assert below(snapshot(root)) == before

    def test_with_attributes(self, root):
        """A group that says something stays where it is, and is written nowhere else."""
        store, content = filled(root, ROWS, cells("image", (1, 2)))
        zarr.open_group(root / "r.zarr" / "i", mode="r+").attrs["said"] = "something"
        plan = store.plan_migration(made("new", image="j/{{ a }}/{{ b }}"))
        assert [(one.path, one.reason) for one in plan.left] == [
            ("r.zarr/i", "it is a group that no kind has, and it has attributes")
        ]
        plan.apply()
        assert content_of(Store(root)) == content
        assert zarr.open_group(root / "r.zarr" / "i", mode="r").attrs["said"] == "something"
        assert not (root / "r.zarr" / "i" / "1").exists()

    def test_groups_of_a_kind(self, root, snapshot):
        """A group that a kind has moves with its attributes, and what is in it by its own key."""
        old, new = (
            made(name, image=image, part=part)
            for name, image, part in (
                ("old", "parts/{{ a }}/{{ b }}", "parts/{{ a }}"),
                ("new", "images/{{ a }}/{{ b }}", "of/{{ a }}"),
            )
        )
        store, content = filled(root, old, cells("image", (1, 2)))
        part = Key("part", {"run": "r", "a": 1})
        store.open(part, mode="r+").attrs["said"] = "something"
        before = snapshot(root)
        store.plan_migration(new).apply()
        store = Store(root)
        assert content_of(store) == content
        assert store.open(part).attrs["said"] == "something"
        assert not (root / "r.zarr" / "parts").exists()
        assert is_healthy(store)
        store.plan_migration(old).apply()
        after, before = below(snapshot(root)), below(before)
        assert after == before

    @pytest.mark.filterwarnings("ignore:Consolidated metadata")
    @pytest.mark.parametrize("kind", ["image", "old_image"])
    def test_consolidated(self, root, kind):
        """A container's copy of metadata lists nothing that is gone while things move, and all of it after."""
        store, content = filled(root, ROWS, cells(kind, (1, 2), (2, 1), (3, 3), (4, 5)))
        box, zarr_format = ("r.zarr", 3) if kind == "image" else ("old/r.zarr", 2)
        zarr.consolidate_metadata(root / box, zarr_format=zarr_format)
        seen = []

        def note(done, total):
            listed = dict(zarr.open_consolidated(root / box, zarr_format=zarr_format).members(max_depth=None))
            seen.append(sum(isinstance(one, zarr.Array) for one in listed.values()))

        store.plan_migration(COLUMNS).apply(progress=note)
        assert seen[:3] == [1, 1, 1]  # what does not move
        store = Store(root)
        assert content_of(store) == content
        assert is_healthy(store)
        group = zarr.open_consolidated(root / box, zarr_format=zarr_format)
        assert {name for name, one in group.members(max_depth=None) if isinstance(one, zarr.Array)} == {
            *("i/2/1", "i/1/2", "i/3/3", "i/5/4"),
        }

    @pytest.mark.filterwarnings("ignore:Consolidated metadata")
    def test_consolidated_container_moves(self, root, snapshot):
        """A container that moves takes its copy along, which is true at its new place."""
        store, content = filled(root, ROWS, cells("image", (1, 2), (2, 1)))
        zarr.consolidate_metadata(root / "r.zarr")
        before = snapshot(root)
        new = made("new", image="i/{{ b }}/{{ a }}", box="boxes/{{ run }}.zarr")
        store.plan_migration(new).apply()
        store = Store(root)
        assert content_of(store) == content
        assert is_healthy(store)
        assert "i/1/2" in zarr.open_consolidated(root / "boxes" / "r.zarr")
        store.plan_migration(ROWS).apply()
        assert is_healthy(Store(root))
        assert content_of(Store(root)) == content
        assert below(snapshot(root)).keys() == below(before).keys()


class TestModes:
    def test_kept(self, root, snapshot):
        """Folders that are made have the mode of those that they stand for; what moves keeps its own, and its times."""
        store, _ = filled(root, ROWS, [*cells("image", (1, 2), (2, 1)), *cells("note", (1, 2))])
        for folder, _, files in os.walk(root / "r.zarr"):
            for name in files:
                os.chmod(os.path.join(folder, name), 0o640)
            os.chmod(folder, 0o2775)
        for folder in ("notes", "notes/r", "notes/r/1"):
            os.chmod(root / folder, 0o2750)
        (root / "notes/r/1/2.txt").chmod(0o600)
        times = sorted(path.stat().st_mtime_ns for path in root.rglob("c/0"))
        new = made("new", image="j/{{ b }}/{{ a }}", box="boxes/{{ run }}.zarr", note="n/{{ run }}/{{ b }}/{{ a }}.txt")
        before = snapshot(root)
        store.plan_migration(new).apply()
        modes = {str(path.relative_to(root)): path.stat().st_mode & 0o7777 for path in root.rglob("*")}
        inside = {path: mode for path, mode in modes.items() if path.startswith("boxes/r.zarr/")}
        assert {mode for path, mode in inside.items() if (root / path).is_dir()} == {0o2775}
        assert {mode for path, mode in inside.items() if (root / path).is_file()} == {0o640}
        assert modes["boxes/r.zarr"] == 0o2775
        assert [modes[path] for path in ("n", "n/r", "n/r/2")] == [0o2750] * 3
        assert modes["n/r/2/1.txt"] == 0o600
        assert sorted(path.stat().st_mtime_ns for path in root.rglob("c/0")) == times
        Store(root).plan_migration(ROWS).apply()
        assert below(snapshot(root)) == below(before)

    def test_owner(self, root):
        """A superuser who migrates somebody's store leaves the folders and groups that it makes to them."""
        store, _ = filled(root, ROWS, cells("image", (1, 2)))
        owner = (1234, 4321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        for path in [root, *root.rglob("*")]:
            os.chown(path, *owner)
        store.plan_migration(made("new", image="j/{{ b }}/{{ a }}", box="boxes/{{ run }}.zarr")).apply()
        owners = {
            str(path.relative_to(root)): (path.stat().st_uid, path.stat().st_gid)
            for path in (root / "boxes").rglob("*")
        }
        assert owners
        assert {*owners.values()} == {owner}


class TestRefused:
    """Whatever is in the way is told before anything is changed."""

    def test_same_place(self, root, snapshot):
        """Two artifacts of kinds that become one are refused where they would come to one place, and named."""
        kinds = 'files:\n  note: {path: "n/{{ a }}"}\n  text: {path: "t/{{ a }}"}\n'
        old = Layout.parse(HEAD.format(name="old") + kinds)
        new = Layout.parse(HEAD.format(name="new") + 'files:\n  note: {path: "n/{{ a }}.txt", renamed_from: text}\n')
        store, _ = filled(root, old, [("note", {"a": 1}), ("text", {"a": 1}), ("text", {"a": 2})])
        refused(store, snapshot, StoreError, "'n/1' and 't/1' would both come to 'n/1.txt'; nothing was changed", new)
        store.remove(Key("note", {"a": 1}))
        store.plan_migration(new).apply()
        assert content_of(Store(root)) == {Key("note", {"a": 1}): b"1", Key("note", {"a": 2}): b"2"}

    def test_case(self, root, snapshot):
        """Two targets that are one to a file system that tells no case are refused."""
        store, _ = filled(root, NOTES, [("note", {"run": run, "a": 1}) for run in ("Run", "run")])
        new = made("new", note="all/{{ run }}/{{ a }}.txt")
        refused(store, snapshot, StoreError, "one place to some file systems; nothing was changed", new)

    def test_unicode(self, root, snapshot):
        """Two targets that differ in nothing but the form of their letters are refused."""
        store, _ = filled(
            root, NOTES, [("note", {"run": run, "a": 1}) for run in ("\u00c5ngstr\u00f6m", "\u00e5ngstr\u00f6m")]
        )
        new = made("new", note="all/{{ run }}/{{ a }}.txt")
        refused(store, snapshot, StoreError, "one place to some file systems", new)

    def test_composed(self, root):
        """Text in two normal forms that stands quoted in paths is two texts everywhere."""
        text = 'zarrange: 1\nname: {}\nfields:\n  run: {{type: str, charset: text}}\nfiles:\n  note: {{path: "{}"}}\n'
        old = Layout.parse(text.format("quoted", "{{ run | quote }}.txt"))
        new = Layout.parse(text.format("more", "all/{{ run | quote }}.txt"))
        composed = "\u00e9"
        store, content = filled(
            root, old, [("note", {"run": one}) for one in (composed, unicodedata.normalize("NFD", composed))]
        )
        store.plan_migration(new).apply()  # quoted, they differ for everybody
        assert content_of(Store(root)) == content

    @pytest.mark.parametrize("kind", ["array", "file", "folder", "symlink", "group"])
    def test_target_exists(self, root, snapshot, kind):
        """Where something is already, be it no artifact at all, nothing comes."""
        store, _ = filled(
            root,
            made("one", image="i/{{ a }}", note="n/{{ a }}"),
            [("image", {"run": "r", "a": 1}), ("note", {"a": 1})],
        )
        new = made("two", image="j/{{ a }}", note="m/{{ a }}")
        for place in (root / "r.zarr" / "j" / "1", root / "m" / "1"):
            if kind == "array":
                zarr.create_array(place, data=np.arange(3))
            elif kind == "group":
                zarr.create_group(place, attributes={"said": 1})
            elif kind == "symlink":
                place.parent.mkdir(parents=True)
                place.symlink_to("/nowhere")
            else:
                put(root, place / "in" if kind == "folder" else place)
        force = kind == "symlink"
        refused(
            store,
            snapshot,
            StoreError,
            "'m/1', where something is already; .*'r.zarr/j/1', where something is already",
            new,
            force=force,
        )

    @pytest.mark.parametrize("kind", ["array", "file", "symlink"])
    def test_inside(self, root, snapshot, kind):
        """Nothing comes to lie in an array, behind a file or behind a symlink that stays."""
        store, _ = filled(root, made("one", note="n/{{ a }}"), [("note", {"a": 1})])
        place = root / "m" / "in"
        if kind == "array":
            zarr.create_array(place, data=np.arange(3))
        elif kind == "file":
            put(root, place)
        else:
            place.parent.mkdir()
            place.symlink_to("/tmp")
        refused(
            store,
            snapshot,
            StoreError,
            "but 'm/in' is (an array|a file, or a symlink)",
            made("two", note="m/in/{{ a }}"),
            force=True,
        )

    def test_inside_of_what_moves(self, root, snapshot):
        """Nothing comes to lie in an array that comes there too."""
        text = HEAD + 'containers:\n  box: {{path: "{{{{ run }}}}.zarr"}}\narrays:\n'
        text += '  image: {{container: box, path: "{}"}}\n  other: {{container: box, path: "{}"}}\n'
        text += "allow:\n  - {{rule: nested-kinds, kinds: [image, other], because: A test.}}\n"
        old = Layout.parse((text.rpartition("allow:")[0]).format("i/{{ a }}", "o/{{ a }}", name="old"))
        new = Layout.parse(text.format("j/{{ a }}", "j/{{ a }}/o", name="new"))
        store, _ = filled(root, old, [("image", {"run": "r", "a": 1}), ("other", {"run": "r", "a": 1})])
        refused(store, snapshot, StoreError, "'r.zarr/o/1' would come to 'r.zarr/j/1/o', inside of 'r.zarr/i/1'", new)

    def test_too_long(self, root, snapshot):
        """A name that no file system takes is refused; one just below is not."""
        limit = 255 - len(".txt")
        old = Layout.parse(HEAD.format(name="old") + 'files:\n  note: {path: "{{ run }}/{{ a }}"}\n')
        new = Layout.parse(HEAD.format(name="new") + 'files:\n  note: {path: "{{ a }}/{{ run }}.txt"}\n')
        store, content = filled(root, old, [("note", {"run": "x" * (limit + 1), "a": 1})])
        refused(store, snapshot, FieldError, "more than the 255 of a file name", new)
        store, content = filled(root / "other", old, [("note", {"run": "x" * limit, "a": 1})])
        store.plan_migration(new).apply()
        assert content_of(Store(root / "other")) == content

    @pytest.mark.parametrize(("spare", "is_fine"), [(0, False), (4, False), (10, False), (11, True)])
    def test_too_long_a_path(self, root, snapshot, spare, is_fine):
        """A path by which an array's chunks could not be reached any more is refused; one just below is not."""
        text = (
            'zarrange: 1\nname: {}\nfields:\n  run: {{type: str}}\ncontainers:\n  box: {{path: "{{{{ run }}}}.zarr"}}\n'
        )
        text += 'arrays:\n  image: {{container: box, path: "{}"}}\n'
        length = 4096 - len(f"{root}/r.zarr/") - spare
        deep = "/".join(["d" * 100] * ((length - 101) // 101))
        deep += "/" + "e" * (length - len(deep) - 1)
        store = Store.init(root, Layout.parse(text.format("short", "x")))
        array = zarr.create_array(root / "r.zarr" / "x", shape=(100_000, 7), dtype="u1", chunks=(1, 7))
        array[99_999] = 3
        new = Layout.parse(text.format("long", deep))
        if not is_fine:
            refused(store, snapshot, StoreError, "of more than 4,096 bytes; nothing was changed", new)
            return
        store.plan_migration(new).apply()
        inside = f"{root}/r.zarr/{deep}/c/99999/0"
        assert len(inside) == 4095
        assert os.path.exists(inside)

    def test_unreadable(self, root, snapshot):
        """What cannot be read keeps a store from moving; forced, it stays where it is, and the rest moves."""
        store, content = filled(root, ROWS, cells("image", (1, 2), (3, 4)))
        damaged = put(root, "r.zarr/i/3/4/zarr.json", b"{")
        refused(store, snapshot, IncompleteError, "r.zarr/i/3/4", COLUMNS)
        plan = store.plan_migration(COLUMNS, force=True)
        assert [one.path for one in plan.left] == ["r.zarr/i/3/4"]
        plan.apply()
        key, *_ = content
        assert Store(root).open(key)[...].tolist() == content[key]
        assert damaged.read_bytes() == b"{"
        assert (root / "r.zarr/i/3/4/c/0").exists()

    def test_unfinished(self, root, snapshot):
        """An array that somebody is writing, by its seal, keeps a store from moving, unless it is forced."""
        for kind in ("image", "old_image"):
            store = Store.init(root / kind, ROWS)
            key = Key(kind, {"run": "r", "a": 1, "b": 2})
            store.create(key, shape=(4,), dtype="u1", seal=True)
            refused(store, snapshot, RefusedError, "is not finished", COLUMNS)
            with store.writing(key) as array:
                array[...] = 7
            store.plan_migration(COLUMNS).apply()
            store = Store(root / kind)
            assert store.open(key)[...].tolist() == [7] * 4
            with pytest.raises(OSError, match="gave up"), store.writing(key):
                raise OSError("gave up")
            refused(store, snapshot, RefusedError, "is not finished", ROWS)
            store.plan_migration(ROWS, force=True).apply()
            assert Store(root / kind).exists(key)

    def test_in_the_trash(self, root, snapshot):
        """What was removed could come back to the old layout, so that it is to be purged or put back first."""
        store, content = filled(root, ROWS, cells("image", (1, 2), (3, 4)))
        store.remove(Key("image", {"run": "r", "a": 3, "b": 4}), grace=60)
        refused(store, snapshot, BusyError, "can be undone until", COLUMNS)
        store.undo()
        store.plan_migration(COLUMNS).apply()
        assert content_of(Store(root)) == content

    def test_clash(self, root, snapshot):
        """A layout with a clash that nobody has accepted moves nothing, be it the old or the new one."""
        store, _ = filled(root, NOTES, [("note", {"run": "r", "a": 1})])
        bad = Layout.parse(
            HEAD.format(name="bad")
            + 'files:\n  note: {path: "{{ run }}/{{ a }}.txt"}\n  other: {path: "{{ run }}/1.txt"}\n'
        )
        refused(store, snapshot, StoreError, "clash", bad)

    def test_kinds(self, root, snapshot):
        """An artifact of a kind that the new layout does not have is told; without any, the kind is not missed."""
        store, _ = filled(root, ROWS, cells("image", (1, 2)))
        new = made("new", note="n/{{ run }}/{{ a }}/{{ b }}")
        refused(store, snapshot, (UnknownKindError, FieldError), "no kind `(box|image)`", new)
        empty = Store.init(root / "empty", ROWS)
        empty.plan_migration(new).apply()
        assert Store(root / "empty").layout.name == "new"

    def test_format(self, root, snapshot):
        """What has one zarr format does not come to where the new layout says the other one."""
        store, _ = filled(root, made("one", image="{{ a }}"), [("image", {"run": "r", "a": 1})])
        text = HEAD.format(name="two") + 'containers:\n  box: {path: "{{ run }}.zarr", zarr_format: 2}\n'
        new = Layout.parse(text + 'arrays:\n  image: {container: box, path: "{{ a }}"}\n')
        refused(store, snapshot, StoreError, "is of zarr format 3, and `(box|image)` is of format 2 in `two`", new)


@pytest.fixture
def rest(monkeypatch):
    """Let a store rest, so that the times of its folders can be relied on."""

    def rest():
        monkeypatch.setattr(stamps, "TICK", 0.0)
        sleep(0.05)

    return rest


class TestChanged:
    """A store that is not as it was when the plan was made."""

    @pytest.mark.parametrize("is_rested", [False, True], ids=["fresh", "rested"])
    @pytest.mark.parametrize(
        "change",
        [
            lambda store: store.create(Key("image", {"run": "r", "a": 5, "b": 6}), data=np.arange(3)),
            lambda store: store.remove(Key("image", {"run": "r", "a": 1, "b": 2})),
            lambda store: store.open(Key("image", {"run": "r", "a": 1, "b": 2}), mode="r+").attrs.update(new=1),
            lambda store: put(store.root, "notes/r/2/1.txt"),
            lambda store: put(store.root, "notes/r/1/2.txt", b"another"),
            lambda store: put(store.root, "r.zarr/i/2/1/stray"),
            lambda store: store.plan_migration(COLUMNS).apply(),
        ],
        ids=["made", "removed", "attributes", "target", "file", "stray", "migrated"],
    )
    def test_refused(self, root, snapshot, change, is_rested, rest):
        """A plan is not applied to a store that has changed since, and nothing of it is done."""
        store, _ = filled(root, ROWS, [*cells("image", (1, 2)), *cells("note", (1, 2))])
        if is_rested:
            rest()
        plan = store.plan_migration(COLUMNS)
        change(store)
        before = snapshot(root)
        with pytest.raises(StoreError, match=r"plan again|where something is already; nothing was changed"):
            plan.apply()
        assert snapshot(root) == before

    @pytest.mark.parametrize("is_rested", [False, True], ids=["fresh", "rested"])
    def test_looked_at_again(self, root, monkeypatch, is_rested, rest):
        """What nobody has touched for a while is not looked at again."""
        store, content = filled(root, ROWS, [*cells("image", (1, 2), (2, 1)), *cells("note", (1, 2))])
        looked = []
        look = LocalBackend.look
        if is_rested:
            rest()
        plan = store.plan_migration(COLUMNS)
        monkeypatch.setattr(LocalBackend, "look", lambda *given: looked.append(given[1]) or look(*given))
        plan.apply()
        assert ("r.zarr/i/1/2" in looked) is not is_rested
        assert content_of(Store(root)) == content

    def test_replaced_under_way(self, root, rest):
        """An array that is replaced when others are being moved already stays, and the others go back."""
        store, content = filled(root, ROWS, cells("image", (1, 2), (2, 1)))
        rest()
        plan = store.plan_migration(COLUMNS)
        last = root / plan.steps[-1].path

        def replace(done, _):
            if done == 1:
                shutil.copytree(last, root / "copy")
                last.rename(root / "old")
                (root / "copy").rename(last)
                (last / "new").write_bytes(b"")

        with pytest.raises(StoreError, match=rf"'{last}' was replaced while it was being taken away; it is as it was"):
            plan.apply(progress=replace)
        assert (last / "new").exists()
        shutil.rmtree(last)
        (root / "old").rename(last)
        assert content_of(store) == content
        assert is_clean(root)

    def test_twice(self, root, snapshot):
        """A plan is applied once."""
        store, _ = filled(root, ROWS, cells("image", (1, 2), (2, 1)))
        plan = store.plan_migration(COLUMNS)
        plan.apply()
        before = snapshot(root)
        with pytest.raises(StoreError, match="plan again"):
            plan.apply()
        assert snapshot(root) == before

    def test_old_store(self, root, snapshot):
        """A `Store` that was opened before says that the layout has changed, whatever it is asked to change."""
        store, _ = filled(root, ROWS, [*cells("image", (1, 2)), *cells("note", (1, 2))])
        old = Store(root)
        store.plan_migration(COLUMNS).apply()
        before = snapshot(root)
        key, plan = Key("image", {"run": "r", "a": 7, "b": 7}), Key("note", {"run": "r", "a": 1, "b": 2})
        for act in (
            lambda: old.create(key, data=np.arange(3)),
            lambda: old.remove(plan),
            lambda: old.plan_prune("note", keep_last=1, by="a"),
            lambda: old.plan_migration(COLUMNS),
            lambda: old.plan_copy(Store.init(root / "into", ROWS)),
            old.undo,
        ):
            with pytest.raises(StoreError, match=r"since this store was opened, its layout has changed.*open it again"):
                act()
        shutil.rmtree(root / "into")
        assert snapshot(root) == before

    def test_record(self, root):
        """The new layout is what the store says of itself, also if it said nothing before."""
        filled(root, ROWS, cells("image", (1, 2)))
        shutil.rmtree(root / ".zarrange")
        Store(root, ROWS).plan_migration(COLUMNS).apply()
        assert Store(root).layout.texts == COLUMNS.texts
        assert read_record(Store(root)._backend) is not None
        with pytest.raises(StoreError, match=r"disagree|another layout|recorded"):
            Store(root, ROWS)

    def test_empty(self, root, snapshot):
        """A store with nothing in it, or nothing that moves, gets the new layout all the same."""
        Store.init(root, ROWS).plan_migration(COLUMNS).apply()
        store = Store(root)
        assert store.layout.name == "columns"
        assert is_clean(root)
        store.create(Key("image", {"run": "r", "a": 1, "b": 1}), data=np.arange(3))
        plan = store.plan_migration(ROWS)
        assert plan.steps == ()
        plan.apply()
        assert Store(root).layout.name == "rows"
        before = snapshot(root)
        assert Store(root).plan_migration(ROWS).apply() is None
        assert snapshot(root) == before
        assert Store(root / "nowhere", ROWS).plan_migration(COLUMNS).apply() is None


class TestFields:
    """Fields and kinds that are called otherwise, or are no more."""

    def test_dropped(self, root, snapshot):
        """A field that is dropped asks for the value that all have; with it, the path has it no more."""
        store, content = filled(root, ROWS, cells("note", (1, 2), (3, 2)))
        new = Layout.parse(HEAD.format(name="new") + 'files:\n  note: {path: "n/{{ run }}/{{ a }}"}\n')
        refused(store, snapshot, FieldError, "`b` has no place in `note`", new)
        store.plan_migration(new, fixed={"b": 2}).apply()
        found = content_of(Store(root))
        assert {(key["run"], key["a"]): one for key, one in found.items()} == {
            (key["run"], key["a"]): one for key, one in content.items()
        }
        Store(root).plan_migration(ROWS, fixed={"b": 2}).apply()
        assert content_of(Store(root)) == content

    def test_renamed(self, root, snapshot):
        """Fields and kinds follow their new names, and go back by them."""
        store, content = filled(root, ROWS, [*cells("image", (1, 2), (2, 1)), *cells("note", (1, 2))])
        before = snapshot(root)
        new = Layout.parse(
            """
            zarrange: 1
            name: new
            fields:
              run: {type: str, charset: unicode}
              b: {type: int, min: 0, renamed_from: a}
              a: {type: int, min: 0, renamed_from: b}
            containers:
              crate: {path: "{{ run }}.zarr", zarr_format: 3, renamed_from: box}
            arrays:
              picture: {container: crate, path: "i/{{ a }}/{{ b }}", renamed_from: image}
            files:
              text: {path: "notes/{{ run }}/{{ a }}/{{ b }}.txt", renamed_from: note}
            """.replace("\n            ", "\n")
        )
        plan = store.plan_migration(new)
        assert {(step.path, step.target) for step in plan.steps if step.sort == "array"} == {
            ("r.zarr/i/1/2", "r.zarr/i/2/1"),
            ("r.zarr/i/2/1", "r.zarr/i/1/2"),
        }
        plan.apply()
        names = {"picture": "image", "text": "note"}
        found = {
            Key(names[key.kind], {"run": key["run"], "a": key["b"], "b": key["a"]}): one
            for key, one in content_of(Store(root)).items()
        }
        assert found == content
        Store(root).plan_migration(ROWS).apply()
        assert below(snapshot(root)) == below(before)


class TestLeft:
    """What stays where it is, and why."""

    def test_unmatched(self, root):
        """What no kind has stays, byte for byte, and is listed; the folders that it is in stay with it."""
        store, content = filled(root, ROWS, cells("image", (1, 2)))
        strange = [put(root, path) for path in ("readme.txt", "r.zarr/i/1/notes.md", "x/y/z")]
        zarr.create_array(root / "r.zarr" / "extra", data=np.arange(3))
        plan = store.plan_migration(COLUMNS)
        assert [one.path for one in plan.left] == ["r.zarr/extra", "r.zarr/i/1/notes.md", "readme.txt", "x"]
        assert all("no kind of `rows` has this path" in one.reason for one in plan.left)
        plan.apply()
        assert [one.read_bytes() for one in strange] == [b"text"] * 3
        assert zarr.open_array(root / "r.zarr" / "extra", mode="r")[...].tolist() == [0, 1, 2]
        assert content_of(Store(root)) == content

    AMBIGUOUS = """
    zarrange: 1
    name: {name}
    fields:
      x: {{type: path}}
      y: {{type: path}}
    files:
      one: {{path: "{}"}}
      two: {{path: "{}"}}
    allow:
      - {{rule: overlapping-kinds, kinds: [one, two], because: A test.}}
      - {{rule: ambiguous-template, kinds: [one], because: A test.}}
      - {{rule: ambiguous-template, kinds: [two], because: A test.}}
      - {{rule: nested-kinds, kinds: [one], because: A test.}}
      - {{rule: nested-kinds, kinds: [two], because: A test.}}
      - {{rule: nested-kinds, kinds: [one, two], because: A test.}}
    """.replace("\n    ", "\n")

    @pytest.fixture
    def ambiguous(self, root):
        """A store of files, one of which may be several artifacts; and the layout that it is to have."""
        text = self.AMBIGUOUS
        old = Layout.parse(text.format("f/{{ x }}/{{ y }}", "{{ x }}/g/{{ y }}", name="old"))
        new = "zarrange: 1\nname: new\nfields:\n  x: {type: str, charset: text}\n  y: {type: str, charset: text}\n"
        new += 'files:\n  one: {path: "one/{{ x | quote }}/{{ y | quote }}"}\n'
        new += '  two: {path: "two/{{ x | quote }}/{{ y | quote }}"}\n'
        for path in ("f/a/b", "f/g/c", "f/a/b2/c", "h/g/i"):
            put(root, path, path.encode())
        return Store.init(root, old), Layout.parse(new)

    def test_ambiguous(self, root, ambiguous):
        """What may be several artifacts stays, with its readings, and the rest moves."""
        store, new = ambiguous
        plan = store.plan_migration(new)
        assert {step.path: step.target for step in plan.steps} == {"f/a/b": "one/a/b", "h/g/i": "two/h/i"}
        assert {one.path: len(one.keys) for one in plan.left} == {"f/g/c": 2, "f/a/b2/c": 2}
        assert "it may be any of 2 artifacts" in {one.reason for one in plan.left}
        plan.apply()
        assert (root / "f/g/c").read_bytes() == b"f/g/c"
        assert (root / "one/a/b").read_bytes() == b"f/a/b"

    def test_prefer(self, root, ambiguous):
        """The only reading of the first kind that has one is taken; where it has several, it stays."""
        store, new = ambiguous
        plan = store.plan_migration(new, prefer=["two", "one"])
        assert {step.path: step.target for step in plan.steps} == {
            "f/a/b": "one/a/b",
            "f/g/c": "two/f/c",
            "h/g/i": "two/h/i",
        }
        assert [one.path for one in plan.left] == ["f/a/b2/c"]
        plan.apply()
        assert (root / "two/f/c").read_bytes() == b"f/g/c"

    def test_chosen(self, root, ambiguous, snapshot):
        """What is chosen by its path moves as that; a key that it cannot have, or another path, is refused."""
        store, new = ambiguous
        key = Key("one", {"x": "a/b2", "y": "c"})
        plan = store.plan_migration(new, chosen={"f/a/b2/c": key}, prefer=["one"])
        assert {step.target for step in plan.steps} == {"one/a/b", "two/h/i", "one/g/c", "one/a%2Fb2/c"}
        refused(store, snapshot, StoreError, "cannot be", new, chosen={"f/a/b2/c": Key("one", {"x": "q", "y": "c"})})
        refused(store, snapshot, StoreError, "nothing is at 'f/none'", new, chosen={"f/none": key})
        plan.apply()
        assert content_of(Store(root))[key] == b"f/a/b2/c"


RUN = "a b [x]"
PREFER = ("validation_output", "validation_prediction", "validation_raw", "validation_gt")


@pytest.fixture
def dacapo(root):
    """A store as DaCapo itself has filled it: containers without any metadata, in both formats; and what is in it."""
    places = LocalArrayStore(root)
    raw, gt = places.validation_input_arrays(RUN, "ds/crop1")
    found = {
        Key("validation_raw", {"run": RUN, "index": "ds/crop1"}): raw,
        Key("validation_gt", {"run": RUN, "index": "ds/crop1"}): gt,
    }
    for iteration in (0, 1000):
        for dataset in ("ds/crop1", "ds_2"):
            key = {"run": RUN, "iteration": iteration, "dataset": dataset}
            found[Key("validation_prediction", key)] = places.validation_prediction_array(RUN, iteration, dataset)
            parameters = "WatershedPostProcessorParameters(id=0, bias=0.1, context=(32, 32, 32))"
            output = places.validation_output_array(RUN, iteration, parameters, dataset)
            found[Key("validation_output", {**key, "parameters": parameters})] = output
    for criterion in ("ecs/mem__dice", "voi"):
        found[Key("best_validation", {"run": RUN, "criterion": criterion})] = places.best_validation_array(
            RUN, criterion
        )
    snapshots = places.snapshot_container(RUN)
    found[Key("snapshot_array", {"run": RUN, "volume": "volumes/raw"})] = snapshots.array_identifier("volumes/raw")
    for number, one in enumerate(found.values()):
        data = np.random.default_rng(number).integers(0, 9, (8, 8), dtype="u1")
        zarr.create_array(f"{one.container}/{one.dataset}", data=data, chunks=(4, 4), zarr_format=2 + number % 2)
        os.chmod(f"{one.container}/{one.dataset}", 0o2775)
    return places, found


class TestDaCapo:
    """A real store of DaCapo's, and back."""

    def chosen(self, root, found):
        """The key of each array by its path, for nearly all of them may be several artifacts."""
        return {f"{one.container}/{one.dataset}".removeprefix(f"{root}/"): key for key, one in found.items()}

    def test_there_and_back(self, root, dacapo, snapshot):
        """A store of DaCapo's comes to `training` by its keys, and back with every path, byte and mode."""
        _, found = dacapo
        before = snapshot(root)
        store = Store(root, "dacapo")
        chosen = self.chosen(root, found)
        ambiguous = {one.path for one in store.plan_migration("training").left}
        plan = store.plan_migration("training", chosen={path: key for path, key in chosen.items() if path in ambiguous})
        assert plan.left == ()
        assert len(plan.steps) == len(found)
        plan.apply()
        there = Store(root)
        assert there.layout.name == "training"
        assert {entry.key for entry in there.find() if entry.node == "array"} == found.keys()
        for number, key in enumerate(found):
            data = np.random.default_rng(number).integers(0, 9, (8, 8), dtype="u1")
            assert (there.open(key)[...] == data).all()
        assert {path.name for path in root.rglob("*") if path.name == ".zgroup"} == set()
        back = there.plan_migration("dacapo")
        assert back.left == ()
        back.apply()
        assert below(snapshot(root)) == before
        assert Store(root).layout.name == "dacapo"

    @pytest.mark.usefixtures("dacapo")
    def test_preferred_kinds(self, root):
        """Kinds that are preferred settle what the names alone do not; the rest is told."""
        store = Store(root, "dacapo")
        plan = store.plan_migration("training", prefer=PREFER)
        moved = {step.key for step in plan.steps}
        assert {Key("best_validation", {"run": RUN, "criterion": "voi"})} <= moved
        assert {one.path for one in plan.left} <= {f"{RUN}/validation.zarr/ecs/mem__dice"}
        assert all(len(one.keys) > 1 for one in plan.left)

    @pytest.mark.usefixtures("dacapo")
    def test_what_does_not_fit(self, root, snapshot):
        """A name that the new layout does not take is told before anything is touched."""
        refused(Store(root, "dacapo"), snapshot, FieldError, "run", "hive", prefer=PREFER)

    def test_hive(self, root, snapshot):
        """With portable names, a store goes from `dacapo` over `training` and `hive` back to where it was."""
        places = LocalArrayStore(root)
        for number, one in enumerate(
            (
                places.validation_prediction_array("r1", 1000, "crop1"),
                places.validation_output_array("r1", 1000, "t=0.5", "crop1"),
                *places.validation_input_arrays("r1", "crop1"),
                *places.validation_input_arrays("r1"),
                places.best_validation_array("r1", "fg__dice"),
                places.snapshot_container("r1").array_identifier("raw"),
            )
        ):
            zarr.create_array(f"{one.container}/{one.dataset}", data=np.arange(number, number + 3))
        before = snapshot(root)
        plan = Store(root, "dacapo").plan_migration("training", prefer=PREFER)
        assert plan.left == ()
        plan.apply()
        keys = {entry.key for entry in Store(root).find()}
        for name in ("hive", "training", "hive", "dacapo"):
            Store(root).plan_migration(name).apply()
            if name != "dacapo":
                assert {entry.key for entry in Store(root).find()} == keys
        assert below(snapshot(root)) == before


class TestMany:
    def test_thousand(self, root):
        """A thousand arrays move, and are all there."""
        old, new = made("old", image="i/{{ a }}/{{ b }}"), made("new", image="j/{{ b }}/{{ a }}")
        first = root / "r.zarr" / "i" / "0" / "0"
        zarr.create_array(first, data=np.arange(2, dtype="u1"), chunks=(2,))
        for at in range(1, 1000):
            place = root / "r.zarr" / "i" / str(at // 40) / str(at % 40)
            shutil.copytree(first, place)
            (place / "c" / "0").write_bytes(b"%4d" % at)
        plan = Store(root, old).plan_migration(new)
        assert len(plan.steps) == 1000
        assert len(str(plan).splitlines()) < 30
        told = []
        plan.apply(progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (1000, 1000)
        for at in range(1, 1000):
            assert (root / "r.zarr" / "j" / str(at % 40) / str(at // 40) / "c" / "0").read_bytes() == b"%4d" % at
        assert not (root / "r.zarr" / "i").exists()
        assert is_clean(root)


# --- file systems that are not one -----------------------------------------------------------------------------------


@pytest.fixture
def two_disks(root, monkeypatch):
    """What makes a folder of the store another file system, by its errors: nothing is renamed in or out of it."""
    real = descent._rename
    inside = []

    def rename(source, name, target, to):
        ends = [os.readlink(f"/proc/self/fd/{folder}") for folder in (source, target)]
        one, other = (any(f"{end}/".startswith(f"{place}/") for place in inside) for end in ends)
        if one != other:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
        real(source, name, target, to)

    monkeypatch.setattr(descent, "_rename", rename)
    return inside


class TestAcross:
    """A store on several file systems: what cannot be renamed is copied and checked, then the other goes."""

    OLD = made("old", image="{{ a }}", box="here/{{ run }}.zarr", note="here/notes/{{ run }}/{{ a }}")
    NEW = made("new", image="{{ a }}", box="there/{{ run }}.zarr", note="there/notes/{{ run }}/{{ a }}")

    @pytest.fixture
    def store(self, root, two_disks):
        store, content = filled(
            root, self.OLD, [(kind, {"run": "r", "a": a}) for a in range(3) for kind in ("image", "note")]
        )
        (root / "there").mkdir()
        (root / "here" / "r.zarr" / "1").chmod(0o2770)
        two_disks.append(str(root / "there"))
        return store, content

    def test_there_and_back(self, root, store, snapshot):
        """Everything comes to another file system and back, with its bytes and modes."""
        store, content = store
        before = snapshot(root)
        store.plan_migration(self.NEW).apply()
        assert content_of(Store(root)) == content
        assert is_clean(root)
        assert not any(".zarrange-" in path for path in snapshot(root))
        assert (root / "there" / "r.zarr" / "1").stat().st_mode & 0o7777 == 0o2770
        Store(root).plan_migration(self.OLD).apply()
        after = below(snapshot(root))
        after.pop("there", None)
        before.pop("there")
        assert after == below(before)

    def test_too_little_room(self, root, store, snapshot, monkeypatch):
        """Where less is free than would be copied, the plan is refused, and says how much there is of each."""
        store, _ = store
        before = snapshot(root)
        real = LocalBackend.room
        monkeypatch.setattr(LocalBackend, "room", lambda one, path: (7, 10) if path[:5] == "there" else real(one, path))
        with pytest.raises(StoreError, match=r"there are [\d.]+ \w+ to copy, and 10 B are free where they would come"):
            store.plan_migration(self.NEW)
        assert snapshot(root) == before
        monkeypatch.setattr(LocalBackend, "room", lambda *_: (7, 0))  # one file system: nothing is copied
        assert store.plan_migration(self.NEW).steps

    @pytest.mark.parametrize("calls", [0, 2, 5])
    def test_full(self, root, store, snapshot, monkeypatch, calls):
        """Where the other file system is full, everything is as it was."""
        from zarrange.stores.local import aside

        store, content = store
        before = snapshot(root)
        real, left = aside.copy_in, [calls]

        def copy_in(*arguments, **options):
            if not left[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left[0] -= 1
            return real(*arguments, **options)

        monkeypatch.setattr(aside, "copy_in", copy_in)
        with pytest.raises(OSError, match="No space left"):
            store.plan_migration(self.NEW).apply()
        after = snapshot(root)
        before.pop("there")
        after.pop("there", None)
        assert after == before
        monkeypatch.setattr(aside, "copy_in", real)
        store.plan_migration(self.NEW).apply()
        assert content_of(Store(root)) == content


class TestRemote:
    """The same in an object store."""

    def test_there_and_back(self):
        """Arrays of both formats, files and groups exchange their names in an object store, and go back."""
        keys = [*cells("image", (1, 2), (2, 1), (3, 4)), *cells("old_image", (1, 2), (2, 1))]
        store, content = filled("memory://migration/in", ROWS, [*keys, *cells("note", (1, 2), (2, 1))])
        objects = store._backend._objects
        before = {key: objects.content(key) for key in objects.keys("") if not key.startswith(".zarrange")}
        store.plan_migration(COLUMNS).apply()
        store = Store("memory://migration/in")
        assert store.layout.name == "columns"
        assert content_of(store) == content
        store.plan_migration(ROWS).apply()
        after = {key: objects.content(key) for key in objects.keys("")}
        assert {key: one for key, one in after.items() if not key.startswith(".zarrange")} == before
        assert not any(key.startswith((".zarrange/tx", ".zarrange/stage")) for key in after)

    def test_taken(self):
        """What is in the way in an object store is told, and nothing is changed."""
        store, _ = filled("memory://migration-taken/in", ROWS, cells("note", (1, 2)))
        store._backend.write("notes/r/2/1.txt/more", b"")
        objects = store._backend._objects
        before = {key: objects.content(key) for key in objects.keys("")}
        with pytest.raises(StoreError, match="where something is already"):
            store.plan_migration(COLUMNS)
        assert {key: objects.content(key) for key in objects.keys("")} == before
