"""Operations while others are at the same store: attackers with symlinks, other migrators, writers, creators."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import shutil
import signal
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import zarr
from tests.stores import racing
from tests.stores.judging import arrays, fast_folder, lay_out, take
from tests.stores.racing import ELSEWHERE, HERE, MOUNTS, THERE, attacking, contents, fill, image, note

from zarrange import Store
from zarrange.cli import main
from zarrange.errors import AlreadyExistsError, BusyError, RefusedError, StoreError
from zarrange.stores.local import journal
from zarrange.stores.local.descent import Descent

CLEAN = multiprocessing.get_context("forkserver")
CLEAN.set_forkserver_preload(["tests.stores.racing"])
FORK = multiprocessing.get_context("fork")


def doctor(*arguments):
    """Return the exit status of `zarrange doctor`."""
    with pytest.raises(SystemExit) as caught:
        main(["doctor", *arguments])
    return caught.value.code


@pytest.fixture
def scratch():
    with fast_folder() as folder:
        yield Path(folder)


@pytest.fixture
def store(scratch):
    return fill(scratch / "store")


# --- symlinks --------------------------------------------------------------------------------------------------------

TARGETS = [
    "r",
    "r/box.zarr",
    "r/box.zarr/images",
    "r/box.zarr/pictures",
    "r/box.zarr/images/0",
    "r/box.zarr/images/6",
    "r/notes",
    ".zarrange",
    ".zarrange/trash",
    ".zarrange/tx",
    ".zarrange/stage",
]


def fill_outside(root):
    """Make what looks just like a store inside, with all that could be lost there, and folders that could be filled."""
    fill(root, steps=7)
    for folder in ("trash", "tx", "stage"):
        (root / ".zarrange" / folder).mkdir()
        (root / ".zarrange" / folder / "mine").write_text("mine")
    for step in range(7, 9):
        for folder in ("images", "parts", "pictures/all"):
            (root / "r" / "box.zarr" / folder / str(step)).mkdir(parents=True)


def attempt(do):
    """Do something that an attack may bring to nothing."""
    with suppress(StoreError, OSError, zarr.errors.NodeNotFoundError):
        return do()


def work(root):
    """Do with a store all that changes it; return how much of it was done."""
    store = attempt(lambda: Store(root))
    if store is not None:
        other = THERE if store.layout.name == HERE.name else HERE
        attempt(lambda: store.plan_migration(other).apply())
    store = attempt(lambda: Store(root))
    if store is None:
        return 0
    done = 0
    for step in random.sample(range(9), 3):
        part = store.identifier("part", run="r", step=step)
        done += attempt(lambda step=step: store.create(image(store, step), data=contents(0))) is not None
        done += attempt(lambda step=step: store.create(note(store, step)).close() is None) is not None
        done += attempt(lambda part=part: store.create(part)) is not None
        done += attempt(lambda step=step: store.remove(image(store, step), grace=100)) is not None
        done += attempt(store.undo) is not None
        done += attempt(lambda step=step: store.remove(image(store, step)) is None) is not None
        done += attempt(lambda step=step: store.remove(note(store, step)) is None) is not None
        done += attempt(lambda part=part: store.remove(part) is None) is not None
    done += attempt(lambda: store.purge(is_now=True)) is not None
    return done


def clumsily(root):
    """Remove an array as most programs do: look whether its path is the real one, then delete it."""
    path = os.path.join(root, "r", "box.zarr", "images", "0")
    os.makedirs(path, exist_ok=True)
    if os.path.realpath(path) == path:
        shutil.rmtree(path)


class TestSymlinks:
    """No operation touches anything outside the root, whatever is swapped for a symlink meanwhile."""

    @pytest.mark.parametrize(
        ("seconds", "attempts"), [(1, 2_000), pytest.param(5, 10_000, marks=pytest.mark.slow)], ids=["short", "long"]
    )
    def test_nothing_outside(self, scratch, store, seconds, attempts):
        """What the symlinks lead to is byte for byte as it was, and the store can be recovered."""
        outside = scratch / "outside"
        fill_outside(outside)
        before = take(outside)
        end, done = time.monotonic() + seconds, 0
        with attacking(scratch, Path(store.root), outside, TARGETS) as attack:
            while time.monotonic() < end or attack.attempts < attempts or done < 50:
                done += work(store.root)
            counted = attack.attempts
        assert counted >= attempts
        assert take(outside) == before
        assert doctor(store.root, "--recover", "--purge=all") == 0
        assert Store(store.root).transactions() == []

    def test_the_usual_way(self, scratch, store):
        """A look at the real path, and then a deletion by that path, destroy what is outside."""
        outside = scratch / "outside"
        fill_outside(outside)
        before = take(outside)
        targets = ["r", "r/box.zarr", "r/box.zarr/images"]
        with attacking(scratch, Path(store.root), outside, targets) as attack:
            while before.keys() <= take(outside).keys() and attack.attempts < 200_000:
                for _ in range(100):
                    with suppress(OSError):
                        clumsily(store.root)
        assert before.keys() - take(outside).keys() != set()


# --- migrators -------------------------------------------------------------------------------------------------------


class TestMigrators:
    """Of two who migrate one store at once, one wins, or they come one after the other."""

    @pytest.mark.parametrize("trials", [12, pytest.param(100, marks=pytest.mark.slow)])
    def test_two_at_once(self, scratch, trials):
        """No store is mixed: all is there under the layout that is recorded; who loses is told what is the matter."""
        fill(scratch / "model")
        model = take(scratch / "model")
        barrier = CLEAN.Barrier(2)
        pipes, workers = [], []
        for _ in range(2):
            pipe, theirs = CLEAN.Pipe()
            pipes.append(pipe)
            workers.append(CLEAN.Process(target=racing.migrator, args=(theirs, barrier), daemon=True))
            workers[-1].start()
        lost = []
        for trial in range(trials):
            root = str(scratch / str(trial))
            lay_out(model, root)
            names = (THERE.name, (THERE if trial % 2 else ELSEWHERE).name)
            for pipe, name in zip(pipes, names, strict=True):
                pipe.send((root, name, trial % 4 < 2))
            told = [pipe.recv() for pipe in pipes]
            assert None in told
            lost += [one for one in told if one is not None]
            assert racing.problems(root) == []
            assert Store(root).layout.name in {name for name, one in zip(names, told, strict=True) if one is None}
        for pipe in pipes:
            pipe.send(None)
        for worker in workers:
            worker.join(60)
        assert lost != []
        assert [one for one in lost if racing.is_clear(one.partition(": ")[2]) is None] == []


# --- writers ---------------------------------------------------------------------------------------------------------


class Writer:
    """A process that writes until it is told to stop: what it has written, and what it was told."""

    def __init__(self, write, place, context=CLEAN):
        self.acknowledged = context.Array("q", racing.CHUNKS)
        self._stop = context.Event()
        self._errors = context.Queue()
        arguments = (place, self.acknowledged, self._stop, self._errors)
        self._process = context.Process(target=write, args=arguments, daemon=True)

    def __enter__(self):
        self._process.start()
        return self

    def written(self):
        return list(self.acknowledged)

    def wait_for_more(self, than):
        while max(self.written()) <= than:
            time.sleep(0.01)

    def stop(self):
        """Stop the writer; return what it was told."""
        self._stop.set()
        told = []
        while self._process.is_alive() or not self._errors.empty():
            with suppress(Exception):
                told.append(self._errors.get(timeout=0.05))
        return told

    def __exit__(self, *_):
        self.stop()


def chunks_of(array):
    """The values of an array's chunks, each of which was written as a whole."""
    found = array[:].reshape(racing.CHUNKS, racing.CHUNK)
    assert (found == found[:, :1]).all()
    return found[:, 0].tolist()


