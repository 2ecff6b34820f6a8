"""Cutting the power: what an operation did is recorded, and what was not brought to the disk is dropped in many ways.

A folder's change is safe when the folder was synced after it (a rename: both folders), what is in a file when the
file was. Any choice of what is not safe may be lost, but as on any file system with a journal, a rename is lost as a
whole, and no change outlives one before it of the same thing or in the same folder. There, what is in a new folder does
not outlive the folder's name either, and syncing the folder makes its name safe. Modes are not lost.
"""

from __future__ import annotations

import itertools
import os
import pickle
import random
import stat
import threading
from dataclasses import dataclass, field

from tests.stores.judging import Verdict, essence, lay_out
from tests.stores.killing import Call, Fault, Interceptor, run

ALL_CHOICES = 5
"""Of so many changes that are not safe, every choice is tried; of more, some."""


@dataclass
class Change:
    """What a call changed: names (folder and name → the inode that had it, and that has it), and contents of files.

    `unsynced`: what has to be synced until it is safe.
    """

    names: dict
    contents: dict
    unsynced: set = field(default_factory=set)

    def things(self):
        """Return what keeps the order of its changes: a name, what has a name, the content of a file."""
        named = {inode for pair in self.names.values() for inode in pair if inode is not None}
        return set(self.names) | named | {("content of", inode) for inode in self.contents}

    def folders(self):
        """Return the folders in which names were changed."""
        return {folder for folder, _ in self.names}

    def made(self):
        """Return what was made: it has a name now, and had none."""
        return {new for old, new in self.names.values() if old is None and len(self.names) == 1}


class Recorder(Interceptor):
    """Notes what is below the root before each call, and what is synced."""

    def __init__(self, root):
        super().__init__(root, Fault(0), None)
        self.own = threading.local()
        self.events = []

    def reach(self, name, target, *, tear=None, is_reading=False):  # noqa: ARG002 - writes are whole
        """Note what is there before a call that changes something."""
        if not self.is_on or is_reading or getattr(self.own, "is_busy", False):
            return
        self.own.is_busy = True
        try:
            with self.lock:
                synced = os.fstat(target).st_ino if name in ("fsync", "fdatasync") else None
                self.events.append((survey(self.root), name, str(target), synced))
        finally:
            self.own.is_busy = False


def survey(root):
    """Return what is below a root, by inode: (mode, names and their inodes, or a file's content)."""
    top = os.lstat(root)
    found = {0: top.st_ino, top.st_ino: (top.st_mode, {})}
    waiting = [(root, top.st_ino)]
    while waiting:
        folder, inode = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                found[inode][1][entry.name] = status.st_ino
                if stat.S_ISDIR(status.st_mode):
                    found[status.st_ino] = (status.st_mode, {})
                    waiting.append((entry.path, status.st_ino))
                else:
                    with open(entry.path, "rb") as file:
                        found[status.st_ino] = (status.st_mode, file.read())
    return found


def record(case, task, start):
    """Run a task on a store; return its events, the last of which has no call."""
    lay_out(start, case.root)
    trace = f"{case.root}.trace"

    def recording(root):
        recorder = Recorder(root)
        recorder.install()
        task(root)
        recorder.is_on = False
        with open(trace, "wb") as file:
            pickle.dump([*recorder.events, (survey(root), "the end", "", None)], file)

    outcome = run(recording, case.root, before=case.plant)
    if outcome.error:
        raise RuntimeError(outcome.error)
    with open(trace, "rb") as file:
        return pickle.load(file)


def difference(before, after):
    """Return the change between two surveys, `None` for none."""
    names, contents = {}, {}
    for inode in {*before, *after} - {0}:
        old, new = (one.get(inode, (0, None))[1] for one in (before, after))
        if isinstance(new, dict) or isinstance(old, dict):
            old, new = old or {}, new or {}
            for name in {*old, *new}:
                if old.get(name) != new.get(name):
                    names[inode, name] = (old.get(name), new.get(name))
        elif new is not None and new != (old or b""):
            contents[inode] = (old or b"", new)
    if not names and not contents:
        return None
    return Change(names, contents, {folder for folder, _ in names} | set(contents))


