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
from zarrange.stores.metadata import NODE_METADATA
from zarrange.stores.remote.connection import Absent, is_proper, refuse_pickle
from zarrange.stores.remote.creation import create_array, take_back, ways_without_metadata
from zarrange.stores.remote.objects import PAGE, Objects, parsed
from zarrange.stores.remote.removal import remove
from zarrange.stores.remote.streams import open_reader, open_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zarrange.stores.backend import Item, ItemSort

__all__ = ["RemoteBackend"]

LARGE = 64 * 1024 * 1024
"""From here on, an upload goes in parts, which cannot be conditional: the key is taken first."""


class RemoteBackend:
    """A bucket, or what is below a key of it. `storage_options` are those of obstore's client."""

    in_flight = 32
    has_folders = False

    def __init__(self, url: str, storage_options: Mapping[str, Any] | None = None) -> None:
        self._objects = Objects(url, storage_options or {})
        self.root = self._objects.root
        self.page = PAGE if self._objects.is_ordered else 0
        self._needed: dict[int, int] = {}
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

    def write(self, path: str, content: bytes, *, replace: bool = False) -> None:
        """Write a small file by one put. Raises `AlreadyExistsError` unless `replace`."""
        (self._objects.replace if replace else self._objects.create)(path, content)

    def size(self, path: str) -> int:
        """Return the bytes of all files at or below a path. Raises `UnreadableError`."""
        return self._objects.told(path, self._size, path)

    def _size(self, path: str) -> int:
        below = sum(size for batch in self._objects.listed(path) for _, size in batch)
        return below + (self._objects.length(path) or 0)

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
        self._objects.create(path, b"")
        try:
            self._objects.replace(path, file)
        except BaseException:
            with suppress(StoreError):
                self._objects.delete([path])
            raise

    def zarr_store(self, container: str) -> Any:
        """Return what zarr takes as the store of a container."""
        from zarrange.stores.remote.bridge import RemoteStore

        return RemoteStore(self._objects, container)

    @contextmanager
    def creating(self, path: str) -> Iterator[None]:
        """Check the way to a path, and take back the metadata of groups that were made on it when the body raises.

        A group in which something else is by then stays.
        """
        bare = ways_without_metadata(self._objects, path, self._pool())
        try:
            yield
        except BaseException:
            for way in reversed(bare):
                with suppress(StoreError):
                    take_back(self._objects, way)
            raise

    def create_array(self, container: str, dataset: str, options: dict[str, Any], above: Callable[[], None]) -> None:
        """Make an array that appears with its data or not at all. Raises `AlreadyExistsError`."""
        create_array(self._objects, f"{container}/{dataset}", options, above)

    def remove(self, path: str, sort: Literal["array", "group", "file"]) -> None:
        """Remove an array, a group or a file: its metadata first, so that nobody sees it half."""
        ways_without_metadata(self._objects, path, self._pool())
        remove(self._objects, path, sort)
