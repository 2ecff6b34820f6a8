"""What works against each other on one store: processes that swap folders for symlinks, write, create and migrate."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import zarr
from tests.stores.judging import arrays, take

from zarrange import Layout, Store
from zarrange.errors import AlreadyExistsError, BusyError, StoreError
from zarrange.stores.local import descent

TEXT = """
zarrange: 1
name: {name}
fields: {{run: {{type: str}}, step: {{type: int, min: 0}}}}
containers: {{box: {{path: "{{{{ run }}}}/box.zarr", zarr_format: 3}}}}
groups: {{part: {{container: box, path: "parts/{{{{ step }}}}"}}}}
arrays: {{image: {{container: box, path: "{images}/{{{{ step }}}}"}}}}
files: {{note: {{path: "{{{{ run }}}}/{notes}/{{{{ step }}}}.txt"}}}}
"""
HERE = Layout.parse(TEXT.format(name="here", images="images", notes="notes"))
THERE = Layout.parse(TEXT.format(name="there", images="pictures/all", notes="texts"))
ELSEWHERE = Layout.parse(TEXT.format(name="elsewhere", images="parts/of/images", notes="words"))
LAYOUTS = {layout.name: layout for layout in (HERE, THERE, ELSEWHERE)}
CHUNKS = 4
CHUNK = 2

REFUSALS = (
    r"the (migration|removal) .* is under way: process \d+ on .* is at it",
    r"the (migration|removal) .* is done, and can be undone until .*; undo it, or purge it by `zarrange doctor .*",
    r"the (migration|removal) .* was interrupted: process \d+ on .* was at it; `zarrange doctor --recover` ends it",
    r"since this store was opened, its layout has changed: .*; open it again",
    r".* not as it was when the plan was made; nothing was changed: plan again",
)
"""What those are told who come too late: what is the matter, and where it makes sense, what to do."""
is_clear = re.compile("|".join(f"(?:{one})" for one in REFUSALS)).fullmatch


def fill(root, layout=HERE, steps=3):
    """Make a store with arrays and files, each with its own content."""
    store = Store.init(root, layout)
    for step in range(steps):
        store.create(image(store, step), data=contents(step), chunks=(CHUNK,), seal=True)
        with store.create(note(store, step)) as file:
            file.write(b"%d" % step)
    return store


def image(store, step, run="r"):
    return store.identifier("image", run=run, step=step)


def note(store, step, run="r"):
    return store.identifier("note", run=run, step=step)


def contents(value):
    return np.full(CHUNKS * CHUNK, value + 1)


def problems(root, steps=3):
    """Return what is wrong with a store that `fill` has made and others have migrated: nothing, if all is well."""
    store = Store(root)
    expected = {image(store, step).path.removeprefix(f"{store.root}/") for step in range(steps)}
    found = [f"{path} is there" for path in arrays(take(root)).keys() ^ expected]
    for step in range(steps):
        if not (store.open(image(store, step))[:] == contents(step)).all():
            found.append(f"{step} reads {store.open(image(store, step))[:]}")
        with store.open(note(store, step)) as file:
            found += [] if file.read() == b"%d" % step else [f"the note {step} is another one"]
    work = sorted(os.listdir(f"{root}/.zarrange"))
    return found + ([] if work == ["layout", "store.json"] else [f".zarrange holds {work}"])


# --- swapping folders for symlinks -----------------------------------------------------------------------------------

ATTACKER = r"""
import ctypes, mmap, os, random, struct, sys
counter, *paths = map(os.fsencode, sys.argv[1:])
pairs = list(zip(paths[::2], paths[1::2]))
renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
with open(counter, "r+b") as file:
    shared = mmap.mmap(file.fileno(), 16)

def exchange(one, other):
    return renameat2(-100, one, -100, other, 2) == 0

count = 0
while not shared[8]:
    place, link = random.choice(pairs)
    if exchange(place, link):
        count += 1
        struct.pack_into("q", shared, 0, count)
        for _ in range(random.randrange(400)):
            pass
        while not exchange(place, link):
            pass
        for _ in range(random.randrange(2_000)):
            pass  # or else the true folders are there too rarely
