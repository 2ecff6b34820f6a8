"""Images: `/image/{path}`, a slice as PNG, and `/values/{path}`, its numbers as they are (little-endian).

The ETag is made of the versions of the array's metadata and of each chunk that the slice crosses (a chunk may be
written anew while nothing else changes), of the cut, and of how it is drawn. It is made before anything is read, and
304 is answered without decoding. Who writes into a file in its place, without changing its size, within one tick of the
file system's clock, is not noticed; zarr does not. A slice of more than MAX_TOLD chunks has none, and is not kept.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from attrs import field, frozen
from starlette.responses import Response
from starlette.routing import Route

import zarrange
from zarrange.errors import BadRequestError, NotFoundError
from zarrange.stores.metadata import ARRAY_METADATA, NODE_METADATA
from zarrange.web.answers import in_pool, in_turn, telling_errors
from zarrange.web.chunks import read_grid
from zarrange.web.requests import given, number, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store
    from zarrange.view.axes import Axis
    from zarrange.view.slices import Cut, Slice
    from zarrange.web.chunks import Grid

__all__ = ["routes"]

MAX_TOLD = 4096
"""The versions of so many chunks are asked for at most: as many requests to an object store."""
MAX_SIZE = 4096
"""A thumbnail has at most so many pixels a side."""
KEPT = 32 * 1024 * 1024
"""So many bytes of thumbnails are kept in memory."""
LABELS = {None: None, "0": False, "1": True}


def routes(store: Store) -> list[Route]:
    """Return the routes of pictures and values of a store."""
    shown = _Shown(store)
    return [
        Route("/image/{path:path}", telling_errors(shown.image), methods=["GET"]),
        Route("/values/{path:path}", telling_errors(shown.values), methods=["GET"]),
    ]


@frozen
class _Drawing:
    """How a slice is drawn: what the query says."""

    labels: bool | None = None
    range: tuple[float, float] | None = None
    size: int | None = None


@frozen
class _Ready:
    """An answer that can be given again."""

    content: bytes
    media: str
    headers: Mapping[str, str] = field(factory=dict)

    def answer(self, tag: str | None) -> Response:
        more = {"Cache-Control": "no-store"} if tag is None else {"ETag": tag}
        return Response(self.content, 200, {**self.headers, **more}, self.media)


class _Shown:
    """The pictures of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thumbnails = _Thumbnails()

    async def image(self, request: Request) -> Response:
        """Answer a slice as PNG."""
        refuse_unknown(request, ("cut", "labels", "range", "size"))
        labels = given(request, "labels")
        if labels not in LABELS:
            raise BadRequestError(f"`labels` takes 0 or 1, not {labels!r}")
        size = number(request, "size", 0, least=1, most=MAX_SIZE) or None
        return await self._shown(request, _Drawing(LABELS[labels], _range(given(request, "range")), size))

    async def values(self, request: Request) -> Response:
        """Answer the numbers of a slice."""
        refuse_unknown(request, ("cut",))
        return await self._shown(request, None)

    async def _shown(self, request: Request, drawing: _Drawing | None) -> Response:
        from zarrange.view.slices import Cut

        path, cut = request.path_params["path"], Cut.parse(given(request, "cut") or "")
        entry, tag = await in_pool("files", _found, self._store, path, cut, drawing)
        if tag is not None and tag in _tags(request):
            return Response(None, 304, {"ETag": tag})
        is_thumbnail = drawing is not None and drawing.size is not None
        if tag is not None and is_thumbnail and (ready := self._thumbnails.get(tag)) is not None:
            return ready.answer(tag)
        return await in_turn(request, "pictures", self._made, entry, cut, drawing, tag, is_kept=is_thumbnail)

    def _made(self, entry: Entry, cut: Cut, drawing: _Drawing | None, tag: str | None, *, is_kept: bool) -> Response:
        from zarrange.view.slices import read_slice

        one = read_slice(self._store, entry, cut)
        ready = _as_values(one) if drawing is None else _as_png(one, drawing)
        if is_kept and tag is not None:
            self._thumbnails.put(tag, ready)
        return ready.answer(tag)


