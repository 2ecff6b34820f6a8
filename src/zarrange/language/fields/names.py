"""Fields that are text: one path segment or part of one, or several segments."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from zarrange.identifiers import Value
from zarrange.language.charsets import CHARSETS, is_plain, is_plain_path, is_portable
from zarrange.language.fields.field import Field, FieldSpec, Misfit, type_name
from zarrange.language.patterns import Language
from zarrange.language.texts import Texts, is_ascii

__all__ = ["PathField", "StrField"]


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
            raise self.misfit(value, f"it is of type {type_name(value)}, not str")
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
