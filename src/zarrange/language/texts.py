"""Sets of texts as data, before there is an automaton of them: patterns, and whether they describe the set exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, frozen

from zarrange.language.patterns import Language
from zarrange.language.ranges import decimal_range

if TYPE_CHECKING:
    from zarrange.language.patterns import Part

__all__ = ["Texts", "float_texts", "is_ascii"]


@frozen
class Texts:
    """A set of texts: those that match all of `include` and none of `exclude`.

    Where the set itself has no such form, these have other texts too: `is_regular` says that they have none,
    `is_regular_in_ascii` that they have none in ASCII.
    """

    include: tuple[str | Part, ...]
    exclude: tuple[str | Part, ...] = ()
    is_regular: bool = True
    is_regular_in_ascii: bool = Factory(lambda self: self.is_regular, takes_self=True)


# What `repr` writes: as few digits as tell a float from all others, at most 17; an exponent from 1e16 and below 1e-4.
_POSITIVE = (
    r"0\.0{0,3}[1-9](?:[0-9]{0,15}[1-9])?|[1-9][0-9]{0,15}\.(?:0|[0-9]{0,15}[1-9])"
    rf"|[1-9](?:\.[0-9]{{0,15}}[1-9])?e(?:\+(?:{decimal_range(16, 308)})|-(?:{decimal_range(5, 324, 2)}))"
)
_SEVENTEEN_DIGITS = r"-?(?:0[^e]*|[^0e-][^e]{0,17}|[^e]*e.*)"


def float_texts(low: float | None, high: float | None) -> Texts:
    """Return what has the texts of all floats from `low` to `high`, and of not many others."""
    numbers = []
    if high is None or high > 0:
        numbers.append(_POSITIVE)
    if low is None or low < 0:
        numbers.append(f"-(?:{_POSITIVE})")
    if (low is None or low <= 0) and (high is None or high >= 0):
        numbers.append(r"0\.0")
    return Texts(("|".join(numbers), _SEVENTEEN_DIGITS), is_regular=False)


def is_ascii(pattern: str) -> bool:
    """Return whether a pattern takes no character beyond ASCII."""
    return all(high < 0x80 for ranges in Language([pattern]).classes() for _, high in ranges)  # noqa: PLR2004
