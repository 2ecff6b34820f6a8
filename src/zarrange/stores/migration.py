"""Migration: the plan that brings a store from one layout to another, so that every artifact keeps its key.

Arrays move as they are, of groups and containers their metadata, and files. What no kind has stays where it is, and so
does what may be several artifacts, unless it is said which. The groups on the way to an array are made where it comes
to, if there were such where it comes from; those that are left with nothing in them go.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from functools import cached_property, lru_cache, partial
from time import time
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from zarrange.diagnostics import shown
from zarrange.errors import MAX_SHOWN, FieldError, IncompleteError, RefusedError, StoreError, UnknownKindError
from zarrange.identifiers import ArrayIdentifier, FileIdentifier, GroupIdentifier
from zarrange.language.difference import difference
from zarrange.stores.amounts import in_bytes
from zarrange.stores.doctor.consolidation import read_attributes
from zarrange.stores.doctor.survey import Mismatched, Unmatched, survey
from zarrange.stores.entries import Entry, Unreadable
from zarrange.stores.metadata import METADATA
from zarrange.stores.paths import above, joined
from zarrange.stores.plan import Left, Plan, Step, transacting
from zarrange.stores.record import is_recorded, read_record, recorded
from zarrange.stores.removal import refuse_clashes
from zarrange.stores.seal import is_complete
from zarrange.stores.stamps import take_stamps
from zarrange.stores.transactions import Intent, Move
from zarrange.stores.upkeep import refuse_kept
from zarrange.stores.ways import Ways

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from zarrange.identifiers import Key
    from zarrange.language.difference import Difference
    from zarrange.language.layout import Layout
    from zarrange.stores.backend import Backend
    from zarrange.stores.doctor.survey import Folder
    from zarrange.stores.metadata import Node
    from zarrange.stores.stamps import Stamps
    from zarrange.stores.transactions import Identity

__all__ = ["Asked", "Choice", "View", "check_targets", "look", "plan_migration", "short_of_room"]


@frozen
class Choice:
    """Which artifact something is that may be several ones.

    `keys` say so by its path. Else it is the only reading of the first of `kinds` that has one.
    """

    keys: Mapping[str, Key] = field(factory=dict)
    kinds: tuple[str, ...] = ()

    def of(self, entry: Entry) -> Key | None:
        """Return the key of an entry, `None` where nothing says which. Raises `StoreError` for one it cannot have."""
        chosen = self.keys.get(entry.path)
        if chosen is not None and chosen not in entry.readings:
            known = ", ".join(map(str, entry.readings))
            raise StoreError(f"{entry.path!r} cannot be {chosen}; it may be {known}")
        for kind in self.kinds if chosen is None else ():
            readings = [key for key in entry.readings if key.kind == kind]
            if readings:
                return readings[0] if len(readings) == 1 else None
        return chosen


@frozen(slots=False)
class Asked:
    """What is asked for: from one layout to another. `fixed` are values of fields that only one of them has.

    With `force`, what could not be read may stay where it is, and unfinished arrays move too.
    """

    old: Layout
    new: Layout
    fixed: Mapping[str, object] = field(factory=dict)
    choice: Choice = field(factory=Choice)
    force: bool = False

    @cached_property
    def mapping(self) -> Difference:
        """What becomes of every key. Raises `RefusedError` for a layout with a clash."""
        for layout in (self.old, self.new):
            refuse_clashes(layout)
        return difference(self.old, self.new, self.fixed)


def plan_migration(backend: Backend, asked: Asked) -> Plan:
    """Return the plan that brings a store to another layout.

    Raises `BusyError` where what was removed can still be put back, for it would come back to the old layout;
    `FieldError` or `UnknownKindError` for an artifact that has no key in the new layout; `StoreError` for targets that
    collide or exist, for a layout with a clash, and unless forced, for an unfinished array, and `IncompleteError` where
    something could not be read.
    """
    record = read_record(backend)
    refuse_kept(backend)
    began = time()
    view, intent = _prepared(backend, asked)
    state = _State(record, view.steps, intent, view.stamps(began))
    do = transacting(backend, intent)
    recheck = partial(_recheck, backend, asked, state)
    steps = tuple(view.steps)
    is_more = backend.is_there() and not is_recorded(backend, asked.new)
    return Plan("migrate", backend.root, steps, view.all_left, backend=backend, do=do, recheck=recheck, is_more=is_more)


@frozen
class _State:
    """A store as it was when a plan was made, and what was planned."""

    record: bytes | None
    steps: list[Step]
    intent: Intent
    stamps: Stamps | None


def _recheck(backend: Backend, asked: Asked, state: _State) -> Mapping[str, Identity] | None:
    """Raise `StoreError` unless the same plan would be made now; whoever makes something in a moment is refused.

    It would be, if nothing that it stands on was touched: then it is told which ones its folders are. Else it is made
    again. Where somebody has brought the store to another layout, nothing may be left that the old one knows, and all
    of it moved.
    """
    is_same_record = read_record(backend) == state.record
    if is_same_record and state.stamps is not None and state.stamps.still_hold():
        return state.stamps.identities
    if is_same_record:
        view, intent = _prepared(backend, asked)
        if intent == state.intent and view.steps == state.steps:
            return None
    raise StoreError("the store is not as it was when the plan was made; nothing was changed: plan again")


def _prepared(backend: Backend, asked: Asked) -> tuple[View, Intent]:
    view = look(backend, asked)
    ways = Ways(backend, view)
    check_targets(backend, view, (*_taken(view, ways), *short_of_room(backend, backend, view)))
    view.left += ways.staying()
    moves = (*view.moves, *ways.dropped())
    about = f"the migration to the layout `{asked.new.name}`"
    record = recorded(asked.new)
    return view, Intent("migrate", about, moves, groups=ways.copies(), made=tuple(ways.made()), record=record)


def look(backend: Backend, asked: Asked, *, is_copy: bool = False) -> View:
    """Look at everything in a store, and at what becomes of it; a copy takes along what keeps its path, too."""
    view = View(backend, asked.old, asked.mapping, asked.choice, is_copy)
    view.look()
    if view.unreadable and not asked.force:
        raise IncompleteError([(one.path, one.reason) for one in view.unreadable])
    if view.unfinished and not asked.force:
        message = "is not finished: somebody is writing it, or was interrupted; finish it, remove it, or force this"
        raise RefusedError(f"{f'{backend.root}/{view.unfinished[0]}'!r} {message}")
    return view


@define
class View:
    """What is in a store, and what becomes of it."""

    _backend: Backend
    _old: Layout
    _mapping: Difference
    _choice: Choice
    _is_copy: bool = False
    steps: list[Step] = field(factory=list)
    left: list[Left] = field(factory=list)
    unreadable: list[Unreadable] = field(factory=list)
    unfinished: list[str] = field(factory=list)
    moves: list[Move] = field(factory=list)
    folders: dict[str, Folder] = field(factory=dict)
    ambiguous: set[str] = field(factory=set)
    known: set[str] = field(factory=set)
    """The groups and containers that some kind has."""
    depths: dict[str, int] = field(factory=dict)
    """How many bytes the longest path inside an array has, by its path."""
    containers: dict[str, tuple[str, str]] = field(factory=dict)
    """The containers that an array or a group goes from and to, by its path."""

    def look(self) -> None:
        """Look at everything."""
        removals = self._backend.transactions()
        for thing in survey(self._backend, self._old, self._note, removals):
            if isinstance(thing, Unreadable):
                self.unreadable.append(thing)
            elif isinstance(thing, Unmatched):
                self.left.append(Left(thing.path, f"no kind of `{self._old.name}` has this path"))
            elif isinstance(thing, Mismatched):
                self.left.append(Left(thing.path, thing.message))
            else:
                self._take(thing)
        if unknown := self._choice.keys.keys() - self.ambiguous:
            raise StoreError(f"nothing is at {min(unknown)!r} that could be several artifacts")

    def _note(self, folder: Folder) -> None:
        self.folders[folder.path] = folder

    def _take(self, entry: Entry) -> None:
        key = self._key_of(entry)
        if key is None:
            self.left.append(Left(entry.path, f"it may be any of {len(entry.readings)} artifacts", entry.readings))
            return
        try:
            new_key = self._mapping.key(key)
            kind = self._mapping.new.kind(new_key.kind)
            place = kind.render(new_key.values)
        except FieldError as error:
            reason = f"{error.reason} (at {entry.path!r})"
            raise FieldError(error.kind, error.field, error.value, reason) from error
        except UnknownKindError as error:
            raise UnknownKindError(f"{error} (at {entry.path!r})") from error
        target = place.path
        sort = self._old.kind(key.kind).sort
        if sort in {"group", "container"}:
            self.known.add(entry.path)
        written = entry.metadata.zarr_format if entry.metadata is not None else None
        if None not in {kind.zarr_format, written} and kind.zarr_format != written:
            message = f"`{kind.name}` is of format {kind.zarr_format} in `{self._mapping.new.name}`"
            raise StoreError(f"cannot migrate: {entry.path!r} is of zarr format {written}, and {message}")
        if entry.node == "folder" or (target == entry.path and not self._is_copy):
            return
        whence = self._old.render(key.kind, **key.values)
        if isinstance(place, ArrayIdentifier | GroupIdentifier) and not isinstance(whence, FileIdentifier):
            self.containers[entry.path] = (whence.container, place.container)
        versions = self._backend.versions(entry.path)
        if entry.node == "array" and is_complete(self._attributes(entry, versions)) is False:
            self.unfinished.append(entry.path)
        self.steps.append(Step(entry.path, sort, key, target, new_key, versions=versions))
        if sort in {"array", "file"}:
            self.moves.append(Move(entry.path, target, is_folder=sort == "array"))
            self.depths[entry.path] = 0 if entry.metadata is None else _depth(entry.metadata)
        else:
            self.moves += [Move(joined(entry.path, name), joined(target, name), is_folder=False) for name in versions]

    def _attributes(self, entry: Entry, versions: Collection[str]) -> Mapping[str, Any]:
        if ".zattrs" in versions:
            return read_attributes(self._backend, entry.path)
        return {} if entry.metadata is None else entry.metadata.attributes

    def _key_of(self, entry: Entry) -> Key | None:
        if not entry.is_ambiguous:
            return entry.readings[0]
        self.ambiguous.add(entry.path)
        return self._choice.of(entry)

    def stamps(self, began: float) -> Stamps | None:
        """Return the stamps of all that was looked at since `began`, `None` where there are none to rely on."""
        if self.unreadable:
            return None  # what becomes readable has the times that it had
        files = {step.path: step.versions for step in self.steps}
        folders = {
            path: files.get(path, METADATA)
            if folder.items is None
            else [name for name, sort in folder.items if sort == "file"]
            for path, folder in self.folders.items()
        }
        return take_stamps(self._backend, folders, began)

    @property
    def all_left(self) -> tuple[Left, ...]:
        """What stays where it is, also because it could not be read."""
        return (*self.left, *(Left(one.path, one.reason) for one in self.unreadable))

    @property
    def sources(self) -> set[str]:
        """What goes from where it is."""
        return {move.source for move in self.moves}


# --- what may be in the way ------------------------------------------------------------------------------------------


def check_targets(backend: Backend, view: View, taken: Iterable[str]) -> None:
    """Refuse targets that collide, lie in one another, are too long, or are `taken`. Raises `StoreError`."""
    ends = sorted((move.target, move.source) for move in view.moves if move.target is not None)
    problems = [*_collisions(ends), *_nested(view), *taken, *_too_long(backend, ends, view.depths)]
    if problems:
        more = f"; and {len(problems) - MAX_SHOWN:,} more" if len(problems) > MAX_SHOWN else ""
        raise StoreError(f"cannot migrate: {'; '.join(problems[:MAX_SHOWN])}{more}; nothing was changed")


def short_of_room(source: Backend, target: Backend, view: View) -> Iterator[str]:
    """Say where there is not room enough for what is copied: into another store, or to another file system."""
    needed: Counter[int] = Counter()
    free: dict[int, int] = {}
    room_from, room_to = lru_cache(source.room), lru_cache(target.room)
    for move in view.moves:
        there = room_to(_folder(move.target or ""))
        if there is None or (source is target and there[0] == (room_from(_folder(move.source)) or there)[0]):
            continue
        needed[there[0]] += source.size(move.source)
        free[there[0]] = there[1]
    for number, size in needed.items():
        if size > free[number]:
            yield f"there are {in_bytes(size)} to copy, and {in_bytes(free[number])} are free where they would come to"


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _collisions(ends: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Two that come to one place, also where a file system tells no case or Unicode form."""
    first: dict[str, tuple[str, str]] = {}
    for target, source in ends:
        other, whence = first.setdefault(_folded(target), (target, source))
        if whence == source:
            continue
        if other == target:
            yield f"{whence!r} and {source!r} would both come to {target!r}"
        else:
            yield f"{whence!r} and {source!r} would come to {other!a} and {target!a}, one place to some file systems"


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _nested(view: View) -> Iterator[str]:
    """What would come to lie in an array or a file."""
    whole = {step.target: step for step in view.steps if step.sort in {"array", "file"}}
    for step in view.steps:
        for way in above(step.target or ""):
            if way in whole:
                yield f"{step.path!r} would come to {step.target!r}, inside of {whole[way].path!r}"


