"""Removals, prunes and migrations that die, or whose calls fail, at every call: nothing is lost, nothing is half."""

from __future__ import annotations

import errno
import gc
import itertools
import json
import os
import shutil
import stat
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import zarr
from tests.stores import judging, powercut, straced
from tests.stores.judging import Case, arrays, fast_folder, normal
from tests.stores.killing import run

from zarrange import Layout, Store
from zarrange.stores import removal, upkeep
from zarrange.stores.local import LocalBackend, aside, descent, journal, moving

DAY = 86_400

LAYOUT = """
zarrange: 1
name: {name}
fields:
  run: {{type: str}}
  step: {{type: int, min: 0}}
containers:
  box: {{path: "{{{{ run }}}}/{box}.zarr", zarr_format: 3}}
  old_box: {{path: "{{{{ run }}}}/old.zarr", zarr_format: 2}}
groups:
  part: {{container: box, path: "{part}/{{{{ step }}}}"}}
arrays:
  left: {{container: box, path: "{left}/{{{{ step }}}}"}}
  right: {{container: box, path: "{right}/{{{{ step }}}}"}}
  more: {{container: box, path: "{more}/{{{{ step }}}}"}}
  ancient: {{container: old_box, path: "{ancient}/{{{{ step }}}}"}}
files:
  note: {{path: "{{{{ run }}}}/{notes}/{{{{ step }}}}.txt"}}
"""


def layout(name, **names):
    usual = {name: name for name in ("box", "part", "left", "right", "more", "ancient", "notes")}
    return Layout.parse(LAYOUT.format(name=name, **(usual | names)))


FIRST = layout("first")
SWAPPED = layout("swapped", left="right", right="left")
CHAINED = layout("chained", left="right", right="more", more="most", ancient="older")
MOVED = layout("moved", box="boxes/b", notes="texts", ancient="a/b/c", part="parts")


# --- stores ----------------------------------------------------------------------------------------------------------


def build(root):
    """Make a store with arrays of both formats, groups, and files."""
    store = Store.init(root, FIRST)
    for kind in ("left", "right", "more", "ancient"):
        data = np.arange(1, 17, dtype="f4").reshape(4, 4) + len(kind)
        artifact = store.identifier(kind, run="r", step=1)
        store.create(artifact, data=data, chunks=(2, 4), attributes={"kind": kind})
    for step in (1, 2):
        with store.create(store.identifier("note", run="r", step=step)) as file:
            file.write(b"a note")
    part = store.create(store.identifier("part", run="r", step=7))
    part.create_array("inner", data=np.ones(4), chunks=(2,))
    part.create_group("more")


def build_consolidated(root):
    build(root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)
        for box in ("box", "old"):
            zarr.consolidate_metadata(f"{root}/r/{box}.zarr")


def build_row(root):
    """Make a store with five arrays of a kind."""
    store = Store.init(root, FIRST)
    for step in range(5):
        store.create(store.identifier("left", run="r", step=step), data=np.full(2, step + 1.0), chunks=(2,), seal=True)


def build_removed(root):
    """Make a store from which a group was removed for a while."""
    build_consolidated(root)
    remove("part", step=7, grace=DAY)(root)


def remove(kind, *, step, grace=0):
    def operate(root):
        store = Store(root, FIRST)
        store.remove(store.identifier(kind, run="r", step=step), recursive=kind in {"part", "box"}, grace=grace)

    return operate


def remove_box(root):
    store = Store(root, FIRST)
    store.remove(store.identifier("box", run="r"), recursive=True)


def migrate(new):
    def operate(root):
        Store(root, FIRST).plan_migration(new).apply()

    return operate


def prune(root):
    Store(root, FIRST).plan_prune("left", keep_last=3, grace=0).apply()


def undo(root):
    Store(root, FIRST).undo()


def purge(root):
    Store(root, FIRST).purge(is_now=True)


def across(task):
    """Do it where the folders `right` are on another file system than all others."""

    def operate(root):
        real = descent._rename

        def rename(source, name, target, to):
            places = [os.readlink(f"/proc/self/fd/{folder}") for folder in (source, target)]
            if len({"/right" in place for place in places}) > 1:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
            real(source, name, target, to)

        descent._rename = rename
        task(root)

    return operate