"""


class Attack:
    """A process that swaps folders for symlinks, and back: how often it has done so, and the way to stop it."""

    def __init__(self, counter, pairs):
        Path(counter).write_bytes(bytes(16))
        with open(counter, "r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 16)
        paths = [os.fspath(path) for pair in pairs for path in pair]
        self._process = subprocess.Popen([sys.executable, "-c", ATTACKER, counter, *paths])

    @property
    def attempts(self):
        return struct.unpack_from("q", self._shared)[0]

    def stop(self):
        """Stop when everything is at its place again."""
        self._shared[8] = 1
        self._process.wait(60)


@contextlib.contextmanager
def attacking(folder, root, outside, targets):
    """An attack on some folders below a root: the symlinks lead to folders of the same names outside."""
    links = Path(folder, "links")
    links.mkdir()
    for number, target in enumerate(targets):
        (links / str(number)).symlink_to(outside / target)
    attack = Attack(f"{folder}/counter", [(root / one, links / str(number)) for number, one in enumerate(targets)])
    try:
        yield attack
    finally:
        attack.stop()


# --- processes -------------------------------------------------------------------------------------------------------


def migrate(root, name, barrier, *, plans_first):
    """Migrate a store when others do; return what was raised."""
    try:
        store = Store(root)
        if plans_first:
            plan = store.plan_migration(LAYOUTS[name])
            barrier.wait(60)
        else:
            barrier.wait(60)
            plan = store.plan_migration(LAYOUTS[name])
        plan.apply()
    except StoreError as error:
        return f"{type(error).__name__}: {error}"
    return None


def migrator(pipe, barrier):
    """Migrate whatever store is asked for, until there are no more."""
    while (asked := pipe.recv()) is not None:
        root, name, plans_first = asked
        pipe.send(migrate(root, name, barrier, plans_first=plans_first))


def write_by_path(path, acknowledged, stop, errors):
    """Write chunks with rising values into an array, as those do who know nothing of a store; note what is written."""
    while not os.path.exists(f"{path}/zarr.json"):
        time.sleep(0.01)
    array = zarr.open_array(path, mode="r+")
    value = 100
    while not stop.is_set():
        value += 1
        chunk = value % CHUNKS
        try:
            array[chunk * CHUNK : (chunk + 1) * CHUNK] = value
        except OSError as error:
            errors.put(repr(error))
        else:
            acknowledged[chunk] = value


def write_by_store(root, acknowledged, stop, errors):
    """Write whole arrays with rising values, by `Store.writing`; note each that is written."""
    value = 100
    while not stop.is_set():
        value += 1
        try:
            store = Store(root)
            with store.writing(image(store, 0)) as array:
                for chunk in range(CHUNKS):
                    array[chunk * CHUNK : (chunk + 1) * CHUNK] = value
        except StoreError as error:
            errors.put(f"{type(error).__name__}: {error}")
        else:
            acknowledged[0] = value


def create_again(root, number, rounds, errors):
    """Create the same few arrays again and again, whatever others do."""
    random = np.random.default_rng(number)
    for value in range(rounds):
        with telling(errors):
            store = Store(root)
            where = image(store, int(random.integers(5)), run=f"r{random.integers(2)}")
            store.create(where, data=contents(number * 1_000 + value), chunks=(CHUNK,))


def remove_again(root, number, rounds, errors):
    """Remove these arrays, with a grace and without, put them back, and purge them."""
    random = np.random.default_rng(number)
    for value in range(rounds):
        with telling(errors):
            store = Store(root)
            where = image(store, int(random.integers(5)), run=f"r{random.integers(2)}")
            if value % 3:
                store.remove(where, grace=(value % 3 - 1) * 100)
            elif value % 2:
                store.undo()
            else:
                store.purge(is_now=True)


def migrate_again(root, number, rounds, errors):
    """Migrate there and back, whenever nothing is in the way."""
    for value in range(rounds):
        with telling(errors):
            store = Store(root)
            if (number + value) % 3 == 0:
                store.purge(is_now=True)
            store.plan_migration(THERE if store.layout.name == HERE.name else HERE).apply()


@contextlib.contextmanager
def telling(errors):
    try:
        yield
        errors.put("")
    except (BusyError, AlreadyExistsError, FileNotFoundError) as error:
        errors.put(type(error).__name__)
    except StoreError as error:
        errors.put(f"{type(error).__name__}: {error}")


# --- several file systems --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def pretended_mount(folder):
    """As if a folder were on another file system, to all that zarrange renames."""
    inside = os.path.realpath(folder)
    real = descent._renameat2

    def is_inside(descriptor, name):
        path = os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), os.fsdecode(name))
        return path.startswith(f"{inside}/")

    def renameat2(source, name, target, to, flags):
        if is_inside(source, name) != is_inside(target, to):
            ctypes.set_errno(errno.EXDEV)
            return -1
        return real(source, name, target, to, flags)

    descent._renameat2 = renameat2
    try:
        yield
    finally:
        descent._renameat2 = real


NEWNS = 0x20000
NEWUSER = 0x10000000
PRIVATE = 0x4000 | 0x40000


@contextlib.contextmanager
def mount(folder):
    """A folder on another file system, as this process sees it for good. Raises `OSError` where this is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEWNS) != 0 and libc.unshare(NEWNS | NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "no mounts of our own")
    for what in ((b"none", b"/", None, PRIVATE, None), (b"none", os.fsencode(folder), b"tmpfs", 0, None)):
        if libc.mount(*what) != 0:
            raise OSError(ctypes.get_errno(), "no mount")
    yield


MOUNTS = {"pretended": pretended_mount, "mounted": mount}


def can_mount():
    """Return whether a process may have mounts of its own here."""
    code = "from tests.stores.racing import mount; import tempfile; mount(tempfile.mkdtemp()).__enter__()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
