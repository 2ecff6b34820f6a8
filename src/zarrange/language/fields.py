"""Fields: named, typed values, and what fits them.

A field accepts a value or refuses it with a reason; it never cleans one. Each type has a text form that reads back:
`encode` and `decode` are the two directions, `texts` the set of all texts, as regular expressions.
Filters may replace the text form (`zarrange.language.filters`); what a value must be stays the field's own matter.
"""

from __future__ import annotations

import datetime
import math
import operator
import re
from collections.abc import Callable
from functools import cached_property
from numbers import Real
from typing import Annotated, Any, ClassVar, Literal

from attrs import frozen

from zarrange.diagnostics import shown
from zarrange.identifiers import Value
from zarrange.language import dates
from zarrange.language.charsets import CHARSETS, MAX_SEGMENT_BYTES, is_plain, is_plain_path, is_portable
from zarrange.language.notes import Also
from zarrange.language.patterns import Language
from zarrange.language.ranges import decimal_range
from zarrange.language.texts import Texts, float_texts, is_ascii

__all__ = ["FIELD_TYPES", "Field", "FieldSpec", "Misfit"]

MAX_INT_DIGITS = 40
MAX_STATES = 50_000
"""What a pattern that was small enough can make of automata: they are made larger by charsets, limits and filters."""


class Misfit(ValueError):  # noqa: N818 - not an error yet: a field's word that a value does not fit
    """A value does not fit a field. The text goes on from "field `x` …"."""


@frozen
class FieldSpec:
    """What a layout file says of one field."""

    type: Annotated[str, "What sort of values the field takes."]
    doc: Annotated[str | None, "What the field means."] = None
    choices: Annotated[
        tuple[str | int | float | bool, ...] | None, "The only values that the field takes.", Also(minItems=1)
    ] = None
    pattern: Annotated[str | None, "A regular expression that the whole value must match."] = None
    exclude: Annotated[tuple[str, ...], "Regular expressions; the whole value must match none of them."] = ()
    min: Annotated[int | float | str | None, "The least value: a number, or a date in its ISO form."] = None
    max: Annotated[int | float | str | None, "The greatest value: a number, or a date in its ISO form."] = None
    max_length: Annotated[
        int | None, "The most characters that a value may have.", Also(minimum=1, maximum=MAX_SEGMENT_BYTES)
    ] = None
    charset: Annotated[
        Literal["portable", "unicode", "text"] | None, "Which characters a value may have; `portable` unless given."
    ] = None


class Field:
    """One field of a layout: accepts values, writes them as text and reads them back."""

    type: ClassVar[str]
    settings: ClassVar[frozenset[str]] = frozenset()
    """The keys of a `FieldSpec` that mean something for this type, beside `type`, `doc` and `choices`."""
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

    @property
    def texts(self) -> Texts:
        """The texts of all values, `choices` apart."""
        raise NotImplementedError

    @cached_property
    def language(self) -> Language:
        """The language of `texts`."""
        return Language(self.texts.include, self.texts.exclude, MAX_STATES)

    def accept(self, value: object) -> Value:
        """Return `value` as the plain Python value that a key holds. Raises `Misfit`."""
        accepted = self._accept(value)
        if self.choices is not None and accepted not in self._chosen:
            raise self.misfit(value)
        return accepted

    @cached_property
    def _chosen(self) -> frozenset[Value]:
        return frozenset(self.choices or ())

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
        self.is_portable = self.type == "str" and self.charset.name == "portable"
        self._patterns = () if spec.pattern is None else (spec.pattern,)
        self._own = Language(self._patterns, spec.exclude) if self._patterns or spec.exclude else None
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

    @cached_property
    def texts(self) -> Texts:
        include, exclude = self._charset_patterns()
        if self.max_length is not None:
            include = (*include, rf"[\s\S]{{1,{self.max_length}}}")
        is_regular = self.charset.is_regular or any(map(is_ascii, self._patterns))
        return Texts((*include, *self._patterns), (*exclude, *self.spec.exclude), is_regular, is_regular_in_ascii=True)

    def _charset_patterns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What a text must match, and what it must not, to be in the charset."""
        return (self.charset.include,), self.charset.exclude

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

    def _charset_patterns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        segment = rf"(?:{self.charset.include})"
        exclude = tuple(rf"(?:.*/)?(?:{one})(?:/.*)?" for one in self.charset.exclude)
        return (rf"{segment}(?:/{segment})*",), exclude

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

    @cached_property
    def texts(self) -> Texts:
        return self.padded(1)

    def padded(self, width: int) -> Texts:
        """Return the texts of all values where they are written with at least so many characters."""
        most: int = 10**MAX_INT_DIGITS - 1
        low, high = -most if self.min is None else self.min, most if self.max is None else self.max
        return Texts((decimal_range(low, high, width),))

    def decode(self, text: str) -> Value:
        if not _is_whole(text):
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

    def __init__(self, name: str, spec: FieldSpec) -> None:
        super().__init__(name, spec)
        self.min: Any = spec.min
        self.max: Any = spec.max

    @cached_property
    def texts(self) -> Texts:
        return float_texts(self.min, self.max)

    def decode(self, text: str) -> Value:
        if not _is_number(text):
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

    @property
    def texts(self) -> Texts:
        return Texts(("True|False",))

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
    _class: ClassVar[Any] = datetime.date

    def __init__(self, name: str, spec: FieldSpec) -> None:
        super().__init__(name, spec)
        self.min = None if spec.min is None else self._limit(spec.min)
        self.max = None if spec.max is None else self._limit(spec.max)

    @cached_property
    def texts(self) -> Texts:
        return self.formatted("%Y-%m-%d")

    def formatted(self, form: str) -> Texts:
        """Return the texts of all values in a format of the `date` filter."""
        days = dates.calendar(form, self.min, self.max, has_time=self._class is datetime.datetime)
        return Texts(days, is_regular=dates.is_consistent(form))

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
    _class = datetime.datetime

    @cached_property
    def texts(self) -> Texts:
        forms = [self.formatted(form).include for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f")]
        # Texts with and without microseconds differ in length: no pattern of the ones takes any of the others.
        return Texts(tuple(map("|".join, zip(*forms, strict=True))), (r".*\.000000",))

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

_is_whole = re.compile(rf"0|-?[1-9][0-9]{{0,{MAX_INT_DIGITS - 1}}}").fullmatch
_is_number = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?").fullmatch


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