def cut(case, *, task=None, start=None, new_names_follow=True):
    """Cut the power after every call of an operation, with every choice of losses; recover, and judge.

    `new_names_follow`: syncing a new folder makes its own name safe too. When the operation has ended, it has to be
    done for good.
    """
    verdict = Verdict()
    rng = random.Random(5)
    seen = set()
    events = record(case, task or case.operate, case.old if start is None else start)
    changes = []
    for number, (before, call, target, _) in enumerate(events, 1):
        if number > 1:
            earlier, _, _, synced = events[number - 2]
            change = difference(earlier, before)
            changes += [change] if change is not None else []
            if synced is not None:
                _sync(changes, synced, new_names_follow=new_names_follow)
        is_done = number == len(events)
        for lost, torn in _choices(changes, rng, new_names_follow=new_names_follow):
            state = _after(events, changes, lost, torn)
            if (essence(state), is_done) not in seen:
                seen.add((essence(state), is_done))
                lay_out(state, case.root)
                problems = case.sight.problems(state) + case.mended_badly(done=is_done)
                what = [name for at in sorted(lost) for _, name in changes[at].names][:6]
                verdict.add(
                    Call(number, call, target, ()), problems, f"power cut, {len(lost)} changes lost, of {what},"
                )
    return verdict


def _sync(changes, inode, *, new_names_follow):
    """Make safe what a sync of a file or a folder makes safe, and all that comes before it of the same things."""
    waiting = [inode]
    for change in changes:
        change.unsynced.discard(inode)
    while new_names_follow and waiting:
        folder = waiting.pop()
        for change in changes:
            if change.unsynced and folder in change.made():
                change.unsynced.clear()
                waiting += change.folders()
    safe = set()
    for change in reversed(changes):
        if not change.unsynced or change.things() & safe:
            change.unsynced.clear()
            safe |= change.things()


def _choices(changes, rng, *, new_names_follow):
    """Return what may be lost: numbers of changes, and perhaps one of which only a half is there."""
    unsafe = [number for number, change in enumerate(changes) if change.unsynced]
    if len(unsafe) <= ALL_CHOICES:
        chosen = [set(some) for size in range(len(unsafe) + 1) for some in itertools.combinations(unsafe, size)]
    else:
        chosen = [set(), set(unsafe)]
        chosen += [{one} for one in unsafe] + [set(unsafe) - {one} for one in unsafe]
        chosen += [set(unsafe[at:]) for at in range(1, len(unsafe))]
        chosen += [{one for one in unsafe if rng.random() < 0.5} for _ in range(10)]
    torn = [number for number in unsafe if changes[number].contents]
    losses = [(lost, None) for lost in chosen] + [({one}, one) for one in torn]
    follow = new_names_follow
    return {(frozenset(_with_followers(changes, unsafe, lost, follow) - {half}), half) for lost, half in losses}


def _with_followers(changes, unsafe, lost, new_names_follow):
    """Return what is lost together with what comes after it of the same things, or in the same folders."""
    things, folders, found = set(), set(), set()
    for number in unsafe:
        change = changes[number]
        if number in lost or change.things() & things or change.folders() & folders:
            found.add(number)
            things |= change.things()
            folders |= change.folders() | (change.made() if new_names_follow else set())
    return found


def _after(events, changes, lost, torn):
    """Return the store, as a snapshot, without the changes that were lost."""
    first = events[0][0]
    nodes = {}
    for survey_, *_ in events:
        nodes |= {inode: node for inode, node in survey_.items() if inode}
    tables = {inode: dict(node[1]) for inode, node in first.items() if inode and isinstance(node[1], dict)}
    contents = {inode: node[1] for inode, node in first.items() if inode and not isinstance(node[1], dict)}
    for number, change in enumerate(changes):
        if number not in lost:
            for (folder, name), (_, new) in change.names.items():
                table = tables.setdefault(folder, {})
                table.pop(name, None) if new is None else table.update({name: new})
            for inode, (old, new) in change.contents.items():
                contents[inode] = new if number != torn else new[: (len(old) + len(new)) // 2]
    found = {".": (nodes[first[0]][0], None)}
    waiting = [("", first[0])]
    while waiting:
        above, inode = waiting.pop()
        for name, below in tables.get(inode, {}).items():
            mode, content = nodes[below]
            if isinstance(content, dict):
                found[above + name] = (mode, None)
                waiting.append((f"{above}{name}/", below))
            else:
                found[above + name] = (mode, contents.get(below, b""))
    return found
