"""Bridge: what zarr takes as its store, over what is below a path in an object store. Importing it imports zarr.

It is zarr's own `ObjectStore` but for four things: keys are below the path; refusals are in our own words, for those of
obstore may hold credentials; a pickle has the URL only, so that who loads it takes the credentials from the
environment; and the metadata of an array may be held back until all its chunks are there.
"""

from __future__ import annotations

import errno
import time
from itertools import chain
from typing import TYPE_CHECKING, Any

from zarr.storage import ObjectStore

from zarrange.errors import NotFoundError, StoreError
from zarrange.stores.metadata import METADATA
from zarrange.stores.remote.connection import Absent, awaited, refuse_pickle
from zarrange.stores.remote.objects import Objects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable

    Base = ObjectStore[Any]
else:
    Base = ObjectStore  # which is not generic in every version

__all__ = ["Held", "RemoteStore"]

PAUSE = 0.005


class Held:
    """The metadata that are held back, by their key; once it is `over`, nothing is written any more."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {}
        self._under_way = 0
        self._is_over = False

    def __enter__(self) -> None:
        if self._is_over:
            raise StoreError("the array that was to be written is not wanted any more")
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1

    def over(self) -> None:
        """Let nothing more be written, and wait for what is under way: zarr gives up with the first failure."""
        self._is_over = True
        while self._under_way:
            time.sleep(PAUSE)


class RemoteStore(Base):
    """zarr's store of what is below `path`."""

    def __init__(self, objects: Objects, path: str, *, read_only: bool = False, held: Held | None = None) -> None:
        super().__init__(objects.client, read_only=read_only)
        self._objects = objects
        self._path = path
        self._base = objects.inside(path)
        self._held = held

    def with_read_only(self, read_only: bool = False) -> RemoteStore:  # noqa: FBT001, FBT002 - zarr's
        return RemoteStore(self._objects, self._path, read_only=read_only, held=self._held)

    def __str__(self) -> str:
        return self._objects.url(self._path)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RemoteStore):
            return False
        return (str(self), self.store, self.read_only) == (str(other), other.store, other.read_only)

    __hash__ = None  # type: ignore[assignment]  # as zarr's own

    def __reduce__(self) -> tuple[Any, ...]:
        refuse_pickle(self._objects.root)
        return _again, (self._objects.root, self._path, self.read_only)

    def __copy__(self) -> RemoteStore:
        return self

    def __deepcopy__(self, memo: object) -> RemoteStore:
        return self

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        if self._held is not None and key in METADATA:
            return self._held.content.get(key)
        return await self._read(key, super().get(self._base + key, prototype, byte_range))

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        ranges = [(self._base + key, one) for key, one in key_ranges]
        found: list[Any] = await self._read("", super().get_partial_values(prototype, ranges))
        return found

    async def exists(self, key: str) -> bool:
        if self._held is not None and key in METADATA:
            return key in self._held.content
        return bool(await self._read(key, super().exists(self._base + key)))

    async def set(self, key: str, value: Any) -> None:
        if self._held is None:
            await self._write(key, super().set(self._base + key, value))
        elif key in METADATA:
            self._held.content[key] = value
        else:
            with self._held:
                await self._write(key, super().set(self._base + key, value))

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        await self._write(key, super().set_if_not_exists(self._base + key, value))

    async def delete(self, key: str) -> None:
        await self._write(key, super().delete(self._base + key))

    async def delete_dir(self, prefix: str) -> None:
        self._check_writable()
        keys = [self._base + key async for key in self.list_prefix(_folder(prefix))]
        if keys:
            await self._write(prefix, self.store.delete_async(keys))

    async def _sizes(self, prefix: str) -> AsyncIterator[tuple[str, int]]:
        """The keys that begin with a prefix, whose last segment need not be whole."""
        whole = self._base + prefix
        stream = self.store.list(whole.rpartition("/")[0] or None)
        while batch := await self._read(prefix, anext(stream, None)):
            for one in batch:
                if one["path"].startswith(whole):
                    yield one["path"].removeprefix(self._base), one["size"]

    async def list(self) -> Any:
        async for key, _ in self._sizes(""):
            yield key

    async def list_prefix(self, prefix: str) -> Any:
        async for key, _ in self._sizes(prefix):
            yield key

    async def list_dir(self, prefix: str) -> Any:
        whole = self._base + _folder(prefix)
        found = await self._read(prefix, self.store.list_with_delimiter_async(whole.rstrip("/") or None))
        for path in chain(found["common_prefixes"], (one["path"] for one in found["objects"])):
            if path.startswith(whole):  # what only makes the folder visible has its name
                yield path.removeprefix(whole)

    async def getsize(self, key: str) -> int:
        return int(await self._read(key, super().getsize(self._base + key)))

    async def getsize_prefix(self, prefix: str) -> int:
        return sum([size async for _, size in self._sizes(_folder(prefix))])

    async def _read(self, key: str, answer: Awaitable[Any]) -> Any:
        return await self._told(key, awaited("read", answer))

    async def _write(self, key: str, answer: Awaitable[Any]) -> None:
        await self._told(key, awaited("written", answer))

    async def _told(self, key: str, answer: Awaitable[Any]) -> Any:
        """Wait for an answer, and say of which object something is said."""
        url = f"{self}/{key}" if key else str(self)
        try:
            return await answer
        except Absent:
            raise NotFoundError(errno.ENOENT, "there is no such object", url) from None
        except StoreError as error:
            raise type(error)(f"{url!r} {error}") from None


def _folder(prefix: str) -> str:
    return f"{prefix.rstrip('/')}/" if prefix else ""


def _again(root: str, path: str, read_only: bool) -> RemoteStore:  # noqa: FBT001 - a pickle gives no names
    return RemoteStore(Objects(root, {}), path, read_only=read_only)
