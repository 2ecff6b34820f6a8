"""Journals of transactions: what outlives a crash, whose it is, and what a stranger may have written into one."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from zarrange.errors import BusyError, DamagedError, NotFoundError, NotInStoreError, StoreError
from zarrange.stores.local import journal as journals
from zarrange.stores.local.descent import Descent
from zarrange.stores.local.journal import begin, seize
from zarrange.stores.transactions import Intent, Move

INTENT = Intent("remove", "the removal of 'a'", (Move("a/zarr.json", None, is_folder=False),), rests=("a",))
OTHER = Intent("prune", "the pruning of 'b'", (Move("b", None, is_folder=False),))
REPOSITORY = Path(__file__).parents[2]
NAME = "0123456789abcdef"
HEADER = {
    "zarrange": 1,
    "started": 10.0,
    "grace": 5.0,
    "owner": "process 7 on there",
    "intent": {
        "operation": "remove",
        "about": "the removal of 'a'",
        "rests": ["a"],
        **{key: [] for key in ("groups", "made", "record")},
        "is_recursive": False,
        "moves": [{"source": "a/zarr.json", "target": None, "is_folder": False}],
    },
}
PLACED = '{"phase": "placed", "at": 20.0}\n'


@pytest.fixture
def descent(root):
    with Descent(str(root)) as made:
        yield made


def found(descent):
    return journals.journals(descent)


def started(descent, intent=INTENT, grace=5.0):
    """A journal that is open, and closed in the end whatever happens."""
    return closing(begin(descent, intent, grace, lambda _: None))


def write(root, content, name=NAME):
    """A journal of a process that is no more."""
    folder = root / ".zarrange/tx"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.journal").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / f"{name}.journal"


def header(**changes):
    return json.dumps(HEADER | changes) + "\n"


@contextmanager
def elsewhere(code, root):
    """Another process that has run some code, and waits with it until it is told to end."""
    script = (
        f"import sys\nfrom tests.stores.test_journal import *\nroot = sys.argv[1]\n{code}\nprint('ready', flush=True)"
    )
    command = [sys.executable, "-c", f"{script}\nsys.stdin.read()", str(root)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.stdin.close()


class TestLines:
    """A transaction is as far as its last whole line says."""

    def test_each_phase(self, descent, root):
        """Each phase that is marked is on the disk, and what was written before it stays."""
        with started(descent) as journal:
            (file,) = (root / ".zarrange/tx").glob("*.journal")
            before = file.read_bytes()
            assert journal.phase == "begun"
            for phase in ("staged", "placed", "purging"):
                journal.mark(phase)
                assert file.read_bytes().startswith(before)
                before = file.read_bytes()
                (one,) = found(descent)
                assert (one.id, one.phase, one.intent, one.is_live) == (journal.name, phase, INTENT, True)

    def test_the_time(self, descent):
        """What is removed is kept for the grace from the moment on at which it was out of sight."""
        with started(descent, grace=100.0) as journal:
            begun = journal.transaction
            journal.mark("placed")
            kept = journal.transaction
        assert kept.started == begun.started
        assert kept.keep_until >= begun.started + 100.0
        assert [one.keep_until for one in found(descent)] == [kept.keep_until]

    def test_order(self, root, descent):
        """Transactions come in the order in which they began."""
        for at, name in enumerate(["f" * 16, "0" * 16, "a" * 16]):
            write(root, header(started=float(100 - at)), name)
        assert [one.id for one in found(descent)] == ["a" * 16, "0" * 16, "f" * 16]

    @pytest.mark.parametrize("torn", ["{", '{"phase": "purging", "at": 30.0}', '{"phase": "pur', " "])
    def test_torn_line(self, root, descent, torn):
        """A line without its end does not count, and is cut off before another is added."""
        file = write(root, header() + PLACED + torn)
        (one,) = found(descent)
        assert (one.phase, one.keep_until) == ("placed", 25.0)
        with closing(seize(descent, NAME)) as journal:
            assert journal.phase == "placed"
            journal.mark("purging")
        assert file.read_text().splitlines()[1] == PLACED.strip()
        assert [one.phase for one in found(descent)] == ["purging"]

    def test_a_disk_that_is_full(self, root, descent, monkeypatch):
        """A line that cannot be written as a whole is taken back, and the phase is what it was."""
        with started(descent) as journal:
            (file,) = (root / ".zarrange/tx").glob("*.journal")
            before = file.read_bytes()
            real = os.write

            def fail(number, content):
                if len(content) < 5:
                    raise OSError(28, "No space left on device")
                return real(number, content[:-4])

            monkeypatch.setattr(journals.os, "write", fail)
            with pytest.raises(OSError, match="No space"):
                journal.mark("placed")
            monkeypatch.undo()
            assert journal.phase == "begun"
            assert file.read_bytes() == before

    @pytest.mark.parametrize("failing", ["write", "fsync"])
    def test_never_begun(self, root, snapshot, monkeypatch, failing):
        """A transaction that cannot be written down leaves nothing."""
        before = snapshot(root)
        with Descent(str(root)) as descent:

            def fail(*_):
                raise OSError(28, "No space left on device")

            monkeypatch.setattr(journals.os, failing, fail)
            with pytest.raises(OSError, match="No space"):
                begin(descent, INTENT, 0, lambda _: None)
        monkeypatch.undo()
        assert snapshot(root) == before

    def test_names_that_are_no_text(self, descent):
        """A path need not be text to be written down."""
        intent = Intent("remove", "odd", (Move(os.fsdecode(b"a/\xff\xfe"), None, is_folder=False),))
        with started(descent, intent):
            assert [one.intent for one in found(descent)] == [intent]


HOSTILE = {
    "empty": "",
    "no line": '{"zarrange": 1',
    "no json": "nonsense\n",
    "a list": "[]\n",
    "no utf-8": b"\xff\xfe\n",
    "deep": "[" * 100_000 + "\n",
    "a long number": '{"zarrange": ' + "1" * 5_000 + "}\n",
    "a key too many": header(more=1),
    "a key twice": '{"zarrange": 1, "zarrange": 1}\n',
    "no intent": header(intent=None),
    "a phase": header() + '{"phase": "done", "at": 1.0}\n',
    "no time": header() + '{"phase": "placed", "at": null}\n',
    "not a number": header() + '{"phase": "placed", "at": NaN}\n',
    "an operation": header(intent=HEADER["intent"] | {"operation": "destroy"}),
    "a rest outside": header(intent=HEADER["intent"] | {"rests": ["../outside"]}),
    "an absolute rest": header(intent=HEADER["intent"] | {"rests": ["/outside"]}),
    "the root": header(intent=HEADER["intent"] | {"rests": [""]}),
    "its own folder": header(intent=HEADER["intent"] | {"rests": [".zarrange"]}),
    "a source outside": header(
        intent=HEADER["intent"] | {"moves": [{"source": "a/../../x", "target": None, "is_folder": True}]}
    ),
    "a target outside": header(
        intent=HEADER["intent"] | {"moves": [{"source": "a", "target": "../x", "is_folder": True}]}
    ),
    "a text outside": header(intent=HEADER["intent"] | {"record": [{"path": "../x", "content": "mine"}]}),
    "another text": header(intent=HEADER["intent"] | {"made": [{"path": "a/c/0", "content": "mine"}]}),
}


class TestHostile:
    """What a stranger wrote is checked as any other data: it is refused with its path, and nothing is touched."""

    @pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
    def test_content(self, root, snapshot, content):
        """A journal that is damaged, or would lead astray, is an error that names it."""
        (root.parent / "outside").mkdir()
        file = write(root, content)
        before = snapshot(root.parent)
        with Descent(str(root)) as descent:
            for ask in (lambda: found(descent), lambda: seize(descent, NAME)):
                with pytest.raises(DamagedError, match=rf"^{re.escape(repr(str(file)))} is damaged"):
                    ask()
        assert snapshot(root.parent) == before

    @pytest.mark.parametrize("more", [{}, {"of": "the future"}])
    def test_version(self, root, descent, snapshot, more):
        """A journal of another version says so, whatever else is in it."""
        file = write(root, header(zarrange=2, **more))
        before = snapshot(root)
        for ask in (lambda: found(descent), lambda: seize(descent, NAME)):
            with pytest.raises(StoreError, match=r"has the version 2; this zarrange knows 1$") as caught:
                ask()
            assert str(file) in str(caught.value)
        assert snapshot(root) == before

    @pytest.mark.parametrize("make", ["pipe", "folder", "symlink", "dangling", "loop"])
    def test_no_file(self, root, descent, snapshot, make):
        """What is no file in a journal's place is refused, not followed, and not waited for."""
        file = write(root, header())
        kept = file.rename(root / "journal")
        if make == "pipe":
            os.mkfifo(file)
        elif make == "folder":
            file.mkdir()
        else:
            file.symlink_to({"symlink": kept, "dangling": "nowhere", "loop": file}[make])
        before = snapshot(root)
        for ask in (lambda: found(descent), lambda: seize(descent, NAME)):
            with pytest.raises(StoreError, match=re.escape(str(file))):
                ask()
        assert snapshot(root) == before

    @pytest.mark.parametrize("name", ["notes.txt", f"{NAME}.journal.bak", "XYZ.journal", f"{NAME[:-1]}.journal"])
    def test_other_files(self, root, descent, snapshot, name):
        """What is not called as a journal is none, and stays when transactions begin and end."""
        (root / ".zarrange/tx").mkdir(parents=True)
        (root / ".zarrange/tx" / name).write_text("mine")
        before = snapshot(root)
        assert found(descent) == []
        with started(descent) as journal:
            journal.end()
        left = snapshot(root)
        left.pop(".zarrange/tx/lock", None)
        assert left == before

    @pytest.mark.parametrize("way", [".zarrange", ".zarrange/tx"])
    def test_the_way(self, root, tmp_path, snapshot, way):
        """A symlink or a file where journals are kept is refused, and neither side of it changes."""
        (tmp_path / "outside").mkdir()
        for make in (lambda path: path.symlink_to(tmp_path / "outside"), lambda path: path.write_text("x")):
            (root / way).parent.mkdir(exist_ok=True)
            make(root / way)
            before = snapshot(tmp_path)
            with Descent(str(root)) as descent:
                for ask in (lambda: found(descent), lambda: begin(descent, INTENT, 0, print)):
                    with pytest.raises(NotInStoreError, match=rf"{re.escape(way)}' is (a symlink|not a folder)"):
                        ask()
            assert snapshot(tmp_path) == before
            (root / way).unlink()

    @pytest.mark.parametrize("make", ["symlink", "folder"])
    def test_lock_in_the_way(self, root, tmp_path, snapshot, make):
        """A lock that is no file is refused with its path, and what it leads to stays as it is."""
        (tmp_path / "outside").write_text("theirs")
        lock = root / ".zarrange/tx/lock"
        lock.parent.mkdir(parents=True)
        lock.mkdir() if make == "folder" else lock.symlink_to(tmp_path / "outside")
        before = snapshot(tmp_path)
        with (
            Descent(str(root)) as descent,
            pytest.raises(StoreError, match=f"^'{re.escape(str(lock))}' is not a file$"),
        ):
            begin(descent, INTENT, 0, lambda _: None)
        assert snapshot(tmp_path) == before


