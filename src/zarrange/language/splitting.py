"""Splitting → reading paths of variants that a path's segments alone do not tell apart.

A `Lattice` finds all ways to split a path in time linear in its length. It goes by segments where no slot shares a
segment with another one: a slot of several segments then stands in whole ones, and the same names are met in path after
path, so what each means is remembered. Otherwise it goes by characters, which is slower, and would do for all.
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field, frozen

from zarrange.errors import AmbiguousPathError
from zarrange.identifiers import Key
from zarrange.language.lattice import Lattice
from zarrange.language.renderer import path_fault
from zarrange.language.slots import Slot
from zarrange.language.templates import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from zarrange.identifiers import Value
    from zarrange.language.lattice import Automaton
    from zarrange.language.variants import Piece, Segment, Variant

__all__ = ["MAX_SPLITS", "Splitting", "is_by_segments", "readings_by_characters"]

MAX_SPLITS = 10_000
"""How many ways to split a path are tried for one variant before it is called ambiguous."""
MAX_REMEMBERED = 4_096
"""How many segments one piece of a template remembers."""

T = TypeVar("T")


@frozen(eq=False)
class Read:
    """A slot in a split: the language of what it can be, and its value there."""

    slot: Slot
    language: Automaton
    value: Callable[[Any], Value | None]


class Splitting:
    """How one variant of a kind reads paths; `by_characters` is the clear way, which finds the same for any."""

    def __init__(self, kind: str, variant: Variant, *, by_characters: bool = False) -> None:
        self._kind = kind
        self._variant = variant
        self._by_segments = not by_characters and is_by_segments(variant)
        pieces = [*_by_segments(variant)] if self._by_segments else [*_by_characters(variant)]
        self._forms = [form for form, _ in pieces]
        self._reads = [piece for _, piece in pieces if isinstance(piece, Read)]
        self._pieces = [piece.language if isinstance(piece, Read) else piece for _, piece in pieces]

    def readings(self, path: str, segments: tuple[str, ...]) -> Iterator[Key]:
        """Yield every key that is read in a proper path. Raises `AmbiguousPathError` for too many ways to split it."""
        if not _has_texts(self._variant, path):
            return  # a lattice is much dearer than this look
        text: Any = segments if self._by_segments else path
        splits = Lattice(self._pieces, text, self._forms).splits()
        for texts in islice(splits, MAX_SPLITS):
            values = self._values(texts)
            if values is not None:
                yield Key(self._kind, values)
        if next(splits, None) is not None:
            raise AmbiguousPathError(path, ())

    def _values(self, texts: Sequence[Any]) -> dict[str, Value] | None:
        """Return the values that the slots' texts stand for, if there are any and they agree with the variant."""
        values: dict[str, Value] = {}
        variant = self._variant
        for read, text in zip(self._reads, texts, strict=True):
            value = read.value(text)
            if value is None or values.setdefault(read.slot.field.name, value) != value:
                return None
        if any(values.get(name, value) != value for name, value in variant.equal.items()):
            return None
        if any(values.get(name) in ruled_out for name, ruled_out in variant.unequal.items()):
            return None
        values.update(variant.equal)
        return {name: values[name] for name in variant.given}


def readings_by_characters(candidates: Iterable[tuple[str, Variant]], path: str) -> Iterator[Key]:
    """Yield every key that some variants of kinds read in a path. Raises what `Splitting.readings` does."""
    if not path_fault(path):
        for kind, variant in candidates:
            yield from Splitting(kind, variant, by_characters=True).readings(path, ())


def is_by_segments(variant: Variant) -> bool:
    """Whether no slot shares a segment with another one, nor one of several segments with a text."""
    for segment in variant.segments():
        slots = [piece for piece in segment if isinstance(piece, Slot)]
        if len(slots) > 1 or (len(segment) > 1 and any(slot.is_multiple for slot in slots)):
            return False
    return True


