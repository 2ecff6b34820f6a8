"""The twin search: whether one text can be read in two ways, and the shortest such text.

A `Chain` is what a path, or one segment of it, looks like: literal texts and regular languages, one behind the other.
It is run as one non-deterministic automaton whose transitions carry a label, the piece that they belong to. `Twins`
searches the product of two chains, breadth first, with one bit for "the labels have differed". Its letters are the
classes of characters that no chain tells apart, each represented by a readable character. A search has a budget: it
finds a text, or that there is none, or says that it could not decide.
"""

from __future__ import annotations

import enum
import unicodedata
from bisect import bisect_right
from collections import Counter, deque
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from attrs import define, frozen

from zarrange.language.patterns import MAX_CODE, Language, Ranges, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "ANYTHING",
    "PREFERRED",
    "Alphabet",
    "Automaton",
    "Budget",
    "Chain",
    "Relation",
    "Twin",
    "Twins",
    "Undecided",
    "is_empty",
    "printable_of",
]

PREFERRED = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-=+@%.~ ()[],;'!#$&éü日"
"""Characters by how well a person reads them in a counter-example."""
NODES_A_STEP = 8
"""How many nodes of an automaton are looked at in about the time that a step takes."""
MAX_SCANNED = 20_000
"""Among how many characters of a class one that can be printed is looked for."""


class Undecided(Exception):  # noqa: N818 - the third answer of a search, beside a text and none
    """The budget was used up before the search knew."""


@define
class Budget:
    """How many steps the searches that share it may take."""

    left: int
    whole: Budget | None = None

    def spend(self, steps: int = 1) -> None:
        """Take some steps. Raises `Undecided` when there are none left."""
        self.left -= steps
        if self.left < 0:
            raise Undecided
        if self.whole is not None:
            self.whole.spend(steps)

    def part(self, steps: int) -> Budget:
        """Return a budget of so many steps that are taken from this one too."""
        return Budget(steps, self)


@frozen(slots=False, cache_hash=True)
class Chain:
    """Pieces one behind the other: literal texts, and languages of which a piece has at least one character."""

    pieces: tuple[str | Language, ...]

    @cached_property
    def text(self) -> str | None:
        """The only text of a chain that has no language; else `None`."""
        return "".join(map(str, self.pieces)) if all(isinstance(one, str) for one in self.pieces) else None

    def can_meet(self, other: Chain) -> bool:
        """Whether the literal texts at the ends leave it open that both chains have a text in common."""
        for at, meets in ((0, str.startswith), (-1, str.endswith)):
            one, another = self.pieces[at], other.pieces[at]
            if isinstance(one, str) and isinstance(another, str) and not (meets(one, another) or meets(another, one)):
                return False
        return True


ANYTHING = Chain((Language([r"(?:.|\n)+"]),))


