"""Amounts: how many, and how much, in words for people."""

from __future__ import annotations

__all__ = ["counted", "in_bytes"]

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
UNIT_STEP = 1024


def counted(count: int, what: str, *, is_more: bool = False) -> str:
    """Return a count with its noun."""
    return f"{'more than ' * is_more}{count:,} {what}{'s' * (count != 1 and not what.endswith('s'))}"


def in_bytes(number: int) -> str:
    """Return a number of bytes for people: `1.2 GiB`."""
    rest: float = number
    for unit in UNITS:
        if round(rest, 1) < UNIT_STEP or unit == UNITS[-1]:
            break
        rest /= UNIT_STEP
    return f"{number} B" if rest == number else f"{rest:,.1f} {unit}"