def _has_texts(variant: Variant, path: str) -> bool:
    """Whether a path begins and ends as a variant does, and has the texts between in their order."""
    at = 0
    for piece in variant.pieces:
        if isinstance(piece, Text):
            at = path.find(piece.text, at) + len(piece.text)
            if at < len(piece.text):
                return False
    first, last = variant.pieces[0], variant.pieces[-1]
    return not (isinstance(first, Text) and not path.startswith(first.text)) and not (
        isinstance(last, Text) and not path.endswith(last.text)
    )


def _by_characters(variant: Variant) -> Iterator[tuple[Hashable, Any]]:
    for at, piece in enumerate(variant.pieces):
        if isinstance(piece, Text):
            yield at, piece.text
        else:
            yield piece.form, Read(piece, piece.language, piece.value)


def _by_segments(variant: Variant) -> Iterator[tuple[Hashable, Any]]:
    segments = enumerate(variant.segments())
    for is_literal, group in groupby(segments, lambda one: all(isinstance(piece, Text) for piece in one[1])):
        if is_literal:
            found = [*group]
            yield found[0][0], tuple(_text(segment) for _, segment in found)
            continue
        for _, segment in group:
            yield _of_segment(segment)


def _of_segment(segment: Segment) -> tuple[Hashable, Read]:
    at = next(at for at, piece in enumerate(segment) if isinstance(piece, Slot))
    slot: Any = segment[at]
    if slot.is_multiple:
        return slot.form, Read(slot, _Several(slot), lambda texts: slot.value("/".join(texts)))
    before, behind = _text(segment[:at]), _text(segment[at + 1 :])
    one = _One(slot, before, behind)
    return (slot.form, before, behind), Read(slot, one, lambda texts: one.read(texts[0]))


def _text(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))


@frozen(eq=False)
class _State:
    """Where one is among segments: behind one, an automaton of characters is at `inner`."""

    accepts: bool
    inner: Any = None


_START = _State(accepts=False)
_DONE = _State(accepts=True)


@define(eq=False)
class _One:
    """The segments with one slot, between two texts."""

    slot: Slot
    before: str
    behind: str
    _known: dict[str, Value | None] = field(factory=dict)

    start = _START

    def step(self, state: _State, segment: str) -> _State | None:
        """Return the state behind a segment."""
        return _DONE if state is _START and self.read(segment) is not None else None

    def read(self, segment: str) -> Value | None:
        """Return the value of the slot in a segment, `None` where it has none."""
        try:
            return self._known[segment]
        except KeyError:
            return _remember(self._known, segment, self._read(segment))

    def _read(self, segment: str) -> Value | None:
        before, behind = self.before, self.behind
        if len(segment) <= len(before) + len(behind):
            return None
        if not (segment.startswith(before) and segment.endswith(behind)):
            return None
        return self.slot.value(segment[len(before) : len(segment) - len(behind)])


@define(eq=False)
class _Several:
    """The segments of a slot that may have several: its language of characters, a segment a step."""

    slot: Slot
    _known: dict[tuple[_State, str], _State | None] = field(factory=dict)
    _states: dict[Any, _State] = field(factory=dict)

    start = _START

    def step(self, state: _State, segment: str) -> _State | None:
        """Return the state behind a segment."""
        try:
            return self._known[state, segment]
        except KeyError:
            return _remember(self._known, (state, segment), self._step(state, segment))

    def _step(self, state: _State, segment: str) -> _State | None:
        language = self.slot.language
        inner: Any = language.start if state is _START else language.step(state.inner, "/")
        for character in segment:
            if inner is None:
                return None
            inner = language.step(inner, character)
        if inner is None:
            return None
        found = self._states.get(inner)
        return _remember(self._states, inner, _State(inner.accepts, inner)) if found is None else found


def _remember(known: dict[Any, T], asked: Any, answer: T) -> T:
    if len(known) >= MAX_REMEMBERED:
        known.clear()  # perhaps while another thread asks
    known[asked] = answer
    return answer
