"""Metadata: what a node of zarr says of itself, read without zarr.

Only what a catalog shows is read: array or group, format, shape, data type, attributes. Metadata without what the Zarr
specifications, versions 2 and 3, ask of every node are a `DamagedError`; nothing is guessed.
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from zarrange.diagnostics import shown
from zarrange.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ARRAY_METADATA",
    "LEFTOVER",
    "METADATA",
    "NODE_METADATA",
    "Node",
    "NodeType",
    "is_chunk_like",
    "is_part",
    "parse_node",
    "parse_object",
    "parse_type",
]

NodeType = Literal["array", "group"]

NODE_METADATA: tuple[str, ...] = ("zarr.json", ".zarray", ".zgroup")
"""The files that make a folder a node, in the order in which they count."""
METADATA = frozenset({*NODE_METADATA, ".zattrs", ".zmetadata"})
"""The names that zarr gives to metadata."""
ARRAY_METADATA = {2: (".zarray", ".zattrs"), 3: ("zarr.json",)}
"""The files that describe an array, by its zarr format."""
is_chunk_like = re.compile(r"c|\d+(?:\.\d+)*|c(?:\.\d+)+").fullmatch
"""Whether a name is one that zarr gives to a chunk, or to a folder of chunks."""

LEFTOVER = ".partial"
"""How the names of what zarr was writing end, until it is whole."""


def is_part(name: str) -> bool:
    """Return whether a name in an array's folder is one that zarr gives: to chunks, to metadata, to what it writes."""
    return name in METADATA or is_chunk_like(name) is not None or name.endswith(LEFTOVER)


NEW_KEYS = ("shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs")
OLD_KEYS = ("shape", "dtype", "chunks", "compressor", "fill_value", "filters", "order")
"""What the specifications ask of an array's metadata."""
MAX_CACHED_BYTES = 16_384
MAX_DIMENSIONS = 64
MAX_ELEMENTS = 2**63
"""What metadata cannot mean: numpy has no more dimensions, and no file system has files so large."""
_NUMPY = re.compile(r"[<>|=]?([biufc])([0-9]{1,2})")
_NUMPY_NAMES = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}
_BITS = re.compile(r"(?:int|uint|float|bfloat|complex|r)(8|16|32|64|128|256)")


@frozen
class Node:
    """An array or a group: `shape`, `dtype` and `chunks` are an array's, and `None` for a group.

    `dtype` is the name of the data type as zarr 3 has it (`float32`), also for arrays of format 2 where there is one.
    `attributes` are those of `zarr.json`; format 2 keeps them in a file of their own, which is not read here.
    `is_consolidated` says whether a group's `zarr.json` has a copy of the metadata below it.
    """

    type: NodeType
    zarr_format: Literal[2, 3]
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    chunks: tuple[int, ...] | None = None
    attributes: Mapping[str, Any] = field(factory=dict, hash=False, converter=MappingProxyType)
    is_consolidated: bool = False

    @property
    def nbytes(self) -> int | None:
        """The bytes of all elements, uncompressed; `None` for a group, for elements of unknown size, beyond 63 bits."""
        if self.shape is None or self.dtype is None:
            return None
        bits = _BITS.fullmatch(self.dtype)
        size = 1 if self.dtype == "bool" else int(bits[1]) // 8 if bits else 0
        found = math.prod(self.shape) * size
        return found if size and found < MAX_ELEMENTS else None

    def __reduce__(self) -> tuple[Any, ...]:
        return Node, (*(getattr(self, name) for name in _PLAIN), dict(self.attributes), self.is_consolidated)


_PLAIN = ("type", "zarr_format", "shape", "dtype", "chunks")


def parse_node(name: str, content: bytes) -> Node:
    """Return the node that a metadata file, one of `NODE_METADATA`, describes. Raises `DamagedError`."""
    return (_cached if len(content) <= MAX_CACHED_BYTES else _parse)(name, content)


