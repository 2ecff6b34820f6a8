"""The commands about stores: `find`, `tree`, `doctor`, `init`.

Only `init` changes anything, and `doctor`, where it is asked to recover or to purge.
"""

from __future__ import annotations

import os
import shlex
import sys

from zarrange.cli.options import (
    CLEAN,
    FINDINGS,
    check_root,
    color,
    command,
    formats,
    in_color,
    load_layout,
    open_store,
    print_findings,
    reason,
    refused,
    root,
    search_asked,
    usage,
    words,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import IO, Literal

    from zarrange.report.plan import Outcome
    from zarrange.stores.backend import Backend
    from zarrange.stores.catalog import Entry, Search
    from zarrange.stores.store import Store
    from zarrange.stores.transactions import Transaction

__all__ = ["add_commands"]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands."""
    find = command(commands, "find", _find, "list what exists, by kind and values")
    root(find)
    about = "a kind, such as validation_output; or a filter, such as run=r1 or iteration=1000..5000 (both ends are in)"
    words(find, "asked", metavar="KIND|FIELD=VALUE", help=f"{about}; a field given twice: either value")
    find.add_argument("--explain", action="store_true", help="print how the search goes, and do not search")
    find.add_argument("--output", metavar="FILE", help="write to a new file instead of the screen")
    formats(find, text="for people", json="stable", csv="a table", parquet="a table; needs zarrange[table]")

    tree = command(commands, "tree", _tree, "show what a store has, by run and kind")
    root(tree)
    words(tree, "asked", metavar="KIND|FIELD=VALUE", help="show only these, as `find` takes them")
    tree.add_argument("--sizes", action="store_true", help="measure the bytes stored, which looks at every chunk")
    tree.add_argument("--all", action="store_true", help="show every run, however many there are")
    formats(tree, text="for people", json="stable")

    about = "list what is wrong with a store; nothing is changed, but by --recover and --purge"
    doctor = command(commands, "doctor", _doctor, about)
    root(doctor)
    about = "end what was interrupted, and delete what it has left, as far as nobody is at it"
    doctor.add_argument("--recover", action="store_true", help=about)
    about = "delete for good what was removed and cannot be undone any more"
    doctor.add_argument("--purge", action="store_const", const="expired", help=about)
    about = "delete for good all that was removed, also what could still be undone"
    doctor.add_argument("--purge=all", dest="purge", action="store_const", const="all", help=about)
    formats(doctor, text="for people", json="stable", github="annotations of a workflow", sarif="SARIF 2.1.0")

    init = command(commands, "init", _init, "record a layout in a store, so that it need not be said again")
    init.add_argument("root", metavar="ROOT", help="a folder, which is made if it does not exist, or a URL")
    init.add_argument("--layout", required=True, metavar="LAYOUT", help="the layout to record")
    color(init)


def _find(options: argparse.Namespace) -> int:
    from zarrange.errors import IncompleteError, StoreError
    from zarrange.report import listing

    search = search_asked(open_store(options), options)
    if options.explain:
        drawn = listing.explanation_as_json(search.explain()) if options.format == "json" else None
        print(drawn or listing.explanation_as_text(search.explain(), color=in_color(options, sys.stdout)))
        return CLEAN
    if options.format == "parquet" and options.output is None and sys.stdout.isatty():
        return usage("Parquet is not for a screen: give --output FILE, or send it into a file or a pipe")
    try:
        _write(search, options)
    except BrokenPipeError:
        raise
    except FileExistsError:
        return usage(f"{options.output!r} exists already; nothing was written over it")
    except IncompleteError:
        print("zarrange: not everything could be read, so there is no table", file=sys.stderr)
    except (StoreError, OSError, ModuleNotFoundError) as error:
        return usage(reason(error))
    for line in listing.unreadable_as_text(search.unreadable, color=in_color(options, sys.stderr)):
        sys.stderr.write(line)
    return FINDINGS if search.unreadable else CLEAN


def _write(search: Search, options: argparse.Namespace) -> None:
    """Write what is found, as it comes: to the screen, or into a new file, of which nothing is left if that fails."""
    if options.output is None:
        if options.format == "parquet":
            _write_parquet(search, sys.stdout.buffer)
        else:
            sys.stdout.writelines(_texts(search, options))
        return
    with open(options.output, "xb") as file:
        try:
            if options.format == "parquet":
                _write_parquet(search, file)
            else:
                file.writelines(text.encode(errors="backslashreplace") for text in _texts(search, options))
        except BaseException:
            os.unlink(options.output)
            raise


def _write_parquet(search: Search, stream: IO[bytes]) -> None:
    from zarrange.report.listing import write_listing_as_parquet

    # It has no place for what could not be read: a search that is not complete raises, and leaves no table.
    write_listing_as_parquet(search, search.kinds, search.layout, stream)


def _texts(search: Search, options: argparse.Namespace) -> Iterator[str]:
    from zarrange.report import listing

    if options.format == "json":
        return listing.listing_as_json(search.results())
    if options.format == "csv":
        return listing.listing_as_csv(_entries(search), search.kinds, search.layout)
    return listing.listing_as_text(_entries(search), color=options.output is None and in_color(options, sys.stdout))


def _entries(search: Search) -> Iterator[Entry]:
    """What is found; what could not be read is told at the end."""
    from zarrange.stores.catalog import Entry

    return (result for result in search.results() if isinstance(result, Entry))


def _tree(options: argparse.Namespace) -> int:
    from attrs import evolve

    from zarrange.report.tree import overview_as_json, overview_as_text
    from zarrange.stores.overview import MAX_GROUPS

    store = open_store(options)
    search = search_asked(store, options)
    overview = store.overview_of(search, sizes=options.sizes, most=None if options.all else MAX_GROUPS)
    overview = evolve(overview, root=options.root)
    if options.format == "json":
        print(overview_as_json(overview))
    else:
        width = os.get_terminal_size().columns if sys.stdout.isatty() else None
        print(overview_as_text(overview, color=in_color(options, sys.stdout), width=width))
    return CLEAN if overview.is_complete else FINDINGS


def _doctor(options: argparse.Namespace) -> int:
    if options.recover or options.purge is not None:
        return _mend(options)
    store = open_store(options)
    try:
        found = store.examine(root=options.root)
    except NotADirectoryError as error:
        return usage(str(error))
    print_findings(found, options, 1, "store")
    if options.format == "text" and (kept := _kept(store, options.root)):
        print(kept)
    return FINDINGS if found else CLEAN


def _kept(store: Store, root: str) -> str:
    """What there is to say of what was removed and can be undone."""
    from zarrange.errors import StoreError
    from zarrange.stores.amounts import counted

    try:
        kept = [one for one in store.transactions() if one.phase == "placed" and not one.is_live]
    except StoreError:  # which is among the findings
        return ""
    removals = counted(len(kept), "removal")
    return f"{removals} can be undone: `zarrange undo {shlex.quote(root)} --list` tells which" if kept else ""


def _mend(options: argparse.Namespace) -> int:
    """End what was interrupted, or purge what is in the trash, and say what was done. A layout is not needed."""
    from zarrange.errors import StoreError
    from zarrange.report.plan import outcome_as_text, outcomes_as_json
    from zarrange.stores.store import open_backend

    if options.format not in {"text", "json"}:
        return usage(f"what --recover and --purge have done is told as text or json, not as {options.format}")
    check_root(options.root)
    outcomes: list[Outcome] = []
    try:
        for outcome in _outcomes(open_backend(options.root), options):
            outcomes.append(outcome)
            if options.format == "text":
                print(outcome_as_text(outcome, color=in_color(options, sys.stdout)), flush=True)
    except (StoreError, OSError) as error:
        return refused(reason(error))
    except (ValueError, ModuleNotFoundError) as error:
        return usage(reason(error))
    if options.format == "json":
        print(outcomes_as_json(outcomes))
    elif not outcomes:
        print("there was nothing to do")
    return FINDINGS if any(one.problem is not None for one in outcomes) else CLEAN


def _outcomes(backend: Backend, options: argparse.Namespace) -> Iterator[Outcome]:
    from zarrange.report.plan import Outcome
    from zarrange.stores.upkeep import end_interrupted, purge

    for one, error in end_interrupted(backend):
        yield _outcome("taken back" if one.phase == "begun" else "carried out", one, error)
    if options.recover:
        backend.tidy()
        for path in backend.sweep():
            yield Outcome("swept", path)
    if options.purge is not None:
        for one, error in purge(backend, is_now=options.purge == "all"):
            yield _outcome("purged", one, error)


def _outcome(
    done: Literal["taken back", "carried out", "purged"], one: Transaction, error: Exception | None
) -> Outcome:
    from zarrange.errors import EmptyFoldersError
    from zarrange.report.plan import Outcome

    problem = None if error is None else reason(error)
    return Outcome(done, one.intent.about, one.id, problem, error is None or isinstance(error, EmptyFoldersError))


def _init(options: argparse.Namespace) -> int:
    from zarrange.errors import StoreError
    from zarrange.report import printable
    from zarrange.stores.store import Store

    layout = load_layout(options.layout, options)
    try:
        store = Store.init(options.root, layout)
    except (StoreError, OSError, ValueError, ModuleNotFoundError) as error:
        return usage(reason(error))
    print(f"{printable(store.root)} has the layout `{printable(layout.name)}`")
    return CLEAN
