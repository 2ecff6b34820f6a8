"""Kind: one sort of artifact, with its template compiled."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from zarrange.diagnostics import Span, similar
from zarrange.errors import FieldError
from zarrange.identifiers import (
    ArrayIdentifier,
    ContainerIdentifier,
    FileIdentifier,
    GroupIdentifier,
    Identifier,
    Key,
    Value,
)
from zarrange.language.fields import Field, Misfit
from zarrange.language.renderer import compile_renderer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from zarrange.language.variants import Variant

__all__ = ["IDENTIFIERS", "Example", "Kind", "Sort"]

Sort = Literal["container", "group", "array", "file"]

IDENTIFIERS: dict[Sort, type[Identifier]] = {
    "container": ContainerIdentifier,
    "group": GroupIdentifier,
    "array": ArrayIdentifier,
    "file": FileIdentifier,
}


@frozen
class Example:
    """A statement of the layout file: these values have this path (inside the container, if the kind has one)."""

    values: dict[str, Any]
    path: str
    span: Span
    values_span: Span


@frozen(slots=False, eq=False)
class Kind:
    """One sort of artifact: `sort` says whether it is a container, a group or an array in one, or a file.

    `zarr_format` is what new containers are written in; `None` means 3, and that what exists keeps its own. `fields`
    are those that its path uses, its container's included; `optional` those that may be left out. `renamed_from` is the
    name that it had before.
    """

    name: str
    sort: Sort
    variants: tuple[Variant, ...] = field(repr=False)
    container: str | None = None
    zarr_format: Literal[2, 3] | None = None
    doc: str | None = field(default=None, repr=False)
    examples: tuple[Example, ...] = field(default=(), repr=False)
    renamed_from: str | None = field(default=None, repr=False)
    span: Span = field(repr=False, kw_only=True)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The fields that the kind's path uses, by name, in the order of the path."""
        return {name: one for variant in self.variants for name, one in variant.given.items()}

    @cached_property
    def optional(self) -> frozenset[str]:
        """The fields that may be left out."""
        return frozenset(name for name in self.fields if any(name not in one.given for one in self.variants))

    @cached_property
    def identifier(self) -> type[Identifier]:
        """The class of this kind's identifiers."""
        return IDENTIFIERS[self.sort]

    @cached_property
    def renderer(self) -> Callable[..., Any]:
        """The function that takes the values by name and returns the identifier, relative to a root."""
        return compile_renderer(self.name, self.identifier, self.fields, self.variants)

    def render(self, values: Mapping[str, object]) -> Identifier:
        """Return the identifier of `values`, relative to a root. Raises `FieldError`."""
        try:
            identifier: Identifier = self.renderer(**values)
        except TypeError:
            self.refuse_unknown(values)
            raise
        return identifier

    def key(self, values: Mapping[str, object]) -> Key:
        """Return the key of `values`, each in its plain form. Raises `FieldError`, as `render` does."""
        self.render(values)
        given = [(name, values[name]) for name in self.fields if values.get(name) is not None]
        return Key(self.name, {name: self.fields[name].accept(value) for name, value in given})

    def depth(self, values: Mapping[str, object]) -> int:
        """Return how many segments of the path are those of its container; 0 for a container itself and for a file."""
        if len(self._depths) == 1:
            return self._depths[0]
        identifier = self.render(values)
        return identifier.container.count("/") + 1 if isinstance(identifier, ArrayIdentifier | GroupIdentifier) else 0

    @cached_property
    def _depths(self) -> tuple[int, ...]:
        return tuple({variant.depth for variant in self.variants})

    def from_text(self, texts: Mapping[str, str]) -> dict[str, Value]:
        """Return the values that a person wrote as text. Raises `FieldError`."""
        self.refuse_unknown(texts)
        return {name: self._read(name, text, self.fields[name].from_text) for name, text in texts.items()}

    def from_yaml(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """Return the values that scalars of a layout file mean. Raises `FieldError`."""
        self.refuse_unknown(values)
        given = {name: value for name, value in values.items() if value is not None}
        return {name: self._read(name, value, self.fields[name].from_yaml) for name, value in given.items()}

    def refuse_unknown(self, values: Mapping[str, object]) -> None:
        """Raise `FieldError` for a name that is no field of this kind."""
        for name, value in values.items():
            if name not in self.fields:
                reason = f"does not belong to this kind; {similar(name, self.fields, 'field')}"
                raise FieldError(self.name, name, value, reason)

    def _read(self, name: str, written: Any, read: Callable[[Any], Value]) -> Value:
        try:
            return read(written)
        except Misfit as misfit:
            raise FieldError(self.name, name, written, str(misfit)) from None
