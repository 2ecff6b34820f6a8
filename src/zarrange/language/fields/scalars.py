"""Fields that are numbers or truth values."""

from __future__ import annotations

import math
import operator
import re
from functools import cached_property
from numbers import Real
from typing import Any

from zarrange.identifiers import Value
from zarrange.language.fields.field import Field, FieldSpec, bounds, type_name, within
from zarrange.language.ranges import decimal_range
from zarrange.language.texts import Texts, float_texts

__all__ = ["BoolField", "FloatField", "IntField"]

MAX_INT_DIGITS = 40
_is_whole = re.compile(rf"0|-?[1-9][0-9]{{0,{MAX_INT_DIGITS - 1}}}").fullmatch
_is_number = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?").fullmatch


class _NumberField(Field):
    """A number, perhaps with limits."""

    settings = frozenset({"min", "max"})

    def __init__(self, name: str, spec: FieldSpec) -> None:
        super().__init__(name, spec)
        self.min: Any = spec.min
        self.max: Any = spec.max


class IntField(_NumberField):
    """A whole number, written in decimal without leading zeros."""

    type = "int"

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
        return "a whole number" + bounds(self.min, self.max)

    def _accept(self, value: object) -> Value:
        try:
            number = operator.index(value)  # type: ignore[arg-type]  # whether it has one is the question
        except (TypeError, ValueError):
            number = None
        if number is None or isinstance(value, bool):
            raise self.misfit(value, f"it is of type {type_name(value)}")
        if not within(number, self.min, self.max) or abs(number) >= 10**MAX_INT_DIGITS:
            raise self.misfit(number)
        return number


class FloatField(_NumberField):
    """A finite number, written as Python writes a `float`."""

    type = "float"

    @cached_property
    def texts(self) -> Texts:
        return float_texts(self.min, self.max)

    def decode(self, text: str) -> Value:
        if not _is_number(text):
            raise ValueError(f"{text!r} is not a number")
        return float(text)

    def _fits(self) -> str:
        return "a finite number" + bounds(self.min, self.max)

    def _accept(self, value: object) -> Value:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise self.misfit(value, f"it is of type {type_name(value)}")
        try:
            number = float(value)
        except OverflowError:
            raise self.misfit(value, "it is too large") from None
        # 0.0 and -0.0 are equal, but would have two texts.
        if not math.isfinite(number) or number != value or (number == 0 and math.copysign(1, number) < 0):
            raise self.misfit(value, "it is not finite, not exact as a float, or the negative zero")
        if not within(number, self.min, self.max):
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
            raise self.misfit(value, f"it is of type {type_name(value)}")
        return value