def delete(*paths):
    """Delete by plain means."""

    def aim(root):
        for path in paths:
            place = f"{root}/{path}"
            shutil.rmtree(place) if os.path.isdir(place) else os.unlink(place)

    return aim


# --- recoveries ------------------------------------------------------------------------------------------------------


def settle(root):
    """Do what every operation does before it begins anything."""
    upkeep.settle(LocalBackend(root))


def settle_and_purge(root):
    settle(root)
    Store(root, FIRST).purge(is_now=True)


def settle_and_undo(root):
    """Put back all that can be put back."""
    settle(root)
    store = Store(root, FIRST)
    while any(one.phase == "placed" for one in store.transactions()):
        store.undo()


def nothing(root):
    """Leave it as it is."""


def leaving_holders(task):
    """Do it without deleting the groups that are left with nothing, which is told where one cannot be deleted."""

    def operate(root):
        moving.drop_empty = lambda *_: ""
        task(root)

    return operate


# --- cases -----------------------------------------------------------------------------------------------------------

CASES = {
    "array": (build, remove("left", step=1), settle, {"aim": delete("r/box.zarr/left")}),
    "old array": (build, remove("ancient", step=1), settle, {"aim": delete("r/old.zarr/ancient")}),
    "group": (build, remove("part", step=7), settle, {"aim": delete("r/box.zarr/part")}),
    "file": (build, remove("note", step=1), settle, {"aim": delete("r/notes/1.txt")}),
    "prune": (build_row, prune, settle, {"aim": delete(*(f"r/box.zarr/left/{step}" for step in range(2)))}),
    "listed old array": (build_consolidated, remove("ancient", step=1), settle, {}),
    "put back": (build_consolidated, remove("ancient", step=1, grace=DAY), settle_and_undo, {"aim": nothing}),
    "undo": (build_removed, undo, settle, {}),
    "purge, else undo": (build_removed, purge, settle_and_undo, {"also": [settle_and_undo]}),
    "swap": (build, migrate(SWAPPED), settle, {}),
    "chain": (build, migrate(CHAINED), settle, {}),
}
MORE = {
    "container": (build, remove_box, settle, {"aim": delete("r/box.zarr")}),
    "listed array": (build_consolidated, remove("left", step=1), settle, {}),
    "for a while": (build, remove("left", step=1, grace=DAY), settle_and_purge, {"aim": delete("r/box.zarr/left")}),
    "purge": (build_removed, purge, settle_and_purge, {}),
    "move": (build, migrate(MOVED), settle, {}),
    "listed swap": (build_consolidated, migrate(SWAPPED), settle, {}),
    "swap across": (build, across(migrate(SWAPPED)), across(settle), {"aim": migrate(SWAPPED)}),
    "listed move": (build_consolidated, migrate(MOVED), settle, {}),
}
CODES = [errno.ENOSPC, errno.EIO, errno.EACCES]
everywhere = pytest.mark.parametrize("name", [*CASES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])


@pytest.fixture
def scratch():
    with fast_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def warm():
    """Do here once what every child would do again: much is made ready when it is first used."""
    with fast_folder() as root:
        assert run(build, root).error is None
        store = Store(root, FIRST)
        for kind, step in (("left", 1), ("ancient", 1), ("part", 7), ("note", 1)):
            store.plan_removal(store.identifier(kind, run="r", step=step), recursive=kind == "part")
        for new in (SWAPPED, CHAINED, MOVED):
            store.plan_migration(new)
        remove("note", step=1, grace=DAY)(root)
        undo(root)
        migrate(MOVED)(root)
        gc.collect()
        gc.freeze()  # what a child never touches is never copied for it
        yield
        gc.unfreeze()


@pytest.fixture
def case(scratch, warm):
    """The function that makes a case, perhaps with a bug."""

    def make(name, plant=None):
        build_it, operate, recover, more = (CASES | MORE)[name]
        also = [*more.get("also", ()), leaving_holders(operate)]
        return Case(scratch, build_it, operate, recover, plant=plant, **(more | {"also": also}))

    return make


class TestCases:
    """The cases are what they are meant to be."""

    @pytest.mark.parametrize(("new", "moved"), [(SWAPPED, 2), (CHAINED, 4), (MOVED, 7)])
    def test_migrations(self, scratch, new, moved):
        """A migration keeps every array, under the key that it has."""
        case = Case(scratch, build, migrate(new), settle)
        names = {path: json.loads(found["attributes"])["kind"] for path, found in _attributes(case.new).items()}
        assert names == {new.render(kind, run="r", step=1).path: kind for kind in names.values()}
        assert len(arrays(case.old)) == len(arrays(case.new)) == 5
        assert len(arrays(case.old).keys() - arrays(case.new).keys()) <= moved


