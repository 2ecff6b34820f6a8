"""Removal: the plan that takes an artifact out of a store, and nothing else with it.

What makes a node visible is its metadata: they are hidden, and what else is in its folder goes when it is purged.
Whoever holds an array open can read it until then.
"""

from __future__ import annotations

import errno
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve

from zarrange.errors import (
    MAX_SHOWN,
    AmbiguousPathError,
    DamagedError,
    NotFoundError,
    NotInStoreError,
    StoreError,
    UnreadableError,
)
from zarrange.stores.backend import ARTICLES, Requests
from zarrange.stores.copies import groups_above_all
from zarrange.stores.entries import Unreadable
from zarrange.stores.metadata import METADATA, NODE_METADATA, parse_type
from zarrange.stores.paths import above, joined
from zarrange.stores.plan import Left, Plan, Step
from zarrange.stores.transactions import Intent, Move
from zarrange.stores.upkeep import hidden

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from concurrent.futures import Executor
    from typing import Literal, TypeAlias

    from zarrange.identifiers import Key
    from zarrange.language.layout import Layout
    from zarrange.stores.backend import Backend
    from zarrange.stores.catalog import Search
    from zarrange.stores.metadata import NodeType
    from zarrange.stores.plan import Do, Progress, Sort
    from zarrange.stores.transactions import Check, Transaction

    Target: TypeAlias = tuple[str, Sort, Key | None]

__all__ = [
    "check_array",
    "hiding",
    "leaving_nothing",
    "plan_array_removal",
    "plan_removal",
    "refuse_clashes",
    "removing",
    "step_of",
    "targets",
]

NODES = frozenset(NODE_METADATA)


def plan_removal(
    backend: Backend, layout: Layout, artifacts: Sequence[Target], *, is_recursive: bool, grace: float
) -> Plan:
    """Return the plan that removes artifacts, none of which lies in another one.

    Raises `NotFoundError`; `NotInStoreError` for something else there, for what lies in an array, and for what holds
    something else, unless it is a group or a container and `is_recursive`.
    """
    found = [_steps(backend, layout, artifact, is_recursive=is_recursive) for artifact in artifacts]
    steps = tuple(step for some in found for step in some)
    outer = [some[0] for some in found]
    are_groups = any(step.sort not in {"array", "file"} for step in outer)
    within = [step.path for step in outer if step.sort != "file"] if is_recursive and are_groups else None
    about = _about([step.path for step in outer])
    intent = leaving_nothing(hiding(backend, steps, "remove", about, within=within), layout)
    return Plan("remove", backend.root, steps, grace=grace, backend=backend, do=removing(backend, intent, grace))


def targets(search: Search, *, is_recursive: bool) -> tuple[list[Target], list[Left]]:
    """Return what a search finds, as what is to be removed, and what of it cannot be: it may be something else.

    Where groups go with all that is in them, what is found in one is not told again.
    """
    found: list[Target] = []
    left: list[Left] = []
    below = "\0"
    for result in search.results():
        if is_recursive and result.path.startswith(below):
            continue
        if isinstance(result, Unreadable):
            left.append(Left(result.path, result.reason))
        elif result.is_ambiguous:
            left.append(Left(result.path, "it is not certain what it is", result.readings))
        else:
            sort = search.layout.kind(result.key.kind).sort
            found.append((result.path, sort, result.key))
            below = below if sort in {"array", "file"} else f"{result.path}/"
    return found, left


def _steps(backend: Backend, layout: Layout, artifact: Target, *, is_recursive: bool) -> list[Step]:
    path, sort, key = artifact
    _check_way(backend, path)
    if sort in {"array", "file"}:
        return [step_of(backend, path, sort, key)]
    outer, *inner = _steps_of_group(backend, layout, path, sort, key)
    if not is_recursive:
        _check_empty(backend, outer, inner)
    return [outer, *inner]


def plan_array_removal(backend: Backend, path: str, *, grace: float) -> Plan:
    """Return the plan that removes an array of no layout, or what is left of one without its metadata.

    Raises what `plan_removal` does.
    """
    _check_way(backend, path)
    if backend.versions(path):
        step = step_of(backend, path, "array", None)
    else:
        if _is_gone(backend, path):
            raise NotFoundError(errno.ENOENT, "nothing is there", f"{backend.root}/{path}")
        check_array(backend, path)
        step = Step(path, "array", None)
    intent = hiding(backend, [step], "remove", _about([path]))
    return Plan("remove", backend.root, (step,), grace=grace, backend=backend, do=removing(backend, intent, grace))


def _about(paths: Sequence[str]) -> str:
    first = f"{paths[0]!r}" if paths else "nothing"
    return f"the removal of {first}{f' and {len(paths) - 1:,} more' if len(paths) > 1 else ''}"


