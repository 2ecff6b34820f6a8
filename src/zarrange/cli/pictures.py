"""The commands that show pictures: `show` one slice of an array, `compare` a run's arrays on one sheet.

Both need the extra `zarrange[web]`, for Pillow. Nothing in the store is changed, and no file is written over unless
`--force` says so.
"""

from __future__ import annotations

import argparse
import os
import re
import sys

from zarrange.cli.options import (
    CLEAN,
    FINDINGS,
    assignments,
    color,
    command,
    in_color,
    open_store,
    reason,
    refused,
    root,
    usage,
    words,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zarrange.identifiers import Value
    from zarrange.language.layout import Layout
    from zarrange.stores.store import Store
    from zarrange.view.comparison import Comparison
    from zarrange.view.slices import Cut, Slice

__all__ = ["add_commands"]

STEPS = 6
COLUMNS, LINES = 80, 24
"""How large a screen is that does not say so."""
MOST_COLUMNS = 1000
LARGEST = 2048
SHOWN = 8
"""Of what there is, so many values are named in a message."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands."""
    show = command(commands, "show", _show, "show a slice of an array in the terminal, or write it as a PNG")
    root(show)
    show.add_argument("kind", metavar="KIND", help="a kind of arrays, such as validation_prediction")
    words(show, "values", metavar="FIELD=VALUE", help="which array, such as run=r1 iteration=1000")
    _looks(show)
    show.add_argument("--png", metavar="FILE", help="write a PNG, of one pixel a value, and show nothing")
    show.add_argument("--width", type=int, metavar="N", help="columns of the terminal; as it is unless given")
    color(show)

    about = "write one PNG of a run's arrays: a row for each place of the slider, a column for each kind"
    compare = command(commands, "compare", _compare, about)
    root(compare)
    words(compare, "values", metavar="FIELD=VALUE", help="which run, and what to choose, such as run=r1 dataset=train")
    compare.add_argument("--png", metavar="FILE", required=True, help="where to write the sheet")
    compare.add_argument("--kinds", metavar="KIND,KIND", help="which kinds of arrays; all that are there unless given")
    about = f"how many rows, spread evenly over what there is ({STEPS} unless given); or which, as in 1000,2000"
    compare.add_argument("--steps", metavar="N|VALUE,VALUE", default=str(STEPS), help=about)
    compare.add_argument("--size", type=int, default=240, metavar="N", help="pixels of a picture's longer side")
    _looks(compare)
    color(compare)


def _looks(command: argparse.ArgumentParser) -> None:
    """Let a command take how arrays are looked at."""
    about = "where, as in z:3,c:0, or z:3@0:64,0:64 for a region (y, then x); the middle unless given"
    command.add_argument("--cut", metavar="CUT", default="", help=about)
    about = "what is black and what is white, as in --range=0,1; the least and the greatest value unless given"
    command.add_argument("--range", metavar="LO,HI", help=about)
    about = "color each number as a label (--no-labels: as gray); as the data type suggests unless given"
    command.add_argument("--labels", action="store_true", default=None, help=about)
    command.add_argument("--no-labels", action="store_false", dest="labels", help=argparse.SUPPRESS)
    command.add_argument("--force", action="store_true", help="write over a file that exists")


# --- one array -------------------------------------------------------------------------------------------------------


def _show(options: argparse.Namespace) -> int:
    if _is_taken(options):
        return _taken(options)
    store = open_store(options)
    path = _path_asked(store, options)
    return _telling(lambda: _show_at(store, path, options))


def _show_at(store: Store, path: str, options: argparse.Namespace) -> int:
    from zarrange.report import printable
    from zarrange.report.blocks import blocks
    from zarrange.view.pictures import as_png, enlarged, image
    from zarrange.view.placing import locate
    from zarrange.view.slices import read_slice

    cut, span = _cut(options), _range(options)
    columns, lines = _screen(options)
    one = read_slice(store, locate(store, path), cut)
    if options.png is not None:
        return _write(as_png(image(one, labels=options.labels, range=span)), options)
    if not in_color(options, sys.stdout):
        print(f"{printable(path)}: {_said(one)}")
        print("a picture needs a terminal with colors, or --png FILE")
        return CLEAN
    height, width = one.values.shape
    size = max(1, int(max(height, width) * min(columns / width, 2 * lines / height)))
    drawn = enlarged(image(one, labels=options.labels, range=span, size=size), size)
    print("\n".join(blocks(drawn, is_true=os.environ.get("COLORTERM") in {"truecolor", "24bit"})))
    print(f"{printable(path)}: {_said(one)}")
    return CLEAN


def _path_asked(store: Store, options: argparse.Namespace) -> str:
    """Return the path of the array that the words name, or leave with what is wrong with them."""
    from zarrange.errors import FieldError, UnknownKindError

    texts = assignments(options.values)
    try:
        kind = store.layout.kind(options.kind)
        if kind.sort != "array":
            sys.exit(usage(f"`{kind.name}` is a kind of {kind.sort}, and pictures are of arrays"))
        values = kind.from_text(texts)
        missing = next((name for name in kind.fields if name not in values and name not in kind.optional), None)
        if missing is not None:
            sys.exit(usage(_choice_of(missing, store, kind.name, values)))
        return kind.render(values).path
    except (FieldError, UnknownKindError) as error:
        sys.exit(usage(str(error)))


def _choice_of(field: str, store: Store, kind: str, values: dict[str, Value]) -> str:
    """What to say where no value of a field was given."""
    from zarrange.errors import StoreError

    try:
        found = store.values(field, kind, **values)
    except StoreError as error:
        return f"say which `{field}`: {error}"
    if not found:
        given = ", ".join(f"{name}={value}" for name, value in values.items())
        return f"there is no `{kind}`{f' of {given}' if given else ''}"
    return f"say which `{field}`: there is {_listed(field, found)}"


def _listed(field: str, found: Sequence[Value]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(f"{field}={value}" for value in found[:SHOWN]) + more


def _said(one: Slice) -> str:
    """What a picture shows: the values' shape and type, where it was cut, its range."""
    from zarrange.view.pictures import value_range

    height, width = one.values.shape
    parts = [f"{height} x {width} {one.values.dtype}", str(one.cut), one.note]
    found = value_range(one.values)
    parts.append("no numbers" if found is None else f"from {found[0]:.6g} to {found[1]:.6g}")
    return ", ".join(part for part in parts if part)


# --- a sheet ---------------------------------------------------------------------------------------------------------


def _compare(options: argparse.Namespace) -> int:
    if _is_taken(options):
        return _taken(options)
    store = open_store(options)
    return _telling(lambda: _compare_in(store, options))


def _compare_in(store: Store, options: argparse.Namespace) -> int:
    from attrs import evolve

    from zarrange.errors import FieldError, UnknownKindError
    from zarrange.language.arrangement import arrangement
    from zarrange.report.listing import unreadable_as_text
    from zarrange.view.comparison import comparison
    from zarrange.view.pictures import as_png
    from zarrange.view.sheet import Look, sheet

    arranged = arrangement(store.layout)
    look = Look(_kinds(options), _cut(options), _range(options), options.labels, _size(options))
    chosen = _chosen(store.layout, assignments(options.values))
    if arranged.slider in chosen:
        return usage(f"`{arranged.slider}` is what rows are told by: say --steps {chosen[arranged.slider]},")
    run = None if arranged.by is None else chosen.pop(arranged.by, None) or _only_run(store, arranged.by)
    try:
        below = {one.over for one in arranged.panels if one.over and (look.kinds is None or one.kind in look.kinds)}
        found = comparison(store, run, chosen, None if look.kinds is None else look.kinds | below)
    except (FieldError, UnknownKindError) as error:
        return usage(str(error))
    there = frozenset(one.kind for one in found.panels if one.path or one.paths)
    if not there:
        return refused(f"there is no array to show: {'; '.join(one.note for one in found.panels)}")
    if look.kinds is None:
        look = evolve(look, kinds=there)
    title = ", ".join([arranged.title, *_titles(found, arranged.by)])
    drawn = sheet(store, found, _steps(found, store.layout, options), title=title, look=look)
    status = _write(as_png(drawn), options)
    for line in unreadable_as_text(found.unreadable, color=in_color(options, sys.stderr)):
        sys.stderr.write(line)
    return FINDINGS if found.unreadable and status == CLEAN else status


def _titles(found: Comparison, by: str | None) -> list[str]:
    run = [] if by is None else [f"{by} {found.run}"]
    return [*run, *(f"{one.field} {one.chosen}" for one in found.choices if one.chosen is not None)]


def _kinds(options: argparse.Namespace) -> frozenset[str] | None:
    if options.kinds is None:
        return None
    if not (found := frozenset(one for one in options.kinds.split(",") if one)):
        sys.exit(usage(f"{options.kinds!r} names no kinds"))
    return found


def _chosen(layout: Layout, texts: dict[str, str]) -> dict[str, Value]:
    return {name: _value(layout, name, text) for name, text in texts.items()}


def _value(layout: Layout, name: str, text: str) -> Value:
    """Return the value of a field, or leave with what is wrong with it."""
    from zarrange.diagnostics import similar
    from zarrange.language.fields import Misfit

    if name not in layout.fields:
        sys.exit(usage(f"`{name}` is no field of the layout; {similar(name, layout.fields, 'field')}"))
    try:
        return layout.fields[name].from_text(text)
    except Misfit as misfit:
        sys.exit(usage(f"field `{name}` {misfit}"))


def _only_run(store: Store, by: str) -> Value:
    found = store.values(by)
    if not found:
        sys.exit(usage(f"there is no `{by}` to show"))
    if len(found) > 1:
        sys.exit(usage(f"say which `{by}`: there is {_listed(by, found)}"))
    return found[0]


def _steps(found: Comparison, layout: Layout, options: argparse.Namespace) -> tuple[Value, ...]:
    """Return the steps that are asked for: so many of those that there are, or these."""
    from zarrange.view.sheet import evenly

    if found.slider is None or not found.steps:
        return ()
    if re.fullmatch(r"[0-9]{1,6}", options.steps):
        if not int(options.steps):
            sys.exit(usage("a sheet has at least one row: --steps takes a number from 1, or values as in 1000,2000"))
        return evenly(found.steps, int(options.steps))
    asked = [_value(layout, found.slider, text) for text in options.steps.split(",") if text]
    if not asked:
        sys.exit(usage(f"{options.steps!r} names no steps"))
    if absent := [step for step in asked if step not in found.steps]:
        there = _listed(found.slider, found.steps)
        sys.exit(usage(f"there is no {found.slider}={absent[0]}; there is {there}"))
    return tuple(dict.fromkeys(asked))


# --- what both take --------------------------------------------------------------------------------------------------


def _telling(do: Callable[[], int]) -> int:
    """Do something, and say what is in the way of it; without Pillow, which extra has it."""
    from zarrange.errors import StoreError

    try:
        return do()
    except ModuleNotFoundError as error:
        if error.name != "PIL":
            raise
        return usage("pictures need Pillow: install zarrange[web]")
    except StoreError as error:
        return refused(reason(error))
    except ValueError as error:
        return usage(str(error))


def _cut(options: argparse.Namespace) -> Cut:
    from zarrange.view.slices import Cut

    return Cut.parse(options.cut)


def _range(options: argparse.Namespace) -> tuple[float, float] | None:
    if options.range is None:
        return None
    try:
        low, high = map(float, options.range.split(","))
    except ValueError:
        sys.exit(usage(f"{options.range!r} is no range: it is written as in --range=0,1"))
    return low, high


def _size(options: argparse.Namespace) -> int:
    if not 1 <= options.size <= LARGEST:
        sys.exit(usage(f"--size is from 1 to {LARGEST} pixels, not {options.size}"))
    return int(options.size)


def _write(content: bytes, options: argparse.Namespace) -> int:
    """Write a file that is new, unless it is to be written over; of one that cannot be written, nothing is left."""
    try:
        with open(options.png, "wb" if options.force else "xb") as file:
            try:
                file.write(content)
            except BaseException:
                os.unlink(options.png)
                raise
    except FileExistsError:
        return _taken(options)
    except OSError as error:
        return usage(reason(error))
    return CLEAN


def _is_taken(options: argparse.Namespace) -> bool:
    """Whether the file that is to be written exists: better said before all the work than after it."""
    return options.png is not None and not options.force and os.path.lexists(options.png)


def _taken(options: argparse.Namespace) -> int:
    if os.path.isdir(options.png):
        return usage(f"{options.png!r} is a folder; --png takes the name of a file")
    return usage(f"{options.png!r} exists already; nothing was written over it (--force does)")


def _screen(options: argparse.Namespace) -> tuple[int, int]:
    """Return how many columns and lines a picture may have; with a given width, as many lines as it takes."""
    if options.width is not None:
        if not 1 <= options.width <= MOST_COLUMNS:
            sys.exit(usage(f"--width is from 1 to {MOST_COLUMNS} columns, not {options.width}"))
        return options.width, MOST_COLUMNS
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
        columns, lines = size.columns or COLUMNS, size.lines or LINES
    except (OSError, ValueError):
        columns, lines = COLUMNS, LINES
    return min(columns, MOST_COLUMNS), max(1, lines - 3)
