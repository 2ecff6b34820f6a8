"""Fields that are days, or times of a day."""

from __future__ import annotations

import datetime
from functools import cached_property
from typing import Any, ClassVar

from zarrange.identifiers import Value
from zarrange.language import dates
from zarrange.language.fields.field import Field, FieldSpec, bounds, type_name, within
from zarrange.language.texts import Texts

__all__ = ["DateField", "DatetimeField"]


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
        return "a datetime.date" + bounds(self.min, self.max)

    def _accept(self, value: object) -> Value:
        if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
            raise self.misfit(value, f"it is of type {type_name(value)}")
        day = datetime.date(value.year, value.month, value.day)
        if not within(day, self.min, self.max):
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
        return "a datetime.datetime without a time zone" + bounds(self.min, self.max)

    def _accept(self, value: object) -> Value:
        if not isinstance(value, datetime.datetime):
            raise self.misfit(value, f"it is of type {type_name(value)}")
        if value.tzinfo is not None:
            raise self.misfit(value, "it has a time zone; convert it to UTC and drop the zone")
        moment = datetime.datetime.combine(datetime.date(value.year, value.month, value.day), value.time())
        if moment != value:
            raise self.misfit(value, "it is more precise than a microsecond")
        if not within(moment, self.min, self.max):
            raise self.misfit(value)
        return moment