def hiding(
    backend: Backend,
    steps: Sequence[Step],
    operation: Literal["remove", "prune"],
    about: str,
    *,
    within: Sequence[str] | None = None,
) -> Intent:
    """Return what hides the things of all steps; their folders go with them, or those that all are `within`."""
    moves = tuple(move for step in steps for move in _moves(step))
    nodes = [step.path for step in steps if step.sort not in {"file", "link"}]
    rests = tuple(nodes if within is None else within)
    groups = groups_above_all(backend, rests)
    return Intent(operation, about, moves, rests, groups, is_recursive=within is not None)


def leaving_nothing(intent: Intent, layout: Layout) -> Intent:
    """Return a removal with which the folders above go that it leaves empty, unless some kind of a layout has them."""

    def is_holder(way: str) -> bool:
        if not gone.isdisjoint((way, *above(way))):
            return False
        try:
            return not any(layout.kind(key.kind).sort in {"group", "container"} for key in layout.matches(way))
        except AmbiguousPathError:
            return False

    gone = frozenset(intent.rests)
    ways = {way for move in intent.moves for way in above(move.source) if way}
    return evolve(intent, holders=tuple(sorted(filter(is_holder, ways))))


def step_of(backend: Backend, path: str, sort: Sort, key: Key | None) -> Step:
    """Return the step that removes an array or a file. Raises `NotFoundError`, `NotInStoreError`, `DamagedError`."""
    versions = backend.versions(path)
    found = "file" if "" in versions else _type(backend, path, versions)
    if found is None and _is_gone(backend, path):
        raise NotFoundError(errno.ENOENT, "nothing is there", f"{backend.root}/{path}")
    if found != sort:
        raise _refusal(
            backend, path, f"it is {ARTICLES[found]}, not {ARTICLES[sort]}" if found else f"it is not {ARTICLES[sort]}"
        )
    if sort == "array":
        check_array(backend, path)
    return Step(path, sort, key, versions=versions)


def _is_gone(backend: Backend, path: str) -> bool:
    """Whether nothing is at a path, of which no metadata are there: or only chunks that are kept for some time."""
    return backend.found(path) is None or hidden(backend, path)


def _refusal(backend: Backend, path: str, reason: str) -> NotInStoreError:
    return NotInStoreError(f"cannot remove {f'{backend.root}/{path}'!r}: {reason}")


def check_array(backend: Backend, path: str) -> None:
    """Refuse an array's folder that holds something else than the array. Raises `NotInStoreError`."""
    for name in backend.strangers(path):
        inner = _first_node(backend, joined(path, name))
        what = f"{name!r} in its folder is not part of the array"
        if inner is not None:
            what = f"{inner.removeprefix(f'{path}/')!r} inside is another zarr node"
        raise _refusal(backend, path, f"{what}; it would be lost with it")


def _first_node(backend: Backend, path: str) -> str | None:
    """Return a node of zarr at or below a path."""
    waiting = [path]
    while waiting:
        folder = waiting.pop()
        with _naming(backend, folder):
            items = sorted(backend.items(folder, Requests()), reverse=True)
        if not NODES.isdisjoint(name for name, _ in items):
            return folder
        waiting += [joined(folder, name) for name, sort in items if sort == "folder"]
    return None


def _moves(step: Step) -> Iterator[Move]:
    """What is hidden: a file, or the metadata of a node, first the file that makes it one."""
    if step.sort == "link":
        return  # goes with the folder that it is in
    if step.sort == "file":
        yield Move(step.path, None, is_folder=False)
        return
    rank = {name: at for at, name in enumerate(NODE_METADATA)}
    for name in sorted(step.versions, key=lambda name: (rank.get(name, len(rank)), name)):
        yield Move(joined(step.path, name), None, is_folder=False)


def removing(backend: Backend, intent: Intent, grace: float) -> Do:
    """Return what does a removal: groups that have begun to keep a copy since it was planned are kept true, too."""
    return partial(_remove, backend, intent, grace)


def _remove(
    backend: Backend, intent: Intent, grace: float, check: Check, progress: Progress, _: Executor | None
) -> Transaction:
    groups = groups_above_all(backend, intent.rests)
    return backend.transact(evolve(intent, groups=groups), grace=grace, check=check, progress=progress)


def _check_way(backend: Backend, path: str) -> None:
    """Refuse a path that passes a symlink, a file or an array. Raises `NotInStoreError`, `NotFoundError`."""
    array = None
    for way in (*reversed([*above(path)][:-1]), path):
        shown = f"{backend.root}/{way}"
        with _naming(backend, way):
            sort = backend.stat(way, Requests(), may_be_file=False)
        if sort is None:
            raise NotFoundError(errno.ENOENT, "nothing is there", f"{backend.root}/{path}")
        if sort == "symlink":
            raise _refusal(backend, path, f"{shown!r} is a symlink")
        if sort != "folder" and way != path:
            raise _refusal(backend, path, f"{shown!r} is not a folder")
        if way != path and _type_of(backend, way) == "array":
            array = array or shown
    if array is not None:
        raise _refusal(backend, path, f"{array!r} is an array, and what lies in it is part of it")


