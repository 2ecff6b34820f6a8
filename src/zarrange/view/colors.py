"""Colors of labels: the same label has the same color in every picture, whatever else is in it and whatever its type.

Hues go round by the golden ratio, so that labels that follow each other, which mostly lie beside each other, differ
well; shades change in another rhythm. Labels are taken modulo a prime: blocks of labels often begin at powers of two.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

__all__ = ["COUNT", "label_colors", "palette"]

COUNT = 4001
"""How many different places the palette has: a prime for which labels at the usual distances differ well."""
GOLDEN = 0.6180339887498949
FIRST_HUE = 0.46
"""From here, label 1 is orange, which is seen well over gray."""
SHADES = ((0.95, 0.72), (0.80, 1.00), (0.50, 0.98), (0.70, 0.84), (1.00, 0.92))
"""Saturation and brightness, in turns."""
LARGEST = 2.0**62


def label_colors(values: Array) -> Array:
    """Return a color for each label: the shape of `values` and a last axis of red, green, blue, alpha, as `uint8`.

    0 is transparent, as is what is not a number. Floats are taken for the nearest integer.
    """
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            values = np.clip(np.nan_to_num(np.rint(values.astype(np.float64))), -LARGEST, LARGEST).astype(np.int64)
    unsigned = values.astype(np.int64).view(np.uint64) if values.dtype.kind == "i" else values.astype(np.uint64)
    places = (unsigned % np.uint64(COUNT)).astype(np.intp)
    places += 1
    places[unsigned == 0] = 0
    return palette()[places]


@cache
def palette() -> Array:
    """Return the colors: the first is transparent, for label 0; that of label n is at 1 + n modulo `COUNT`."""
    at = np.arange(COUNT)
    saturation, brightness = np.array(SHADES)[at % len(SHADES)].T
    hue = (at * GOLDEN + FIRST_HUE) % 1
    colors = np.zeros((COUNT + 1, 4), np.uint8)
    for channel, shift in enumerate((5, 3, 1)):
        position = (shift + 6 * hue) % 6
        height = np.clip(np.minimum(position, 4 - position), 0, 1)
        colors[1:, channel] = np.rint(255 * brightness * (1 - saturation * height))
    colors[1:, 3] = 255
    colors.setflags(write=False)
    return colors
