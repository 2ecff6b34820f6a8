"""Pictures of slices: gray for amounts, one color a label for labels, nothing where there is no number.

A gray picture goes from black at the lower end of its range to white at the upper one; what is beyond has the color of
the end. Where all values are the same, they are black.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from zarrange.view.colors import label_colors

if TYPE_CHECKING:
    from typing import TypeAlias

    from zarrange.view.slices import Slice

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    Range: TypeAlias = tuple[float, float]

__all__ = ["as_png", "enlarged", "image", "picture", "value_range"]

COMPRESSION = 1
"""zlib's quickest: pictures are looked at once, mostly."""
FEW_BYTES = 2
"""Integers of so many bytes have so few values that all of them are colored once."""
WIDE, NARROW = 1e30, 1e-30
"""Between these, a range is divided in 32 bits without loss."""


def value_range(values: Array) -> Range | None:
    """Return the least and the greatest finite value; `None` where there is none."""
    if not values.size:
        return None
    with np.errstate(invalid="ignore"):
        low, high = float(values.min()), float(values.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def picture(
    one: Slice,
    *,
    labels: bool | None = None,
    range: Range | None = None,  # noqa: A002 - what it is
    size: int | None = None,
) -> bytes:
    """Return a slice as PNG: gray (with alpha where something is no number), or RGBA for labels.

    `labels` is what the data type suggests unless it is given; `range` the least and the greatest finite value; `size`
    is how many pixels a side has at most. Raises `ValueError` for a range or a size that none can be.
    """
    return as_png(image(one, labels=labels, range=range, size=size))


def image(
    one: Slice,
    *,
    labels: bool | None = None,
    range: Range | None = None,  # noqa: A002 - what it is
    size: int | None = None,
) -> Image.Image:
    """Return a slice as an image of Pillow. Takes and raises what `picture` does."""
    if size is not None and size < 1:
        raise ValueError(f"a picture has at least one pixel a side, not {size}")
    if one.is_labels if labels is None else labels:
        return Image.fromarray(label_colors(_thinned(one.values, size)))
    return _reduced(_gray(one.values, range), size)


def as_png(drawn: Image.Image) -> bytes:
    """Return an image as the bytes of a PNG file."""
    stream = io.BytesIO()
    drawn.save(stream, "PNG", compress_level=COMPRESSION)
    return stream.getvalue()


# --- size ------------------------------------------------------------------------------------------------------------


def _thinned(values: Array, size: int | None) -> Array:
    """Values at even distances: labels have no means."""
    height, width = values.shape
    if size is None or max(height, width) <= size:
        return values
    rows, columns = (_places(one, size, max(height, width)) for one in (height, width))
    thinned: Array = values[np.ix_(rows, columns)]
    return thinned


def _places(length: int, size: int, longest: int) -> Array:
    count = max(1, round(length * size / longest))
    places: Array = ((np.arange(count) + 0.5) * (length / count)).astype(np.intp)
    return places


def _reduced(drawn: Image.Image, size: int | None) -> Image.Image:
    longest = max(drawn.size)
    if size is None or longest <= size:
        return drawn
    width, height = (max(1, round(one * size / longest)) for one in drawn.size)
    return drawn.resize((width, height), Image.Resampling.BOX)


def enlarged(drawn: Image.Image, size: int) -> Image.Image:
    """Return a small picture by a whole factor larger, not beyond a size: its pixels stay as they are."""
    factor = max(1, size // max(drawn.size))
    width, height = drawn.size
    return drawn.resize((width * factor, height * factor), Image.Resampling.NEAREST) if factor > 1 else drawn


# --- gray ------------------------------------------------------------------------------------------------------------


def _gray(values: Array, asked: Range | None) -> Image.Image:
    low, high = _range(values, asked)
    if values.dtype.kind in "biu":
        return Image.fromarray(_gray_integers(values, low, high))
    missing = np.isnan(values)
    shades = _shades(values, low, high)
    if not missing.any():
        return Image.fromarray(shades)
    shades[missing] = 0
    return Image.fromarray(np.dstack([shades, np.where(missing, 0, 255).astype(np.uint8)]))


def _range(values: Array, asked: Range | None) -> Range:
    if asked is None:
        return value_range(values) or (0.0, 1.0)
    low, high = map(float, asked)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"a range goes from one number to another, not from {low} to {high}")
    return low, high


def _gray_integers(values: Array, low: float, high: float) -> Array:
    if values.dtype.itemsize > FEW_BYTES:
        return _shades(values, low, high)
    values = values.view(np.uint8) if values.dtype.kind == "b" else values
    info = np.iinfo(values.dtype)
    table = _shades(np.arange(info.min, info.max + 1), low, high)
    places = values.view(f"u{values.dtype.itemsize}")  # -1 is the last place, as it is from the end of a table
    shades: Array = np.roll(table, info.min)[places]
    return shades


def _shades(values: Array, low: float, high: float) -> Array:
    """From 0 at the lower end of a range to 255 at the upper one, which may be the lesser number."""
    span = high - low
    is_plain = values.dtype.kind == "f" and values.dtype.itemsize <= 4 and NARROW < abs(span) < WIDE  # noqa: PLR2004
    wanted = np.float32 if is_plain else np.float64
    with np.errstate(all="ignore"):
        found: Any = values.astype(wanted)
        if math.isinf(span):
            found /= 2
            low, span = low / 2, high / 2 - low / 2
        found -= wanted(low)
        found /= wanted(span or NARROW)  # what is beyond a range of one number is white
        found *= 255
        np.clip(found, 0, 255, out=found)
        found += 0.5
        shades: Array = found.astype(np.uint8)
    return shades
