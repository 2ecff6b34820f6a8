"""Finding what exists: against a walk by hand, `find`, `glob`, zarr and other packages, side by side in one run.

    pip install --editable ".[bench]"
    python tests/bench/catalog.py

makes the tree of `tree.py` in a temporary folder, checks that every side finds the same arrays there, and prints one
Markdown table, in about seven minutes. Times are wall-clock times, for much of a walk is the kernel's; what is on the
disk was read before. The sides of a comparison take turns, and the turn with the median ratio counts. A package that
is not installed is left out, with a line that says so. What is simulated runs in processes of its own.

`--tree FOLDER` keeps the tree there, and takes what is there for it. Exit status 0 if no target is missed.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from itertools import product
from operator import attrgetter
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import peers
import tree
from attrs import evolve, frozen
from timing import fresh_process, pair

from zarrange import Layout, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tree import Answer

KINDS = ["validation_prediction", "validation_output"]
RUN, ITERATION = "r07", 25_000
BUDGET = 5.0
"""Seconds that the turns of one comparison may take, about."""
TURNS = range(3, 41)
TENTH = 10
MANY = evolve(tree.WHOLE, chunks=(0, 0), is_uniform=False)
MORE = evolve(MANY, runs=10 * MANY.runs)
"""Ten times as many runs. Without chunks, for they would take long to make and are never looked at; no two arrays have
the same metadata, so that nobody can remember what the last one's meant."""
MILLION = evolve(tree.WHOLE, runs=2500)
WIDE = evolve(tree.WHOLE, runs=1, iterations=125_000)
"""Two shapes of a million artifacts."""
DELAY, IN_FLIGHT = 0.020, 32


@frozen
class Row:
    """One line of the table."""

    what: str
    ours: str
    against: str = "-"
    theirs: str = "-"
    ratio: str = "-"
    target: str = "-"
    is_met: bool | None = None

    def __str__(self) -> str:
        met = {True: "met", False: "**not met**", None: "-"}[self.is_met]
        cells = [self.what, self.ours, self.against, self.theirs, self.ratio, self.target, met]
        return f"| {' | '.join(cells)} |"


def at_most(what: str, against: str, times: tuple[float, float], limit: float | None) -> Row:
    """Return a row whose target is that zarrange takes at most `limit` times as long."""
    ours, theirs = times
    row = Row(what, _time(ours), against, _time(theirs), f"{ours / theirs:.2f} x")
    return row if limit is None else evolve(row, target=f"≤ {limit:g} x", is_met=ours <= limit * theirs)


def faster(what: str, against: str, times: tuple[float, float], limit: float | None) -> Row:
    """Return a row whose target is that zarrange is at least `limit` times faster."""
    ours, theirs = times
    ratio = f"{theirs / ours:.1f} x faster" if theirs >= ours else f"{ours / theirs:.2f} x slower"
    row = Row(what, _time(ours), against, _time(theirs), ratio)
    if limit is None:
        return row
    target = f"≥ {limit:g} x faster" if limit != 1 else "not slower"
    return evolve(row, target=target, is_met=ours * limit <= theirs)


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.0005 else f"{seconds * 1e6:.2f} µs"


# --- turns -----------------------------------------------------------------------------------------------------------


