"""The command line: `zarrange check | render | match | explain | schema`.

Exit status 0 is clean, 1 means findings (or a path that no kind has), 2 that the command was called wrongly.
Everything that costs time is imported by the command that needs it: `--help` must come at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, NoReturn, TextIO

    from zarrange.diagnostics import Diagnostic
    from zarrange.errors import LayoutError
    from zarrange.identifiers import Key
    from zarrange.language.layout import Layout

__all__ = ["main"]

CLEAN, FINDINGS, USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal cannot show is shown as an escape; names of files need not even be text.
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough. Nothing may be flushed into the closed pipe on the way out.
        sys.stdout = None
        status = CLEAN
    sys.exit(status)


def _help_formatter(prog: str) -> argparse.HelpFormatter:
    """Write help as wide as the terminal. Python's own way to ask for the width imports three compression libraries."""
    try:
        columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns) or 80
    except (OSError, ValueError):
        columns = 80
    return argparse.HelpFormatter(prog, width=columns - 2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zarrange",
        description="Where every artifact of a training run lives: layouts checked, paths rendered and read back.",
        epilog="LAYOUT is the name of a shipped layout (such as training or dacapo) or the path of a YAML file. "
        "Exit status: 0 clean, 1 findings, 2 wrong usage.",
        allow_abbrev=False,
        formatter_class=_help_formatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = _command(commands, "check", _check, "check layout files, and the examples in them")
    check.add_argument("files", nargs="+", metavar="FILE", help="a layout file, or the name of a shipped layout")
    check.add_argument("--store", metavar="ROOT", help="hold what is in this folder against the layout as well")
    _formats(check, text="for people", json="stable", github="annotations of a workflow", sarif="SARIF 2.1.0")

    render = _command(commands, "render", _render, "print the path of an artifact")
    render.add_argument("layout", metavar="LAYOUT")
    render.add_argument("kind", metavar="KIND", help="a kind of the layout, such as validation_prediction")
    render.add_argument("values", nargs="*", metavar="FIELD=VALUE", help="such as run=r1 iteration=1000")
    _formats(render, text="for people", json="stable")

    match = _command(commands, "match", _match, "print what paths mean")
    match.add_argument("layout", metavar="LAYOUT")
    match.add_argument("paths", nargs="+", metavar="PATH", help="a path relative to the store's root")
    _formats(match, text="for people", json="stable")

    explain = _command(commands, "explain", _explain, "explain rules: what they find, why, and what to write instead")
    explain.add_argument("rules", nargs="*", metavar="RULE", help="a rule, such as unknown-field")
    explain.add_argument("--all", action="store_true", help="explain every rule")
    _formats(explain, text="Markdown", json="stable")

    _command(commands, "schema", _schema, "print the JSON Schema of layout files, for editors")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from zarrange import __version__

        print(f"zarrange {__version__}")
        parser.exit()


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, about: str
) -> argparse.ArgumentParser:
    description = f"{about[0].upper()}{about[1:]}."
    command = commands.add_parser(
        name, help=about, description=description, allow_abbrev=False, formatter_class=_help_formatter
    )
    command.set_defaults(run=run)
    return command


def _formats(command: argparse.ArgumentParser, **meanings: str) -> None:
    """Let a command take `--format`, the first one unless it is given, and `--color`."""
    about = ", ".join(f"{name} ({meaning})" for name, meaning in meanings.items())
    command.add_argument("--format", choices=list(meanings), default=next(iter(meanings)), help=about)
    about = "auto: on a terminal, unless NO_COLOR is set; FORCE_COLOR turns it on"
    command.add_argument("--color", choices=["auto", "always", "never"], default="auto", help=about)


def _in_color(options: argparse.Namespace, stream: TextIO) -> bool:
    if options.color != "auto":
        return bool(options.color == "always")
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def _check(options: argparse.Namespace) -> int:
    files = _once(options.files, _file_of)
    if options.store is not None and len(files) > 1:
        return _usage("a store has one layout: give a single FILE with --store")
    try:
        found = [one for file in files for one in _findings(file, options.store)]
    except NotADirectoryError as error:
        return _usage(str(error))
    found = _once(found, _in_real_file)
    _print_findings(found, files, options)
    return FINDINGS if found else CLEAN


def _findings(file: str, store: str | None) -> Sequence[Diagnostic]:
    """Return what is wrong with a layout, and with a store of it."""
    from zarrange.errors import LayoutError
    from zarrange.language.layout import Layout
    from zarrange.stores.audit import audit

    try:
        layout = Layout.load(file)
    except LayoutError as error:
        return error.diagnostics
    return (*layout.check(), *(audit(store, layout) if store is not None else ()))