def _attributes(snapshot):
    found = {}
    for path, files in arrays(snapshot).items():
        for name, key in (("zarr.json", "attributes"), (".zattrs", None)):
            if f"{path}/{name}" in files:
                data = json.loads(files[f"{path}/{name}"])
                found[path] = {"attributes": json.dumps(data if key is None else data[key])}
    return {path: one for path, one in found.items() if "kind" in one["attributes"]}


LONG = frozenset({"move", "listed move", "listed swap", "swap across"})


class TestKilled:
    """Whatever dies at whichever call: no array is lost, none is seen by half, and a recovery makes the store whole."""

    @everywhere
    def test_at_every_call(self, case, name):
        """Killed at every call, and recovered, a store is wholly old or wholly new."""
        verdict = case(name).kill()
        assert verdict.failed == 0, verdict
        assert verdict.points > 15

    @pytest.mark.parametrize("name", ["listed old array", "undo", "chain"])
    def test_in_every_write(self, case, name):
        """A write that was done by half is none."""
        verdict = case(name).kill(is_torn=True)
        assert verdict.failed == 0, verdict
        assert verdict.calls["write"] > 1

    @pytest.mark.parametrize("name", ["old array", "swap"])
    def test_in_the_recovery(self, case, name):
        """A recovery may be killed too."""
        verdict = case(name).kill_recoveries(every=14, depth=1)
        assert verdict.failed == 0, verdict
        assert verdict.points > 15

    @pytest.mark.nightly
    @everywhere
    def test_in_every_recovery(self, case, name):
        """Every recovery may be killed at every call, and the recovery of that; of long operations, some, and once."""
        verdict = case(name).kill_recoveries(**({"every": 9, "depth": 1} if name in LONG else {}))
        assert verdict.failed == 0, verdict
        assert verdict.points > 15

    def test_while_giving_up(self, case):
        """After a call has failed, it may be killed while it puts everything back."""
        verdict = case("swap across").kill_after_failing(every=9)
        assert verdict.failed == 0, verdict
        assert verdict.points > 15

    @pytest.mark.slow
    @everywhere
    def test_while_giving_up_anywhere(self, case, name):
        """So it is for every operation, whichever call failed."""
        verdict = case(name).kill_after_failing(every=17 if name in LONG else 4)
        assert verdict.failed == 0, verdict
        assert verdict.points > 5

    def test_by_strace(self, case, scratch):
        """So it is where strace, if there is one, kills at every system call."""
        made = case("swap")
        verdict = straced.kill(made, f"{scratch}/log") if straced.can_trace() else made.kill()
        assert verdict.failed == 0, verdict
        assert verdict.points > 15

    @pytest.mark.nightly
    @everywhere
    def test_all_by_strace(self, case, scratch, name):
        """So it is for every operation."""
        made = case(name)
        verdict = straced.kill(made, f"{scratch}/log") if straced.can_trace() else made.kill()
        assert verdict.failed == 0, verdict
        assert verdict.points > 15


class TestFailing:
    """Whichever call fails: the store is wholly old or wholly new, at the latest when it was recovered."""

    @pytest.mark.parametrize("code", CODES)
    @pytest.mark.parametrize("name", ["array", "swap"])
    def test_at_every_change(self, case, name, code):
        """A call that changes something fails once."""
        verdict = case(name).fail(code, reads=False)
        assert verdict.failed == 0, verdict
        assert verdict.points > 15

    @pytest.mark.parametrize("name", ["old array", "swap", "swap across"])
    def test_full_disk(self, case, name):
        """A disk that is full stays full; what was begun to be written is there by half."""
        verdict = case(name).fail(errno.ENOSPC, is_lasting=True, is_torn=True, reads=False)
        assert verdict.failed == 0, verdict

    @pytest.mark.nightly
    @pytest.mark.parametrize("code", CODES)
    @everywhere
    def test_at_every_call(self, case, name, code):
        """Any call fails, also one that only looks."""
        verdict = case(name).fail(code, reads=code != errno.ENOSPC)
        assert verdict.failed == 0, verdict

    @pytest.mark.nightly
    @pytest.mark.parametrize("code", CODES)
    @everywhere
    def test_from_every_call_on(self, case, name, code):
        """All calls fail from one on."""
        verdict = case(name).fail(code, is_lasting=True, reads=code != errno.ENOSPC)
        assert verdict.failed == 0, verdict

    @pytest.mark.nightly
    @pytest.mark.parametrize("code", ["ENOSPC", "EIO", "EACCES"])
    @pytest.mark.parametrize("name", ["listed old array", "listed move"])
    def test_by_strace(self, case, scratch, name, code):
        """Any system call fails, where strace can do that."""
        made = case(name)
        number = getattr(errno, code)
        verdict = straced.fail(made, f"{scratch}/log", code) if straced.can_trace() else made.fail(number)
        assert verdict.failed == 0, verdict