def turns(ours: Callable[[], object], theirs: Callable[[], object], rounds: int = 1) -> tuple[float, float]:
    """Return the seconds of wall-clock time that each side takes: the turn of the median ratio.

    Both have run before: what they find was checked.
    """
    # What other sides have left in memory is nobody's to clean up.
    gc.collect()
    gc.freeze()
    found = [(_wall(ours, rounds), _wall(theirs, rounds))]
    enough = min(max(int(BUDGET / sum(found[0]) / rounds), TURNS.start), TURNS.stop)
    found += [(_wall(ours, rounds), _wall(theirs, rounds)) for _ in range(enough)]
    gc.unfreeze()
    found.sort(key=lambda turn: turn[0] / turn[1])
    return found[len(found) // 2]


def once(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Return the same for a side that is so slow that one time must do."""
    return median(_wall(ours, 1) for _ in range(TURNS.start)), _wall(theirs, 1)


def _wall(side: Callable[[], object], rounds: int) -> float:
    began = perf_counter()
    for _ in range(rounds):
        side()
    return (perf_counter() - began) / rounds


def check(side: str, found: Iterable[Answer], expected: Sequence[Answer], *, ordered: bool = False) -> None:
    """End the program if a side does not find what is there."""
    answers = list(found)
    if not ordered:
        answers.sort(key=str)
        expected = sorted(expected, key=str)
    if answers != list(expected):
        strange = set(answers) ^ set(expected)
        raise SystemExit(f"{side} finds {len(answers)} of {len(expected)} arrays; {list(strange)[:3]}")


def answers_of(entries: Iterable[Any]) -> Iterator[Answer]:
    """Return what zarrange's entries say, or those of the walk by hand."""
    for entry in entries:
        yield peers.answer(entry.key.values)


# --- finding ---------------------------------------------------------------------------------------------------------


def find_rows(root: str) -> Iterator[Row]:
    """Unbound and bound, against the walk by hand; unbound against what Python, the system and zarr have."""
    store = Store(root, layout="training")
    bounds: list[tuple[str, dict[str, Any]]] = [
        ("unbound", {}),
        ("one run", {"run": RUN}),
        ("one run, one iteration", {"run": RUN, "iteration": ITERATION}),
    ]
    hand = "`os.scandir` by hand, guided"
    for what, bound in bounds:
        wanted = [one for one in tree.WHOLE.answers() if _is_bound(one, **bound)]
        check("zarrange", answers_of(store.find(KINDS, **bound)), wanted, ordered=True)
        check(hand, answers_of(peers.by_hand(root, **bound)), wanted, ordered=True)
        count = f"`find`, {what}: {len(wanted):,} arrays"
        ours, theirs = partial(_entries, store, bound), partial(_by_hand, root, bound)
        rounds = max(1, int(0.02 / _wall(ours, 1)))
        yield at_most(count, hand, turns(ours, theirs, rounds), None if bound else 1.5)
        if not bound:
            placed = partial(_placed, ours), partial(_placed, theirs)
            yield at_most(f"{count}, with identifiers", hand, turns(*placed), 1.5)
    unbound = partial(_entries, store, {})
    others: list[tuple[str, Callable[[], object], float | None]] = [
        ("`find -name zarr.json`, the program", partial(_run, "find", root, "-name", "zarr.json"), 3),
        ("the program, `-name c -prune`, a regular expression", partial(_drain, peers.find, root, pruned=True), None),
        ("`os.walk`, a regular expression", partial(_drain, peers.by_walk, root, pruned=False), None),
        ("`os.walk` that enters no array, a regular expression", partial(_drain, peers.by_walk, root), None),
        ("`glob`, a regular expression", partial(_drain, peers.by_glob, root), None),
        ("zarr's `members(max_depth=None)`", partial(_drain, peers.by_members, root), 20),
    ]
    for side in (peers.find, peers.by_walk, peers.by_glob, peers.by_members):
        check(side.__name__, side(root), [*tree.WHOLE.answers()])
    for against, other, limit in others:
        yield faster("`find`, unbound", against, turns(unbound, other), limit)


def _entries(store: Store, bound: dict[str, Any]) -> list[Any]:
    return list(store.find(KINDS, **bound))


def _by_hand(root: str, bound: dict[str, Any]) -> list[peers.HandEntry]:
    return list(peers.by_hand(root, **bound))


def _placed(entries: Callable[[], list[Any]]) -> list[Any]:
    return list(map(attrgetter("identifier"), entries()))


def _drain(side: Callable[..., Iterable[Answer]], root: str, **options: bool) -> list[Answer]:
    return list(side(root, **options))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _is_bound(one: Answer, run: str | None = None, iteration: int | None = None) -> bool:
    return (run is None or one[0] == run) and (iteration is None or one[1] == iteration)


# --- packages --------------------------------------------------------------------------------------------------------


def peer_rows(root: str, small: str) -> Iterator[Row | str]:
    """Scanning, rendering and reading back, as far as each package can; `small` is a tenth of the tree."""
    stores = {where: Store(where, layout="training") for where in (root, small)}
    for name in peers.PEERS:
        try:
            peer = peers.make_peer(name)
        except ImportError as error:
            yield f"{name} is left out: {error}."
            continue
        where = small if peer.is_slow else root
        shape = evolve(tree.WHOLE, runs=tree.WHOLE.runs // TENTH) if peer.is_slow else tree.WHOLE
        check(name, peer.scan(where), [*shape.answers()])
        times = (once if peer.is_slow else turns)(
            partial(_entries, stores[where], {}), partial(_drain, peer.scan, where)
        )
        what = f"`find`, unbound{', a tenth of the tree' * peer.is_slow}"
        yield faster(what, f"{name}: {peer.how}", times, 1)
        yield from _path_rows(name, peer)


def _path_rows(name: str, peer: peers.Peer) -> Iterator[Row]:
    layout = Layout.load("training")
    fields = ("run", "iteration", "dataset", "parameters")
    runs, numbers = ("r00", "setup07_fold3"), (0, 1000, 25_000, 1_000_000)
    values = [dict(zip(fields, one, strict=True)) for one in product(runs, numbers, tree.DATASETS, tree.PARAMETERS)]
    paths = [layout.render("validation_output", **one).path for one in values]
    if (render := peer.render) is not None:
        if [render(one) for one in values] != paths:
            raise SystemExit(f"{name} renders other paths: {render(values[0])} is not {paths[0]}")

        def ours() -> None:
            for one in values:
                layout.render("validation_output", **one)

        yield faster(
            "`layout.render`, 4 fields", f"{name} (no checks)", pair(ours, _each(render, values), len(paths)), 1
        )
    if (parse := peer.parse) is not None:
        check(name, (peers.answer(parse(path) or {}) for path in paths), [peers.answer(one) for one in values])
        times = pair(_each(layout.match, paths), _each(parse, paths), len(paths))
        yield faster("`layout.match`, 4 fields, all 8 kinds", f"{name}, 1 kind (no checks)", times, 1)


def _each(function: Callable[[Any], object], values: Sequence[Any]) -> Callable[[], None]:
    def run() -> None:
        for one in values:
            function(one)

    return run


# --- what does not grow ----------------------------------------------------------------------------------------------


def growth_rows(folder: str) -> Iterator[Row]:
    """Where no two arrays are alike; a bound search, where there are ten times as many runs: requests, and time."""
    sides: list[Callable[[], list[Any]]] = []
    asked = []
    for name, shape in (("few", MANY), ("many", MORE)):
        root = f"{folder}/{name}"
        tree.make(root, shape)
        store = Store(root, layout="training")
        run = shape.containers[len(shape.containers) // 2].partition("/")[0]
        bound: dict[str, Any] = {"run": run, "iteration": ITERATION}
        search = store.find(KINDS, **bound)
        check("zarrange", answers_of(search), [one for one in shape.answers() if _is_bound(one, **bound)], ordered=True)
        asked.append((search.requests.lists, search.requests.total))
        sides.append(partial(_entries, store, bound))
    store, root = Store(f"{folder}/few", layout="training"), f"{folder}/few"
    times = turns(partial(_entries, store, {}), partial(_by_hand, root, {}))
    yield at_most("`find`, unbound, no two metadata the same", "`os.scandir` by hand, guided", times, 1.5)
    (few, few_all), (many, many_all) = asked
    needed = 1 + tree.WHOLE.datasets
    what = f"`find`, one run, one iteration: of {MORE.runs} runs"
    yield Row(
        f"{what}, folders listed",
        f"{many} (requests: {many_all})",
        f"of {MANY.runs} runs",
        f"{few} (requests: {few_all})",
        target=f"{needed}, as many as are needed",
        is_met=few == many == needed and few_all == many_all,
    )
    few_side, many_side = sides
    rounds = max(1, int(0.02 / _wall(few_side, 1)))
    yield at_most(what, f"of {MANY.runs} runs", turns(many_side, few_side, rounds), 1.2)


# --- simulated stores ------------------------------------------------------------------------------------------------

PEAK = """
import re
peak = lambda: int(re.search("VmHWM: *([0-9]+)", open("/proc/self/status").read().replace("\\t", " "))[1]) / 1024
"""
"""Megabytes at most, so far. What `getrusage` says counts the process that began this one, too."""
BARE = f"{PEAK}print(peak())"
SEARCH = (
    PEAK
    + """
import sys
sys.path.insert(0, {here!r})
from time import perf_counter
from simulated import SimulatedBackend
from tree import Shape
from zarrange import Layout
from zarrange.language.selection import select
from zarrange.stores.catalog import Search
layout, backend = Layout.load("training"), SimulatedBackend(Shape(**{shape!r}), **{options!r})
search = Search(backend, layout, select(layout, {kinds!r}, {{}}))
began = perf_counter()
found = iter(search)
next(found)
first = perf_counter()
count = 1 + sum(1 for _ in found)
print(first - backend.first_answer, perf_counter() - began, peak(), count, search.requests.lists, search.requests.total)
"""
)


@frozen
class Simulated:
    """What a search says of itself: times in seconds, memory in megabytes."""

    first: float
    whole: float
    peak: float
    count: float
    lists: float
    requests: float


def _simulated(shape: tree.Shape, **options: float) -> Simulated:
    """Search a store that is not there, in a process of its own."""
    shown = {name: getattr(shape, name) for name in ("runs", "iterations", "datasets", "outputs", "chunks")}
    here = os.path.dirname(os.path.abspath(__file__))
    (words,) = fresh_process(SEARCH.format(here=here, shape=shown, options=options, kinds=KINDS), 1)
    found = Simulated(*map(float, words))
    if found.count != shape.arrays:
        raise SystemExit(f"of {shape.arrays} simulated arrays, {found.count:.0f} are found")
    return found


def memory_rows() -> Iterator[Row]:
    """A million artifacts: memory above the bare interpreter's, and when the first one is there."""
    bare = float(fresh_process(BARE, 1)[0][0])
    cases: list[tuple[str, tree.Shape, dict[str, float]]] = [
        ("2,500 runs, one by one", MILLION, {"in_flight": 1, "page": 0}),
        ("125,000 iterations of one run, one by one", WIDE, {"in_flight": 1, "page": 0}),
        (f"2,500 runs, {IN_FLIGHT} at once", MILLION, {"in_flight": IN_FLIGHT}),
    ]
    for what, shape, options in cases:
        found = _simulated(shape, **options)
        above = found.peak - bare
        row = Row(f"{shape.arrays:,} artifacts, simulated: {what}", f"{found.peak:.0f} MB, {found.whole:.0f} s")
        row = evolve(row, against="bare Python", theirs=f"{bare:.0f} MB", ratio=f"+ {above:.0f} MB")
        yield evolve(row, target="≤ 100 MB more", is_met=above <= 100)
        first = Row("the same: the first entry, after the first listing", _time(found.first))
        # No target where one listing has nearly everything, and for threads that wait for nothing but each other.
        has_target = shape is MILLION and options["in_flight"] == 1
        yield evolve(first, target="≤ 10 ms", is_met=found.first <= 0.010) if has_target else first


def remote_rows() -> Iterator[Row]:
    """The tree in an object store that takes 20 ms for each request."""
    found = _simulated(tree.WHOLE, delay=DELAY, in_flight=IN_FLIGHT)
    # What looks like a chunk, such as an iteration, asks whether the folder that it is in is an array: once a run.
    needed = tree.WHOLE.listings + tree.WHOLE.arrays + tree.WHOLE.runs
    ideal = needed / IN_FLIGHT * DELAY
    what = f"`find`, unbound, {DELAY * 1000:.0f} ms a request, {IN_FLIGHT} at once"
    yield at_most(what, f"{needed:,} requests, never waiting", (found.whole, ideal), 2)
    row = Row("the same: requests", f"{found.requests:,.0f}", "level by level, by arithmetic", f"{needed:,}")
    row = evolve(row, ratio=f"{found.requests / needed:.2f} x", target="≤ 1 more, the first page")
    yield evolve(row, is_met=found.requests <= needed + 1)


# --- the table -------------------------------------------------------------------------------------------------------


def all_rows(root: str, folder: str) -> Iterator[Row | str]:
    """Every row, and what is to be said below the table."""
    yield from find_rows(root)
    small = f"{folder}/tenth"
    tree.make(small, evolve(tree.WHOLE, runs=tree.WHOLE.runs // TENTH))
    yield from peer_rows(root, small)
    yield from growth_rows(folder)
    yield from memory_rows()
    yield from remote_rows()


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description="Find what exists, side by side.")
    parser.add_argument("--tree", help="where the tree is, or is to be made and kept")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # several packages use what Python will not have for ever
    out = sys.stdout
    out.write("| what | zarrange | against | it | ratio | target | |\n|---|---:|---|---:|---:|---|---|\n")
    notes = []
    all_met = True
    with tempfile.TemporaryDirectory() as folder:
        root = options.tree or f"{folder}/whole"
        if not Path(root).is_dir():
            tree.make(root)
        for row in all_rows(root, folder):
            if isinstance(row, str):
                notes.append(row)
                continue
            out.write(f"{row}\n")
            out.flush()
            all_met = all_met and row.is_met is not False
        out.write("".join(f"\n{note}" for note in notes))
        out.write(f"\n{'All targets are met.' if all_met else 'Not all targets are met.'}\n")
        out.flush()
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(main())
