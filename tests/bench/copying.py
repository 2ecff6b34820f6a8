"""Copying on disks: one thread against several, and against `shutil.copytree` and `cp -r`, side by side in one run.

    python tests/bench/copying.py [FOLDER]

makes two arrays' folders in FOLDER, or in a temporary folder: one of many small chunks, one of few large ones. Ours is
synced, file by file, and read back and compared by SHA-256; what the others do not do is said in their column, and one
more row syncs theirs. Each turn copies to a new place; the sides take turns, and the turn with the median ratio counts.
Wall-clock times. Exit status 0 if more threads are nowhere slower than one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING

from zarrange.stores.local.copying import copy_in

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPES = {"600 files of 32 KiB": (600, 32 * 1024), "12 files of 16 MiB": (12, 16 * 1024 * 1024)}
TURNS = 3
SLACK = 1.25
"""How much slower several threads may be by mere noise."""
PLACES = count()
OURS = "synced, verified"


def make(folder: str, files: int, size: int) -> None:
    """Make an array's folder, and bring it to the disk."""
    os.makedirs(f"{folder}/c")
    for number in range(files):
        inside = f"{folder}/c/{number // 50}"
        os.makedirs(inside, exist_ok=True)
        with open(f"{inside}/{number}", "wb") as file:
            file.write(os.urandom(size))
    os.sync()


def ours(root: str, workers: int, name: str, to: str) -> None:
    """Copy with so many threads."""
    folder = os.open(root, os.O_RDONLY)
    try:
        copy_in(folder, name, folder, to, workers=workers)
    finally:
        os.close(folder)


def by_shutil(root: str, name: str, to: str) -> None:
    """Copy as Python does."""
    shutil.copytree(f"{root}/{name}", f"{root}/{to}")


def by_cp(root: str, name: str, to: str) -> None:
    """Copy as the system does."""
    subprocess.run(["cp", "-r", f"{root}/{name}", f"{root}/{to}"], check=True)


def by_cp_and_sync(root: str, name: str, to: str) -> None:
    """Copy as the system does, and wait until it is on the disk."""
    by_cp(root, name, to)
    files = [os.path.join(where, one) for where, _, names in os.walk(f"{root}/{to}") for one in names]
    for at in range(0, len(files), 500):
        subprocess.run(["sync", *files[at : at + 500]], check=True)


def timed(root: str, copy: Callable[[str, str], None], name: str) -> float:
    """Return the seconds that a copy takes; it is deleted again, and that is not counted."""
    to = f"copy-{next(PLACES)}"
    began = perf_counter()
    copy(name, to)
    taken = perf_counter() - began
    shutil.rmtree(f"{root}/{to}")
    os.sync()
    return taken


def turns(root: str, one: Callable[[str, str], None], other: Callable[[str, str], None], name: str) -> list[float]:
    """Return the seconds of each side in the turn of the median ratio."""
    found = [[timed(root, one, name), timed(root, other, name)] for _ in range(TURNS)]
    found.sort(key=lambda turn: turn[0] / turn[1])
    return found[TURNS // 2]


def rows(root: str, name: str, what: str) -> bool:
    """Print the rows of one folder; return whether more threads are nowhere slower than one."""
    single = partial(ours, root, 1)
    all_met = True
    for workers in (2, 4, 8):
        several, alone = turns(root, partial(ours, root, workers), single, name)
        all_met = all_met and several <= alone * SLACK
        _row(what, several, f"{workers} threads", "1 thread", alone, OURS)
    others: list[tuple[str, Callable[[str, str], None], str]] = [
        ("`shutil.copytree`", partial(by_shutil, root), "neither synced nor verified"),
        ("`cp -r`", partial(by_cp, root), "neither synced nor verified"),
        ("`cp -r` and `sync`", partial(by_cp_and_sync, root), "synced, not verified"),
    ]
    for against, other, does in others:
        mine, theirs = turns(root, partial(ours, root, 8), other, name)
        _row(what, mine, "8 threads", against, theirs, does)
    return all_met


def _row(what: str, mine: float, how: str, against: str, theirs: float, does: str) -> None:  # noqa: PLR0913, PLR0917
    cells = [what, how, f"{mine * 1000:.0f} ms", against, f"{theirs * 1000:.0f} ms", does, f"{mine / theirs:.2f} x"]
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Copy on disks, side by side.")
    parser.add_argument("folder", nargs="?", help="where to copy: on the disk that is to be measured")
    options = parser.parse_args()
    heads = ["what", f"zarrange ({OURS})", "time", "against", "time", "which is", "ratio"]
    sys.stdout.write(f"| {' | '.join(heads)} |\n|---|---|---:|---|---:|---|---:|\n")
    all_met = True
    with tempfile.TemporaryDirectory(dir=options.folder) as root:
        for number, (what, shape) in enumerate(SHAPES.items()):
            make(f"{root}/{number}", *shape)
            all_met = rows(root, str(number), what) and all_met
    said = "More threads are nowhere slower than one." if all_met else "More threads are slower than one somewhere."
    sys.stdout.write(f"\n{said}\n")
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
