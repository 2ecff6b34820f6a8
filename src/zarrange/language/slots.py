"""A slot: a field at one place of a template, with the filters that it is written through."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import frozen

from zarrange.diagnostics import shown
from zarrange.language.charsets import is_portable, segment_fault
from zarrange.language.fields import Field, IntField, Misfit, StrField
from zarrange.language.patterns import Language

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from zarrange.diagnostics import Span
    from zarrange.identifiers import Value
    from zarrange.language.filters import Filter

__all__ = ["Slot"]


@frozen(slots=False)
class Slot:
    """Values of `field` to text and back, through `filters` (each with its arguments).

    `text` and `value` are the two directions, and complete. The other members let `renderer` and `matcher` treat the
    common cases without a call.
    """

    field: Field
    filters: tuple[tuple[Filter, tuple[Any, ...]], ...]
    span: Span

    def text(self, value: object) -> str:
        """Return the text that stands in the path for `value`. Raises `Misfit`."""
        accepted = self.field.accept(value)
        if not self.filters:
            return self.field.encode(accepted)
        text: Any = accepted
        try:
            for one, arguments in self.filters:
                text = one.encode(text, *arguments)
        except (ValueError, LookupError) as error:
            raise self.field.misfit(value, str(error)) from error
        if not self._is_exact:
            self._check(accepted, text)
        return str(text)

    def value(self, text: str) -> Value | None:
        """Return the value whose text is exactly `text`, or `None`."""
        try:
            value: Any = text
            for one, arguments in reversed(self.filters):
                value = one.decode(value, *arguments)
            value = self.field.revive(value) if self.filters else self.field.decode(text)
            if (self.filters and self._is_exact) or self.text(value) == text:
                return self.field.accept(value)
        except (ValueError, LookupError, OverflowError):
            pass
        return None

    @cached_property
    def form(self) -> Hashable:
        """What slots of the same field and filters have in common, wherever they stand."""
        return self.field.name, self.filters

    @cached_property
    def language(self) -> Language:
        """A regular language that has every text of this slot (and perhaps some that `value` refuses)."""
        if self.filters:
            last, arguments = self.filters[-1]
            return Language([last.texts(arguments)])
        return Language(self.field.include, self.field.exclude)

    @cached_property
    def is_verbatim(self) -> Callable[[str], object] | None:
        """Answers, for a `str`, whether it fits and stands in the path as it is; `None` where that cannot be told."""
        if not self.filters:
            return self.field.is_verbatim
        if [one.name for one, _ in self.filters] != ["quote"] or self.field.choices is not None:
            return None
        spec = self.field.spec
        if spec.pattern is None and not spec.exclude and spec.max_length is None:
            return is_portable
        return lambda text: is_portable(text) and self._is_fit(text)

    @cached_property
    def is_common(self) -> Callable[[str], object] | None:
        """A quicker yes to what `is_verbatim` answers; what it says no to may still be verbatim."""
        return self.is_verbatim if self.filters else self.field.is_common or self.is_verbatim

    @cached_property
    def width(self) -> int | None:
        """For a whole number that is written in decimal: how many digits it has at least; else `None`."""
        if not isinstance(self.field, IntField) or self.field.choices is not None:
            return None
        if not self.filters:
            return 1
        (one, arguments), *others = self.filters
        return arguments[0] if one.name == "pad" and not others else None

    @cached_property
    def is_ascii(self) -> bool:
        """Whether every text is sure to be ASCII."""
        if self.filters:
            one, arguments = self.filters[-1]
            return one.is_exact and one.texts(arguments).isascii()
        return not isinstance(self.field, StrField) or self.field.charset.name == "portable"

    @property
    def is_multiple(self) -> bool:
        """Whether the text may have several path segments."""
        return self.field.type == "path" and not self.filters

    @cached_property
    def _is_exact(self) -> bool:
        return all(one.is_exact for one, _ in self.filters)

    def _is_fit(self, text: str) -> bool:
        try:
            self.field.accept(text)
        except Misfit:
            return False
        return True

    def _check(self, value: Any, text: Any) -> None:
        """Hold what the filters wrote against their promise. Raises `Misfit`."""
        names = " | ".join(one.name for one, _ in self.filters)
        if not isinstance(text, str) or (fault := segment_fault(text)):
            why = f"`{names}` gives {shown(text)} for it" + (f", and {fault}" if isinstance(text, str) else "")
            raise self.field.misfit(value, why)
        read: Any = text
        try:
            for one, arguments in reversed(self.filters):
                read = one.decode(read, *arguments)
            read = self.field.revive(read)
        except (ValueError, LookupError):
            read = None
        if read != value or type(read) is not type(value):
            raise self.field.misfit(value, f"`{names}` gives {shown(text)} for it, which reads back as {shown(read)}")