class Alphabet:
    """The letters of some chains: the classes of characters that none of them tells apart, as bits of a mask.

    Lower bits have the more readable representatives, so that the first text found is a readable one. A class without
    any printable character is no letter: no path has one.
    """

    def __init__(self, chains: Iterable[Chain]) -> None:
        pieces = {piece for chain in (*chains, ANYTHING) for piece in chain.pieces}
        classes = {one for piece in pieces if isinstance(piece, Language) for one in piece.classes()}
        literal = {"/", *(one for piece in pieces if isinstance(piece, str) for one in piece)}
        classes |= {((ord(one), ord(one)),) for one in literal}
        cuts = {low for ranges in classes for low, _ in ranges} | {high + 1 for ranges in classes for _, high in ranges}
        self._starts = sorted({0, *cuts} - {MAX_CODE + 1})
        at = {start: i for i, start in enumerate([*self._starts, MAX_CODE + 1])}
        intervals = {ranges: [i for low, high in ranges for i in range(at[low], at[high + 1])] for ranges in classes}
        signatures = [0] * len(self._starts)
        for number, some in enumerate(intervals.values()):
            for i in some:
                signatures[i] |= 1 << number
        self.letters, self._bits = self._represent(signatures)
        self._masks = {ranges: _union(self._bits[i] for i in some) for ranges, some in intervals.items()}

    def bit(self, character: str) -> int:
        """Return the mask of one character's class; 0 where it has none."""
        return self._bits[bisect_right(self._starts, ord(character)) - 1]

    def mask(self, classes: Iterable[Ranges]) -> int:
        """Return the mask of all characters in some of the chains' classes."""
        return _union(self._masks[one] for one in classes)

    def split(self, mask: int) -> Iterator[tuple[str, int]]:
        """Yield the letters of a mask, each with its own, the most readable first."""
        while mask:
            bit = mask & -mask
            yield self.letters[bit.bit_length() - 1], bit
            mask ^= bit

    def _represent(self, signatures: Sequence[int]) -> tuple[list[str], list[int]]:
        """Choose a letter for each class; return the letters, and the bit of each interval's."""
        chosen: dict[int, str] = {}  # of each signature; intervals of one signature are one class
        for character in PREFERRED:
            chosen.setdefault(signatures[bisect_right(self._starts, ord(character)) - 1], character)
        left: dict[int, list[range]] = {}
        for start, end, signature in zip(self._starts, [*self._starts[1:], MAX_CODE + 1], signatures, strict=True):
            if signature not in chosen:
                left.setdefault(signature, []).append(range(start, end))
        for signature, ranges in left.items():
            if (found := printable_of(ranges)) is not None:
                chosen[signature] = found
        bits = {signature: 1 << number for number, signature in enumerate(chosen)}
        return list(chosen.values()), [bits.get(signature, 0) for signature in signatures]


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def printable_of(ranges: Iterable[range]) -> str | None:
    """Return a character that can stand in a path; `None` only where there is none for sure."""
    fallback: str | None = None
    left = MAX_SCANNED
    for codes in ranges:
        for code in codes[:left]:
            if (character := chr(code)).isprintable():
                if not unicodedata.combining(character) and unicodedata.is_normalized("NFC", character):
                    return character
                fallback = fallback or character
        left -= len(codes)
        if left < 0:
            return fallback or chr(codes[0])
    return fallback


class Position(NamedTuple):
    """Where the run of a chain is: in which piece, and how far; behind the last one, `ENDED` or `INSIDE`."""

    piece: int
    within: int | State | None


ENDED = None
"""The chain's text is whole."""
INSIDE = -1
"""Behind the chain's whole text stood a `/`: whatever follows lies inside of it."""

Moves: TypeAlias = list[tuple[int, list[Position]]]
"""Masks of letters, with where a run is behind them."""


