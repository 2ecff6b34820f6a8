"""Tombstones: what a transaction is to do and how far it has come, as an object that outlives a crash.

In `.zarrange/tx/`, it is the first that a transaction writes and the last that it deletes, and it is written on
conditions only: of two who would change it, one is told. Whoever is at it holds a lease, which ends at a time of the
clock and is renewed before: a transaction whose lease has ended is dead. The clocks of all who change a store have to
agree within a few seconds. What stands in a tombstone is checked as any other data: it names no place outside of the
store.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from attrs import field, frozen

from zarrange.converter import from_json, to_json, version_of
from zarrange.errors import DamagedError, StoreError, StructureError
from zarrange.stores.backend import JOURNALS, STAGE, TRASH
from zarrange.stores.metadata import METADATA
from zarrange.stores.remote.connection import Absent, Taken, asked, is_proper
from zarrange.stores.transactions import Intent, Phase, Transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from concurrent.futures import Executor

    from zarrange.stores.remote.objects import Objects
    from zarrange.stores.transactions import Move

__all__ = [
    "VERSION",
    "Step",
    "Tombstone",
    "Version",
    "dumped",
    "fetch",
    "fetch_all",
    "is_name",
    "listed",
    "now",
    "parsed",
    "path_of",
    "place_of",
    "put",
    "read",
    "transaction_of",
]

T = TypeVar("T")

Step = Literal["registered", "hiding", "undoing", "clearing", "placing", "recording", "placed", "purging"]
"""How far a transaction has come, finer than its phase.

