"""Object stores as a backend: S3, Google, Azure and the memory of this process, through obstore.

Folders are what keys have in common. Credentials are not kept here: a pickle has the URL only, and who loads it takes
the rest from the environment. What is in memory has its name and lasts as long as the process; it cannot be pickled.
"""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Literal

from zarrange.errors import AlreadyExistsError, NotFoundError, StoreError, UnreadableError
from zarrange.stores.backend import FOLDER, Found, Requests
from zarrange.stores.metadata import METADATA, NODE_METADATA, is_part
from zarrange.stores.paths import joined
from zarrange.stores.remote import dropping
from zarrange.stores.remote.connection import Absent, is_proper, refuse_pickle
from zarrange.stores.remote.creation import create_array, ways_without_metadata
from zarrange.stores.remote.leases import locked, tidy
from zarrange.stores.remote.objects import PAGE, Objects, parsed
from zarrange.stores.remote.streams import open_reader, open_writer
from zarrange.stores.remote.transactions import purge, recover, transact, transactions, undo
from zarrange.stores.remote.transfer import receiving, sending
from zarrange.stores.transactions import nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from zarrange.stores.backend import Around, Backend, CopySort, Extract, Item, ItemSort, Receiving, Sending, Stamp
    from zarrange.stores.transactions import Check, Intent, Transaction

__all__ = ["RemoteBackend"]

LARGE = 64 * 1024 * 1024
"""From here on, an upload goes in parts, which cannot be conditional: the key is taken first."""


