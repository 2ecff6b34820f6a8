"""The commands about layouts: `check`, `render`, `match`, `diff`, `explain`, `schema`."""

from __future__ import annotations

import os
import sys

from zarrange.cli.options import (
    CLEAN,
    FINDINGS,
    assignments,
    check_root,
    command,
    formats,
    in_color,
    load_layout,
    print_findings,
    usage,
    words,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from zarrange.diagnostics import Diagnostic
    from zarrange.identifiers import Key
    from zarrange.language.layout import Layout

__all__ = ["add_commands"]

_DIFF_STATUS = (
    "Exit status 0: every artifact of OLD has the same path in NEW, and none is lost, so that no store needs a "
    "migration (new kinds and wider fields change nothing). 1: a path changes, or may change, or an artifact would be "
    "lost. 2: the command was called wrongly. No store is looked at."
)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands."""
    check = command(commands, "check", _check, "check layout files, and the examples in them")
    words(check, "files", metavar="FILE", help="a layout file, or the name of a shipped layout", is_needed=True)
    check.add_argument("--store", metavar="ROOT", help="hold what is in this folder against the layout as well")
    formats(check, text="for people", json="stable", github="annotations of a workflow", sarif="SARIF 2.1.0")

    render = command(commands, "render", _render, "print the path of an artifact")
    render.add_argument("layout", metavar="LAYOUT")
    render.add_argument("kind", metavar="KIND", help="a kind of the layout, such as validation_prediction")
    words(render, "values", metavar="FIELD=VALUE", help="such as run=r1 iteration=1000")
    formats(render, text="for people", json="stable")

    match = command(commands, "match", _match, "print what paths mean")
    match.add_argument("layout", metavar="LAYOUT")
    words(match, "paths", metavar="PATH", help="a path relative to the store's root", is_needed=True)
    formats(match, text="for people", json="stable")

    diff = command(commands, "diff", _diff, "say what a store would have to change to get from one layout to another")
    diff.epilog = _DIFF_STATUS
    diff.add_argument("old", metavar="OLD", help="a layout file, or the name of a shipped layout")
    diff.add_argument("new", metavar="NEW", help="the layout that it becomes; `renamed_from` in it tells what moved")
    about = "what all artifacts have of a field that only one of the layouts has; may be given for several fields"
    diff.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help=about)
    formats(diff, text="for people", json="stable")

    explain = command(commands, "explain", _explain, "explain rules: what they find, why, and what to write instead")
    words(explain, "rules", metavar="RULE", help="a rule, such as unknown-field")
    explain.add_argument("--all", action="store_true", help="explain every rule")
    formats(explain, text="Markdown", json="stable")

    command(commands, "schema", _schema, "print the JSON Schema of layout files, for editors")


def _check(options: argparse.Namespace) -> int:
    files = _once(options.files, _file_of)
    if options.store is not None and len(files) > 1:
        return usage("a store has one layout: give a single FILE with --store")
    if options.store is not None:
        check_root(options.store)
    try:
        found = [one for file in files for one in _findings(file, options.store)]
    except (NotADirectoryError, ValueError, ModuleNotFoundError) as error:
        return usage(str(error))
    found = _once(found, _in_real_file)
    print_findings(found, options, len(files))
    return FINDINGS if found else CLEAN


def _findings(file: str, store: str | None) -> Sequence[Diagnostic]:
    """Return what is wrong with a layout, and with a store of it."""
    from zarrange.errors import LayoutError
    from zarrange.language.layout import Layout
    from zarrange.stores.doctor import LAYOUT_RULES, examine
    from zarrange.stores.store import open_backend

    try:
        layout = Layout.load(file)
    except LayoutError as error:
        return error.diagnostics
    if store is None:
        return layout.check()
    return (*layout.check(), *examine(open_backend(store), layout, LAYOUT_RULES, root=store))


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


def _explain(options: argparse.Namespace) -> int:
    from zarrange.diagnostics import similar
    from zarrange.report.pages import pages, pages_as_json, pages_as_text

    if options.all == bool(options.rules):
        return usage("give the names of rules, or --all")
    known = pages()
    for name in options.rules:
        if name not in known:
            return usage(f"there is no rule {name!r}; {similar(name, known, 'rule')}")
    chosen = [known[name] for name in dict.fromkeys(options.rules or known)]
    if options.format == "json":
        print(pages_as_json(chosen))
    else:
        print(pages_as_text(chosen, color=in_color(options, sys.stdout)))
    return CLEAN


def _schema(_: argparse.Namespace) -> int:
    import json

    from zarrange.language.schema import layout_schema

    print(json.dumps(layout_schema(), indent=2))
    return CLEAN


def _render(options: argparse.Namespace) -> int:
    from zarrange.converter import to_json
    from zarrange.errors import FieldError, UnknownKindError

    layout = load_layout(options.layout, options)
    try:
        kind = layout.kind(options.kind)
        identifier = kind.render(kind.from_text(assignments(options.values)))
    except (FieldError, UnknownKindError) as error:
        return usage(str(error))
    print(to_json(identifier) if options.format == "json" else identifier.path)
    return CLEAN


def _match(options: argparse.Namespace) -> int:
    import json

    from zarrange.converter import unstructure

    layout = load_layout(options.layout, options)
    readings = {path: _readings(layout, path) for path in options.paths}
    if options.format == "json":
        data = [{"path": path, "keys": unstructure(list(keys))} for path, keys in readings.items()]
        print(json.dumps(data, indent=2))
    else:
        print("\n".join(_meaning(path, keys, layout.name) for path, keys in readings.items()))
    return CLEAN if all(len(keys) == 1 for keys in readings.values()) else FINDINGS


def _diff(options: argparse.Namespace) -> int:
    from zarrange.errors import FieldError
    from zarrange.language.difference import difference, read_fixed
    from zarrange.report.changes import difference_as_json, difference_as_text

    old, new = (load_layout(name, options) for name in (options.old, options.new))
    try:
        found = difference(old, new, read_fixed(old, new, assignments(options.set)))
    except FieldError as error:
        return usage(str(error))
    if options.format == "json":
        print(difference_as_json(found))
    else:
        print(difference_as_text(found, color=in_color(options, sys.stdout)))
    return CLEAN if found.is_same else FINDINGS


def _readings(layout: Layout, path: str) -> Sequence[Key]:
    from zarrange.errors import AmbiguousPathError

    try:
        return layout.matches(path)
    except AmbiguousPathError as error:
        sys.exit(usage(str(error)))


def _meaning(path: str, keys: Sequence[Key], layout: str) -> str:
    from zarrange.report import printable

    shown = printable(path)
    if not keys:
        return f"{shown}: no kind of `{layout}` has this path"
    lines = [f"{shown}: {printable(str(key))}" for key in keys]
    if len(keys) > 1:
        lines.append(f"{shown}: ambiguous, {len(keys)} readings")
    return "\n".join(lines)
