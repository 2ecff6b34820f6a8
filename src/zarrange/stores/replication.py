"""Replication: the plan that copies the artifacts of a store into another one, on disk or in an object store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from zarrange.errors import StoreError
from zarrange.stores.copies import groups_above_all, refresh, without_copy
from zarrange.stores.copying import copy_artifacts, is_copy, make_groups
from zarrange.stores.metadata import METADATA, parse_object
from zarrange.stores.migration import check_targets, look, short_of_room
from zarrange.stores.paths import joined
from zarrange.stores.plan import Left, Plan
from zarrange.stores.record import write_record
from zarrange.stores.spreading import spread
from zarrange.stores.upkeep import refuse_busy, settle
from zarrange.stores.ways import Ways

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from zarrange.language.layout import Layout
    from zarrange.stores.backend import Backend
    from zarrange.stores.copying import Work
    from zarrange.stores.migration import Asked, View
    from zarrange.stores.plan import Step
    from zarrange.stores.spreading import Progress
    from zarrange.stores.transactions import Check, Move

__all__ = ["plan_copy"]

BATCH = 8
"""How many artifacts are copied in one task of an executor."""


def plan_copy(source: Backend, target: Backend, asked: Asked) -> Plan:
    """Return the plan that copies the artifacts of a store of the layout `asked.old` into another one, of `asked.new`.

    Raises what `plan_migration` does.
    """
    if f"{target.root}/".startswith(f"{source.root}/") or f"{source.root}/".startswith(f"{target.root}/"):
        raise StoreError(f"{target.root!r} and {source.root!r} lie in each other; a copy goes to another place")
    view = look(source, asked, is_copy=True)
    there = {step.path for step in view.steps if _is_there(source, target, _work(view, step))}
    view.left += Ways(source, view).staying()
    whole = tuple(_work(view, step) for step in view.steps)
    view.steps = [step for step in view.steps if step.path not in there]
    view.moves = [move for move in view.moves if there.isdisjoint(_things(move))]
    check_targets(target, view, (*_taken(target, view), *short_of_room(source, target, view)))
    left = (*view.all_left, *(Left(path, "it is there already, and the same") for path in sorted(there)))
    works = tuple(work for work in whole if work[0] not in there)
    do = partial(_copy, _Copy(source, target, asked.new, works, whole))
    steps = tuple(evolve(step, target=f"{target.root}/{step.target}") for step in view.steps)
    return Plan("copy", source.root, steps, left, backend=source, do=do, is_more=True)


def _things(move: Move) -> tuple[str, ...]:
    """What a move may be a part of."""
    folder, _, name = move.source.rpartition("/")
    return (move.source, folder) if name in METADATA else (move.source,)


def _work(view: View, step: Step) -> Work:
    _, container = view.containers.get(step.path, ("", None))
    sort = "group" if step.sort in {"group", "container"} else step.sort
    return step.path, step.target or "", sort, container  # type: ignore[return-value]  # none is a link


def _is_there(source: Backend, target: Backend, work: Work) -> bool:
    """Whether a copy is there already. What a group keeps of the metadata below it is its own on each side."""
    path, to, sort, *_ = work
    return _told(source, path) == _told(target, to) if sort == "group" else is_copy(source, target, work)


def _told(backend: Backend, path: str) -> dict[str, dict[str, object]]:
    """What a group says of itself, by the names of its files; of a copy of metadata below it, that it is there."""
    files = {name: backend.read(joined(path, name)) for name in backend.versions(path)}
    return {
        name: {} if name == ".zmetadata" else without_copy(parse_object(name, content))
        for name, content in files.items()
    }


def _taken(target: Backend, view: View) -> Iterator[str]:
    """Targets where something else is already, which stays."""
    for step in view.steps:
        found = target.found(step.target or "")
        if found is not None and not (found.sort == "folder" and step.sort in {"group", "container"}):
            yield f"{step.path!r} would come to {f'{target.root}/{step.target}'!r}, where something else is already"


@frozen
class _Copy:
    """What is copied from where to where; `layout` is the one that it has there."""

    source: Backend
    target: Backend
    layout: Layout
    works: tuple[Work, ...]
    whole: tuple[Work, ...]
    """Also what is there already."""


def _copy(copy: _Copy, check: Check, progress: Progress, executor: Executor | None) -> None:
    """Copy everything: first groups, for others make those that they miss."""
    settle(copy.target)
    check()
    for _, to, *_ in copy.works:
        refuse_busy(copy.target, to)
    groups = [work for work in copy.works if work[2] == "group"]
    others = [work for work in copy.works if work[2] != "group"]
    work = partial(copy_artifacts, copy.source, copy.target)
    if groups:
        work(groups)
    for _ in spread(work, others, executor=executor, batch=BATCH, progress=progress):
        pass
    of_folders = {(work[1].rpartition("/")[0], work[3:]): work for work in copy.whole}
    for _ in spread(partial(make_groups, copy.target), of_folders.values(), workers=copy.target.in_flight):
        pass
    for group in groups_above_all(copy.target, [to for _, to, *_ in copy.whole]):
        refresh(copy.target, group)
    write_record(copy.target, copy.layout)
