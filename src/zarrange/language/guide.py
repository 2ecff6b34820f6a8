"""Guide: from a folder to the names in it that are worth a look, for a selection of a layout's artifacts.

A variant of a kind's template is a way: a sequence of steps, one a path segment. A step whose slots are all bound by
the selection, or that has none, has names that need not be listed. What is worth a look is more than what is asked for:
only matching a whole path decides. From a slot of several segments on, a way is free: anything below may be wanted.
"""

from __future__ import annotations

from functools import cached_property
from itertools import islice, product
from typing import TYPE_CHECKING

from attrs import frozen

from zarrange.language.lattice import Lattice
from zarrange.language.matcher import segment_reader
from zarrange.language.slots import Slot
from zarrange.language.splitting import MAX_SPLITS
from zarrange.language.templates import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from zarrange.identifiers import Value
    from zarrange.language.kinds import Sort
    from zarrange.language.selection import Selection, Wanted
    from zarrange.language.variants import Piece, Segment, Variant

__all__ = ["Guide", "Place", "Step", "Way"]

MAX_REMEMBERED = 4_096
"""How many names a place remembers: those of datasets and parameters are the same in many folders."""
MAX_NAMES = 100
"""Beyond so many names that values make in one segment, its folder is listed: each name would be asked for."""


@frozen(eq=False)
class Step:
    """One path segment of a way: `names` are those that it can have, where they are known; else `accepts` tells."""

    segment: tuple[Piece, ...]
    form: Hashable
    names: frozenset[str] | None
    accepts: Callable[[str], object]

    @property
    def slots(self) -> list[Slot]:
        """The slots of the segment."""
        return [piece for piece in self.segment if isinstance(piece, Slot)]

    @cached_property
    def value(self) -> Callable[[str], Value | None]:
        """Reads the value of the segment's slot, where it has one only."""
        return segment_reader(self.segment)


@frozen(eq=False)
class Way:
    """The steps to the artifacts of one variant of a kind; a free one has further segments behind them."""

    kind: str
    sort: Sort
    steps: tuple[Step, ...]
    is_free: bool

    def described(self, wanted: Mapping[str, Wanted]) -> Iterator[tuple[str, str]]:
        """Yield the segments, each with how one gets past it."""
        for step in self.steps:
            text = "".join(one.text if isinstance(one, Text) else f"{{{one.field.name}}}" for one in step.segment)
            asked = [
                f"{name} {wanted[name].text}"
                for name in dict.fromkeys(slot.field.name for slot in step.slots)
                if name in wanted
            ]
            how = "listed" if step.names is None else "joined"
            yield text, f"{how}: {', '.join(asked)}" if asked else how
        if self.is_free:
            yield "...", "everything below is listed"


class Place:
    """Where one is on some ways: `ends` has what may be here, `names` the names to go on by, if they are known."""

    def __init__(self, guide: Guide, standing: frozenset[tuple[Way, int]]) -> None:
        self._guide = guide
        self._standing = standing
        self.is_free = any(way.is_free and at == len(way.steps) for way, at in standing)
        self.ends: frozenset[Sort] = frozenset(way.sort for way, at in standing if at == len(way.steps))
        by_form: dict[Hashable, tuple[Step, set[tuple[Way, int]]]] = {}
        self._steps = {way.steps[at] for way, at in standing if at < len(way.steps)}
        self._stays: set[tuple[Way, int]] = set()
        for way, at in standing:
            if at < len(way.steps):
                step = way.steps[at]
                by_form.setdefault(step.form, (step, set()))[1].add((way, at + 1))
            elif way.is_free:
                self._stays.add((way, at))
        self._named: dict[str, set[tuple[Way, int]]] = {}
        self._open: list[tuple[Step, set[tuple[Way, int]]]] = []
        for step, behind in by_form.values():
            if step.names is None:
                self._open.append((step, behind))
            else:
                for name in step.names:
                    self._named.setdefault(name, set()).update(behind)
        self.names = tuple(self._named)
        """The names that some way goes on by; more are there if `must_list`."""
        self.must_list = bool(self._open) or self.is_free
        self.leads_on = self.must_list or bool(self._named)
        """Whether anything below may be wanted."""
        self.has_files = "file" in self.ends
        """Whether a file may be wanted here."""
        self.has_nodes = bool(self.ends - {"file"})
        """Whether a container, a group or an array may be wanted here."""
        self._known: dict[str, Place | None] = {}
        self._by_open: dict[tuple[int, ...], Place | None] = {}

    @property
    def kinds(self) -> list[str]:
        """The kinds of which something may be here or below."""
        return sorted({way.kind for way, _ in self._standing})

    def step(self, name: str) -> Place | None:
        """Return where a name leads to, or `None` if nothing wanted is there."""
        try:
            return self._known[name]
        except KeyError:
            found = self._step(name)
        if self._guide.is_steady:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[name] = found
        return found

    def _step(self, name: str) -> Place | None:
        passed = self._passed(name)
        if name in self._named:
            return self._behind(name, passed)
        if not passed and not self.is_free:
            return None
        if passed not in self._by_open:
            self._by_open[passed] = self._behind(name, passed)
        return self._by_open[passed]

    def values(self, names: Iterable[str], by: str) -> dict[str, Value]:
        """Return the values that names have of the field `by`, where a segment consists of that field alone."""
        steps = [step for step in self._steps if [slot.field.name for slot in step.slots] == [by]]
        found = ((name, step.value(name)) for name in names for step in steps)
        return {name: value for name, value in found if value is not None}

    def _passed(self, name: str) -> tuple[int, ...]:
        if len(self._open) == 1:
            return _FIRST if self._open[0][0].accepts(name) else ()
        return tuple(at for at, (step, _) in enumerate(self._open) if step.accepts(name))

    def _behind(self, name: str, passed: tuple[int, ...]) -> Place | None:
        standing = set(self._stays) | self._named.get(name, set())
        for at in passed:
            standing |= self._open[at][1]
        return self._guide.place(frozenset(standing)) if standing else None