@contextmanager
def _naming(backend: Backend, path: str) -> Iterator[None]:
    """Say where it is what cannot be read."""
    try:
        yield
    except UnreadableError as error:
        raise type(error)(f"{f'{backend.root}/{path}'!r} {error}") from None


def _type_of(backend: Backend, path: str) -> NodeType | None:
    return _type(backend, path, backend.versions(path))


# --- groups ----------------------------------------------------------------------------------------------------------


def _steps_of_group(backend: Backend, layout: Layout, path: str, sort: Sort, key: Key | None) -> list[Step]:
    """Return a step for a group, and one for whatever is in it, the outer ones first."""
    versions = backend.versions(path)
    found: str | None = "file" if "" in versions else None
    with suppress(DamagedError):  # what is damaged goes with the rest
        found = found or _type(backend, path, versions)
    if found in {"array", "file"}:
        raise _refusal(backend, path, f"it is {ARTICLES[found]}, not {ARTICLES[sort]}")
    inner = [*_inner(backend, layout, path)]
    if not versions and _is_gone(backend, path):
        raise NotFoundError(errno.ENOENT, "nothing is there", f"{backend.root}/{path}")
    if not versions and inner and not any(step.versions and step.sort != "file" for step in inner):
        raise _refusal(backend, path, "it has no metadata of zarr, and nothing in it has")
    return [Step(path, sort, key, versions=versions), *inner]


def _inner(backend: Backend, layout: Layout, path: str) -> Iterator[Step]:
    """Whatever is in a folder; what is in an array is part of it. A symlink goes itself, and is never followed."""
    waiting = deque([path])
    while waiting:
        folder = waiting.popleft()
        with _naming(backend, folder):
            items = sorted(backend.items(folder, Requests()))
        for name, sort in items:
            inner = joined(folder, name)
            if sort == "folder":
                versions = backend.versions(inner)
                found = _likely(backend, inner, versions)
                if found == "array":
                    check_array(backend, inner)
                else:
                    waiting.append(inner)
                if found is not None:
                    yield Step(inner, found, _reading(layout, inner, found), versions=versions)
            elif sort == "file" and name not in METADATA:
                yield Step(inner, "file", _reading(layout, inner, "file"), versions=backend.versions(inner))
            elif sort != "file":
                yield Step(inner, "link", None)


def _type(backend: Backend, path: str, versions: Collection[str]) -> NodeType | None:
    """Return what a folder's metadata say that it is, whatever else may be wrong with them. Raises `DamagedError`."""
    for name in NODE_METADATA:
        if name in versions:
            try:
                return parse_type(name, backend.read(joined(path, name)))
            except DamagedError as error:
                raise DamagedError(f"{f'{backend.root}/{path}'!r}: {error}") from None
    return None


def _likely(backend: Backend, path: str, versions: Collection[str]) -> NodeType | None:
    """Return what a folder is, by what is in it where its metadata are damaged: they go with the rest."""
    try:
        return _type(backend, path, versions)
    except DamagedError:
        folders = [name for name, sort in backend.items(path, Requests()) if sort == "folder"]
        has_nodes = any(_first_node(backend, joined(path, name)) for name in folders)
        return "group" if has_nodes or backend.strangers(path) else "array"


def _reading(layout: Layout, path: str, sort: Sort) -> Key | None:
    """What the layout calls something, if it has one name for it."""
    try:
        keys = [key for key in layout.matches(path) if sort in (layout.kind(key.kind).sort, "group")]
    except AmbiguousPathError:
        return None
    return keys[0] if len(keys) == 1 else None


def _check_empty(backend: Backend, outer: Step, inner: Sequence[Step]) -> None:
    """Refuse a group in which there is something, and name it. Raises `NotInStoreError`."""
    named = [*map(_named, inner)] or [repr(joined(outer.path, name)) for name in backend.strangers(outer.path)]
    if not named:
        return
    more = f", and {len(named) - MAX_SHOWN:,} more" if len(named) > MAX_SHOWN else ""
    what = f"is {ARTICLES[outer.sort]} that holds {', '.join(named[:MAX_SHOWN])}{more}"
    message = f"{what}; to remove it with all that is in it, say recursive=True"
    raise NotInStoreError(f"{f'{backend.root}/{outer.path}'!r} {message}")


def _named(step: Step) -> str:
    return repr(step.path) if step.key is None else f"{step.key} at {step.path!r}"


def refuse_clashes(layout: Layout) -> None:
    """Refuse a layout in which an artifact may be another one as well. Raises `StoreError`, with counter-examples."""
    if found := layout.clashes():
        shown = "\n".join(line for one in found for line in (str(one), *(f"  {fact}" for fact in one.info)))
        message = (
            "has a clash that is neither disproved nor accepted under `allow`, so nothing is removed or moved by it"
        )
        raise StoreError(f"the layout `{layout.name}` {message}:\n{shown}")
