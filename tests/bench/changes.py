"""Removing and migrating on a disk, against what does the same without any care, side by side in one run.

    python tests/bench/changes.py [FOLDER] [--chunks N] [--arrays N]

Removing hides an array whatever its size, and purges it later: against `shutil.rmtree` of the same array. Migrating
renames each array twice, with a journal: against one bare `os.rename` for each, into folders made before, with an fsync
of the same folders; of a store that has rested for some seconds, and of one that was written just now, where no time is
relied on. The sides take turns, each on a store of its own; wall-clock times, and the turn with the
median ratio counts. Exit status 0 if every figure is met.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from functools import partial
from statistics import median
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from zarrange import Layout, Store
from zarrange.stores.stamps import TICK

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 5
HOUR = 3_600
MOST_MS = 5.0
LEAST_RATE = 0.8
MOST_RENAMES = 3.0
LAYOUT = """
zarrange: 1
fields:
  run: {{type: str}}
  step: {{type: int, min: 0}}
containers:
  box: {{path: "{{{{ run }}}}/box.zarr"}}
arrays:
  image: {{container: box, path: "{path}"}}
"""
OLD = Layout.parse(LAYOUT.format(path="{{ step }}"))
NEW = Layout.parse(LAYOUT.format(path="steps/{{ step | pad(8) }}"))
METADATA = (
    b'{"zarr_format": 3, "node_type": "array", "shape": [1], "data_type": "uint8", "chunk_grid": {"name": "regular", '
    b'"configuration": {"chunk_shape": [1]}}, "chunk_key_encoding": {"name": "default", "configuration": {"separator": '
    b'"/"}}, "fill_value": 0, "codecs": [{"name": "bytes"}]}'
)


def make_array(folder: str, chunks: int) -> None:
    """Make an array's folder with so many chunks."""
    os.makedirs(f"{folder}/c")
    with open(f"{folder}/zarr.json", "wb") as file:
        file.write(METADATA)
    for number in range(chunks):
        with open(f"{folder}/c/{number}", "wb") as file:
            file.write(b"x")


def seconds(do: Callable[[], object]) -> float:
    """Return how long something takes."""
    os.sync()
    began = perf_counter()
    do()
    return perf_counter() - began


def hiding(root: str, chunks: int) -> tuple[float, float]:
    """Return after how many milliseconds a removal has hidden an array, and after how many it is done; it is undone."""
    store = Store(f"{root}/{chunks}", OLD)
    make_array(f"{root}/{chunks}/r/box.zarr/1", chunks)
    array = store.identifier("image", run="r", step=1)
    hidden, done = [], []
    for _ in range(4 * TURNS):
        os.sync()
        began = perf_counter()
        times: list[float] = []
        store.plan_removal(array, grace=HOUR).apply(progress=lambda *_, times=times: times.append(perf_counter()))
        done.append(perf_counter() - began)
        hidden.append(times[0] - began)
        store.undo()
    return 1000 * median(hidden), 1000 * median(done)


def purging(root: str, chunks: int) -> float:
    """Return the rate of a purge over that of `shutil.rmtree`."""
    ratios = []
    for turn in range(TURNS):
        store = Store(f"{root}/purge{turn}", OLD)
        for step in (1, 2):
            make_array(f"{store.root}/r/box.zarr/{step}", chunks)
        store.remove(store.identifier("image", run="r", step=1), grace=HOUR)
        ours = seconds(partial(store.purge, is_now=True))
        theirs = seconds(partial(shutil.rmtree, f"{store.root}/r/box.zarr/2"))
        ratios.append(theirs / ours)
    return median(ratios)


def migrating(root: str, arrays: int, rest: float) -> tuple[float, float]:
    """Return what a migration costs over bare renames: applying its plan, and making it too."""
    ratios = []
    for turn in range(TURNS):
        stores = [Store(f"{root}/migrate{rest}{turn}{side}", OLD) for side in "ab"]
        for store in stores:
            for step in range(arrays):
                make_array(f"{store.root}/r/box.zarr/{step}", 0)
        ours, theirs = stores
        sleep(rest)
        began = perf_counter()
        plan = ours.plan_migration(NEW)
        planned = perf_counter() - began
        applied = seconds(plan.apply)
        renamed = seconds(partial(rename_all, f"{theirs.root}/r/box.zarr", arrays))
        ratios.append((applied / renamed, (planned + applied) / renamed))
    ratios.sort()
    return ratios[TURNS // 2]


def rename_all(box: str, arrays: int) -> None:
    """Rename arrays, and bring the names to the disk."""
    os.makedirs(f"{box}/steps")
    for step in range(arrays):
        os.rename(f"{box}/{step}", f"{box}/steps/{step:08}")
    for folder in (f"{box}/steps", box, os.path.dirname(box), os.path.dirname(os.path.dirname(box))):
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Remove and migrate on a disk, side by side.")
    parser.add_argument("folder", nargs="?", help="where: on the disk that is to be measured")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--arrays", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as root:
        (few, few_done), (many, many_done) = hiding(root, 100), hiding(root, options.chunks)
        rate = purging(root, options.chunks)
        applied, whole = migrating(root, options.arrays, 1.5 * TICK)
        applied_at_once, _ = migrating(root, options.arrays, 0)
    rows = [
        ("hiding an array of 100 chunks (and noting so on the disk)", f"{few:.1f} ms ({few_done:.1f} ms)", ""),
        (f"the same of {options.chunks:,} chunks", f"{many:.1f} ms ({many_done:.1f} ms)", f"at most {MOST_MS:.0f} ms"),
        ("the rate of its purge, over that of `shutil.rmtree`", f"{rate:.2f}", f"at least {LEAST_RATE}"),
        (f"migrating {options.arrays:,} arrays, over bare renames", f"{applied:.2f}", f"at most {MOST_RENAMES:.0f}"),
        ("the same, with making the plan", f"{whole:.2f}", ""),
        ("migrating a store that was written just now, which is looked at once more", f"{applied_at_once:.2f}", ""),
    ]
    sys.stdout.write("| what | measured | wanted |\n|---|---:|---:|\n")
    sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in rows)
    is_met = many <= MOST_MS and rate >= LEAST_RATE and applied <= MOST_RENAMES
    sys.stdout.write(f"\n{'Every figure is met.' if is_met else 'Not every figure is met.'}\n")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
