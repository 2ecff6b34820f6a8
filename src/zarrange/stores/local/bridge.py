"""Bridge: what zarr takes as its store, to read what is below a folder by descriptors. Importing it imports zarr."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest

from zarrange.errors import NotFoundError, StoreError
from zarrange.stores.backend import Requests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from zarrange.stores.local import LocalBackend

__all__ = ["DescentStore"]


class DescentStore(Store):
    """zarr's store of what is below `path`, which is only read from."""

    supports_writes = False
    supports_deletes = False
    supports_partial_writes = False
    supports_listing = True

    def __init__(self, backend: LocalBackend, path: str) -> None:
        super().__init__(read_only=True)
        self._backend = backend
        self._path = path

    def __str__(self) -> str:
        return f"{self._backend.root}/{self._path}"

    def __repr__(self) -> str:
        return f"DescentStore({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DescentStore) and str(self) == str(other)

    __hash__ = None  # type: ignore[assignment]  # as zarr's own

    def with_read_only(self, read_only: bool = False) -> DescentStore:  # noqa: FBT001, FBT002 - zarr's
        if not read_only:
            raise ValueError(f"{str(self)!r} is only read from here")
        return self

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        start, stop = _span(byte_range)
        try:
            found = await asyncio.to_thread(self._backend.read_range, self._below(key), start, stop)
        except NotFoundError:
            return None
        return prototype.buffer.from_bytes(found.content)

    async def get_partial_values(self, prototype: Any, key_ranges: Iterable[tuple[str, Any]]) -> list[Any]:
        return list(await asyncio.gather(*(self.get(key, prototype, span) for key, span in key_ranges)))

    async def exists(self, key: str) -> bool:
        (found,) = await asyncio.to_thread(self._backend.versions_of, [self._below(key)])
        return found is not None

    async def set(self, key: str, value: Any) -> None:  # noqa: ARG002 - zarr's
        raise self._refusal()

    async def delete(self, key: str) -> None:  # noqa: ARG002 - zarr's
        raise self._refusal()

    def _refusal(self) -> StoreError:
        return StoreError(f"{str(self)!r} is only shown here: it is not written to")

    async def list(self) -> AsyncIterator[str]:
        async for key in self.list_prefix(""):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        folder = prefix.rpartition("/")[0]
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            for name, sort in await self._items(folder):
                key = f"{folder}/{name}" if folder else name
                if sort == "folder":
                    waiting.append(key)
                elif key.startswith(prefix):
                    yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        for name, _ in await self._items(prefix.rstrip("/")):
            yield name

    async def _items(self, folder: str) -> Any:
        return await asyncio.to_thread(self._backend.items, self._below(folder), Requests())

    def _below(self, key: str) -> str:
        return f"{self._path}/{key}" if key else self._path


def _span(byte_range: Any) -> tuple[int, int | None]:
    if isinstance(byte_range, RangeByteRequest):
        return byte_range.start, byte_range.end
    if isinstance(byte_range, OffsetByteRequest):
        return byte_range.offset, None
    return (-byte_range.suffix, None) if isinstance(byte_range, SuffixByteRequest) else (0, None)
