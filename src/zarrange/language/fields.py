"""Fields: named, typed values, and what fits them.

A field accepts a value or refuses it with a reason; it never cleans one. Each type has a text form that reads back:
`encode` and `decode` are the two directions, `include` and `exclude` the regular expressions that its texts match.
Filters may replace the text form (`zarrange.language.filters`); what a value must be stays the field's own matter.
"""

from __future__ import annotations

import datetime
import math
import operator
import re
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, Literal

from attrs import frozen

from zarrange.diagnostics import shown
from zarrange.identifiers import Value
from zarrange.language.charsets import CHARSETS, is_plain, is_plain_path, is_portable
from zarrange.language.patterns import Language

__all__ = ["FIELD_TYPES", "Field", "FieldSpec", "Misfit"]

MAX_INT_DIGITS = 40


class Misfit(ValueError):  # noqa: N818 - not an error yet: a field's word that a value does not fit
    """A value does not fit a field. The text goes on from "field `x` …"."""


@frozen
class FieldSpec:
    """What a layout file says of one field."""

    type: str
    doc: str | None = None
    choices: tuple[str | int | float | bool, ...] | None = None
    pattern: str | None = None
    exclude: tuple[str, ...] = ()
    min: int | float | str | None = None
    max: int | float | str | None = None
    max_length: int | None = None
    charset: Literal["portable", "unicode", "text"] | None = None


class Field:
    """One field of a layout: accepts values, writes them as text and reads them back."""

    type: ClassVar[str]
    settings: ClassVar[frozenset[str]] = frozenset()
    """The keys of a `FieldSpec` that mean something for this type, beside `type`, `doc` and `choices`."""
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    is_verbatim: Callable[[str], object] | None = None
    """Answers, for a `str`, whether it fits and is its own text form; `None` where the text form differs."""
    is_common: Callable[[str], object] | None = None
    """A quicker yes to the same; what it says no to may still fit. `None` where there is none."""

    def __init__(self, name: str, spec: FieldSpec) -> None:
        self.name = name
        self.spec = spec
        self.doc = spec.doc
        self.choices: tuple[Value, ...] | None = None

    @property
    def fits(self) -> str:
        """What the field takes, as the end of a sentence."""
        if self.choices is not None:
            return f"one of {', '.join(repr(choice) for choice in self.choices)}"
        return self._fits()

    def accept(self, value: object) -> Value:
        """Return `value` as the plain Python value that a key holds. Raises `Misfit`."""
        accepted = self._accept(value)
        if self.choices is not None and accepted not in self.choices:
            raise self.misfit(value)
        return accepted

    def encode(self, value: Any) -> str:
        """Return the text form of an accepted value."""
        return str(value)

    def decode(self, text: str) -> Value:
        """Return the value that `text` is the text form of. Raises `ValueError`."""
        raise NotImplementedError

    def revive(self, value: Any) -> Any:
        """Return what a filter's `decode` gave as a value of this type."""
        return value

    def from_text(self, text: str) -> Value:
        """Return the value that a person wrote as `text`, on a command line or in YAML. Raises `Misfit`."""
        try:
            value = self.decode(text)
        except (ValueError, OverflowError):
            value = None
        if value is None or self.encode(value) != text:
            raise self.misfit(text, "it is not how such a value is written")
        return self.accept(value)

    def from_yaml(self, value: object) -> Value:
        """Return the value that a scalar of a layout file means. Raises `Misfit`."""
        return self.accept(value)

    def misfit(self, value: object, why: str | None = None) -> Misfit:
        """Return the refusal of `value`: what was given, why not, and what would fit."""
        return Misfit(f"does not take {shown(value)}{f': {why}' if why else ''}; it takes {self.fits}")

    def _fits(self) -> str:
        raise NotImplementedError

    def _accept(self, value: object) -> Value:
        raise NotImplementedError


