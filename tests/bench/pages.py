"""Pages over very many arrays: when their first bytes come, and what a whole page costs against a plain search.

    python tests/bench/pages.py [FOLDER] [--iterations N] [--runs N]

10,000 arrays in one run, in the layouts `training` and `dacapo`, and the same of 2,000 runs; every page that shows them
is asked of a real server. The first bytes have a figure; the end of a page is told as a ratio to `store.find` over the
same store, that opens no chunk either. Each page is asked for several times, and the median counts. Exit status 0 if
the figure is met.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from http.client import HTTPConnection
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from tree import Shape, make

from zarrange import Layout, Store
from zarrange.web.serving import running

if TYPE_CHECKING:
    from collections.abc import Iterator

TURNS = 3
MOST = 0.5
"""So many seconds the first bytes of a page may take."""


def stores(folder: str, iterations: int, runs: int) -> Iterator[tuple[str, Store, list[str]]]:
    """Yield stores, each with what it has, and the pages that are asked for."""
    one = ["/", "/run?run=r0", "/compare?run=r0", "/scores?run=r0", "/api/find?.kind=validation_prediction"]
    make(f"{folder}/training", Shape(runs=1, iterations=iterations, chunks=(0, 0)))
    yield "one run, training", Store(f"{folder}/training", Layout.load("training")), one
    os.rename(f"{folder}/training", f"{folder}/dacapo")
    as_dacapo(f"{folder}/dacapo/r0/validation.zarr")
    yield "one run, dacapo", Store(f"{folder}/dacapo", Layout.load("dacapo")), one
    make(f"{folder}/many", Shape(runs=runs, iterations=1, datasets=1, chunks=(0, 0)))
    last = f"r{runs - 1}"
    pages = ["/", f"/run?run={last}", f"/compare?run={last}", "/api/runs"]
    yield f"{runs:,} runs, training", Store(f"{folder}/many", Layout.load("training")), pages


def as_dacapo(container: str) -> None:
    """Bring a validation container to where DaCapo has its arrays."""
    for name in os.listdir(f"{container}/iterations"):
        if not name.isdigit():
            os.remove(f"{container}/iterations/{name}")
            continue
        at = f"{container}/{int(name)}"
        os.rename(f"{container}/iterations/{name}", at)
        for dataset in os.listdir(at):
            if os.path.isdir(f"{at}/{dataset}"):
                os.rename(f"{at}/{dataset}/outputs", f"{at}/{dataset}/output")
    os.rmdir(f"{container}/iterations")


def asked(host: str, port: int, page: str) -> tuple[float, float]:
    """Return the seconds until the first bytes of a page, and until its end."""
    connection = HTTPConnection(host, port, timeout=120)
    began = perf_counter()
    connection.request("GET", page)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{page}: {answer.status} {answer.read(200)!r}")
    if not answer.read(1):
        raise RuntimeError(f"{page}: nothing was sent")
    first = perf_counter() - began
    answer.read()
    connection.close()
    return first, perf_counter() - began


def searched(store: Store) -> tuple[int, float]:
    """Return how many artifacts there are, and the seconds of a search for all of them."""
    began = perf_counter()
    count = sum(1 for _ in store.find())
    return count, perf_counter() - began


def main() -> int:
    """Print a line for each page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="where the stores are made, and left; a temporary one by default")
    parser.add_argument("--iterations", type=int, default=1250, help="of the store of one run: 8 arrays each")
    parser.add_argument("--runs", type=int, default=2000, help="of the store of many runs: 4 arrays each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or temporary
        is_met = True
        sys.stdout.write(
            "| store | page | first bytes, ms | until its end, of a search | wanted |\n|---|---|---:|---:|---:|\n"
        )
        for name, store, pages in stores(folder, options.iterations, options.runs):
            count, search = searched(store)
            what = f"{name}: {count:,}"
            with running(store) as url:
                host, _, port = url.removeprefix("http://").rstrip("/").rpartition(":")
                for page in pages:
                    turns = [asked(host, int(port), page) for _ in range(TURNS)]
                    first, end = (median(turn[at] for turn in turns) for at in (0, 1))
                    is_met = is_met and first <= MOST
                    figures = f"{1000 * first:.0f} | {end / search:.2f} | {1000 * MOST:.0f} ms"
                    sys.stdout.write(f"| {what} | `{page}` | {figures} |\n")
                    sys.stdout.flush()
    sys.stdout.write(f"\n{'Every figure is met.' if is_met else 'Not every figure is met.'}\n")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
