"""The commands that change what is in a store: `remove`, `prune`, `migrate`, `undo`.

The first three print a plan, and carry it out with `--yes` only. Exit status 1 is for what the store itself is in the
way of; then it is as it was, unless the message says otherwise.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from contextlib import contextmanager

from zarrange.cli.executors import add_executor, executor
from zarrange.cli.options import (
    CLEAN,
    FINDINGS,
    assignments,
    check_root,
    command,
    formats,
    in_color,
    load_layout,
    open_store,
    reason,
    refused,
    root,
    search_asked,
    usage,
    words,
    words_asked,
)
from zarrange.cli.progress import add_progress, progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from zarrange.identifiers import Key, Value
    from zarrange.language.layout import Layout
    from zarrange.stores.plan import Plan
    from zarrange.stores.pruning import Pruning
    from zarrange.stores.transactions import Transaction

__all__ = ["add_commands"]

GRACE = "24h"
MIN_AGE = "1h"
DOING = {"remove": "removing", "prune": "removing", "migrate": "moving", "copy": "copying"}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the commands."""
    remove = command(commands, "remove", _remove, "say what would be removed of a store, and with --yes remove it")
    root(remove)
    about = "what to remove, as `find` takes it; at least one filter, such as run=r1"
    words(remove, "asked", metavar="KIND|FIELD=VALUE", help=about, is_needed=True)
    about = "remove containers and groups with all that is in them, whatever it is"
    remove.add_argument("--recursive", action="store_true", help=about)
    _grace(remove)
    _planned(remove)

    prune = command(commands, "prune", _prune, "say what no rule keeps of a kind, and with --yes remove it")
    root(prune)
    about = "the kind to prune, and which of it, as `find` takes it"
    words(prune, "asked", metavar="KIND|FIELD=VALUE", help=about, is_needed=True)
    _rules(prune)
    _grace(prune)
    about = "also where more than half would go, not everything could be read, or no layout is recorded in the store"
    prune.add_argument("--force", action="store_true", help=about)
    _planned(prune)

    migrate = command(commands, "migrate", _migrate, "say what a store would move to have another layout, and do it")
    root(migrate)
    migrate.add_argument("--to", metavar="LAYOUT", help="the layout that it is to have")
    about = "copy to this folder or URL, by the layout --to or the store's own, and leave the store as it is"
    migrate.add_argument("--into", metavar="ROOT2", help=about)
    about = "what all artifacts have of a field that only one of the layouts has; may be given for several fields"
    migrate.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help=about)
    about = "what may be several artifacts is of this kind, where it can be; given again, the first that fits counts"
    migrate.add_argument("--prefer", action="append", default=[], metavar="KIND", help=about)
    about = "what is at this path is of this kind, or the artifact of this key; may be given for several paths"
    migrate.add_argument("--choose", action="append", default=[], metavar="PATH=KIND|KEY", help=about)
    about = "also where something cannot be read, which then stays, or is not finished"
    migrate.add_argument("--force", action="store_true", help=about)
    _planned(migrate)

    undo = command(commands, "undo", _undo, "put back what was removed, the last thing first")
    undo.add_argument("root", metavar="ROOT", help="a folder, or a URL such as s3://bucket/prefix")
    undo.add_argument("id", nargs="?", metavar="ID", help="which removal, as --list names it")
    undo.add_argument("--list", action="store_true", help="list what can be undone, and change nothing")
    formats(undo, text="for people", json="stable")


def _rules(prune: argparse.ArgumentParser) -> None:
    rules = prune.add_argument_group("rules", "What one of them keeps, stays. There is no rule unless it is given.")
    rules.add_argument("--keep-last", metavar="N", help="keep the last ones of each group")
    rules.add_argument("--keep-every", metavar="N", help="keep those whose number is a multiple of this")
    about = "keep the best ones of each group, as in criterion=dice:max; may be given for several scores"
    rules.add_argument("--keep-best", action="append", metavar="criterion=SCORE:max|min", help=about)
    rules.add_argument("--older-than", metavar="AGE", help="keep what is younger: 7d, 24h; alone, remove what is older")
    about = "the field that tells the artifacts of a group apart, and which are last; may be given for several fields"
    rules.add_argument("--by", action="append", metavar="FIELD", help=about)
    about = "a table of scores, with a column for each field and each score; else the arrays' attributes have them"
    rules.add_argument("--scores", metavar="FILE.csv", help=about)
    about = f"what is younger and not marked as finished is never removed; {MIN_AGE} unless it is given"
    rules.add_argument("--min-age", metavar="AGE", default=MIN_AGE, help=about)


