"""Chunks: by which keys an array has its chunks, as far as its metadata say so. Nothing is read, zarr is not needed."""

from __future__ import annotations

import re
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from attrs import frozen

from zarrange.stores.metadata import parse_node, parse_object

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Grid", "read_grid"]

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}").fullmatch
SEPARATORS = {"default": "/", "v2": "."}


@frozen
class Grid:
    """The chunks of an array: `counts` is how many along each dimension. `prefix` is what all keys begin with."""

    counts: tuple[int, ...]
    chunks: tuple[int, ...]
    prefix: tuple[str, ...]
    separator: str

    def key(self, place: Sequence[int]) -> str:
        """Return the key of the chunk at a place of the grid."""
        return self.separator.join([*self.prefix, *map(str, place)]) or "0"

    def has(self, key: str) -> bool:
        """Return whether a key is one of the grid's, as zarr itself writes it."""
        if not self.counts:
            return key == self.key(())
        steps = key.split(self.separator)
        numbers = steps[len(self.prefix) :]
        if tuple(steps[: len(self.prefix)]) != self.prefix or len(numbers) != len(self.counts):
            return False
        return all(_NUMBER(one) and int(one) < count for one, count in zip(numbers, self.counts, strict=True))

    def crossed(self, window: Sequence[tuple[int, int]], most: int) -> list[str] | None:
        """Return the keys of the chunks with an element from `start` up to `stop` of each dimension.

        `None` where there are more than `most`.
        """
        spans = [
            range(max(0, start // size), min(-(-stop // size), count))
            for (start, stop), size, count in zip(window, self.chunks, self.counts, strict=True)
        ]
        return None if prod(map(len, spans)) > most else [self.key(place) for place in product(*spans)]


def read_grid(name: str, content: bytes) -> Grid | None:
    """Return the grid of an array, by its metadata file; `None` for a group, and where chunks are not all alike.

    Raises `DamagedError`.
    """
    node = parse_node(name, content)
    data = parse_object(name, content)
    if node.shape is None or node.chunks is None or len(node.chunks) != len(node.shape) or 0 in node.chunks:
        return None
    if name == "zarr.json" and _name(data["chunk_grid"]) != "regular":
        return None
    counts = tuple(-(-size // chunk) for size, chunk in zip(node.shape, node.chunks, strict=True))
    if name != "zarr.json":
        separator = data.get("dimension_separator", ".")
        return Grid(counts, node.chunks, (), separator) if separator in (".", "/") else None
    encoding = data["chunk_key_encoding"]
    separator = _separator(encoding)
    if separator is None:
        return None
    return Grid(counts, node.chunks, ("c",) if _name(encoding) == "default" else (), separator)


def _name(written: Any) -> Any:
    return written.get("name") if isinstance(written, dict) else written


def _separator(encoding: Any) -> str | None:
    """What stands between the numbers of a key; `None` for an encoding that is not known."""
    name = _name(encoding)
    if not isinstance(name, str) or name not in SEPARATORS:
        return None
    settings = encoding.get("configuration") if isinstance(encoding, dict) else None
    found = settings.get("separator", SEPARATORS[name]) if isinstance(settings, dict) else SEPARATORS[name]
    return found if found in (".", "/") else None
