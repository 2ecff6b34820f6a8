"""Ink: the colors of a screen, or none."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Ink"]

_STYLES = {
    "error": "1;31",
    "warning": "1;33",
    "frame": "1;34",
    "label": "34",
    "info": "36",
    "help": "36",
    "strong": "1",
}


@frozen
class Ink:
    """Colors text where `color` is set; else text stays as it is."""

    color: bool = False

    def __call__(self, style: str, text: str) -> str:
        """Return `text` between the codes of a style: a severity's name, or what the text is for."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.color and text else text
