"""Transfer: an artifact in an object store that is copied from or to here, object by object, many at once.

Of an array that is received, the chunks come first, under a claim that keeps others away, and the metadata last, each
where nothing is. Large objects go as streams, in parts. What a process leaves that dies amid it is no array.
"""

from __future__ import annotations

import errno
import hashlib
import io
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore
from typing import IO, TYPE_CHECKING, Any

from attrs import define, field

from zarrange.errors import AlreadyExistsError, BusyError, StoreError
from zarrange.stores.backend import STAGE
from zarrange.stores.metadata import LEFTOVER, METADATA, NODE_METADATA
from zarrange.stores.paths import joined
from zarrange.stores.remote.connection import Absent, asked
from zarrange.stores.remote.creation import CLAIM, CLAIMED
from zarrange.stores.remote.objects import PAGE, ROUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zarrange.stores.backend import CopySort, Readable, Sending
    from zarrange.stores.remote.objects import Objects

__all__ = ["receiving", "sending"]

PART = 8 * 1024 * 1024
"""What is larger goes in parts of this size, at least."""
BLOCK = 1024 * 1024
MAX_PARTS = 9_000
"""S3 takes 10,000."""
PARTS_AT_ONCE = 4
_large = BoundedSemaphore(4)
"""So many large objects are sent at once: each has some parts in memory."""


# --- from here -------------------------------------------------------------------------------------------------------


@contextmanager
def sending(objects: Objects, path: str, sort: CopySort) -> Iterator[_Sent]:
    """A context for copying from a path below a root."""
    yield _Sent(objects, path, sort)


@define
class _Sent:
    """What is copied; `tags` say which version of each object was read."""

    objects: Objects
    path: str
    sort: CopySort
    tags: dict[str, tuple[int, str | None]] = field(factory=dict)

    def files(self) -> list[tuple[str, int]]:
        return self.objects.told(self.path, self._files)

    def _files(self) -> list[tuple[str, int]]:
        if self.sort == "array":
            start = len(self.path) + 1
            found = (one for batch in self.objects.listed(self.path) for one in batch)
            return [(path[start:], size) for path, size in found if not path.endswith(LEFTOVER)]
        lengths = [(name, self.objects.length(self._at(name))) for name in self._names()]
        return [(name, length) for name, length in lengths if length is not None]

    def _names(self) -> list[str]:
        return [""] if self.sort == "file" else sorted(METADATA)

    def _at(self, name: str) -> str:
        return joined(self.path, name) if name else self.path

    def open(self, name: str) -> IO[bytes]:
        path = self._at(name)
        result = self.objects.told(path, _opened, self.objects, path)
        self.tags[name] = _tag(result.meta)
        return io.BufferedReader(_Reader(result, self.objects.url(path)), BLOCK)

    def check(self) -> None:
        if self.objects.told(self.path, self._now) != self.tags:
            raise _changed(self.objects.url(self.path))

    def _now(self) -> dict[str, tuple[int, str | None]]:
        """The versions that are there now."""
        if self.sort == "array":
            names = {name for name, _ in self._files()}
            base = self.objects.inside(self.path)
            found: dict[str, tuple[int, str | None]] = {}
            stream = asked("read", self.objects.client.list, self.objects.key(self.path))
            while batch := asked("read", next, stream, None):
                found |= {one["path"][len(base) :]: _tag(one) for one in batch if one["path"].startswith(base)}
            return {name: found[name] for name in names & found.keys()}
        found = {}
        for name in self._names():
            with suppress(Absent):
                found[name] = _tag(asked("read", self.objects.client.head, self.objects.key(self._at(name))))
        return found


def _tag(meta: Any) -> tuple[int, str | None]:
    return meta["size"], meta["e_tag"]


def _opened(objects: Objects, path: str) -> Any:
    try:
        return asked("read", objects.client.get, objects.key(path))
    except Absent:
        pass
    raise BusyError("was removed while it was read; nothing was copied")


def _changed(url: str) -> BusyError:
    return BusyError(f"{url!r} was changed while it was read; nothing was copied")


class _Reader(io.RawIOBase):
    """An object as it comes in: one version of it."""

    def __init__(self, result: Any, shown: str) -> None:
        self._stream = result.stream(min_chunk_size=BLOCK)
        self._shown = shown
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            block = self._next()
            if block is None:
                return 0
            self._left = memoryview(block)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _next(self) -> Any:
        try:
            return asked("read", next, self._stream, None)
        except Absent:
            reason = "cannot be read: it was removed meanwhile"
        except StoreError as error:
            reason = str(error)
        raise StoreError(f"{self._shown!r} {reason}; nothing was copied")


# --- to here ---------------------------------------------------------------------------------------------------------


@contextmanager
def receiving(objects: Objects, path: str, sort: CopySort) -> Iterator[_Received]:
    """A context for copying to a path below a root. Raises `AlreadyExistsError`."""
    received = _Received(objects, path, sort)
    try:
        if sort == "array":
            received.claim(joined(path, CLAIM), " and what is beside it")
        received.check_free()
        yield received
        received.put_metadata()
    except BaseException:
        received.take_back()
        raise
    finally:
        with suppress(StoreError):
            objects.delete(received.claims)


