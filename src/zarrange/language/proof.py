"""The proof: which kinds of a layout can share or swallow a path, each with the shortest counter-example found.

Paths are compared segment by segment, all variants at once: those whose segments have no text in common are never
looked at as pairs. Where a segment can be the same for both, the twin search gives the shortest such text; its parts
put together are a counter-example, which is then really rendered and read. One that does not hold (a field stands
twice, or what a slot writes is not regular) leads to a longer search. What that cannot decide is a clash that is
possible: nothing is ever taken for proved that is not.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import combinations_with_replacement, islice, product
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from attrs import evolve, frozen

from zarrange.errors import AmbiguousPathError
from zarrange.language.automaton import ANYTHING, Alphabet, Automaton, Budget, Chain, Relation, Twin, Twins, Undecided
from zarrange.language.chains import Languages, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from zarrange.identifiers import Key, Value
    from zarrange.language.kinds import Kind
    from zarrange.language.patterns import Language
    from zarrange.language.slots import Slot
    from zarrange.language.variants import Variant

__all__ = ["Clash", "ClashRule", "Proof", "prove"]

STEPS = 150_000
"""How many steps all searches of a layout may take together."""
SEARCH_STEPS = 20_000
"""How many steps one search may take."""
SETTLE_STEPS = 2_000
"""How many steps a longer search may take, where the shortest counter-example did not hold."""
TRIES = 20
"""How many texts are tried for each pair of states where the first ones do not hold."""
MAX_FIXED = 20
"""How often values are given to fields that stand twice, to find a counter-example that holds."""
MAX_CLASHES = 100
"""Nobody reads more."""

ClashRule: TypeAlias = Literal["ambiguous-template", "overlapping-kinds", "nested-kinds"]
T = TypeVar("T")
_Group: TypeAlias = tuple[Chain, list[Shape]]
_Groups: TypeAlias = dict[Chain, list[Shape]]
_Values: TypeAlias = dict[str, "Value"]
_SOLID = frozenset({"array", "file"})
"""What lies inside of one of these would be lost with it; containers and groups are there to hold others."""


@frozen
class Clash:
    """Two artifacts that clash: the kinds in the order of the file, and both readings, each a key and its path.

    Of nested ones, `outer` is the kind that the other one lies inside of, and its reading comes first. Without
    `readings` the clash is possible, but not proved.
    """

    rule: ClashRule
    kinds: tuple[str, ...]
    readings: tuple[tuple[Key, str], ...] = ()
    outer: str | None = None


@frozen
class Proof:
    """What was proved of some kinds: there are these clashes, and no others.

    `empty` are variants of kinds that no values render at all. Where the search `is_complete` no more, there may be
    other clashes, and other empty variants.
    """

    clashes: tuple[Clash, ...]
    empty: tuple[Shape, ...]
    is_complete: bool = True


def prove(
    kinds: Mapping[str, Kind], excluding: Mapping[str, Sequence[str]] | None = None, budget: Budget | None = None
) -> Proof:
    """Search for every clash of some kinds, as far as the budget lasts.

    `excluding` has, for fields, patterns that their values should not have: to see what an `exclude` would change.
    """
    languages = Languages(excluding or {})
    shapes = [Shape.make(kind, variant, languages.outline) for kind in kinds.values() for variant in kind.variants]
    return _Search(shapes, languages, budget or Budget(STEPS)).run()


@frozen
class _Pair:
    """Two variants that may clash; of nested ones, `one` is the outer."""

    rule: ClashRule
    kinds: tuple[str, ...]
    one: Shape
    other: Shape

    def clash_at(self, left: str, right: str) -> Clash | None:
        """Return the clash at these paths, if the variants really read them so and render them."""
        with suppress(AmbiguousPathError):
            for key, another in product(self.one.readings(left), self.other.readings(right)):
                if key != another:
                    return evolve(self.possible, readings=((key, left), (another, right)))
        return None

    @property
    def wanted(self) -> Relation:
        """How two texts of `one` and `other` are related where they clash."""
        return Relation.RIGHT_INSIDE if self.rule == "nested-kinds" else Relation.SAME

    def twins(self, one: Shape, other: Shape, *, same: bool) -> Twins:
        """Return the search for such texts, where `one` and `other` have these shapes."""
        return Twins.of(one.rest(0), other.rest(0), same=same, nested=self.rule == "nested-kinds")

    @property
    def possible(self) -> Clash:
        """The clash as long as it is not proved."""
        return Clash(self.rule, self.kinds, outer=self.one.kind.name if self.rule == "nested-kinds" else None)


def _pairs(lefts: Sequence[T], rights: Sequence[T]) -> Iterable[tuple[T, T]]:
    """All pairs, those of a list with itself once."""
    return combinations_with_replacement(lefts, 2) if lefts is rights else product(lefts, rights)


def _meeting(lefts: _Groups, rights: _Groups) -> Iterator[tuple[_Group, _Group]]:
    """Yield the pairs of groups whose segments may have a text in common: of two literal ones, only equal ones."""
    literal = [one for one in lefts.items() if one[0].text is not None]
    patterns = [one for one in lefts.items() if one[0].text is None]
    others = patterns if lefts is rights else [one for one in rights.items() if one[0].text is None]
    yield from ((one, (one[0], rights[one[0]])) for one in literal if one[0] in rights)
    yield from product(literal, others)
    if lefts is not rights:
        yield from product(patterns, [one for one in rights.items() if one[0].text is not None])
    yield from _pairs(patterns, others)


def _fixing(languages: Languages, values: _Values) -> Callable[[Slot, Variant], str | Language]:
    """Return the languages of slots where some fields have one value only."""

    def language(slot: Slot, variant: Variant) -> str | Language:
        return slot.text(values[slot.field.name]) if slot.field.name in values else languages.outline(slot, variant)

    return language


class _Enough(Exception):  # noqa: N818 - ends the search
    """There are as many clashes as anybody would read."""


class _Search:
    """All pairs of shapes, compared segment by segment."""

    def __init__(self, shapes: Sequence[Shape], languages: Languages, budget: Budget) -> None:
        self._shapes = shapes
        self._languages = languages
        self._order = {shape.kind.name: at for at, shape in reversed([*enumerate(shapes)])}
        self._alphabet = Alphabet({chain for shape in shapes for chain in shape.chains})
        self._automata: dict[Chain, Automaton] = {}
        self._budget = budget
        self._twins: dict[tuple[Chain, Chain, bool, bool], dict[Relation, Twin]] = {}
        self._found: dict[tuple[ClashRule, tuple[str, ...]], Clash] = {}
        self._is_complete = True

    def run(self) -> Proof:
        possible = [shape for shape in self._shapes if all(self._shortest(chain) is not None for chain in shape.chains)]
        try:
            for shape in possible:
                self._look_for_ambiguity(shape)
            self._compare(possible, possible, ())
        except (_Enough, Undecided):
            self._is_complete = False
        empty = tuple(shape for shape in self._shapes if shape not in possible) if self._is_complete else ()
        clashes = sorted(self._found.values(), key=lambda one: [self._order[kind] for kind in one.kinds])
        return Proof(tuple(clashes), empty, self._is_complete)

    # --- all pairs at once -------------------------------------------------------------------------------------------

    def _compare(self, lefts: Sequence[Shape], rights: Sequence[Shape], above: tuple[str, ...]) -> None:
        """Compare all of `lefts` with all of `rights`, whose first segments can all be those of `above`."""
        mine = _Level.of(lefts, len(above))
        theirs = mine if lefts is rights else _Level.of(rights, len(above))
        for one, other in _pairs(mine.ended, theirs.ended):
            if one is not other:
                self._clash(one, other, above, above)
        for one, other in _pairs(mine.tails, theirs.tails):
            self._compare_rests(one, other, above)
        for level, facing in ((mine, theirs), (theirs, mine))[: 1 if mine is theirs else 2]:
            for outer, inner in product(level.ended, facing.going_on):
                self._clash(outer, inner, above, (*above, self._shortest(inner.rest(len(above))) or ""))
            for one, other in product(level.tails, facing.segments):
                self._compare_rests(one, other, above)
        for (chain, some), (another, others) in _meeting(mine.groups, theirs.groups):
            self._budget.spend()
            text = self._common(chain, another)
            if text is not None:
                self._compare(some, others, (*above, text))

    def _compare_rests(self, one: Shape, other: Shape, above: tuple[str, ...]) -> None:
        """Compare two variants from a segment on where one of them has a tail."""
        self._budget.spend()
        at = len(above)
        for twin in self._search(one.rest(at), other.rest(at), same=one is other, nested=True).values():
            left = right = (*above, twin.text)
            if twin.relation is Relation.LEFT_INSIDE:
                self._clash(other, one, (*above, twin.text[: twin.end]), left)
            elif twin.relation is Relation.RIGHT_INSIDE:
                self._clash(one, other, (*above, twin.text[: twin.end]), right)
            elif one is not other or not one.is_certain(at):
                self._clash(one, other, left, right)

    def _look_for_ambiguity(self, shape: Shape) -> None:
        """Look for a segment that one variant alone can read in two ways."""
        for at, chain in enumerate(shape.chains):
            twin = None if shape.is_certain(at) else self._search(chain, chain, same=True).get(Relation.SAME)
            if twin is not None:
                texts = [twin.text if i == at else self._shortest(one) or "" for i, one in enumerate(shape.chains)]
                self._clash(shape, shape, texts, texts)

    # --- one pair ----------------------------------------------------------------------------------------------------

    def _clash(self, one: Shape, other: Shape, left: Sequence[str], right: Sequence[str]) -> None:
        """Note that two variants clash at these paths, if that holds; of nested ones, `one` is the outer."""
        self._budget.spend()
        pair = self._pair(one, other, is_nested=left != right)
        if pair.rule == "nested-kinds" and one.kind.sort not in _SOLID:
            return
        known = self._found.get((pair.rule, pair.kinds))
        if known is not None and known.readings and len(known.readings[1][1]) <= len("/".join(right)):
            return
        clash = pair.clash_at("/".join(left), "/".join(right))
        if clash is None and (known is None or not known.readings):
            clash = self._settle(pair)
        if clash is not None:
            self._found[pair.rule, pair.kinds] = clash
            if len(self._found) > MAX_CLASHES:
                raise _Enough

    def _pair(self, one: Shape, other: Shape, *, is_nested: bool) -> _Pair:
        names = sorted({one.kind.name, other.kind.name}, key=self._order.__getitem__)
        if is_nested:
            return _Pair("nested-kinds", tuple(names), one, other)
        if one.kind is other.kind:
            return _Pair("ambiguous-template", tuple(names), one, other)
        first, second = (one, other) if one.kind.name == names[0] else (other, one)
        return _Pair("overlapping-kinds", tuple(names), first, second)

    def _settle(self, pair: _Pair) -> Clash | None:
        """Search longer where the first counter-example did not hold; `None` if there is none for sure."""
        exact_one, exact_other = (
            Shape.make(some.kind, some.variant, self._languages.exact) for some in (pair.one, pair.other)
        )
        is_regular = exact_one.is_regular and exact_other.is_regular
        # Exact languages are larger: where more texts of the outlines are enough, they cost a fraction.
        for one, other, all_tries in ((pair.one, pair.other, [TRIES]), (exact_one, exact_other, [1, TRIES])):
            search = pair.twins(one, other, same=pair.one is pair.other)
            with suppress(Undecided):
                for tries in all_tries:
                    is_possible = False
                    for twin in search.texts(self._budget.part(SETTLE_STEPS), tries):
                        if twin.relation is pair.wanted:
                            is_possible = True
                            clash = pair.clash_at(twin.text[: twin.end], twin.text)
                            if clash is not None:
                                return clash
                    if not is_possible or (one is exact_one and not search.is_cut and is_regular):
                        return None
        return self._fix(pair, ({}, {}), [MAX_FIXED]) or pair.possible

    def _fix(self, pair: _Pair, fixed: tuple[_Values, _Values], left: list[int]) -> Clash | None:
        """Search with values given to fields that stand twice: those that the texts have that did not hold."""
        left[0] -= 1
        shapes = [
            Shape.make(one.kind, one.variant, _fixing(self._languages, values))
            for one, values in zip((pair.one, pair.other), fixed, strict=True)
        ]
        twin = self._first_twin(pair, *shapes)
        if twin is None:
            return None
        paths = (twin.text[: twin.end], twin.text)
        if (clash := pair.clash_at(*paths)) is not None:
            return clash
        for side, (shape, path) in enumerate(zip((pair.one, pair.other), paths, strict=True)):
            for name, value in shape.values(path):
                if name not in fixed[side] and left[0] > 0:
                    known = fixed[side] | {name: value}
                    clash = self._fix(pair, (known, fixed[1]) if side == 0 else (fixed[0], known), left)
                    if clash is not None:
                        return clash
        return None

    def _first_twin(self, pair: _Pair, one: Shape, other: Shape) -> Twin | None:
        """Return the first text by which two shapes would clash as a pair does, if one is found soon."""
        # Of one variant with different values, two readings need not differ by where their pieces end.
        search = pair.twins(one, other, same=pair.one is pair.other and one.rest(0) == other.rest(0))
        found = (twin for twin in search.texts(self._budget.part(SETTLE_STEPS)) if twin.relation is pair.wanted)
        with suppress(Undecided):
            return next(found, None)
        return None

    # --- chains ------------------------------------------------------------------------------------------------------

    def _shortest(self, chain: Chain) -> str | None:
        """Return a shortest text of a chain; `None` if it has none."""
        return chain.text if chain.text is not None else self._common(chain, ANYTHING)

    def _common(self, one: Chain, other: Chain) -> str | None:
        """Return a shortest text that two chains have in common; `None` if there is none."""
        if one.text is not None and other.text is not None:
            return one.text if one.text == other.text else None
        if one == other:
            return self._shortest(one)
        twin = self._search(one, other).get(Relation.SAME) if one.can_meet(other) else None
        return None if twin is None else twin.text

    def _search(self, one: Chain, other: Chain, *, same: bool = False, nested: bool = False) -> Mapping[Relation, Twin]:
        """Return the first twin of each relation."""
        key = (one, other, same, nested)
        if key in self._twins:
            return self._twins[key]
        found = self._twins[key] = {}
        search = Twins(self._automaton(one), self._automaton(other), same=same, nested=nested)
        with suppress(Undecided):
            for twin in search.texts(self._budget.part(SEARCH_STEPS)):
                found.setdefault(twin.relation, twin)
                if not nested or len(found) == len(Relation):
                    break
            return found
        if not same and not nested:
            # Where only one text is wanted, any will do before none is known.
            with suppress(Undecided):
                for twin in islice(search.texts(self._budget.part(SEARCH_STEPS), shortest=False), 1):
                    found[twin.relation] = twin
                return found
        self._is_complete = False
        return found

    def _automaton(self, chain: Chain) -> Automaton:
        if chain not in self._automata:
            self._automata[chain] = Automaton(chain, self._alphabet)
        return self._automata[chain]


@frozen
class _Level:
    """Some shapes by what is at one of their segments: they have ended, a tail begins, or one more segment follows."""

    ended: list[Shape]
    tails: list[Shape]
    segments: list[Shape]
    groups: _Groups

    @classmethod
    def of(cls, shapes: Sequence[Shape], at: int) -> _Level:
        level = cls([], [], [], {})
        for shape in shapes:
            if at == len(shape.chains):
                level.ended.append(shape)
            elif shape.has_tail and at == len(shape.chains) - 1:
                level.tails.append(shape)
            else:
                level.segments.append(shape)
                level.groups.setdefault(shape.chains[at], []).append(shape)
        return level

    @property
    def going_on(self) -> list[Shape]:
        """Those that have not ended."""
        return [*self.tails, *self.segments]