class _Thumbnails:
    """The last thumbnails, by their tags."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Ready] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, tag: str) -> _Ready | None:
        with self._lock:
            if tag in self._kept:
                self._kept.move_to_end(tag)
            return self._kept.get(tag)

    def put(self, tag: str, ready: _Ready) -> None:
        with self._lock:
            if tag not in self._kept:
                self._kept[tag] = ready
                self._bytes += len(ready.content)
            while self._bytes > KEPT:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone.content)


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high)):
        raise BadRequestError(f"`range` takes two numbers, as in 0,1, not {text!r}")
    return low, high


def _tags(request: Request) -> set[str]:
    written = request.headers.get("if-none-match", "")
    return {one.strip().removeprefix("W/") for one in written.split(",")}


# --- what is shown ---------------------------------------------------------------------------------------------------


def _as_png(one: Slice, drawing: _Drawing) -> _Ready:
    from zarrange.view.pictures import picture, value_range

    shown = drawing.range or value_range(one.values)
    content = picture(one, labels=drawing.labels, range=drawing.range, size=drawing.size)
    headers = _said(one)
    if shown is not None:
        headers["X-Zarrange-Range"] = f"{shown[0]!r},{shown[1]!r}"
    return _Ready(content, "image/png", headers)


def _as_values(one: Slice) -> _Ready:
    """The numbers of a slice; types that a page has no arrays of become the next larger one."""
    values = one.values
    if values.dtype.kind == "b":
        values = values.view("u1")
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        values = values.astype("f4" if values.dtype.itemsize < 4 else "f8")  # noqa: PLR2004
    headers = _said(one)
    headers["X-Zarrange-Shape"] = ",".join(map(str, values.shape))
    headers["X-Zarrange-Dtype"] = values.dtype.name
    return _Ready(values.astype(values.dtype.newbyteorder("<")).tobytes(), "application/octet-stream", headers)


def _said(one: Slice) -> dict[str, str]:
    """What a picture cannot say itself. Names of axes are plain."""
    note = one.note.encode("ascii", "replace").decode()
    return {"X-Zarrange-Cut": str(one.cut), "X-Zarrange-Labels": str(int(one.is_labels)), "X-Zarrange-Note": note}


# --- tags ------------------------------------------------------------------------------------------------------------


def _found(store: Store, path: str, cut: Cut, drawing: _Drawing | None) -> tuple[Entry, str | None]:
    """Return the array at a path, and the tag of what is asked of it."""
    from zarrange.view.placing import axes_of, locate

    entry = locate(store, path)
    backend = store._backend  # noqa: SLF001 - there is no other way to versions
    names = ARRAY_METADATA[entry.metadata.zarr_format] if entry.metadata is not None else ()
    versions: list[str | None] = [f"{backend.root}/{path}", zarrange.__version__, str(cut), repr(drawing), *names]
    versions += backend.versions_of([f"{path}/{name}" for name in names])
    axes = axes_of(store, entry)
    window = _window(axes, cut)
    grid = _grid(store, path)
    keys = None if grid is None or len(window) != len(grid.counts) else grid.crossed(window, MAX_TOLD)
    if keys is None:
        return entry, None
    versions += [repr(axes), *backend.versions_of([f"{path}/{key}" for key in keys])]
    return entry, f'"{hashlib.sha256(repr(versions).encode()).hexdigest()[:32]}"'


def _grid(store: Store, path: str) -> Grid | None:
    for name in NODE_METADATA:
        try:
            return read_grid(name, store._backend.read(f"{path}/{name}"))  # noqa: SLF001
        except NotFoundError:
            continue
    return None


def _window(axes: Sequence[Axis], cut: Cut) -> list[tuple[int, int]]:
    """From where to where a cut goes on each axis. What does not fit is refused when it is read."""
    y0, y1, x0, x1 = cut.region or (0, None, 0, None)
    spans = iter([(y0, y1), (x0, x1)][-sum(one.role == "plane" for one in axes) :])
    window = []
    for one in axes:
        if one.role == "plane":
            start, stop = next(spans)
            window.append((start, one.size if stop is None else min(stop, one.size)))
        else:
            place = cut.index.get(one.name, 0 if one.role == "channel" else one.size // 2)
            window.append((place, place + 1))
    return window
