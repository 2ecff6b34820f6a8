"""All operations on a store, in any order, against a plain dictionary of what is to be in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from itertools import count, product
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from zarrange import Key, Layout, Store
from zarrange.errors import AlreadyExistsError, BusyError, NotFoundError, NotInStoreError, RefusedError, StoreError
from zarrange.stores.doctor import examine
from zarrange.stores.local import LocalBackend
from zarrange.stores.paths import above

FIELDS = """
zarrange: 1
name: {name}
fields:
  run: {{type: str, pattern: "[a-c]"}}
  {x}: {{type: int, min: 0, max: 9{renamed_x}}}
  y: {{type: int, min: 0, max: 9}}
"""
PLACES = {
    "rows": {
        "box": "{{ run }}/one.zarr",
        "old": "{{ run }}/two.zarr",
        "image": "images/{{ x }}/{{ y }}",
        "old_image": "images/{{ x }}/{{ y }}",
        "part": "parts/{{ y }}",
        "inner": "parts/{{ y }}/inner",
        "note": "notes/{{ run }}/{{ x }}/{{ y }}",
    },
    # The same names in another order: what moves comes to where something else was.
    "columns": {
        "box": "{{ run }}/two.zarr",
        "old": "{{ run }}/one.zarr",
        "image": "images/{{ y }}/{{ x }}",
        "old_image": "images/{{ y }}/{{ x }}",
        "part": "parts/{{ y }}",
        "inner": "parts/{{ y }}/inner",
        "note": "notes/{{ run }}/{{ y }}/{{ x }}",
    },
    # Other names, other depths, and what was a folder is a file.
    "flat": {
        "box": "boxes/{{ run }}.zarr",
        "old": "{{ run }}/one.zarr",
        "picture": "{{ column }}.{{ y }}",
        "old_image": "{{ y }}/images-{{ column }}",
        "part": "p{{ y }}",
        "inner": "p{{ y }}/inside/inner",
        "note": "notes/{{ column }}-{{ y }}-{{ run }}",
    },
}
NAMES = {"picture": "image", "column": "x"}
"""What the names of the layout `flat` are in the others."""


def made_layout(name):
    places = PLACES[name]
    image = next(one for one in ("image", "picture") if one in places)
    x = "column" if image == "picture" else "x"
    lines = [FIELDS.format(name=name, x=x, renamed_x=", renamed_from: x" if x != "x" else "")]
    lines += ["containers:", f'  box: {{path: "{places["box"]}"}}']
    lines += [f'  old: {{path: "{places["old"]}", zarr_format: 2}}']
    lines += ["groups:", f'  part: {{container: box, path: "{places["part"]}"}}', "arrays:"]
    renamed = ", renamed_from: image" if image != "image" else ""
    lines += [f'  {image}: {{container: box, path: "{places[image]}"{renamed}}}']
    lines += [f'  old_image: {{container: old, path: "{places["old_image"]}"}}']
    lines += [f'  inner: {{container: box, path: "{places["inner"]}"}}']
    lines += ["files:", f'  note: {{path: "{places["note"]}"}}', ""]
    return Layout.parse("\n".join(lines))


LAYOUTS = {name: made_layout(name) for name in PLACES}
FIELDS_OF = {
    "box": ("run",),
    "old": ("run",),
    "image": ("run", "x", "y"),
    "old_image": ("run", "x", "y"),
    "part": ("run", "y"),
    "inner": ("run", "y"),
    "note": ("run", "x", "y"),
}
"""The fields of each kind, by their names in the layout `rows`; the model speaks of artifacts by these."""
ARRAYS = ("image", "old_image", "inner")
VALUES = {"run": "ab", "x": (0, 1, 2), "y": (0, 1, 2)}
KEYS = [
    (kind, *values) for kind, fields in FIELDS_OF.items() for values in product(*(VALUES[field] for field in fields))
]
HOUR = 3600.0
STRANGE = {
    "strange/readme.txt": b"nobody's",
    "a/strange.zarr/zarr.json": b'{"zarr_format": 3, "node_type": "group", "attributes": {}}',
    "a/strange.zarr/1/c/0": b"chunk",
    "notes/b/strange.txt": b"a stranger among notes",
}
"""What no layout has; nothing ever touches it."""
_numbers = count()


def described(key, layout):
    """A key of the model in the words of a layout."""
    new = {old: new for new, old in NAMES.items()} if layout == "flat" else {}
    kind, *values = key
    named = zip(FIELDS_OF[kind], values, strict=True)
    return Key(new.get(kind, kind), {new.get(field, field): value for field, value in named})


def understood(key):
    """A key of any layout as the model has it."""
    kind = NAMES.get(key.kind, key.kind)
    values = {NAMES.get(name, name): value for name, value in key.values.items()}
    return (kind, *(values[field] for field in FIELDS_OF[kind]))


def container_of(key):
    kind, run, *_ = key
    return {"image": ("box", run), "part": ("box", run), "inner": ("box", run), "old_image": ("old", run)}.get(kind)


def implied(key):
    """The groups that come with an artifact."""
    kind, run, *rest = key
    found = [container_of(key)] if container_of(key) else []
    return [*found, ("part", run, *rest)] if kind == "inner" else found


def is_within(key, outer):
    """Whether an artifact goes with another one."""
    return key == outer or container_of(key) == outer or (outer[0] == "part" and key == ("inner", *outer[1:]))


def touches(path, other):
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")


class Operations(RuleBasedStateMachine):
    """`model` has what is to be found: a key → its digest or attributes; `trash` what can be put back."""

    def new_root(self):
        raise NotImplementedError

    def files(self, store, path=""):
        """All files at or below a path, with their contents."""
        raise NotImplementedError

    def put(self, path, content):
        raise NotImplementedError

    @initialize(name=st.sampled_from(sorted(LAYOUTS)))
    def begin(self, name):
        self.layout = name
        self.root = self.new_root()
        self.store = Store.init(self.root, LAYOUTS[name])
        self.model = {}
        self.data = {}
        self.trash = {}
        for path, content in STRANGE.items():
            self.put(path, content)

    # --- what is known -----------------------------------------------------------------------------------------------

    def key(self, key):
        return described(key, self.layout)

    def path(self, key):
        return LAYOUTS[self.layout].render(self.key(key).kind, **self.key(key).values).path

    def is_busy(self, key):
        """Whether something that can still be put back was there, or below, or around."""
        return any(touches(self.path(key), path) for _, paths in self.trash.values() for path in paths)

    def digest(self, store, path):
        files = {name.removeprefix(path): content for name, content in self.files(store, path).items()}
        assert files
        return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()

    def state(self, store, key):
        """What the model has to say of an artifact that is there; of a container without metadata nothing."""
        if key[0] in {*ARRAYS, "note"}:
            return self.digest(store, self.path(key))
        if not self.is_group(key):
            return None
        return dict(store.open(self.key(key)).attrs)

    def is_group(self, key):
        """Whether a container has metadata of its own; it need not."""
        own = {f"{self.path(key)}/{name}" for name in ("zarr.json", ".zgroup")}
        return not own.isdisjoint(self.files(self.store, self.path(key)))

    def unchanged(self, act, *errors):
        """An act that is refused, and changes nothing at all."""
        before = self.files(self.store)
        with pytest.raises(errors):
            act()
        assert self.files(self.store) == before

    # --- rules -------------------------------------------------------------------------------------------------------

    @rule(key=st.sampled_from(KEYS), number=st.integers(1, 99))
    def create(self, key, number):
        if self.model.get(key) is not None:
            self.unchanged(lambda: self.made(key, number), AlreadyExistsError, BusyError)
        elif self.is_busy(key):
            self.unchanged(lambda: self.made(key, number), BusyError)
        else:
            self.made(key, number)
            for one in (*implied(key), key):
                if self.model.get(one) is None:
                    self.model[one] = self.state(self.store, one)

    def made(self, key, number):
        kind = key[0]
        if kind == "note":
            with self.store.create(self.key(key)) as file:
                file.write(b"%d" % number)
        elif kind in ARRAYS:
            data = np.arange(number, number + 4, dtype="u1")
            self.store.create(self.key(key), data=data, chunks=(2,), attributes={"number": number})
            self.data[key] = data
        else:
            self.store.create(self.key(key), attributes={"number": number} if number % 2 else {})

    @precondition(lambda self: self.model)
    @rule(data=st.data(), grace=st.sampled_from([0, HOUR]), recursive=st.booleans())
    def remove(self, data, grace, recursive):
        key = data.draw(st.sampled_from(sorted(self.model)))
        gone = {one: self.model[one] for one in self.model if is_within(one, key)}

        def act():
            return self.store.remove(self.key(key), recursive=recursive, grace=grace)

        if self.is_busy(key):
            self.unchanged(act, StoreError)
        elif key[0] in {"box", "old", "part"} and not recursive and self.holds_something(key):
            self.unchanged(act, NotInStoreError)
        else:
            self.done(act(), gone, grace)

    def holds_something(self, key):
        """Whether a group has more in it than its own metadata, be it groups that nobody asked for."""
        own = {f"{self.path(key)}/{name}" for name in ("zarr.json", ".zgroup", ".zattrs", ".zmetadata")}
        return bool(self.files(self.store, self.path(key)).keys() - own)

    def done(self, transaction, gone, grace):
        paths = [self.path(key) for key in gone]
        for key in gone:
            del self.model[key]
        if grace:
            self.trash[transaction.id] = (gone, paths)

    @rule(key=st.sampled_from(KEYS))
    def look(self, key):
        assert self.store.exists(self.key(key)) == (key in self.model)
        if key not in self.model:
            with pytest.raises(NotFoundError):
                self.store.open(self.key(key))
            self.unchanged(lambda: self.store.remove(self.key(key), recursive=True), NotFoundError, BusyError)

    @precondition(lambda self: self.trash)
    @rule(data=st.data())
    def undo(self, data):
        name = data.draw(st.sampled_from(sorted(self.trash)))
        self.store.undo(name)
        gone, _ = self.trash.pop(name)
        self.model |= gone

    @precondition(lambda self: self.trash)
    @rule()
    def undo_last(self):
        name = self.store.undo().id
        gone, _ = self.trash.pop(name)
        self.model |= gone

    @precondition(lambda self: self.trash)
    @rule()
    def purge(self):
        assert self.store.purge() == []
        assert {one.id for one in self.store.purge(is_now=True)} == self.trash.keys()
        self.trash.clear()

    @rule(
        kind=st.sampled_from(["image", "old_image", "note"]), keep=st.integers(1, 2), grace=st.sampled_from([0, HOUR])
    )
    def prune(self, kind, keep, grace):
        asked = self.key((kind, "a", 0, 0)).kind
        there = sorted(key for key in self.model if key[0] == kind)
        newer = {key: sum(one[:3] == key[:3] and one[3] > key[3] for one in there) for key in there}
        gone = {key: self.model[key] for key in there if newer[key] >= keep}

        def plan(*, force=False):
            return self.store.plan_prune(asked, keep_last=keep, by="y", min_age="0s", grace=grace, force=force)

        if 2 * len(gone) > len(there):
            self.unchanged(plan, RefusedError)
        made = plan(force=True)
        assert {step.path for step in made.steps} == {self.path(key) for key in gone}
        assert {one.path for one in made.left} == {self.path(key) for key in there if key not in gone}
        if any(self.is_busy(key) for key in gone):
            self.unchanged(made.apply, BusyError)
        else:
            done = made.apply()
            self.done(done, gone, grace if gone else 0)

    @rule(name=st.sampled_from(sorted(LAYOUTS)))
    def migrate(self, name):
        if self.trash:
            self.unchanged(lambda: self.store.plan_migration(LAYOUTS[name]), BusyError)
            return
        self.store.plan_migration(LAYOUTS[name]).apply()
        old, self.store = self.store, Store(self.root)
        assert self.store.layout.name == name
        if name != self.layout:
            self.unchanged(lambda: old.remove(self.key(("note", "a", 0, 0))), StoreError)
        self.layout = name
        self.same_data(self.store, self.layout)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def consolidate(self, data):
        containers = sorted(key for key, state in self.model.items() if key[0] in {"box", "old"} and state is not None)
        if containers:
            key = data.draw(st.sampled_from(containers))
            self.consolidated(self.path(key), 2 if key[0] == "old" else 3)

    @rule(name=st.sampled_from(sorted(LAYOUTS)), is_remote=st.booleans())
    def copy(self, name, is_remote):
        root = f"memory://copies-{next(_numbers)}/in" if is_remote else tempfile.mkdtemp(dir=place())
        try:
            into = Store(root, LAYOUTS[name])
            self.store.plan_copy(into).apply()
            there = Store(root) if self.model else into
            found = {understood(entry.key) for entry in there.find()}
            assert found == {key for key, state in self.model.items() if state is not None}
            self.same_data(there, name)
            self.same_attributes(there, name)
            assert self.store.plan_copy(into).steps == ()
        finally:
            if not is_remote:
                shutil.rmtree(root)

    def same_data(self, store, layout):
        for key in self.model:
            if key[0] in ARRAYS:
                assert (store.open(described(key, layout))[...] == self.data[key]).all()

    def same_attributes(self, store, layout):
        for key, state in self.model.items():
            if key[0] in {"box", "old", "part"} and state is not None:
                assert dict(store.open(described(key, layout)).attrs) == state

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def is_as_the_model(self):
        if not hasattr(self, "model"):
            return
        found = [understood(entry.key) for entry in self.store.find()]
        assert sorted(found) == sorted(self.model)
        for key, state in self.model.items():
            assert self.state(self.store, key) == state
        assert {one.id for one in self.store.transactions()} == self.trash.keys()
        everything = self.files(self.store)
        assert {path: everything.get(path) for path in STRANGE} == STRANGE

    @invariant()
    def doctor_has_nothing_to_say(self):
        if not hasattr(self, "model"):
            return
        found = examine(self.store._backend, LAYOUTS[self.layout])
        of_strangers = {way for path in STRANGE for way in (path, *above(path))}
        assert [str(one) for one in found if one.span.file.removeprefix(f"{self.root}/") not in of_strangers] == []

    def teardown(self):
        if not hasattr(self, "model"):
            return
        self.same_data(self.store, self.layout)
        self.store.purge(is_now=True)
        working = [path for path in self.files(self.store) if path.startswith(".zarrange/")]
        assert [path for path in working if not path.startswith((".zarrange/layout/", ".zarrange/store.json"))] == []
        self.cleared()

    def cleared(self):
        """Look at what only this backend can have left, and delete everything."""


def place():
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) else None


class LocalOperations(Operations):
    def new_root(self):
        return tempfile.mkdtemp(dir=place())

    def files(self, store, path=""):
        top = Path(store.root, path)
        if top.is_file():
            return {path: top.read_bytes()}
        found = {}
        for where, _, names in os.walk(top):
            for name in names:
                whole = os.path.join(where, name)
                found[os.path.relpath(whole, store.root)] = Path(whole).read_bytes()
        return found

    def put(self, path, content):
        whole = Path(self.root, path)
        whole.parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(content)

    def consolidated(self, path, zarr_format):
        zarr.consolidate_metadata(os.path.join(self.root, path), zarr_format=zarr_format)

    def cleared(self):
        assert {*os.listdir(os.path.join(self.root, ".zarrange"))} == {"layout", "store.json"}
        shutil.rmtree(self.root)


class RemoteOperations(Operations):
    def new_root(self):
        return f"memory://operations-{next(_numbers)}/in"

    def files(self, store, path=""):
        if isinstance(store._backend, LocalBackend):
            return LocalOperations.files(self, store, path)
        objects = store._backend._objects
        found = {key: objects.content(key) for key in objects.keys(path)}
        alone = objects.content(path) if path and not found else None
        return found if alone is None else {path: alone}

    def put(self, path, content):
        self.store._backend.write(path, content)

    def consolidated(self, path, zarr_format):
        zarr.consolidate_metadata(self.store._backend.zarr_store(path), zarr_format=zarr_format)


MACHINES = {"local": LocalOperations, "memory": RemoteOperations}
CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.mark.filterwarnings("ignore:Consolidated metadata", "ignore:Object at")
@pytest.mark.parametrize("name", MACHINES)
def test_any_order(name):
    """Whatever is done in whatever order, what is found is what a dictionary would have, to the byte."""
    profile = settings(
        max_examples=12, stateful_step_count=16, deadline=None, suppress_health_check=CHECKS, report_multiple_bugs=False
    )
    run_state_machine_as_test(MACHINES[name], settings=profile)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Consolidated metadata", "ignore:Object at")
@pytest.mark.parametrize("name", MACHINES)
def test_any_long_order(name):
    """Nor does it matter how long it goes on."""
    profile = settings(
        max_examples=100,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=CHECKS,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(MACHINES[name], settings=profile)
