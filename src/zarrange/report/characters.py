"""Characters: what a terminal may be sent, and how many columns it needs for it."""

from __future__ import annotations

import unicodedata

__all__ = ["plain", "printable", "width"]


def printable(text: str) -> str:
    """Return `text` with every character that is not printable as its escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def plain(text: str) -> str:
    """Return a piece of a source line as it is drawn: tabs as spaces, the rest printable."""
    return printable(text.replace("\t", "    "))


def width(text: str) -> int:
    """Return the columns that a terminal needs: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )
