"""Judging a store that something has died in: what a fresh reader sees of it, and what a recovery makes of it.

A store is compared as a whole: every folder, file, mode and byte. Between a crash and the recovery an array, told by
its metadata, is whole or absent; after the recovery the store is wholly old or wholly new: nothing is left over.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import stat
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial

from tests.stores.killing import Call, Fault, run

from zarrange.stores.metadata import METADATA

WORKING = ".zarrange"
PASSING = (f"{WORKING}/tx", f"{WORKING}/stage", f"{WORKING}/trash", WORKING)
"""Folders that a store makes when it needs them; empty, they are as good as none."""
_varying = re.compile(rb"[0-9a-f]{16}|\d+\.\d+|process \d+")


@contextmanager
def fast_folder():
    """A folder in memory, where there is such a place."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield folder


def take(root):
    """Return all that is below a root: path → (mode, content), of folders `None`; the root itself is `"."`."""
    root = os.fspath(root)
    found = {".": (os.lstat(root).st_mode, None)}
    waiting = [""]
    while waiting:
        above = waiting.pop()
        with os.scandir(f"{root}/{above}") as entries:
            for entry in entries:
                path = above + entry.name
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    found[path] = (mode, None)
                    waiting.append(path + "/")
                else:
                    found[path] = (mode, _content(entry.path, mode))
    return found


def _content(path, mode):
    if stat.S_ISLNK(mode):
        return os.fsencode(os.readlink(path))
    with open(path, "rb") as file:
        return file.read()


def lay_out(snapshot, root):
    """Make a root what a snapshot says, with nothing else in it."""
    root = os.fspath(root)
    if os.path.lexists(root):
        shutil.rmtree(root)
    for path in sorted(snapshot):  # a folder comes before what is in it
        mode, content = snapshot[path]
        place = root if path == "." else f"{root}/{path}"
        if content is None:
            os.mkdir(place)
        elif stat.S_ISLNK(mode):
            os.symlink(os.fsdecode(content), place)
            continue
        else:
            with open(place, "wb") as file:
                file.write(content)
        os.chmod(place, stat.S_IMODE(mode))


def normal(snapshot):
    """Return a snapshot without the empty folders of work under way, and without what is in journals."""
    kept = {path: (mode, None if _is_journal(path) else content) for path, (mode, content) in snapshot.items()}
    for folder in PASSING:
        if not any(path.startswith(f"{folder}/") for path in kept):
            kept.pop(folder, None)
    return kept


_is_journal = re.compile(rf"{re.escape(WORKING)}/tx/[0-9a-f]{{16}}\.journal").fullmatch


def essence(snapshot):
    """Return what makes two states of a store the same: names, times and processes of transactions do not count.

    Nor does how many files were being written into a folder when somebody died: all of them are swept together.
    """
    return frozenset(
        (_varying.sub(b"*", path.encode()), mode, None if _is_aside(path) else _varying.sub(b"*", content or b""))
        if _is_passing(path)
        else (path, mode, content)
        for path, (mode, content) in snapshot.items()
    )


def _is_passing(path):
    """Whether a path has a name that only work under way has, with something in it that is new each time."""
    return not _is_seen(path) or _is_aside(path)


_is_aside = re.compile(r"(?:.*/)?\.[0-9a-f]{16}\.partial").fullmatch


# --- what a fresh reader sees ----------------------------------------------------------------------------------------


def arrays(snapshot):
    """Return the arrays that are to be seen: path → what is in its folder."""
    found = {}
    for path, (_, content) in snapshot.items():
        folder, _, name = path.rpartition("/")
        is_new = name == "zarr.json" and _parsed(content).get("node_type") == "array"
        if _is_seen(path) and (is_new or name == ".zarray"):
            found[folder] = {}
    for path, (_, content) in snapshot.items():
        if content is not None:
            for folder in _above(path):
                if folder in found:
                    found[folder][path] = content
    return found


def _above(path):
    steps = path.split("/")
    return ["/".join(steps[:length]) for length in range(1, len(steps))]


def _is_seen(path):
    """Whether something is not the store's own, wherever it waits."""
    return not path.startswith(WORKING) and f"/{WORKING}" not in path


