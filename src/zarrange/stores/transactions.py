"""Transactions: changes of a store that happen as a whole or not at all, whenever a process dies; as frozen data.

A removal hides what makes its artifacts visible (their metadata, or a whole file), and keeps all of it until it is
purged: until then it can be undone. A migration moves whole arrays and files, all of them aside first and then to their
targets, because a target may be another one's source. A backend performs both from one `Intent`, by the phases here,
and writes each of them down before what follows from it.
"""

from __future__ import annotations

import re
from typing import Literal

from attrs import field, frozen, validators

from zarrange.stores.backend import WORKING_FOLDER

__all__ = ["Intent", "Move", "Phase", "Text", "Transaction", "is_inside", "is_plain"]

Phase = Literal["begun", "staged", "placed", "purging"]
"""How far a transaction has come.

`begun`: sources go aside; a crash is rolled back. `staged`: all are aside, and go to their targets; a crash is rolled
forward from here on. `placed`: the store is as it was to become; what was removed waits to be purged. `purging`: it is
being deleted, so that there is no way back.
"""

_IMPROPER = re.compile(r"(?:\A|/)\.{0,2}(?:/|\Z)|\0")


def is_plain(path: str) -> bool:
    """Return whether a path leads down from a root: no empty segment, no `.` or `..`, nor into the working folder."""
    return _IMPROPER.search(path) is None and path.partition("/")[0] != WORKING_FOLDER


def is_inside(path: str, folder: str) -> bool:
    """Return whether a path is at or below a folder; the root is `""`."""
    return not folder or path == folder or path.startswith(f"{folder}/")


def _plain(_: object, attribute: object, value: str | None) -> None:
    if value is not None and not is_plain(value):
        raise ValueError(f"{value!r} is no plain path below a store's root")


def _all_plain(instance: object, attribute: object, values: tuple[str, ...]) -> None:
    for value in values:
        if value:  # the root itself may be a group
            _plain(instance, attribute, value)


@frozen
class Move:
    """A folder or a file that goes from `source` to `target`; without one, into the trash."""

    source: str = field(validator=_plain)
    target: str | None = field(validator=_plain)
    is_folder: bool


@frozen
class Text:
    """A small file: `path`, relative to the root, and what it is to have."""

    path: str
    content: str


@frozen
class Intent:
    """What a transaction is to do. Paths are relative to the store's root.

    `moves` come in the order in which they hide: of a node of zarr, the file that makes it one first. `rests` are the
    folders of which the moves have taken the metadata, and which are deleted with what is in the trash. `groups` keep a
    copy of the metadata of what is below them (`""`: the root), which has to stay true. `made` are metadata of groups
    that the targets lie in, written where nothing is; `record` is written over what the store says of itself. `about`
    says in words what it is all about.
    """

    operation: Literal["remove", "prune", "migrate"]
    about: str
    moves: tuple[Move, ...]
    rests: tuple[str, ...] = field(default=(), validator=_all_plain)
    groups: tuple[str, ...] = field(default=(), validator=_all_plain)
    made: tuple[Text, ...] = ()
    record: tuple[Text, ...] = ()

    @property
    def is_exclusive(self) -> bool:
        """Whether nothing else may change the store meanwhile: a migration."""
        return self.operation == "migrate"

    def concerns(self, path: str) -> bool:
        """Return whether a path is at, below or above what this changes."""
        places = [*self.rests, *(place for move in self.moves for place in (move.source, move.target) if place)]
        return self.is_exclusive or any(is_inside(path, place) or is_inside(place, path) for place in places)


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
        return not self.is_live and self.phase != "placed"
