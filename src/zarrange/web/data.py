"""Data: `/data/{path}`, the raw bytes of metadata and chunks, for who draws arrays themselves, such as Neuroglancer.

Served are the metadata files of arrays, groups and containers that the layout has, and the chunks of arrays that are
there, by exactly the keys that zarr gives them. All else is a 404 for which nothing is read: other files (also those of
the layout's `files`), what is beside the root, what a store keeps for itself, what a symlink leads to. Bytes are read
by descriptors, a block at a time, in ranges too; other servers of this machine may read them.
"""

from __future__ import annotations

import errno
import hashlib
import re
import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from zarrange.errors import AmbiguousPathError, DamagedError, NotFoundError, StoreError
from zarrange.stores.backend import WORKING_FOLDER
from zarrange.stores.metadata import NODE_METADATA, is_chunk_like
from zarrange.web.answers import in_pool, refusal, telling_errors
from zarrange.web.chunks import read_grid

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import TypeAlias

    from starlette.requests import Request

    from zarrange.stores.backend import Backend, Extract
    from zarrange.stores.store import Store
    from zarrange.web.chunks import Grid

    Span: TypeAlias = tuple[int | None, int | None]

__all__ = ["routes"]

FILES = frozenset({"zarr.json", ".zarray", ".zattrs", ".zgroup"})
"""The metadata files that are served: a copy of all metadata below (`.zmetadata`) may tell of what the layout lacks."""
ZARR = frozenset({"array", "container", "group"})
BLOCK = 4 * 1024 * 1024
"""So much of a file is in memory at once."""
MEMORY = 2.0
"""For so many seconds an object store is not asked again what grid an array has."""
MOST = 1_000
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII).fullmatch


def routes(store: Store) -> list[Route]:
    """Return the route of the data of a store."""
    data = _Data(store)
    return [Route("/data/{path:path}", telling_errors(data.answer), methods=["GET"])]


class _Data:
    """What is served of a store."""

    def __init__(self, store: Store) -> None:
        self._layout = store.layout
        self._backend: Backend = store._backend  # noqa: SLF001 - there is no other way to bytes
        self._grids = _Grids(self._backend)

    async def answer(self, request: Request) -> Response:
        """Answer some bytes of a file, or all of them."""
        path = request.path_params["path"]
        await in_pool("files", self._check, path)
        if request.method == "HEAD":
            found = await in_pool("files", self._backend.read_range, path, 0, 0)
            headers = {**_headers(found), "Content-Length": str(found.size)}
            return Response(None, 304 if _is_known(request, found) else 200, headers, _media(path))
        span = _asked(request)
        first = await in_pool("files", _begin, self._backend, path, span)
        if _is_known(request, first):
            return Response(None, 304, _headers(first))
        if span is not None and request.headers.get("if-range", _tag(first)) != _tag(first):
            span, first = None, await in_pool("files", _begin, self._backend, path, None)
        return self._sent(path, first, span)

    def _sent(self, path: str, first: Extract, span: Span | None) -> Response:
        """Answer a file, or a part of it, whose first block was read."""
        start, stop = _placed(span, first.size)
        headers = _headers(first)
        if span is not None and start >= stop:
            headers["Content-Range"] = f"bytes */{first.size}"
            return refusal(416, f"the file has {first.size} bytes", headers)
        if span is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{first.size}"
        headers["Content-Length"] = str(stop - start)
        status = 200 if span is None else 206
        if len(first.content) >= stop - start:
            return Response(first.content[: stop - start], status, headers, _media(path))
        blocks = _blocks(self._backend, path, first, start, stop)
        return StreamingResponse(blocks, status, headers, _media(path))

    def _check(self, path: str) -> None:
        """Raise `NotFoundError` for what is not served."""
        steps = path.split("/")
        is_plain = "\0" not in path and steps[0] != WORKING_FOLDER and {"", ".", ".."}.isdisjoint(steps)
        if not is_plain or not (self._is_metadata(path) or self._is_chunk(steps)):
            raise _absent(path)

    def _is_metadata(self, path: str) -> bool:
        above, _, name = path.rpartition("/")
        return name in FILES and not ZARR.isdisjoint(self._sorts(above))  # no layout gives these names to its files

    def _is_chunk(self, steps: list[str]) -> bool:
        """Whether an array is above, whose chunk this is. Where arrays may be below one another, it may be either's."""
        for at in range(len(steps) - 1, 0, -1):
            if is_chunk_like(steps[at]) is None:
                return False
            above = "/".join(steps[:at])
            if "array" in self._sorts(above):
                grid = self._grids.get(above)
                if grid is not None and grid.has("/".join(steps[at:])):
                    return True
        return False

    def _sorts(self, path: str) -> set[str]:
        """Which sorts of kinds have a path."""
        try:
            return {self._layout.kind(key.kind).sort for key in self._layout.matches(path)} if path else set()
        except AmbiguousPathError:  # it could be split in too many ways
            return set()