`registered`: nothing is changed. `hiding`: a migration may have hidden its sources. `undoing`: what was taken is being
put back. `clearing`: what goes is being deleted where it was. `placing`: a migration brings it to its targets.
`recording`: it says what the store is from now on.
"""
PHASES: Mapping[Step, Phase] = {
    "registered": "begun",
    "hiding": "begun",
    "undoing": "begun",
    "clearing": "staged",
    "placing": "staged",
    "recording": "staged",
    "placed": "placed",
    "purging": "purging",
}
Version: TypeAlias = "dict[str, str]"
"""What a store says of an object by which a later one at the same key is told from it."""

VERSION = 1
MAX_BYTES = 256 * 1024 * 1024
"""What is larger would fill the memory; a migration of a million arrays has not as much."""
LAST = 1e11
"""Times from here on, in seconds since the epoch, are none that anybody will see."""
clock = time.time
is_name = re.compile("[0-9a-f]{16}").fullmatch
"""Whether a text can be the id of a transaction."""
_name = re.compile(rf"{re.escape(JOURNALS)}/([0-9a-f]{{16}})\.json").fullmatch


def now() -> float:
    """Return the time, in seconds since the epoch."""
    return clock()


def _is_time(_: object, __: object, value: float) -> None:
    if not 0 <= value < LAST:
        raise ValueError(f"{value!r} is no time")


def _is_possible(_: object, __: object, intent: Intent) -> None:
    if not (intent.moves or intent.record):
        raise ValueError("it has nothing to do")
    for place in (*intent.places, *(text.path for text in (*intent.made, *intent.record))):
        if not is_proper(place):
            raise ValueError(f"{place!r} has a character that no key can have")
    for move in intent.moves:
        if move.target is not None and not intent.is_exclusive:
            raise ValueError(f"what is at {move.source!r} goes to a target, as only a migration has one")
        if move.target is None and intent.is_exclusive and not _is_group(move):
            raise ValueError(f"what is at {move.source!r} has no target, and is more than a group that says nothing")
    if intent.is_exclusive and intent.rests:
        raise ValueError("a migration leaves nothing that is to be deleted")


def _is_group(move: Move) -> bool:
    return not move.is_folder and move.source.rpartition("/")[2] in METADATA


@frozen
class Tombstone:
    """An object of `.zarrange/tx/`. `holder` tells those apart who are at it one after the other, until `lease`."""

    zarrange: int
    intent: Intent = field(validator=_is_possible)
    step: Step
    started: float = field(validator=_is_time)
    grace: float
    keep_until: float = field(validator=_is_time)
    owner: str
    holder: str
    lease: float = field(validator=_is_time)

    @property
    def is_live(self) -> bool:
        """Whether somebody is at it."""
        return self.lease > now()


def path_of(name: str) -> str:
    """Return where the tombstone of a transaction is."""
    return f"{JOURNALS}/{name}.json"


def place_of(intent: Intent, name: str) -> str:
    """Return the folder in which is what a transaction has taken."""
    return f"{STAGE if intent.is_exclusive else TRASH}/{name}"


def transaction_of(name: str, tombstone: Tombstone) -> Transaction:
    """Return a transaction as others see it."""
    intent, phase = tombstone.intent, PHASES[tombstone.step]
    return Transaction(
        name, intent, phase, tombstone.started, tombstone.keep_until, tombstone.owner, is_live=tombstone.is_live
    )


# --- reading and writing ---------------------------------------------------------------------------------------------


def listed(objects: Objects) -> list[str]:
    """Return the paths of tombstones, and of what else is beside them. Raises `UnreadableError`."""
    return objects.told(JOURNALS, lambda: [*objects.keys(JOURNALS)])


def fetch_all(objects: Objects, paths: Iterable[str], pool: Executor) -> list[Transaction]:
    """Return the transactions that have tombstones among some paths, the oldest first. Raises `StoreError`."""
    names = [matched[1] for path in paths if (matched := _name(path))]
    found = zip(names, pool.map(partial(fetch, objects), names), strict=True)
    transactions = [transaction_of(name, one[0]) for name, one in found if one is not None]
    return sorted(transactions, key=lambda one: (one.started, one.id))


def fetch(objects: Objects, name: str) -> tuple[Tombstone, Version] | None:
    """Return a tombstone, and which version of it; `None` where there is none. Raises `StoreError`."""
    path = path_of(name)
    found = read(objects, path)
    if found is None:
        return None
    return _tombstone(found[0], objects.url(path)), found[1]


@lru_cache(32)
def _tombstone(content: bytes, shown: str) -> Tombstone:
    """Structure a tombstone, which may be long, and is the same each time that somebody looks."""
    return parsed(content, Tombstone, shown)


def read(objects: Objects, path: str) -> tuple[bytes, Version] | None:
    """Return what is in an object, and which version of it; `None` where there is none. Raises `StoreError`."""

    def get(key: str) -> tuple[bytes | None, Version]:
        found = objects.client.get(key)
        content = bytes(found.bytes()) if found.meta["size"] <= MAX_BYTES else None
        return content, _version(found.meta)

    try:
        content, version = objects.told(path, asked, "read", get, objects.key(path))
    except Absent:
        return None
    if content is None:
        raise DamagedError(f"{objects.url(path)!r} is damaged: it is too large to be what it should be")
    return content, version


def put(objects: Objects, path: str, content: bytes, version: Version | None) -> Version:
    """Put an object where nothing is, or over that version of it; return the new version.

    Raises `Taken` where something else is by now. An answer may be lost, and the put be tried again: the content, which
    nobody else writes, tells who put it.
    """
    verb = "created" if version is None else "changed"
    send = partial(objects.client.put, mode="create" if version is None else version, use_multipart=False)
    try:
        return _version(objects.told(path, asked, verb, send, objects.key(path), content))
    except Taken:
        found = read(objects, path)
        if found is None or found[0] != content:
            raise
        return found[1]


def _version(said: Any) -> Version:
    return {name: said[name] for name in ("e_tag", "version") if said.get(name)}


def parsed(content: bytes, target: type[T], shown: str) -> T:
    """Return what an object of ours holds. Raises `StoreError`: also for a version that is not known."""
    version = version_of(content)
    if version not in (None, VERSION):
        raise StoreError(f"{shown!r} has the version {version}; this zarrange knows {VERSION}")
    try:
        return from_json(content, target)
    except StructureError as error:
        raise DamagedError(f"{shown!r} is damaged: {error.problems[0]}") from error


def dumped(value: object, shown: str) -> bytes:
    """Return what is written as an object of ours. Raises `StoreError` for what would not be read again."""
    content = f"{to_json(value)}\n".encode()
    if len(content) > MAX_BYTES:
        raise StoreError(f"{shown!r} would be too large: do less at once")
    return content