class TestWriters:
    """A store that is migrated while others write into it has no torn array, and what was there before is not lost."""

    def test_by_path(self, store, capsys):
        """What was written before is there; what is written to the old path afterwards is found there, and told."""
        path = image(store, 0).path
        with Writer(racing.write_by_path, path) as writer:
            writer.wait_for_more(than=150)
            before = writer.written()
            store.plan_migration(THERE).apply()
            moved = writer.written()
            writer.wait_for_more(than=max(moved) + 50)
            writer.stop()
            after = writer.written()
        migrated = Store(store.root)
        found = chunks_of(migrated.open(image(migrated, 0)))
        assert all(low <= value <= high for low, value, high in zip(before, found, after, strict=True))
        assert sorted(os.listdir(f"{path}/c")) == ["0", "1", "2", "3"]
        assert doctor(store.root) == 1
        assert f"{store.root}/r/box.zarr/images" in capsys.readouterr().out
        with pytest.raises(StoreError, match=r"'r/box.zarr/images/0', where something is already"):
            migrated.plan_migration(HERE)

    def test_by_the_store(self, store):
        """Whoever writes by `writing` has all of it in the array, or is told so; so is whoever migrates too early."""
        moved, refused = 0, []
        with Writer(racing.write_by_store, store.root) as writer:
            while moved < 6 or not refused:
                current = Store(store.root)
                try:
                    current.plan_migration(THERE if current.layout.name == HERE.name else HERE).apply()
                except (RefusedError, BusyError, StoreError) as error:
                    refused.append(error)
                else:
                    moved += 1
                    writer.wait_for_more(than=max(writer.written()))
            told = writer.stop()
            last = writer.written()[0]
        final = Store(store.root)
        array = final.open(image(final, 0))
        assert array[:].tolist() == [last] * (racing.CHUNKS * racing.CHUNK)
        assert array.attrs["zarrange"] == {"complete": True}
        assert [one for one in told if "Error: " not in one] == []
        assert len(arrays(take(store.root))) == 3
        assert doctor(store.root) == 0