def _grace(command: argparse.ArgumentParser) -> None:
    about = f"for how long it can be undone: {GRACE} unless it is given; 0s deletes it at once, for good"
    command.add_argument("--grace", type=_seconds, default=GRACE, metavar="TIME", help=about)


def _seconds(text: str) -> float:
    from zarrange.stores.retention import parse_duration

    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _planned(command: argparse.ArgumentParser) -> None:
    """Let a command take what all do that make a plan."""
    command.add_argument("--yes", action="store_true", help="do it; else nothing is changed")
    command.add_argument("--all", action="store_true", help="print every step, and why each thing stays")
    command.add_argument("--no-sizes", action="store_true", help="do not measure what would go, chunk by chunk")
    add_executor(command)
    add_progress(command)
    formats(command, text="for people", json="stable")


# --- what is planned -------------------------------------------------------------------------------------------------


def _remove(options: argparse.Namespace) -> int:
    store = open_store(options)
    search = search_asked(store, options)
    if not any("=" in word for word in options.asked):
        what = " and every ".join(f"`{kind}`" for kind in options.asked)
        return usage(f"every {what} would go; say which, by filters such as run=r1")
    with _telling():
        _settle(options)
        plan = store.plan_removal_of(search, recursive=options.recursive, grace=options.grace)
        _carry_out(plan, options)
    return FINDINGS if search.unreadable else CLEAN


def _prune(options: argparse.Namespace) -> int:
    store = open_store(options)
    kinds, filters = words_asked(store, options)
    if len(kinds) != 1:
        return usage(f"one kind is pruned at a time, not {len(kinds)}")
    with _telling():
        asked = _asked(options)
        _settle(options)
        _carry_out(store.plan_pruning(kinds[0], asked, filters), options)
    return CLEAN


def _asked(options: argparse.Namespace) -> Pruning:
    """Return the prune that is asked for, or leave with what is wrong with it."""
    from zarrange.stores.pruning import Pruning
    from zarrange.stores.retention import read_policy

    names = ("keep_last", "keep_every", "keep_best", "older_than", "min_age")
    try:
        if options.scores is not None:
            open(options.scores, "rb").close()
        policy = read_policy({name: getattr(options, name) for name in names})
    except (ValueError, OSError) as error:
        sys.exit(usage(_as_options(reason(error))))
    return Pruning(policy, options.by, options.scores, options.grace, options.force)


def _migrate(options: argparse.Namespace) -> int:
    from zarrange.errors import FieldError, UnknownKindError
    from zarrange.stores.store import Store

    if options.to is None and options.into is None:
        return usage("say which layout the store is to have, by --to LAYOUT; or where to copy it, by --into ROOT2")
    store = open_store(options)
    new = store.layout if options.to is None else load_layout(options.to, options)
    fixed = _fixed(store.layout, new, options)
    asked: dict[str, Any] = {"fixed": fixed, "prefer": options.prefer, "force": options.force}
    chosen = _chosen(store.layout, options)
    with _telling():
        into = None if options.into is None else Store(options.into, new)
        _settle(options)
        try:
            if into is None:
                plan = store.plan_migration(new, chosen=chosen, **asked)
            else:
                plan = store.plan_copy(into, chosen=chosen, **asked)
        except (FieldError, UnknownKindError) as error:
            return refused(f"cannot migrate: {error}; `zarrange diff` tells all that is in the way")
        _carry_out(plan, options)
    return CLEAN


def _fixed(old: Layout, new: Layout, options: argparse.Namespace) -> Mapping[str, Value]:
    from zarrange.errors import FieldError
    from zarrange.language.difference import difference, read_fixed

    try:
        fixed = read_fixed(old, new, assignments(options.set))
        difference(old, new, fixed)
    except FieldError as error:
        sys.exit(usage(str(error)))
    return fixed


def _chosen(layout: Layout, options: argparse.Namespace) -> dict[str, Key]:
    """Return which artifact each path is that may be several, or leave with what is wrong."""
    from zarrange.errors import AmbiguousPathError, UnknownKindError

    found = {}
    try:
        for kind in options.prefer:
            layout.kind(kind)
        for one in options.choose:
            path, key = _choice(layout, one)
            found[path] = key
    except (AmbiguousPathError, UnknownKindError) as error:
        sys.exit(usage(str(error)))
    return found


