"""Axes: what the dimensions of an array are called, which of them make the picture, and how far apart voxels are.

All of it is read from metadata that anybody may have written: what does not make sense is left out, and nothing raises.
Names are as OME multiscales have them (of a group above), else `dimension_names`, `_ARRAY_DIMENSIONS`, `axis_names` or
`axes`, else x, y, z from the last dimension on. Every name is plain and stands once, so that a cut can say it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import frozen

__all__ = ["Axis", "Role", "axes"]

Role: TypeAlias = Literal["plane", "index", "channel"]

CHANNELS = frozenset({"c", "channel", "channels"})
BY_POSITION = ("t", "c", "z", "y", "x")
MAX_UNIT = 32
_is_plain = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}").fullmatch


@frozen
class Axis:
    """A dimension of an array. A picture has those of the plane; of the others it is at one place.

    `scale` is the size of a voxel in `unit`, `offset` where the first one begins; `None` where nobody says.
    """

    name: str
    size: int
    role: Role
    scale: float | None = None
    unit: str | None = None
    offset: float | None = None


@frozen
class _Said:
    """What one piece of metadata says of all dimensions; each tuple has as many as there are, or is empty."""

    names: tuple[object, ...] = ()
    scales: tuple[float | None, ...] = ()
    units: tuple[str | None, ...] = ()
    offsets: tuple[float | None, ...] = ()
    channels: frozenset[int] = frozenset()


def axes(
    shape: Sequence[int],
    attributes: Mapping[str, Any],
    dimension_names: Sequence[str | None] | None = None,
    parents: Sequence[Mapping[str, Any]] = (),
    *,
    path: str = "",
) -> tuple[Axis, ...]:
    """Return the axes of an array, in the order of its dimensions.

    `parents` are the attributes of the groups above it, the nearest first; `path` is the array's, by which a multiscale
    knows it among its levels.
    """
    count = len(shape)
    ome = _of_multiscales(parents, path, count)
    names = _names(count, [ome.names, *_written_names(attributes, dimension_names)])
    channels = ome.channels | {at for at, name in enumerate(names) if name.lower() in CHANNELS}
    plane = _plane(count, channels)
    own = _of_attributes(attributes, count, channels)
    scales, units, offsets = ome.scales or own.scales, ome.units or own.units, ome.offsets or own.offsets
    found = []
    for at, size in enumerate(shape):
        role: Role = "plane" if at in plane else "channel" if at in channels else "index"
        found.append(Axis(names[at], size, role, _at(scales, at), _at(units, at), _at(offsets, at)))
    return tuple(found)


def _at(found: Sequence[Any], at: int) -> Any:
    return found[at] if found else None


def _plane(count: int, channels: frozenset[int] | set[int]) -> tuple[int, ...]:
    """The last two dimensions, those of channels left aside, as long as two are left."""
    left = [at for at in range(count) if at not in channels]
    return tuple((left if len(left) > 1 else range(count))[-2:])


# --- names -----------------------------------------------------------------------------------------------------------


def _written_names(
    attributes: Mapping[str, Any], dimension_names: Sequence[str | None] | None
) -> Iterator[Sequence[object]]:
    yield dimension_names or ()
    for key in ("_ARRAY_DIMENSIONS", "axis_names", "axes"):
        written = attributes.get(key)
        yield [_name(one) for one in written] if isinstance(written, list | tuple | str) else ()


def _name(written: object) -> object:
    return written.get("name") if isinstance(written, Mapping) else written


def _names(count: int, written: Sequence[Sequence[object]]) -> list[str]:
    """The first names that are as many as dimensions; in the place of those that cannot be used, others."""
    unnamed = [f"d{at}" for at in range(count - len(BY_POSITION))]
    by_position = [*unnamed, *BY_POSITION[max(0, len(BY_POSITION) - count) :]]
    if count == len(BY_POSITION) - 1:
        by_position[0] = "c"
    chosen = next((one for one in written if len(one) == count and any(map(_plain, one))), ())
    plain = [_plain(one) for one in chosen] or [None] * count
    names: list[str] = []
    for at, name in enumerate(plain):
        taken = {*names, *(one for one in plain[at + 1 :] if one != name)}
        free = (one for one in _offers(name, by_position[at], at) if one not in taken)
        names.append(next(free))
    return names


def _offers(name: str | None, by_position: str, at: int) -> Iterator[str]:
    if name is not None:
        yield name
    yield by_position
    while True:
        yield f"d{at}"
        at += 1


def _plain(name: object) -> str | None:
    """A name as it is used; some write `c^` for a dimension that is not in space."""
    name = name.removesuffix("^") if isinstance(name, str) else ""
    return name if _is_plain(name) else None


# --- scales ----------------------------------------------------------------------------------------------------------


def _of_attributes(attributes: Mapping[str, Any], count: int, channels: frozenset[int] | set[int]) -> _Said:
    """What an array's own attributes say: of all dimensions, of those in space, or of the last ones."""
    space = [at for at in range(count) if at not in channels]

    def spread(values: Sequence[Any]) -> tuple[Any, ...]:
        places = list(range(count)) if len(values) == count else space
        if not values or len(values) > len(places):
            return ()
        found = dict(zip(places[-len(values) :], values, strict=True))
        return tuple(found.get(at) for at in range(count))

    scales = _scales(attributes.get("voxel_size")) or _scales(attributes.get("resolution"))
    units = attributes.get("units")
    units = [units] * len(scales) if isinstance(units, str) else units if isinstance(units, list | tuple) else []
    return _Said((), spread(scales), spread([_unit(one) for one in units]), spread(_numbers(attributes.get("offset"))))