def _short(path: str) -> str:
    return hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:16]


@define
class _Received:
    """What is put; metadata are held back. `made` are paths that were taken, the last one first."""

    objects: Objects
    path: str
    sort: CopySort
    held: dict[str, bytes] = field(factory=dict)
    made: list[str] = field(factory=list)
    chunks: list[str] = field(factory=list)
    claims: list[str] = field(factory=list)
    unsure: list[tuple[str, bytes]] = field(factory=list)
    """What may have been put although the answer was an error."""

    def claim(self, path: str, more: str = "") -> None:
        """Keep others away by a key that nobody else can make."""
        try:
            self.objects.create(path, CLAIMED)
        except AlreadyExistsError:
            url = self.objects.url(path)
            message = f"it is being written; if whoever did so has died, delete {url!r}{more}"
            raise AlreadyExistsError(errno.EEXIST, message, self.objects.url(self.path)) from None
        self.claims.append(path)

    def check_free(self) -> None:
        """Refuse a place where something is: also chunks without an array, which would become part of this one."""
        told = self.objects.told
        taken = told(self.path, self.objects.node, self.path).sort != "folder" or (
            self.sort != "group" and told(self.path, self.objects.length, self.path) is not None
        )
        if self.sort == "array":
            start = len(self.path) + 1
            taken = taken or told(self.path, lambda: any(key[start:] != CLAIM for key in self.objects.keys(self.path)))
        if taken:
            raise AlreadyExistsError(errno.EEXIST, "something is there already", self.objects.url(self.path))

    def take(self, sent: Sending, workers: int) -> None:
        """Take nothing: there is no better way."""

    def put(self, name: str, content: Readable, size: int) -> None:
        path = joined(self.path, name) if name else self.path
        self.objects.check_name(path)
        if self.sort == "group" or (self.sort == "array" and name in METADATA):
            self.held[name] = content.read()
            return
        if self.sort == "array":
            self.chunks.append(path)
        if size > PART:
            self._put_large(path, content, size)
        elif self.sort == "array":
            self.objects.replace(path, content.read())
        else:
            self.objects.create(path, content.read())
            self.made.insert(0, path)

    def _put_large(self, path: str, content: Readable, size: int) -> None:
        """Send an object in parts, which appears with the last one. That cannot be put on a condition."""
        is_file = self.sort == "file"
        if is_file:
            self.claim(joined(STAGE, f"{_short(path)}{LEFTOVER}"))
        with _large:
            self._send(path, content, max(PART, size // MAX_PARTS))
        if is_file:
            self.made.insert(0, path)

    def _send(self, path: str, content: Readable, part: int) -> None:
        import obstore

        told, key = self.objects.told, self.objects.key(path)
        writer = obstore.open_writer(self.objects.client, key, buffer_size=part, max_concurrency=PARTS_AT_ONCE)
        # No `with`: a writer that is not closed leaves nothing that is seen.
        while block := content.read(PART):
            told(path, asked, "written", writer.write, block)
        if self.sort == "file":
            self._check_absent()
        told(path, asked, "written", writer.close)

    def _check_absent(self) -> None:
        if self.objects.told(self.path, self.objects.length, self.path) is not None:
            raise AlreadyExistsError(errno.EEXIST, "something is there by now", self.objects.url(self.path))

    def open(self, name: str) -> IO[bytes]:
        if name in self.held:
            return io.BytesIO(self.held[name])
        path = joined(self.path, name) if name else self.path
        result = self.objects.told(path, _opened, self.objects, path)
        return io.BufferedReader(_Reader(result, self.objects.url(path)), BLOCK)

    def put_metadata(self) -> None:
        """Put what was held back, last what makes it an array or a group, and read it back."""
        for name in sorted(self.held, key=lambda name: (name in NODE_METADATA, name)):
            path = joined(self.path, name)
            try:
                self.objects.create(path, self.held[name])
            except AlreadyExistsError:
                raise
            except StoreError:
                self.unsure.append((path, self.held[name]))
                raise
            self.made.insert(0, path)
        for name, content in self.held.items():
            path = joined(self.path, name)
            if self.objects.told(path, self.objects.content, path) != content:
                raise StoreError(f"{self.objects.url(path)!r} is not what was copied there")

    def take_back(self) -> None:
        """Delete what was put, metadata first, and nothing else; an array whose metadata stay keeps its chunks."""
        are_known = [self._is_known(path, content) for path, content in self.unsure]
        if self._are_deleted(self.made) and all(are_known):
            self._are_deleted(self.chunks)

    def _is_known(self, path: str, content: bytes) -> bool:
        """Find out whether something is there that is ours, and has to go; return whether that could be told."""
        for _ in range(ROUNDS):
            with suppress(StoreError):
                if self.objects.told(path, self.objects.content, path) == content:
                    self.made.insert(0, path)
                return True
        return False

    def _are_deleted(self, paths: list[str]) -> bool:
        are_deleted = [self._is_deleted(paths[at : at + PAGE]) for at in range(0, len(paths), PAGE)]
        return all(are_deleted)

    def _is_deleted(self, paths: list[str]) -> bool:
        for _ in range(ROUNDS):
            with suppress(StoreError):
                self.objects.delete(paths)
                return True
        return False