class TestOwner:
    """As long as its process lives, a transaction is its own; then it is whoever takes it over."""

    def test_live(self, root, descent):
        """Another process sees a live transaction as such, and cannot take it over."""
        with elsewhere("descent = Descent(root); journal = begin(descent, INTENT, 5.0, len)", root) as process:
            (one,) = found(descent)
            assert (one.is_live, one.is_interrupted, one.phase) == (True, False, "begun")
            assert one.owner.startswith(f"process {process.pid} on ")
            with pytest.raises(BusyError, match=f"^the removal of 'a' is under way: process {process.pid} on .* is at"):
                seize(descent, one.id)
        (one,) = found(descent)
        assert (one.is_live, one.is_interrupted) == (False, True)
        with closing(seize(descent, one.id)) as journal:
            assert journal.intent == INTENT
            assert [one.is_live for one in found(descent)] == [True]

    def test_killed(self, root, descent):
        """A process that was killed lets go of its transaction."""
        with elsewhere("descent = Descent(root); journal = begin(descent, INTENT, 5.0, len)", root) as process:
            process.kill()
            process.wait()
        (one,) = found(descent)
        assert (one.is_live, one.is_interrupted) == (False, True)

    def test_let_go(self, descent):
        """A process that is done with a transaction that is kept lets go of it."""
        with started(descent) as journal:
            journal.mark("placed")
            assert not journal.is_over
        assert journal.is_over
        assert not journal.transaction.is_live
        assert [(one.is_live, one.is_interrupted) for one in found(descent)] == [(False, False)]

    def test_taken_over_once(self, root):
        """Of many that would take a transaction over at the same time, one does."""
        write(root, header())
        taken, refused = [], []
        barrier = threading.Barrier(4)

        def take():
            with Descent(str(root)) as own:
                barrier.wait()
                try:
                    taken.append(seize(own, NAME))
                except BusyError:
                    refused.append(1)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(taken), len(refused)) == (1, 3)
        taken[0].close()

    def test_over(self, root, descent):
        """A transaction that is over cannot be taken over, nor one that never was."""
        with started(descent) as journal:
            journal.end()
        for name in (journal.name, NAME):
            with pytest.raises(NotFoundError, match=r"there is no such transaction|over by now"):
                seize(descent, name)
        assert os.listdir(root) == []

    def test_refusal(self, root, snapshot):
        """Whoever begins is shown what is open, and leaves nothing where that is in the way."""
        with Descent(str(root)) as descent, started(descent):
            before = snapshot(root)
            seen = []

            def refuse(others):
                seen.extend(others)
                raise others[0].busy()

            with pytest.raises(BusyError, match="is under way"):
                begin(descent, OTHER, 0, refuse)
            assert [one.intent for one in seen] == [INTENT]
            assert snapshot(root) == before


