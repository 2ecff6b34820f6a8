"""Dates and times as text, in a format that reads back: a strict subset of `strftime`, free of locales.

`encode` and `decode` are the two directions of the `date` filter. A format needs the year with month and day, or with
the day of the year; parts of the time that it leaves out must be zero in the value. `calendar` is the language of
all texts: the days that there are, with what bounds leave of them.
"""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from zarrange.diagnostics import shown
from zarrange.language.ranges import NOTHING, decimal_range

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["calendar", "decode", "encode", "is_consistent", "pattern"]


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
        elif not directive:
            raise ValueError(f"the format {form!r} ends with `%`")
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


# --- the language of a format ----------------------------------------------------------------------------------------

_BY_FOUR = "(?:0[48]|[2468][048]|[13579][26])"
_LEAP = f"(?:[0-9]{{2}}{_BY_FOUR}|{_BY_FOUR}00)"
_YEAR = f"(?:{decimal_range(1, 9999, 4)})"
_DAYS: tuple[dict[str, str], ...] = (
    {"year": _YEAR, "month": "(?:0[13578]|1[02])", "day": decimal_range(1, 31, 2)},
    {"year": _YEAR, "month": "(?:0[469]|11)", "day": decimal_range(1, 30, 2)},
    {"year": _YEAR, "month": "02", "day": decimal_range(1, 28, 2)},
    {"year": _LEAP, "month": "02", "day": "29"},
)
_DAYS_OF_YEAR: tuple[dict[str, str], ...] = (
    {"year": _YEAR, "day_of_year": decimal_range(1, 365, 3)},
    {"year": _LEAP, "day_of_year": "366"},
)
_CLOCK = {
    "hour": decimal_range(0, 23, 2),
    "minute": decimal_range(0, 59, 2),
    "second": decimal_range(0, 59, 2),
    "microsecond": "[0-9]{6}",
}
_MIDNIGHT = {part.name: "0" * part.digits for part in _PARTS.values() if part.name in _TIME}


def is_consistent(form: str) -> bool:
    """Whether a format tells the day once: where it tells it twice, `calendar` has days that contradict themselves."""
    names = _names(form)
    return "day_of_year" not in names or not {"month", "day"} & names


def calendar(form: str, low: datetime.date | None, high: datetime.date | None, *, has_time: bool) -> tuple[str, ...]:
    """Return patterns that all match exactly the texts of this format, from `low` to `high`.

    Without `has_time`, the format is for days, and writes midnight. Each pattern is an alternation of forms in which
    the parts are independent of each other, so it does not matter in which order the format has them.
    """
    days = _DAYS_OF_YEAR if "day_of_year" in _names(form) else _DAYS
    clock = _CLOCK if has_time else _MIDNIGHT
    found = [_pattern(form, [{**day, **clock} for day in days])]
    if low is not None:
        found.append(_pattern(form, _from(low, form)))
    if high is not None:
        found.append(_pattern(form, _until(high, form)))
    return tuple(found)


def _names(form: str) -> set[str]:
    return {piece.name for piece in _pieces(form) if isinstance(piece, _Part)}


def _pattern(form: str, alternatives: list[dict[str, str]]) -> str:
    """The texts in which all parts are as one of the alternatives has them; what it does not name may be anything."""

    def one(parts: dict[str, str]) -> str:
        pieces = _pieces(form)
        return "".join(
            re.escape(piece) if isinstance(piece, str) else f"(?:{parts.get(piece.name, _any(piece))})"
            for piece in pieces
        )

    return "|".join(map(one, alternatives)) or NOTHING


def _any(part: _Part) -> str:
    return f"[0-9]{{{part.digits}}}"


def _limits(value: datetime.date, form: str) -> Iterator[tuple[_Part, int]]:
    """The parts of a bound, the one that counts most first."""
    for letter in "YjHMSf" if "day_of_year" in _names(form) else "YmdHMSf":
        yield _PARTS[letter], _part(value, _PARTS[letter].name)


def _from(low: datetime.date, form: str) -> list[dict[str, str]]:
    """What is not before `low`: some part is greater, and those that count more are equal."""
    names, found = _names(form), []
    equal: dict[str, str] = {}
    for part, limit in _limits(low, form):
        if part.name in names:
            found.append({**equal, part.name: decimal_range(limit + 1, 10**part.digits - 1, part.digits)})
            equal[part.name] = f"{limit:0{part.digits}d}"
        elif limit > 0:  # the format leaves the part out, so it is zero
            return found
    return [*found, equal]


def _until(high: datetime.date, form: str) -> list[dict[str, str]]:
    """What is not after `high`: some part is less, and those that count more are equal."""
    names, found = _names(form), []
    equal: dict[str, str] = {}
    for part, limit in _limits(high, form):
        if part.name in names:
            found.append({**equal, part.name: decimal_range(0, limit - 1, part.digits)})
            equal[part.name] = f"{limit:0{part.digits}d}"
        elif limit > 0:
            break
    return [*found, equal]
