"""Fields: named, typed values, and what fits them."""

from __future__ import annotations

from zarrange.language.fields.days import DateField, DatetimeField
from zarrange.language.fields.field import MAX_STATES, Field, FieldSpec, Misfit
from zarrange.language.fields.names import PathField, StrField
from zarrange.language.fields.scalars import BoolField, FloatField, IntField

__all__ = [
    "FIELD_TYPES",
    "MAX_STATES",
    "BoolField",
    "DateField",
    "DatetimeField",
    "Field",
    "FieldSpec",
    "FloatField",
    "IntField",
    "Misfit",
    "PathField",
    "StrField",
]

FIELD_TYPES: dict[str, type[Field]] = {
    cls.type: cls for cls in (StrField, IntField, PathField, DateField, DatetimeField, BoolField, FloatField)
}
