"""What rendering, reading back, loading and starting cost, against what one would write instead.

    python tests/bench/paths.py

prints one Markdown table, each row with the times of both sides, their ratio, and whether the target is met. Before
a row is timed, both sides must give the same answers and refuse the same values. Exit status 0 if all targets are met.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import opponents
from attrs import evolve, frozen
from timing import fresh_process, pair, processes

from zarrange import Key, Layout
from zarrange.dacapo import CACHED_CONTAINERS, LocalArrayStore
from zarrange.language.shipped import shipped_layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

RUNS = [f"setup{number:02d}_fold{number % 4}" for number in range(8)]
ITERATIONS = [0, 1000, 25_000, 1_000_000]
DATASETS = ["crop113", "jrc_hela-2"]
PARAMETERS = ["threshold_127", "bias=0.1"]
LONG = "WatershedPostProcessorParameters(id=0, bias=0.1, context=(32, 32, 32))"
STRANGE = [
    "",
    "a/b",
    "..",
    ".",
    "-x",
    "x.",
    "con",
    "con.x",
    "zarr.json",
    "zarr.jsonl",
    "a b",
    "é",
    "a\\b",
    "x" * 256,
    "%41",
    "\ud800",
    None,
    7,
]
"""Values that both sides must treat alike."""


@frozen
class Row:
    """One line of the table. A target is an upper limit of the ratio (or of the milliseconds), or a lower one."""

    what: str
    ours: float
    against: str
    theirs: float | None
    target: str
    is_met: bool | None

    def __str__(self) -> str:
        met = {True: "met", False: "**not met**", None: "-"}[self.is_met]
        cells = [self.what, _time(self.ours), self.against, _time(self.theirs), self.ratio, self.target, met]
        return f"| {' | '.join(cells)} |"

    @property
    def ratio(self) -> str:
        """How many times cheaper or dearer zarrange is."""
        if self.theirs is None:
            return "-"
        if self.target.startswith("≥"):
            return f"{self.theirs / self.ours:.1f} x faster"
        return f"{self.ours / self.theirs:.2f} x"


def at_most(what: str, against: str, times: tuple[float, float], limit: float) -> Row:
    """Return a row whose target is that zarrange takes at most `limit` times as long."""
    ours, theirs = times
    return Row(what, ours, against, theirs, f"≤ {limit:g} x", ours <= limit * theirs)


def faster(what: str, against: str, times: tuple[float, float], limit: float) -> Row:
    """Return a row whose target is that zarrange is at least `limit` times faster."""
    ours, theirs = times
    return Row(what, ours, against, theirs, f"≥ {limit:g} x faster", ours * limit <= theirs)


def within(what: str, seconds: float, limit: float) -> Row:
    """Return a row whose target is a number of milliseconds."""
    return Row(what, seconds, "-", None, f"≤ {limit:g} ms", seconds * 1000 <= limit)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.0005 else f"{seconds * 1e6:.2f} µs"


# --- rendering -------------------------------------------------------------------------------------------------------


def render_rows() -> Iterator[Row]:
    """Rendering with two and four fields, in a layout of plain names and in the shipped one, which quotes."""
    portable, training = Layout.parse(opponents.PORTABLE), Layout.load("training")
    yield from _raw_rows("plain names", portable, opponents.portable_raw, opponents.jinja_raw(""))
    yield from _output_rows("plain names", portable, opponents.portable_output, opponents.jinja_output(""), PARAMETERS)
    yield from _raw_rows("`training`", training, opponents.training_raw, opponents.jinja_raw(" | quote"))
    by_hand, jinja = opponents.training_output, opponents.jinja_output(" | quote")
    yield from _output_rows("`training`", training, by_hand, jinja, PARAMETERS)
    yield from _output_rows("`training`, parameters that need quoting", training, by_hand, jinja, [LONG])


def _raw_rows(where: str, layout: Layout, by_hand: Callable[..., Any], jinja: Any) -> Iterator[Row]:
    values = list(product(RUNS, DATASETS))
    _check_rendering(layout, "validation_raw", by_hand, jinja, [{"run": run, "index": index} for run, index in values])
    render, fill = layout.render, jinja.render

    def ours() -> None:
        for run, index in values:
            render("validation_raw", run=run, index=index)

    def hand() -> None:
        for run, index in values:
            by_hand(run=run, index=index)

    def template() -> None:
        for run, index in values:
            fill(run=run, index=index)

    yield from _two_rows(f"`layout.render`, 2 fields, {where}", ours, hand, template, len(values))


def _output_rows(
    where: str, layout: Layout, by_hand: Callable[..., Any], jinja: Any, all_parameters: Sequence[str]
) -> Iterator[Row]:
    values = list(product(RUNS, ITERATIONS, DATASETS, all_parameters))
    named = [dict(zip(("run", "iteration", "dataset", "parameters"), one, strict=True)) for one in values]
    _check_rendering(layout, "validation_output", by_hand, jinja, named)
    render, fill = layout.render, jinja.render

    def ours() -> None:
        for run, iteration, dataset, parameters in values:
            render("validation_output", run=run, iteration=iteration, dataset=dataset, parameters=parameters)

    def hand() -> None:
        for run, iteration, dataset, parameters in values:
            by_hand(run=run, iteration=iteration, dataset=dataset, parameters=parameters)

    def template() -> None:
        for run, iteration, dataset, parameters in values:
            fill(run=run, iteration=iteration, dataset=dataset, parameters=parameters)

    yield from _two_rows(f"`layout.render`, 4 fields, {where}", ours, hand, template, len(values))


def _two_rows(
    what: str, ours: Callable[[], None], hand: Callable[[], None], template: Callable[[], None], calls: int
) -> Iterator[Row]:
    yield at_most(what, "f-strings, the same checks, attrs, by hand", pair(ours, hand, calls), 1.5)
    row = faster(what, "sandboxed, strict Jinja2 (no checks)", pair(ours, template, calls), 4)
    # Where text is percent-encoded, most of the time of both sides is that of the same function: no target.
    yield evolve(row, target="-", is_met=None) if "quoting" in what else row


def _check_rendering(
    layout: Layout, kind: str, by_hand: Callable[..., Any], jinja: Any, cases: Sequence[dict[str, Any]]
) -> None:
    strange = [{**cases[0], name: value} for name in cases[0] for value in (*STRANGE, -1, 10**40, True, 7.0)]
    for values in (*cases, *(one for one in strange if one.get("index", "") is not None)):
        # An index of `None` is left out, for it means "not given", which the function by hand has no branch for.
        made = _outcome(layout.render, kind, **values)
        hand = _outcome(by_hand, **values)
        agree = made is hand is None or (
            made and hand and (made.container, made.dataset) == (hand.container, hand.dataset)
        )
        if not agree or (values in cases and jinja.render(**values) != made.path):
            raise SystemExit(f"{kind} of {values}: {made} is not {hand}")


def _outcome(function: Callable[..., Any], *arguments: Any, **values: Any) -> Any:
    """What a call returns; `None` where it refuses."""
    try:
        return function(*arguments, **values)
    except ValueError:
        return None


# --- reading back ----------------------------------------------------------------------------------------------------


def match_rows() -> Iterator[Row]:
    """Reading paths of all eight kinds back, as many of each."""
    portable, training = Layout.parse(opponents.PORTABLE), Layout.load("training")
    yield _match_row("plain names", portable, PARAMETERS, quoted=False)
    yield _match_row("`training`", training, PARAMETERS, quoted=True)
    yield _match_row("`training`, parameters that need quoting", training, [LONG], quoted=True)


def _match_row(where: str, layout: Layout, all_parameters: Sequence[str], *, quoted: bool) -> Row:
    paths = [layout.render(kind, **values).path for kind, values in _one_of_each(all_parameters)]
    match, by_hand = layout.match, opponents.hand_matcher(quoted=quoted)
    _check_matching(match, by_hand, paths)

    def ours() -> None:
        for path in paths:
            match(path)

    def hand() -> None:
        for path in paths:
            by_hand(path)

    against = "one alternation of all kinds, `int()`, attrs, by hand"
    return at_most(f"`layout.match`, 8 kinds, {where}", against, pair(ours, hand, len(paths)), 2.5)


def _one_of_each(all_parameters: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for run, iteration, dataset, parameters in product(RUNS[:2], ITERATIONS[:2], DATASETS, all_parameters):
        array = {"run": run, "iteration": iteration, "dataset": dataset}
        yield "snapshot", {"run": run}
        yield "validation", {"run": run}
        yield "snapshot_array", {"run": run, "volume": "raw"}
        yield "validation_prediction", array
        yield "validation_output", {**array, "parameters": parameters}
        yield "best_validation", {"run": run, "criterion": "voi", "index": dataset}
        yield "validation_raw", {"run": run, "index": dataset}
        yield "validation_gt", {"run": run}


def _check_matching(
    match: Callable[[str], Key | None], by_hand: Callable[[str], opponents.HandKey | None], paths: Sequence[str]
) -> None:
    strange = [path.replace("setup00_fold0", str(name)) for path in paths for name in (*STRANGE, "%20", "%2e", "a%20b")]
    wrong = ["", "r1", "r1/validation.zarr/", *(path.replace("0000", "000") for path in paths)]
    for path in (*paths, *strange, *wrong):
        ours, hand = match(path), by_hand(path)
        if (ours and (ours.kind, dict(ours.values))) != (hand and (hand.kind, hand.values)):
            raise SystemExit(f"{path!r}: {ours} is not {hand}")


# --- DaCapo's array store --------------------------------------------------------------------------------------------


@frozen
class Named:
    """DaCapo passes objects whose `str()` is the name."""

    name: str

    def __str__(self) -> str:
        return self.name


def store_rows() -> Iterator[Row]:
    """Every method of the drop-in that makes paths. `remove` makes none: its time is the file system's."""
    datasets = [Named(name) for name in DATASETS]
    parameters = [Named(f"threshold_{number}") for number in (63, 127)]
    calls: dict[str, list[tuple[Any, ...]]] = {
        "snapshot_container": list(product(RUNS)),
        "validation_container": list(product(RUNS)),
        "validation_prediction_array": list(product(RUNS, ITERATIONS, datasets)),
        "validation_output_array": list(product(RUNS, ITERATIONS, parameters, datasets)),
        "best_validation_array": list(product(RUNS, ["fg__dice", "ecs/mem__dice"], [None, *datasets])),
        "validation_input_arrays": list(product(RUNS, [None, *datasets])),
    }
    mine, joining = LocalArrayStore("/data/runs"), opponents.JoiningStore("/data/runs")
    for name, arguments in calls.items():
        our_method, their_method = getattr(mine, name), getattr(joining, name)
        for one in arguments:
            if _places(our_method(*one)) != _places(their_method(*one)):
                raise SystemExit(f"{name}{one}: {our_method(*one)} is not {their_method(*one)}")
        times = pair(_each(our_method, arguments), _each(their_method, arguments), len(arguments))
        yield faster(f"`LocalArrayStore.{name}`", "joining UPaths, f-strings (no checks)", times, 3)
    # No target: a container that was never asked for has to be joined once, here as there.
    new_runs = list(product(f"run{number}" for number in range(3 * CACHED_CONTAINERS)))
    ours, theirs = pair(
        _each(mine.snapshot_container, new_runs), _each(joining.snapshot_container, new_runs), len(new_runs)
    )
    yield Row("`LocalArrayStore.snapshot_container`, always another run", ours, "the same", theirs, "-", None)