@lru_cache(maxsize=512)
def _parsed(content):
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class Sight:
    """What a fresh reader may see, where `wholes` are stores each of whose arrays is a whole one."""

    def __init__(self, *wholes):
        self.wholes = wholes
        self.arrays = [arrays(one) for one in wholes]

    def problems(self, snapshot):
        """Return what is wrong with what a fresh reader sees."""
        found = []
        for folder in arrays(snapshot):
            if not self._is_whole(folder, snapshot, lambda files: files):
                known = any(folder in one for one in self.arrays)
                found.append(f"the array {folder!r} is {'half there' if known else 'in a place of no array'}")
        for path, (_, content) in snapshot.items():
            if content is not None and _is_seen(path):
                found += self._of_file(path, content, snapshot)
        return found

    def _is_whole(self, folder, snapshot, part):
        choices = [part(one[folder]) for one in self.arrays if folder in one]
        return any(all(path in snapshot and snapshot[path][1] == files[path] for path in files) for files in choices)

    def _of_file(self, path, content, snapshot):
        folder, _, name = path.rpartition("/")
        if name in METADATA:
            if not _parsed(content) and content != b"{}":
                return [f"{path!r} is no JSON"]
            return self._of_list(folder, _listed(name, content), snapshot)
        if any(path in one and one[path][1] == content for one in self.wholes):
            return []
        if name.startswith(".") or name.endswith(".partial"):
            return []
        return [f"the file {path!r} is neither old nor new"]

    def _of_list(self, folder, names, snapshot):
        """A group that lists an array: who reads it by that list finds the chunks, or gets zeros without any word."""
        paths = [f"{folder}/{inner}" if folder else inner for inner in names]
        return [
            f"{folder!r} lists {path!r}, whose chunks are not all there"
            for path in paths
            if not self._is_whole(path, snapshot, _chunks)
        ]


def _listed(name, content):
    if name == "zarr.json":
        found = (_parsed(content).get("consolidated_metadata") or {}).get("metadata", {})
        return [path for path, node in found.items() if node["node_type"] == "array"]
    if name == ".zmetadata":
        found = _parsed(content).get("metadata", {})
        return [path.removesuffix("/.zarray") for path in found if path.endswith("/.zarray")]
    return []


def _chunks(files):
    return {path: content for path, content in files.items() if path.rpartition("/")[2] not in METADATA}


# --- a case ----------------------------------------------------------------------------------------------------------


@dataclass
class Verdict:
    """How many points were tried, at which calls, and which of them ended badly."""

    points: int = 0
    calls: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    failed: int = 0

    def add(self, struck, problems, what):
        """Count a point."""
        self.points += 1
        self.calls[struck.name] += 1
        self.failed += bool(problems)
        self.failures += [f"{what} at {struck}: {problem}" for problem in problems]

    def __str__(self):
        shown = "\n".join(self.failures[:8])
        return f"{self.failed} of {self.points} points failed\n{shown}"


