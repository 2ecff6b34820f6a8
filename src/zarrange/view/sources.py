"""Sources: how Neuroglancer gets at an array: by its own reader of zarr over HTTP, or converted by ours.

Its reader has no floats of 64 or 16 bits, no booleans, few codecs, and draws nothing for what it does not have. Such an
array is read with zarr, in blocks as they are asked for, and made into the nearest type that it does have.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from zarrange.errors import NotFoundError, UnreadableError
from zarrange.stores.metadata import parse_object
from zarrange.view.placing import attributes_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from zarrange.stores.entries import Entry
    from zarrange.stores.store import Store

__all__ = ["Converted", "Metadata", "is_drawable", "suggests_labels"]

LABELS = frozenset({"bool", "int16", "int32", "int64", "uint32", "uint64"})
"""Data types whose numbers are taken for names, as a slice does."""
DRAWABLE = LABELS | {"int8", "uint8", "uint16", "float16", "float32", "float64", "complex64", "complex128"}
NEW_TYPES = frozenset({"uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32"})
_WIDE = ("u2", "i2", "u4", "i4", "u8", "i8", "f4")
OLD_TYPES = frozenset({"|u1", "|i1", *(f"{order}{kind}" for order in "<>" for kind in _WIDE)})
"""What the client reads, of either format; it takes the 64-bit integers of format 2 as unsigned."""
COMPRESSORS = frozenset({"blosc", "gzip", "zlib", "zstd"})
CODECS = frozenset({"blosc", "bytes", "crc32c", "gzip", "sharding_indexed", "transpose", "zstd"})
_is_name = re.compile(r"[A-Za-z_]\w*[\^']?", re.ASCII).fullmatch


def suggests_labels(dtype: str | None) -> bool:
    """Whether a data type, by its name in the metadata, suggests that numbers are names."""
    return dtype in LABELS


def is_drawable(entry: Entry) -> bool:
    """Whether there is anything to draw of an array: numbers, of at least two dimensions."""
    node = entry.metadata
    return node is not None and node.dtype in DRAWABLE and len(node.shape or ()) > 1 and 0 not in (node.shape or ())


class Metadata:
    """What Neuroglancer's client reads of an array. Raises `UnreadableError` where that is not there any more."""

    def __init__(self, store: Store, entry: Entry) -> None:
        node = entry.metadata
        if node is None or node.shape is None:
            raise UnreadableError(f"{entry.path!r} is no array")
        self._rank = len(node.shape)
        self.zarr_format = node.zarr_format
        name = "zarr.json" if self._is_new else ".zarray"
        try:
            self._document = parse_object(name, store._backend.read(f"{entry.path}/{name}"))  # noqa: SLF001
        except NotFoundError as error:
            raise UnreadableError(f"{entry.path!r} was removed while it was looked at") from error
        self._attributes = attributes_of(store, entry)

    @property
    def _is_new(self) -> bool:
        return self.zarr_format == 3  # noqa: PLR2004 - a number of the specification

    @cached_property
    def is_read_by_client(self) -> bool:
        """Whether the client reads the array itself, and rightly: filters of format 2 it does not even look at."""
        document = self._document
        if self._attributes.get("dimension_units") is not None or not all(map(_is_name, self.names)):
            return False
        if self._is_new:
            is_plain = not document.get("storage_transformers") and _is(document.get("chunk_grid"), {"regular"})
            return is_plain and _is(document.get("data_type"), NEW_TYPES) and _are_known(document.get("codecs"))
        compressor = document.get("compressor")
        is_known = compressor is None or (isinstance(compressor, dict) and _is(compressor.get("id"), COMPRESSORS))
        return is_known and _is(document.get("dtype"), OLD_TYPES) and not document.get("filters")

    @cached_property
    def names(self) -> list[str]:
        """What the client calls the dimensions, where nobody else says it; no name if it reads no such array."""
        written = self._document.get("dimension_names") if self._is_new else self._attributes.get("_ARRAY_DIMENSIONS")
        written = [None] * self._rank if written is None else written
        if not isinstance(written, list) or len(written) != self._rank:
            return [""]
        return _unique(written, "dim_" if self._is_new else "d")

    @property
    def chunk(self) -> Sequence[int]:
        """The shape of what is read at once: a chunk, of a shard one of its inner chunks; empty if nobody knows."""
        document = self._document
        found = document.get("chunks")
        if self._is_new:
            inner = [_configuration(one) for one in _sharding(document.get("codecs"))]
            found = [*inner, _configuration(document.get("chunk_grid"))][0].get("chunk_shape")
        return found if isinstance(found, list) and len(found) == self._rank else ()


def _is(written: object, names: Collection[str]) -> bool:
    """Whether what is written, by itself or as the `name` of something, is one of some names."""
    name = written.get("name") if isinstance(written, dict) else written
    return isinstance(name, str) and name in names


def _are_known(codecs: object) -> bool:
    """Whether the client has all codecs, those inside of shards as well."""
    is_known = isinstance(codecs, list) and all(_is(one, CODECS) for one in codecs)
    return is_known and all(_are_known(_configuration(one).get("codecs")) for one in _sharding(codecs))


def _sharding(codecs: object) -> list[object]:
    return [one for one in codecs if _is(one, {"sharding_indexed"})] if isinstance(codecs, list) else []


def _configuration(written: object) -> Mapping[str, Any]:
    found = written.get("configuration") if isinstance(written, dict) else None
    return found if isinstance(found, dict) else {}


def _unique(written: Sequence[object], prefix: str) -> list[str]:
    names: list[str] = []
    for at, name in enumerate(written):
        free = (f"{prefix}{one}" for one in count(at))
        offered = free if name is None else chain([str(name)], (f"{name}{one}" for one in count(1)))
        names.append(next(one for one in offered if one not in names))
    return names


class Converted:
    """An array as Neuroglancer's package takes it: a shape, a data type that its client has, and blocks of values.

    Labels of 64 bits are taken as unsigned, complex numbers as their magnitudes. Its chunks are read as those of
    slices are: no symlink is followed.
    """

    def __init__(self, store: Store, entry: Entry, *, is_labels: bool) -> None:
        import numpy as np

        from zarrange.view.slices import guarded

        self._array = guarded(store.open(entry.identifier_of(entry.keys[0])))
        self.shape = self._array.shape
        self.dtype = np.dtype(_nearest(self._array.dtype, is_labels=is_labels))

    def __getitem__(self, block: Any) -> Any:
        import numpy as np

        values = np.asarray(self._array[block])
        return (np.abs(values) if values.dtype.kind == "c" else values).astype(self.dtype)


def _nearest(dtype: Any, *, is_labels: bool) -> str:
    """The data type of the client that has the values of another one, or nearly so."""
    if dtype.kind == "b":
        return "uint8"
    if dtype.kind in "iu" and dtype.itemsize < 8:  # noqa: PLR2004
        return f"{'u' * (dtype.kind == 'u')}int{dtype.itemsize * 8}"
    return "uint64" if dtype.kind in "iu" and is_labels else "float32"