class Automaton:
    """A chain with an alphabet: where its runs can go. What is found out is kept, for it serves many searches."""

    def __init__(self, chain: Chain, alphabet: Alphabet) -> None:
        self.chain = chain
        self.alphabet = alphabet
        self.start = self._entry(0)
        self._moves: dict[Position, Moves] = {}

    def moves(self, position: Position, budget: Budget) -> Moves:
        """Return what can follow: letters that lead to the same positions are one move. Raises `Undecided`."""
        found = self._moves.get(position)
        if found is None:
            found = self._moves[position] = self._find_moves(position, budget)
        return found

    def _find_moves(self, position: Position, budget: Budget) -> Moves:
        at, within = position
        if within is ENDED:
            return [(self.alphabet.bit("/"), [Position(at, INSIDE)])]
        if within == INSIDE:
            return [(-1, [position])]
        piece = self.chain.pieces[at]
        if isinstance(piece, str):
            offset: int = within  # type: ignore[assignment]  # in a text it is an offset
            behind = Position(at, offset + 1) if offset + 1 < len(piece) else self._entry(at + 1)
            return [(self.alphabet.bit(piece[offset]), [behind])]
        masks: dict[State, int] = {}
        for letter, bit in self.alphabet.split(self.alphabet.mask(piece.ways(within))):  # type: ignore[arg-type]
            # Making an automaton deterministic costs as much as its states have nodes.
            budget.spend(1 + len(within.nodes) // NODES_A_STEP)  # type: ignore[union-attr]
            state = piece.step(within, letter)  # type: ignore[arg-type]  # in a language it is a state
            if state is not None:
                masks[state] = masks.get(state, 0) | bit
        return [(mask, self._behind(at, state)) for state, mask in masks.items()]

    def _behind(self, piece: int, state: State) -> list[Position]:
        """Where a run can be when a language's state is reached: in it, and, if it accepts, in what follows."""
        return [Position(piece, state), self._entry(piece + 1)] if state.accepts else [Position(piece, state)]

    def _entry(self, piece: int) -> Position:
        """Where a piece begins, or the end of the chain."""
        if piece == len(self.chain.pieces):
            return Position(piece, ENDED)
        begun = self.chain.pieces[piece]
        return Position(piece, 0 if isinstance(begun, str) else begun.start)


class Relation(enum.Enum):
    """How two readings of a text are related: they are of the `SAME` path, or one lies inside the other."""

    SAME = "same"
    LEFT_INSIDE = "left inside right"
    RIGHT_INSIDE = "right inside left"


class Twin(NamedTuple):
    """A text that has two readings; the outer one, where one lies inside the other, is the text before `end`."""

    relation: Relation
    text: str
    end: int


Pair: TypeAlias = tuple[Position, Position, bool]
"""Where the two runs are, and whether their labels have differed."""


class Twins:
    """The product of two chains; with `same`, of one with itself, where only readings that differ are two.

    With `nested`, what lies inside of a chain's text is followed too. `is_cut` says, after a search, whether there may
    be more texts than it gave.
    """

    def __init__(self, left: Automaton, right: Automaton, *, same: bool, nested: bool = False) -> None:
        self._left = left
        self._right = right
        self._alphabet = left.alphabet
        self._same = same
        self._nested = nested
        self.is_cut = False

    @classmethod
    def of(cls, one: Chain, other: Chain, *, same: bool = False, nested: bool = False) -> Twins:
        """Return the product of two chains that no other search has to do with: their alphabet is theirs alone."""
        alphabet = Alphabet({one, other})
        return cls(Automaton(one, alphabet), Automaton(other, alphabet), same=same, nested=nested)

    def texts(self, budget: Budget, tries: int = 1, *, shortest: bool = True) -> Iterator[Twin]:
        """Yield texts with two readings, the shortest first: up to `tries` for each pair of ends.

        None are yielded only where there are none. Whether there is any is mostly known sooner where it need not be the
        `shortest`. Raises `Undecided`.
        """
        self.is_cut = False
        first = (self._left.start, self._right.start, not self._same)
        queue: deque[tuple[Pair, str, int]] = deque([(first, "", 0)])
        queued = Counter([first])
        while queue:
            pair, text, end = queue.popleft() if shortest else queue.pop()
            budget.spend()
            relation = _relation(pair)
            if relation is not None:
                yield Twin(relation, text, end if relation is not Relation.SAME else len(text))
            if INSIDE not in (pair[0].within, pair[1].within):
                end = len(text)
            for letter, behind in self._steps(pair, budget, every=tries > 1):
                if queued[behind] >= tries:
                    self.is_cut = True
                    continue
                queued[behind] += 1
                queue.append((behind, text + letter, end))

    def _steps(self, pair: Pair, budget: Budget, *, every: bool) -> Iterator[tuple[str, Pair]]:
        """Yield what can follow, the most readable letter first; with `every`, by letters that lead to the same too."""
        left, right, diverged = pair
        if not self._nested and (left.within is ENDED or right.within is ENDED):
            return
        # The label of a letter is the piece that takes it.
        diverged = diverged or left.piece != right.piece
        common = [
            (mask & other, ones, others)
            for mask, ones in self._left.moves(left, budget)
            for other, others in self._right.moves(right, budget)
            if mask & other
        ]
        for mask, ones, others in sorted(common, key=_readability):
            for letter, _ in self._alphabet.split(mask):
                for one in ones:
                    for other in others:
                        # Of a text inside of both, neither reading would end.
                        if not one.within == other.within == INSIDE:
                            yield letter, (one, other, diverged)
                if not every:
                    self.is_cut = self.is_cut or mask & (mask - 1) != 0
                    break


def _readability(move: tuple[int, Any, Any]) -> int:
    return move[0] & -move[0]


def _relation(pair: Pair) -> Relation | None:
    """What it means that two runs are where they are."""
    left, right, diverged = pair
    if left.within is ENDED and right.within is ENDED:
        return Relation.SAME if diverged else None
    if left.within == INSIDE and right.within is ENDED:
        return Relation.RIGHT_INSIDE
    return Relation.LEFT_INSIDE if left.within is ENDED and right.within == INSIDE else None


def is_empty(chain: Chain, steps: int = 20_000) -> bool:
    """Return whether a chain has no text at all. Raises `Undecided`."""
    return next(Twins.of(chain, ANYTHING).texts(Budget(steps), shortest=False), None) is None
