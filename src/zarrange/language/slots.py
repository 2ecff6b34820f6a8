"""A slot: a field at one place of a template, with the filters that it is written through."""

from __future__ import annotations

import datetime
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from zarrange.diagnostics import shown
from zarrange.language import dates
from zarrange.language.charsets import CHARSETS, is_portable, segment_fault
from zarrange.language.fields import MAX_STATES, DateField, Field, IntField, Misfit, StrField
from zarrange.language.patterns import Language, PatternError, Words
from zarrange.language.quoting import ALL_QUOTED, quoted
from zarrange.language.ranges import NOTHING
from zarrange.language.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from zarrange.diagnostics import Span
    from zarrange.identifiers import Value
    from zarrange.language.filters import Filter

__all__ = ["Slot"]

MAX_CHOICE_STATES = 1_000_000
"""More than a layout of the greatest size has."""


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
        written = []
        try:
            for one, arguments in self.filters:
                text = one.encode(text, *arguments)
                written.append(text)
        except (ValueError, LookupError) as error:
            raise self.field.misfit(value, str(error)) from error
        if not self._is_exact:
            self._check(accepted, written)
        return str.__str__(text)

    def written(self, values: Iterable[object]) -> Iterator[str]:
        """Yield what stands in the path for each value that the filters take."""
        for value in values:
            with suppress(Misfit):
                yield self.text(value)

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

    @property
    def language(self) -> Language:
        """The regular language of this slot's texts: of every text that `value` takes.

        Unless the slot `is_regular`, it has other texts too. What is wrong with a path as a whole, such as a segment of
        too many bytes, is left out.
        """
        return self._denoted[0]

    @property
    def is_regular(self) -> bool:
        """Whether `language` has no text but those that `value` takes."""
        return self._denoted[1].is_regular

    @property
    def is_regular_in_ascii(self) -> bool:
        """Whether `language` has no text of ASCII characters but those that `value` takes."""
        return self._denoted[1].is_regular_in_ascii

    @cached_property
    def _denoted(self) -> tuple[Language, Texts]:
        if self.field.choices is not None:
            texts = Texts((Words(tuple(self.written(self.field.choices))),))
            return Language(texts.include, limit=MAX_CHOICE_STATES), texts
        texts = self.field.texts
        for one, arguments in self.filters:
            texts = self._filtered(texts, one, arguments)
        if texts is self.field.texts:
            return self.field.language, texts
        try:
            return Language(texts.include, texts.exclude, MAX_STATES), texts
        except PatternError:  # quoting makes automata many times larger
            if not self.filters or self.filters[-1][0].name != "quote":
                raise
            texts = evolve(ALL_QUOTED, is_regular=False, is_regular_in_ascii=False)
            return Language(texts.include, texts.exclude, MAX_STATES), texts

    def _filtered(self, texts: Texts, one: Filter, arguments: tuple[Any, ...]) -> Texts:
        """Return what a filter makes of the texts before it; `pad` and `date` are the first of their chain."""
        is_last = one is self.filters[-1][0]
        if one.name == "pad" and isinstance(self.field, IntField):
            return self.field.padded(*arguments)
        if one.name == "date" and isinstance(self.field, DateField):
            # What stands beside the parts is the same in all texts: all of them are fine, or none is.
            is_fine = not is_last or segment_fault(dates.encode(datetime.date.min, *arguments)) is None
            return self.field.formatted(*arguments) if is_fine else Texts((NOTHING,))
        if one.name == "quote":
            is_portable = isinstance(self.field, StrField) and self.field.is_portable and texts is self.field.texts
            return texts if is_portable else quoted(texts)
        segment = CHARSETS["unicode"]
        rules = ((segment.include,), segment.exclude) if is_last else ((), ())
        return Texts((one.texts(arguments), *rules[0]), rules[1], is_regular=False)

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

    def _check(self, value: Any, written: Sequence[Any]) -> None:
        """Hold what each of the filters wrote against their promise. Raises `Misfit`."""
        text = written[-1]
        names = " | ".join(one.name for one, _ in self.filters)
        if not isinstance(text, str) or (fault := segment_fault(text)):
            why = f"`{names}` gives {shown(text)} for it" + (f", and {fault}" if isinstance(text, str) else "")
            raise self.field.misfit(value, why)
        for (one, arguments), output in zip(self.filters, written, strict=True):
            if not one.is_built_in and isinstance(output, str) and not one.writes(output, arguments):
                why = f"`{one.name}` gives {shown(output)} for it, which its pattern does not match"
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