class Case:
    """An operation on a store, to die in.

    `build(root)` makes the store in a folder that is there, `operate(root)` is what is tried, `recover(root)` what
    mends the store afterwards, `aim(root)` makes the new store out of the old one by plain means (without it: what is
    tried, undisturbed); each runs in a child of its own. `also` make more stores that are as good. `plant()` is
    called in the children that operate and recover: there, a bug may be planted.
    """

    def __init__(self, scratch, build, operate, recover, *, aim=None, also=(), plant=None):  # noqa: PLR0913
        self.root = os.path.realpath(os.path.join(scratch, "store"))
        self.operate = operate
        self.recover = recover
        self.plant = plant
        lay_out({".": (stat.S_IFDIR | 0o755, None)}, self.root)
        self._do(build)
        self.old = take(self.root)
        self.new = self._made(aim or operate)
        others = [self._made(task) for task in also]
        self.states = [normal(one) for one in (self.old, self.new, *others)]
        self.sight = Sight(self.old, self.new, *others)

    def _made(self, task):
        self.reset()
        self._do(task)
        return take(self.root)

    def _do(self, task):
        outcome = run(task, self.root)
        if outcome.error:
            raise RuntimeError(outcome.error)

    def reset(self):
        """Make the store the old one again."""
        lay_out(self.old, self.root)

    def calls(self, *, reads=False):
        """Return the calls of the operation, undisturbed."""
        outcome, _ = self.strike(Fault(0, reads=reads))
        if outcome.error:
            raise RuntimeError(outcome.error)
        return outcome.calls

    # --- one point

    def strike(self, fault, *, task=None, start=None):
        """Run the operation with a fault, on the old store or another one; return its outcome and what is left."""
        lay_out(self.old if start is None else start, self.root)
        outcome = run(task or self.operate, self.root, fault, before=self.plant)
        return outcome, take(self.root)

    def mended_badly(self, *, done=False):
        """Recover, and return what is wrong then. `done`: the operation said that it had succeeded."""
        outcome = run(self.recover, self.root, before=self.plant)
        if outcome.error:
            return [f"the recovery raised {outcome.error.strip()[-2000:]}"]
        found = normal(take(self.root))
        if found in (self.states[1:2] if done else self.states):
            return []
        if done and found in self.states:
            return ["it said that it had succeeded, and the store is not the new one"]
        return [f"the store is neither old nor new: {self.difference(found)}"]

    def difference(self, found):
        """Say in what a store differs from the states that it may be in, from the nearest one first."""
        told = []
        for state in self.states:
            gone = sorted(state.keys() - found.keys())
            more = sorted(found.keys() - state.keys())
            other = sorted(path for path in state.keys() & found.keys() if state[path] != found[path])
            told.append((len(gone) + len(more) + len(other), f"lost {gone[:6]}, more {more[:6]}, other {other[:6]}"))
        return " | ".join(text for _, text in sorted(told))

    # --- all points

    def points(self, fault, **options):
        """Strike with `fault(1)`, `fault(2)`, … until an operation is no more struck; yield what `strike` returns."""
        for number in itertools.count(1):
            outcome, now = self.strike(fault(number), **options)
            if outcome.struck is None and outcome.error is not None:
                raise RuntimeError(outcome.error)
            yield outcome, now
            if outcome.struck is None:
                return

    def kill(self, *, is_torn=False, stops=False):
        """Die before every call and behind the last one (or, torn, in the middle of every write), and recover.

        `stops`: the first failure is enough.
        """
        verdict = Verdict()
        if is_torn:
            numbers = [call.number for call in self.calls() if call.name == "write"]
            struck = (self.strike(Fault(number, is_torn=True)) for number in numbers)
        else:
            struck = self.points(Fault)
        for number, (outcome, now) in enumerate(struck, 1):
            is_done = outcome.struck is None
            call = Call(number, "the end", "", ()) if is_done else outcome.struck
            verdict.add(call, self.sight.problems(now) + self.mended_badly(done=is_done), "killed")
            if stops and verdict.failed:
                break
        return verdict

    def fail(self, code, *, is_lasting=False, is_torn=False, reads=True):
        """Have every call fail, once or from then on; then recover in another process."""
        verdict = Verdict()
        fault = partial(Fault, code=code, is_lasting=is_lasting, is_torn=is_torn, reads=reads)
        for outcome, now in self.points(fault):
            if outcome.struck is not None:
                problems = self.sight.problems(now) + self.mended_badly(done=outcome.error is None)
                verdict.add(outcome.struck, problems, f"{os.strerror(code)} (raised: {_last(outcome.error)})")
        return verdict

    def kill_after_failing(self, *, every=1):
        """Have a call fail, each n-th one, and die before every call of what is done about that; then recover."""
        verdict = Verdict()
        for failing in range(1, len(self.calls()) + 1, every):
            for number in itertools.count(failing + 1):
                outcome, now = self.strike(Fault(number, fails=failing))
                if outcome.struck is None:
                    break
                problems = self.sight.problems(now) + self.mended_badly()
                verdict.add(outcome.struck, problems, f"killed after call {failing} failed,")
        return verdict

    def kill_recoveries(self, *, every=1, depth=None):
        """Die before every call of the recovery of every crash, and again in the recovery of that, until nothing new.

        Crashes that leave the same store are one. `every`: only each n-th crash of the operation is recovered from;
        `depth`: how many crashes may follow the first.
        """
        verdict = Verdict()
        crashed = [now for outcome, now in self.points(Fault) if outcome.struck is not None]
        waiting = [*{essence(now): (now, 1) for now in crashed[::every]}.values()]
        known = {essence(now) for now, _ in waiting}
        while waiting:
            start, level = waiting.pop()
            for outcome, now in self.points(Fault, task=self.recover, start=start):
                if outcome.struck is None:
                    continue
                verdict.add(outcome.struck, self.sight.problems(now) + self.mended_badly(), f"crash {level + 1}")
                if essence(now) not in known and (depth is None or level < depth):
                    known.add(essence(now))
                    waiting.append((now, level + 1))
        return verdict


def _last(error):
    return error.strip().rpartition("\n")[2][:200] if error else None