class StrField(Field):
    """One path segment, or a part of one."""

    type = "str"
    settings = frozenset({"charset", "pattern", "exclude", "max_length"})
    _plain = staticmethod(is_plain)

    def __init__(self, name: str, spec: FieldSpec) -> None:
        super().__init__(name, spec)
        self.charset = CHARSETS[spec.charset or "portable"]
        self.max_length = spec.max_length
        self.include = (self.charset.include, *([] if spec.pattern is None else [spec.pattern]))
        self.exclude = (*self.charset.exclude, *spec.exclude)
        self._own = Language(self.include[1:], spec.exclude) if spec.pattern is not None or spec.exclude else None
        self.is_verbatim = self._make_is_verbatim()
        if self._own is None and self.max_length is None and self.charset.name == "unicode":
            self.is_common = self._plain

    def _make_is_verbatim(self) -> Callable[[str], object] | None:
        if self.charset.name == "text":
            return None
        own, fault, most = self._own, self.charset.fault, self.max_length
        if own is None and most is None and self.charset.name == "portable":
            return is_portable

        def is_verbatim(text: str) -> bool:
            return fault(text) is None and (most is None or len(text) <= most) and (own is None or own.fullmatch(text))

        return is_verbatim

    def decode(self, text: str) -> Value:
        return text

    def _fits(self) -> str:
        parts = [self.charset.fits]
        if self.spec.pattern is not None:
            parts.append(f"matching {self.spec.pattern!r}")
        if self.spec.exclude:
            parts.append(f"not matching {' or '.join(repr(one) for one in self.spec.exclude)}")
        if self.max_length is not None:
            parts.append(f"of at most {self.max_length} characters")
        return ", ".join(parts)

    def _accept(self, value: object) -> Value:
        if not isinstance(value, str):
            raise self.misfit(value, f"it is of type {_type_name(value)}, not str")
        text = str.__str__(value)
        fault = self.charset_fault(text)
        if fault is None and self.max_length is not None and len(text) > self.max_length:
            fault = f"it has {len(text)} characters"
        if fault is None and self._own is not None and not self._own.fullmatch(text):
            fault = "the pattern or the exclusion is against it"
        if fault is not None:
            raise self.misfit(value, fault)
        return text

    def charset_fault(self, text: str) -> str | None:
        """Return what the charset has against `text`, or `None`."""
        return self.charset.fault(text)


class PathField(StrField):
    """Several path segments."""

    type = "path"
    _plain = staticmethod(is_plain_path)

    def __init__(self, name: str, spec: FieldSpec) -> None:
        super().__init__(name, spec)
        segment = rf"(?:{self.charset.include})"
        self.include = (rf"{segment}(?:/{segment})*", *self.include[1:])
        self.exclude = (*(rf"(?:.*/)?(?:{one})(?:/.*)?" for one in self.charset.exclude), *spec.exclude)

    def _make_is_verbatim(self) -> Callable[[str], object]:
        return self._is_fit

    def _is_fit(self, text: str) -> bool:
        try:
            self.accept(text)
        except Misfit:
            return False
        return True

    def charset_fault(self, text: str) -> str | None:
        for segment in text.split("/"):
            if fault := self.charset.fault(segment):
                return f"of its segment {segment!r}, {fault}" if "/" in text else fault
        return None

    def _fits(self) -> str:
        return super()._fits().replace("one path segment", "path segments joined by /, each", 1)


class IntField(Field):
    """A whole number, written in decimal without leading zeros."""

    type = "int"
    settings = frozenset({"min", "max"})

    def __init__(self, name: str, spec: FieldSpec) -> None:
        super().__init__(name, spec)
        self.min: Any = spec.min
        self.max: Any = spec.max
        is_signed = spec.min is None or int(spec.min) < 0
        self.include = ("0|-?[1-9][0-9]*" if is_signed else "0|[1-9][0-9]*",)

    def decode(self, text: str) -> Value:
        if not re.fullmatch(self.include[0], text) or len(text) > MAX_INT_DIGITS:
            raise ValueError(f"{text!r} is not a whole number in its shortest form")
        return int(text)

    def _fits(self) -> str:
        return "a whole number" + _bounds(self.min, self.max)

    def _accept(self, value: object) -> Value:
        try:
            number = operator.index(value)  # type: ignore[arg-type]  # whether it has one is the question
        except (TypeError, ValueError):
            number = None
        if number is None or isinstance(value, bool):
            raise self.misfit(value, f"it is of type {_type_name(value)}")
        if not _within(number, self.min, self.max) or abs(number) >= 10**MAX_INT_DIGITS:
            raise self.misfit(number)
        return number


