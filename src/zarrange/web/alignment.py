"""Alignment: where the arrays of several panels lie among each other, so that all show the same place.

By their scales and offsets where all have some of one quantity that meet; else by their sizes: arrays of other sizes
are taken to show the same, finer or coarser. Only metadata is read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attrs import frozen

from zarrange.errors import StoreError
from zarrange.view.axes import Axis
from zarrange.view.placing import axes_of, locate
from zarrange.view.scales import ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zarrange.stores.store import Store

__all__ = ["Placing", "Shape", "across", "along", "shape_of"]


@frozen
class Placing:
    """Where an axis of a panel lies on the shared one: its pixel = factor * shared pixel + shift; and its size."""

    factor: float
    shift: float
    size: int

    def index(self, shared: int) -> int | None:
        """Return the place on the panel's own axis, `None` beyond its ends."""
        found = math.floor(self.factor * shared + self.shift + 1e-9)
        return found if 0 <= found < self.size else None


def along(axis: Axis, shared: Axis) -> Placing:
    """Return where an axis lies on the one that all panels share, to be cut there: the middle of a pixel counts."""
    if axis.size == 1:
        return Placing(0, 0, 1)
    if axis.role == "channel":
        return Placing(1, 0, axis.size)
    found = _by_scale(axis, shared) or (axis.size / shared.size, 0.0)
    return Placing(found[0], found[1] + found[0] / 2, axis.size)


def across(plane: Sequence[Axis], shared: Sequence[Axis]) -> tuple[Placing, ...]:
    """Return where a plane lies in the one that all panels share: by its scales, else so that it fits as a whole."""
    pairs = tuple(zip(plane, shared, strict=True))
    scaled = [_by_scale(*pair) for pair in pairs]
    if all(scaled):
        return tuple(Placing(*one, axis.size) for one, axis in zip(scaled, plane, strict=True) if one)
    factor = max(axis.size / other.size for axis, other in pairs)
    return tuple(Placing(factor, (axis.size - factor * other.size) / 2, axis.size) for axis, other in pairs)


def _by_scale(axis: Axis, shared: Axis) -> tuple[float, float] | None:
    """Where an axis lies by its metadata; `None` where they do not say, or the two would not meet."""
    unit = ratio(shared.unit, axis.unit)
    if axis.scale is None or shared.scale is None or unit is None:
        return None
    factor = shared.scale * unit / axis.scale
    shift = ((shared.offset or 0.0) * unit - (axis.offset or 0.0)) / axis.scale
    if not (math.isfinite(shift) and factor > 0) or min(axis.size, shift + factor * shared.size) <= max(0.0, shift):
        return None
    return factor, shift


@frozen
class Shape:
    """The axes of a panel's arrays, as one of them has them, and whether their type is one of labels."""

    plane: tuple[Axis, Axis] | None = None
    others: tuple[Axis, ...] = ()
    is_labels: bool = False


def shape_of(store: Store, paths: Iterable[str]) -> Shape:
    """Return the shape of the first array that can be looked at; what is wrong with others, their pictures say."""
    for path in paths:
        try:
            entry = locate(store, path)
            found = axes_of(store, entry)
        except StoreError:
            continue
        plane = [one for one in found if one.role == "plane"]
        if len(plane) == 1:
            plane = [_row(), *plane]
        if len(plane) == 2 and all(one.size for one in found):  # noqa: PLR2004 - rows and columns
            others = tuple(one for one in found if one.role != "plane")
            return Shape((plane[0], plane[1]), others, _is_labels(entry.metadata and entry.metadata.dtype))
    return Shape()


def _row() -> Axis:
    return Axis("row", 1, "plane")


def _is_labels(dtype: object) -> bool:
    """Whether a type is surely one of labels. Integers of two bytes are what many cameras give, too."""
    name = str(dtype).lstrip("<>|=")
    return name in {"bool", "b1", "int32", "i4", "int64", "i8", "uint32", "u4", "uint64", "u8"}