def _once(items: Iterable[Any], identity: Callable[[Any], object]) -> list[Any]:
    """Leave out what is the same as an earlier item."""
    first: dict[object, Any] = {}
    for item in items:
        first.setdefault(identity(item), item)
    return list(first.values())


def _file_of(layout: str) -> str:
    """Return what tells whether a file is given twice, be it by other names."""
    from zarrange.errors import LayoutError
    from zarrange.language.document import locate_layout

    try:
        return os.path.realpath(locate_layout(layout))
    except LayoutError:
        return layout


def _in_real_file(diagnostic: Diagnostic) -> Diagnostic:
    """Return what tells whether a finding is one that another layout, which extends the same one, had as well."""
    from attrs import evolve

    return evolve(diagnostic, span=evolve(diagnostic.span, file=os.path.realpath(diagnostic.span.file)))


def _print_findings(found: Sequence[Diagnostic], files: Sequence[str], options: argparse.Namespace) -> None:
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
        drawn = [report.diagnostics_as_text(found, color=_in_color(options, sys.stdout))] if found else []
        print("\n\n".join([*drawn, report.summary(len(files), found)]))


def _explain(options: argparse.Namespace) -> int:
    from zarrange.diagnostics import similar
    from zarrange.report.pages import pages, pages_as_json, pages_as_text

    if options.all == bool(options.rules):
        return _usage("give the names of rules, or --all")
    known = pages()
    for name in options.rules:
        if name not in known:
            return _usage(f"there is no rule {name!r}; {similar(name, known, 'rule')}")
    chosen = [known[name] for name in dict.fromkeys(options.rules or known)]
    if options.format == "json":
        print(pages_as_json(chosen))
    else:
        print(pages_as_text(chosen, color=_in_color(options, sys.stdout)))
    return CLEAN


def _schema(_: argparse.Namespace) -> int:
    import json

    from zarrange.language.schema import layout_schema

    print(json.dumps(layout_schema(), indent=2))
    return CLEAN


def _render(options: argparse.Namespace) -> int:
    from zarrange.converter import to_json
    from zarrange.errors import FieldError, UnknownKindError

    layout = _layout(options)
    try:
        kind = layout.kind(options.kind)
        identifier = kind.render(kind.from_text(_assignments(options.values)))
    except (FieldError, UnknownKindError) as error:
        return _usage(str(error))
    print(to_json(identifier) if options.format == "json" else identifier.path)
    return CLEAN


def _match(options: argparse.Namespace) -> int:
    import json

    from zarrange.converter import unstructure

    layout = _layout(options)
    readings = {path: _readings(layout, path) for path in options.paths}
    if options.format == "json":
        data = [{"path": path, "keys": unstructure(list(keys))} for path, keys in readings.items()]
        print(json.dumps(data, indent=2))
    else:
        print("\n".join(_meaning(path, keys, layout.name) for path, keys in readings.items()))
    return CLEAN if all(len(keys) == 1 for keys in readings.values()) else FINDINGS


def _readings(layout: Layout, path: str) -> Sequence[Key]:
    from zarrange.errors import AmbiguousPathError

    try:
        return layout.matches(path)
    except AmbiguousPathError as error:
        sys.exit(_usage(str(error)))


def _meaning(path: str, keys: Sequence[Key], layout: str) -> str:
    from zarrange.report import printable

    shown = printable(path)
    if not keys:
        return f"{shown}: no kind of `{layout}` has this path"
    lines = [f"{shown}: {printable(str(key))}" for key in keys]
    if len(keys) > 1:
        lines.append(f"{shown}: ambiguous, {len(keys)} readings")
    return "\n".join(lines)


def _layout(options: argparse.Namespace) -> Layout:
    """Load a layout, or leave with what is wrong with it."""
    from zarrange.errors import LayoutError
    from zarrange.language.layout import Layout
    from zarrange.report import diagnostics_as_text

    try:
        return Layout.load(options.layout)
    except LayoutError as error:
        print(diagnostics_as_text(error.diagnostics, color=_in_color(options, sys.stderr)), file=sys.stderr)
        sys.exit(USAGE if _is_missing(error) else FINDINGS)


def _is_missing(error: LayoutError) -> bool:
    return all(diagnostic.rule == "unreadable-layout" for diagnostic in error.diagnostics)


def _assignments(written: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not equals or not name:
            sys.exit(_usage(f"{one!r} is not FIELD=VALUE, as in run=r1"))
        if name in values:
            sys.exit(_usage(f"the field `{name}` is given twice"))
        values[name] = value
    return values


def _usage(message: str) -> int:
    from zarrange.report import printable

    print(f"zarrange: {printable(message)}", file=sys.stderr)
    return USAGE