# --- several file systems --------------------------------------------------------------------------------------------


def across(root, way, told):
    """Create on another file system, and migrate to it and back while somebody writes by path."""
    other = f"{root}/r/box.zarr/pictures"
    os.makedirs(other)
    with MOUNTS[way](other), Writer(racing.write_by_path, f"{root}/r/box.zarr/images/0", FORK) as writer:
        store = fill(root)
        writer.wait_for_more(than=120)
        before = writer.written()
        with suppress(StoreError):
            store.plan_migration(THERE).apply()
        writer.stop()
        after = writer.written()
        store = Store(root)
        if store.layout.name != THERE.name:
            recover(store, f"{root}/r/box.zarr/images/0")
            store.plan_migration(THERE).apply()
            store = Store(root)
        found = chunks_of(store.open(image(store, 0)))
        assert all(low <= value <= high for low, value, high in zip(before, found, after, strict=True))
        store.create(image(store, 9), data=contents(9), chunks=(racing.CHUNK,))
        assert (store.open(image(store, 9))[:] == contents(9)).all()
        assert way == "pretended" or os.stat(image(store, 9).path).st_dev != os.stat(root).st_dev
        with suppress(FileNotFoundError):
            shutil.rmtree(f"{root}/r/box.zarr/images")  # what was written to the old path
        store.remove(image(store, 9), grace=100)
        store.undo()
        store.plan_migration(HERE).apply()
        store = Store(root)
        assert chunks_of(store.open(image(store, 0))) == found
        assert (store.open(image(store, 9))[:] == contents(9)).all()
        store.remove(image(store, 9))
        assert sorted(os.listdir(f"{root}/.zarrange")) == ["layout", "store.json"]
        assert [path for path in take(root) if "/.zarrange-" in path] == []
        told.put("all well")


def recover(store, path):
    """Recover a store, to whose array the way back may be taken by chunks that somebody has written there meanwhile."""
    try:
        store.recover()
    except AlreadyExistsError as error:
        assert path in str(error)  # noqa: PT017 - it is not always raised
        assert os.listdir(path) == ["c"]
        shutil.rmtree(path)
        store.recover()