class TestPowerCut:
    """When the power is cut, what was not brought to the disk may be lost, and nothing else is."""

    @pytest.mark.parametrize("name", ["old array", "undo", "swap"])
    def test_at_every_call(self, case, name):
        """Cut off at every call, and recovered, a store is wholly old or new; what has ended is done for good."""
        verdict = powercut.cut(case(name))
        assert verdict.failed == 0, verdict
        assert verdict.points > 15

    @pytest.mark.slow
    @everywhere
    def test_all_at_every_call(self, case, name):
        """So it is for every operation."""
        verdict = powercut.cut(case(name))
        assert verdict.failed == 0, verdict
        assert verdict.points > 10


class Died(BaseException):
    """What a process that dies says."""


def dying(number, task):
    """Do a task up to the n-th time that renames are brought to the disk, and die there."""

    def operate(root):
        syncs = itertools.count(1)
        sync, give_up = aside.Aside.sync, moving._Moving._give_up

        def dies(self):
            if next(syncs) == number:
                raise Died
            sync(self)

        aside.Aside.sync, moving._Moving._give_up = dies, lambda _: None
        try:
            with suppress(Died):
                task(root)
        finally:
            aside.Aside.sync, moving._Moving._give_up = sync, give_up

    return operate


def in_turn(*tasks):
    """Do one after the other."""

    def operate(root):
        for task in tasks:
            task(root)

    return operate


def failing(root):
    """A migration that fails when everything has come to its place, and gives up."""
    with pytest.MonkeyPatch.context() as patch, suppress(OSError):
        patch.setattr(moving._Moving, "_make", lambda _: os.close(-1))
        migrate(SWAPPED)(root)


FORWARD = in_turn(dying(2, migrate(SWAPPED)), settle)
BACK = in_turn(dying(1, migrate(SWAPPED)), dying(1, settle), settle)


class TestPowerCutLater:
    """The power may be cut after a process has died, or while what has failed is put back."""

    @pytest.mark.parametrize("where", [lambda task: task, across], ids=["here", "across"])
    @pytest.mark.parametrize("task", [FORWARD, BACK, failing], ids=["forward", "back", "failing"])
    def test_at_every_call(self, scratch, monkeypatch, task, where):
        """What others have renamed is brought to the disk before anything counts on it."""
        monkeypatch.setattr(judging, "normal", lambda snapshot: without_modes(normal(snapshot)))
        case = Case(scratch, build, where(migrate(SWAPPED)), where(settle), aim=migrate(SWAPPED))
        if task is not FORWARD:  # it ends with the old store
            case.states = case.states[::-1]
        verdict = powercut.cut(case, task=where(task))
        assert verdict.failed == 0, verdict
        assert verdict.points > 15


def without_modes(snapshot):
    return {path: (stat.S_IFMT(mode), content) for path, (mode, content) in snapshot.items()}


@pytest.mark.parametrize("dies_at", range(5))
def test_a_mark_that_stays(scratch, dies_at):
    """A phase that was written down, though an error says that it was not, does not lead a recovery astray."""
    names = layout("names", left="l2", right="r2", ancient="a2")

    def operate(root):
        written, cut, renamed = [], [], itertools.count()
        write, fsync, truncate, rename = os.write, os.fsync, os.ftruncate, descent._rename

        def writes(descriptor, data):
            if b'"staged"' in bytes(data):
                written.append(data)
            return write(descriptor, data)

        def syncs(descriptor):
            if written and not cut:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            fsync(descriptor)

        def truncates(descriptor, length):
            if written and not cut:
                cut.append(length)
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            truncate(descriptor, length)

        def renames(*args):
            if cut and next(renamed) == dies_at:
                os._exit(0)
            rename(*args)

        os.write, os.fsync, os.ftruncate, descent._rename = writes, syncs, truncates, renames
        migrate(names)(root)

    case = Case(scratch, build, migrate(names), settle)
    case.reset()
    run(operate, case.root)
    assert case.mended_badly() == []


