"""Workers that create, read, remove, undo, purge, prune and migrate side by side, and are killed all the time."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.stores import torturing
from tests.stores.judging import arrays, fast_folder, take

from zarrange import Store
from zarrange.cli import main

WORKERS = 6
ENOUGH = 60
LONG = 20
CLEAN = multiprocessing.get_context("forkserver")
CLEAN.set_forkserver_preload(["tests.stores.torturing"])


@pytest.fixture
def scratch():
    with fast_folder() as folder:
        yield Path(folder)


def torture(root, log, seconds, grace):
    """Let workers work, and kill one after the other; return when each one was killed."""
    killed = {}
    seeds = iter(range(1_000_000))

    def start():
        worker = CLEAN.Process(target=torturing.work, args=(root, log, next(seeds), grace), daemon=True)
        worker.start()
        return worker

    def kill(worker):
        worker.kill()
        worker.join()
        killed[worker.pid] = time.monotonic()

    workers = [start() for _ in range(WORKERS)]
    wait_for(log, '"ready"', WORKERS)
    end = time.monotonic() + seconds
    while time.monotonic() < end or count(log, '"problem": null') < ENOUGH:
        time.sleep(random.uniform(0.05, 0.4))
        at = random.randrange(WORKERS)
        assert workers[at].is_alive()
        kill(workers[at])
        workers[at] = start()
    for worker in workers:
        kill(worker)
    return killed


def count(log, text):
    return Path(log).read_text().count(text) if Path(log).exists() else 0


def wait_for(log, text, number):
    while count(log, text) < number:
        time.sleep(0.01)


class History:
    """What a log tells."""

    def __init__(self, log, killed):
        self.lines = [json.loads(line) for line in Path(log).read_text().splitlines()]
        ends = {(one["worker"], one["number"]): one for one in self.lines if "end" in one}
        self.done = []
        for one in self.lines:
            if "begin" in one:
                ended = ends.get((one["worker"], one["number"]))
                until = killed[one["worker"]] if ended is None else ended["at"]
                self.done.append(one | {"until": until, "problem": "killed" if ended is None else ended["problem"]})
        self.done = [one for one in self.done if one["begin"] == "read" or one["problem"] in {None, "killed"}]
        self.removals = [one for one in self.done if one["begin"] in ("remove", "prune")]
        self.readings = [*self._readings()]

    def _readings(self):
        opened = {}
        for one in self.lines:
            if "opened" in one:
                opened[one["worker"]] = one["at"]
            elif "values" in one:
                yield Reading(one["key"], opened[one["worker"]], one["at"], one["values"], *self._whole(one))

    def _whole(self, line):
        """How long the whole of a reading took, and what its context said at its end."""
        for one in self.done:
            if one["begin"] == "read" and one["worker"] == line["worker"] and one["at"] <= line["at"] <= one["until"]:
                return one["at"], one["until"], one["problem"]
        raise AssertionError(line)

    def taken(self, reading):
        """Return what may have taken the array away while it was read, or its chunks: not only out of sight."""
        removals = [one for one in self._during(reading, self.removals) if one["key"] in (reading.key, None)]
        purges = [one for one in self._during(reading, self.done) if one["begin"] == "purge at once" and removals]
        ended = [one for one in removals if one["at"] + one["grace"] <= reading.end]
        return ended + purges + [one for one in self._during(reading, self.done) if one["begin"] == "migrate"]

    def _during(self, reading, done):
        # What was killed is ended later, by anybody; but who opens an array later does not find one that was hidden.
        return [one for one in done if one["at"] <= reading.end and one["until"] >= reading.begin]

    def kept(self, reading):
        """Return the removals of an array while it was read, whose grace was not over."""
        within = [one for one in self.removals if reading.since <= one["at"] <= one["until"] <= reading.until]
        return [one for one in within if one["key"] == reading.key and one["problem"] is None]


@dataclass
class Reading:
    """A reading that came to its end: of what, from when to when, what was read, and what its context said then."""

    key: str
    since: float
    until: float
    values: list[int]
    begin: float
    end: float
    problem: str | None

    @property
    def is_torn(self):
        return 0 in self.values or len(set(self.values)) > 1


@pytest.mark.parametrize(
    ("seconds", "grace"), [(3, 1), pytest.param(LONG, 2, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_torture(scratch, capsys, seconds, grace):
    """Nothing that can be read within its grace is torn, none is torn unnoticed, and after a recovery all is whole."""
    root, log = str(scratch / "store"), str(scratch / "log")
    Store.init(root, torturing.LAYOUTS["training"])
    killed = torture(root, log, seconds, grace)
    history = History(log, killed)
    torn = [one for one in history.readings if one.is_torn]
    undisturbed = [one for one in history.readings if not history.taken(one)]
    assert [one for one in undisturbed if one.is_torn or one.problem not in (None, "killed")] == []
    assert [one for one in torn if one.problem is None] == []
    assert undisturbed != []
    assert seconds < LONG or [one for one in undisturbed if history.kept(one)] != []

    assert doctor(root, "--recover", "--purge=all") == 0
    capsys.readouterr()
    doctor(root, "--format", "json")
    assert [one for one in json.loads(capsys.readouterr().out) if not is_empty_group(one)] == []
    assert sorted(os.listdir(f"{root}/.zarrange")) == ["layout", "store.json"]
    found = take(root)
    assert [path for path in found if path.endswith(".partial") or "/.zarrange-" in path] == []
    store = Store(root)
    there = arrays(found)
    assert {entry.path for entry in store.find(torturing.KIND)} == there.keys()
    for entry in store.find(torturing.KIND):
        values = store.open(store.identifier(entry.key.kind, **entry.key.values))[:]
        assert values[0] > 0
        assert set(values.tolist()) == {int(values[0])}
    chunks = {path.rpartition("/c/")[0] for path in found if "/c/" in path}
    assert chunks == there.keys()


def is_empty_group(finding):
    """Whether it is about a group with nothing in it: who removes an array leaves those above it, as do the killed."""
    below = [name for _, _, files in os.walk(finding["file"]) for name in files]
    return finding["rule"] == "unmatched-path" and set(below) <= {"zarr.json"} and not arrays(take(finding["file"]))


def doctor(*arguments):
    """Return the exit status of `zarrange doctor`."""
    with pytest.raises(SystemExit) as caught:
        main(["doctor", *arguments])
    return caught.value.code
