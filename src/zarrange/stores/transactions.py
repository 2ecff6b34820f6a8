"""Transactions: changes of a store that happen as a whole or not at all, whenever a process dies; as frozen data.

A removal hides what makes its artifacts visible (their metadata, or a whole file), and keeps all of it until it is
purged: until then it can be undone. A migration moves whole arrays and files, all of them aside first and then to their
targets, because a target may be another one's source. A backend performs both from one `Intent`, by the phases here,
and writes each of them down before what follows from it.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen, validators

from zarrange.errors import BusyError
from zarrange.stores.backend import WORKING_FOLDER
from zarrange.stores.metadata import METADATA
from zarrange.stores.paths import above

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Check", "Identity", "Intent", "Move", "Phase", "Text", "Transaction", "is_plain", "nothing"]

Identity: TypeAlias = tuple[int, int]
"""Which one something on a disk is, under whatever name: its device and its inode."""
Check: TypeAlias = "Callable[[], Mapping[str, Identity] | None]"
"""Look once more, and raise where something is not as it was. Of some folders it may return which one was there."""

Phase = Literal["begun", "staged", "placed", "purging"]
"""How far a transaction has come.

`begun`: sources go aside; a crash is rolled back. `staged`: all are aside, and go to their targets; a crash is rolled
forward from here on. `placed`: the store is as it was to become; what was removed waits to be purged. `purging`: it is
being deleted, so that there is no way back.
"""

_is_of_record = re.compile(rf"{re.escape(WORKING_FOLDER)}/(?:store\.json|layout/(?!\.\.?\Z)[^/\0]+)").fullmatch
_IMPROPER = re.compile(r"(?:\A|/)\.{0,2}(?:/|\Z)|\0")


def nothing(*_: object) -> None:
    """Nothing to check, and nobody to tell."""


def is_plain(path: str) -> bool:
    """Return whether a path leads down from a root: no empty segment, no `.` or `..`, nor into the working folder."""
    return _IMPROPER.search(path) is None and path.partition("/")[0] != WORKING_FOLDER


def _plain(_: object, __: object, value: Any) -> None:
    if value is not None and not is_plain(value):
        raise ValueError(f"{value!r} is no plain path below a store's root")


def _rests(_: object, __: object, values: tuple[str, ...]) -> None:
    for value in values:
        _plain(None, None, value)


def _groups(_: object, __: object, values: tuple[str, ...]) -> None:
    _rests(None, None, tuple(value for value in values if value))


def _made(_: object, __: object, texts: tuple[Text, ...]) -> None:
    for text in texts:
        _plain(None, None, text.path)
        if text.path.rpartition("/")[2] not in METADATA:
            raise ValueError(f"{text.path!r} is no metadata of a group")


def _record(_: object, __: object, texts: tuple[Text, ...]) -> None:
    for text in texts:
        if not _is_of_record(text.path):
            raise ValueError(f"{text.path!r} is not where a store says what it is")


@frozen
class Move:
    """A folder or a file that goes from `source` to `target`; without one, into the trash."""

    source: str = field(validator=_plain)
    target: str | None = field(validator=_plain)
    is_folder: bool


@frozen
class Text:
    """A small file: `path`, relative to the root, and what it is to have; a new one is `like` another in its owner."""

    path: str
    content: str
    like: str | None = field(default=None, validator=_plain)


@frozen(slots=False)
class Intent:
    """What a transaction is to do. Paths are relative to the store's root.

    `moves` come in the order in which they hide: of a node of zarr, the file that makes it one first. `rests` are the
    folders of which the moves have taken the metadata, and which are deleted with what is in the trash. `groups` keep a
    copy of the metadata of what is below them (`""`: the root), which has to stay true. `made` are metadata of groups
    that the targets lie in, written where nothing is; `record` is written over what the store says of itself. With
    `is_recursive`, the rests may hold anything but nodes of zarr; else they are arrays, and have nothing but chunks.
    `holders` are folders above what is removed that are no artifact themselves: when it is purged, they go with it as
    far as nothing else is in them, and they say no more than that they are groups. `about` says in words what it is all
    about.
    """

    operation: Literal["remove", "prune", "migrate"]
    about: str
    moves: tuple[Move, ...]
    rests: tuple[str, ...] = field(default=(), validator=_rests)
    groups: tuple[str, ...] = field(default=(), validator=_groups)
    made: tuple[Text, ...] = field(default=(), validator=_made)
    record: tuple[Text, ...] = field(default=(), validator=_record)
    is_recursive: bool = False
    holders: tuple[str, ...] = field(default=(), validator=_rests)

    @property
    def is_exclusive(self) -> bool:
        """Whether nothing else may change the store meanwhile: a migration."""
        return self.operation == "migrate"

    @cached_property
    def places(self) -> frozenset[str]:
        """Where something is to be changed: nodes, or files."""
        ends = (place for move in self.moves for place in (move.source, move.target) if place is not None)
        return frozenset((*self.rests, *ends))

    @cached_property
    def ways(self) -> frozenset[str]:
        """The places, and all that is above them."""
        return frozenset(one for place in self.places for one in (place, *above(place)))

    def concerns(self, path: str) -> bool:
        """Return whether a path is at, below or above a place where something is to be changed."""
        return path in self.ways or any(one in self.places for one in above(path))

    def hides(self, path: str) -> bool:
        """Return whether a path is at or below what a removal takes away."""
        return self.operation != "migrate" and any(one in self.places for one in (path, *above(path)))

    def needs(self, folder: str) -> bool:
        """Return whether something may come to lie in a folder, or back into it."""
        return folder in self.ways or any(text.path.startswith(f"{folder}/") for text in self.made)

    def meets(self, other: Intent) -> bool:
        """Return whether two intents cannot be done at the same time."""
        if self.is_exclusive or other.is_exclusive:
            return True
        few, many = sorted((self, other), key=lambda one: len(one.places))
        return any(many.concerns(place) for place in few.places)


@frozen
class Transaction:
    """A transaction that is under way, was interrupted, or has something in the trash.

    `started` and `keep_until` are seconds since the epoch; what is in the trash may be purged after `keep_until`.
    `owner` says which process began it. `is_live`: it is still at work, or nobody can tell.
    """

    id: str = field(validator=validators.matches_re(r"[0-9a-f]{16}"))
    intent: Intent
    phase: Phase
    started: float
    keep_until: float
    owner: str
    is_live: bool

    @property
    def is_interrupted(self) -> bool:
        """Whether its process has died amid it."""
        return not self.is_live and (self.phase != "placed" or self.intent.is_exclusive)

    def is_expired(self, now: float) -> bool:
        """Return whether what is in the trash has been there for long enough."""
        return self.phase == "placed" and not self.is_live and self.keep_until <= now

    def busy(self) -> BusyError:
        """Return the error for whoever is in its way."""
        about = self.intent.about
        if self.is_live:
            return BusyError(f"{about} is under way: {self.owner} is at it")
        if self.is_interrupted:
            return BusyError(f"{about} was interrupted: {self.owner} was at it; `zarrange doctor --recover` ends it")
        return BusyError(
            f"{about} is done, and can be undone until {_moment(self.keep_until)}; undo it, or purge it by "
            "`zarrange doctor --purge=all`"
        )


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):  # beyond what a calendar has
        return "it is purged"
