"""Field: a named, typed value of a layout, and what a layout file says of one.

A field accepts a value or refuses it with a reason; it never cleans one. `encode` and `decode` are the two directions
of its text form, `texts` the texts that values have. Filters may replace the text form (`zarrange.language.filters`);
what a value must be stays the field's own matter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from attrs import frozen

from zarrange.diagnostics import shown
from zarrange.identifiers import Value
from zarrange.language.charsets import MAX_SEGMENT_BYTES
from zarrange.language.notes import Also, Name
from zarrange.language.patterns import Language
from zarrange.language.texts import Texts

__all__ = ["MAX_STATES", "Field", "FieldSpec", "Misfit", "bounds", "type_name", "within"]

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
    renamed_from: Annotated[Name | None, "Name that it had before: how an older layout calls it."] = None


class Field:
    """One field of a layout: accepts values, writes them as text and reads them back."""

    type: ClassVar[str]
    settings: ClassVar[frozenset[str]] = frozenset()
    """The keys of a `FieldSpec` that mean something for this type, beside those that any has."""
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


def type_name(value: object) -> str:
    """The name of a value's type, with its module: numpy has a `bool` too."""
    kind = type(value)
    return kind.__name__ if kind.__module__ in {"builtins", "datetime"} else f"{kind.__module__}.{kind.__name__}"


def within(value: Any, low: Any, high: Any) -> bool:
    """Return whether a value is between limits, which may be missing."""
    return (low is None or low <= value) and (high is None or value <= high)


def bounds(low: object, high: object) -> str:
    """Return limits, which may be missing, as the end of a sentence."""
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""
