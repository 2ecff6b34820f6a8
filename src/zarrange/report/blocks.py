"""Blocks: a picture as text for a terminal with colors, two pixels a character, one above the other."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from PIL import Image

    Pixel: TypeAlias = tuple[Any, ...]

__all__ = ["blocks"]


def blocks(drawn: Image.Image, *, is_true: bool) -> list[str]:
    """Return the lines that show a picture: two pixels a character, the upper one and the lower one."""
    clear = drawn.convert("RGBA")
    flat = [*struct.iter_unpack("4B", clear.tobytes())]
    pixels = [flat[at : at + drawn.width] for at in range(0, len(flat), drawn.width)]
    blank: list[Pixel] = [(0, 0, 0, 0)] * drawn.width
    pairs = zip(pixels[::2], [*pixels[1::2], blank], strict=False)
    return ["".join(_line(upper, lower, is_true=is_true)) for upper, lower in pairs]


def _line(upper: Sequence[Pixel], lower: Sequence[Pixel], *, is_true: bool) -> list[str]:
    parts: list[str] = []
    last = ""
    for above, below in zip(upper, lower, strict=True):
        ink, block = _block(above, below, is_true=is_true)
        parts.append(block if ink == last else f"\x1b[{ink}m{block}")
        last = ink
    return [*parts, "\x1b[0m"]


def _block(above: Pixel, below: Pixel, *, is_true: bool) -> tuple[str, str]:
    """Return how a character is colored, and which it is; what is transparent has the terminal's own background."""
    if above[3] and below[3]:
        return f"38;{_code(above, is_true=is_true)};48;{_code(below, is_true=is_true)}", "▀"
    if above[3]:
        return f"49;38;{_code(above, is_true=is_true)}", "▀"
    if below[3]:
        return f"49;38;{_code(below, is_true=is_true)}", "▄"
    return "0", " "


def _code(pixel: Pixel, *, is_true: bool) -> str:
    red, green, blue, _ = pixel
    if is_true:
        return f"2;{red};{green};{blue}"
    if red == green == blue:
        return f"5;{_gray(red)}"
    sixths = [round(one * 5 / 255) for one in (red, green, blue)]
    return f"5;{16 + 36 * sixths[0] + 6 * sixths[1] + sixths[2]}"


def _gray(shade: int) -> int:
    """Of 256 colors, 24 are grays from 8 to 238; black and white are among the others."""
    step = round((shade - 8) / 10)
    return 16 if step < 0 else 231 if step > 23 else 232 + step  # noqa: PLR2004
