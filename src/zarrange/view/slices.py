"""Slices: one plane of an array, read from no more chunks than it crosses.

What cannot be shown is a `NoPictureError`, a place that the array does not have a `CutError`, and damage an
`UnreadableError`; what was removed meanwhile is the `StoreError` of `Store.reading`. Arrays may come from strangers: a
chunk that is a symlink is not followed, and how much one slice reads is bounded.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import stat
from contextlib import contextmanager, suppress
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from attrs import evolve, field, frozen

from zarrange.errors import CutError, NoPictureError, StoreError, UnreadableError
from zarrange.view.axes import Axis, axes
from zarrange.view.placing import parents_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store

__all__ = ["MAX_PIXELS", "Cut", "Region", "Slice", "guarded", "read_slice"]

MAX_PIXELS = 4096 * 4096
"""A picture has no more values; of a larger plane, a region can be asked for."""
MAX_CHUNKS = 65_536
MAX_CHUNK_BYTES = 2**31
"""A slice crosses no more chunks, and none that would fill the memory when it is decoded."""
MAX_REASON = 200
PATIENCE = 5.0
"""For so many seconds, what zarr has begun may come to its end when something was wrong."""
LABEL_BYTES = {"i": 2, "u": 4}
"""Integers of so many bytes are taken for labels; smaller ones are what cameras give."""

Region: TypeAlias = tuple[int, int, int, int]
_read = re.compile(
    r"(?P<index>[A-Za-z_]\w*:-?\d{1,18}(?:,[A-Za-z_]\w*:-?\d{1,18})*)?"
    r"(?:@(\d{1,18}):(\d{1,18}),(\d{1,18}):(\d{1,18}))?",
    re.ASCII,
).fullmatch


def _frozen_index(index: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(index))


@frozen
class Cut:
    """Where a plane lies: the place on each axis that is not of the plane, and which region of it (y0, y1, x0, x1).

    As text it is `z:3,c:0`, with a region `z:3@0:64,0:64`; what is not said is chosen by `read_slice`.
    """

    index: Mapping[str, int] = field(factory=dict, converter=_frozen_index, hash=False)
    region: Region | None = None

    @classmethod
    def parse(cls, text: str) -> Cut:
        """Return the cut that is written. Raises `ValueError`."""
        found = _read(text)
        if found is None:
            raise ValueError(f"{_shortened(repr(text))} is no cut: it is written as in z:3,c:0 or z:3@0:64,0:64")
        pairs = [one.split(":") for one in (found["index"] or "").split(",") if one]
        index = {name: int(place) for name, place in pairs}
        if len(index) < len(pairs):
            raise ValueError(f"{_shortened(repr(text))} is no cut: an axis is given twice")
        y0, y1, x0, x1 = found.groups()[1:]
        return cls(index, None if y0 is None else (int(y0), int(y1), int(x0), int(x1)))

    def fitting(self, found: Sequence[Axis]) -> Cut:
        """Return the part of a cut for several arrays that one of them can have: axes that it has not are left out."""
        free = {one.name for one in found if one.role != "plane"}
        return evolve(self, index={name: place for name, place in self.index.items() if name in free})

    def __str__(self) -> str:
        index = ",".join(f"{name}:{place}" for name, place in self.index.items())
        if self.region is None:
            return index
        y0, y1, x0, x1 = self.region
        return f"{index}@{y0}:{y1},{x0}:{x1}"


@frozen(eq=False)
class Slice:
    """A plane of an array: `values` are of two dimensions, in native byte order, bool, integers or floats.

    `cut` says where on every axis; `note` says what was done to the values, if anything was; `is_labels` whether the
    data type suggests that numbers are names, not amounts.
    """

    values: np.ndarray[tuple[int, int], np.dtype[Any]]
    axes: tuple[Axis, ...]
    cut: Cut
    note: str = ""
    is_labels: bool = False


def read_slice(store: Store, entry: Entry, cut: Cut = Cut()) -> Slice:
    """Return a plane of an array: in the middle of each axis, channel 0, unless the cut says where.

    Raises `CutError`, `NoPictureError`, `UnreadableError`, and what `Store.reading` raises.
    """
    if entry.node != "array":
        raise NoPictureError(f"{entry.path!r} is no array, so there is no picture of it")
    with _telling(entry.path), store.reading(entry.identifier_of(entry.keys[0])) as array:
        _refuse_unfit(array)
        names = getattr(array.metadata, "dimension_names", None)
        found = axes(array.shape, array.attrs.asdict(), names, parents_of(store, entry), path=entry.path)
        whole = _completed(cut, found)
        window = _window(found, whole)
        _refuse_large(array, window)
        values = _read_from(guarded(array), window)
        one = Slice(values, found, whole, is_labels=_suggests_labels(array.dtype))
    return _shaped(one)


@contextmanager
def _telling(path: str) -> Iterator[None]:
    """Say of what zarr raises which array it is about: codecs raise whatever they like."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        reason = _shortened(str(error)) or type(error).__name__
        raise UnreadableError(f"{path!r} cannot be read: {reason}") from error


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"


# --- what can be shown -----------------------------------------------------------------------------------------------


def _refuse_unfit(array: Any) -> None:
    dtype = array.dtype
    if dtype.kind not in "biufc":
        what = "structured values" if dtype.names else f"values of type {dtype}"
        raise NoPictureError(f"it has {what}: a picture needs numbers")
    if not array.shape:
        raise NoPictureError("it has no dimensions, only one value: a picture needs at least one")
    if 0 in array.shape:
        raise NoPictureError(f"it is empty: its shape is {_by(array.shape)}")