def _taken(view: View, ways: Ways) -> Iterator[str]:
    """Targets where something is that stays, and those behind something that is no folder."""
    sources = view.sources
    asked: dict[str, str | None] = {}
    for move in view.moves:
        target = move.target or ""
        if target not in sources and ways.is_taken(target):
            yield f"{move.source!r} would come to {target!r}, where something is already"
            continue
        for way in above(target):
            if way and way not in asked:
                asked[way] = None if way in sources else ways.obstacle(way)
            if way and (what := asked[way]) is not None:
                yield f"{move.source!r} would come to {target!r}, but {way!r} is {what}"
                break


def _too_long(backend: Backend, ends: Iterable[tuple[str, str]], depths: Mapping[str, int]) -> Iterator[str]:
    for target, source in ends:
        inner = depths.get(source, 0)
        if len(os.fsencode(f"{backend.root}/{target}")) + inner >= backend.max_path:
            what = "where its chunks would have paths" if inner else "a path"
            yield f"{source!r} would come to {shown(target)}, {what} of more than {backend.max_path:,} bytes"
        elif any(len(os.fsencode(name)) > backend.max_name for name in target.split("/")):
            yield f"{source!r} would come to {shown(target)}, with a name of more than {backend.max_name} bytes"


def _depth(array: Node) -> int:
    """The bytes of the longest path in an array: its metadata's, or a chunk's."""
    counts = [-(-size // max(chunk, 1)) for size, chunk in zip(array.shape or (), array.chunks or (), strict=False)]
    return max(len("/zarr.json"), len("/c") + sum(len(f"/{max(count - 1, 0)}") for count in counts))