def _of_multiscales(parents: Sequence[Mapping[str, Any]], path: str, count: int) -> _Said:
    """What the multiscale says that the array is a level of, if it is of one."""
    segments = path.split("/")
    for depth, attributes in enumerate(parents, 1):
        ome = attributes.get("ome")
        for one in _list((ome if isinstance(ome, Mapping) else attributes).get("multiscales")):
            if isinstance(one, Mapping) and (level := _level(one, segments[-depth:])) is not None:
                return _of_level(one, level, count)
    return _Said()


def _level(multiscale: Mapping[str, Any], segments: list[str]) -> Mapping[str, Any] | None:
    for one in _list(multiscale.get("datasets")):
        if isinstance(one, Mapping) and one.get("path") == "/".join(segments):
            return one
    return None


def _of_level(multiscale: Mapping[str, Any], level: Mapping[str, Any], count: int) -> _Said:
    written = _list(multiscale.get("axes"))
    if len(written) != count:
        return _Said()
    typed = [one if isinstance(one, Mapping) else {"name": one} for one in written]
    scales, offsets = _placed(multiscale, level, count)
    if any(one.get("type") == "translation" for one in _transformations(level)):
        # Places are of the middles of voxels: larger ones begin earlier than those of the first level, the finest.
        first, _ = _placed(multiscale, next(one for one in multiscale["datasets"] if isinstance(one, Mapping)), count)
        offsets = [offset - (scale - one) / 2 for offset, scale, one in zip(offsets, scales, first, strict=True)]
    channels = frozenset(at for at, one in enumerate(typed) if one.get("type") == "channel")
    is_scaled = any(_transformations(one) for one in (level, multiscale))
    in_space = [at not in channels and is_scaled for at in range(count)]
    return _Said(
        tuple(one.get("name") for one in typed),
        tuple(one if is_in else None for one, is_in in zip(scales, in_space, strict=True)),
        tuple(_unit(one.get("unit")) for one in typed),
        tuple(one if is_in else None for one, is_in in zip(offsets, in_space, strict=True)),
        channels,
    )


def _placed(multiscale: Mapping[str, Any], level: Mapping[str, Any], count: int) -> tuple[list[float], list[float]]:
    """Scales and offsets of a level, as written."""
    return _transformed(multiscale, *_transformed(level, [1.0] * count, [0.0] * count))


def _transformed(said: Mapping[str, Any], scales: list[float], offsets: list[float]) -> tuple[list[float], list[float]]:
    """Scales and offsets after the transformations that a level, or a multiscale, has."""
    for one in _transformations(said):
        kind = one.get("type")
        if kind == "scale" and len(found := _scales(one.get("scale"))) == len(scales):
            scales = [old * new for old, new in zip(scales, found, strict=True)]
            offsets = [old * new for old, new in zip(offsets, found, strict=True)]
        if kind == "translation" and len(found := _numbers(one.get("translation"))) == len(scales):
            offsets = [old + new for old, new in zip(offsets, found, strict=True)]
    return scales, offsets


def _transformations(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in _list(said.get("coordinateTransformations")) if isinstance(one, Mapping)]


def _list(written: object) -> list[Any]:
    return written if isinstance(written, list) else []


def _numbers(written: object) -> list[float]:
    """Numbers, all of them finite; else none."""
    written = list(written) if isinstance(written, list | tuple) else []
    if all(isinstance(one, int | float) and not isinstance(one, bool) for one in written):
        try:
            found = [float(one) for one in written]
        except OverflowError:
            return []
        return found if all(map(math.isfinite, found)) else []
    return []


def _scales(written: object) -> list[float]:
    found = _numbers(written)
    return found if all(one > 0 for one in found) else []


def _unit(written: object) -> str | None:
    is_unit = isinstance(written, str) and 0 < len(written) <= MAX_UNIT and written.isprintable()
    return written if is_unit else None  # type: ignore[return-value]  # it is text
