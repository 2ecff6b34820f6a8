"""Scales: the axes of several arrays in one space, in units of the SI.

Metadata may come from anybody: an axis without a scale has the one that the first array says for it, and a scale
without a unit its unit. What makes no sense, such as seconds where others have meters, is read in the others' unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zarrange.view.axes import Axis

    Axes = tuple[Axis, ...]

__all__ = ["in_voxels", "ratio", "together"]

_PREFIXES = {
    "": ("", 0),
    "deci": ("d", -1),
    "centi": ("c", -2),
    "milli": ("m", -3),
    "micro": ("u", -6),
    "nano": ("n", -9),
    "pico": ("p", -12),
    "femto": ("f", -15),
    "kilo": ("k", 3),
    "mega": ("M", 6),
}
_OTHERS = {
    "angstrom": (1e-10, "m"),
    "Å": (1e-10, "m"),
    "µm": (1e-6, "m"),
    "μm": (1e-6, "m"),
    "micron": (1e-6, "m"),
    "inch": (0.0254, "m"),
    "foot": (0.3048, "m"),
    "minute": (60.0, "s"),
    "min": (60.0, "s"),
    "hour": (3600.0, "s"),
    "h": (3600.0, "s"),
    "day": (86400.0, "s"),
}


def _units() -> Iterable[tuple[str, tuple[float, str]]]:
    for long, (short, exponent) in _PREFIXES.items():
        for names, symbol in ((("meter", "metre", "meters"), "m"), (("second", "seconds"), "s")):
            for name in (*(long + one for one in names), short + symbol):
                yield name, (float(f"1e{exponent}"), symbol)


UNITS = {**dict(_units()), **_OTHERS}
"""How many units of the SI a unit is, and which. Others are taken for none."""
MAX_SCALE, MAX_PLACE = 1e30, 2.0**40
"""What is beyond is no size of a voxel, and no place, in anybody's picture."""


def together(arrays: Sequence[Axes]) -> list[Axes]:
    """Return the axes of arrays with scales and offsets in units of the SI: none is without. Channels have no scale."""
    arrays = [tuple(map(_sensible, axes)) for axes in arrays]
    known: dict[str, Axis] = {}
    for axis in (axis for axes in arrays for axis in axes if axis.scale is not None):
        if axis.name not in known or (known[axis.name].unit not in UNITS and axis.unit in UNITS):
            known[axis.name] = axis
    return [tuple(_placed(axis, known.get(axis.name)) for axis in axes) for axes in arrays]


def ratio(unit: str | None, other: str | None) -> float | None:
    """Return how many of another unit a unit is, `None` where they are no units of one quantity."""
    if unit == other:
        return 1.0
    (factor, symbol), (others, its) = UNITS.get(unit or "", (1.0, unit)), UNITS.get(other or "", (1.0, other))
    return factor / others if symbol == its else None


def in_voxels(axis: Axis) -> float:
    """Return where an axis begins, in voxels; 0 where that is nowhere near."""
    found = (axis.offset or 0.0) / (axis.scale or 1.0)
    return found if abs(found) < MAX_PLACE else 0.0


def _sensible(axis: Axis) -> Axis:
    """Leave out what is no scale."""
    scale = axis.scale
    if axis.role == "channel":
        return evolve(axis, scale=None, unit=None, offset=None)
    if scale is None or not 1 / MAX_SCALE < scale < MAX_SCALE:
        return evolve(axis, scale=None, unit=None)
    return axis


def _placed(axis: Axis, like: Axis | None) -> Axis:
    if like is None:
        return evolve(axis, scale=1.0, unit="", offset=0.0)
    scale, unit = (like.scale, like.unit) if axis.scale is None else (axis.scale, axis.unit)
    base = UNITS.get(like.unit or "", (1.0, ""))
    factor, symbol = UNITS.get(unit or "", base)
    if symbol != base[1]:
        factor, symbol = base
    return evolve(axis, scale=(scale or 1.0) * factor, unit=symbol, offset=(axis.offset or 0.0) * factor)