def _refuse_large(array: Any, window: Sequence[slice | int]) -> None:
    spans = [slice(one, one + 1) if isinstance(one, int) else one for one in window]
    pixels = math.prod(one.stop - one.start for one in spans)
    if pixels > MAX_PIXELS:
        raise NoPictureError(
            f"its plane has {pixels:,} values, of which a picture has at most {MAX_PIXELS:,}: "
            "ask for a region, as in @0:1024,0:1024"
        )
    chunks = array.chunks
    crossed = math.prod(-(-one.stop // size) - one.start // size for one, size in zip(spans, chunks, strict=True))
    if crossed > MAX_CHUNKS:
        raise NoPictureError(
            f"its plane crosses {crossed:,} chunks, of which at most {MAX_CHUNKS:,} are read: "
            "ask for a region, as in @0:1024,0:1024"
        )
    size = math.prod(chunks) * array.dtype.itemsize
    if size > MAX_CHUNK_BYTES:
        raise NoPictureError(f"its chunks have {size:,} bytes each, and at most {MAX_CHUNK_BYTES:,} are decoded")


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _suggests_labels(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "b" or dtype.itemsize >= LABEL_BYTES.get(dtype.kind, math.inf)


# --- where -----------------------------------------------------------------------------------------------------------


def _completed(cut: Cut, found: tuple[Axis, ...]) -> Cut:
    """Return a cut with a place on every axis that it needs one on. Raises `CutError`."""
    free = {one.name: one for one in found if one.role != "plane"}
    known = f"it has {', '.join(f'`{name}`' for name in free)}" if free else "the array has none but those of the plane"
    for name, place in cut.index.items():
        if name not in free:
            raise CutError(f"there is no axis `{name}` to cut on: {known}")
        if not 0 <= place < free[name].size:
            raise CutError(f"`{name}` is from 0 to {free[name].size - 1}, not {place}")
    middles = {name: 0 if one.role == "channel" else one.size // 2 for name, one in free.items()}
    _refuse_region(cut.region, *_plane(found))
    return evolve(cut, index={**middles, **cut.index})


def _plane(found: tuple[Axis, ...]) -> tuple[int, int]:
    sizes = [one.size for one in found if one.role == "plane"]
    height, width = sizes if len(sizes) > 1 else (1, *sizes)
    return height, width


def _refuse_region(region: Region | None, height: int, width: int) -> None:
    if region is not None:
        y0, y1, x0, x1 = region
        if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
            asked = f"{y0}:{y1},{x0}:{x1}"
            raise CutError(f"the region {asked} is not in the plane, which is 0:{height},0:{width}")


def _window(found: tuple[Axis, ...], cut: Cut) -> tuple[slice | int, ...]:
    height, width = _plane(found)
    y0, y1, x0, x1 = cut.region or (0, height, 0, width)
    spans = [slice(y0, y1), slice(x0, x1)]
    plane = iter(spans if sum(one.role == "plane" for one in found) > 1 else spans[1:])
    return tuple(next(plane) if one.role == "plane" else cut.index[one.name] for one in found)


def _shaped(one: Slice) -> Slice:
    """Return a slice as it is promised to be: of two dimensions, real, in native byte order."""
    values, notes = one.values, []
    if values.ndim == 1:
        values = values[np.newaxis]
        notes.append("1-d, as a row")
    if values.dtype.kind == "c":
        with np.errstate(all="ignore"):
            values = np.abs(values)
        notes.append("magnitude of complex values")
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    return evolve(one, values=values, note="; ".join(notes))


# --- reading with care -----------------------------------------------------------------------------------------------


def guarded(array: Any) -> Any:
    """Return an array that reads its chunks from regular files only; an object store has no others."""
    import zarr
    from zarr.storage import StorePath

    path = StorePath(_guarded_store()(array.store), array.path)
    return zarr.Array(zarr.AsyncArray(array.metadata, path))


def _read_from(array: Any, window: tuple[slice | int, ...]) -> Any:
    """Return what is in a window of a guarded array."""
    try:
        return np.asarray(array[window])
    except Exception:
        # zarr gives up with the first failure, and leaves its other tasks behind; were the process to end now, each of
        # them would complain.
        loop = array.store.loop
        if loop is not None:
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(_settled(), loop).result(PATIENCE)
        raise


async def _settled() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)


@cache
def _guarded_store() -> Any:
    from zarr.abc.store import Store as AnyStore
    from zarr.storage import LocalStore, WrapperStore

    class Guarded(WrapperStore[AnyStore]):
        """Looks at each step of the way to a chunk before it is read. `loop` is where zarr does it."""

        loop: asyncio.AbstractEventLoop | None = None

        async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
            self.loop = asyncio.get_running_loop()
            if isinstance(self._store, LocalStore):
                _refuse_others(f"{self._store.root}/", key.split("/"))
            return await super().get(key, prototype, byte_range)

        async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
            return [await self.get(key, prototype, one) for key, one in key_ranges]

    return Guarded


def _refuse_others(folder: str, steps: list[str]) -> None:
    """Raise `UnreadableError` where a step is a symlink, or the last one a pipe, which would be waited for."""
    mode = 0
    for length in range(1, len(steps) + 1):
        way = folder + "/".join(steps[:length])
        try:
            mode = os.lstat(way).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return
        if stat.S_ISLNK(mode):
            raise UnreadableError(f"{way!r}: it is a symlink, which a store does not follow")
    if not stat.S_ISREG(mode):
        raise UnreadableError(f"{way!r}: it is no regular file, so it is no chunk")
