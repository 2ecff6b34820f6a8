"""Ranges of whole numbers as regular expressions.

`decimal_range` matches the decimal texts of exactly the numbers from one bound to the other, padded with zeros as
Python's `f"{value:0{width}d}"` does it. Ranges are split in halves of their digits, so that an expression grows
with n log n of the number of digits, not with its square.
"""

from __future__ import annotations

__all__ = ["NOTHING", "decimal_range"]

NOTHING = r"[^\x00-\U0010ffff]"
"""The regular expression that no text matches."""


def decimal_range(low: int, high: int, width: int = 1) -> str:
    """Return a pattern of all texts `f"{value:0{width}d}"` with `low <= value <= high`."""
    parts = []
    if high >= 0 and low <= high:
        parts.append(_unsigned(max(low, 0), high, width))
    if low < 0 and low <= high:  # the sign counts in the width
        parts.append(f"-(?:{_unsigned(max(-high, 1), -low, max(width - 1, 1))})")
    return "|".join(parts) or NOTHING


def _unsigned(low: int, high: int, width: int) -> str:
    first, last = max(width, len(str(low))), max(width, len(str(high)))
    if first == last:
        return _between(low, high, first)
    parts = [_between(low, 10**first - 1, first)]
    if high == 10**last - 1:
        last += 1
    if first + 1 < last:
        parts.append(f"[1-9][0-9]{{{first},{last - 2}}}")
    if high < 10 ** (last - 1):
        return "|".join(parts)
    return "|".join([*parts, _between(10 ** (last - 1), high, last)])


def _between(low: int, high: int, digits: int) -> str:
    """All texts of so many digits from `low` to `high`."""
    if low == 0 and high == 10**digits - 1:
        return f"[0-9]{{{digits}}}" if digits > 1 else "[0-9]"
    if digits == 1:
        return str(low) if low == high else f"[{low}-{high}]"
    half = digits // 2
    most = 10**half - 1
    (first, low), (last, high) = divmod(low, most + 1), divmod(high, most + 1)
    if first == last:
        return f"{first:0{digits - half}d}{_between(low, high, half)}"
    parts = []
    if low > 0:
        parts.append(f"{first:0{digits - half}d}{_between(low, most, half)}")
        first += 1
    end = f"{last:0{digits - half}d}{_between(0, high, half)}"
    last -= high < most
    if first <= last:
        parts.append(f"{_between(first, last, digits - half)}{_between(0, most, half)}")
    if high < most:
        parts.append(end)
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
