"""Variants → chains: what the paths of a kind look like to an automaton, one chain a path segment.

Segments never depend on what stands in another one, so two paths can be equal only if each segment of the one can be
equal to the same segment of the other. Only where a slot may have several segments, everything from there on is one
chain, the tail. A field that stands twice makes segments depend on each other after all: chains leave that out, so
they have every path that a variant renders, and perhaps more.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from zarrange.language.automaton import Chain
from zarrange.language.fields import MAX_STATES, FloatField, StrField
from zarrange.language.lattice import Lattice
from zarrange.language.patterns import Language, PatternError, Words
from zarrange.language.quoting import Quoted
from zarrange.language.ranges import NOTHING
from zarrange.language.renderer import compile_renderer
from zarrange.language.slots import Slot
from zarrange.language.splitting import readings_by_characters

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from zarrange.identifiers import Key, Value
    from zarrange.language.kinds import Kind
    from zarrange.language.patterns import Part
    from zarrange.language.variants import Segment, Variant

__all__ = ["Languages", "Shape", "outline"]


@define
class Languages:
    """What slots can write: one object for each language, so that the same ones are the same object.

    `outline` gives languages that are quickly searched: they have every text of the slot, and those names as well that
    a charset keeps for itself (devices of Windows, files of zarr).
    """

    excluding: Mapping[str, Sequence[str]] = field(factory=dict)
    _by_slot: dict[Hashable, Language] = field(factory=dict)
    _by_key: dict[Hashable, Language] = field(factory=dict)

    def outline(self, slot: Slot, variant: Variant) -> str | Language:
        """Return a language that has every text of a slot in a variant, and perhaps a few more."""
        return self._of(slot, variant, outline)

    def exact(self, slot: Slot, variant: Variant) -> str | Language:
        """Return the language of a slot in a variant."""
        return self._of(slot, variant, lambda one: one.language)

    def _of(self, slot: Slot, variant: Variant, language_of: Callable[[Slot], Language]) -> str | Language:
        name = slot.field.name
        if name in variant.equal:
            return next(slot.written([variant.equal[name]]), None) or Language([NOTHING])
        unequal = variant.unequal.get(name, ())
        key = (slot.form, unequal, language_of is outline)
        if key not in self._by_slot:
            language = language_of(slot)
            if unequal:
                language = language.without([Words(tuple(slot.written(unequal)))])
            if name in self.excluding:
                language = language.without(_unwritten(slot, self.excluding[name]))
            self._by_slot[key] = self._by_key.setdefault(language.key, language)
        return self._by_slot[key]


MAX_SPLITS = 3
"""In how many ways a path is split for values of a field that stands twice."""
MAX_COUNTED = 8
"""Up to which length an outline counts the characters of a text: each makes all of its states once more."""


def _unwritten(slot: Slot, patterns: Sequence[str]) -> Sequence[str | Part]:
    """Return patterns of what a slot does not write if its values match none of `patterns`, as far as that is known."""
    names = [one.name for one, _ in slot.filters]
    return patterns if not names else [Quoted(one) for one in patterns] if names == ["quote"] else ()


_UNIT = "(?:[A-Za-z0-9_+=@]|%[0-9A-F][0-9A-F])"
_FLOAT = r"(?:0|[1-9][0-9]*)\.(?:0|[0-9]*[1-9])|[1-9](?:\.[0-9]*[1-9])?e[+-][0-9]+"
_SEGMENTS = {
    "portable": "[A-Za-z0-9_+=@](?:[A-Za-z0-9._+=@-]*[A-Za-z0-9_+=@-])?",
    "unicode": r"[^/\\\x00-\x1f\x7f-\x9f]+",
    "text": f"{_UNIT}(?:(?:{_UNIT}|[.-])*(?:{_UNIT}|-))?",  # quoted
}
"""What segments of each charset look like, without exceptions."""


def outline(slot: Slot) -> Language:
    """Return a language that has every text of a slot, and is quickly searched."""
    field = slot.field
    if isinstance(field, FloatField) and field.choices is None and not slot.filters:
        sign = "" if field.min is not None and field.min >= 0 else "-?"
        return Language([f"{sign}(?:{_FLOAT})"])
    if not isinstance(field, StrField) or field.choices is not None or len(slot.filters) > 1:
        return slot.language
    patterns, excluded = [one for one in [field.spec.pattern] if one is not None], field.spec.exclude
    if field.max_length is not None and field.max_length <= MAX_COUNTED:
        patterns.append(rf"[\s\S]{{1,{field.max_length}}}")
    if not slot.filters:
        segment = _SEGMENTS[field.charset.name]
        path = f"{segment}(?:/{segment})*" if slot.is_multiple else segment
        return Language([path, *patterns], excluded, MAX_STATES)
    if slot.filters[0][0].name == "quote":
        with suppress(PatternError):  # quoted, a pattern can be too large
            return Language([_SEGMENTS["text"], *map(Quoted, patterns)], [*map(Quoted, excluded)], MAX_STATES)
    return slot.language


@frozen(eq=False, slots=False)
class Shape:
    """One variant of a kind as chains, one a segment; `has_tail` says whether the last one is a tail."""

    kind: Kind
    variant: Variant
    chains: tuple[Chain, ...]
    has_tail: bool

    @classmethod
    def make(cls, kind: Kind, variant: Variant, language: Callable[[Slot, Variant], str | Language]) -> Shape:
        """Return the shape of a variant, whose slots have the languages that `language` gives."""

        def pieces(segment: Segment) -> list[str | Language]:
            return [language(one, variant) if isinstance(one, Slot) else one.text for one in segment]

        segments = variant.segments()
        is_simple = [not any(isinstance(one, Slot) and one.is_multiple for one in segment) for segment in segments]
        simple = [*is_simple, False].index(False)
        chains = [_chain(pieces(segment)) for segment in segments[:simple]]
        if tail := segments[simple:]:
            chains.append(_chain([one for segment in tail for one in ("/", *pieces(segment))][1:]))
        return cls(kind, variant, tuple(chains), bool(tail))

    @cached_property
    def is_regular(self) -> bool:
        """Whether all texts of the slots' exact languages are written for some value."""
        return all(one.is_regular for one in self.variant.pieces if isinstance(one, Slot))

    @cached_property
    def _rests(self) -> dict[int, Chain]:
        return {}

    def rest(self, at: int) -> Chain:
        """Return all segments from number `at` on as one chain."""
        if at not in self._rests:
            pieces = [piece for chain in self.chains[at:] for piece in ("/", *chain.pieces)][1:]
            self._rests[at] = _chain(pieces)
        return self._rests[at]

    @cached_property
    def _anchored(self) -> frozenset[str]:
        """The fields whose values every path tells, for they are a whole segment somewhere before the tail."""
        segments = self.variant.segments()[: len(self.chains) - self.has_tail]
        alone = [segment[0] for segment in segments if len(segment) == 1]
        return frozenset(one.field.name for one in alone if isinstance(one, Slot))

    def is_certain(self, at: int) -> bool:
        """Whether there is but one way to read segment number `at`, or the tail that begins there.

        So it is if the texts of all pieces but one are known, or of all but several that have the same text.
        """
        segments = self.variant.segments()[at:]
        if not self.has_tail or at < len(self.chains) - 1:
            segments = segments[:1]
        slots = [one for segment in segments for one in segment if isinstance(one, Slot)]
        known = self._anchored | self.variant.equal.keys()
        return len({one.form for one in slots if one.field.name not in known}) <= 1

    @cached_property
    def repeated(self) -> frozenset[str]:
        """The fields that stand twice or more."""
        names = Counter(one.field.name for one in self.variant.pieces if isinstance(one, Slot))
        return frozenset(name for name, count in names.items() if count > 1)

    def values(self, path: str) -> list[tuple[str, Value]]:
        """Return what fields that stand twice would have to be in a path, whether or not both places agree."""
        slots = [one for one in self.variant.pieces if isinstance(one, Slot)]
        splits = Lattice(self.rest(0).pieces, path).splits()
        found = {
            (slot.field.name, value): None
            for texts in islice(splits, MAX_SPLITS)
            for slot, text in zip(slots, texts, strict=False)
            if slot.field.name in self.repeated and (value := slot.value(text)) is not None
        }
        return [*found]

    def readings(self, path: str) -> list[Key]:
        """Return the keys that this variant reads in a path, and that really render to it."""
        found = readings_by_characters([(self.kind.name, self.variant)], path)
        return [key for key in found if self._renderer(**key.values).path == path]

    @cached_property
    def _renderer(self) -> Callable[..., Any]:
        """The kind's renderer, of this variant alone: a kind may have very many."""
        return compile_renderer(self.kind.name, self.kind.identifier, self.kind.fields, (self.variant,))


def _chain(pieces: Iterable[str | Language]) -> Chain:
    """Return a chain of pieces, with literal texts that meet joined."""
    joined: list[str | Language] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return Chain(tuple(joined))
