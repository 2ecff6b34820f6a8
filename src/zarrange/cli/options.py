"""What the commands share: how they are declared, what they read from the command line, how they refuse."""

from __future__ import annotations

import argparse
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from zarrange.diagnostics import Diagnostic
    from zarrange.errors import LayoutError
    from zarrange.language.layout import Layout
    from zarrange.stores.catalog import Search
    from zarrange.stores.store import Store

__all__ = [
    "CLEAN",
    "FINDINGS",
    "USAGE",
    "assignments",
    "check_root",
    "color",
    "command",
    "formats",
    "help_formatter",
    "in_color",
    "load_layout",
    "open_store",
    "parse",
    "print_findings",
    "reason",
    "refused",
    "root",
    "search_asked",
    "usage",
    "words",
    "words_asked",
]

CLEAN, FINDINGS, USAGE = 0, 1, 2


def help_formatter(prog: str) -> argparse.HelpFormatter:
    """Write help as wide as the terminal. Python's own way to ask for the width imports three compression libraries."""
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns) or 80
    except (OSError, ValueError):
        columns = 80
    return argparse.HelpFormatter(prog, width=columns - 2)


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, about: str
) -> argparse.ArgumentParser:
    """Declare a command, which `run` runs."""
    description = f"{about[0].upper()}{about[1:]}."
    command = commands.add_parser(
        name, help=about, description=description, allow_abbrev=False, formatter_class=help_formatter
    )
    command.set_defaults(run=run, parser=command)
    return command


def words(
    command: argparse.ArgumentParser,
    name: str,
    *,
    metavar: str,
    help: str,  # noqa: A002 - argparse's
    is_needed: bool = False,
) -> None:
    """Let a command take words, also behind its options: any number of them, or at least one."""
    nargs = "+" if is_needed else "*"
    command.add_argument(name, nargs=nargs, default=[], metavar=metavar, help=help)
    command.set_defaults(words=name)


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line as options, or leave with what is wrong with it."""
    options, more = parser.parse_known_args(arguments)
    parser = getattr(options, "parser", parser)
    # argparse takes the words up to the next option only; it means `find ROOT --format csv KIND` to be wrong.
    if more and ("words" not in options or any(word.startswith("-") for word in more)):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    if more:
        setattr(options, options.words, [*getattr(options, options.words), *more])
    return options


def formats(command: argparse.ArgumentParser, **meanings: str) -> None:
    """Let a command take `--format`, the first one unless it is given, and `--color`."""
    about = ", ".join(f"{name} ({meaning})" for name, meaning in meanings.items())
    command.add_argument("--format", choices=list(meanings), default=next(iter(meanings)), help=about)
    color(command)


def color(command: argparse.ArgumentParser) -> None:
    """Let a command take `--color`."""
    about = "auto: on a terminal, unless NO_COLOR is set; FORCE_COLOR turns it on"
    command.add_argument("--color", choices=["auto", "always", "never"], default="auto", help=about)


def in_color(options: argparse.Namespace, stream: TextIO) -> bool:
    """Return whether to color what goes to a stream."""
    if options.color != "auto":
        return bool(options.color == "always")
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def load_layout(name: str, options: argparse.Namespace) -> Layout:
    """Load a layout, or leave with what is wrong with it."""
    from zarrange.errors import LayoutError
    from zarrange.language.layout import Layout
    from zarrange.report import diagnostics_as_text

    try:
        return Layout.load(name)
    except LayoutError as error:
        print(diagnostics_as_text(error.diagnostics, color=in_color(options, sys.stderr)), file=sys.stderr)
        sys.exit(USAGE if _is_missing(error) else FINDINGS)


def _is_missing(error: LayoutError) -> bool:
    return all(diagnostic.rule == "unreadable-layout" for diagnostic in error.diagnostics)


def print_findings(found: Sequence[Diagnostic], options: argparse.Namespace, checked: int, what: str = "file") -> None:
    """Print findings in the format that was asked for."""
    from zarrange import __version__, report

    if options.format == "json":
        print(report.diagnostics_as_json(found))
    elif options.format == "sarif":
        from zarrange.report.pages import pages

        print(report.diagnostics_as_sarif(found, pages(), version=__version__, root=os.getcwd()))
    elif options.format == "github":
        if found:
            print(report.diagnostics_as_github(found))
    else:
        drawn = [report.diagnostics_as_text(found, color=in_color(options, sys.stdout))] if found else []
        print("\n\n".join([*drawn, report.summary(checked, found, what)]))


def assignments(written: Sequence[str]) -> dict[str, str]:
    """Return the values of words such as `run=r1`, or leave with what is wrong with them."""
    values: dict[str, str] = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not equals or not name:
            sys.exit(usage(f"{one!r} is not FIELD=VALUE, as in run=r1"))
        if name in values:
            sys.exit(usage(f"the field `{name}` is given twice"))
        values[name] = value
    return values


def root(command: argparse.ArgumentParser) -> None:
    """Let a command take the root of a store, and `--layout`."""
    command.add_argument("root", metavar="ROOT", help="a folder, or a URL such as s3://bucket/prefix")
    command.add_argument("--layout", metavar="LAYOUT", help="the store's layout, if it does not describe itself")


def open_store(options: argparse.Namespace) -> Store:
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


def search_asked(store: Store, options: argparse.Namespace) -> Search:
    """Return the search that the words of the command line ask for, or leave with what is wrong with them."""
    from zarrange.errors import FieldError, UnknownKindError

    kinds, filters = words_asked(store, options)
    try:
        return store.find(kinds or None, **filters)
    except (FieldError, UnknownKindError) as error:
        sys.exit(usage(str(error)))


def words_asked(store: Store, options: argparse.Namespace) -> tuple[list[str], dict[str, object]]:
    """Return the kinds and the filters that the words name, or leave with what is wrong with them."""
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
        return kinds, read_filters(store.layout, kinds, texts)
    except (FieldError, UnknownKindError) as error:
        sys.exit(usage(str(error)))


def check_root(root: str) -> None:
    """Leave where a root is no folder: a typing error is not an empty store."""
    if "://" in root:
        return
    is_folder = False
    try:
        is_folder = stat.S_ISDIR(os.stat(os.path.expanduser(root)).st_mode)
    except PermissionError as error:
        sys.exit(usage(reason(error)))
    except OSError:
        pass
    if not is_folder:
        sys.exit(usage(f"{root!r} is no folder, so there is no store"))


def reason(error: Exception) -> str:
    """Return what an error says; of the system's, without the number."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fsdecode(error.filename)!r}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


def refused(message: str) -> int:
    """Say what in a store is in the way, in as many lines as it takes; return the exit status."""
    first, *more = message.split("\n")
    usage(first)
    _complain(*more)
    return FINDINGS


def usage(message: str) -> int:
    """Say that the command was called wrongly, and how; return its exit status."""
    _complain(f"zarrange: {message}")
    return USAGE


def _complain(*lines: str) -> None:
    from zarrange.report import printable

    for line in lines:
        print(printable(line), file=sys.stderr)