@pytest.mark.parametrize("way", ["pretended", *(["mounted"] if racing.can_mount() else [])])
def test_across_file_systems(scratch, way):
    """To another file system and back, what is written to is never torn, and what was there before is not lost."""
    told = CLEAN.Queue()
    worker = CLEAN.Process(target=across, args=(str(scratch / "store"), way, told))
    worker.start()
    worker.join(120)
    assert worker.exitcode == 0
    assert told.get(timeout=10) == "all well"


# --- creators --------------------------------------------------------------------------------------------------------


@pytest.fixture
def meanwhile(monkeypatch):
    """The function that has something done when an array was made aside, and is not at its place yet."""

    def arrange(do):
        make = zarr.create_array

        def made(*arguments, **options):
            monkeypatch.setattr(zarr, "create_array", make)
            make(*arguments, **options)
            do()

        monkeypatch.setattr(zarr, "create_array", made)

    return arrange


class TestCreators:
    """Nothing is made where a removal is open, nor at a path of a layout that the store does not have any more."""

    @pytest.mark.parametrize("kind", ["image", "part", "note"])
    def test_a_removal_is_open(self, store, snapshot, kind):
        """A place whose artifact can still be put back is busy; nothing is left by who is told so."""
        where = store.identifier(kind, run="r", step=0)
        if kind == "part":
            store.create(where)
        store.remove(where, grace=100)
        before = snapshot(store.root)
        with pytest.raises(BusyError, match="can be undone until"):
            store.create(where, **({"data": contents(5)} if kind == "image" else {}))
        assert snapshot(store.root) == before

    def test_a_removal_begins(self, store, snapshot, meanwhile):
        """A container that is removed while an array is made in it stays removed, and the array does not appear."""
        box = store.identifier("box", run="r")
        after = {}

        def remove():
            store.remove(box, recursive=True, grace=100)
            after.update(snapshot(f"{store.root}/r"))

        meanwhile(remove)
        with pytest.raises(BusyError, match="can be undone until"):
            store.create(image(store, 7), data=contents(7), chunks=(racing.CHUNK,))
        assert snapshot(f"{store.root}/r") == after
        store.undo()
        assert racing.problems(store.root) == []

    @pytest.mark.parametrize("run", ["r", "new"])
    def test_a_migration_comes(self, store, snapshot, meanwhile, run):
        """An array that is made while the store is migrated does not appear at its old path, nor do groups for it."""
        after = {}

        def migrate():
            Store(store.root).plan_migration(THERE).apply()
            after.update(snapshot(f"{store.root}/r"))

        meanwhile(migrate)
        with pytest.raises(StoreError, match=r"its layout has changed: .*; open it again"):
            store.create(image(store, 7, run), data=contents(7), chunks=(racing.CHUNK,))
        assert os.listdir(store.root) in (["r", ".zarrange"], [".zarrange", "r"])
        assert snapshot(f"{store.root}/r") == after
        assert racing.problems(store.root) == []

    def test_all_at_once(self, store, capsys):
        """Those who create, remove and migrate side by side get whole arrays or clear errors, and leave nothing."""
        errors = CLEAN.Queue()
        works = [(racing.create_again, 120), (racing.create_again, 120), (racing.remove_again, 120)]
        works.append((racing.migrate_again, 40))
        workers = [
            CLEAN.Process(target=work, args=(store.root, number, rounds, errors), daemon=True)
            for number, (work, rounds) in enumerate(works)
        ]
        for worker in workers:
            worker.start()
        told = [errors.get(timeout=120) for _ in range(sum(rounds for _, rounds in works))]
        for worker in workers:
            worker.join(60)
        assert told.count("") > 60
        expected = r"|BusyError|AlreadyExistsError|NotFoundError|ArrayNotFoundError|StoreError: .*"
        assert [one for one in told if re.fullmatch(expected, one) is None] == []
        unclear = {one for one in told if one.startswith("StoreError") and not racing.is_clear(one.partition(": ")[2])}
        assert unclear == set()
        final = Store(store.root)
        final.purge(is_now=True)
        found = {
            path: final.open(final.identifier(entry.key.kind, **entry.key.values)) for path, entry in images(final)
        }
        assert arrays(take(store.root)).keys() == found.keys()
        assert all((array[:] == array[0]).all() and array[0] > 0 for array in found.values())
        assert doctor(store.root) == 0, capsys.readouterr().out
        assert sorted(os.listdir(f"{store.root}/.zarrange")) == ["layout", "store.json"]