class RemoteBackend:
    """A bucket, or what is below a key of it. `storage_options` are those of obstore's client."""

    in_flight = 32
    has_folders = False
    max_path = 1024
    max_name = 1024

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None = None) -> None:
        self._objects = Objects(url, storage_options or {})
        self.root = self._objects.root
        self.page = PAGE if self._objects.is_ordered else 0
        self._needed: dict[int, int] = {}
        self._may_be_locked = True
        self._process = os.getpid()
        self._threads = ThreadPoolExecutor(self.in_flight, thread_name_prefix="zarrange-look")

    def __repr__(self) -> str:
        return f"RemoteBackend({self.root!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_pickle(self.root)
        return RemoteBackend, (self.root,)

    def __copy__(self) -> RemoteBackend:
        return self

    def __deepcopy__(self, memo: object) -> RemoteBackend:
        return self

    def _pool(self) -> ThreadPoolExecutor:
        """The threads that ask; a process that was forked has none of its parent's."""
        if os.getpid() != self._process:
            self._process = os.getpid()
            self._threads = ThreadPoolExecutor(self.in_flight, thread_name_prefix="zarrange-look")
        return self._threads

    # --- scanning ----------------------------------------------------------------------------------------------------

    def is_there(self) -> bool:
        """Return whether something is below the root, or may be."""
        try:
            return bool(self.items("", Requests()))
        except UnreadableError:
            return True

    def items(self, path: str, requests: Requests) -> list[Item]:
        """Return what is in a folder, one level. Raises `UnreadableError`."""
        return self._objects.items(path, requests)

    def look(self, path: str, requests: Requests) -> Found:
        """Return what a folder is. Raises `UnreadableError`.

        As much is asked for at once as was needed last time at this depth; the answer is that of one after the other.
        """
        depth = path.count("/")
        ask = partial(self._objects.metadata, path)
        at = 0
        while at < len(NODE_METADATA):
            names = NODE_METADATA[at : max(at + 1, self._needed.get(depth, 1))]
            count = len(names)
            requests.add(looks=count)
            for content in self._pool().map(ask, names) if count > 1 else map(ask, names):
                at += 1
                if content is not None:
                    self._needed[depth] = at
                    return parsed(NODE_METADATA[at - 1], content)
        self._needed[depth] = at
        return FOLDER

    def stat(self, path: str, requests: Requests, *, may_be_file: bool) -> ItemSort | None:
        """Return `file` for an object, else `folder`, of which none is missing. Raises `UnreadableError`."""
        if not may_be_file:
            return "folder"
        requests.add(stats=1)
        return "folder" if self._objects.length(path) is None else "file"

    def pages(self, path: str, requests: Requests) -> Iterator[Sequence[str]]:
        """Yield the paths of all files below a folder, in order. Raises `UnreadableError`."""
        last = ""
        waiting: list[str] = []
        for batch in self._objects.listed(path, requests, self.page):
            for one, _ in batch:
                if one <= last:
                    raise UnreadableError("cannot be read: the server does not list its keys in order")
                last = one
            waiting += [one for one, _ in batch]
            # A page that is not full says that it is the last one.
            if len(waiting) >= self.page:
                yield waiting[: self.page]
                del waiting[: self.page]
        if waiting:
            yield waiting

    def symlink(self, path: str) -> str:  # noqa: ARG002 - there are none
        """Say that there are none."""
        return "it is a symlink, which an object store does not have"

    # --- one artifact ------------------------------------------------------------------------------------------------

    def found(self, path: str) -> Found | None:
        """Return what is at a path. Raises `UnreadableError`."""
        try:
            return self._objects.found(path)
        except UnreadableError as error:
            raise type(error)(f"{self._objects.url(path)!r}: {error}") from None

    def read(self, path: str) -> bytes:
        """Return the content of a small file. Raises `NotFoundError`, `UnreadableError`."""
        content = self._objects.told(path, self._objects.content, path)
        if content is None:
            raise NotFoundError(errno.ENOENT, "there is no file", self._objects.url(path))
        return content

    def read_range(self, path: str, start: int = 0, stop: int | None = None) -> Extract:
        """Return some bytes of an object. Raises `NotFoundError`, `UnreadableError`."""
        found = self._objects.told(path, self._objects.extract, path, start, stop)
        if found is None:
            raise NotFoundError(errno.ENOENT, "there is no file", self._objects.url(path))
        return found

    def versions_of(self, paths: Sequence[str]) -> list[str | None]:
        """Return what is different when objects are put anew, asking for many at once. Raises `UnreadableError`."""
        return list(self._pool().map(lambda path: self._objects.told(path, self._objects.version, path), paths))

    def sheltered(self) -> Backend:
        """Return itself: an object store has no symlinks."""
        return self

    def write(self, path: str, content: bytes, *, replace: bool = False) -> None:
        """Write a small file by one put. Raises `AlreadyExistsError` unless `replace`."""
        (self._objects.replace if replace else self._objects.create)(path, content)

    def size(self, path: str) -> int:
        """Return the bytes of all files at or below a path. Raises `UnreadableError`."""
        return self._objects.told(path, self._size, path)

    def _size(self, path: str) -> int:
        below = sum(size for batch in self._objects.listed(path) for _, size in batch)
        return below + (self._objects.length(path) or 0)

    def room(self, path: str) -> tuple[int, int] | None:  # noqa: ARG002 - the same everywhere
        """Say that nobody counts the bytes of an object store."""
        return None

    def modified(self, path: str) -> float:
        """Return when the newest object at or below a path was put. Raises `NotFoundError`, `UnreadableError`."""
        newest = self._objects.told(path, self._objects.modified, path)
        if newest is None:
            raise NotFoundError(errno.ENOENT, "nothing is there", self._objects.url(path))
        return newest

    def open_file(self, path: str, mode: Literal["rb", "r+b", "xb"]) -> IO[bytes]:
        """Open a file; one that is created appears when it is closed. Raises `AlreadyExistsError`."""
        objects = self._objects
        url = objects.url(path)
        if mode == "r+b":
            raise StoreError(f"{url!r} cannot be changed in its place: objects are written as a whole")
        if mode == "rb":
            with suppress(Absent):
                if is_proper(path):
                    return objects.told(path, open_reader, objects.client, objects.key(path))
            raise NotFoundError(errno.ENOENT, "there is no file", url)
        objects.check_name(path)
        if objects.told(path, objects.length, path) is not None:
            raise AlreadyExistsError(errno.EEXIST, "something is there already", url)
        return open_writer(partial(self._upload, path))

    def _upload(self, path: str, file: IO[bytes], length: int) -> None:
        if length < LARGE:
            self._objects.create(path, file.read())
            return
        with receiving(self._objects, path, "file") as received:
            received.put("", file, length)

    def zarr_store(self, container: str) -> Any:
        """Return what zarr takes as the store of a container."""
        from zarrange.stores.remote.bridge import RemoteStore

        return RemoteStore(self._objects, container)

    @contextmanager
    def creating(self, path: str) -> Iterator[Callable[[str], Any]]:
        """Check the way to a path, and take back the metadata of groups that were made on it when the body raises.

        A group in which something else is by then stays.
        """
        bare = ways_without_metadata(self._objects, path, self._pool())
        try:
            yield self.zarr_store
        except BaseException:
            for way in reversed(bare):
                with suppress(StoreError):
                    dropping.take_back(self._objects, way)
            raise

    def create_array(self, container: str, dataset: str, options: dict[str, Any], around: Around) -> None:
        """Make an array that appears with its data or not at all. Raises `AlreadyExistsError`."""
        create_array(self._objects, f"{container}/{dataset}", options, around)

    @contextmanager
    def alone(self) -> Iterator[Callable[[], None]]:
        """A short context in which nobody else begins a transaction or ends one. Raises `BusyError`."""
        with locked(self._objects) as held:
            yield held.confirm

    def alone_in(self, folder: str, besides: Collection[str]) -> dict[str, bytes] | None:
        """Return the metadata files in a folder, `None` where there is more below it than these and some names."""
        return dropping.alone_in(self._objects, folder, besides)

    def drop(self, folders: Mapping[str, Mapping[str, bytes]], guard: Callable[[], object]) -> dict[str, str | None]:
        """Delete the metadata of groups without anything in them; where somebody puts something in, they are back."""
        return dropping.drop(self._objects, folders, guard)

    def sending(self, path: str, sort: CopySort) -> AbstractContextManager[Sending]:
        """A context for copying from a path: each object as a stream."""
        return sending(self._objects, path, sort)

    def receiving(self, path: str, sort: CopySort) -> AbstractContextManager[Receiving]:
        """A context for copying to a path: chunks first, metadata last, each where nothing is."""
        return receiving(self._objects, path, sort)

    # --- changes of the whole ----------------------------------------------------------------------------------------

    def stamp(self, path: str, names: Collection[str]) -> Stamp | None:  # noqa: ARG002 - the same everywhere
        """Return `None`: what has a prefix in common has no time of its own."""
        return None

    def versions(self, path: str) -> dict[str, str]:
        """Return which objects make a node, or the object itself (`""`), each with what changes when it is put anew."""
        names = ["", *sorted(METADATA)]
        paths = [joined(path, name) if name else path for name in names]
        found = self._pool().map(partial(self._objects.told, path, self._objects.version), paths)
        return {name: version for name, version in zip(names, found, strict=True) if version is not None}

    def kept(self, path: str, versions: Mapping[str, str]) -> bool:  # noqa: ARG002 - nothing tells it by those
        """Return whether the node that had these versions was removed, and all of it is there to be put back."""
        return any(one.phase != "purging" and one.intent.hides(path) for one in self.transactions())

    def strangers(self, path: str) -> list[str]:
        """Return names in an array's folder that are not the array's own. Raises `UnreadableError`."""
        first = self._objects.told(path, lambda: next(self._objects.listed(path), []))
        names = {key.removeprefix(f"{path}/").partition("/")[0] for key, _ in first}
        return sorted(name for name in names if not is_part(name))

    def transactions(self) -> list[Transaction]:
        """Return what is under way, was interrupted, or is in the trash; the oldest first. Raises `StoreError`."""
        found, self._may_be_locked = transactions(self._objects)
        return found

    def transact(
        self,
        intent: Intent,
        *,
        grace: float = 0,
        check: Check = nothing,
        progress: Callable[[int, int], None] = nothing,
    ) -> Transaction:
        """Do what an intent says, as a whole or not at all."""
        return transact(self, self._objects, intent, grace=grace, check=check, progress=progress)

    def recover(self, name: str) -> None:
        """Bring an interrupted transaction to its end, back or forward. Raises `BusyError` for a live one."""
        recover(self, self._objects, name)

    def tidy(self) -> None:
        """Delete the lock of a process that has died, unless the last listing of transactions has none."""
        if self._may_be_locked:
            tidy(self._objects)

    def sweep(self) -> list[str]:
        """Do nothing: nobody can tell whether who makes something still lives."""
        return []

    def undo(self, name: str) -> None:
        """Put back what a removal took. Raises `AlreadyExistsError`, `StoreError`."""
        undo(self, self._objects, name)

    def purge(self, name: str, progress: Callable[[int, int], None] = nothing) -> None:
        """Delete what a removal took, for good. Raises `NotInStoreError` where something new is, `LeftoverError`."""
        purge(self, self._objects, name, progress)
