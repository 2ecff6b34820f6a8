"""Keys and identifiers: what an artifact is, and where it lives.

A `Key` names an artifact without any path; an identifier names a place. All are frozen, hashable, ordered and
picklable, and go to and from JSON by `zarrange.converter`. They hold plain text and numbers only: a container is
refused when it is a URL that carries credentials, so that none can be printed, pickled or serialised by accident.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from functools import total_ordering
from types import MappingProxyType
from typing import Any, TypeAlias

from attrs import Attribute, field, frozen

from zarrange.diagnostics import shown

__all__ = [
    "ArrayIdentifier",
    "ContainerIdentifier",
    "FileIdentifier",
    "GroupIdentifier",
    "Identifier",
    "Key",
    "Value",
    "refuse_credentials",
]

Value: TypeAlias = str | int | float | datetime.date | datetime.datetime
"""What a field can hold; `bool` is an `int`."""

_SECRET = re.compile(r"://[^/]*@|://[^/:]*:(?!\d*(?:/|\Z))[^@]*@|://[^?]*\?")
"""A user before the host, a key whose secret has a slash, a query: also of a URL inside a URL."""


def _frozen_values(values: Mapping[str, Value]) -> Mapping[str, Value]:
    return MappingProxyType(dict(values))


def _named(instance: object, attribute: Attribute[str], value: str) -> None:
    label = f"{attribute.name} of {type(instance).__name__}"
    if type(value) is not str:
        raise TypeError(f"{label}: expected text, got {type(value).__name__}")
    if not value:
        raise ValueError(f"{label} is empty")


def _valued(instance: object, attribute: Attribute[Any], values: Mapping[str, Value]) -> None:
    label = f"{attribute.name} of {type(instance).__name__}"
    for name, value in values.items():
        if type(name) is not str or not isinstance(value, str | int | float | datetime.date):
            raise TypeError(f"{label}: {shown(name)} is {shown(value)}; a value is text, a number or a date")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{label}: {name!r} is {value}, which has no equal and no JSON form")


@total_ordering
@frozen(order=False, eq=False)
class Key:
    """An artifact's kind with its values, independent of any path.

    `values` maps field names to values and cannot be changed; an optional field that was not given is absent.
    Keys order by kind, then by field, then by value.
    """

    kind: str = field(validator=_named)
    values: Mapping[str, Value] = field(factory=dict, converter=_frozen_values, validator=_valued)

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def __eq__(self, other: object) -> bool:
        if type(other) is not Key:
            return NotImplemented
        # 1, 1.0 and True are equal to Python, but they are different values of a field.
        return self.kind == other.kind and self._order() == other._order()

    def __lt__(self, other: Key) -> bool:
        if type(other) is not Key:
            return NotImplemented
        return self._order() < other._order()

    def __hash__(self) -> int:
        return hash((self.kind, frozenset(self.values.items())))

    def __reduce__(self) -> tuple[type[Key], tuple[str, dict[str, Value]]]:
        return Key, (self.kind, dict(self.values))

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(f'{name}={_written(value)}' for name, value in self.values.items())})"

    def _order(self) -> tuple[str, list[tuple[str, str, Any]]]:
        # The type's name stands before the value: 1 and "1" are never compared with each other.
        return self.kind, [(name, type(value).__name__, value) for name, value in sorted(self.values.items())]


def _written(value: Value) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat()
    if not isinstance(value, str):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def refuse_credentials(place: str, label: str) -> None:
    """Raise `ValueError` for a URL that may carry credentials: one with a user, a password or a query."""
    if _SECRET.search(place):
        # The URL itself is left out of the message, for the message may be logged.
        raise ValueError(f"{label}: a URL with a user, a password or a query may carry credentials; give it without")


def _place(instance: object, attribute: Attribute[str], value: str) -> None:
    label = f"{attribute.name} of {type(instance).__name__}"
    if type(value) is not str:
        raise TypeError(f"{label}: expected text, got {type(value).__name__}")
    refuse_credentials(value, label)
    if not value or "\0" in value:
        raise ValueError(f"{label}: {value!r} is empty or has a NUL character")


def _inside(instance: object, attribute: Attribute[str], value: str) -> None:
    _place(instance, attribute, value)
    if value.startswith("/") or not {"", ".", ".."}.isdisjoint(value.split("/")):
        label = f"{attribute.name} of {type(instance).__name__}"
        raise ValueError(f"{label}: {value!r} is not a plain path inside the container (no leading /, no . or ..)")


@frozen(order=True)
class ContainerIdentifier:
    """A `.zarr` folder: `container` is its path or URL."""

    container: str = field(validator=_place)

    @property
    def path(self) -> str:
        """The container's path."""
        return self.container

    def array_identifier(self, dataset: str) -> ArrayIdentifier:
        """Return the identifier of the array `dataset` inside this container."""
        return ArrayIdentifier(self.container, dataset)


@frozen(order=True)
class GroupIdentifier:
    """A zarr group: `dataset` is its path inside `container`, with `/` between the levels."""

    container: str = field(validator=_place)
    dataset: str = field(validator=_inside)

    @property
    def path(self) -> str:
        """The container's path and the path inside it, joined."""
        return f"{self.container}/{self.dataset}"


@frozen(order=True)
class ArrayIdentifier:
    """A zarr array: `dataset` is its path inside `container`, with `/` between the levels."""

    container: str = field(validator=_place)
    dataset: str = field(validator=_inside)

    @property
    def path(self) -> str:
        """The container's path and the path inside it, joined."""
        return f"{self.container}/{self.dataset}"


@frozen(order=True)
class FileIdentifier:
    """A single file that is not zarr, such as a checkpoint."""

    path: str = field(validator=_place)


Identifier: TypeAlias = ContainerIdentifier | GroupIdentifier | ArrayIdentifier | FileIdentifier