def test_without_renaming_that_never_replaces(scratch):
    """Where the system only links and unlinks files, a call that fails leaves no second name."""
    names = layout("names", notes="texts", ancient="older")

    def plain(task):
        def operate(root):
            descent._renameat2 = descent._unsupported
            task(root)

        return operate

    case = Case(scratch, build, plain(migrate(names)), plain(settle), aim=migrate(names))
    verdict = case.fail(errno.EIO, reads=False)
    assert verdict.failed == 0, verdict
    assert verdict.points > 15


# --- planted bugs ----------------------------------------------------------------------------------------------------


def without_syncs():
    """Bring nothing to the disk but journals."""
    descent.Descent.sync = lambda *_: None


def without_synced_journals():
    """Rename a journal to its name before its content is on the disk."""

    def write(descriptor, line):
        os.write(descriptor, line)

    journal._write = write


def without_marks():
    """Write down no phase."""

    def mark(self, phase):
        self._mark = journal.Mark(phase, 0.0)

    journal.Journal.mark = mark


def without_stage():
    """Move things to their targets at once."""

    def stage(self, *_):
        for thing, target in self._moves:
            place = self._descent.shown(target or f".zarrange/stage/{self.journal.name}/{thing.name}")
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.rename(self._descent.shown(thing.path), place)

    moving._Moving._stage = stage


def with_late_journal():
    """Take the first thing aside before the journal is written."""
    real = journal.begin

    def begin(way, intent, *arguments):
        source = f"{way.root}/{intent.moves[0].source}"
        os.rename(source, f"{way.root}/.zarrange.early")
        try:
            return real(way, intent, *arguments)
        finally:
            os.rename(f"{way.root}/.zarrange.early", source)

    journal.begin = begin


def with_early_purge():
    """Delete before it is written down that there is no way back."""
    real = moving._Moving._take_rests

    def take_rests(self):
        real(self)
        self._aside.delete([*self._rests, *(thing for thing, _ in self._moves)])

    moving._Moving._take_rests = take_rests


def with_trust_in_destinations():
    """Take what exists at a target for what was moved there."""
    real = moving._Moving.recover

    def recover(self):
        if all(self._descent.status(target) is not None for _, target in self._moves if target is not None):
            self._complete()
        else:
            real(self)

    moving._Moving.recover = recover


def with_chunks_first():
    """Hide the metadata of an array in the wrong order."""
    real = removal._moves
    removal._moves = lambda step: reversed([*real(step)])


def without_lists():
    """Leave what is hidden in the lists of groups until it is deleted."""
    moving.strip = lambda *_: None


def with_half_lines():
    """Count a line of a journal that was not written to its end."""
    real = journal._blocks
    journal._blocks = lambda descriptor, size: [*real(descriptor, size), b"\n"]


def without_recovery():
    """Recover nothing."""
    upkeep._recover = lambda *_: None


def kill(case):
    return case.kill(stops=True)


PLANTED = {
    without_syncs: ("old array", powercut.cut),
    without_synced_journals: ("array", powercut.cut),
    without_marks: ("swap", kill),
    without_stage: ("move", kill),
    with_late_journal: ("array", kill),
    with_early_purge: ("purge, else undo", kill),
    with_trust_in_destinations: ("swap", kill),
    with_chunks_first: ("old array", kill),
    without_lists: ("listed old array", kill),
    with_half_lines: ("file", lambda case: case.kill(is_torn=True)),
    without_recovery: ("array", kill),
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_bugs(case, plant):
    """A bug in the protocol, of which the tests above are the only guard, is caught."""
    name, judge = PLANTED[plant]
    verdict = judge(case(name, plant))
    assert verdict.failed > 0


def test_unharmed(case):
    """What a child plants stays in the child."""
    assert case("array", without_recovery).calls()
    assert upkeep._recover.__module__ == "zarrange.stores.upkeep"
    assert Path(upkeep.__file__).name == "upkeep.py"
