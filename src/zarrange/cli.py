"""The command line: `zarrange check | render | match`.

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
    from collections.abc import Sequence
    from typing import NoReturn

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

    render = _command(commands, "render", _render, "print the path of an artifact")
    render.add_argument("layout", metavar="LAYOUT")
    render.add_argument("kind", metavar="KIND", help="a kind of the layout, such as validation_prediction")
    render.add_argument("values", nargs="*", metavar="FIELD=VALUE", help="such as run=r1 iteration=1000")

    match = _command(commands, "match", _match, "print what paths mean")
    match.add_argument("layout", metavar="LAYOUT")
    match.add_argument("paths", nargs="+", metavar="PATH", help="a path relative to the store's root")
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
    command.add_argument("--format", choices=["text", "json"], default="text", help="text for people, or stable JSON")
    command.set_defaults(run=run)
    return command


def _check(options: argparse.Namespace) -> int:
    from zarrange.errors import LayoutError
    from zarrange.language.layout import Layout
    from zarrange.report import diagnostics_as_json, diagnostics_as_text

    found: list[Diagnostic] = []
    for file in options.files:
        try:
            found += Layout.load(file).check()
        except LayoutError as error:
            found += error.diagnostics
    if options.format == "json":
        print(diagnostics_as_json(found))
    else:
        files = f"{len(options.files)} file{'s' * (len(options.files) != 1)}"
        verdict = f"{len(found)} finding{'s' * (len(found) != 1)}" if found else "no findings"
        print("\n\n".join([*([diagnostics_as_text(found)] if found else []), f"{files} checked, {verdict}"]))
    return FINDINGS if found else CLEAN


def _render(options: argparse.Namespace) -> int:
    from zarrange.converter import to_json
    from zarrange.errors import FieldError, UnknownKindError

    layout = _layout(options.layout)
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

    layout = _layout(options.layout)
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


def _layout(name: str) -> Layout:
    """Load a layout, or leave with what is wrong with it."""
    from zarrange.errors import LayoutError
    from zarrange.language.layout import Layout
    from zarrange.report import diagnostics_as_text

    try:
        return Layout.load(name)
    except LayoutError as error:
        print(diagnostics_as_text(error.diagnostics), file=sys.stderr)
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