def _choice(layout: Layout, written: str) -> tuple[str, Key]:
    """Return the path and the key of `PATH=KIND`, or of `PATH=KEY` with a key as a plan shows it."""
    for at in (at for at, character in enumerate(written) if character == "="):
        path, wanted = written[:at], written[at + 1 :]
        for key in layout.matches(path) if path else ():
            if str(key) == wanted:
                return path, key
    path, _, name = written.rpartition("=")
    if not path or not name or name.endswith(")"):
        sys.exit(usage(f"{written!r} is neither PATH=KIND nor PATH=KEY with a key that the path may have"))
    kind = layout.kind(name)
    readings = layout.matches(path)
    keys = [key for key in readings if key.kind == kind.name]
    if len(keys) != 1:
        few = f"may be several of `{kind.name}`: say which, by PATH=KEY" if keys else f"is no `{kind.name}`"
        known = f"it may be {'; '.join(map(str, keys or readings))}" if readings else "the layout has no such path"
        sys.exit(usage(f"{path!r} {few}; {known}"))
    return path, keys[0]


# --- what is done ----------------------------------------------------------------------------------------------------


def _settle(options: argparse.Namespace) -> None:
    """Bring to an end what others have left, before something is changed; a dry run changes nothing."""
    from zarrange.stores.store import open_backend
    from zarrange.stores.upkeep import settle

    if options.yes:
        settle(open_backend(options.root))


def _carry_out(plan: Plan, options: argparse.Namespace) -> None:
    """Print a plan, and with `--yes` do what it says."""
    from attrs import evolve

    from zarrange.report.plan import plan_as_json

    done = None
    with executor(options) as pool:
        if not options.yes and not options.no_sizes:
            with progress(options, "measuring") as told:
                plan = plan.measured(executor=pool, progress=told)
        shown = evolve(plan, root=options.root)
        if options.format == "text":
            _print(shown, options)
        if options.yes:
            with progress(options, DOING[plan.operation]) as told:
                done = plan.apply(executor=pool, progress=told)
    if options.format == "json":
        kept = done if plan.grace > 0 else None
        print(plan_as_json(shown, kept, is_applied=options.yes))
    else:
        for line in _said(shown, done, options):
            print(line)


def _print(plan: Plan, options: argparse.Namespace) -> None:
    from zarrange.report.plan import plan_as_text
    from zarrange.stores.outline import MAX_SHOWN

    most = None if options.all else MAX_SHOWN
    print(plan_as_text(plan, color=in_color(options, sys.stdout), most=most), flush=True)


def _said(plan: Plan, done: Transaction | None, options: argparse.Namespace) -> Iterator[str]:
    """What there is to say below a plan: that nothing was changed, or how to bring back what was."""
    from zarrange.stores.outline import within

    if not options.yes and plan.operation == "migrate" and any(len(left.keys) > 1 for left in plan.left):
        yield "what is ambiguous stays where it is, unless --prefer or --choose say what it is"
    if not options.yes and not plan.is_empty:
        yield "nothing was changed; --yes does it"
    elif options.yes and plan.operation in {"migrate", "copy"} and not plan.is_empty:
        yield "done"
    elif done is not None and plan.grace <= 0:
        yield "done, for good"
    elif done is not None:
        yield f"done; for {within(plan.grace)}, `zarrange undo {shlex.quote(plan.root)}` puts it back"


@contextmanager
def _telling() -> Iterator[None]:
    """Leave with what is in the way in the store (1), or with what is wrong with what was asked for (2)."""
    from zarrange.errors import StoreError

    try:
        yield
    except BrokenPipeError:
        raise
    except StoreError as error:
        sys.exit(refused(_as_options(reason(error))))
    except OSError as error:
        sys.exit(refused(reason(error)))
    except (ValueError, ModuleNotFoundError) as error:
        sys.exit(usage(_as_options(reason(error))))


_OPTIONS = {
    "`keep_last`": "--keep-last",
    "`keep_every`": "--keep-every",
    "`keep_best`": "--keep-best",
    "`older_than`": "--older-than",
    "`min_age`": "--min-age",
    "say `by`": "say --by FIELD",
    "say recursive=True": "say --recursive",
}


def _as_options(message: str) -> str:
    """Return a message with what one writes in a program as one writes it here."""
    for written, option in _OPTIONS.items():
        message = message.replace(written, option)
    return message


def _undo(options: argparse.Namespace) -> int:
    import time

    from zarrange.report import plan, printable
    from zarrange.stores.store import open_backend
    from zarrange.stores.upkeep import undo

    if options.list and options.id is not None:
        return usage("give the ID of what to undo, or --list")
    check_root(options.root)
    with _telling():
        backend = open_backend(options.root)
        if options.list:
            found = backend.transactions()
            if options.format == "json":
                print(plan.transactions_as_json(found, time.time()))
            elif found:
                print(plan.transactions_as_text(found, time.time(), color=in_color(options, sys.stdout)))
            else:
                print("nothing can be undone, and nothing was interrupted")
            return CLEAN
        done = undo(backend, options.id)
        if options.format == "json":
            print(plan.transaction_as_json(done, time.time()))
        else:
            print(f"undone: {printable(done.intent.about)}")
    return CLEAN
