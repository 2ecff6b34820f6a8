"""Copying: many objects from one place of a store to another, verified; and many deleted, with all that fails at first.

The server copies; nothing goes through this process, but where the servers' e_tags do not tell whether two objects are
the same: then both are read, for their digests. `guard` is called before each batch, and may stop it by raising.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from hashlib import md5, sha256
from shutil import copyfileobj
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from zarrange.errors import StoreError
from zarrange.stores.remote.connection import Absent, Taken, asked
from zarrange.stores.remote.objects import PAGE, ROUNDS
from zarrange.stores.remote.streams import open_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor

    from zarrange.stores.remote.objects import Objects

    Guard: TypeAlias = Callable[[Sequence[str]], None]
    Tick: TypeAlias = Callable[[int], None]

__all__ = ["Stamp", "copy", "copy_all", "delete_all", "delete_one", "is_same", "stamp", "stamps"]

HUGE = 5 * 1024**3
"""What is larger, servers do not copy by one request."""
PART = 64 * 1024**2
"""What goes through this process goes in parts of this size."""
BATCH = 4 * PAGE
"""So many objects are copied or deleted between two looks at the lease."""
_plain_tag = re.compile("[0-9a-f]{32}").fullmatch
_tag_in_parts = re.compile(r"[0-9a-f]{32}-\d+").fullmatch


@frozen
class Stamp:
    """What a store says of an object: when it is put anew, this changes. `time` is in whole seconds, as some say it."""

    size: int
    tag: str
    time: int

    @property
    def mark(self) -> str:
        """All of it as one text."""
        return f"{self.tag} {self.time} {self.size}"


def stamps(objects: Objects, folder: str) -> dict[str, Stamp]:
    """Return the stamps of all objects below a folder, by their paths. Raises `UnreadableError`."""

    def listed() -> dict[str, Stamp]:
        return {one["path"][len(objects.base) :]: _stamp(one) for batch in objects.described(folder) for one in batch}

    return objects.told(folder, listed)


def stamp(objects: Objects, path: str) -> Stamp | None:
    """Return the stamp of an object, `None` where there is none. Raises `UnreadableError`."""
    try:
        return _stamp(objects.told(path, asked, "read", objects.client.head, objects.key(path)))
    except Absent:
        return None


def _stamp(said: Any) -> Stamp:
    return Stamp(said["size"], (said["e_tag"] or "").strip('"'), int(said["last_modified"].timestamp()))


# --- copying ---------------------------------------------------------------------------------------------------------


def copy_all(  # noqa: PLR0913, PLR0917 - what is copied, and how
    objects: Objects,
    pairs: Sequence[tuple[str, str]],
    sources: Mapping[str, Stamp],
    pool: Executor,
    guard: Guard,
    tick: Tick,
) -> None:
    """Copy objects from paths to paths, over whatever is there. Raises `StoreError`."""
    for batch in _batches(pairs):
        guard([target for _, target in batch])
        for _ in pool.map(lambda pair: copy(objects, pair[0], pair[1], sources[pair[0]].size), batch):
            tick(1)


def copy(objects: Objects, source: str, target: str, size: int, *, replace: bool = True) -> None:
    """Copy an object. Raises `StoreError`; unless it may be replaced, `Taken` where something is."""
    ask = partial(objects.client.copy, overwrite=replace) if size <= HUGE else partial(_stream, objects.client)
    if not replace and size > HUGE and stamp(objects, target) is not None:
        raise Taken
    try:
        verb = "written" if replace else "created"
        objects.told(target, asked, verb, ask, objects.key(source), objects.key(target))
    except Absent:
        raise StoreError(f"{objects.url(source)!r} cannot be copied: it is not there any more") from None


def _stream(client: Any, source: str, target: str) -> None:
    """Copy through this process, in parts: which cannot be conditional."""
    from obstore import open_writer

    writer = open_writer(client, target, buffer_size=PART)
    with open_reader(client, source) as reader:
        copyfileobj(reader, writer, PART)
    writer.close()  # one that is not closed has written nothing


def is_same(objects: Objects, one: str, its: Stamp, other: str, others: Stamp) -> bool:
    """Return whether two objects have the same content: by their e_tags, or else by reading both."""
    if its.size != others.size:
        return False
    return _is_telling(its.tag, others.tag) or _digest(objects, one) == _digest(objects, other)


def _is_telling(one: str, other: str) -> bool:
    """Whether e_tags say that two objects are the same: digests of the whole, or of the digests of parts.

    An object in one part is that, too.
    """
    its = _in_parts(one)
    return its is not None and its == _in_parts(other)


def _in_parts(tag: str) -> str | None:
    if _plain_tag(tag):
        return f"{md5(bytes.fromhex(tag), usedforsecurity=False).hexdigest()}-1"
    return tag if _tag_in_parts(tag) else None


def _digest(objects: Objects, path: str) -> bytes:
    def read(key: str) -> bytes:
        digest = sha256()
        for part in objects.client.get(key).stream():
            digest.update(part)
        return digest.digest()

    try:
        digest: bytes = objects.told(path, asked, "read", read, objects.key(path))
    except Absent:
        raise StoreError(f"{objects.url(path)!r} is not there any more") from None
    return digest


# --- deleting --------------------------------------------------------------------------------------------------------


def delete_all(objects: Objects, paths: Sequence[str], pool: Executor, guard: Guard, tick: Tick) -> None:
    """Delete objects; again and again those with which it failed, as long as they become fewer. Raises `StoreError`."""
    waiting, rounds = list(paths), 0
    while waiting and rounds < ROUNDS:
        left: list[str] = []
        failure: StoreError | None = None
        for batch in _batches(waiting):
            guard(batch)
            error = _failure(objects, batch)
            if error is not None:
                failure = error
                left += [
                    path for path, found in zip(batch, pool.map(partial(stamp, objects), batch), strict=True) if found
                ]
        tick(len(waiting) - len(left))
        rounds = rounds + 1 if len(left) == len(waiting) else 0
        waiting = left
        if failure is not None and waiting and rounds == ROUNDS:
            raise failure


def delete_one(objects: Objects, path: str) -> None:
    """Delete an object, also if that fails at first. Raises `StoreError`."""
    for _ in range(ROUNDS - 1):
        with suppress(StoreError):
            objects.delete([path])
            return
    objects.told(path, objects.delete, [path])


def _failure(objects: Objects, batch: list[str]) -> StoreError | None:
    try:
        objects.told(batch[0], asked, "deleted", objects.client.delete, [objects.key(path) for path in batch])
    except Absent:
        # Where each key is deleted by a request of its own, one that is not there stops the others.
        return StoreError(f"{objects.url(batch[0])!r} cannot be deleted, or one of the {len(batch) - 1} after it")
    except StoreError as error:
        return error
    return None


def _batches(things: Sequence[Any]) -> Iterator[list[Any]]:
    for at in range(0, len(things), BATCH):
        yield [*things[at : at + BATCH]]
