"""Workers that do everything to one store at once, and are killed at any moment; each writes a log of what it does.

A line of the log is written before something begins and when it has ended, so that it tells what may have happened
during a reading: only what takes chunks away at once may have torn it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import numpy as np
import zarr.codecs  # noqa: F401 - here, and not in each worker

from zarrange import Layout, Store
from zarrange.errors import ZarrangeError

LAYOUTS = {name: Layout.load(name) for name in ("training", "hive")}
CHUNKS = 6
KIND = "validation_prediction"
PAUSE = 0.02
for _layout in LAYOUTS.values():  # done once, before the workers are forked
    _layout.clashes()
    _layout.match(_layout.render(KIND, run="r", iteration=0, dataset="d").path)


class Log:
    """The log that all workers write to: lines that appear as a whole."""

    def __init__(self, path):
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._count = 0

    def write(self, **facts):
        os.write(self._file, f"{json.dumps(facts | {'at': time.monotonic(), 'worker': os.getpid()})}\n".encode())

    @contextlib.contextmanager
    def doing(self, what, key=None, grace=None):
        """Tell of the beginning and of the end of something, and of what it raised."""
        self._count += 1
        number = self._count
        self.write(begin=what, number=number, key=key, grace=grace)
        problem = None
        try:
            yield
        except (ZarrangeError, FileNotFoundError) as error:
            problem = f"{type(error).__name__}: {error}"
        finally:
            self.write(end=what, number=number, problem=problem)


def opened(root):
    """Open a store, whose layout is one of two: it need not be read anew each time."""
    recorded = json.loads(Path(root, ".zarrange", "store.json").read_text())["layout"][0]
    return Store(root, LAYOUTS["hive" if "hive" in recorded else "training"])


def choose(random):
    return {"run": f"r{random.integers(2)}", "iteration": int(random.integers(4)), "dataset": "d"}


def work(root, log, seed, grace):
    """Do one thing after the other, until somebody kills us."""
    random = np.random.default_rng(seed)
    log = Log(log)
    log.write(ready=seed)
    actions = (create, read, remove, remove_at_once, undo, purge, prune, purge_at_once, migrate)
    chances = (0.42, 0.28, 0.11, 0.04, 0.05, 0.04, 0.02, 0.01, 0.03)
    while True:
        action = actions[random.choice(len(actions), p=chances)]
        with contextlib.suppress(ZarrangeError):
            action(opened(root), log, random, grace)


def create(store, log, random, _):
    key = choose(random)
    value = int(random.integers(1, 2**40))
    with log.doing("create", str(key)):
        store.create(store.identifier(KIND, **key), data=np.full(2 * CHUNKS, value), chunks=(2,), seal=True)


def read(store, log, random, _):
    """Open an array and read it slowly, chunk by chunk."""
    key = choose(random)
    with log.doing("read", str(key)), store.reading(store.identifier(KIND, **key)) as array:
        log.write(opened=str(key))
        values = []
        for chunk in range(CHUNKS):
            values += array[2 * chunk : 2 * chunk + 2].tolist()
            time.sleep(PAUSE)
        log.write(values=values, key=str(key))


def remove(store, log, random, grace):
    key = choose(random)
    with log.doing("remove", str(key), grace):
        store.remove(store.identifier(KIND, **key), grace=grace)


def remove_at_once(store, log, random, _):
    key = choose(random)
    with log.doing("remove", str(key), 0):
        store.remove(store.identifier(KIND, **key))


def undo(store, log, _, __):
    with log.doing("undo"):
        store.undo()


def purge(store, log, _, __):
    with log.doing("purge"):
        store.purge()


def purge_at_once(store, log, _, __):
    with log.doing("purge at once"):
        store.purge(is_now=True)


def prune(store, log, _, grace):
    with log.doing("prune", None, grace):
        store.plan_prune(KIND, keep_last=2, grace=grace, min_age="0s", force=True).apply()


def migrate(store, log, _, __):
    other = "hive" if store.layout.name == "training" else "training"
    with log.doing("purge at once"):
        store.purge(is_now=True)
    with log.doing("migrate"):
        store.plan_migration(LAYOUTS[other], force=True).apply()