_FIRST = (0,)


class Guide:
    """The ways to the artifacts that a selection asks for; `start` is the root."""

    def __init__(self, selection: Selection) -> None:
        self._places: dict[frozenset[tuple[Way, int]], Place] = {}
        self._steps: dict[Hashable, Step] = {}
        self._wanted = selection.wanted
        self.is_steady = not any(one.is_predicate for one in selection.wanted.values())
        """Whether a name that was asked about once need not be asked about again: who knows what a predicate does."""
        self.ways = [
            way
            for name, kind in selection.kinds.items()
            for variant in kind.variants
            if self._is_possible(variant)
            for way in self._ways(name, kind.sort, variant)
        ]
        self.start = self.place(frozenset((way, 0) for way in self.ways))

    def place(self, standing: frozenset[tuple[Way, int]]) -> Place:
        """Return the place where one stands on these ways."""
        if standing not in self._places:
            self._places[standing] = Place(self, standing)
        return self._places[standing]

    def level(self, field: str) -> int | None:
        """Return the segment that consists of this field alone on every way, so that all below has one value of it."""
        for steps in zip(*(way.steps for way in self.ways), strict=False):
            (step, *others) = steps
            if [slot.field.name for slot in step.slots] == [field] and all(other is step for other in others):
                return next(at for at, one in enumerate(self.ways[0].steps) if one is step)
        return None

    def _is_possible(self, variant: Variant) -> bool:
        """Whether the variant has artifacts that are asked for, as far as its conditions tell."""
        for name, wanted in self._wanted.items():
            if name in variant.absent and not wanted.admits(None):
                return False
            if (
                name in variant.given
                and wanted.values is not None
                and not any(one is not None for one in wanted.values)
            ):
                return False
            if name in variant.equal and not wanted.admits(variant.equal[name]):
                return False
        return True

    def _ways(self, kind: str, sort: Sort, variant: Variant) -> Iterator[Way]:
        """The ways of a variant: several where a slot of several segments is bound to several values."""
        for segments in _bound_paths(variant.segments(), self._wanted):
            at = next((at for at, segment in enumerate(segments) if _is_multiple(segment)), len(segments))
            steps = tuple(self._step(segment) for segment in segments[:at])
            yield Way(kind, sort, steps, is_free=at < len(segments))

    def _step(self, segment: Segment) -> Step:
        form = tuple(piece.text if isinstance(piece, Text) else piece.form for piece in segment)
        if form not in self._steps:
            self._steps[form] = self._new_step(segment, form)
        return self._steps[form]

    def _new_step(self, segment: Segment, form: Hashable) -> Step:
        names = _names(segment, self._wanted)
        if names is not None:
            return Step(segment, form, names, names.__contains__)
        slots = [piece for piece in segment if isinstance(piece, Slot)]
        if len(slots) > 1:
            return Step(segment, form, None, _several(segment, slots, self._wanted))
        return Step(segment, form, None, _one(segment, self._wanted.get(slots[0].field.name)))


def _is_multiple(segment: Segment) -> bool:
    return any(isinstance(piece, Slot) and piece.is_multiple for piece in segment)


def _bound_paths(segments: Sequence[Segment], wanted: Mapping[str, Wanted]) -> Iterator[list[Segment]]:
    """Put the values of slots of several segments in their place, where they are bound."""
    for at, segment in enumerate(segments):
        names = _names(segment, wanted) if _is_multiple(segment) else None
        if names is not None:
            for name in sorted(names):
                inner: list[Segment] = [(Text(part, segment[0].span),) for part in name.split("/")]
                yield from _bound_paths([*segments[:at], *inner, *segments[at + 1 :]], wanted)
            return
    yield list(segments)


def _names(segment: Segment, wanted: Mapping[str, Wanted]) -> frozenset[str] | None:
    """Return the names that a segment can have, where all its slots are bound."""
    parts: list[list[str]] = []
    count = 1
    for piece in segment:
        if isinstance(piece, Text):
            parts.append([piece.text])
            continue
        bound = wanted.get(piece.field.name)
        if bound is None or bound.values is None:
            return None
        parts.append(list(piece.written(value for value in bound.values if value is not None)))
        count *= len(parts[-1])
    return frozenset(map("".join, product(*parts))) if count <= MAX_NAMES else None


def _one(segment: Segment, wanted: Wanted | None) -> Callable[[str], object]:
    """Whether a name of one slot has a value that is wanted."""
    read = segment_reader(segment)
    if wanted is None:
        return lambda name: read(name) is not None
    admits = wanted.admits
    return lambda name: (value := read(name)) is not None and admits(value)


def _several(segment: Segment, slots: Sequence[Slot], wanted: Mapping[str, Wanted]) -> Callable[[str], object]:
    """Whether a name of several slots can be split so that each has a value that is wanted."""
    pieces = [one.text if isinstance(one, Text) else one.language for one in segment]
    forms = [at if isinstance(one, Text) else one.form for at, one in enumerate(segment)]

    def is_wanted(slot: Slot, text: str) -> bool:
        value = slot.value(text)
        return value is not None and (slot.field.name not in wanted or bool(wanted[slot.field.name].admits(value)))

    def accepts(name: str) -> bool:
        splits = Lattice(pieces, name, forms).splits()
        if any(all(map(is_wanted, slots, texts)) for texts in islice(splits, MAX_SPLITS)):
            return True
        return next(splits, None) is not None  # too many to try: matching the whole path will tell

    return accepts