class FloatField(Field):
    """A finite number, written as Python writes a `float`."""

    type = "float"
    settings = frozenset({"min", "max"})
    include = (r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?",)

    def __init__(self, name: str, spec: FieldSpec) -> None:
        super().__init__(name, spec)
        self.min: Any = spec.min
        self.max: Any = spec.max

    def decode(self, text: str) -> Value:
        if not re.fullmatch(self.include[0], text):
            raise ValueError(f"{text!r} is not a number")
        return float(text)

    def _fits(self) -> str:
        return "a finite number" + _bounds(self.min, self.max)

    def _accept(self, value: object) -> Value:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise self.misfit(value, f"it is of type {_type_name(value)}")
        try:
            number = float(value)
        except OverflowError:
            raise self.misfit(value, "it is too large") from None
        # 0.0 and -0.0 are equal, but would have two texts.
        if not math.isfinite(number) or number != value or (number == 0 and math.copysign(1, number) < 0):
            raise self.misfit(value, "it is not finite, not exact as a float, or the negative zero")
        if not _within(number, self.min, self.max):
            raise self.misfit(value)
        return number


class BoolField(Field):
    """`True` or `False`."""

    type = "bool"
    include = ("True|False",)

    def decode(self, text: str) -> Value:
        if text not in {"True", "False"}:
            raise ValueError(f"{text!r} is neither True nor False")
        return text == "True"

    def from_text(self, text: str) -> Value:
        return super().from_text(text.capitalize() if text in {"true", "false"} else text)

    def _fits(self) -> str:
        return "True or False"

    def _accept(self, value: object) -> Value:
        if type(value) is not bool:
            raise self.misfit(value, f"it is of type {_type_name(value)}")
        return value


class DateField(Field):
    """A calendar day, written as `2026-01-31`."""

    type = "date"
    settings = frozenset({"min", "max"})
    include = ("[0-9]{4}-[0-9]{2}-[0-9]{2}",)
    _class: ClassVar[Any] = datetime.date

    def __init__(self, name: str, spec: FieldSpec) -> None:
        super().__init__(name, spec)
        self.min = None if spec.min is None else self._limit(spec.min)
        self.max = None if spec.max is None else self._limit(spec.max)

    def _limit(self, written: object) -> Any:
        return self.decode(written) if isinstance(written, str) else written

    def encode(self, value: Any) -> str:
        return str(value.isoformat())

    def decode(self, text: str) -> Value:
        value: Value = self._class.fromisoformat(text)
        return value

    def revive(self, value: Any) -> Any:
        return value.date() if isinstance(value, datetime.datetime) else value

    def from_yaml(self, value: object) -> Value:
        return self.from_text(value) if isinstance(value, str) else self.accept(value)

    def _fits(self) -> str:
        return "a datetime.date" + _bounds(self.min, self.max)

    def _accept(self, value: object) -> Value:
        if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
            raise self.misfit(value, f"it is of type {_type_name(value)}")
        day = datetime.date(value.year, value.month, value.day)
        if not _within(day, self.min, self.max):
            raise self.misfit(value)
        return day


class DatetimeField(DateField):
    """A day with a time and no time zone. Its ISO form has colons, so a template must use the `date` filter."""

    type = "datetime"
    include = ("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+",)
    _class = datetime.datetime

    def revive(self, value: Any) -> Any:
        return value

    def _fits(self) -> str:
        return "a datetime.datetime without a time zone" + _bounds(self.min, self.max)

    def _accept(self, value: object) -> Value:
        if not isinstance(value, datetime.datetime):
            raise self.misfit(value, f"it is of type {_type_name(value)}")
        if value.tzinfo is not None:
            raise self.misfit(value, "it has a time zone; convert it to UTC and drop the zone")
        moment = datetime.datetime.combine(datetime.date(value.year, value.month, value.day), value.time())
        if moment != value:
            raise self.misfit(value, "it is more precise than a microsecond")
        if not _within(moment, self.min, self.max):
            raise self.misfit(value)
        return moment


FIELD_TYPES: dict[str, type[Field]] = {
    cls.type: cls for cls in (StrField, IntField, PathField, DateField, DatetimeField, BoolField, FloatField)
}


def _type_name(value: object) -> str:
    """The name of a value's type, with its module: numpy has a `bool` too."""
    kind = type(value)
    return kind.__name__ if kind.__module__ in {"builtins", "datetime"} else f"{kind.__module__}.{kind.__name__}"


def _within(value: Any, low: Any, high: Any) -> bool:
    return (low is None or low <= value) and (high is None or value <= high)


def _bounds(low: object, high: object) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""