class TestLock:
    """Transactions begin and end one after the other."""

    def test_patience(self, root, descent, monkeypatch):
        """A lock that somebody keeps for too long is an error that says where it is; nothing was begun."""
        monkeypatch.setattr(journals, "PATIENCE", 0.05)
        (root / ".zarrange/tx").mkdir(parents=True)
        with (root / ".zarrange/tx/lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(BusyError, match=re.escape(f"locked '{root}/.zarrange/tx/lock' for more than")):
                begin(descent, INTENT, 0, lambda _: None)
        assert found(descent) == []

    def test_lock_that_was_left(self, root, descent):
        """A lock of a process that died is nobody's: it is taken over, and removed in the end."""
        (root / ".zarrange/tx").mkdir(parents=True)
        (root / ".zarrange/tx/lock").write_text("")
        with started(descent) as journal:
            journal.end()
        assert os.listdir(root) == []

    def test_never_begun_by_another(self, root, descent):
        """What a process left that died before it had begun is removed; a folder of that name stays."""
        tx = root / ".zarrange/tx"
        tx.mkdir(parents=True)
        (tx / f"{NAME}.partial").write_text("{")
        (tx / f"{'0' * 16}.partial").mkdir()
        with started(descent) as journal:
            assert not (tx / f"{NAME}.partial").exists()
            journal.end()
        assert (tx / f"{'0' * 16}.partial").exists()

    def test_many(self, root):
        """Many that begin and end at the same time see each other, and leave nothing."""
        seen = []

        def work(number):
            for round_ in range(15):
                intent = Intent("remove", f"{number} {round_}", (Move(f"a/{number}/{round_}", None, is_folder=True),))
                with Descent(str(root)) as descent, started(descent, intent) as journal:
                    seen.append(journal.name in {one.id for one in found(descent)})
                    journal.mark("placed")
                    journal.end()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [True] * 60
        assert os.listdir(root) == []