def _places(found: Any) -> list[tuple[str, str]]:
    identifiers = found if isinstance(found, tuple) else (found,)
    return [(str(one.container), getattr(one, "dataset", "")) for one in identifiers]


def _each(method: Callable[..., object], arguments: Iterable[tuple[Any, ...]]) -> Callable[[], None]:
    def run() -> None:
        for one in arguments:
            method(*one)

    return run


# --- loading and starting --------------------------------------------------------------------------------------------


def load_rows() -> Iterator[Row]:
    """Loading each shipped layout: the first in a process (its modules imported), and again."""
    for name in shipped_layouts():
        code = (
            "from time import process_time as now; from zarrange import Layout\n"
            f"a = now(); Layout.load({name!r}); b = now(); Layout.load({name!r}); c = now(); print(b - a, c - b)"
        )
        times = [[float(word) for word in words] for words in fresh_process(code)]
        yield within(f"`Layout.load({name!r})`, the first in a process", min(first for first, _ in times), 30)
        yield within(f"`Layout.load({name!r})`, again", min(again for _, again in times), 30)


def start_rows() -> Iterator[Row]:
    """Importing, and the command line's help, in fresh processes."""
    script = which("zarrange", path=str(Path(sys.executable).parent)) or "zarrange"
    python = sys.executable
    bare, imported, public, helped = processes(
        [
            [python, "-c", ""],
            [python, "-c", "import zarrange"],
            [python, "-c", "from zarrange import *"],
            [script, "--help"],
        ]
    )
    yield within("`import zarrange`, beyond bare Python", imported - bare, 120)
    yield Row("`import zarrange`, whole process", imported, "`python -c ''`", bare, "-", None)
    yield Row("`from zarrange import *`, whole process", public, "`python -c ''`", bare, "-", None)
    ratio = helped / bare
    yield Row("`zarrange --help`, whole process", helped, "`python -c ''`", bare, "< 3 x", ratio < 3)


def heavy_imports() -> list[str]:
    """Return which heavy modules are imported by importing zarrange, loading, rendering and reading back."""
    code = (
        "import sys, zarrange\n"
        "layout = zarrange.Layout.load('training')\n"
        "assert layout.match(layout.render('validation', run='r1').path).kind == 'validation'\n"
        "print(*sorted({'zarr', 'numpy'} & sys.modules.keys()))"
    )
    return fresh_process(code, turns=1)[0]


def main() -> int:
    """Print the table; return the exit status."""
    out = sys.stdout
    out.write("| what | zarrange | against | its time | ratio | target | |\n|---|---:|---|---:|---:|---|---|\n")
    all_met = True
    for rows in (render_rows, match_rows, store_rows, load_rows, start_rows):
        for row in rows():
            out.write(f"{row}\n")
            out.flush()
            all_met = all_met and row.is_met is not False
    heavy = heavy_imports()
    out.write(
        f"\nImporting, loading, rendering and matching import {' and '.join(heavy) or 'neither zarr nor numpy'}.\n"
    )
    out.write(f"{'All targets are met.' if all_met and not heavy else 'Not all targets are met.'}\n")
    return 0 if all_met and not heavy else 1


if __name__ == "__main__":
    sys.exit(main())