class _Grids:
    """The grids of arrays. A local one is read each time; an object store is not asked for every single chunk."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: OrderedDict[str, tuple[float, Grid | None]] = OrderedDict()
        self._lock = Lock()

    def get(self, path: str) -> Grid | None:
        """Return the grid of the array at a path, `None` where there is none. Raises `StoreError`."""
        if self._backend.has_folders:
            return _grid(self._backend, path)
        with self._lock:
            until, found = self._known.get(path, (0.0, None))
        if until < time.monotonic():
            found = _grid(self._backend, path)
            with self._lock:
                self._known[path] = time.monotonic() + MEMORY, found
                self._known.move_to_end(path)
                while len(self._known) > MOST:
                    self._known.popitem(last=False)
        return found


def _grid(backend: Backend, path: str) -> Grid | None:
    for name in NODE_METADATA:
        try:
            return read_grid(name, backend.read_range(f"{path}/{name}").content)
        except NotFoundError:
            continue
        except DamagedError:
            return None
    return None


def _absent(path: str) -> NotFoundError:
    return NotFoundError(errno.ENOENT, "there is no metadata file, and no chunk of an array, that the layout has", path)


# --- bytes -----------------------------------------------------------------------------------------------------------


def _asked(request: Request) -> Span | None:
    """The range that is asked for: its first and its last byte; the number of last bytes if there is no first.

    `None` for the whole, also where several are asked for, or what cannot be understood, as HTTP has it.
    """
    found = _RANGE(request.headers.get("range", ""))
    if found is None or not any(found.groups()):
        return None
    first, last = (int(one) if one else None for one in found.groups())
    return None if first is not None and last is not None and first > last else (first, last)


def _begin(backend: Backend, path: str, span: Span | None) -> Extract:
    """Read the first block of what is asked for."""
    start, last = span or (0, None)
    if start is None and last is not None:
        if last <= BLOCK:
            return backend.read_range(path, -last) if last else backend.read_range(path, 0, 0)
        start, last = max(0, backend.read_range(path, 0, 0).size - last), None
    start = start or 0
    return backend.read_range(path, start, start + BLOCK if last is None else min(start + BLOCK, last + 1))


def _placed(span: Span | None, size: int) -> tuple[int, int]:
    """From where to where a range is of a file."""
    first, last = span or (0, None)
    if first is None:
        return max(0, size - (last or 0)), size
    return first, size if last is None else min(last + 1, size)


async def _blocks(backend: Backend, path: str, first: Extract, start: int, stop: int) -> AsyncIterator[bytes]:
    """Yield what is between two places of a file. Where it is written anew meanwhile, the answer is broken off."""
    content = first.content
    while content:
        yield content
        start += len(content)
        if start >= stop:
            return
        found = await in_pool("files", backend.read_range, path, start, min(start + BLOCK, stop))
        content = found.content if found.version == first.version else b""
    if start < stop:
        raise StoreError(f"{path!r} was written anew while it was sent")


def _media(path: str) -> str:
    return "application/json" if path.rpartition("/")[2] in FILES else "application/octet-stream"


def _headers(found: Extract) -> dict[str, str]:
    return {"ETag": _tag(found), "Accept-Ranges": "bytes"}


def _tag(found: Extract) -> str:
    return f'"{hashlib.sha256(found.version.encode()).hexdigest()[:32]}"'


def _is_known(request: Request, found: Extract) -> bool:
    """Whether who asks has this already; a weak tag is as good there."""
    written = request.headers.get("if-none-match", "").split(",")
    return not {_tag(found), "*"}.isdisjoint(one.strip().removeprefix("W/") for one in written)
