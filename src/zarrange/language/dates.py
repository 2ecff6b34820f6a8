"""Dates and times as text, in a format that reads back: a strict subset of `strftime`, free of locales.

`encode` and `decode` are the two directions of the `date` filter. A format needs the year with month and day, or with
the day of the year; parts of the time that it leaves out must be zero in the value.
"""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from typing import NamedTuple

from zarrange.diagnostics import shown

__all__ = ["decode", "encode", "pattern"]


class _Part(NamedTuple):
    name: str
    digits: int


_PARTS = {
    "Y": _Part("year", 4),
    "m": _Part("month", 2),
    "d": _Part("day", 2),
    "j": _Part("day_of_year", 3),
    "H": _Part("hour", 2),
    "M": _Part("minute", 2),
    "S": _Part("second", 2),
    "f": _Part("microsecond", 6),
}
_DAY = ({"year", "month", "day"}, {"year", "day_of_year"})
_TIME = ("hour", "minute", "second", "microsecond")


@lru_cache(256, typed=True)
def _pieces(form: str) -> tuple[str | _Part, ...]:
    """Split a format into texts and parts. Raises `ValueError` for one that does not read back."""
    if type(form) is not str or not form:
        raise ValueError(f"`date` takes a format such as '%Y-%m-%d', not {shown(form)}")
    if stranger := next((one for one in form if one in "/\\" or not one.isprintable()), None):
        raise ValueError(f"the format {shown(form)} has {stranger!r}, which cannot stand in a path segment")
    pieces: list[str | _Part] = []
    for directive, text in re.findall(r"%(.?)|([^%]+)", form, re.DOTALL):
        if text or directive == "%":
            pieces.append(text or "%")
        elif directive in _PARTS:
            pieces.append(_PARTS[directive])
        else:
            known = " ".join(f"%{one}" for one in _PARTS)
            raise ValueError(f"`%{directive}` does not read back everywhere; a format is made of {known} and text")
    names = [piece.name for piece in pieces if isinstance(piece, _Part)]
    if len(names) > len(set(names)):
        raise ValueError(f"the format {form!r} has a part twice")
    if not any(day <= set(names) for day in _DAY):
        raise ValueError(f"the format {form!r} does not tell the day: it needs %Y with %m and %d, or with %j")
    return tuple(pieces)


def pattern(form: str) -> str:
    """Return a regular expression that every text of this format matches."""
    parts = (re.escape(one) if isinstance(one, str) else f"[0-9]{{{one.digits}}}" for one in _pieces(form))
    return "".join(parts)


def encode(value: datetime.date, form: str) -> str:
    """Return `value` in the format `form`."""
    return "".join(one if isinstance(one, str) else f"{_part(value, one.name):0{one.digits}d}" for one in _pieces(form))


def _part(value: datetime.date, name: str) -> int:
    if name == "day_of_year":
        return value.timetuple().tm_yday
    return int(getattr(value, name, 0))


def decode(text: str, form: str) -> datetime.datetime:
    """Return the time that `text` is; what the format leaves out is zero. Raises `ValueError`."""
    match = _reader(form).fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not in the format {form!r}")
    parts = {name: int(digits) for name, digits in match.groupdict().items()}
    if "day_of_year" in parts:
        new_year = datetime.date(parts["year"], 1, 1)
        day = new_year.fromordinal(min(new_year.toordinal() + parts["day_of_year"] - 1, datetime.date.max.toordinal()))
    else:
        day = datetime.date(parts["year"], parts["month"], parts["day"])
    hour, minute, second, microsecond = (parts.get(name, 0) for name in _TIME)
    return datetime.datetime(day.year, day.month, day.day, hour, minute, second, microsecond)


@lru_cache(256)
def _reader(form: str) -> re.Pattern[str]:
    parts = (
        re.escape(one) if isinstance(one, str) else f"(?P<{one.name}>[0-9]{{{one.digits}}})" for one in _pieces(form)
    )
    return re.compile("".join(parts))
