"""The commands about stores: `find`, `tree`, `doctor`, `init`. Only `init` changes anything."""

from __future__ import annotations

import os
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
    print_findings,
    reason,
    usage,
    words,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import IO

    from zarrange.stores.catalog import Entry, Search
    from zarrange.stores.store import Store

__all__ = ["add_commands"]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands."""
    find = command(commands, "find", _find, "list what exists, by kind and values")
    _root(find)
    about = "a kind, such as validation_output; or a filter, such as run=r1 or iteration=1000..5000 (both ends are in)"
    words(find, "asked", metavar="KIND|FIELD=VALUE", help=f"{about}; a field given twice: either value")
    find.add_argument("--explain", action="store_true", help="print how the search goes, and do not search")
    find.add_argument("--output", metavar="FILE", help="write to a new file instead of the screen")
    formats(find, text="for people", json="stable", csv="a table", parquet="a table; needs zarrange[table]")

    tree = command(commands, "tree", _tree, "show what a store has, by run and kind")
    _root(tree)
    words(tree, "asked", metavar="KIND|FIELD=VALUE", help="show only these, as `find` takes them")
    tree.add_argument("--sizes", action="store_true", help="measure the bytes stored, which looks at every chunk")
    tree.add_argument("--all", action="store_true", help="show every run, however many there are")
    formats(tree, text="for people", json="stable")

    doctor = command(commands, "doctor", _doctor, "list what is wrong with a store; nothing is changed")
    _root(doctor)
    formats(doctor, text="for people", json="stable", github="annotations of a workflow", sarif="SARIF 2.1.0")

    init = command(commands, "init", _init, "record a layout in a store, so that it need not be said again")
    init.add_argument("root", metavar="ROOT", help="a folder, which is made if it does not exist, or a URL")
    init.add_argument("--layout", required=True, metavar="LAYOUT", help="the layout to record")
    color(init)


def _root(command: argparse.ArgumentParser) -> None:
    command.add_argument("root", metavar="ROOT", help="a folder, or a URL such as s3://bucket/prefix")
    command.add_argument("--layout", metavar="LAYOUT", help="the store's layout, if it does not describe itself")


def _find(options: argparse.Namespace) -> int:
    from zarrange.errors import IncompleteError, StoreError
    from zarrange.report import listing

    search = _search(_store(options), options)
    if options.explain:
        drawn = listing.plan_as_json(search.plan()) if options.format == "json" else None
        print(drawn or listing.plan_as_text(search.plan(), color=in_color(options, sys.stdout)))
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

    store = _store(options)
    search = _search(store, options)
    overview = store.overview_of(search, sizes=options.sizes, most=None if options.all else MAX_GROUPS)
    overview = evolve(overview, root=options.root)
    if options.format == "json":
        print(overview_as_json(overview))
    else:
        width = os.get_terminal_size().columns if sys.stdout.isatty() else None
        print(overview_as_text(overview, color=in_color(options, sys.stdout), width=width))
    return CLEAN if overview.is_complete else FINDINGS


def _doctor(options: argparse.Namespace) -> int:
    store = _store(options)
    try:
        found = store.examine(root=options.root)
    except NotADirectoryError as error:
        return usage(str(error))
    print_findings(found, options, 1, "store")
    return FINDINGS if found else CLEAN


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


# --- what is asked for -----------------------------------------------------------------------------------------------


def _store(options: argparse.Namespace) -> Store:
    """Open a store that exists, or leave with what is wrong."""
    from zarrange.errors import StoreError
    from zarrange.stores.store import Store

    layout = None if options.layout is None else load_layout(options.layout, options)
    check_root(options.root)
    try:
        store = Store(options.root, layout)
    except (StoreError, ValueError, ModuleNotFoundError) as error:
        sys.exit(usage(reason(error)))
    if not store.is_there():
        sys.exit(usage(f"{options.root!r} has nothing below it, so there is no store"))
    return store


def _search(store: Store, options: argparse.Namespace) -> Search:
    """Return the search that the words of the command line ask for, or leave with what is wrong with them."""
    from zarrange.errors import FieldError, UnknownKindError
    from zarrange.language.selection import read_filters

    kinds = [word for word in options.asked if "=" not in word]
    texts: dict[str, list[str]] = {}
    for word in options.asked:
        name, equals, value = word.partition("=")
        if equals and not name:
            sys.exit(usage(f"{word!r} is not FIELD=VALUE, as in run=r1"))
        if equals:
            texts.setdefault(name, []).append(value)
        elif word in store.layout.fields and word not in store.layout.kinds:
            sys.exit(usage(f"`{word}` is a field of the layout, not a kind; a filter by it is {word}=VALUE"))
    try:
        return store.find(kinds or None, **read_filters(store.layout, kinds, texts))
    except (FieldError, UnknownKindError) as error:
        sys.exit(usage(str(error)))