def images(store):
    return [(entry.path, entry) for entry in store.find("image")]


# --- locks -----------------------------------------------------------------------------------------------------------


def hold_lock(root, held):
    """Hold the lock under which transactions begin, for good."""
    with Descent(root) as descent, journal.locked(descent):
        held.set()
        time.sleep(600)


def remove_and_stay(root, ready):
    """Begin a removal, fork in the middle of it, and die; the child stays."""

    def stay():
        ready.put(os.getpid())  # by now it has let go of what it inherited
        time.sleep(600)

    def fork():
        FORK.Process(target=stay).start()
        time.sleep(600)

    store = Store(root)
    plan = store.plan_removal(image(store, 0), grace=100)
    plan.apply(progress=lambda *_: fork())


@pytest.fixture
def holder(store):
    """A process that holds the lock."""
    held = CLEAN.Event()
    worker = CLEAN.Process(target=hold_lock, args=(store.root, held), daemon=True)
    worker.start()
    assert held.wait(60)
    yield worker
    worker.kill()
    worker.join()


class TestLocks:
    """A lock is held as long as its process works with it, and no longer."""

    def test_dead(self, store, holder):
        """Whoever dies with the lock is in nobody's way."""
        holder.kill()
        holder.join()
        store.remove(image(store, 0), grace=100)
        store.undo()
        assert racing.problems(store.root) == []

    def test_stopped(self, store, holder, snapshot, monkeypatch):
        """Whoever stops with the lock lets others look and read; who changes something waits, and is told where."""
        os.kill(holder.pid, signal.SIGSTOP)
        monkeypatch.setattr(journal, "PATIENCE", 0.2)
        before = snapshot(store.root)
        waiting = f"another process has locked '{store.root}/.zarrange/tx/lock' for more than"
        for do in (store.remove, lambda where: store.create(image(store, 9), data=contents(9)) and where):
            with pytest.raises(BusyError, match=waiting):
                do(image(store, 0))
        assert snapshot(store.root) == before
        assert (store.open(image(store, 0))[:] == contents(0)).all()
        assert len([*store.find("image")]) == 3

    def test_threads(self, store):
        """Threads that use one store create and remove side by side."""

        def work(number):
            for step in range(10, 16):
                store.create(image(store, step, f"r{number % 2}"), data=contents(step))
                store.remove(image(store, step, f"r{number % 2}"), grace=(step % 2) * 100)

        with ThreadPoolExecutor(2) as pool:
            assert [*pool.map(work, range(2))] == [None, None]
        assert len(store.transactions()) == 6
        assert len(store.purge(is_now=True)) == 6
        assert racing.problems(store.root) == []

    def test_forked(self, store):
        """A child that was forked while something was removed keeps nobody from undoing it."""
        with ProcessPoolExecutor(1, mp_context=FORK) as pool:
            done = store.plan_removal(image(store, 0), grace=100).apply(executor=pool)
            assert not store.transactions()[0].is_live
            assert store.undo(done).id == done.id
        assert racing.problems(store.root) == []

    def test_forked_and_dead(self, store):
        """What a process was at that has died is recovered, though a child of it lives."""
        ready = CLEAN.Queue()
        worker = CLEAN.Process(target=remove_and_stay, args=(store.root, ready))
        worker.start()
        child = ready.get(timeout=60)
        worker.kill()
        worker.join()
        os.kill(child, 0)
        store.recover()
        assert store.transactions() == []
        os.kill(child, signal.SIGKILL)
        assert racing.problems(store.root) == []