def parse_type(name: str, content: bytes) -> NodeType:
    """Return what sort of node a metadata file says that there is, whatever else may be wrong with it.

    Raises `DamagedError` for a `zarr.json` that does not say so.
    """
    if name != "zarr.json":
        return "array" if name == ".zarray" else "group"
    found = parse_object(name, content).get("node_type")
    if found not in ("array", "group"):
        raise DamagedError(f"its {name} is damaged: its node_type is {shown(found)}")
    return found  # type: ignore[no-any-return]  # one of the two


def _parse(name: str, content: bytes) -> Node:
    data = parse_object(name, content)
    try:
        return _new_node(data) if name == "zarr.json" else _old_node(name, data)
    except _Misshapen as error:
        raise DamagedError(f"its {name} is damaged: {error}") from None


def parse_object(name: str, content: bytes) -> dict[str, Any]:
    """Return the JSON object that a metadata file is. Raises `DamagedError`."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"its {name} is damaged: it is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise DamagedError(f"its {name} is damaged: it is not a JSON object")
    return data


_cached = lru_cache(4096)(_parse)
"""The arrays of a run have the same metadata but for little, and often the very same."""


class _Misshapen(ValueError):  # noqa: N818 - never leaves this module
    """What is wrong with metadata that are JSON."""


def _new_node(data: dict[str, Any]) -> Node:
    found = data.get("node_type")
    if found not in ("array", "group"):
        raise _Misshapen(f"its node_type is {shown(found)}")
    _check_format(data, 3)
    attributes = data.get("attributes")
    attributes = {} if attributes is None else attributes
    if not isinstance(attributes, dict):
        raise _Misshapen(f"its attributes are {shown(attributes)}")
    if found == "group":
        return Node("group", 3, attributes=attributes, is_consolidated=bool(data.get("consolidated_metadata")))
    _check_keys(data, NEW_KEYS)
    grid = data["chunk_grid"]
    chunks = grid.get("configuration") if isinstance(grid, dict) else None
    chunk_shape = chunks.get("chunk_shape") if isinstance(chunks, dict) else None
    written = data["data_type"]
    dtype = written.get("name") if isinstance(written, dict) else written
    return Node("array", 3, _shape(data), _text(dtype), _numbers(chunk_shape), attributes)


def _old_node(name: str, data: dict[str, Any]) -> Node:
    _check_format(data, 2)
    if name == ".zgroup":
        return Node("group", 2)
    _check_keys(data, OLD_KEYS)
    written = data["dtype"]
    numpy = _NUMPY.fullmatch(written) if isinstance(written, str) else None
    dtype = written if isinstance(written, str) else json.dumps(written) if written else None
    if numpy:
        kind = _NUMPY_NAMES[numpy[1]]
        dtype = kind if kind == "bool" else f"{kind}{int(numpy[2]) * 8}"
    return Node("array", 2, _shape(data), _text(dtype), _numbers(data["chunks"]))


def _check_format(data: dict[str, Any], wanted: int) -> None:
    if data.get("zarr_format") != wanted:
        raise _Misshapen(f"its zarr_format is {shown(data.get('zarr_format'))}")


def _check_keys(data: dict[str, Any], wanted: tuple[str, ...]) -> None:
    if missing := [key for key in wanted if key not in data]:
        raise _Misshapen(f"it has no {', '.join(missing)}")


def _shape(data: dict[str, Any]) -> tuple[int, ...]:
    shape = _numbers(data.get("shape"))
    if shape is None:
        raise _Misshapen(f"its shape is {shown(data.get('shape'))}")
    return shape


def _text(dtype: object) -> str:
    if not isinstance(dtype, str) or not dtype:
        raise _Misshapen(f"its data type is {shown(dtype)}")
    return dtype


def _numbers(written: object) -> tuple[int, ...] | None:
    """Return numbers of elements, which are never so many that a file could not have them."""
    if not isinstance(written, list) or len(written) > MAX_DIMENSIONS:
        return None
    if all(type(one) is int and 0 <= one < MAX_ELEMENTS for one in written):
        return tuple(written)
    return None
